/* Statement building and the statement cache: no server. */
#include "unit.h"

#include "base/xalloc.h"
#include "cdc/apply_cache.h"
#include "cdc/statements.h"

#define ALL_COLUMNS UINT64_MAX

/* A relation and a target table made of short descriptions. */
struct fixture {
    struct source_table source;
    struct target_table target;
    struct table_map map;
};

static void source_column(struct fixture *f, const char *name, uint32_t type, bool key)
{
    struct source_table *s = &f->source;

    s->columns = xrealloc(s->columns, (s->column_count + 1) * sizeof *s->columns);
    s->columns[s->column_count++] =
        (struct relation_column){.key = key, .name = xstrdup(name), .type_oid = type, .typmod = -1};
}

static struct target_column *target_column(struct fixture *f, const char *name, uint32_t type)
{
    struct target_table *t = &f->target;

    t->columns = xgrow(t->columns, t->column_count, &t->column_cap, sizeof *t->columns);
    t->columns[t->column_count] = (struct target_column){
        .name = xstrdup(name), .type_oid = type, .typmod = -1, .type_name = xstrdup("x")};
    return &t->columns[t->column_count++];
}

static void target_index(struct fixture *f, const char *name, size_t first, size_t count)
{
    struct target_table *t = &f->target;
    struct target_key key = {.index_name = xstrdup(name)};

    for (size_t i = first; i < first + count; i++) {
        key.columns = xgrow(key.columns, key.count, &key.cap, sizeof *key.columns);
        key.columns[key.count++] = (struct target_key_column){
            .column = i, .operator = xstrdup("OPERATOR(pg_catalog.=)")};
    }
    t->keys = xgrow(t->keys, t->key_count, &t->key_cap, sizeof *t->keys);
    t->keys[t->key_count++] = key;
}

static void setup(struct fixture *f, char identity)
{
    *f = (struct fixture){0};
    f->source.schema = xstrdup("public");
    f->source.name = xstrdup("t");
    f->source.identity = identity;
    f->target.schema = xstrdup("pub\"lic");
    f->target.name = xstrdup("T t");
    f->target.relkind = 'r';
}

/* id key, name, note; the target has them in another order, and an index on id. */
static void setup_usual(struct fixture *f, char identity, bool index)
{
    setup(f, identity);
    source_column(f, "id", 23, true);
    source_column(f, "name", 25, false);
    source_column(f, "No\"te", 25, false);
    target_column(f, "extra", 16);
    target_column(f, "No\"te", 25);
    target_column(f, "id", 20);
    target_column(f, "name", 25);
    if (index)
        target_index(f, "t_pkey", 2, 1);
}

static void teardown(struct fixture *f)
{
    table_map_release(&f->map);
    source_table_release(&f->source);
    target_table_release(&f->target);
}

static bool build_map(struct fixture *f)
{
    struct err err = ERR_INIT;
    bool ok = table_map_build(&f->map, &f->source, &f->target, false, NULL, &err);

    if (!ok)
        fprintf(stderr, "%s\n", err.message);
    err_clear(&err);
    return ok;
}

static void check_sql(struct fixture *f, enum change_kind kind, uint64_t set, const char *want)
{
    struct statement_text text;

    statement_build(&f->map, &(struct statement_shape){kind, false, &set}, &text);
    CHECK_STR(text.sql.data, want);
    statement_text_release(&text);
}

static void test_key(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_KEY);
    CHECK_STR(f.map.key_names, "(id)=(");
    check_sql(&f, CHANGE_INSERT, 0,
              "INSERT INTO \"pub\"\"lic\".\"T t\" (\"id\", \"name\", \"No\"\"te\") VALUES ($1, $2, $3)");
    check_sql(&f, CHANGE_UPDATE, 6,
              "UPDATE ONLY \"pub\"\"lic\".\"T t\" SET \"name\" = $1, \"No\"\"te\" = $2 "
              "WHERE \"id\" OPERATOR(pg_catalog.=) $3");
    check_sql(&f, CHANGE_UPDATE, 1,
              "UPDATE ONLY \"pub\"\"lic\".\"T t\" SET \"id\" = $1 WHERE \"id\" OPERATOR(pg_catalog.=) $2");
    check_sql(&f, CHANGE_DELETE, 0,
              "DELETE FROM ONLY \"pub\"\"lic\".\"T t\" WHERE \"id\" OPERATOR(pg_catalog.=) $1");
    teardown(&f);
}

