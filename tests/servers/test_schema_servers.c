/* The schema step on two servers: $PGC_TEST_SOURCE and $PGC_TEST_TARGET (superusers); the fixture's path
 * is the argument. At the end of each way `pg_dump -s` of both sides must be equal. */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pair.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/proc.h"
#include "schema/apply.h"
#include "schema/foreign_key.h"
#include "schema/compare.h"
#include "schema/dump.h"
#include "schema/identity.h"
#include "schema/matviews.h"
#include "schema/roles.h"
#include "schema/target.h"

static const char *fixture_path;
static struct conninfo source_info, target_info;
static struct schema_tools tools;
static char work_dir[] = "/tmp/pgc-schema.XXXXXX";

struct pair {
    struct conn source, target;
    const char *db;
};

static struct err failure; /* of the last OK() */
#define E (&failure)
#define OK(call) check_ok((call), #call, __LINE__)

static void check_ok(bool ok, const char *call, int line)
{
    if (!ok) {
        char *text = err_text(E);
        fprintf(stderr, "\nline %d: %s\n%s\n", line, call, text);
        free(text);
    }
    CU_ASSERT_TRUE(ok);
    err_clear(E);
}

static bool connect_to(struct conn *c, enum conn_side side, const char *db, struct err *err)
{
    struct conn_options options = {.side = side, .profile = CONN_PLAIN, .role = "schema", .dbname = db};

    return conn_open(c, side == SIDE_SOURCE ? &source_info : &target_info, &options, err);
}

static char *scalar(struct conn *c, const char *sql)
{
    char *value = NULL;

    OK(conn_scalar(c, sql, 0, NULL, &value, E));
    return value;
}

static void check_scalar(struct conn *c, const char *sql, const char *want)
{
    char *value = scalar(c, sql);

    CHECK_STR(value, want);
    free(value);
}

static void administer(enum conn_side side, const char *fmt, const char *db)
{
    struct conn c = CONN_INIT;
    char *sql = xasprintf(fmt, db);

    OK(connect_to(&c, side, "postgres", E));
    OK(conn_command(&c, sql, E));
    conn_close(&c);
    free(sql);
}

/* Empty databases of this name on both sides; the target's made by the schema step. */
static void pair_begin(struct pair *pair, const char *db)
{
    bool exists = true;

    *pair = (struct pair){.db = db};
    administer(SIDE_SOURCE, "CREATE DATABASE %s", db);
    conninfo_set(&source_info, "dbname", db);
    OK(connect_to(&pair->source, SIDE_SOURCE, db, E));
    OK(schema_target_database_exists(&target_info, db, &exists, E));
    CHECK_TRUE(!exists);
    OK(schema_target_database_create(&pair->source, &target_info, db, E));
    OK(schema_target_database_exists(&target_info, db, &exists, E));
    CHECK_TRUE(exists);
    OK(connect_to(&pair->target, SIDE_TARGET, db, E));
}

static void drop_roles(enum conn_side side)
{
    administer(side, "DROP ROLE IF EXISTS schema_owner, \"Schema Reader\", schema_group, schema_unused, %s",
               "schema_none");
}

static void pair_end(struct pair *pair)
{
    conn_close(&pair->source);
    conn_close(&pair->target);
    administer(SIDE_SOURCE, "DROP DATABASE %s", pair->db);
    administer(SIDE_TARGET, "DROP DATABASE %s", pair->db);
    drop_roles(SIDE_SOURCE);
    drop_roles(SIDE_TARGET);
}

static void load_fixture(struct pair *pair)
{
    struct buf sql = BUF_INIT;

    OK(file_read(fixture_path, &sql, E));
    char *text = pair_text(pair->source.version, sql.data);
    OK(conn_command(&pair->source, text, E));
    free(text);
    buf_release(&sql);
}

static bool store(struct pair *pair, struct err *err)
{
    struct schema_dump dump = {.source = &pair->source, .source_info = &source_info, .tools = &tools,
                               .target = &pair->target, .work_dir = work_dir};

    return schema_dump_store(&dump, NULL, err);
}

/* What the engine does for its own part: the tables, as pgcutover.tables lists them. */
static const char list_tables[] =
    "INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table, mode) "
    "SELECT o.object_oid, n.nspname, c.relname, n.nspname, c.relname, 'sync' FROM pgcutover.objects o "
    "JOIN pg_catalog.pg_class c ON c.relname = o.object_name "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = o.object_schema "
    "WHERE o.object_type = 'TABLE' AND c.relkind = 'r' ON CONFLICT DO NOTHING";

