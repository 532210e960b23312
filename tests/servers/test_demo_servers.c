/* The demonstration's verdict sees every planted difference and everything left behind; its workload
 * ends when it is cut off, and says so when it fails otherwise. */
#include <unistd.h>

#include "pair.h"

#include "base/stop.h"
#include "cli/demo_verdict.h"
#include "cli/demo_writer.h"
#include "demo/sql.h"

static PGconn *sapp, *tapp;
static struct conn src, dst;

static const char *const schema =
    "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY, v text, gone int);"
    "ALTER TABLE s.t DROP COLUMN gone;"
    "CREATE TABLE s.\"Odd, name\" (\"a b\" int); CREATE SEQUENCE s.q; SELECT nextval('s.q');"
    "CREATE TABLE s.p (id int) PARTITION BY LIST (id);"
    "CREATE TABLE s.p1 PARTITION OF s.p FOR VALUES IN (1, 2);"
    "CREATE TYPE s.e AS ENUM ('a', 'b');"
    "CREATE FUNCTION s.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER g BEFORE INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION s.f();"
    "INSERT INTO s.t VALUES (1, 'x'), (2, NULL); INSERT INTO s.p VALUES (1);"
    "CREATE MATERIALIZED VIEW s.m AS SELECT count(*) FROM s.t; INSERT INTO s.t VALUES (3, 'y')";

static void compare(struct demo_verdict *verdict)
{
    struct err err = ERR_INIT;

    demo_verdict_init(verdict);
    CHECK_OK(demo_verdict_compare(verdict, &src, &dst, &err), &err);
}

/* On the target alone: there is one difference with that text; undone, none. */
static void planted(const char *sql, const char *undo, const char *text)
{
    struct demo_verdict verdict;

    pair_run(tapp, sql);
    compare(&verdict);
    char *found = cJSON_PrintUnformatted(verdict.differences);
    CHECK_CONTAINS(found, text);
    cJSON_free(found);
    demo_verdict_release(&verdict);
    pair_run(tapp, undo);
    compare(&verdict);
    CHECK_INT(cJSON_GetArraySize(verdict.differences), 0);
    demo_verdict_release(&verdict);
}

static void test_differences(void)
{
    struct demo_verdict verdict;

    pair_run(sapp, schema);
    pair_run(tapp, schema);
    pair_run(tapp, "REFRESH MATERIALIZED VIEW s.m");
    /* As a cutover leaves it. */
    pair_run(sapp, "ALTER DATABASE t SET default_transaction_read_only = on");
    compare(&verdict);
    CHECK_INT(cJSON_GetArraySize(verdict.differences), 0);
    CHECK_INT(verdict.tables, 3);
    CHECK_INT(verdict.rows, 4);
    CHECK_INT(verdict.views, 1);
    CHECK_INT(verdict.sequences, 1);
    CHECK_TRUE(verdict.objects > 10);
    demo_verdict_release(&verdict);

    planted("UPDATE s.t SET v = '' WHERE id = 2", "UPDATE s.t SET v = NULL WHERE id = 2", "s.t: source 3 rows");
    planted("DELETE FROM s.t WHERE id = 3", "INSERT INTO s.t VALUES (3, 'y')", "target 2 rows");
    planted("UPDATE s.p SET id = 2", "UPDATE s.p SET id = 1", "s.p1: source 1 rows");
    planted("SELECT nextval('s.q')", "SELECT setval('s.q', 1)", "s.q: source at 1, target at 2");
    planted("SELECT setval('s.q', 1, false)", "SELECT setval('s.q', 1)", "target at 1 (not called)");
    planted("CREATE TABLE s.more ()", "DROP TABLE s.more", "only on the target: s.more");
    planted("ALTER TABLE s.\"Odd, name\" RENAME TO other", "ALTER TABLE s.other RENAME TO \"Odd, name\"",
            "only on the source: s.\\\"Odd, name\\\"");
    planted("CREATE INDEX i ON s.t (v)", "DROP INDEX s.i", "only on the target: index CREATE INDEX i");
    planted("ALTER TABLE s.t ALTER v SET DEFAULT 'd'", "ALTER TABLE s.t ALTER v DROP DEFAULT", "column s.t.v text 'd'::text");
    planted("ALTER TABLE s.t DISABLE TRIGGER g", "ALTER TABLE s.t ENABLE TRIGGER g", "enabled: D");
    planted("ALTER TABLE s.t ADD CONSTRAINT c CHECK (id > 0) NOT VALID", "ALTER TABLE s.t DROP CONSTRAINT c", "constraint c on s.t");
    planted("GRANT SELECT ON s.t TO PUBLIC", "REVOKE ALL ON s.t FROM PUBLIC; UPDATE pg_class SET relacl = NULL WHERE relname = 't'",
            "=r/postgres");
    planted("ALTER TYPE s.e RENAME VALUE 'b' TO 'c'", "ALTER TYPE s.e RENAME VALUE 'c' TO 'b'", "enum s.e {a,c}");
    planted("COMMENT ON TABLE s.t IS 'x'", "COMMENT ON TABLE s.t IS NULL", "comment on table s.t: x");
    pair_run(sapp, "ALTER DATABASE t RESET default_transaction_read_only");
}

