/* Selection and lookups on catalogs made by hand; what servers give is in test_catalog_servers. */
#include "base/buf.h"
#include "catalog/select.h"

#include "unit.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static char table_key[][40] = {
    "public\0payment", "public\0Payment", "public\0log", "sales\0m", "sales\0m_1", "sales\0m_2",
    "sales\0remote", "public\0cache", "public\0spatial_ref_sys",
};

static struct catalog_table tables[] = {
    {.oid = 10, .kind = 'r', .persistence = 'p', .has_identity = true, .bytes = 500},
    {.oid = 11, .kind = 'r', .persistence = 'p', .has_identity = true, .bytes = 900},
    {.oid = 12, .kind = 'r', .persistence = 'p', .bytes = 100},
    {.oid = 20, .kind = 'p', .persistence = 'p', .has_identity = true},
    {.oid = 21, .parent_oid = 20, .is_partition = true, .kind = 'r', .persistence = 'p',
     .has_identity = true, .bytes = 200},
    {.oid = 22, .parent_oid = 20, .is_partition = true, .kind = 'r', .persistence = 'p',
     .has_identity = true, .bytes = 300},
    {.oid = 23, .parent_oid = 20, .is_partition = true, .kind = 'f', .persistence = 'p'},
    {.oid = 30, .kind = 'r', .persistence = 'u', .has_identity = true, .bytes = 50},
    {.oid = 40, .kind = 'r', .persistence = 'p', .has_identity = true, .extension = "postgis"},
};

static struct catalog by_hand(void)
{
    struct catalog catalog = {.tables = tables, .table_count = LENGTH(tables)};

    for (size_t i = 0; i < LENGTH(tables); i++) {
        struct catalog_table *table = &tables[i];
        table->schema = table_key[i];
        table->name = table->schema + strlen(table->schema) + 1;
        size_t len = (size_t)(table->name - table->schema) + strlen(table->name);
        HASH_ADD(hh_oid, catalog.by_oid, oid, sizeof table->oid, table);
        HASH_ADD_KEYPTR(hh_name, catalog.by_name, table->schema, len, table);
    }
    return catalog;
}

static void let_go(struct catalog *catalog)
{
    HASH_CLEAR(hh_oid, catalog->by_oid);
    HASH_CLEAR(hh_name, catalog->by_name);
}

/* "schema.name mode, ..." in the list's order. */
static char *picked(const struct plan_database *database, const struct catalog *target,
                    struct err *err)
{
    struct catalog catalog = by_hand();
    struct table_list list;
    struct buf out = BUF_INIT;

    if (catalog_select_existing(&catalog, target, database, &list, err)) {
        for (size_t i = 0; i < list.count; i++) {
            const struct table_entry *e = &list.items[i];
            buf_addf(&out, "%s%s.%s", i ? " " : "", e->schema, e->name);
            if (strcmp(e->target_schema, e->schema) != 0 || strcmp(e->target_name, e->name) != 0)
                buf_addf(&out, ">%s.%s", e->target_schema, e->target_name);
            if (e->mode != TABLE_SYNC)
                buf_addf(&out, ":%s", table_mode_name(e->mode));
            if (e->needs_full)
                buf_addstr(&out, ":full");
            if (e->where)
                buf_addf(&out, "[%s]", e->where);
        }
        for (size_t i = 0; i < list.skip_count; i++)
            buf_addf(&out, " -%s:%d", list.skipped[i].name, list.skipped[i].reason);
    }
    table_list_release(&list);
    let_go(&catalog);
    return buf_take(&out);
}

static void check_picked(const struct plan_database *database, const char *want)
{
    struct err err = ERR_INIT;
    char *got = picked(database, NULL, &err);

    CHECK_STR(got, want);
    CHECK_STR(err.message, NULL);
    err_clear(&err);
    free(got);
}