/* In turn as the engine does it with large tables (each index by itself, some other workers come too late), with
 * many small ones together, and with one of them after a group was refused. */
static bool index_one(struct pair *pair, const char *oid, int way, struct err *err)
{
    struct conn *to = &pair->target;
    char *array = xasprintf("{%s}", oid);
    bool ok = true;

    for (int i = 0; ok && way == 0 && i < 4; i++)
        ok = schema_build_index(to, oid, err);
    ok = ok && (way == 1 ? schema_index_tables(to, array, err) : schema_index_table(to, oid, err));
    free(array);
    return ok;
}

static bool index_all(struct pair *pair, struct err *err)
{
    PGresult *res = conn_exec(&pair->target, "SELECT source_oid FROM pgcutover.tables WHERE NOT indexed "
                              "ORDER BY source_oid DESC", err);
    bool ok = res != NULL;

    for (int i = 0; ok && i < PQntuples(res); i++)
        ok = index_one(pair, PQgetvalue(res, i, 0), i % 3, err);
    PQclear(res);
    return ok;
}

static bool foreign_keys(struct pair *pair, struct err *err)
{
    struct conn *to = &pair->target;

    return schema_foreign_keys(&pair->source, &to, 1, "foreign-key", NULL, err);
}

/* All phases in the engine's order. Each step may have been done before. */
static bool migrate(struct pair *pair, const struct schema_progress *progress, struct err *err)
{
    struct conn *to = &pair->target;
    bool exists;

    return schema_state_exists(to, &exists, err) && (exists || schema_state_create(to, err)) &&
           store(pair, err) && schema_apply_phase(to, "pre", progress, err) &&
           schema_identity_relax(to, err) && conn_command(to, list_tables, err) &&
           index_all(pair, err) && schema_apply_phase(to, "index", progress, err) &&
           schema_foreign_keys(&pair->source, &to, 1, "foreign-key", progress, err) &&
           schema_apply_phase(to, "post", progress, err) &&
           schema_matviews_refresh(&pair->source, to, progress, err) &&
           schema_apply_phase(to, "held", progress, err) && schema_identity_restore(to, err);
}

static char *dump_text(const struct conninfo *info, const char *db)
{
    struct conninfo own = CONNINFO_INIT;
    struct buf out = BUF_INIT, kept = BUF_INIT;

    conninfo_copy(&own, info);
    conninfo_set(&own, "dbname", db);
    char *dbname = conninfo_string(&own);
    const char *const argv[] = {tools.pg_dump, "-s", "-N", "pgcutover", "--no-publications", "-d", dbname, NULL};
    struct proc_run run = {.argv = argv, .out = &out};
    OK(proc_run(&run, E));
    for (char *line = out.data; line && *line;) {
        size_t len = strcspn(line, "\n");
        if (*line != '\\')
            buf_add(&kept, line, len + (line[len] == '\n'));
        line += len + (line[len] == '\n');
    }
    free(dbname);
    buf_release(&out);
    conninfo_release(&own);
    return buf_take(&kept);
}

static void check_same_dump(const struct pair *pair)
{
    char *from = dump_text(&source_info, pair->db);
    char *to = dump_text(&target_info, pair->db);
    size_t at = 0;

    CHECK_TRUE(strlen(from) > 500);
    while (from[at] && from[at] == to[at])
        at++;
    if (strcmp(from, to) != 0)
        fprintf(stderr, "\n--- source\n%.600s\n--- target\n%.600s\n", from + at, to + at);
    CHECK_TRUE(strcmp(from, to) == 0);
    free(from);
    free(to);
}

/* Tables without foreign keys, triggers and materialized views give an empty text on both sides. */
static const char validity[] =
    "SELECT string_agg(conname || convalidated || condeferrable || condeferred, ' ' ORDER BY conname, conrelid::regclass::text) "
    "FROM pg_constraint "
    "WHERE conrelid > 16384 AND conrelid::regclass::text NOT LIKE 'pgcutover.%'";
static const char trigger_states[] =
    "SELECT string_agg(tgname || tgenabled::text, ' ' ORDER BY tgname, tgrelid::regclass::text) FROM pg_trigger "
    "WHERE tgname LIKE 't\\_%'";
