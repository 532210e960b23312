/* The applier against real servers: workloads run on the source, its pgoutput is read with
 * pg_logical_slot_get_binary_changes() and fed; then both sides' contents are compared by plain SQL.
 *
 * What was read is kept, and every round feeds all of it from the start: so each round also shows that
 * what was applied is not applied again. */
#include "pair.h"

#include <signal.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "cdc/apply.h"
#include "cdc/decode.h"
#include "pg/conn.h"
#include "pg/copy.h"
#include "sql/sql.h"

struct message {
    char *data;
    size_t len;
};

static struct conninfo source_info, target_info;
static struct conn source, target, writers[4]; /* writers are the applier's */
#define writer writers[0]
static int lanes = 1;
static struct applier *applier;
static struct message *messages;
static size_t message_count, message_cap;
static struct err last; /* of the last round */

/* --- helpers --- */

static void complain(const char *what, struct err *err)
{
    char *text = err_text(err);

    fprintf(stderr, "\n%s: %s\n", what, text);
    free(text);
    err_clear(err);
}

static void run(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;
    char *text = pair_text(c->version, sql);
    bool ok = conn_command(c, text, &err);

    CHECK_TRUE(ok);
    if (!ok)
        complain(text, &err);
    free(text);
}

static void src(const char *sql)
{
    run(&source, sql);
}

static void both(const char *sql)
{
    run(&source, sql);
    run(&target, sql);
}

static char *scalar(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;
    char *value = NULL;

    if (!conn_scalar(c, sql, 0, NULL, &value, &err))
        complain(sql, &err);
    return value;
}

static void check_scalar(struct conn *c, const char *sql, const char *want)
{
    char *got = scalar(c, sql);

    CHECK_STR(got, want);
    free(got);
}

static void open_conn(struct conn *c, const struct conninfo *info, enum conn_side side,
                      enum conn_profile profile)
{
    struct conn_options options = {.side = side, .profile = profile, .role = "test"};
    struct err err = ERR_INIT;

    if (!conn_open(c, info, &options, &err)) {
        complain("connect", &err);
        exit(1);
    }
}

static void forget_messages(void)
{
    for (size_t i = 0; i < message_count; i++)
        free(messages[i].data);
    message_count = 0;
}

static void close_applier(void)
{
    applier_close(applier);
    applier = NULL;
    for (int i = 0; i < 4; i++)
        conn_close(&writers[i]);
}

/* Empty databases, an empty stream. */
static void begin_test(void)
{
    close_applier();
    forget_messages();
    err_clear(&last);
    run(&target, "DROP SCHEMA IF EXISTS pgcutover CASCADE");
    run(&source, "DROP PUBLICATION IF EXISTS p");
    run(&source, "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
    both("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO public; SET search_path = public");
    run(&target, sql_state_create);
    run(&target, "INSERT INTO pgcutover.migration VALUES ('test-id', 't', '1', 't', 's', 'p')");
}

static void list_table(const char *oid, const char *name, const char *lsn)
{
    const char *values[] = {oid, name, lsn};
    struct err err = ERR_INIT;

    CHECK_TRUE(conn_command_params(&target,
        "INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table, "
        "mode, epoch_lsn, loaded, indexed) VALUES ($1::oid, 'public', $2, 'public', $2, 'sync', $3::pg_lsn, true, true)",
        3, values, &err));
    if (err_is_set(&err))
        complain("list", &err);
}

/* From here on changes are followed; all tables of the source are listed, as loaded now. */
static void begin_stream(void)
{
    run(&source, "CREATE PUBLICATION p FOR ALL TABLES");
    char *lsn = scalar(&source, "SELECT lsn FROM pg_create_logical_replication_slot('s', 'pgoutput')");
    struct err err = ERR_INIT;
    PGresult *res = conn_exec(&source, "SELECT oid, relname FROM pg_class WHERE relkind = 'r' AND "
                              "relnamespace = 'public'::regnamespace", &err);
    for (int i = 0; i < PQntuples(res); i++)
        list_table(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), lsn);
    PQclear(res);
    const char *values[] = {lsn};
    conn_command_params(&target, "UPDATE pgcutover.migration SET start_lsn = $1::pg_lsn", 1, values, &err);
    free(lsn);
}

static bool open_applier_as(struct conninfo *info, struct applier_options options)
{
    char *start = scalar(&target, "SELECT start_lsn FROM pgcutover.migration");

    close_applier();
    options.lanes = options.lanes ? options.lanes : lanes;
    options.lanes_changes = 1;
    for (int i = 0; i < options.lanes; i++)
        open_conn(&writers[i], info, SIDE_TARGET, CONN_WRITER);
    lsn_parse(start, &options.start_lsn);
    free(start);
    err_clear(&last);
    applier = applier_open(writers, &options, &last);
    return applier != NULL;
}

static void open_applier(int64_t group)
{
    bool ok = open_applier_as(&target_info, (struct applier_options){.max_group_changes = group});

    CHECK_TRUE(ok);
    if (!ok)
        complain("open", &last);
}

/* In a session of its own: each time costs the session something for ever (10: "out of relcache_callback_list slots"). */
static void fetch(void)
{
    struct conn own = CONN_INIT;

    open_conn(&own, &source_info, SIDE_SOURCE, CONN_READER);
    PGresult *res = PQexecParams(own.pg, source.version >= 140000 ?
        "SELECT data FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', "
        "'publication_names', 'p', 'messages', 'true')" :
        "SELECT data FROM pg_logical_slot_get_binary_changes('s', NULL, NULL, 'proto_version', '1', "
        "'publication_names', 'p')", 0, NULL, NULL, NULL, NULL, 1);

    CHECK_INT(PQresultStatus(res), PGRES_TUPLES_OK);
    for (int i = 0; i < PQntuples(res); i++) {
        size_t len = (size_t)PQgetlength(res, i, 0);
        messages = xgrow(messages, message_count, &message_cap, sizeof *messages);
        messages[message_count].data = xmalloc(len + 1);
        memcpy(messages[message_count].data, PQgetvalue(res, i, 0), len);
        messages[message_count++].len = len;
    }
    PQclear(res);
    conn_close(&own);
}

static bool feed_one(const struct message *message, struct change *change)
{
    char *copy = xmalloc(message->len + 1);
    bool ok;

    memcpy(copy, message->data, message->len);
    ok = decode_message(copy, message->len, change, &last) && applier_change(applier, change, &last);
    free(copy);
    return ok;
}

/* Feeds everything from the start, once. each: flush behind every transaction. */
static bool feed_once(bool each)
{
    struct change change = CHANGE_INIT;
    bool ok = true;

    err_clear(&last);
    for (size_t i = 0; ok && i < message_count; i++) {
        ok = feed_one(&messages[i], &change);
        if (ok && each && change.kind == CHANGE_COMMIT)
            ok = applier_flush(applier, &last);
    }
    change_release(&change);
    return ok && applier_flush(applier, &last);
}

/* As a caller does: again, one by one, where the applier says so. */
static bool feed(bool each)
{
    bool ok = feed_once(each);

    if (!ok && applier_status(applier)->retry_single)
        ok = feed_once(each);
    return ok;
}

static void sync_now(bool each)
{
    fetch();
    bool ok = feed(each);
    CHECK_TRUE(ok);
    if (!ok)
        complain("apply", &last);
}

static char *digest(struct conn *c, const char *table, const char *columns)
{
    char *sql = xasprintf("SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(r::text), ',' ORDER BY md5(r::text) "
                          "COLLATE \"C\")), '-') FROM (SELECT %s FROM ONLY %s) r", columns, table);
    char *value = scalar(c, sql);

    free(sql);
    return value;
}

