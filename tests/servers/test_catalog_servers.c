/* catalog_load() on a real server: what it says about each kind of object, what it leaves out, one
 * snapshot, and that time and memory grow with the number of tables only. */
#include <malloc.h>

#include "base/buf.h"
#include "base/clock.h"
#include "catalog/select.h"
#include "pair.h"

static struct conn conn = CONN_INIT;
static struct conn other = CONN_INIT;

static const char fixture[] =
    "CREATE SCHEMA \"Odd \"\"x.y\";"
    "CREATE TABLE public.keyed (id int PRIMARY KEY, v text);"
    "INSERT INTO public.keyed SELECT i, pg_catalog.repeat('x', 100) FROM pg_catalog.generate_series(1, 5000) i;"
    "ANALYZE public.keyed;"
    "CREATE TABLE \"Odd \"\"x.y\".\"T 1\" (id int PRIMARY KEY);"
    "CREATE TABLE public.keyless (v text);"
    "CREATE TABLE public.deferrable (id int PRIMARY KEY DEFERRABLE);"
    "CREATE TABLE public.full_one (v text); ALTER TABLE public.full_one REPLICA IDENTITY FULL;"
    "CREATE TABLE public.by_index (v int NOT NULL); CREATE UNIQUE INDEX by_index_v ON public.by_index (v);"
    "ALTER TABLE public.by_index REPLICA IDENTITY USING INDEX by_index_v;"
    "CREATE TABLE public.nothing (id int PRIMARY KEY); ALTER TABLE public.nothing REPLICA IDENTITY NOTHING;"
    "CREATE UNLOGGED TABLE public.fast (id int PRIMARY KEY);"
    "CREATE TEMPORARY TABLE gone (id int PRIMARY KEY);"
    "CREATE TABLE public.gen (id int PRIMARY KEY, twice int /*!12 GENERATED ALWAYS AS (id * 2) STORED */);"
    "CREATE TABLE public.m (id int /*!11 , PRIMARY KEY (id) */) PARTITION BY RANGE (id);"
    "CREATE TABLE public.m_1 PARTITION OF public.m FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (id);"
    "CREATE TABLE public.m_1a PARTITION OF public.m_1 /*!-10 (PRIMARY KEY (id)) */ FOR VALUES FROM (0) TO (5);"
    "CREATE TABLE public.child () INHERITS (public.keyless);"
    "CREATE TABLE public.ref (id int PRIMARY KEY, k int CONSTRAINT ref_k REFERENCES public.keyed);"
    "CREATE TABLE public.secret (id int PRIMARY KEY); ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;"
    "ALTER TABLE public.secret FORCE ROW LEVEL SECURITY;"
    "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER t BEFORE INSERT ON public.ref FOR EACH ROW EXECUTE PROCEDURE public.f();"
    "ALTER TABLE public.ref ENABLE ALWAYS TRIGGER t;"
    "CREATE SEQUENCE public.loose;"
    "CREATE MATERIALIZED VIEW public.mv AS SELECT 1 AS x WITH NO DATA;"
    "CREATE SCHEMA pgcutover; CREATE TABLE pgcutover.own (id int);"
    "CREATE EXTENSION file_fdw SCHEMA public; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
    "CREATE FOREIGN TABLE public.remote (v text) SERVER files OPTIONS (filename '/dev/null');"
    "CREATE TABLE public.member (id int PRIMARY KEY); ALTER EXTENSION file_fdw ADD TABLE public.member;"
    "CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE PROCEDURE public.e();"
    "SELECT pg_catalog.lo_create(0), pg_catalog.lo_create(0);"
    "CREATE ROLE catalog_reader LOGIN; CREATE ROLE \"Own er\";"
    "ALTER TABLE public.gen OWNER TO \"Own er\"; GRANT SELECT ON public.keyed, public.secret TO catalog_reader;";

static const char cleanup[] = "RESET ROLE; DROP EVENT TRIGGER IF EXISTS watch;"
                              "DROP SCHEMA IF EXISTS public, pgcutover, \"Odd \"\"x.y\" CASCADE;"
                              "DROP EXTENSION IF EXISTS file_fdw CASCADE; CREATE SCHEMA public;"
                              "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata;"
                              "DROP ROLE IF EXISTS catalog_reader; DROP ROLE IF EXISTS \"Own er\";";

static void run(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;

    char *text = pair_text(c->version, sql);
    if (!conn_command(c, text, &err))
        fprintf(stderr, "\n%s\n%s\n", err.message, err.detail ? err.detail : "");
    free(text);
    CU_ASSERT_TRUE_FATAL(!err_is_set(&err));
}

