/* Cutover on two real servers: freeze and its undoing, fence, sequences, tables copied at cutover. */
#include "pair.h"

#include "base/clock.h"
#include "cutover/fence.h"
#include "cutover/freeze.h"
#include "cutover/sequences.h"
#include "cutover/tables.h"
#include "pg/repl.h"

static PGconn *sapp, *tapp; /* the eyes of the tests; spared by the freeze like all of ours */
static struct conn src, dst;

static void both(const char *sql)
{
    pair_run(sapp, sql);
    pair_run(tapp, sql);
}

#define SETTING "SELECT coalesce(string_agg(array_to_string(setconfig, ';'), '|'), '-') FROM pg_db_role_setting"

static bool can_write(PGconn *pg)
{
    PGresult *res = PQexec(pg, "INSERT INTO w VALUES (1)");
    bool ok = PQresultStatus(res) == PGRES_COMMAND_OK;

    PQclear(res);
    return ok;
}

static void sessions_are_ended_and_come_back_read_only(void)
{
    PGconn *idle = pair_application(SIDE_SOURCE, "application_name=pool%20one");
    PGconn *open = pair_application(SIDE_SOURCE, "application_name=forgotten");
    PGconn *later;
    struct buf ended = BUF_INIT, writers = BUF_INIT;
    struct err err = ERR_INIT;
    char *previous = xstrdup("?");
    int writing = -1;

    free(previous);
    pair_run(open, "BEGIN; INSERT INTO w VALUES (42)");
    CHECK_OK(writers_list(&src, "t", &writers, &writing, &err), &err);
    CHECK_INT(writing, 1);
    CHECK_CONTAINS(writers.data, "application \"forgotten\", address local, idle in transaction");
    CHECK_TRUE(!strstr(writers.data, "pool one"));

    CHECK_OK(freeze_previous(&src, "t", &previous, &err), &err);
    CHECK_STR(previous, NULL);
    CHECK_OK(freeze_set(&src, "t", &err), &err);
    CHECK_OK(freeze_set(&src, "t", &err), &err);
    CHECK_OK(freeze_end_sessions(&src, "t", &ended, &err), &err);
    CHECK_CONTAINS(ended.data, "user postgres, application \"pool one\", address local");
    CHECK_CONTAINS(ended.data, "application \"forgotten\"");
    CHECK_TRUE(!strstr(ended.data, "pgcutover"));
    CHECK_TRUE(!can_write(idle) && PQstatus(idle) == CONNECTION_BAD);
    CHECK_TRUE(!can_write(open) && PQstatus(open) == CONNECTION_BAD);
    CHECK_VALUE(sapp, "SELECT count(*) FROM w", "0");
    later = pair_application(SIDE_SOURCE, "");
    CHECK_TRUE(!can_write(later));
    CHECK_VALUE(sapp, SETTING, "default_transaction_read_only=on");

    CHECK_OK(freeze_undo(&src, "t", previous, &err), &err);
    CHECK_OK(freeze_undo(&src, "t", previous, &err), &err);
    CHECK_VALUE(sapp, SETTING, "-");
    CHECK_TRUE(!can_write(later)); /* it keeps what it began with: hence the second round */
    CHECK_OK(freeze_end_sessions(&src, "t", &ended, &err), &err);
    PQreset(later);
    CHECK_TRUE(can_write(later));
    PQfinish(later);
    PQfinish(idle);
    PQfinish(open);
    buf_release(&ended);
    buf_release(&writers);
    free(previous);
}

static void an_earlier_setting_comes_back(void)
{
    struct err err = ERR_INIT;
    char *previous = NULL;

    pair_run(sapp, "ALTER DATABASE t SET default_transaction_read_only = 'off'; ALTER DATABASE t SET work_mem = '5MB'");
    CHECK_OK(freeze_previous(&src, "t", &previous, &err), &err);
    CHECK_STR(previous, "off");
    CHECK_OK(freeze_set(&src, "t", &err), &err);
    CHECK_VALUE(sapp, SETTING, "default_transaction_read_only=on;work_mem=5MB");
    CHECK_OK(freeze_undo(&src, "t", previous, &err), &err);
    CHECK_VALUE(sapp, SETTING, "default_transaction_read_only=off;work_mem=5MB");
    pair_run(sapp, "ALTER DATABASE t RESET ALL");
    CHECK_OK(freeze_undo(&src, "no such database", NULL, &err), &err);
    free(previous);
}