/* Full contents of every table of the source, columns in the order of their names. */
static void check_same(void)
{
    struct err err = ERR_INIT;
    PGresult *res = conn_exec(&source,
        "SELECT c.oid::regclass::text, coalesce(string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname), '') "
        "FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped "
        "WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.oid", &err);

    CHECK_TRUE(PQntuples(res) > 0);
    for (int i = 0; i < PQntuples(res); i++) {
        char *want = digest(&source, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
        char *got = digest(&target, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
        if (!got || !want || strcmp(got, want) != 0)
            fprintf(stderr, "\ntable %s differs\n", PQgetvalue(res, i, 0));
        CHECK_STR(got, want);
        free(got);
        free(want);
    }
    PQclear(res);
}

static void check_counts(const char *table, const char *want)
{
    char *sql = xasprintf("SELECT format('%%s %%s %%s %%s', inserts, updates, deletes, truncates) "
                          "FROM pgcutover.tables WHERE source_table = '%s'", table);

    check_scalar(&target, sql, want);
    free(sql);
}

/* What the applier says is applied is what the target's own row says. */
static void check_progress(void)
{
    char lsn[LSN_TEXT_SIZE];

    check_scalar(&target, "SELECT end_lsn FROM pgcutover.progress WHERE lane = 0",
                 lsn_format(applier_status(applier)->applied_lsn, lsn));
}

/* --- tests --- */

static bool sends_truncate(void)
{
    return source.version >= 110000;
}

static void test_basics(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id bigserial PRIMARY KEY, v text)");
    begin_stream();
    src("INSERT INTO a SELECT g, 'v' || g FROM generate_series(1, 100) g; INSERT INTO b (v) VALUES ('x'), (NULL)");
    src("UPDATE a SET v = 'new' WHERE id <= 10; DELETE FROM a WHERE id > 90");
    src("/*!11 TRUNCATE b *//*!-10 DELETE FROM b */");
    src("INSERT INTO b (v) VALUES ('after')");
    open_applier(0);
    sync_now(true);
    check_same();
    check_counts("a", "100 10 10 0");
    check_counts("b", sends_truncate() ? "3 0 0 1" : "3 0 2 0");
    CHECK_INT(applier_status(applier)->transactions, 4);
    CHECK_INT(applier_status(applier)->groups, 4);
    CHECK_INT(applier_status(applier)->changes, sends_truncate() ? 124 : 125);
    check_progress();
    struct applier_table t;
    int64_t inserts = 0;
    while (applier_next_changed(applier, &t))
        inserts += t.inserts;
    CHECK_INT(inserts, 103);
    CHECK_TRUE(!applier_next_changed(applier, &t));
    src("DELETE FROM b");
    sync_now(true);
    CHECK_TRUE(applier_next_changed(applier, &t));
    CHECK_STR(t.target_name, "b");
    CHECK_INT(t.deletes, sends_truncate() ? 1 : 3);
    CHECK_TRUE(!applier_next_changed(applier, &t));
    char *time = scalar(&target, "SELECT commit_time FROM pgcutover.progress WHERE lane = 0");
    open_applier(0); /* a new applier knows all of it */
    check_progress();
    CHECK_TRUE(applier_status(applier)->applied_commit_us > 0);
    char *sql = xasprintf("SELECT (EXTRACT(EPOCH FROM '%s'::timestamptz) * 1000000)::bigint", time);
    char *us = xasprintf("%" PRId64, applier_status(applier)->applied_commit_us);
    check_scalar(&target, sql, us);
    free(us);
    free(sql);
    free(time);
    sync_now(true);
    check_counts("a", "100 10 10 0");
    CHECK_INT(applier_status(applier)->transactions, 0);
    check_same();
}

static void test_groups(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    for (int i = 0; i < 50; i++) {
        char *sql = xasprintf("INSERT INTO a VALUES (%d, 'x'), (%d, 'y')", 2 * i, 2 * i + 1);
        src(sql);
        free(sql);
    }
    open_applier(20);
    sync_now(false);
    CHECK_INT(applier_status(applier)->transactions, 50);
    CHECK_INT(applier_status(applier)->groups, 5);
    check_same();
    check_progress();
}

static const char types_ddl[] =
    "CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS hstore; CREATE EXTENSION IF NOT EXISTS ltree;"
    "CREATE TYPE mood AS ENUM ('sad', 'it''s \"ok\"', 'Glücklich'); CREATE TYPE pair AS (a int, b text);"
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN ints AS int[]; /*!11 CREATE DOMAIN paird AS pair;*/"
    "CREATE TABLE types (id int PRIMARY KEY, c1 smallint, c2 bigint, c3 numeric, c4 numeric(10,2), c5 real, c6 float8,"
    " c7 text, c8 varchar(20), c9 char(8), c10 bytea, c11 boolean, c12 date, c13 time, c14 timetz, c15 timestamp,"
    " c16 timestamptz, c17 interval, c18 json, c19 jsonb, c20 xml, c21 uuid, c22 inet, c23 cidr, c24 macaddr,"
    " c25 macaddr8, c26 point, c27 line, c28 lseg, c29 box, c30 path, c31 polygon, c32 circle, c33 bit(8),"
    " c34 varbit, c35 tsvector, c36 tsquery, c37 int[], c38 text[], c39 mood, c40 mood[], c41 pair, c42 pair[],"
    " c43 positive, c44 ints, c45 /*!11 paird*//*!-10 pair*/, c46 int4range, c47 tstzrange[], c48 /*!14 nummultirange*//*!-13 text*/, c49 money, c50 oid,"
    " c51 \"char\", c52 name, c53 pg_lsn, c54 hstore, c55 ltree, c56 citext, c57 txid_snapshot, c58 int2vector,"
    " c59 regtype, c60 bit, c61 timestamp(3), c62 interval day to second, c63 /*!12 jsonpath*//*!-11 text*/)";

static const char types_rows[] =
    "INSERT INTO types VALUES (1, -32768, 9223372036854775807, repeat('12345', 200)::numeric / 7, 1.50, 'NaN', 0.1::float8 + 0.2,"
    " E'tab\\t cr\\r lf\\n \\\\. back\\\\slash ''q'' \"d\" é 漢 ', 'vc  ', 'ab', '\\x00ff5c', true, '5874897-12-31', '24:00',"
    " '12:00:00.123456+05:30', 'infinity', '4713-01-01 00:00:00+00 BC', '1 year -2 mons 3 days -04:05:06.7', '{\"a\":1, \"a\" : 2}',"
    " '{\"b\":[1,null,1.00]}', '<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>é</a>', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',"
    " '10.0.0.1/8', '10.0.0.0/8', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(-0,NaN)', '{1,2,3}', '[(0,0),(1,1)]',"
    " '(1,1),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),1e-300>', '10101010', '101', 'a:1A fat:2B', 'a & !(b | c:*)',"
    " '[0:2]={1,NULL,3}', '{\"a,b\",\"c\\\"d\",NULL,\"NULL\",\"\"}', 'it''s \"ok\"', '{sad,Glücklich}', '(1,\"x,y\"\"z\")',"
    " '{\"(1,)\",\"(,\\\"q\\\")\"}', 7, '{1,2}', '(5,d)', '[1,5)', '{\"[2020-01-01,)\",empty}', '{[1.5,2],(3,4)}', '-12.34', 4294967295,"
    " '\\', 'name', '16/B374D848', 'a=>1, b=>NULL, \"c d\"=>\"e\\\"f\"', 'Top.Sub', 'CiText', '10:20:10,14', '1 2 3', 'int4', '1',"
    " '2020-02-30 00:00'::text::timestamp - '0'::interval, '3 days 04:05:06', '$.a[*] ? (@ > 1)')";

/* The row above is invalid on purpose in one column: these are the ones that are used. */
static void insert_types(void)
{
    char *sql = xstrdup(types_rows);
    char *bad = strstr(sql, "'2020-02-30 00:00'::text::timestamp - '0'::interval");

    memcpy(bad, "'2020-02-29 00:00:00.123'                          ", 51);
    src(sql);
    free(sql);
    src("INSERT INTO types (id) SELECT g FROM generate_series(2, 5) g");
    src("INSERT INTO types SELECT 6 FROM generate_series(1, 1)");
    src("INSERT INTO types (id, c3, c5, c6, c7, c9, c12, c15, c16, c17, c18, c35, c38) VALUES (7, 'NaN', '-0', '-Infinity', '', '',"
        " '-infinity', '0044-03-15 BC', '-infinity', '-178000000 years', 'null', '', '{}'),"
        " (8, -0.00, '1e-45', '-0', '\\.', ' x', '4713-01-01 BC', '294276-12-31 23:59:59.999999', 'infinity', '0', '\"\\u00e9\"', 'x', '{{a,b},{c,d}}'),"
        " (9, 1.10, 'Infinity', 'NaN', E'\\r\\n', 'é', '2024-02-29', '2000-01-01', '2000-01-01 00:00:00-15:59', '999 hours', '[]', NULL, NULL)");
}

static void churn_types(void)
{
    src("UPDATE types SET c7 = 'changed' WHERE id = 7; UPDATE types SET id = 100 WHERE id = 1");
    src("UPDATE types t SET (c3, c5, c6, c18, c26, c38) = (SELECT c3, c5, c6, c18, c26, c38 FROM types WHERE id = 100) WHERE id = 2");
    src("DELETE FROM types WHERE id IN (3, 8)");
    src("UPDATE types SET id = id + 1000");
}

static void test_types(void)
{
    begin_test();
    both(types_ddl);
    begin_stream();
    insert_types();
    open_applier(0);
    sync_now(true);
    check_same();
    churn_types();
    sync_now(true);
    check_same();
    src("DELETE FROM types");
    sync_now(true);
    check_same();
}

/* The same without a key: rows are found by all their values. */
static void test_types_full(void)
{
    begin_test();
    both(types_ddl);
    both("ALTER TABLE types DROP CONSTRAINT types_pkey");
    src("ALTER TABLE types REPLICA IDENTITY FULL");
    begin_stream();
    insert_types();
    open_applier(0);
    sync_now(false);
    check_same();
    churn_types();
    sync_now(false);
    check_same();
    src("DELETE FROM types WHERE id <> 1100");
    src("DELETE FROM types");
    sync_now(false);
    check_same();
    check_counts("types", "9 10 9 0");
}

/* The same value in other bytes, as a binary COPY can leave it: found by its text. */
static void test_full_other_image(void)
{
    begin_test();
    both("CREATE TABLE f (a float8, x xml, n int)");
    src("ALTER TABLE f REPLICA IDENTITY FULL");
    begin_stream();
    src("INSERT INTO f VALUES ('NaN', '<a/>', 1)");
    open_applier(0);
    sync_now(true);
    run(&target, "UPDATE f SET a = 'Infinity'::float8 - 'Infinity'::float8"); /* -NaN on most processors */
    run(&target, "UPDATE f SET x = '<?xml version=\"1.0\"?><a/>'");
    check_scalar(&target, "SELECT format('%s %s', a, x) FROM f", "NaN <a/>");
    check_scalar(&target, "SELECT ROW(a, x)::record *= ROW('NaN'::float8, '<a/>'::xml)::record FROM f", "f");
    src("UPDATE f SET n = 2");
    src("DELETE FROM f");
    sync_now(true);
    check_same();
}

static void test_full_duplicates(void)
{
    begin_test();
    both("CREATE TABLE d (a int, j json, t text); CREATE TABLE e ()");
    src("ALTER TABLE d REPLICA IDENTITY FULL; ALTER TABLE e REPLICA IDENTITY FULL");
    begin_stream();
    src("INSERT INTO d SELECT 1, '{\"x\":1}', NULL FROM generate_series(1, 3); INSERT INTO d VALUES (1, '{\"x\": 1}', NULL);"
        "INSERT INTO e DEFAULT VALUES; INSERT INTO e DEFAULT VALUES; INSERT INTO e DEFAULT VALUES");
    src("DELETE FROM d WHERE ctid = (SELECT min(ctid) FROM d); DELETE FROM e WHERE ctid = (SELECT min(ctid) FROM e)");
    src("UPDATE d SET t = 'one' WHERE ctid = (SELECT min(ctid) FROM d)");
    open_applier(0);
    sync_now(true);
    check_same();
    check_scalar(&target, "SELECT count(*) FROM d", "3");
    check_scalar(&target, "SELECT count(*) FROM e", "2");
}

static void test_full_with_target_key(void)
{
    begin_test();
    src("CREATE TABLE k (id int, v json); ALTER TABLE k REPLICA IDENTITY FULL");
    run(&target, "CREATE TABLE k (v json, id int PRIMARY KEY)");
    begin_stream();
    src("INSERT INTO k SELECT g, '{}' FROM generate_series(1, 20) g; UPDATE k SET id = id + 100 WHERE id > 10; DELETE FROM k WHERE id < 5");
    open_applier(0);
    sync_now(true);
    check_same();
}

static void test_keys(void)
{
    begin_test();
    both("CREATE EXTENSION IF NOT EXISTS citext; CREATE TYPE pair AS (a int, b text); CREATE TYPE mood AS ENUM ('a', 'b');"
         "CREATE TABLE ck (k citext PRIMARY KEY, v int); CREATE TABLE pk (k pair, m mood, v int, PRIMARY KEY (k, m));"
         "CREATE TABLE ui (a int NOT NULL, b varchar(5) NOT NULL, v int); CREATE UNIQUE INDEX ui_key ON ui (b, a) /*!11 INCLUDE (v)*/;"
         "CREATE UNIQUE INDEX ui_id ON ui (b, a); CREATE TABLE arr (k int[] PRIMARY KEY, v int);"
         "CREATE TABLE cc (k char(5) PRIMARY KEY, n numeric UNIQUE, v text COLLATE \"C\")");
    src("ALTER TABLE ui REPLICA IDENTITY USING INDEX ui_id");
    begin_stream();
    src("INSERT INTO ck VALUES ('Alpha', 1), ('Beta', 2); INSERT INTO pk VALUES ('(1,x)', 'a', 1), ('(1,x)', 'b', 2), ('(,)', 'a', 3);"
        "INSERT INTO ui VALUES (1, 'a', 1), (1, 'b', 2); INSERT INTO arr VALUES ('{}', 1), ('{1,NULL}', 2); INSERT INTO cc VALUES ('ab', 1.0, 'x')");
    src("UPDATE ck SET k = 'ALPHA' WHERE k = 'alpha'; UPDATE ck SET v = 5 WHERE k = 'beta'; UPDATE pk SET v = v + 1; UPDATE pk SET m = 'b' WHERE v = 4;"
        "UPDATE ui SET v = 9 WHERE b = 'b'; UPDATE ui SET a = 7 WHERE b = 'a'; UPDATE arr SET v = 3 WHERE k = '{1,NULL}'; UPDATE cc SET v = 'y'");
    src("DELETE FROM ck WHERE k = 'BETA'; DELETE FROM pk WHERE v = 2; DELETE FROM arr WHERE k = '{}'; UPDATE cc SET k = 'abc'");
    open_applier(0);
    sync_now(true);
    check_same();
    check_scalar(&target, "SELECT k::text FROM ck", "ALPHA");
}

static void test_key_changes(void)
{
    begin_test();
    both("CREATE TABLE k (id int PRIMARY KEY, v text); CREATE TABLE p (id int, r int, v text/*!11 , PRIMARY KEY (id, r)*/) PARTITION BY RANGE (r);"
         "CREATE TABLE p1 PARTITION OF p/*!-10 (PRIMARY KEY (id, r))*/ FOR VALUES FROM (0) TO (10);"
         "CREATE TABLE p2 PARTITION OF p/*!-10 (PRIMARY KEY (id, r))*/ FOR VALUES FROM (10) TO (20)");
    begin_stream();
    src("INSERT INTO k VALUES (1, 'one'), (2, 'two'), (3, 'three'); INSERT INTO p VALUES (1, 1, 'a'), (2, 11, 'b')");
    src("UPDATE k SET id = 30 WHERE id = 3");
    src("BEGIN; UPDATE k SET id = -1 WHERE id = 1; UPDATE k SET id = 1 WHERE id = 2; UPDATE k SET id = 2 WHERE id = -1; COMMIT");
    src("/*!11 UPDATE p SET r = 15 WHERE id = 1; UPDATE p SET r = 5, v = 'moved' WHERE id = 2*/");
    open_applier(0);
    sync_now(true);
    check_same();
    check_scalar(&target, "SELECT string_agg(v, ',' ORDER BY id) FROM k", "two,one,three");
}

static void test_toast(void)
{
    begin_test();
    both("CREATE TABLE t (id int PRIMARY KEY, n int, big text, big2 bytea); ALTER TABLE t ALTER big SET STORAGE EXTERNAL;"
         "CREATE TABLE tf (id int, n int, big text); CREATE TABLE tk (k text PRIMARY KEY, n int); ALTER TABLE tk ALTER k SET STORAGE EXTERNAL");
    src("ALTER TABLE tf REPLICA IDENTITY FULL");
    begin_stream();
    src("INSERT INTO t SELECT g, 0, repeat(md5(g::text), 5000), decode(repeat(md5(g::text), 9000), 'hex') FROM generate_series(1, 5) g");
    src("INSERT INTO tf SELECT g, 0, (SELECT string_agg(md5((g * 1000 + h)::text), '') FROM generate_series(1, 1000) h) FROM generate_series(1, 3) g");
    src("INSERT INTO tk SELECT string_agg(md5(h::text), ''), 1 FROM generate_series(1, 60) h");
    src("UPDATE t SET n = 1 WHERE id = 1");
    src("UPDATE t SET big = repeat('y', 100000) WHERE id = 2");
    src("UPDATE t SET big = NULL, big2 = big2 || '\\x00' WHERE id = 3");
    src("UPDATE t SET id = 40 WHERE id = 4; UPDATE t SET id = id WHERE id = 5");
    src("UPDATE tf SET n = 1 WHERE id = 1; UPDATE tf SET big = big || 'z' WHERE id = 2; DELETE FROM tf WHERE id = 3");
    src("UPDATE tk SET n = 2");
    open_applier(0);
    sync_now(true);
    check_same();
}

static void test_big_value(void)
{
    begin_test();
    both("CREATE TABLE t (id int PRIMARY KEY, n int, big text); ALTER TABLE t ALTER big SET STORAGE EXTERNAL");
    begin_stream();
    const char *size = getenv("PGC_TEST_BIG_MB");
    char *sql = xasprintf("INSERT INTO t VALUES (1, 1, repeat('0123456789', %d)), (2, 2, 'small')",
                          (size ? atoi(size) : 30) * 100000);
    src(sql);
    free(sql);
    src("UPDATE t SET n = 5 WHERE id = 1; UPDATE t SET big = big || 'end' WHERE id = 1; UPDATE t SET n = 6");
    open_applier(0);
    sync_now(false);
    check_same();
}

static void test_shapes(void)
{
    begin_test();
    src("CREATE TABLE \"Od\"\"d. Näme\nx\" (\"select\" int PRIMARY KEY, \"A\" text, a text, gone int, g int /*!12 GENERATED ALWAYS AS (\"select\" * 2) STORED */);"
        "ALTER TABLE \"Od\"\"d. Näme\nx\" DROP COLUMN gone;"
        "CREATE TABLE ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, other int GENERATED BY DEFAULT AS IDENTITY, v text);"
        "ALTER TABLE ident DROP COLUMN other; CREATE TABLE identv (k int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, v text)");
    run(&target, "CREATE TABLE \"Od\"\"d. Näme\nx\" (dropped int, extra text DEFAULT 'dflt', a text, \"A\" text, \"select\" int PRIMARY KEY,"
        " g int /*!12 GENERATED ALWAYS AS (\"select\" * 2) STORED */, extra2 int NOT NULL DEFAULT 5); ALTER TABLE \"Od\"\"d. Näme\nx\" DROP COLUMN dropped;"
        "CREATE TABLE ident (v text, id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY);"
        "CREATE TABLE identv (k int PRIMARY KEY, n int GENERATED BY DEFAULT AS IDENTITY, v text)");
    begin_stream();
    src("INSERT INTO \"Od\"\"d. Näme\nx\" VALUES (1, 'upper', 'lower'), (2, 'U', 'l'); UPDATE \"Od\"\"d. Näme\nx\" SET \"A\" = 'UU' WHERE \"select\" = 2;"
        "UPDATE \"Od\"\"d. Näme\nx\" SET \"select\" = 9 WHERE \"select\" = 1;"
        "INSERT INTO ident (v) VALUES ('a'), ('b'); UPDATE ident SET v = 'c' WHERE id = 1; DELETE FROM ident WHERE id = 2;"
        "INSERT INTO identv (k, v) VALUES (1, 'a'), (2, 'b'); UPDATE identv SET v = 'c' WHERE k = 1");
    open_applier(0);
    sync_now(true);
    check_same();
    check_scalar(&target, "SELECT string_agg(extra || extra2, ',') FROM \"Od\"\"d. Näme\nx\"", "dflt5,dflt5");
    if (source.version >= 120000)
        check_scalar(&target, "SELECT sum(g) FROM \"Od\"\"d. Näme\nx\"", "22");
}

static void test_wide(void)
{
    struct buf sql = BUF_INIT;

    begin_test();
    buf_addstr(&sql, "CREATE TABLE w (c1 int");
    for (int i = 2; i <= 1600; i++)
        buf_addf(&sql, ", c%d bool", i);
    buf_addch(&sql, ')');
    both(sql.data);
    buf_release(&sql);
    src("ALTER TABLE w REPLICA IDENTITY FULL");
    begin_stream();
    src("INSERT INTO w (c1, c1600) VALUES (1, true), (2, false)");
    src("UPDATE w SET c800 = true WHERE c1 = 1; DELETE FROM w WHERE c1 = 2");
    open_applier(0);
    sync_now(true);
    check_same();
}

static void test_partitioned_target(void)
{
    if (source.version < 110000) /* no hash partitions, nor rows that move */
        return;
    begin_test();
    src("CREATE TABLE p (id int, v text); ALTER TABLE p REPLICA IDENTITY FULL");
    run(&target, "CREATE TABLE p (v text, id int) PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1)");
    begin_stream();
    src("INSERT INTO p SELECT g % 5, 'x' FROM generate_series(1, 50) g; UPDATE p SET id = id + 10, v = 'y' WHERE ctid IN (SELECT ctid FROM p WHERE id = 2 LIMIT 3);"
        "DELETE FROM p WHERE ctid IN (SELECT ctid FROM p WHERE id = 3 LIMIT 4)");
    open_applier(0);
    sync_now(true);
    char *want = scalar(&source, "SELECT string_agg(id || v, ',' ORDER BY id, v) FROM p");
    check_scalar(&target, "SELECT string_agg(id || v, ',' ORDER BY id, v) FROM p", want);
    free(want);
    src("TRUNCATE p");
    sync_now(true);
    check_scalar(&target, "SELECT count(*) FROM p", "0");
}

static void test_truncate(void)
{
    if (!sends_truncate())
        return;
    begin_test();
    both("CREATE TABLE a (id serial PRIMARY KEY, v int); CREATE TABLE b (id serial PRIMARY KEY, a int REFERENCES a); CREATE TABLE c (id int PRIMARY KEY)");
    begin_stream();
    src("INSERT INTO a (v) SELECT 1 FROM generate_series(1, 5); INSERT INTO b (a) VALUES (1), (2); INSERT INTO c VALUES (1)");
    src("BEGIN; INSERT INTO a (v) VALUES (7); TRUNCATE a CASCADE; INSERT INTO a (v) VALUES (8); COMMIT");
    src("TRUNCATE a, b RESTART IDENTITY; INSERT INTO a (v) VALUES (9); INSERT INTO b (a) VALUES (1)");
    open_applier(0);
    sync_now(true);
    check_same();
    check_counts("a", "8 0 0 2");
    check_counts("b", "3 0 0 2");
    check_counts("c", "1 0 0 0");
    check_scalar(&target, "SELECT last_value || is_called::text FROM a_id_seq", "1false"); /* restarted, never called */
    run(&target, "UPDATE pgcutover.tables SET epoch_lsn = 'F/0' WHERE source_table = 'b'"); /* loaded later */
    open_applier(0);
    src("TRUNCATE a CASCADE");
    fetch();
    CHECK_TRUE(!feed(true)); /* rather than empty b on the target */
    CHECK_STR(last.sqlstate, "0A000");
    check_scalar(&target, "SELECT count(*) FROM b", "1");
}

/* L2, L17: nothing behind an error is applied or said to be, all before it is. */
static void test_planted_duplicate(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    for (int i = 1; i <= 20; i++) {
        char *sql = xasprintf("INSERT INTO a VALUES (%d, 'source')", i);
        src(sql);
        free(sql);
    }
    run(&target, "INSERT INTO a VALUES (13, 'planted')");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed_once(false));
    CHECK_TRUE(applier_status(applier)->retry_single);
    CHECK_STR(last.sqlstate, "23505");
    check_scalar(&target, "SELECT count(*) FROM a", "1"); /* the whole group is gone */
    check_counts("a", "0 0 0 0");
    check_progress();
    CHECK_TRUE(!feed_once(false));
    CHECK_TRUE(!applier_status(applier)->retry_single);
    CHECK_INT(last.code, ERR_CONFLICT);
    CHECK_TRUE(!last.retryable);
    CHECK_STR(last.sqlstate, "23505");
    CHECK_CONTAINS(last.message, "could not apply INSERT of table public.a (id)=(13) (source transaction ");
    CHECK_STR(applier_status(applier)->failure.key, "(id)=(13)");
    CHECK_STR(applier_status(applier)->failure.kind, "INSERT");
    CHECK_STR(applier_status(applier)->failure.table, "public.a");
    check_scalar(&target, "SELECT count(*) FROM a WHERE v = 'source'", "12");
    check_counts("a", "12 0 0 0");
    CHECK_INT(applier_status(applier)->transactions, 12);
    check_progress();
    CHECK_TRUE(!feed(true)); /* still there */
    check_scalar(&target, "SELECT count(*) FROM a WHERE v = 'source'", "12");
    run(&target, "DELETE FROM a WHERE v = 'planted'");
    sync_now(false);
    check_same();
    check_counts("a", "20 0 0 0");
    check_progress();
}