static struct catalog loaded(struct conn *c)
{
    struct catalog catalog = CATALOG_INIT;
    struct err err = ERR_INIT;

    if (!catalog_load(c, &catalog, &err))
        fprintf(stderr, "\n%s\n%s\n", err.message, err.detail ? err.detail : "");
    CU_ASSERT_TRUE_FATAL(!err_is_set(&err));
    CHECK_INT(PQtransactionStatus(c->pg), PQTRANS_IDLE);
    return catalog;
}

/* One line a table: name and what is remarkable. */
static char *summary(const struct catalog *catalog)
{
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < catalog->table_count; i++) {
        const struct catalog_table *t = &catalog->tables[i];
        buf_addf(&out, "%s %c%c%c%s%s%s%s%s%s%s%s\n", t->name, t->kind, t->persistence,
                 t->replica_identity, t->has_pk ? " pk" : "", t->has_identity ? " identity" : "",
                 t->is_partition ? " partition" : "", t->row_security ? " rls" : "",
                 t->can_select ? "" : " unreadable", t->owned ? "" : " foreign",
                 t->has_generated ? " generated" : "", t->has_always_trigger ? " always" : "");
    }
    return buf_take(&out);
}

static void test_tables(void)
{
    run(&conn, fixture);
    struct catalog catalog = loaded(&conn);
    char *text = summary(&catalog);

    char *want = pair_text(conn.version, "T 1 rpd pk identity\n"
                    "by_index rpi identity\n"
                    "child rpd\n"
                    "deferrable rpd pk\n"
                    "fast rud pk identity\n"
                    "full_one rpf identity\n"
                    "gen rpd pk identity/*!12 generated*/\n"
                    "keyed rpd pk identity\n"
                    "keyless rpd\n"
                    "m ppd/*!11 pk identity*/\n"
                    "m_1 ppd/*!11 pk identity*/ partition\n"
                    "m_1a rpd pk identity partition\n"
                    "member rpd pk identity\n"
                    "nothing rpn pk\n"
                    "ref rpd pk identity always\n"
                    "remote fpn\n"
                    "secret rpd pk identity\n");
    CHECK_STR(text, want);
    free(want);
    free(text);
    const struct catalog_table *keyed = catalog_table_by_name(&catalog, "public", "keyed");
    CHECK_INT(keyed->rows, 5000);
    CHECK_TRUE(keyed->bytes > 500000 && keyed->bytes < 1000000);
    CHECK_TRUE(!catalog.sizes_estimated);
    CHECK_INT(catalog_table_by_name(&catalog, "public", "keyless")->rows, 0);
    const struct catalog_table *odd = catalog_table_by_name(&catalog, "Odd \"x.y", "T 1");
    CHECK_TRUE(odd && catalog_table_by_oid(&catalog, odd->oid) == odd);
    CHECK_STR(catalog_table_by_name(&catalog, "public", "member")->extension, "file_fdw");
    CHECK_STR(catalog_table_by_name(&catalog, "public", "gen")->owner, "Own er");
    const struct catalog_table *leaf = catalog_table_by_name(&catalog, "public", "m_1a");
    CHECK_STR(catalog_table_by_oid(&catalog, leaf->parent_oid)->name, "m_1");
    CHECK_INT(catalog_table_by_name(&catalog, "public", "child")->parent_oid, 0);
    catalog_release(&catalog);
}

static void test_other_objects(void)
{
    struct catalog catalog = loaded(&conn);

    CHECK_INT(catalog.server.version, conn.version);
    CHECK_STR(catalog.server.database, "t");
    CHECK_STR(catalog.server.encoding, "UTF8");
    CHECK_STR(catalog.server.user, "postgres");
    CHECK_TRUE(catalog.server.superuser && catalog.server.replication);
    CHECK_TRUE(!catalog.server.in_recovery);
    CHECK_TRUE(strlen(catalog.server.system_id) > 15);
    CHECK_INT(catalog.server.large_objects, 2);
    CHECK_INT(catalog.sequence_count, 1);
    CHECK_STR(catalog.sequences[0].name, "loose");
    CHECK_INT(catalog.matview_count, 1);
    CHECK_TRUE(!catalog.matviews[0].populated);
    CHECK_INT(catalog.foreign_key_count, 1);
    CHECK_STR(catalog.foreign_keys[0].name, "ref_k");
    CHECK_INT(catalog.foreign_keys[0].referenced_oid,
              catalog_table_by_name(&catalog, "public", "keyed")->oid);
    CHECK_INT(catalog.extension_count, 2);
    CHECK_STR(catalog.extensions[0].name, "file_fdw");
    CHECK_INT(catalog.event_trigger_count, 1);
    CHECK_STR(catalog.event_triggers[0].detail, "ddl_command_end");
    catalog_release(&catalog);
}