static void check_many(struct fixture *f, enum change_kind kind, uint64_t set, const char *want)
{
    struct statement_text text;

    statement_build(&f->map, &(struct statement_shape){kind, true, &set}, &text);
    CHECK_STR(text.sql.data, want);
    for (size_t i = 0; i < text.count; i++)
        CHECK_INT(text.types[i], text.parameters[i].column == 0 ? 1016 : 1009); /* int8[], text[] */
    statement_text_release(&text);
}

/* Many rows at once: an array a column; what has no array type of its own goes as text, without modifier. */
static void test_arrays(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    f.target.columns[2].array_oid = 1016;
    f.target.columns[3].array_oid = 1009;
    f.target.columns[1].cast_name = xstrdup("pg_catalog.int4[]");
    CHECK_TRUE(build_map(&f));
    check_many(&f, CHANGE_INSERT, 0,
               "INSERT INTO \"pub\"\"lic\".\"T t\" (\"id\", \"name\", \"No\"\"te\") SELECT pg_catalog.unnest($1) AS v1, "
               "pg_catalog.unnest($2) AS v2, pg_catalog.unnest($3)::pg_catalog.int4[] AS v3");
    check_many(&f, CHANGE_UPDATE, 6,
               "UPDATE ONLY \"pub\"\"lic\".\"T t\" AS t SET \"name\" = u.v1, \"No\"\"te\" = u.v2 FROM (SELECT "
               "pg_catalog.unnest($1) AS v1, pg_catalog.unnest($2)::pg_catalog.int4[] AS v2, pg_catalog.unnest($3) AS v3) u "
               "WHERE t.\"id\" OPERATOR(pg_catalog.=) u.v3");
    check_many(&f, CHANGE_DELETE, 0,
               "DELETE FROM ONLY \"pub\"\"lic\".\"T t\" AS t USING (SELECT pg_catalog.unnest($1) AS v1) u "
               "WHERE t.\"id\" OPERATOR(pg_catalog.=) u.v1");
    teardown(&f);
}

static void test_nothing_to_set(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    CHECK_TRUE(build_map(&f));
    check_sql(&f, CHANGE_UPDATE, 0,
              "SELECT FROM ONLY \"pub\"\"lic\".\"T t\" WHERE \"id\" OPERATOR(pg_catalog.=) $1");
    teardown(&f);
}

static void test_parameters(void)
{
    struct fixture f;
    struct statement_text text;
    uint64_t set = 5;

    setup_usual(&f, 'd', true);
    CHECK_TRUE(build_map(&f));
    statement_build(&f.map, &(struct statement_shape){CHANGE_UPDATE, false, &set}, &text);
    CHECK_INT(text.count, 3);
    CHECK_INT(text.parameters[0].column, 0);
    CHECK_TRUE(!text.parameters[0].find);
    CHECK_INT(text.parameters[1].column, 2);
    CHECK_INT(text.parameters[2].column, 0);
    CHECK_TRUE(text.parameters[2].find);
    CHECK_INT(text.types[0], 20); /* the target's type, not the source's */
    CHECK_INT(text.types[2], 20);
    statement_text_release(&text);
    teardown(&f);
}

static void test_generated_and_identity(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    f.target.columns[1].generated = true; /* No"te */
    f.target.columns[2].identity = true;  /* id */
    CHECK_TRUE(build_map(&f));
    check_sql(&f, CHANGE_INSERT, 0,
              "INSERT INTO \"pub\"\"lic\".\"T t\" (\"id\", \"name\") OVERRIDING SYSTEM VALUE VALUES ($1, $2)");
    check_sql(&f, CHANGE_UPDATE, 6,
              "UPDATE ONLY \"pub\"\"lic\".\"T t\" SET \"name\" = $1 WHERE \"id\" OPERATOR(pg_catalog.=) $2");
    teardown(&f);
}