/* One row of a batch is bad: the second time its error is the row's own. */
static void test_batch_failure(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    src("INSERT INTO a SELECT g, 'source' FROM generate_series(1, 200) g");
    src("INSERT INTO a SELECT g, 'source' FROM generate_series(201, 400) g");
    run(&target, "INSERT INTO a VALUES (301, 'planted')");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed_once(true));
    CHECK_TRUE(applier_status(applier)->retry_single);
    check_scalar(&target, "SELECT count(*) FROM a WHERE v = 'source'", "200");
    CHECK_TRUE(!feed_once(true));
    CHECK_TRUE(!applier_status(applier)->retry_single);
    CHECK_STR(applier_status(applier)->failure.key, "(id)=(301)");
    check_counts("a", "200 0 0 0");
    run(&target, "DELETE FROM a WHERE v = 'planted'");
    sync_now(true);
    check_same();
    check_counts("a", "400 0 0 0");
}

static bool feed_pass(void)
{
    struct change change = CHANGE_INIT;
    lsn_t from, until;
    bool ok = applier_wants_catch_up(applier, &from) && applier_begin_catch_up(applier, &until, &last);

    for (size_t i = 0; ok && i < message_count; i++) {
        ok = feed_one(&messages[i], &change);
        if (change.kind == CHANGE_COMMIT && change.end_lsn >= until)
            break;
    }
    change_release(&change);
    return ok && applier_end_catch_up(applier, &last);
}