static void left(PGconn *pg, const char *sql, const char *undo, const char *text)
{
    struct demo_verdict verdict;
    struct err err = ERR_INIT;

    demo_verdict_init(&verdict);
    if (sql)
        pair_run(pg, sql);
    CHECK_OK(demo_verdict_leftovers(&verdict, &src, &dst, sql ? 0 : 3000, &err), &err);
    char *found = cJSON_PrintUnformatted(verdict.leftovers);
    CHECK_CONTAINS(found, text);
    cJSON_free(found);
    demo_verdict_release(&verdict);
    if (undo)
        pair_run(pg, undo);
}

static void test_leftovers(void)
{
    left(sapp, "SELECT pg_create_logical_replication_slot('x', 'pgoutput')", "SELECT pg_drop_replication_slot('x')",
         "source: replication slot x");
    left(sapp, "CREATE PUBLICATION x", "DROP PUBLICATION x", "source: publication x");
    left(tapp, "CREATE SCHEMA pgcutover", "DROP SCHEMA pgcutover", "target: schema pgcutover");
    left(sapp, "ALTER TABLE s.t REPLICA IDENTITY FULL", "ALTER TABLE s.t REPLICA IDENTITY DEFAULT", "source: replica identity f of table s.t");
    left(sapp, "ALTER DATABASE t SET default_transaction_read_only = on", "ALTER DATABASE t RESET default_transaction_read_only",
         "source: setting default_transaction_read_only=on of database t");
    left(tapp, "SELECT pg_replication_origin_create('x')", "SELECT pg_replication_origin_drop('x')", "target: replication origin x");
    left(tapp, NULL, NULL, "(app)"); /* the test's own session is one, too */
    PQfinish(sapp);
    PQfinish(tapp);
    left(NULL, NULL, NULL, "[]");
    sapp = pair_application(SIDE_SOURCE, NULL);
    tapp = pair_application(SIDE_TARGET, NULL);
}

/* --- the workload --- */

static struct demo_writers writers;

static void start_writers(void)
{
    struct err err = ERR_INIT;

    writers = (struct demo_writers){0};
    CHECK_OK(demo_writers_start(&writers, PQhost(sapp), "t", "shop_clerk", &err), &err);
}

static void wait_for_rows(void)
{
    for (int i = 0; i < 600; i++) {
        char *count = pair_value(sapp, "SELECT count(*) > 40002 FROM (SELECT FROM shop.rental UNION ALL SELECT FROM shop.review "
                                       "WHERE written_at > now() - interval '1 minute') x");
        bool enough = *count == 't';
        free(count);
        if (enough)
            return;
        usleep(20000);
    }
    CU_FAIL("the workload writes nothing");
}

static const char *const cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'shop_clerk'";

static void test_writers(void)
{
    struct err err = ERR_INIT;
    int64_t rounds = 0;

    pair_run(sapp, "DROP SCHEMA s CASCADE");
    pair_run(sapp, sql_demo_sample);
    pair_run(sapp, "RESET ALL");
    pair_run(sapp, sql_demo_clerk);
    start_writers();
    wait_for_rows();
    CHECK_TRUE(!demo_writers_join(&writers, 200, &rounds, &err));
    CHECK_STR(err.message, "the workload still writes to the source");
    err_clear(&err);
    CHECK_VALUE(sapp, "SELECT pg_sleep(0.2)", "");
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'shop_clerk'", "0");

    start_writers();
    wait_for_rows();
    usleep(1000000);
    pair_run(sapp, cut);
    CHECK_OK(demo_writers_join(&writers, 5000, &rounds, &err), &err);
    CHECK_TRUE(rounds >= 2);

    pair_run(sapp, "REVOKE DELETE ON shop.rental FROM shop_clerk");
    start_writers();
    CHECK_TRUE(!demo_writers_join(&writers, 10000, &rounds, &err));
    CHECK_STR(err.message, "the workload failed: ERROR:  permission denied for table rental");
    err_clear(&err);

    pair_run(sapp, "ALTER ROLE shop_clerk NOLOGIN");
    start_writers();
    CHECK_TRUE(!demo_writers_join(&writers, 10000, &rounds, &err));
    CHECK_TRUE(err.message && strstr(err.message, "role \"shop_clerk\" is not permitted to log in"));
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"differences", test_differences}, {"leftovers", test_leftovers},
        {"the workload", test_writers}, {NULL, NULL}};

    PAIR_REQUIRED();
    stop_catch_signals(true);
    sapp = pair_application(SIDE_SOURCE, NULL);
    tapp = pair_application(SIDE_TARGET, NULL);
    pair_open(&src, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER});
    pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_READER});
    int failed = unit_main("demonstration", tests);
    conn_close(&src);
    conn_close(&dst);
    PQfinish(sapp);
    PQfinish(tapp);
    return failed;
}