static const char populated[] =
    "SELECT string_agg(relname || relispopulated, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'm'";

static void check_same(struct pair *pair, const char *sql)
{
    char *want = scalar(&pair->source, sql);

    check_scalar(&pair->target, sql, want);
    free(want);
}

static void check_equal(struct pair *pair)
{
    check_same(pair, validity);
    check_same(pair, trigger_states);
    check_same(pair, populated);
    check_scalar(&pair->target, "SELECT count(*) FROM pgcutover.objects WHERE state <> 'applied'", "0");
    check_scalar(&pair->target, "SELECT count(*) FROM pgcutover.tables WHERE NOT indexed", "0");
    OK(schema_state_drop(&pair->target, E));
    check_same_dump(pair);
}

static void copy_roles(struct pair *pair, const char *want)
{
    struct buf made = BUF_INIT;

    OK(schema_roles_copy(&pair->source, &source_info, &tools, &pair->target, NULL, &made, E));
    CHECK_STR(made.data, want);
    buf_release(&made);
}

/* --- the tests --- */

static void test_whole(void)
{
    struct pair pair;
    struct buf names = BUF_INIT;
    bool empty = false;

    pair_begin(&pair, "schema_whole");
    load_fixture(&pair);
    OK(schema_missing_roles(&pair.source, &pair.target, NULL, &names, E));
    CHECK_STR(names.data, "\"Schema Reader\", schema_group, schema_owner");
    copy_roles(&pair, "\"Schema Reader\", schema_group, schema_owner");
    copy_roles(&pair, NULL); /* nothing is missing any more */
    check_scalar(&pair.target, "SELECT rolconnlimit || ' ' || rolcanlogin FROM pg_roles WHERE rolname = 'Schema Reader'",
                 "3 true");
    check_scalar(&pair.target, "SELECT length(rolpassword) > 30 FROM pg_authid WHERE rolname = 'Schema Reader'", "t");
    check_same(&pair, "SELECT rolpassword FROM pg_authid WHERE rolname = 'Schema Reader'");
    check_scalar(&pair.target, "SELECT roleid::regrole || ' ' || member::regrole FROM pg_auth_members "
                 "WHERE roleid = 'schema_group'::regrole", "schema_group \"Schema Reader\"");
    OK(schema_state_create(&pair.target, E));
    OK(schema_target_is_empty(&pair.target, &names, &empty, E));
    CHECK_TRUE(empty);
    OK(migrate(&pair, NULL, E));
    OK(schema_target_is_empty(&pair.target, &names, &empty, E));
    CHECK_TRUE(!empty);
    CHECK_CONTAINS(names.data, "materialized view app.a_second");
    OK(migrate(&pair, NULL, E)); /* nothing left to do */
    check_equal(&pair);
    check_scalar(&pair.target, "SELECT count(*) FROM app.a_second", "0"); /* filled, from empty tables */
    buf_release(&names);
    pair_end(&pair);
}