/* As the worker does, until nothing is left that can be settled. */
static void sync_settling(void)
{
    lsn_t from;

    for (int i = 0; i < 10 && (!feed_once(false) || applier_wants_catch_up(applier, &from)); i++) {
        if (!err_is_set(&last) && feed_pass())
            continue;
        CHECK_TRUE(applier_status(applier)->retry_single);
        if (!applier_status(applier)->retry_single)
            complain("settle", &last);
        err_clear(&last);
    }
    CHECK_TRUE(!err_is_set(&last));
}

/* L2: a conflict stops its table alone; after mending it goes on without loss, as often as it takes. */
static void test_stopped_table(void)
{
    lsn_t from;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text)");
    begin_stream();
    for (int i = 1; i <= 20; i++) {
        char *sql = xasprintf("BEGIN; INSERT INTO a VALUES (%d, 'source'); INSERT INTO b VALUES (%d, 'b'); COMMIT", i, i);
        src(sql);
        free(sql);
    }
    run(&target, "INSERT INTO a VALUES (7, 'planted'), (13, 'planted')");
    CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.on_conflict = APPLIER_STOPS_TABLE}));
    fetch();
    sync_settling();
    check_counts("a", "6 0 0 0");
    check_counts("b", "20 0 0 0");
    check_progress();
    check_scalar(&target, "SELECT format('%s %s %s %s %s %s', kind, key, row_values->'new'->>'v', resolution, sqlstate, message LIKE '%(id)=(7)%') "
                 "FROM pgcutover.conflicts", "INSERT (id)=(7) source stopped 23505 t");
    check_scalar(&target, "SELECT (stopped->>'sqlstate') || (behind_lsn < (SELECT end_lsn FROM pgcutover.progress WHERE lane = 0)) FROM pgcutover.tables "
                 "WHERE source_table = 'a'", "23505true");
    CHECK_TRUE(!applier_wants_catch_up(applier, &from));
    CHECK_TRUE(applier_status(applier)->needed_lsn < applier_status(applier)->applied_lsn);
    struct applier_table t;
    bool told = false;
    while (applier_next_changed(applier, &t))
        told = told || (strcmp(t.target_name, "a") == 0 && t.stopped && t.is_behind && t.conflicts == 1);
    CHECK_TRUE(told);
    /* What comes meanwhile waits, also for an applier that begins anew, and a definition that changes. */
    src("INSERT INTO a VALUES (21, 'later'); INSERT INTO b VALUES (21, 'later'); ALTER TABLE a ADD n int; UPDATE a SET n = id, v = v || '.'");
    run(&target, "ALTER TABLE a ADD n int");
    CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.on_conflict = APPLIER_STOPS_TABLE}));
    fetch();
    sync_settling();
    check_scalar(&target, "SELECT (SELECT count(*) FROM a) || ' ' || (SELECT count(*) FROM b)", "8 21");
    /* One of the two is mended. */
    run(&target, "DELETE FROM a WHERE id = 7");
    CHECK_TRUE(applier_retry_stopped(applier, &last));
    CHECK_TRUE(applier_wants_catch_up(applier, &from));
    sync_settling();
    check_counts("a", "12 0 0 0");
    check_scalar(&target, "SELECT count(*) || max(key) FROM pgcutover.conflicts", "2(id)=(7)");
    run(&target, "DELETE FROM a WHERE v = 'planted'");
    CHECK_TRUE(applier_retry_stopped(applier, &last));
    sync_settling();
    check_same();
    check_counts("a", "21 21 0 0");
    check_scalar(&target, "SELECT count(*) FROM pgcutover.tables WHERE behind_lsn IS NOT NULL OR stopped IS NOT NULL", "0");
    CHECK_TRUE(applier_status(applier)->needed_lsn == applier_status(applier)->applied_lsn);
    src("DELETE FROM a WHERE id > 15; UPDATE b SET v = 'in the stream again'");
    fetch();
    sync_settling();
    check_same();
    check_counts("a", "21 21 6 0");
}