static void test_partitioned(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    f.target.relkind = 'p';
    CHECK_TRUE(build_map(&f));
    check_sql(&f, CHANGE_DELETE, 0,
              "DELETE FROM \"pub\"\"lic\".\"T t\" WHERE \"id\" OPERATOR(pg_catalog.=) $1");
    teardown(&f);
}

static void test_collation(void)
{
    struct fixture f;

    setup_usual(&f, 'd', true);
    f.target.keys[0].columns[0].collation = xstrdup("pg_catalog.\"C\"");
    CHECK_TRUE(build_map(&f));
    check_sql(&f, CHANGE_DELETE, 0,
              "DELETE FROM ONLY \"pub\"\"lic\".\"T t\" WHERE \"id\" OPERATOR(pg_catalog.=) "
              "($1 COLLATE pg_catalog.\"C\")");
    teardown(&f);
}

static void test_full(void)
{
    struct fixture f;

    setup(&f, 'f');
    source_column(&f, "a", 114, true);
    target_column(&f, "a", 114);
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_ROW);
    check_sql(&f, CHANGE_DELETE, 0,
              "DELETE FROM ONLY \"pub\"\"lic\".\"T t\" WHERE ctid = COALESCE((SELECT ctid FROM ONLY "
              "\"pub\"\"lic\".\"T t\" WHERE ROW(\"a\")::record OPERATOR(pg_catalog.*=) ROW($1)::record LIMIT 1), "
              "(SELECT ctid FROM ONLY \"pub\"\"lic\".\"T t\" WHERE (\"a\" IS NULL) = ($1 IS NULL) AND "
              "pg_catalog.format('%s', \"a\") = pg_catalog.format('%s', $1) LIMIT 1))");
    f.target.relkind = 'p';
    struct statement_text text;
    statement_build(&f.map, &(struct statement_shape){CHANGE_DELETE, false, NULL}, &text);
    CHECK_CONTAINS(text.sql.data, "(tableoid, ctid) IN (SELECT o, c FROM (SELECT tableoid, ctid FROM \"pub");
    statement_text_release(&text);
    teardown(&f);
}

static void test_full_with_index(void)
{
    struct fixture f;

    setup_usual(&f, 'f', true);
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_KEY);
    CHECK_INT(f.map.key_count, 1);
    teardown(&f);
}

/* An index over columns outside the replica identity is of no use: the old values are not sent. */
static void test_choice_of_index(void)
{
    struct fixture f;

    setup_usual(&f, 'i', false);
    target_index(&f, "by_name", 3, 1);
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_KEY_IMAGE);
    check_sql(&f, CHANGE_DELETE, 0,
              "DELETE FROM ONLY \"pub\"\"lic\".\"T t\" WHERE ROW(\"id\")::record OPERATOR(pg_catalog.*=) "
              "ROW($1)::record");
    table_map_release(&f.map);
    f.source.columns[1].key = true;
    target_index(&f, "by_id_and_name", 2, 2);
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_KEY);
    CHECK_INT(f.map.key_count, 2); /* the whole identity rather than a part */
    teardown(&f);
}

static void test_no_identity(void)
{
    struct fixture f;

    setup(&f, 'n');
    CHECK_TRUE(build_map(&f));
    CHECK_INT(f.map.find, FIND_NOTHING);
    check_sql(&f, CHANGE_INSERT, 0, "INSERT INTO \"pub\"\"lic\".\"T t\" DEFAULT VALUES");
    teardown(&f);
}