/* A frozen database is undone by a connection that was made after the freeze, too. */
static void a_new_connection_undoes(void)
{
    struct conn fresh = CONN_INIT;
    struct err err = ERR_INIT;

    CHECK_OK(freeze_set(&src, "t", &err), &err);
    pair_open(&fresh, SIDE_SOURCE, (struct conn_options){.profile = CONN_PLAIN, .role = "undo"});
    pair_run(fresh.pg, "SET default_transaction_read_only = on"); /* as where the profile did not reset it */
    CHECK_OK(freeze_undo(&fresh, "t", NULL, &err), &err);
    CHECK_VALUE(sapp, SETTING, "-");
    conn_close(&fresh);
}

static void what_would_go_on_writing_is_named(void)
{
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE ROLE \"Wri ter\" LOGIN; ALTER ROLE \"Wri ter\" IN DATABASE t SET default_transaction_read_only = 'false';"
                   "CREATE ROLE always LOGIN; ALTER ROLE always SET default_transaction_read_only = off;"
                   "CREATE ROLE harmless LOGIN; ALTER ROLE harmless SET default_transaction_read_only = on");
    CHECK_TRUE(!freeze_set(&src, "t", &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_STR(err.detail, "role \"Wri ter\" has default_transaction_read_only = false in this database\n"
                          "role always has default_transaction_read_only = off");
    CHECK_CONTAINS(err.hint, "ALTER ROLE \"Wri ter\" IN DATABASE t RESET default_transaction_read_only;\nALTER ROLE always RESET");
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_db_role_setting WHERE setrole = 0", "0");
    err_clear(&err);
    pair_run(sapp, "DROP ROLE \"Wri ter\"; DROP ROLE always; DROP ROLE harmless");
    pair_run(sapp, "CREATE SUBSCRIPTION sub CONNECTION '' PUBLICATION p WITH (connect = false, slot_name = NONE)");
    CHECK_OK(freeze_check(&src, "t", &err), &err); /* not enabled */
    pair_run(sapp, "ALTER SUBSCRIPTION sub SET (slot_name = 'x')");
    pair_run(sapp, "ALTER SUBSCRIPTION sub ENABLE");
    CHECK_TRUE(!freeze_check(&src, "t", &err));
    CHECK_CONTAINS(err.message, "subscription sub writes into the database");
    err_clear(&err);
    pair_run(sapp, "ALTER SUBSCRIPTION sub DISABLE");
    pair_run(sapp, "ALTER SUBSCRIPTION sub SET (slot_name = NONE)");
    pair_run(sapp, "DROP SUBSCRIPTION sub");
}

/* The source has no max_prepared_transactions: the target plays it. */
static void prepared_transactions_are_refused(void)
{
    struct err err = ERR_INIT;
    lsn_t lsn;

    pair_run(tapp, "CREATE TABLE prep (id int)");
    pair_run(tapp, "BEGIN; INSERT INTO prep VALUES (1); PREPARE TRANSACTION 'it''s'");
    CHECK_TRUE(!freeze_set(&dst, "t", &err));
    CHECK_CONTAINS(err.message, "prepared transaction \"it's\"");
    CHECK_CONTAINS(err.hint, "COMMIT PREPARED 'it''s'");
    err_clear(&err);
    CHECK_TRUE(!fence_lsn(&dst, &lsn, &err));
    CHECK_CONTAINS(err.message, "transaction \"it's\" is prepared and would be lost");
    err_clear(&err);
    pair_run(tapp, "ROLLBACK PREPARED 'it''s'");
    CHECK_OK(fence_lsn(&dst, &lsn, &err), &err);
}

static void weak_roles_are_told_what_to_grant(void)
{
    PGconn *app = pair_application(SIDE_SOURCE, "user=app_owner");
    struct conn weak = CONN_INIT;
    struct buf ended = BUF_INIT;
    struct conninfo info = CONNINFO_INIT;
    struct conn_options options = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "weak"};
    struct err err = ERR_INIT;

    pair_must(conninfo_parse(&info, getenv("PGC_TEST_SOURCE"), &err), "conninfo", &err);
    conninfo_set(&info, "user", "weak");
    pair_must(conn_open(&weak, &info, &options, &err), "weak", &err);
    CHECK_TRUE(!freeze_set(&weak, "t", &err));
    CHECK_STR(err.sqlstate, "42501");
    CHECK_CONTAINS(err.hint, "GRANT the owner's role");
    err_clear(&err);
    CHECK_TRUE(!freeze_end_sessions(&weak, "t", &ended, &err));
    CHECK_CONTAINS(err.hint, "GRANT pg_read_all_stats");
    err_clear(&err);
    pair_run(sapp, "GRANT pg_read_all_stats TO weak");
    CHECK_TRUE(!freeze_end_sessions(&weak, "t", &ended, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.detail, "user app_owner");
    CHECK_CONTAINS(err.hint, "GRANT pg_signal_backend");
    err_clear(&err);
    CHECK_INT(PQstatus(app), CONNECTION_OK);
    PQfinish(app);
    conn_close(&weak);
    conninfo_release(&info);
    buf_release(&ended);
}

static void the_fence_is_behind_every_commit(void)
{
    struct conn repl = CONN_INIT;
    struct repl_slot slot = {.snapshot = NULL};
    struct repl_msg msg = REPL_MSG_INIT;
    struct err err = ERR_INIT;
    lsn_t fence = 0, passed = 0;

    pair_open(&repl, SIDE_SOURCE, (struct conn_options){.profile = CONN_REPLICATION, .role = "fence"});
    CHECK_OK(repl_create_slot(&repl, "pgcutover_f", true, &slot, &err), &err);
    pair_run(sapp, "CREATE PUBLICATION fence FOR TABLE w; INSERT INTO w VALUES (5)");
    char *before = pair_value(sapp, "SELECT pg_current_wal_insert_lsn()");
    lsn_t committed = 0;
    CHECK_TRUE(lsn_parse(before, &committed));
    free(before);
    CHECK_OK(freeze_set(&src, "t", &err), &err);
    CHECK_OK(fence_lsn(&src, &fence, &err), &err);
    CHECK_OK(freeze_undo(&src, "t", NULL, &err), &err);
    CHECK_TRUE(fence >= committed);
    CHECK_OK(repl_start(&repl, "pgcutover_f", slot.consistent_lsn, "\"fence\"", false, &err), &err);
    for (int i = 0; i < 200 && passed <= fence; i++) {
        if (!repl_next(&repl, &msg, 100, -1, &err))
            break;
        if (msg.kind == REPL_DATA && msg.start_lsn > passed)
            passed = msg.start_lsn;
        if (msg.kind == REPL_KEEPALIVE)
            passed = msg.end_lsn;
    }
    CHECK_TRUE(passed > fence);
    CHECK_OK(heartbeat_emit(&src, "it's alive", &err), &err);
    repl_msg_release(&msg);
    repl_slot_release(&slot);
    conn_close(&repl);
    pair_run(sapp, "DROP PUBLICATION fence");
}

#define SEQUENCE_VALUES "SELECT string_agg(format('%s %s %s', sequencename, last_value, " \
    "(xpath('//is_called/text()', query_to_xml(format('SELECT last_value, is_called FROM %I.%I', schemaname, sequencename), false, true, '')))[1]), ',' " \
    "ORDER BY schemaname, sequencename) FROM pg_sequences"

static void writers_that_are_no_sessions_are_listed(void)
{
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE ROLE stubborn LOGIN; ALTER ROLE stubborn SET default_transaction_read_only = off");
    CHECK_OK(obstacles_list(&src, "t", &text, &err), &err);
    CHECK_CONTAINS(text.data, "role stubborn has default_transaction_read_only = off\n");
    pair_run(sapp, "DROP ROLE stubborn");
    buf_clear(&text);
    CHECK_OK(obstacles_list(&src, "t", &text, &err), &err);
    CHECK_TRUE(!strstr(text.data ? text.data : "", "stubborn"));
    buf_release(&text);
}

static void jobs_of_extensions_are_listed(void)
{
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;

    CHECK_OK(schedulers_list(&src, &text, &err), &err);
    CHECK_INT(text.len, 0);
    /* As the extension has it, which is not installed everywhere. */
    pair_run(sapp, "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, schedule text, command text, database text, username text, active boolean);"
                   "INSERT INTO cron.job VALUES (1, '5 4 * * *', E'CALL\n  nightly()', current_database(), 'jobs', true), "
                   "(2, '* * * * *', 'SELECT 2', 'elsewhere', 'jobs', true), (3, '* * * * *', 'SELECT 3', current_database(), 'jobs', false);"
                   "CREATE SCHEMA pgagent; CREATE TABLE pgagent.pga_job (other int)");
    CHECK_OK(schedulers_list(&src, &text, &err), &err);
    CHECK_CONTAINS(text.data, "pg_cron job 1, user jobs, at \"5 4 * * *\": CALL nightly()\n");
    CHECK_TRUE(!strstr(text.data, "job 2") && !strstr(text.data, "job 3"));
    CHECK_CONTAINS(text.data, "jobs of pgagent, which could not be read: ");
    CHECK_INT(PQtransactionStatus(src.pg), PQTRANS_IDLE);
    pair_run(sapp, "DROP SCHEMA cron, pgagent CASCADE");
    buf_release(&text);
}

static void sequences_of_all_kinds(void)
{
    struct err err = ERR_INIT;
    int count = 0;

    both("CREATE SCHEMA \"S q\"; CREATE SEQUENCE \"S q\".\"it's \"\"\\ odd\" START 7; CREATE SEQUENCE down INCREMENT -5 MINVALUE -1000 MAXVALUE 0;"
         "CREATE SEQUENCE round MAXVALUE 3 CYCLE; CREATE SEQUENCE small AS smallint; CREATE SEQUENCE never START 100; CREATE SEQUENCE reset;"
         "CREATE TABLE owned (id serial, i int GENERATED ALWAYS AS IDENTITY); CREATE SEQUENCE top; CREATE SEQUENCE cached CACHE 50");
    pair_run(sapp, "SELECT nextval('\"S q\".\"it''s \"\"\\ odd\"'); SELECT nextval('down') FROM generate_series(1, 3); SELECT nextval('round') FROM generate_series(1, 4);"
         "SELECT setval('small', 32767); SELECT nextval('reset'); SELECT setval('reset', 40, false); INSERT INTO owned SELECT FROM generate_series(1, 12);"
         "SELECT setval('top', 9223372036854775807); SELECT nextval('cached')");
    pair_run(tapp, "SELECT setval('never', 555)");
    CHECK_OK(sequences_copy(&src, &dst, NULL, 0, &count, &err), &err);
    CHECK_INT(count, 10);
    pair_same(sapp, tapp, SEQUENCE_VALUES);
    CHECK_VALUE(tapp, "SELECT last_value || ' ' || is_called FROM never", "100 false");
    CHECK_VALUE(tapp, "SELECT nextval('reset') || ' ' || nextval('down') || ' ' || nextval('round') || ' ' || nextval('never')", "40 -15 2 100");
    CHECK_OK(sequences_copy(&src, &dst, NULL, 0, &count, &err), &err);
    pair_same(sapp, tapp, SEQUENCE_VALUES);

    pair_run(sapp, "CREATE SEQUENCE \"S q\".\"Only here\"; SELECT nextval('reset')");
    CHECK_TRUE(!sequences_copy(&src, &dst, NULL, 0, &count, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.message, "1 sequence(s) do not exist: \"S q\".\"Only here\"");
    CHECK_VALUE(tapp, "SELECT is_called::text FROM reset", "false"); /* nothing was set */
    err_clear(&err);
}

static bool not_only_here(void *arg, const char *schema, const char *name)
{
    (void)arg;
    return strcmp(schema, "S q") != 0 || strcmp(name, "Only here") != 0;
}

static void sequences_may_be_picked(void)
{
    struct sequence_filter filter = {not_only_here, NULL};
    struct err err = ERR_INIT;
    int count = 0;

    CHECK_OK(sequences_copy(&src, &dst, &filter, 0, &count, &err), &err);
    CHECK_INT(count, 10);
    pair_run(sapp, "DROP SEQUENCE \"S q\".\"Only here\"");
}

static void sequences_with_a_margin(void)
{
    struct sequence_filter filter = {not_only_here, NULL};
    struct err err = ERR_INIT;
    int count = 0;

    /* "small" and "top" are at their end. */
    CHECK_TRUE(!sequences_copy(&src, &dst, &filter, 100, &count, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.message, "cutover.sequenceMargin, 100, is more than 2 sequence(s) have left: public.small, public.top");
    err_clear(&err);
    pair_run(sapp, "SELECT setval('small', 32667); SELECT setval('top', 9223372036854775707)");
    CHECK_OK(sequences_copy(&src, &dst, &filter, 100, &count, &err), &err);
    CHECK_VALUE(tapp, "SELECT last_value || ' ' || is_called FROM small", "32767 true");
    CHECK_VALUE(tapp, "SELECT last_value || ' ' || is_called FROM top", "9223372036854775807 true");
    CHECK_VALUE(tapp, "SELECT last_value || ' ' || is_called FROM down", "-510 true");
    CHECK_VALUE(tapp, "SELECT last_value || ' ' || is_called FROM never", "200 false");
    pair_same(sapp, tapp, "SELECT last_value, is_called FROM round"); /* it cycles */
    CHECK_OK(sequences_copy(&src, &dst, &filter, 0, &count, &err), &err);
    pair_same(sapp, tapp, SEQUENCE_VALUES);
}

static void thousands_of_sequences(void)
{
    static const char *const make = "CREATE SCHEMA thousands; DO $$BEGIN FOR i IN 1..3000 LOOP EXECUTE format('CREATE SEQUENCE thousands.s%s', i); END LOOP; END$$";
    struct err err = ERR_INIT;
    int count = 0;

    both(make);
    pair_run(sapp, "SELECT setval(format('thousands.s%s', i)::regclass, i * 3, i % 2 = 0) FROM generate_series(1, 3000) i");
    int64_t start = clock_mono_ms();
    CHECK_OK(sequences_copy(&src, &dst, NULL, 0, &count, &err), &err);
    int64_t took = clock_mono_ms() - start;
    fprintf(stderr, "[3,010 sequences in %lld ms] ", (long long)took);
    CHECK_TRUE(took < 10000);
    CHECK_INT(count, 3010);
    pair_same(sapp, tapp, SEQUENCE_VALUES);
}

static void tables_at_cutover(void)
{
    static const struct copy_job jobs[] = {
        {.schema = "public", .name = "nokey", .target_schema = "public", .target_name = "nokey"},
        {.schema = "public", .name = "unlogged", .target_schema = "public", .target_name = "unlogged"},
        {.schema = "public", .name = "missing", .target_schema = "public", .target_name = "missing"}};
    struct conn reader = CONN_INIT, writer = CONN_INIT;
    struct err err = ERR_INIT;
    size_t copied = 99;

    both("CREATE TABLE nokey (a int); CREATE UNLOGGED TABLE unlogged (a int)");
    pair_run(sapp, "INSERT INTO nokey VALUES (1), (1), (NULL); INSERT INTO unlogged VALUES (7); CREATE TABLE missing ()");
    pair_open(&reader, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER});
    pair_open(&writer, SIDE_TARGET, (struct conn_options){.profile = CONN_WRITER});
    CHECK_OK(at_cutover_tables(&reader, &writer, jobs, 2, NULL, &copied, &err), &err);
    CHECK_INT(copied, 2);
    pair_same(sapp, tapp, "SELECT 'r' || (SELECT string_agg(coalesce(a::text, '-'), ',' ORDER BY a) FROM nokey) || (SELECT string_agg(a::text, ',') FROM unlogged)");
    CHECK_TRUE(!at_cutover_tables(&reader, &writer, jobs, 3, NULL, &copied, &err));
    CHECK_INT(copied, 2);
    CHECK_CONTAINS(err.message, "public.missing");
    err_clear(&err);
    CHECK_INT(PQtransactionStatus(reader.pg), PQTRANS_IDLE);
    conn_close(&reader);
    conn_close(&writer);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"sessions are ended and come back read-only", sessions_are_ended_and_come_back_read_only},
        {"an earlier setting comes back", an_earlier_setting_comes_back},
        {"a new connection undoes the freeze", a_new_connection_undoes},
        {"what would go on writing is named", what_would_go_on_writing_is_named},
        {"prepared transactions are refused", prepared_transactions_are_refused},
        {"weak roles are told what to grant", weak_roles_are_told_what_to_grant},
        {"the fence is behind every commit", the_fence_is_behind_every_commit},
        {"writers that are no sessions are listed", writers_that_are_no_sessions_are_listed},
        {"jobs of extensions are listed", jobs_of_extensions_are_listed},
        {"sequences of all kinds", sequences_of_all_kinds},
        {"sequences may be picked", sequences_may_be_picked},
        {"sequences with a margin", sequences_with_a_margin},
        {"thousands of sequences", thousands_of_sequences},
        {"tables copied at cutover", tables_at_cutover},
        {NULL, NULL},
    };

    PAIR_REQUIRED();
    sapp = pair_application(SIDE_SOURCE, "application_name=pgcutover:eyes");
    tapp = pair_application(SIDE_TARGET, "application_name=pgcutover:eyes");
    pair_open(&src, SIDE_SOURCE, (struct conn_options){.profile = CONN_PLAIN, .role = "cutover"});
    pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_PLAIN, .role = "cutover"});
    pair_run(sapp, "CREATE TABLE w (id int); ALTER TABLE w REPLICA IDENTITY FULL; CREATE ROLE app_owner LOGIN; CREATE ROLE weak LOGIN");
    int status = unit_main("cutover on servers", tests);
    conn_close(&src);
    conn_close(&dst);
    PQfinish(sapp);
    PQfinish(tapp);
    return status;
}