static void make_conflicts(enum applier_policy policy)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY, e int UNIQUE)");
    begin_stream();
    src("INSERT INTO a SELECT g, 'source' FROM generate_series(1, 20) g");
    src("BEGIN; INSERT INTO b VALUES (1, 'x'); INSERT INTO a VALUES (30, 'source'); UPDATE a SET v = 'new' WHERE id = 5; DELETE FROM a WHERE id = 6; INSERT INTO b VALUES (2, 'x'); INSERT INTO u VALUES (1, 1); COMMIT");
    src("INSERT INTO b VALUES (3, 'x')");
    run(&target, "INSERT INTO a VALUES (7, 'planted')");
    CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.on_conflict = policy}));
    fetch();
    sync_settling();
}

static void test_skip(void)
{
    make_conflicts(APPLIER_SKIPS);
    check_scalar(&target, "SELECT string_agg(format('%s %s %s %s', kind, key, resolution, sqlstate), ';' ORDER BY id) FROM pgcutover.conflicts",
                 "INSERT (id)=(7) skipped 23505");
    check_scalar(&target, "SELECT v FROM a WHERE id = 7", "planted");
    check_counts("a", "20 1 1 0"); /* what is counted is there */
    check_counts("b", "3 0 0 0");
    run(&target, "DELETE FROM a WHERE id IN (1, 2)");
    src("BEGIN; UPDATE a SET v = 'z' WHERE id = 1; DELETE FROM a WHERE id = 2; UPDATE a SET v = 'z' WHERE id = 3; COMMIT");
    fetch();
    sync_settling();
    check_scalar(&target, "SELECT string_agg(format('%s %s %s %s', kind, key, resolution, sqlstate), ';' ORDER BY id) FROM pgcutover.conflicts",
                 "INSERT (id)=(7) skipped 23505;UPDATE (id)=(1) skipped ;DELETE (id)=(2) skipped ");
    check_scalar(&target, "SELECT v FROM a WHERE id = 3", "z");
    check_counts("a", "20 2 1 0");
    struct applier_table t;
    int64_t conflicts = 0;
    while (applier_next_changed(applier, &t))
        conflicts += t.conflicts;
    CHECK_INT(conflicts, 3);
    sync_settling(); /* fed again: nothing twice */
    check_scalar(&target, "SELECT count(*) FROM pgcutover.conflicts", "3");
}

static void test_upsert(void)
{
    make_conflicts(APPLIER_UPSERTS);
    check_same();
    check_counts("a", "21 1 1 0");
    run(&target, "DELETE FROM a WHERE id IN (1, 2)");
    src("BEGIN; UPDATE a SET v = 'z' WHERE id = 1; DELETE FROM a WHERE id = 2; UPDATE a SET v = 'z' WHERE id = 3; COMMIT");
    fetch();
    sync_settling();
    check_same();
    check_scalar(&target, "SELECT string_agg(format('%s %s %s %s', kind, key, resolution, sqlstate), ';' ORDER BY id) FROM pgcutover.conflicts",
                 "INSERT (id)=(7) upserted 23505;UPDATE (id)=(1) upserted ;DELETE (id)=(2) upserted ");
    check_counts("a", "21 3 2 0");
    /* Another unique index is in the way: no row of this key is there to be updated. */
    run(&target, "INSERT INTO u VALUES (99, 5)");
    src("INSERT INTO u VALUES (5, 5); INSERT INTO b VALUES (4, 'goes on')");
    fetch();
    sync_settling();
    check_scalar(&target, "SELECT (SELECT stopped IS NOT NULL FROM pgcutover.tables WHERE source_table = 'u') || ' ' || count(*) FROM b", "true 4");
    run(&target, "DELETE FROM u WHERE id = 99");
    CHECK_TRUE(applier_retry_stopped(applier, &last));
    sync_settling();
    check_same();
}

/* Rows that are changed again and again, keys that move, tables with more than one unique index, identity FULL:
 * as on the source, over several lanes, in groups of every size. */
static void test_merged(void)
{
    static const int64_t sizes[] = {1, 7, 100, 0};

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin_test();
        both("CREATE TABLE m (id int PRIMARY KEY, n int, t text); CREATE TABLE u (id int PRIMARY KEY, email text UNIQUE, n int);"
             "CREATE TABLE f (a int, b text); CREATE TABLE h (id bigserial, who int);"
             "CREATE TABLE big (id int PRIMARY KEY, n int, big text); ALTER TABLE big ALTER big SET STORAGE EXTERNAL;"
             "CREATE TABLE num (k numeric PRIMARY KEY, v int); CREATE TABLE ex (id int PRIMARY KEY, r int4range, EXCLUDE USING gist (r WITH &&))");
        src("ALTER TABLE f REPLICA IDENTITY FULL; ALTER TABLE h REPLICA IDENTITY FULL; ALTER TABLE u REPLICA IDENTITY FULL");
        begin_stream();
        src("INSERT INTO m SELECT g, 0, 'm' FROM generate_series(1, 50) g; INSERT INTO u SELECT g, 'e' || g, 0 FROM generate_series(1, 20) g;"
            "INSERT INTO f SELECT g / 3, 'same' FROM generate_series(1, 30) g; INSERT INTO big SELECT g, 0, repeat(md5(g::text), 500) FROM generate_series(1, 5) g;"
            "INSERT INTO num VALUES (1.0, 1), (2.00, 2); INSERT INTO ex SELECT g, int4range(g, g + 1) FROM generate_series(1, 10) g");
        for (int round = 0; round < 12; round++) {
            char *sql = xasprintf("BEGIN; UPDATE m SET n = n + 1 WHERE id %% 3 = %d %% 3; DELETE FROM m WHERE id = %d; INSERT INTO m VALUES (%d, %d, 'new'); UPDATE m SET t = t || '.' WHERE id = %d;"
                "INSERT INTO h (who) VALUES (%d); UPDATE u SET email = NULL WHERE id = 1; UPDATE u SET email = 'e1' WHERE id = %d; UPDATE u SET email = 'x' || id, n = n + 1; UPDATE u SET email = 'e' || id;"
                "UPDATE big SET n = n + 1 WHERE id %% 2 = %d %% 2; UPDATE big SET big = repeat('z', 3000 + %d) WHERE id = 3; COMMIT", round, round + 5, round + 5, round, round + 5, round, round % 5 + 2, round, round);
            src(sql);
            free(sql);
            src("DELETE FROM f WHERE ctid = (SELECT min(ctid) FROM f); UPDATE f SET b = b || 'x' WHERE ctid = (SELECT max(ctid) FROM f)");
            src("BEGIN; UPDATE m SET id = -1 WHERE id = 1; UPDATE m SET id = 1 WHERE id = 2; UPDATE m SET id = 2 WHERE id = -1; UPDATE m SET n = 0 WHERE id = 1; COMMIT");
            src("BEGIN; INSERT INTO m VALUES (1000, 1, 'gone'); UPDATE m SET n = 2 WHERE id = 1000; DELETE FROM m WHERE id = 1000; COMMIT");
            src("UPDATE num SET k = CASE k WHEN 1 THEN 1.000 ELSE k END, v = v + 1; DELETE FROM num WHERE k = 2; INSERT INTO num VALUES (2.0, 7)");
            src("UPDATE ex SET r = int4range(id + 100, id + 101) WHERE id > 5; UPDATE ex SET r = int4range(id + 1, id + 2) WHERE id = 5; UPDATE ex SET r = int4range(id, id + 1) WHERE id = 5; UPDATE ex SET r = int4range(id, id + 1)");
        }
        open_applier(sizes[i]);
        sync_now(false);
        check_same();
        check_progress();
    }
}