static void test_refusals(void)
{
    struct fixture f;
    struct err err = ERR_INIT;
    size_t column = 99;

    setup_usual(&f, 'd', true);
    source_column(&f, "late", 25, false);
    CHECK_TRUE(!table_map_build(&f.map, &f.source, &f.target, false, &column, &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    CHECK_STR(err.message, "target table \"pub\"\"lic\".\"T t\" has no column \"late\"");
    CHECK_INT(column, 3);
    target_column(&f, "late", 25);
    CHECK_TRUE(!table_map_build(&f.map, &f.source, &f.target, true, &column, &err));
    CHECK_STR(err.message, "column \"id\" of target table \"pub\"\"lic\".\"T t\" has another type than on the source");
    f.target.columns[2].type_oid = 23;
    f.source.columns[1].type_oid = 16500; /* types of their own have no common number */
    f.target.columns[3].type_oid = 16999;
    CHECK_TRUE(table_map_build(&f.map, &f.source, &f.target, true, &column, &err));
    err_clear(&err);
    teardown(&f);
}

static void test_relation_kept(void)
{
    struct source_table table = SOURCE_TABLE_INIT;
    struct relation_column columns[2] = {{true, "id", 23, -1}, {false, "v", 25, -1}};
    struct change change = {.kind = CHANGE_RELATION, .schema = "s", .name = "t", .identity = 'd',
                            .columns = columns, .column_count = 2};

    source_table_set(&table, &change);
    CHECK_TRUE(source_table_is(&table, &change));
    columns[1].typmod = 14;
    CHECK_TRUE(!source_table_is(&table, &change));
    columns[1].typmod = -1;
    columns[1].name = "w";
    CHECK_TRUE(!source_table_is(&table, &change));
    columns[1].name = "v";
    change.identity = 'f';
    CHECK_TRUE(!source_table_is(&table, &change));
    source_table_release(&table);
}

static struct apply_statement *get(struct apply_cache *cache, struct apply_statement **list,
                                   const struct table_map *map, enum change_kind kind,
                                   const uint64_t *set)
{
    return apply_cache_get(cache, list, map, &(struct statement_shape){kind, false, set});
}

static void test_cache(void)
{
    struct fixture f;
    struct apply_cache cache = {.max = 2};
    struct apply_statement *list = NULL;
    uint64_t all = ALL_COLUMNS, one = 2, none = 0;

    setup_usual(&f, 'd', true);
    CHECK_TRUE(build_map(&f));
    struct apply_statement *a = get(&cache, &list, &f.map, CHANGE_UPDATE, &all);
    struct apply_statement *b = get(&cache, &list, &f.map, CHANGE_UPDATE, &one);
    CHECK_TRUE(a != b);
    CHECK_TRUE(get(&cache, &list, &f.map, CHANGE_UPDATE, &all) == a);
    CHECK_TRUE(!apply_cache_victim(&cache));
    struct apply_statement *c = get(&cache, &list, &f.map, CHANGE_INSERT, &none);
    CHECK_TRUE(get(&cache, &list, &f.map, CHANGE_INSERT, &all) == c);
    CHECK_TRUE(apply_cache_victim(&cache) == b); /* unused the longest */
    b->in_flight = 1;
    CHECK_TRUE(apply_cache_victim(&cache) == a);
    b->in_flight = 0;
    apply_cache_drop(&cache, b);
    CHECK_INT(cache.count, 2);
    CHECK_TRUE(!apply_cache_victim(&cache));
    CHECK_TRUE(get(&cache, &list, &f.map, CHANGE_UPDATE, &all) == a);
    while (list)
        apply_cache_drop(&cache, list);
    CHECK_TRUE(!cache.newest && !cache.oldest && !cache.count);
    teardown(&f);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"rows are found by the key", test_key},
        {"many rows at once", test_arrays},
        {"an update of nothing still looks for the row", test_nothing_to_set},
        {"parameters", test_parameters},
        {"generated and identity columns", test_generated_and_identity},
        {"partitioned targets", test_partitioned},
        {"collation of the index", test_collation},
        {"identity full without an index", test_full},
        {"identity full with an index", test_full_with_index},
        {"the index that fits the identity", test_choice_of_index},
        {"no identity, no columns", test_no_identity},
        {"columns missing or of another type", test_refusals},
        {"relation messages that say something new", test_relation_kept},
        {"statement cache", test_cache},
        {NULL, NULL},
    };
    return unit_main("apply", tests);
}