static void test_phases(void)
{
    struct pair pair;

    pair_begin(&pair, "schema_phases");
    load_fixture(&pair);
    copy_roles(&pair, "\"Schema Reader\", schema_group, schema_owner");
    OK(schema_state_create(&pair.target, E));
    OK(store(&pair, E));
    check_scalar(&pair.target, "SELECT string_agg(object_name, ', ' ORDER BY position) FROM pgcutover.objects "
                 "WHERE phase = 'held'",
                 "egg r_always, hen t_always, TRIGGER t_always ON hen, hen t_replica, order_line, order_line own_lines, "
                 "POLICY own_lines ON order_line, watch_ddl, EVENT TRIGGER watch_ddl");
    check_scalar(&pair.target, "SELECT string_agg(object_type, ', ' ORDER BY position) FROM pgcutover.objects "
                 "WHERE phase = 'foreign-key'",
                 "FK CONSTRAINT, FK CONSTRAINT, FK CONSTRAINT, FK CONSTRAINT, FK CONSTRAINT, COMMENT, FK CONSTRAINT");
    check_scalar(&pair.target, "SELECT phase FROM pgcutover.objects WHERE object_name = 'v_grouped _RETURN'", "post");
    /* Before the held ones nothing fires that would fire under the replica role. */
    OK(schema_apply_phase(&pair.target, "pre", NULL, E));
    check_scalar(&pair.target, "SELECT count(*) FROM pg_index WHERE indrelid::regclass::text LIKE 'app.%'", "0");
    OK(schema_identity_relax(&pair.target, E));
    OK(schema_identity_relax(&pair.target, E));
    check_scalar(&pair.target, "SELECT string_agg(attidentity::text, '') FROM pg_attribute WHERE attidentity <> ''", "dd");
    check_scalar(&pair.target, "SELECT column_name FROM pgcutover.identity", "id");
    OK(conn_command(&pair.target, list_tables, E));
    char *oid = scalar(&pair.target, "SELECT source_oid FROM pgcutover.tables WHERE source_table = 'orders_us'");
    OK(schema_build_index(&pair.target, oid, E));
    OK(schema_build_index(&pair.target, oid, E));
    check_scalar(&pair.target, "SELECT count(*) FROM pgcutover.objects WHERE table_oid = (SELECT source_oid FROM pgcutover.tables "
                 "WHERE source_table = 'orders_us') AND state IN ('built', 'applied') AND object_type IN ('INDEX', 'CONSTRAINT')", "2");
    OK(schema_index_table(&pair.target, oid, E));
    check_scalar(&pair.target, "SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index "
                 "WHERE indrelid::regclass::text LIKE 'app.%'",
                 "app.orders_us_only app.orders_us_pkey app.orders_us_placed_idx");
    check_scalar(&pair.target, "SELECT string_agg(source_table, '') FROM pgcutover.tables WHERE indexed", "orders_us");
    OK(index_all(&pair, E));
    OK(schema_apply_phase(&pair.target, "index", NULL, E));
    OK(foreign_keys(&pair, E));
    OK(schema_apply_phase(&pair.target, "post", NULL, E));
    check_scalar(&pair.target, "SELECT count(*) FROM pg_trigger WHERE tgenabled IN ('A', 'R')", "0");
    check_scalar(&pair.target, "SELECT count(*) FROM pg_event_trigger", "0");
    OK(migrate(&pair, NULL, E));
    check_equal(&pair);
    free(oid);
    pair_end(&pair);
}