/* Some lanes have committed a group and lane 0 has not: what is missing comes, and nothing twice, whatever the
 * number of lanes is by then. */
static void test_half(void)
{
    for (int later = 1; later <= 4; later++) {
        begin_test();
        both("CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE u (id int PRIMARY KEY, e int UNIQUE); CREATE TABLE h (v int)");
        src("ALTER TABLE h REPLICA IDENTITY FULL");
        begin_stream();
        src("INSERT INTO a SELECT g, 0 FROM generate_series(1, 300) g; INSERT INTO u SELECT g, g FROM generate_series(1, 50) g");
        CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.lanes = 3}));
        sync_now(false);
        for (int i = 0; i < 10; i++)
            src("UPDATE a SET n = n + 1; INSERT INTO h SELECT generate_series(1, 20); DELETE FROM a WHERE id = (SELECT max(id) FROM a); UPDATE u SET e = -e; UPDATE u SET e = 1 - e");
        run(&target, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'not this one'; END$$;"
            "CREATE CONSTRAINT TRIGGER no AFTER UPDATE ON pgcutover.progress DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.lane = 0) EXECUTE PROCEDURE no();"
            "ALTER TABLE pgcutover.progress ENABLE ALWAYS TRIGGER no");
        fetch();
        CHECK_TRUE(!feed_once(false));
        CHECK_CONTAINS(last.message, "not this one");
        check_counts("a", "300 0 0 0");
        check_scalar(&target, "SELECT count(*) > 0 FROM pgcutover.progress p WHERE lane > 0 AND end_lsn > (SELECT end_lsn FROM pgcutover.progress WHERE lane = 0)", "t");
        CHECK_TRUE(!feed_once(false)); /* the same lanes, with what they have */
        run(&target, "DROP TRIGGER no ON pgcutover.progress");
        /* Longer than several lanes would wait for a lock: there is no other way than to wait. */
        struct conn holder = CONN_INIT;
        pair_open(&holder, SIDE_TARGET, (struct conn_options){0});
        if (later == 3) {
            run(&holder, "BEGIN; LOCK TABLE public.a");
            CHECK_TRUE(PQsendQuery(holder.pg, "SELECT pg_sleep(4); COMMIT"));
        }
        if (later < 4) /* 4: the applier that saw it */
            CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.lanes = later}));
        src("INSERT INTO a VALUES (1000, 1)");
        sync_now(false);
        check_same();
        check_counts("a", "301 2955 10 0");
        check_counts("h", "200 0 0 0");
        check_progress();
        conn_close(&holder);
    }
}

/* A transaction that is larger than any group goes in pieces: nothing of it is seen before its end. */
static void test_pieces(void)
{
    struct change change = CHANGE_INIT;
    bool ok = true;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, t text)");
    begin_stream();
    src("INSERT INTO a VALUES (0, 'before')");
    src("BEGIN; INSERT INTO a SELECT g, 'x' FROM generate_series(1, 2000) g; UPDATE a SET t = 'y' WHERE id % 2 = 0; UPDATE a SET id = id + 10000 WHERE id % 100 = 0; DELETE FROM a WHERE id % 3 = 0; COMMIT");
    src("UPDATE a SET t = 'behind' WHERE id = 1");
    fetch();
    open_applier(50);
    for (size_t i = 0; ok && i + 5 < message_count; i++)
        ok = feed_one(&messages[i], &change);
    CHECK_TRUE(ok);
    change_release(&change);
    check_scalar(&target, "SELECT count(*) FROM a", "0"); /* all of the group, or nothing */
    open_applier(50);
    sync_now(false);
    check_same();
    CHECK_INT(applier_status(applier)->transactions, 3);
}

/* Asked to stop: nothing hangs, nothing half is left, another applier goes on. */
static void test_stop(void)
{
    struct change change = CHANGE_INIT;
    bool ok = true;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    src("INSERT INTO a SELECT g, 'x' FROM generate_series(1, 5000) g; UPDATE a SET v = 'y'");
    fetch();
    open_applier(0);
    stop_catch_signals(false);
    for (size_t i = 0; ok && i < message_count; i++) {
        if (i == 4000)
            raise(SIGTERM);
        ok = feed_one(&messages[i], &change);
    }
    CHECK_TRUE(!ok);
    CHECK_INT(last.code, ERR_STOPPED);
    change_release(&change);
    close_applier();
    stop_catch_signals(false); /* forgets the request */
    check_scalar(&target, "SELECT count(*) FROM a", "0");
    open_applier(0);
    sync_now(true);
    check_same();
}

static void test_missing_rows(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE f (v text); INSERT INTO a VALUES (1, 'x'), (2, 'y'); INSERT INTO f VALUES ('x')");
    src("ALTER TABLE f REPLICA IDENTITY FULL");
    begin_stream();
    src("UPDATE a SET v = 'z' WHERE id = 1");
    run(&target, "DELETE FROM a WHERE id = 1");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed(true));
    CHECK_INT(last.code, ERR_CONFLICT);
    CHECK_CONTAINS(last.message, "could not apply UPDATE of table public.a (id)=(1)");
    CHECK_CONTAINS(last.message, "it hit no rows on the target instead of one");
    CHECK_TRUE(last.hint != NULL);
    run(&target, "INSERT INTO a VALUES (1, 'x')");
    sync_now(true);
    check_same();
    src("DELETE FROM f");
    run(&target, "DELETE FROM f");
    fetch();
    CHECK_TRUE(!feed(true));
    CHECK_CONTAINS(last.message, "could not apply DELETE of table public.f (v)=(x)");
    run(&target, "INSERT INTO f VALUES ('x')");
    sync_now(true);
    check_same();
    src("DELETE FROM a WHERE id = 2");
    run(&target, "ALTER TABLE a DROP CONSTRAINT a_pkey; INSERT INTO a VALUES (2, 'twice')");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed(true));
    CHECK_CONTAINS(last.message, "it hit 2 rows on the target instead of one");
    check_scalar(&target, "SELECT count(*) FROM a WHERE id = 2", "2");
}

static void test_trigger_raises(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    run(&target, "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id = 5 THEN RAISE 'not five'; END IF; RETURN NEW; END$$;"
        "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE PROCEDURE no(); ALTER TABLE a ENABLE ALWAYS TRIGGER t");
    begin_stream();
    src("INSERT INTO a SELECT g, 'x' FROM generate_series(1, 3) g");
    src("INSERT INTO a SELECT g, 'x' FROM generate_series(4, 6) g");
    src("INSERT INTO a VALUES (7, 'y')");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_STR(last.sqlstate, "P0001");
    CHECK_CONTAINS(last.message, "not five");
    check_scalar(&target, "SELECT count(*) FROM a", "3");
    check_progress();
    run(&target, "CREATE OR REPLACE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.id = 5 THEN RETURN NULL; END IF; RETURN NEW; END$$");
    CHECK_TRUE(!feed(false)); /* a row swallowed without a word is seen too */
    CHECK_CONTAINS(last.message, "could not apply INSERT of table public.a (id)=(5)");
    CHECK_CONTAINS(last.message, "it hit no rows");
    check_scalar(&target, "SELECT count(*) FROM a", "3");
    run(&target, "ALTER TABLE a DISABLE TRIGGER t");
    sync_now(false);
    check_same();
}