static void test_plain_role(void)
{
    run(&conn, "SET ROLE catalog_reader");
    struct catalog catalog = loaded(&conn);
    run(&conn, "RESET ROLE");

    CHECK_STR(catalog.server.user, "catalog_reader");
    CHECK_TRUE(!catalog.server.superuser && !catalog.server.replication);
    const struct catalog_table *keyed = catalog_table_by_name(&catalog, "public", "keyed");
    CHECK_TRUE(keyed->can_select && !keyed->owned && !keyed->row_security);
    CHECK_TRUE(!catalog_table_by_name(&catalog, "public", "ref")->can_select);
    CHECK_TRUE(!catalog_table_by_name(&catalog, "Odd \"x.y", "T 1")->can_select);
    CHECK_TRUE(catalog_table_by_name(&catalog, "public", "secret")->row_security);
    catalog_release(&catalog);
}

/* A table that somebody holds does not hold us. */
static void test_locked(void)
{
    run(&other, "BEGIN; LOCK TABLE public.keyed IN ACCESS EXCLUSIVE MODE");
    int64_t start = clock_mono_ms();
    struct catalog catalog = loaded(&conn);

    CHECK_TRUE(clock_mono_ms() - start < 10000);
    CHECK_TRUE(catalog.sizes_estimated);
    CHECK_TRUE(catalog_table_by_name(&catalog, "public", "keyed")->bytes > 500000);
    catalog_release(&catalog);
    run(&other, "ROLLBACK");
    char *timeout;
    CHECK_TRUE(conn_scalar(&conn, "SHOW lock_timeout", 0, NULL, &timeout, NULL));
    CHECK_STR(timeout, "0");
    free(timeout);
}

static void test_old_server(void)
{
    struct catalog catalog = CATALOG_INIT;
    struct err err = ERR_INIT;
    int version = conn.version;

    conn.version = 90426;
    CHECK_TRUE(!catalog_load(&conn, &catalog, &err));
    conn.version = version;
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.message, "is PostgreSQL 9.4: servers before 9.5 cannot be read");
    err_clear(&err);
}

/* Bytes in use, also in what malloc() maps by itself; 0 where the library does not tell. */
static size_t bytes_in_use(void)
{
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#else
    return 0;
#endif
}

static void test_many(void)
{
    const char *wanted = getenv("PGC_TEST_TABLES");
    int count = wanted ? atoi(wanted) : 1000;

    run(&conn, cleanup);
    for (int done = 0; done < count; done += 500) { /* the lock table bounds one transaction */
        char *sql = xasprintf("DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE pg_catalog.format("
                              "'CREATE TABLE public.many_%%s (id int PRIMARY KEY, v text)', i); END LOOP; "
                              "END $$", done + 1, done + 500 < count ? done + 500 : count);
        run(&conn, sql);
        free(sql);
    }
    int64_t start = clock_mono_ms();
    size_t before = bytes_in_use();
    struct catalog catalog = loaded(&conn);
    size_t bytes = bytes_in_use() - before;
    int64_t load_ms = clock_mono_ms() - start;
    struct plan_database all = {.name = "t"};
    struct table_list list;

    CHECK_INT(catalog.table_count, count);
    CHECK_TRUE(catalog_select(&catalog, &all, &list, NULL));
    CHECK_INT(list.count, count);
    fprintf(stderr, "\n%d tables: loaded in %" PRId64 " ms, %zu bytes a table; ", count, load_ms,
            bytes / (size_t)count);
    CHECK_TRUE(bytes / (size_t)count <= 1024);
    CHECK_TRUE(load_ms < 2000 + count); /* seconds for 10,000 on a busy machine */
    table_list_release(&list);
    catalog_release(&catalog);
}

static void connect_as(struct conn *c, const char *uri)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn_options options = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "test"};
    struct err err = ERR_INIT;

    if (!conninfo_parse(&info, uri, &err) || !conn_open(c, &info, &options, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    c->timeout_ms = 120000;
    conninfo_release(&info);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"tables", test_tables},
        {"other objects", test_other_objects},
        {"a plain role", test_plain_role},
        {"a locked table", test_locked},
        {"a server before 9.5", test_old_server},
        {"many tables", test_many},
        {NULL, NULL},
    };
    const char *uri = getenv("PGC_TEST_SOURCE");

    if (!uri)
        return 77;
    connect_as(&conn, uri);
    connect_as(&other, uri);
    int status = unit_main("catalog on a server", tests);
    conn_command(&conn, cleanup, NULL);
    conn_close(&other);
    conn_close(&conn);
    return status;
}