static void test_failures(void)
{
    struct pair pair;
    struct err err_ = ERR_INIT, *err = &err_;

    pair_begin(&pair, "schema_failures");
    load_fixture(&pair);
    OK(schema_state_create(&pair.target, E));
    OK(store(&pair, E));
    CHECK_TRUE(!schema_apply_phase(&pair.target, "pre", NULL, err));
    CHECK_INT(err->code, ERR_SERVER);
    CHECK_STR(err->sqlstate, "42704");
    CHECK_CONTAINS(err->detail, "SCHEMA app: role \"schema_owner\" does not exist (42704)");
    CHECK_CONTAINS(err->detail, "objects that depend on these were not tried");
    CHECK_CONTAINS(err->hint, "Create the role on the target");
    check_scalar(&pair.target, "SELECT state || ' ' || sqlstate FROM pgcutover.objects WHERE object_type = 'SCHEMA' "
                 "AND object_name = 'app'", "failed 42704");
    check_scalar(&pair.target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'app'", "0");
    check_scalar(&pair.target, "SELECT count(*) FROM pg_namespace WHERE nspname = 'ext'", "1");

    /* A statement that the target refuses: its line is named. */
    copy_roles(&pair, "\"Schema Reader\", schema_group, schema_owner");
    OK(conn_command(&pair.target, "UPDATE pgcutover.objects SET statement = E'CREATE VIEW app.v_check AS\\n  SELECT 1 AS "
                    "é,\\n  nothing FROM app.hen;' WHERE object_name = 'v_check'", E));
    CHECK_TRUE(!schema_apply_phase(&pair.target, "pre", NULL, err));
    CHECK_CONTAINS(err->message, "could not apply VIEW app.v_check: column \"nothing\" does not exist (42703)");
    CHECK_CONTAINS(err->detail, ", line 3, character 3:   nothing FROM app.hen;");
    OK(conn_command(&pair.target, "UPDATE pgcutover.objects SET statement = 'CREATE VIEW app.v_check AS SELECT id, egg "
                    "FROM app.hen WHERE id > 0 WITH CASCADED CHECK OPTION;' WHERE object_name = 'v_check'", E));
    OK(schema_apply_phase(&pair.target, "pre", NULL, E));

    /* Rows without partner. */
    OK(conn_command(&pair.target, list_tables, E));
    OK(index_all(&pair, E));
    OK(schema_apply_phase(&pair.target, "index", NULL, E));
    OK(conn_command(&pair.target, "INSERT INTO app.egg VALUES (1, 77)", E));
    CHECK_TRUE(!foreign_keys(&pair, err));
    CHECK_STR(err->sqlstate, "23503");
    CHECK_CONTAINS(err->message, "could not apply FK CONSTRAINT app.egg egg_hen_fkey");
    CHECK_CONTAINS(err->detail, "1 row has no partner, the first: (77)");
    CHECK_CONTAINS(err->hint, "no partner");
    check_scalar(&pair.target, "SELECT count(*) FROM pgcutover.objects WHERE phase = 'foreign-key' AND state <> 'applied'", "1");
    OK(conn_command(&pair.target, "DELETE FROM app.egg", E));
    OK(foreign_keys(&pair, E));
    OK(migrate(&pair, NULL, E));
    check_equal(&pair);
    err_clear(err);
    pair_end(&pair);
}

/* A lock in the way of one key for a while: waited for, not failed. */
static void test_foreign_key_waits(void)
{
    struct pair pair;
    struct conn other = CONN_INIT;

    pair_begin(&pair, "schema_lock");
    OK(conn_command(&pair.source, "CREATE TABLE public.a (id integer PRIMARY KEY); "
                    "CREATE TABLE public.b (a integer REFERENCES public.a)", E));
    OK(schema_state_create(&pair.target, E));
    OK(store(&pair, E));
    OK(schema_apply_phase(&pair.target, "pre", NULL, E));
    OK(schema_apply_phase(&pair.target, "index", NULL, E));
    OK(connect_to(&other, SIDE_TARGET, pair.db, E));
    OK(conn_command(&other, "BEGIN; LOCK TABLE public.a", E));
    pid_t pid = fork();
    if (pid == 0) {
        usleep(500000);
        shutdown(PQsocket(other.pg), 2);
        _exit(0);
    }
    int64_t begin = clock_mono_ms();
    OK(foreign_keys(&pair, E));
    CHECK_TRUE(clock_mono_ms() - begin >= 400);
    waitpid(pid, NULL, 0);
    conn_close(&other);
    check_scalar(&pair.target, "SELECT convalidated FROM pg_constraint WHERE contype = 'f'", "t");
    OK(conn_command(&pair.source, "ALTER TABLE public.b DROP CONSTRAINT b_a_fkey", E));
    OK(conn_command(&pair.target, "ALTER TABLE public.b DROP CONSTRAINT b_a_fkey; UPDATE pgcutover.objects SET state = "
                    "'pending' WHERE phase = 'foreign-key'", E));
    OK(foreign_keys(&pair, E));
    check_scalar(&pair.target, "SELECT state || ' ' || message FROM pgcutover.objects WHERE phase = 'foreign-key'",
                 "skipped no longer on the source");
    pair_end(&pair);
}

/* Keys are validated next to each other: one waits for a lock that is let go when the other is valid. A third, of the
 * table that is locked, waits for its turn; one that fails is named and hinders nobody. The lock is given up sooner than
 * the wait for it: one session after the other would not do. */
static void test_keys_in_parallel(void)
{
    struct pair pair;
    struct conn holder = CONN_INIT, second = CONN_INIT;
    struct conn *const targets[] = {&pair.target, &second};
    struct err err_ = ERR_INIT, *err = &err_;
    size_t count;

    pair_begin(&pair, "schema_parallel");
    OK(conn_command(&pair.source, "CREATE TABLE public.a (id integer PRIMARY KEY); "
                    "CREATE TABLE public.held (a integer CONSTRAINT k1 REFERENCES public.a, b integer CONSTRAINT k2 REFERENCES public.a); "
                    "CREATE TABLE public.other (a integer CONSTRAINT k3 REFERENCES public.a); "
                    "CREATE TABLE public.wrong (a integer CONSTRAINT k4 REFERENCES public.a); "
                    "INSERT INTO public.a VALUES (1); INSERT INTO public.held SELECT 1, 1 FROM generate_series(1, 20000); "
                    "ANALYZE public.held", E));
    OK(schema_state_create(&pair.target, E));
    OK(store(&pair, E));
    OK(schema_apply_phase(&pair.target, "pre", NULL, E));
    OK(conn_command(&pair.target, list_tables, E));
    OK(index_all(&pair, E));
    /* What a run that was cut off has left: all are added, none is valid. */
    OK(conn_command(&pair.target, "INSERT INTO public.a VALUES (1); INSERT INTO public.held VALUES (1, 1); "
                    "INSERT INTO public.other VALUES (1); INSERT INTO public.wrong VALUES (5); "
                    "ALTER TABLE public.held ADD CONSTRAINT k1 FOREIGN KEY (a) REFERENCES public.a NOT VALID; "
                    "ALTER TABLE public.held ADD CONSTRAINT k2 FOREIGN KEY (b) REFERENCES public.a NOT VALID; "
                    "ALTER TABLE public.other ADD CONSTRAINT k3 FOREIGN KEY (a) REFERENCES public.a NOT VALID", E));
    OK(schema_foreign_keys_count(&pair.target, "foreign-key", &count, E));
    CHECK_INT((int)count, 4);
    OK(connect_to(&second, SIDE_TARGET, pair.db, E));
    OK(connect_to(&holder, SIDE_TARGET, pair.db, E));
    OK(conn_command(&holder, "BEGIN; LOCK TABLE public.held IN SHARE UPDATE EXCLUSIVE MODE", E));
    CHECK_INT(PQsendQuery(holder.pg, "DO $$ BEGIN FOR i IN 1..50 LOOP PERFORM pg_catalog.pg_sleep(0.05); "
                          "IF (SELECT convalidated FROM pg_catalog.pg_constraint WHERE conname = 'k3') THEN RETURN; END IF; "
                          "END LOOP; RAISE 'k3 waits for k1'; END $$; COMMIT"), 1);
    OK(conn_flush(&holder, E));
    CHECK_TRUE(!schema_foreign_keys(&pair.source, targets, 2, "foreign-key", NULL, err));
    CHECK_CONTAINS(err->message, "could not apply FK CONSTRAINT public.wrong k4");
    CHECK_STR(err->sqlstate, "23503");
    for (PGresult *res; conn_next_result(&holder, &res, E) && res; PQclear(res))
        CHECK_INT(PQresultStatus(res), PGRES_COMMAND_OK);
    check_scalar(&pair.target, "SELECT string_agg(conname, ' ' ORDER BY conname) FROM pg_constraint WHERE contype = 'f' "
                 "AND convalidated", "k1 k2 k3");
    check_scalar(&pair.target, "SELECT string_agg(state, ' ' ORDER BY object_name) FROM pgcutover.objects "
                 "WHERE phase = 'foreign-key'", "applied applied applied failed");
    OK(conn_command(&pair.target, "UPDATE public.wrong SET a = 1", E));
    OK(schema_foreign_keys(&pair.source, targets, 2, "foreign-key", NULL, E));
    check_scalar(&pair.target, "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated", "4");
    conn_close(&holder);
    conn_close(&second);
    err_clear(err);
    pair_end(&pair);
}

/* Ends the migration's sessions on the target again and again, at odd moments. */
static pid_t killer(const char *db, unsigned delay_us)
{
    pid_t pid = fork();
    struct conn c = CONN_INIT;

    if (pid)
        return pid;
    if (!connect_to(&c, SIDE_TARGET, "postgres", NULL))
        _exit(1);
    usleep(delay_us);
    conn_commandf(&c, NULL, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'", db);
    conn_close(&c);
    _exit(0);
}

static void test_cut_off(void)
{
    struct pair pair;
    int cut = 0, round;

    pair_begin(&pair, "schema_cut");
    load_fixture(&pair);
    copy_roles(&pair, "\"Schema Reader\", schema_group, schema_owner");
    for (round = 0; round < 60; round++) {
        struct err err = ERR_INIT;
        /* Short delays would never let the dump pass. */
        pid_t pid = killer(pair.db, 20000u + 37000u * (unsigned)(round % 23));
        bool ok = migrate(&pair, NULL, &err);
        if (!ok && !err.retryable)
            CHECK_STR(err.message, "something that may come right");
        waitpid(pid, NULL, 0);
        cut += !ok;
        conn_close(&pair.target);
        OK(connect_to(&pair.target, SIDE_TARGET, pair.db, E));
        err_clear(&err);
        if (ok)
            break;
    }
    printf("(%d times cut off) ", cut);
    CHECK_TRUE(cut > 2);
    OK(migrate(&pair, NULL, E));
    check_equal(&pair);
    pair_end(&pair);
}

/* Cut off behind each single step: what was reported as done must be there when it goes on. */
struct stopper {
    struct pair *pair;
    struct conn other;
    int left;
};

static void stop_now(void *arg, int done, int total, const char *object)
{
    struct stopper *stopper = arg;

    (void)object;
    CHECK_TRUE(done <= total);
    if (stopper->left-- > 0)
        return;
    stopper->left = 3;
    OK(conn_commandf(&stopper->other, E, "SELECT pg_terminate_backend(%d)",
                     PQbackendPID(stopper->pair->target.pg)));
}

static void test_cut_off_between(void)
{
    struct pair pair;
    struct stopper stopper = {.pair = &pair, .left = 1};
    struct schema_progress progress = {stop_now, &stopper};
    int round = 0;
    bool ok = false;

    pair_begin(&pair, "schema_between");
    load_fixture(&pair);
    copy_roles(&pair, "\"Schema Reader\", schema_group, schema_owner");
    OK(connect_to(&stopper.other, SIDE_TARGET, "postgres", E));
    for (; !ok && round < 100; round++) {
        struct err err = ERR_INIT;
        ok = migrate(&pair, &progress, &err);
        if (!ok && !err.retryable)
            CHECK_STR(err.message, "something that may come right");
        err_clear(&err);
        conn_close(&pair.target);
        OK(connect_to(&pair.target, SIDE_TARGET, pair.db, E));
    }
    CHECK_TRUE(ok);
    CHECK_TRUE(round > 3);
    conn_close(&stopper.other);
    OK(migrate(&pair, NULL, E));
    check_equal(&pair);
    pair_end(&pair);
}

static void test_compare(void)
{
    struct pair pair;
    struct err err_ = ERR_INIT, *err = &err_;
    char *oids[3];

    pair_begin(&pair, "schema_compare");
    OK(conn_command(&pair.source, "CREATE TABLE public.good (id bigint PRIMARY KEY, a text); CREATE TABLE public.gone (); "
                    "CREATE TABLE public.\"Bad\"\"\" (id integer, b varchar(5), c text)", E));
    OK(conn_command(&pair.target, "CREATE TABLE public.good (a text, id bigint, more text, must integer NOT NULL DEFAULT 1); "
                    "CREATE TABLE public.\"Bad\"\"\" (id bigint, b varchar(5), d integer NOT NULL, e text)", E));
    oids[0] = scalar(&pair.source, "SELECT 'public.good'::regclass::oid");
    oids[1] = scalar(&pair.source, "SELECT 'public.gone'::regclass::oid");
    oids[2] = scalar(&pair.source, "SELECT 'public.\"Bad\"\"\"'::regclass::oid");
    struct schema_table_pair pairs[] = {
        {oids[0], "public", "good", NULL}, {oids[1], "public", "gone", NULL}, {oids[2], "public", "Bad\"", NULL}};
    OK(schema_compare_tables(&pair.source, &pair.target, pairs, 1, E));
    CHECK_TRUE(!schema_compare_tables(&pair.source, &pair.target, pairs, 3, err));
    CHECK_INT(err->code, ERR_PREREQUISITE);
    CHECK_STR(err->message, "the target's tables do not fit the source's in 4 places");
    CHECK_STR(err->detail, "public.gone: missing on the target\n"
                           "public.\"Bad\"\"\", column \"c\": missing on the target (text)\n"
                           "public.\"Bad\"\"\", column \"d\": NOT NULL without default, and not on the source\n"
                           "public.\"Bad\"\"\", column \"id\": type integer on the source, bigint on the target");
    OK(schema_compare_tables(&pair.source, &pair.target, pairs, 0, E));
    for (int i = 0; i < 3; i++)
        free(oids[i]);
    err_clear(err);
    pair_end(&pair);
}

static void test_database(void)
{
    struct pair pair;
    struct err err_ = ERR_INIT, *err = &err_;

    administer(SIDE_SOURCE, "CREATE DATABASE %s TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'", "schema_latin");
    OK(connect_to(&pair.source, SIDE_SOURCE, "schema_latin", E));
    pair.db = "schema_latin";
    OK(schema_target_database_create(&pair.source, &target_info, pair.db, E));
    OK(connect_to(&pair.target, SIDE_TARGET, pair.db, E));
    check_same(&pair, "SELECT pg_encoding_to_char(encoding) || datcollate || datctype || datlocprovider::text FROM pg_database "
               "WHERE datname = current_database()");
    check_scalar(&pair.target, "SHOW server_encoding", "LATIN1");
    CHECK_TRUE(!schema_target_database_create(&pair.source, &target_info, pair.db, err));
    CHECK_STR(err->sqlstate, "42P04");
    CHECK_CONTAINS(err->message, "could not create database \"schema_latin\"");

    /* A schema whose text is not ASCII, in a database that is not UTF8. */
    conninfo_set(&source_info, "dbname", pair.db);
    OK(conn_command(&pair.source, "SET client_encoding = 'UTF8'; CREATE TABLE public.\"Größe\" (id integer PRIMARY KEY); "
                    "COMMENT ON TABLE public.\"Größe\" IS 'ein \\ Maß'; RESET client_encoding", E));
    OK(migrate(&pair, NULL, E));
    OK(schema_state_drop(&pair.target, E));
    check_same_dump(&pair);
    err_clear(err);
    pair_end(&pair);
}

static void test_many(void)
{
    struct pair pair;
    int tables = getenv("PGC_TEST_TABLES") ? atoi(getenv("PGC_TEST_TABLES")) : 2000;
    int64_t begin, dumped, applied;

    pair_begin(&pair, "schema_many");
    for (int i = 0; i < tables; i += 500)
        OK(conn_commandf(&pair.source, E, "DO $$ BEGIN FOR i IN %d..%d LOOP EXECUTE format('CREATE TABLE public.t%%s (id bigint "
                         "GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text, b integer, c timestamptz); CREATE INDEX ON public.t%%s (a)', i, i); "
                         "END LOOP; END $$", i, i + 499));
    OK(schema_state_create(&pair.target, E));
    begin = clock_mono_ms();
    OK(store(&pair, E));
    dumped = clock_mono_ms();
    OK(schema_apply_phase(&pair.target, "pre", NULL, E));
    applied = clock_mono_ms();
    OK(schema_identity_relax(&pair.target, E));
    printf("(%d tables: dumped and stored in %lld ms, applied in %lld ms) ", tables, (long long)(dumped - begin),
           (long long)(applied - dumped));
    CHECK_TRUE(applied - dumped < 30 * tables);
    check_scalar(&pair.target, "SELECT count(*) FROM pg_attribute WHERE attidentity = 'a'", "0");
    OK(migrate(&pair, NULL, E));
    check_equal(&pair);
    pair_end(&pair);
}

static bool server_version(int *version, struct err *err)
{
    struct conn c = CONN_INIT;
    bool ok = connect_to(&c, SIDE_SOURCE, "postgres", err);

    *version = c.version;
    conn_close(&c);
    return ok;
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        {"the whole way", test_whole},
        {"phases", test_phases},
        {"failures", test_failures},
        {"foreign keys wait for locks", test_foreign_key_waits},
        {"foreign keys next to each other", test_keys_in_parallel},
        {"cut off at odd moments", test_cut_off},
        {"cut off between steps", test_cut_off_between},
        {"compare tables", test_compare},
        {"database", test_database},
        {"many tables", test_many},
        {NULL, NULL},
    };
    const char *source = getenv("PGC_TEST_SOURCE");
    const char *target = getenv("PGC_TEST_TARGET");
    struct err err = ERR_INIT;

    if (!source || !target || argc < 2)
        return 77;
    fixture_path = argv[1];
    int version = 0;
    if (!conninfo_parse(&source_info, source, &err) || !conninfo_parse(&target_info, target, &err) ||
        !server_version(&version, &err) || !mkdtemp(work_dir)) {
        fprintf(stderr, "%s\n", err.message ? err.message : "no work directory");
        return 1;
    }
    if (version < 120000 || !schema_tools_find(&tools, version, version, &err)) {
        fprintf(stderr, "SKIP: the fixture wants 12 or later, and a pg_dump that reads the source\n");
        rmdir(work_dir);
        return 77;
    }
    const struct unit_test *first = tests; /* a name as second argument: that test and those behind it */
    while (argc > 2 && first->name && strcmp(first->name, argv[2]) != 0)
        first++;
    int status = unit_main("schema on servers", first);
    rmdir(work_dir);
    schema_tools_release(&tools);
    conninfo_release(&source_info);
    conninfo_release(&target_info);
    return status;
}