static void test_interleaved(void)
{
    struct conn others[10];

    begin_test();
    both("CREATE TABLE a (id serial PRIMARY KEY, who int, n int); CREATE TABLE last_writer (id int PRIMARY KEY, who int)");
    src("INSERT INTO last_writer VALUES (1, 0)");
    run(&target, "INSERT INTO last_writer VALUES (1, 0)");
    begin_stream();
    for (int i = 0; i < 10; i++) {
        open_conn(&others[i], &source_info, SIDE_SOURCE, CONN_PLAIN);
        run(&others[i], "SET search_path = public; BEGIN");
        char *sql = xasprintf("INSERT INTO a (who, n) VALUES (%d, 1)", i);
        run(&others[i], sql);
        free(sql);
    }
    for (int round = 0; round < 10; round++)
        for (int i = 0; i < 10; i++) {
            int who = (i * 7 + round) % 10;
            char *sql = xasprintf("INSERT INTO a (who, n) VALUES (%d, 2); UPDATE a SET n = n + 1 WHERE who = %d", who, who);
            run(&others[who], sql);
            free(sql);
        }
    for (int i = 9; i >= 0; i--) { /* commit in another order than begun */
        char *sql = xasprintf("UPDATE last_writer SET who = %d; COMMIT", i);
        run(&others[i], sql);
        free(sql);
        conn_close(&others[i]);
    }
    open_applier(0);
    sync_now(false);
    check_same();
    check_scalar(&target, "SELECT who FROM last_writer", "0");
    CHECK_INT(applier_status(applier)->transactions, 10);
}

static void test_savepoints(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    src("BEGIN; INSERT INTO a VALUES (1, 'x'); SAVEPOINT s; INSERT INTO a VALUES (2, 'y'); SAVEPOINT t; UPDATE a SET v = 'no';"
        " ROLLBACK TO t; INSERT INTO a VALUES (3, 'z'); ROLLBACK TO s; INSERT INTO a VALUES (4, 'w'); RELEASE s; COMMIT");
    src("BEGIN; INSERT INTO a VALUES (9, 'rolled back'); ROLLBACK");
    open_applier(0);
    sync_now(true);
    check_same();
    check_counts("a", "2 0 0 0");
}

static void test_copy(void)
{
    begin_test();
    both("CREATE TABLE a (id int, v text, PRIMARY KEY (id))");
    begin_stream();
    struct err err = ERR_INIT;
    int64_t rows = 0;
    CHECK_TRUE(copy_in_begin(&source, "COPY a FROM STDIN", &err));
    for (int i = 0; i < 1000; i++) {
        char *row = xasprintf("%d\tvalue %d\n", i, i);
        CHECK_TRUE(copy_in_put(&source, row, (int)strlen(row), &err));
        free(row);
    }
    CHECK_TRUE(copy_in_end(&source, &rows, &err));
    CHECK_INT(rows, 1000);
    open_applier(0);
    sync_now(true);
    check_scalar(&target, "SELECT count(*) FROM a", "1000");
    check_counts("a", "1000 0 0 0");
    check_same();
}

/* The applier's session is ended at many places of the stream; a new one goes on, exactly once. */
static void test_killed(void)
{
    struct change change = CHANGE_INIT;
    int killed = 0;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, n int); CREATE TABLE log (id int, v text)");
    src("ALTER TABLE log REPLICA IDENTITY FULL");
    begin_stream();
    for (int i = 0; i < 30; i++) {
        char *sql = xasprintf("BEGIN; INSERT INTO a VALUES (%d, 0); UPDATE a SET n = n + 1 WHERE id %% 3 = %d %% 3; INSERT INTO log SELECT 1, 'same' FROM generate_series(1, 3); COMMIT", i, i);
        src(sql);
        free(sql);
    }
    fetch();
    for (size_t stop = 5; stop < message_count; stop += 37) {
        open_applier(25);
        char *sql = xasprintf("SELECT pg_terminate_backend(%d)", PQbackendPID(writer.pg));
        bool ok = true;
        for (size_t i = 0; ok && i < message_count; i++) {
            if (i == stop)
                run(&target, sql);
            ok = feed_one(&messages[i], &change);
        }
        ok = ok && applier_flush(applier, &last);
        killed += !ok;
        CHECK_TRUE(ok || last.retryable);
        CHECK_TRUE(ok || !applier_status(applier)->retry_single);
        err_clear(&last);
        free(sql);
    }
    change_release(&change);
    CHECK_TRUE(killed > 3);
    open_applier(25);
    sync_now(false);
    check_same();
    check_counts("a", "30 165 0 0");
    check_counts("log", "90 0 0 0");
    check_progress();
}

static void test_selection(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE later (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE unloaded (id int PRIMARY KEY)");
    begin_stream();
    run(&target, "UPDATE pgcutover.tables SET mode = 'at-cutover' WHERE source_table = 'later';"
        "DELETE FROM pgcutover.tables WHERE source_table = 'other';"
        "UPDATE pgcutover.tables SET loaded = false, epoch_lsn = NULL WHERE source_table = 'unloaded'");
    open_applier(0);
    src("INSERT INTO a VALUES (1); INSERT INTO later VALUES (1); INSERT INTO other VALUES (1)");
    sync_now(true);
    check_scalar(&target, "SELECT (SELECT count(*) FROM a) || ' ' || (SELECT count(*) FROM later) || ' ' || (SELECT count(*) FROM other)", "1 0 0");
    CHECK_INT(applier_status(applier)->ignored, 2);
    lsn_t before = applier_status(applier)->applied_lsn;
    src("INSERT INTO other VALUES (2)"); /* nothing for us: the position may pass, without a commit */
    sync_now(true);
    CHECK_TRUE(applier_status(applier)->applied_lsn == before);
    CHECK_TRUE(applier_status(applier)->passed_lsn > before);
    CHECK_INT(applier_status(applier)->groups, 1);
    check_progress();
    src("BEGIN; INSERT INTO a VALUES (2); INSERT INTO unloaded VALUES (1); COMMIT");
    fetch();
    CHECK_TRUE(!feed(true));
    CHECK_INT(last.code, ERR_PREREQUISITE);
    CHECK_TRUE(last.retryable);
    CHECK_CONTAINS(last.message, "target table public.unloaded has changes to apply and is not loaded yet");
    check_scalar(&target, "SELECT count(*) FROM a", "1");
    /* Loaded now, its snapshot has the row: the change is covered, the rest of its transaction is not. */
    char *lsn = scalar(&source, "SELECT pg_current_wal_insert_lsn()");
    char *sql = xasprintf("INSERT INTO unloaded VALUES (1); UPDATE pgcutover.tables SET loaded = true, epoch_lsn = '%s' WHERE source_table = 'unloaded'", lsn);
    run(&target, sql);
    free(sql);
    free(lsn);
    src("INSERT INTO unloaded VALUES (2)");
    fetch();
    CHECK_TRUE(feed(true));
    check_scalar(&target, "SELECT count(*) FROM unloaded", "2");
    check_counts("unloaded", "1 0 0 0");
    check_counts("a", "2 0 0 0");
    CHECK_INT(applier_status(applier)->covered, 1);
}

/* A table loaded again while a group is open: the group fails as a whole, then skips what the new
 * snapshot has. */
static void test_loaded_again(void)
{
    struct change change = CHANGE_INIT;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text)");
    begin_stream();
    src("INSERT INTO a VALUES (1, 'x')");
    src("INSERT INTO a VALUES (2, 'y')");
    fetch();
    open_applier(0);
    bool ok = true;
    for (size_t i = 0; ok && i < message_count; i++)
        ok = feed_one(&messages[i], &change);
    CHECK_TRUE(ok);
    change_release(&change);
    char *lsn = scalar(&source, "SELECT pg_current_wal_insert_lsn()");
    char *sql = xasprintf("UPDATE pgcutover.tables SET epoch_lsn = '%s'", lsn);
    run(&target, sql);
    free(sql);
    free(lsn);
    CHECK_TRUE(!applier_flush(applier, &last));
    CHECK_TRUE(last.retryable);
    check_scalar(&target, "SELECT count(*) FROM a", "0");
    run(&target, "INSERT INTO a VALUES (1, 'x'), (2, 'y')"); /* the load */
    src("UPDATE a SET v = 'z'");
    sync_now(false);
    check_same();
    check_counts("a", "0 2 0 0");
}