static void check_refused(const struct plan_database *database, const char *message,
                          const char *hint)
{
    struct err err = ERR_INIT;
    char *got = picked(database, NULL, &err);

    CHECK_STR(got, "");
    CHECK_INT(err.code, ERR_USAGE);
    CHECK_STR(err.message, message);
    CHECK_CONTAINS(err.hint, hint);
    err_clear(&err);
    free(got);
}

#define SELECT(...) .selected = (char *[]){__VA_ARGS__}, \
    .selected_count = LENGTH(((char *[]){__VA_ARGS__}))
#define EXCLUDE(...) .excluded = (char *[]){__VA_ARGS__}, \
    .excluded_count = LENGTH(((char *[]){__VA_ARGS__}))
#define MAP(...) .mappings = (struct plan_mapping[]){__VA_ARGS__}, \
    .mapping_count = LENGTH(((struct plan_mapping[]){__VA_ARGS__}))

static void test_all(void)
{
    struct plan_database all = {.name = "shop"};

    check_picked(&all, "public.Payment public.payment sales.m_2 sales.m_1 public.log "
                       "public.cache:at-cutover -remote:0 -spatial_ref_sys:1");
    all.keyless = KEYLESS_FULL;
    check_picked(&all, "public.Payment public.payment sales.m_2 sales.m_1 public.log:full "
                       "public.cache:at-cutover -remote:0 -spatial_ref_sys:1");
    all.keyless = KEYLESS_AT_CUTOVER;
    check_picked(&all, "public.Payment public.payment sales.m_2 sales.m_1 public.log:at-cutover "
                       "public.cache:at-cutover -remote:0 -spatial_ref_sys:1");
}

static void test_patterns(void)
{
    check_picked(&(struct plan_database){.name = "shop", SELECT("payment")}, "public.payment");
    check_picked(&(struct plan_database){.name = "shop", SELECT("public.\"Payment\"")},
                 "public.Payment");
    check_picked(&(struct plan_database){.name = "shop", SELECT("public.*"), EXCLUDE("*.log")},
                 "public.Payment public.payment public.cache:at-cutover -spatial_ref_sys:1");
}

static void test_partitions(void)
{
    check_picked(&(struct plan_database){.name = "shop", SELECT("sales.m")},
                 "sales.m_2 sales.m_1 -remote:0");
    check_picked(&(struct plan_database){.name = "shop", SELECT("sales.m_1")}, "sales.m_1");
    check_picked(&(struct plan_database){.name = "shop", SELECT("sales.m"), EXCLUDE("sales.m_2")},
                 "sales.m_1 -remote:0");
    check_picked(&(struct plan_database){.name = "shop", EXCLUDE("sales.m")},
                 "public.Payment public.payment public.log public.cache:at-cutover "
                 "-spatial_ref_sys:1");
    check_picked(&(struct plan_database){.name = "shop", SELECT("sales.m", "sales.m_1")},
                 "sales.m_2 sales.m_1 -remote:0");
}

static void test_unused_patterns(void)
{
    check_refused(&(struct plan_database){.name = "shop", SELECT("public.paymnt")},
                  "database \"shop\": selectedTables: \"public.paymnt\" matches no table",
                  "Near names: public.payment, public.\"Payment\".");
    check_refused(&(struct plan_database){.name = "shop", SELECT("payment", "sales.log")},
                  "database \"shop\": selectedTables: \"sales.log\" matches no table",
                  "Near names: public.log");
    check_refused(&(struct plan_database){.name = "shop", SELECT("nothing_like_it")},
                  "database \"shop\": selectedTables: \"nothing_like_it\" matches no table",
                  "Write schema.table");
    check_refused(&(struct plan_database){.name = "shop", EXCLUDE("public.lgo")},
                  "database \"shop\": excludedTables: \"public.lgo\" matches no table",
                  "Near names: public.log");
    check_picked(&(struct plan_database){.name = "shop", SELECT("payment"), EXCLUDE("tmp_*")},
                 "public.payment");
}

static void test_mappings(void)
{
    struct plan_mapping billing = {.table = "public.payment", .schema = "public", .name = "payment",
                                   .to = "billing.payment", .to_schema = "billing",
                                   .to_name = "payment", .where = "amount > 0"};
    struct plan_mapping parts = {.table = "sales.m", .schema = "sales", .name = "m",
                                 .where = "id > 1"};
    struct plan_mapping renamed = parts;
    struct plan_mapping clash = {.table = "public.log", .schema = "public", .name = "log",
                                 .to = "billing.payment", .to_schema = "billing",
                                 .to_name = "payment"};

    renamed.to = "sales.n";
    renamed.to_schema = "sales";
    renamed.to_name = "n";
    check_picked(&(struct plan_database){.name = "shop", SELECT("payment", "sales.m"),
                                         MAP(billing, parts)},
                 "public.payment>billing.payment[amount > 0] sales.m_2[id > 1] sales.m_1[id > 1] "
                 "-remote:0");
    check_refused(&(struct plan_database){.name = "shop", SELECT("log"), MAP(billing)},
                  "database \"shop\": tableMappings: \"public.payment\" is not among the picked "
                  "tables", "Near names: public.payment");
    check_refused(&(struct plan_database){.name = "shop", MAP(renamed)},
                  "database \"shop\": tableMappings: \"sales.m\" is partitioned and cannot be mapped "
                  "to \"sales.n\" as a whole", "one by one");
    check_refused(&(struct plan_database){.name = "shop", MAP(billing, clash)},
                  "database \"shop\": tableMappings: public.payment and public.log would both go to "
                  "billing.payment", "target of its own");
}

static void test_existing(void)
{
    struct catalog_table there = {.oid = 99, .kind = 'r', .schema = "public", .name = "log"};
    struct catalog target = {.tables = &there, .table_count = 1};
    struct plan_database all = {.name = "shop", EXCLUDE("sales.*", "spatial_ref_sys")};
    struct plan_database named = {.name = "shop", SELECT("payment")};
    struct err err = ERR_INIT;

    HASH_ADD_KEYPTR(hh_name, target.by_name, "public\0log", 10, &there);
    char *got = picked(&all, &target, &err);
    CHECK_STR(got, "public.log -payment:2 -Payment:2 -cache:2");
    free(got);
    got = picked(&named, &target, &err); /* what is named is picked: check t-missing speaks */
    CHECK_STR(got, "public.payment");
    free(got);
    HASH_CLEAR(hh_name, target.by_name);
}

static void test_lookup(void)
{
    struct catalog catalog = by_hand();

    CHECK_INT(catalog_table_by_name(&catalog, "public", "Payment")->oid, 11);
    CHECK_INT(catalog_table_by_name(&catalog, "public", "payment")->oid, 10);
    CHECK_TRUE(catalog_table_by_name(&catalog, "publicpayment", "") == NULL);
    CHECK_TRUE(catalog_table_by_name(&catalog, "sales", "payment") == NULL);
    CHECK_STR(catalog_table_by_oid(&catalog, 22)->name, "m_2");
    CHECK_TRUE(catalog_table_by_oid(&catalog, 1) == NULL);
    let_go(&catalog);
}

static void test_distance(void)
{
    CHECK_INT(edit_distance("", ""), 0);
    CHECK_INT(edit_distance("abc", ""), 3);
    CHECK_INT(edit_distance("", "abc"), 3);
    CHECK_INT(edit_distance("kitten", "sitting"), 3);
    CHECK_INT(edit_distance("Payment", "payment"), 0);
    CHECK_INT(edit_distance("paymnet", "payment"), 2);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"everything is picked", test_all},
        {"patterns", test_patterns},
        {"partitions", test_partitions},
        {"patterns that match nothing", test_unused_patterns},
        {"mappings", test_mappings},
        {"tables on both sides", test_existing},
        {"lookups", test_lookup},
        {"edit distance", test_distance},
        {NULL, NULL},
    };

    return unit_main("catalog", tests);
}