static void test_schema_changes(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY)");
    begin_stream();
    open_applier(0);
    src("INSERT INTO a VALUES (1, 'x')");
    src("ALTER TABLE a ADD COLUMN n int");
    src("INSERT INTO a VALUES (2, 'y', 7)");
    src("INSERT INTO b VALUES (1)");
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_INT(last.code, ERR_CONFLICT);
    CHECK_CONTAINS(last.message, "target table public.a has no column \"n\"");
    CHECK_CONTAINS(last.detail, "Source: (id integer, v text, n integer). Target: (id integer, v text).");
    CHECK_CONTAINS(last.hint, "ALTER TABLE public.a ADD COLUMN \"n\" integer");
    CHECK_STR(applier_status(applier)->failure.table, "public.a");
    check_scalar(&target, "SELECT (SELECT count(*) FROM a) || ' ' || (SELECT count(*) FROM b)", "1 0");
    run(&target, "ALTER TABLE a ADD COLUMN n int");
    sync_now(false);
    check_same();
    src("ALTER TABLE a DROP COLUMN v; UPDATE a SET n = 1 WHERE id = 1");
    src("ALTER TABLE a RENAME n TO m; UPDATE a SET m = 2 WHERE id = 1");
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_CONTAINS(last.message, "has no column \"m\"");
    check_scalar(&target, "SELECT n FROM a WHERE id = 1", "1");
    run(&target, "ALTER TABLE a RENAME n TO m");
    sync_now(false);
    check_same();
    /* Columns that change their type are only refused where both sides began alike. */
    close_applier();
    CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.same_types = true}));
    src("ALTER TABLE a ALTER m TYPE numeric(10,2); UPDATE a SET m = 2.5 WHERE id = 1");
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_CONTAINS(last.message, "column \"m\" of target table public.a has another type than on the source");
    CHECK_CONTAINS(last.hint, "ALTER TABLE public.a ALTER COLUMN \"m\" TYPE numeric(10,2)");
    run(&target, "ALTER TABLE a ALTER m TYPE numeric(10,2)");
    sync_now(false);
    check_same();
    src("DROP TABLE b; CREATE TABLE b (id int PRIMARY KEY, x int); INSERT INTO b VALUES (5, 5)");
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_CONTAINS(last.message, "was dropped and created again");
    CHECK_TRUE(!feed(false));
    run(&target, "DROP TABLE a");
    open_applier(0);
    src("UPDATE a SET m = 9");
    forget_messages();
    fetch();
    CHECK_TRUE(!feed(false));
}

static void test_narrower_target(void)
{
    begin_test();
    src("CREATE TABLE a (id int PRIMARY KEY, v varchar(10), b bit varying)");
    run(&target, "CREATE TABLE a (id int PRIMARY KEY, v varchar(5), b bit(3))");
    begin_stream();
    src("INSERT INTO a VALUES (1, 'short', '101')");
    src("INSERT INTO a VALUES (2, 'too long', '101')");
    open_applier(0);
    fetch();
    CHECK_TRUE(!feed(true)); /* never cut off */
    CHECK_STR(last.sqlstate, "22001");
    CHECK_INT(last.code, ERR_CONFLICT);
    check_scalar(&target, "SELECT string_agg(v || b, ',') FROM a", "short101");
}

static void test_lock(void)
{
    struct applier_options options = {.lock_timeout_ms = 300};
    struct conn second = CONN_INIT;
    struct err err = ERR_INIT;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY)");
    begin_stream();
    open_applier(0);
    open_conn(&second, &target_info, SIDE_TARGET, CONN_WRITER);
    CHECK_TRUE(!applier_open(&second, &options, &err));
    CHECK_INT(err.code, ERR_TIMEOUT);
    CHECK_TRUE(err.retryable);
    char *pid = xasprintf("pid %d (pgcutover:test", PQbackendPID(writer.pg));
    CHECK_CONTAINS(err.message, pid);
    free(pid);
    err_clear(&err);
    applier_close(applier); /* lets the lock go, the session lives on */
    applier = NULL;
    check_scalar(&writer, "SELECT 1", "1");
    struct applier *other = applier_open(&second, &options, &err);
    CHECK_TRUE(other != NULL);
    if (!other)
        complain("open", &err);
    applier_close(other);
    conn_close(&second);
}

static void test_no_replica_role(void)
{
    struct conninfo info = CONNINFO_INIT;

    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY, v int); CREATE TABLE b (id int PRIMARY KEY, u int UNIQUE DEFERRABLE)");
    run(&target, "DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN; GRANT ALL ON SCHEMA pgcutover, public TO plain;"
        "GRANT ALL ON ALL TABLES IN SCHEMA pgcutover, public TO plain;"
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;"
        "CREATE TRIGGER \"Tr\" BEFORE INSERT ON a FOR EACH ROW EXECUTE PROCEDURE f()");
    begin_stream();
    src("INSERT INTO b VALUES (1, 1), (2, 2), (3, 3); UPDATE b SET u = u + 1");
    src("INSERT INTO a VALUES (1, 1)");
    conninfo_copy(&info, &target_info);
    conninfo_set(&info, "user", "plain");
    CHECK_TRUE(open_applier_as(&info, (struct applier_options){0}));
    CHECK_TRUE(!writer.replica_role);
    fetch();
    CHECK_TRUE(!feed(false));
    CHECK_INT(last.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(last.message, "target table public.a has trigger \"Tr\", which would act on applied changes");
    CHECK_CONTAINS(last.hint, target.version >= 150000 ? "GRANT SET ON PARAMETER session_replication_role TO \"plain\""
                                                       : "Apply as a superuser");
    check_scalar(&target, "SELECT string_agg(u::text, ',' ORDER BY id) FROM b", "2,3,4");
    run(&target, "ALTER TABLE a DISABLE TRIGGER \"Tr\"");
    sync_now(false);
    check_same();
    close_applier();
    run(&target, "DROP OWNED BY plain; DROP ROLE plain");
    conninfo_release(&info);
}

static void test_many_tables(void)
{
    struct buf sql = BUF_INIT;

    begin_test();
    for (int i = 0; i < 40; i++)
        buf_addf(&sql, "CREATE TABLE t%d (id int PRIMARY KEY, v text);", i);
    both(sql.data);
    begin_stream();
    buf_clear(&sql);
    for (int round = 0; round < 3; round++)
        for (int i = 0; i < 40; i++)
            buf_addf(&sql, "INSERT INTO t%d VALUES (%d, 'x'); UPDATE t%d SET v = 'y' WHERE id = %d;", i, round, i, round);
    src(sql.data);
    buf_release(&sql);
    CHECK_TRUE(open_applier_as(&target_info, (struct applier_options){.max_statements = 7}));
    sync_now(false);
    check_same();
}

static void test_idle(void)
{
    begin_test();
    both("CREATE TABLE a (id int PRIMARY KEY)");
    begin_stream();
    open_applier(0);
    src("INSERT INTO a VALUES (1)");
    src("SELECT pg_logical_emit_message(true, 'pgcutover', 'heartbeat')");
    src("SELECT pg_logical_emit_message(false, 'pgcutover', 'heartbeat')");
    sync_now(true);
    CHECK_TRUE(applier_status(applier)->passed_lsn > applier_status(applier)->applied_lsn);
    lsn_t mark = applier_status(applier)->passed_lsn + 1000;
    applier_mark(applier, mark);
    CHECK_TRUE(applier_status(applier)->passed_lsn == mark);
    applier_mark(applier, 1);
    CHECK_TRUE(applier_status(applier)->passed_lsn == mark);
    check_progress();
}

/* --- main --- */

static bool use_servers(void)
{
    const char *source_uri = getenv("PGC_TEST_SOURCE");
    const char *target_uri = getenv("PGC_TEST_TARGET");
    struct err err = ERR_INIT;

    if (!source_uri || !target_uri)
        return false;
    if (!conninfo_parse(&source_info, source_uri, &err) || !conninfo_parse(&target_info, target_uri, &err))
        exit(1);
    open_conn(&source, &source_info, SIDE_SOURCE, CONN_READER);
    open_conn(&target, &target_info, SIDE_TARGET, CONN_READER);
    return true;
}

int main(void)
{
    lanes = getenv("PGC_TEST_LANES") ? atoi(getenv("PGC_TEST_LANES")) : 1;
    static const struct unit_test tests[] = {
        {"basics", test_basics},
        {"groups", test_groups},
        {"types", test_types},
        {"types under identity full", test_types_full},
        {"identity full, other bytes", test_full_other_image},
        {"identity full, duplicates", test_full_duplicates},
        {"identity full, key on the target", test_full_with_target_key},
        {"keys", test_keys},
        {"key changes", test_key_changes},
        {"TOAST", test_toast},
        {"a large value", test_big_value},
        {"names and shapes", test_shapes},
        {"1,600 columns", test_wide},
        {"partitioned target", test_partitioned_target},
        {"TRUNCATE", test_truncate},
        {"planted duplicate", test_planted_duplicate},
        {"a bad row in a batch", test_batch_failure},
        {"missing rows", test_missing_rows},
        {"a trigger that raises", test_trigger_raises},
        {"interleaved transactions", test_interleaved},
        {"savepoints", test_savepoints},
        {"COPY", test_copy},
        {"session killed", test_killed},
        {"stop", test_stop},
        {"conflicts skipped", test_skip},
        {"conflicts made to fit", test_upsert},
        {"merged and ordered", test_merged},
        {"a group that is there by half", test_half},
        {"a transaction in pieces", test_pieces},
        {"a conflict stops its table alone", test_stopped_table},
        {"selection and epochs", test_selection},
        {"loaded again", test_loaded_again},
        {"schema changes", test_schema_changes},
        {"narrower target", test_narrower_target},
        {"lock", test_lock},
        {"no replica role", test_no_replica_role},
        {"more tables than statements", test_many_tables},
        {"idle source", test_idle},
        {NULL, NULL},
    };

    if (!use_servers()) {
        puts("SKIP: PGC_TEST_SOURCE and PGC_TEST_TARGET are not set");
        return 77;
    }
    int status = unit_main("apply on servers", tests);
    close_applier();
    forget_messages();
    free(messages);
    err_clear(&last);
    conn_close(&source);
    conn_close(&target);
    return status;
}
