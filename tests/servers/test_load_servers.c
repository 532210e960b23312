/* The load on two real servers: publication, replica identity, slot, copies and their failures. */
#include "pair.h"

#include <unistd.h>

#include "load/copy_table.h"
#include "load/publication.h"
#include "load/slot.h"
#include "load/snapshot.h"
#include "pg/repl.h"
#include "sql/sql.h"

static PGconn *sapp, *tapp; /* the application on either side, and the eyes of the tests */

static struct conn reader, writer, plain;

static void open_all(void)
{
    sapp = pair_application(SIDE_SOURCE, "");
    tapp = pair_application(SIDE_TARGET, "");
    pair_open(&reader, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "copy"});
    pair_open(&writer, SIDE_TARGET, (struct conn_options){.profile = CONN_WRITER, .role = "copy"});
    pair_open(&plain, SIDE_SOURCE, (struct conn_options){.profile = CONN_PLAIN});
    pair_run(tapp, sql_state_create);
}

static void both(const char *sql)
{
    pair_run(sapp, sql);
    pair_run(tapp, sql);
}

static struct copy_job job_for(const char *schema, const char *name)
{
    return (struct copy_job){.schema = schema, .name = name, .target_schema = schema,
                             .target_name = name};
}

static bool copy_plainly(const struct copy_job *job, struct copy_result *result, struct err *err)
{
    bool ok = snapshot_begin_plain(&reader, err) &&
              copy_table(&reader, &writer, job, NULL, result, err);

    snapshot_end(&reader);
    return ok;
}

/* The same, in binary form where both sides agree. */
static bool copy_in_best_form(struct copy_job *job, struct copy_result *result, struct err *err)
{
    struct copy_types types = {wire_read(&reader, err), wire_read(&writer, err)};

    job->types = &types;
    bool ok = types.source && types.target && copy_plainly(job, result, err);
    job->types = NULL;
    wire_free((struct wire *)types.source);
    wire_free((struct wire *)types.target);
    return ok;
}

/* As text, then again in the best form. */
static bool copy_and_compare(const char *schema, const char *name, const char *digest)
{
    struct copy_job job = job_for(schema, name);
    struct copy_result result = {.binary = false};
    struct err err = ERR_INIT;

    CHECK_OK(copy_plainly(&job, &result, &err), &err);
    CHECK_TRUE(!result.binary);
    pair_same(sapp, tapp, digest);
    int64_t rows = result.rows;
    CHECK_OK(copy_in_best_form(&job, &result, &err), &err);
    pair_same(sapp, tapp, digest);
    CHECK_INT(result.rows, rows);
    return result.binary;
}

/* --- publication and replica identity --- */

static void publication_is_made_and_completed(void)
{
    static const struct table_name tables[] = {{"pub", "a"}, {"pub", "Odd \"one\", b"}, {"pub", "leaf"},
                                               {"pub", "parent"}};
    struct publication_tables three = {.tables = tables, .count = 2}, four = {.tables = tables, .count = 4};
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE SCHEMA pub; CREATE TABLE pub.a (id int PRIMARY KEY);"
                   "CREATE TABLE pub.\"Odd \"\"one\"\", b\" (id int PRIMARY KEY);"
                   "CREATE TABLE pub.root (id int /*!11 PRIMARY KEY */) PARTITION BY RANGE (id);"
                   "CREATE TABLE pub.leaf PARTITION OF pub.root /*!-10 (PRIMARY KEY (id)) */ FOR VALUES FROM (1) TO (10);"
                   "CREATE TABLE pub.parent (id int PRIMARY KEY); CREATE TABLE pub.child (PRIMARY KEY (id)) INHERITS (pub.parent)");
    CHECK_OK(publication_create(&plain, "pgcutover_\"t", &three, &err), &err);
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_publication_rel", "2");
    CHECK_OK(publication_create(&plain, "pgcutover_\"t", &four, &err), &err);
    CHECK_VALUE(sapp, "SELECT string_agg(tablename, '|' ORDER BY tablename) FROM pg_publication_tables",
                "Odd \"one\", b|a|leaf|parent");
    CHECK_VALUE(sapp, "SELECT concat(pubinsert, pubupdate, pubdelete, /*!11 pubtruncate */ /*!-10 true */, /*!13 pubviaroot */ /*!-12 false */) FROM pg_publication",
                "ttttf");
    CHECK_OK(publication_drop(&plain, "pgcutover_\"t", &err), &err);
    CHECK_OK(publication_drop(&plain, "pgcutover_\"t", &err), &err);
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_publication", "0");
}

static void keyless_tables_are_not_published(void)
{
    static const struct table_name table = {"pub", "keyless"};
    struct publication_tables tables = {.tables = &table, .count = 1};
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE TABLE pub.keyless (id int UNIQUE DEFERRABLE)");
    CHECK_TRUE(!publication_create(&plain, "pgcutover_k", &tables, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    CHECK_CONTAINS(err.message, "\"pub\".\"keyless\" has no usable replica identity");
    err_clear(&err);
    CHECK_OK(replident_set_full(&plain, "pub", "keyless", NULL, &err), &err);
    CHECK_OK(publication_create(&plain, "pgcutover_k", &tables, &err), &err);
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_publication_rel", "1");
    CHECK_OK(publication_drop(&plain, "pgcutover_k", &err), &err);
}

static void many_tables_are_published_in_batches(void)
{
    enum { MANY = 450 };
    static struct table_name tables[MANY];
    static char names[MANY][16];
    struct publication_tables list = {.tables = tables, .count = MANY};
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE SCHEMA many; DO $$BEGIN FOR i IN 0..449 LOOP EXECUTE format("
                   "'CREATE TABLE many.t%s (id int PRIMARY KEY)', i); END LOOP; END$$");
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "t%d", i);
        tables[i] = (struct table_name){"many", names[i]};
    }
    CHECK_OK(publication_create(&plain, "pgcutover_m", &list, &err), &err);
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_publication_rel", "450");
    CHECK_OK(publication_drop(&plain, "pgcutover_m", &err), &err);
    pair_run(sapp, "SET client_min_messages = warning; DROP SCHEMA many CASCADE");
}

static void replica_identity_is_put_back(void)
{
    static const char *const kinds[][2] = {
        {"REPLICA IDENTITY DEFAULT", "d"}, {"REPLICA IDENTITY NOTHING", "n"},
        {"REPLICA IDENTITY USING INDEX \"R i\"", "iR i"}, {"REPLICA IDENTITY FULL", "f"}};
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE TABLE pub.ri (id int NOT NULL); CREATE UNIQUE INDEX \"R i\" ON pub.ri (id)");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char *sql = xasprintf("ALTER TABLE pub.ri %s", kinds[i][0]), *previous = NULL, *now = NULL;
        pair_run(sapp, sql);
        CHECK_OK(replident_set_full(&plain, "pub", "ri", &previous, &err), &err);
        CHECK_STR(previous, kinds[i][1]);
        CHECK_VALUE(sapp, "SELECT relreplident FROM pg_class WHERE relname = 'ri'", "f");
        CHECK_OK(replident_restore(&plain, "pub", "ri", previous, &err), &err);
        CHECK_OK(replident_restore(&plain, "pub", "ri", previous, &err), &err);
        CHECK_OK(replident_get(&plain, "pub", "ri", &now, &err), &err);
        CHECK_STR(now, kinds[i][1]);
        free(now);
        free(previous);
        free(sql);
    }
    CHECK_OK(replident_restore(&plain, "pub", "gone", "d", &err), &err);
    CHECK_TRUE(!replident_set_full(&plain, "pub", "gone", NULL, &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    err_clear(&err);
}

static void a_lock_that_is_held_is_named(void)
{
    static const struct lock_attempt attempt = {100, 2, 10, true};
    struct err err = ERR_INIT;

    pair_run(sapp, "BEGIN; LOCK TABLE pub.ri IN ROW EXCLUSIVE MODE");
    CHECK_TRUE(!locked_command(&plain, "ALTER TABLE pub.ri REPLICA IDENTITY FULL", "{pub.ri}", &attempt, &err));
    CHECK_INT(err.code, ERR_TIMEOUT);
    CHECK_TRUE(err.retryable);
    CHECK_CONTAINS(err.detail, "RowExclusiveLock on pub.ri: BEGIN; LOCK TABLE");
    CHECK_CONTAINS(err.detail, "application \"app\"");
    err_clear(&err);
    pair_run(sapp, "COMMIT");
    CHECK_OK(locked_command(&plain, "ALTER TABLE pub.ri REPLICA IDENTITY FULL", "{pub.ri}", &attempt, &err), &err);
}

/* --- slots --- */

static void slots_are_dropped(void)
{
    struct conn repl = CONN_INIT;
    struct repl_slot slot = {.snapshot = NULL};
    struct slot_state state;
    struct err err = ERR_INIT;

    CHECK_OK(slot_drop(&plain, "pgcutover_s", &err), &err);
    CHECK_OK(slot_state(&plain, "pgcutover_s", &state, &err), &err);
    CHECK_TRUE(!state.exists);
    pair_open(&repl, SIDE_SOURCE, (struct conn_options){.profile = CONN_REPLICATION, .role = "receive"});
    CHECK_OK(repl_create_slot(&repl, "pgcutover_s", false, &slot, &err), &err);
    CHECK_OK(slot_state(&plain, "pgcutover_s", &state, &err), &err);
    CHECK_TRUE(state.exists && !state.active && state.restart_lsn && state.retained_bytes >= 0);
    CHECK_INT(state.confirmed_flush_lsn, slot.consistent_lsn);
    CHECK_STR(state.wal_status, plain.version >= 130000 ? "reserved" : "");
    CHECK_OK(repl_start(&repl, "pgcutover_s", slot.consistent_lsn, "\"nothing\"", false, &err), &err);
    CHECK_OK(slot_state(&plain, "pgcutover_s", &state, &err), &err);
    CHECK_TRUE(state.active && state.ours && state.active_pid > 0);
    CHECK_OK(slot_drop(&plain, "pgcutover_s", &err), &err); /* ends our walsender */
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_replication_slots", "0");
    repl_slot_release(&slot);
    conn_close(&repl);
}

static void a_slot_in_use_by_others_stays(void)
{
    PGconn *other = pair_application(SIDE_SOURCE, "application_name=their_subscriber&replication=database");
    struct err err = ERR_INIT;

    pair_run(sapp, "SELECT pg_create_logical_replication_slot('theirs', 'pgoutput')");
    PGresult *res = PQexec(other, "START_REPLICATION SLOT theirs LOGICAL 0/0 (proto_version '1', publication_names 'x')");
    CHECK_INT(PQresultStatus(res), PGRES_COPY_BOTH);
    PQclear(res);
    CHECK_TRUE(!slot_drop(&plain, "theirs", &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    CHECK_CONTAINS(err.message, "application \"their_subscriber\"");
    err_clear(&err);
    CHECK_VALUE(sapp, "SELECT active FROM pg_replication_slots WHERE slot_name = 'theirs'", "t");
    PQfinish(other);
    for (int i = 0; i < 100 && !slot_drop(&plain, "theirs", NULL); i++)
        usleep(50000);
    CHECK_VALUE(sapp, "SELECT count(*) FROM pg_replication_slots", "0");
}

static void blockers_of_a_slot_are_named(void)
{
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;

    CHECK_OK(slot_blockers(&plain, &text, &err), &err);
    CHECK_INT(text.len, 0);
    pair_run(sapp, "BEGIN; INSERT INTO pub.a VALUES (77)");
    CHECK_OK(slot_blockers(&plain, &text, &err), &err);
    CHECK_CONTAINS(text.data, "user postgres, database t, open for 00:00:00, idle in transaction: BEGIN; INSERT");
    pair_run(sapp, "ROLLBACK");
    buf_release(&text);
}

/* --- copies --- */

#define ROWS(table) "SELECT count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), ',' ORDER BY md5(t::text))), '-') FROM ONLY " table " t"

static void all_types_and_names(void)
{
    both("SET extra_float_digits = 3; SET timezone = 'Asia/Tokyo'; CREATE SCHEMA ty;"
         "CREATE TYPE ty.\"E n\" AS ENUM ('a', 'B ''', 'ü'); CREATE TYPE ty.comp AS (a int, b text, f float8);"
         "CREATE DOMAIN ty.dom AS text CHECK (VALUE <> 'x')");
    both("CREATE TABLE ty.\"All \"\"types.\" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \"Se lect\" text, e ty.\"E n\", ea ty.\"E n\"[],"
         "c ty.comp, ca ty.comp[], d ty.dom, b bytea, j json, jb jsonb, n numeric, f4 float4, f8 float8, f8a float8[], ts timestamp, tz timestamptz,"
         "dt date, i interval, bit bit varying, r int8range, mr /*!14 nummultirange */ /*!-13 text */, p point, \"chr\" \"char\", u uuid, ip inet, tsv tsvector, x xml, na name, m money,"
         "g int /*!12 GENERATED ALWAYS AS (length(\"Se lect\")) STORED */)");
    pair_run(sapp, "INSERT INTO ty.\"All \"\"types.\" (\"Se lect\", e, ea, c, ca, d, b, j, jb, n, f4, f8, f8a, ts, tz, dt, i, bit, r, mr, p, chr, u, ip, tsv, x, na, m)"
         "SELECT E'tab\\t nl\\n cr\\r\\n bs\\\\ \\\\. \\b' || k, 'ü', '{a,\"B ''\",NULL}', ROW(k, NULL::text, 0.1::float8 + 0.2)::ty.comp, ARRAY[ROW(1, 'x\"'::text, 'NaN'::float8)::ty.comp, NULL],"
         "'', decode('00ff0a5c', 'hex'), '{\"a\":1, \"a\":2}', '{\"b\": [1, null]}', repeat('9', 1000)::numeric / 7, 'NaN', 0.1::float8 + 0.2,"
         "'{-0,Infinity,NaN,1e-300}', '294276-12-31 23:59:59.999999', '4713-01-01 00:00:00+00 BC', '5874897-12-31', '-1 year 2 mons -3 days 04:05:06.7', B'1011', '[1,)', '{[1,2),[5,6)}',"
         "'(0.1,-0)', 'q', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '::1/64', 'fat:2A cat:1B', '<a>&amp;</a>', 'n', '-12.34' FROM generate_series(1, 500) k;"
         "INSERT INTO ty.\"All \"\"types.\" (e) VALUES (NULL), ('a')");
    CHECK_TRUE(!copy_and_compare("ty", "All \"types.", ROWS("ty.\"All \"\"types.\"")));
    CHECK_VALUE(tapp, "SELECT count(*) FROM ty.\"All \"\"types.\"", "502");
}

/* Every type that passes in binary form, its edges and nulls; the reader of the result shares nothing with the
 * list in wire.c but the names. */
static void types_in_binary_form(void)
{
    both("CREATE SCHEMA bi; CREATE TYPE bi.\"E n\" AS ENUM ('a', 'B ''', 'ü'); CREATE DOMAIN bi.dom AS numeric(10,2) CHECK (VALUE > 0);"
         "CREATE TYPE bi.comp AS (a int, b text, f float8[]); CREATE DOMAIN bi.domc AS bi.comp; CREATE TYPE bi.r AS RANGE (subtype = bi.\"E n\");"
         "CREATE DOMAIN bi.doma AS int[] CHECK (array_length(VALUE, 1) < 5)");
    pair_run(tapp, "CREATE TYPE bi.unused AS (a int)"); /* user types have other OIDs there */
    both("CREATE TABLE bi.t (id int PRIMARY KEY, b bool, by bytea, ch \"char\", na name, i8 int8, i2 int2, t text, o oid, x xid, c cid, j json, p point,"
         "ls lseg, pa path, bx box, po polygon, li line, ci cidr, f4 float4, f8 float8, cr circle, m8 macaddr8, m macaddr, ine inet, bp char(5), vc varchar(7),"
         "d date, tt time, ts timestamp, tz timestamptz, iv interval, ttz timetz, bi bit(4), vb bit varying, n numeric, n2 numeric(20,5), u uuid, sn txid_snapshot,"
         "pl pg_lsn, tv tsvector, tq tsquery, jb jsonb, jp /*!12 jsonpath */ /*!-11 text */, e bi.\"E n\", dm bi.dom, co bi.comp, dc bi.domc, da bi.doma, r bi.r,"
         "ar int4range, nr numrange, dr daterange, mr /*!14 datemultirange */ /*!-13 text */, ia int[], ta text[], fa float8[], da2 date[], jba jsonb[], ra int8range[])");
    pair_run(sapp, "INSERT INTO bi.t SELECT k, k % 2 = 0, decode('00ff0a5c', 'hex'), '\\', repeat('n', 63), -9223372036854775808, -32768, E'\t\n\r\\\\.ü', 4294967295, '77', '5',"
         "'{\"a\":1, \"a\":  2}', '(0.1,-0)', '[(1,2),(3,4)]', '[(1,2),(3,4)]', '(3,4),(1,2)', '((0,0),(1,1),(1,0))', '{1,-1,0}', '10.0.0.0/8', 'NaN', '-Infinity', '<(1,2),3>',"
         "'08:00:2b:01:02:03:04:05', '08:00:2b:01:02:03', '::1/64', 'ab', 'vc ', '4713-01-01 BC', '24:00:00', '294276-12-31 23:59:59.999999', '-infinity', '-1 year 2 mons -3 days 04:05:06.7',"
         "'04:05:06.789-08:30', B'1011', B'', repeat('9', 1000)::numeric / 7, 1.50, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10:20:10,14', '16/B374D848', 'fat:2A cat:1B', 'a & !(b | c:*)',"
         "'{\"b\": [1, null, 1.00]}', '$.a[*] ? (@ > 1)', 'ü', 1.25, ROW(k, NULL, ARRAY['NaN'::float8, NULL])::bi.comp, ROW(1, 'x\"', '{}')::bi.domc, '{1,2}', '[a,ü)', '[1,10)', '(,1.5]', 'empty',"
         "'{}', '{{1,2},{3,NULL}}', '[2:3]={a,\"b,\"}', '{-0,Infinity}', '{5874897-12-31}', '{\"1\",null}', '{\"[1,2)\"}' FROM generate_series(1, 300) k; INSERT INTO bi.t (id) VALUES (0), (-1)");
    CHECK_TRUE(copy_and_compare("bi", "t", ROWS("bi.t")));
    CHECK_VALUE(tapp, "SELECT count(*) FROM bi.t", "302");
    pair_same(sapp, tapp, "SELECT md5(string_agg(concat(float8send(f8), float4send(f4), point_send(p), array_send(fa), numeric_send(n), interval_send(iv)), ',' ORDER BY id)) FROM bi.t");
}

/* What must not pass in binary form, one column each. */
static void types_that_stay_text(void)
{
    static const char *const cases[][3] = {
        {"xml", "xml", "'<a/>'"}, {"money", "money", "'1.5'"}, {"regclass", "regclass", "'pg_class'"}, {"regtype", "regtype", "'int4'"},
        {"bi.\"E n\"[]", "bi.\"E n\"[]", "'{a}'"}, {"bi.comp[]", "bi.comp[]", "NULL"}, {"bi.dom[]", "bi.dom[]", "'{1}'"}, {"bi.deep", "bi.deep", "ROW('a')::bi.deep"},
        {"int4", "int8", "7"}, {"varchar(3)", "text", "'x'"}, {"timestamp", "timestamptz", "'2000-01-01'"}, {"int4[]", "int8[]", "'{1}'"}, {"refcursor", "refcursor", "'r'"},
    };
    struct copy_result result = {.binary = true};
    struct err err = ERR_INIT;

    both("CREATE TYPE bi.deep AS (e bi.\"E n\")");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct copy_job job = job_for("bi", "no");
        char *here = xasprintf("DROP TABLE IF EXISTS bi.no; CREATE TABLE bi.no (v %s); INSERT INTO bi.no VALUES (%s)", cases[i][0], cases[i][2]);
        char *there = xasprintf("DROP TABLE IF EXISTS bi.no; CREATE TABLE bi.no (v %s)", cases[i][1]);
        pair_run(sapp, here);
        pair_run(tapp, there);
        CHECK_OK(copy_in_best_form(&job, &result, &err), &err);
        CHECK_TRUE(!result.binary);
        CHECK_INT(result.rows, 1);
        CHECK_VALUE(tapp, "SELECT count(*) FROM bi.no", "1");
        free(here);
        free(there);
    }
}

/* The header comes with the first row, or with the trailer: both are counted right. */
static void few_and_large_rows_in_binary_form(void)
{
    both("CREATE TABLE bi.few (id int, b bytea); CREATE TABLE bi.narrow ()");
    CHECK_TRUE(copy_and_compare("bi", "few", ROWS("bi.few")));
    pair_run(sapp, "INSERT INTO bi.few VALUES (1, NULL)");
    CHECK_TRUE(copy_and_compare("bi", "few", ROWS("bi.few")));
    pair_run(sapp, "ALTER TABLE bi.few ALTER b SET STORAGE EXTERNAL; INSERT INTO bi.few SELECT i, decode(repeat('00ff', 60000 * i), 'hex') FROM generate_series(1, 5) i");
    CHECK_TRUE(copy_and_compare("bi", "few", ROWS("bi.few")));
    pair_run(sapp, "INSERT INTO bi.narrow SELECT FROM generate_series(1, 7)");
    CHECK_TRUE(copy_and_compare("bi", "narrow", "SELECT 'r' || count(*) FROM bi.narrow"));
}

/* Small tables together: all or none, what is empty is not made anew. */
static void small_tables_together(void)
{
    struct copy_job jobs[3] = {job_for("sm", "a"), job_for("sm", "b"), job_for("sm", "c")};
    struct copy_result results[3];
    struct err err = ERR_INIT;

    both("CREATE SCHEMA sm; CREATE TABLE sm.a (id int PRIMARY KEY, v text); CREATE TABLE sm.b (v text); CREATE TABLE sm.c (id int)");
    pair_run(sapp, "INSERT INTO sm.a SELECT i, 'v' || i FROM generate_series(1, 100) i; INSERT INTO sm.c VALUES (1)");
    pair_run(tapp, "INSERT INTO sm.c VALUES (7), (8)");
    char *before = pair_value(tapp, "SELECT pg_relation_filenode('sm.a')");
    CHECK_OK(snapshot_begin_plain(&reader, &err), &err);
    CHECK_OK(copy_tables(&reader, &writer, jobs, 3, NULL, results, &err), &err);
    snapshot_end(&reader);
    CHECK_INT(results[0].rows * 100 + results[1].rows * 10 + results[2].rows, 10001);
    CHECK_TRUE(!results[0].frozen && results[2].frozen);
    CHECK_VALUE(tapp, "SELECT pg_relation_filenode('sm.a')", before);
    pair_same(sapp, tapp, ROWS("sm.a"));
    pair_same(sapp, tapp, ROWS("sm.c"));

    pair_run(sapp, "INSERT INTO sm.b VALUES (NULL)");
    pair_run(tapp, "ALTER TABLE sm.b ALTER v SET NOT NULL; DELETE FROM sm.a WHERE id > 5");
    CHECK_OK(snapshot_begin_plain(&reader, &err), &err);
    CHECK_TRUE(!copy_tables(&reader, &writer, jobs, 3, NULL, results, &err));
    CHECK_STR(err.sqlstate, "23502");
    CHECK_CONTAINS(err.message, "could not load 3 tables together");
    err_clear(&err);
    CHECK_VALUE(tapp, "SELECT count(*) FROM sm.a", "5");
    free(before);
}

static void shapes(void)
{
    struct err err = ERR_INIT;
    struct copy_result result;

    both("CREATE SCHEMA sh; CREATE TABLE sh.zero (); CREATE TABLE sh.gen (g int /*!12 GENERATED ALWAYS AS (1) STORED */);"
         "CREATE TABLE sh.parent (id int); CREATE TABLE sh.child () INHERITS (sh.parent); CREATE TABLE sh.empty (a int);"
         "CREATE UNLOGGED TABLE sh.unlogged (a int)");
    pair_run(sapp, "INSERT INTO sh.zero SELECT FROM generate_series(1, 7); INSERT INTO sh.gen DEFAULT VALUES;"
         "INSERT INTO sh.parent VALUES (1); INSERT INTO sh.child VALUES (2); INSERT INTO sh.unlogged VALUES (3);"
         "CREATE TABLE sh.moved (gone int, a int, \"B\" text); ALTER TABLE sh.moved DROP gone; INSERT INTO sh.moved VALUES (1, 'x')");
    pair_run(tapp, "CREATE TABLE sh.moved (extra text DEFAULT 'e', \"B\" text, a int); INSERT INTO sh.child VALUES (99)");
    copy_and_compare("sh", "zero", "SELECT 'r' || count(*) FROM sh.zero");
    copy_and_compare("sh", "gen", ROWS("sh.gen"));
    copy_and_compare("sh", "parent", ROWS("sh.parent"));
    copy_and_compare("sh", "empty", ROWS("sh.empty"));
    copy_and_compare("sh", "unlogged", ROWS("sh.unlogged"));
    copy_and_compare("sh", "moved", "SELECT row(a, \"B\")::text = '(1,x)' FROM sh.moved");
    CHECK_VALUE(tapp, "SELECT extra FROM sh.moved", "e");
    CHECK_VALUE(tapp, "SELECT a::text FROM sh.unlogged", "3");
    CHECK_VALUE(tapp, "SELECT string_agg(id::text, ',') FROM sh.parent", "1,99"); /* ONLY parent was emptied */

    both("DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE sh.wide (' || string_agg(format('c%s int DEFAULT %s', i, i), ',') || ')' FROM generate_series(1, 1600) i); END$$");
    pair_run(sapp, "INSERT INTO sh.wide DEFAULT VALUES");
    copy_and_compare("sh", "wide", ROWS("sh.wide"));

    both("CREATE TABLE sh.part (id int, v text) PARTITION BY LIST (id)");
    pair_run(sapp, "CREATE TABLE sh.part_1 PARTITION OF sh.part FOR VALUES IN (1, 2); INSERT INTO sh.part VALUES (1, 'a'), (2, 'b')");
    pair_run(tapp, "CREATE TABLE sh.p1 PARTITION OF sh.part FOR VALUES IN (1); CREATE TABLE sh.p2 PARTITION OF sh.part FOR VALUES IN (2);"
                   "INSERT INTO sh.part VALUES (2, 'old')");
    struct copy_job job = {.schema = "sh", .name = "part_1", .target_schema = "sh", .target_name = "part"};
    CHECK_OK(copy_plainly(&job, &result, &err), &err);
    CHECK_TRUE(!result.frozen);
    CHECK_VALUE(tapp, "SELECT string_agg(id || v, ',' ORDER BY id) FROM sh.part", "1a,2b");

    job = (struct copy_job){.schema = "sh", .name = "part", .target_schema = "sh", .target_name = "empty2",
                            .where = "v <> 'a' -- not the first"};
    pair_run(tapp, "CREATE TABLE sh.empty2 (v text, id int)");
    CHECK_OK(copy_plainly(&job, &result, &err), &err);
    CHECK_VALUE(tapp, "SELECT string_agg(id || v, ',') FROM sh.empty2", "2b");
}

static void referenced_tables_are_emptied_too(void)
{
    struct copy_job job = job_for("fk", "a");
    struct copy_result result;
    struct err err = ERR_INIT;

    both("CREATE SCHEMA fk; CREATE TABLE fk.a (id int PRIMARY KEY)");
    pair_run(sapp, "INSERT INTO fk.a VALUES (1), (2)");
    pair_run(tapp, "CREATE TABLE fk.b (id int REFERENCES fk.a ON DELETE CASCADE); INSERT INTO fk.a VALUES (1), (9); INSERT INTO fk.b VALUES (1)");
    CHECK_OK(copy_plainly(&job, &result, &err), &err);
    CHECK_TRUE(!result.frozen);
    CHECK_VALUE(tapp, "SELECT string_agg(id::text, ',' ORDER BY id) FROM fk.a", "1,2");
    CHECK_VALUE(tapp, "SELECT count(*) FROM fk.b", "1");
}

static void misfits_are_named(void)
{
    static const char *const cases[][4] = {
        {"(a int, b int)", "(a int)", "column \"b\" of table mis.t does not exist", NULL},
        {"(a int, b int)", "(a int, b int GENERATED ALWAYS AS (1) STORED)", "\"b\" of table mis.t is generated, but not", NULL},
        {"(a int, b int GENERATED ALWAYS AS (1) STORED)", "(a int, b int)", "\"b\" of table mis.t is generated on the source", NULL},
        {"()", "(a int)", "\"a\" of table mis.t has nothing to be filled from", NULL},
    };
    struct copy_result result;
    struct err err = ERR_INIT;

    both("CREATE SCHEMA mis");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (reader.version < 120000 && strstr(cases[i][2], "is generated"))
            continue;
        char *here = xasprintf("DROP TABLE IF EXISTS mis.t; CREATE TABLE mis.t %s", cases[i][0]);
        char *there = xasprintf("DROP TABLE IF EXISTS mis.t; CREATE TABLE mis.t %s", cases[i][1]);
        struct copy_job job = job_for("mis", "t");
        pair_run(sapp, here);
        pair_run(tapp, there);
        CHECK_TRUE(!copy_plainly(&job, &result, &err));
        CHECK_INT(err.code, ERR_PREREQUISITE);
        CHECK_CONTAINS(err.message, cases[i][2]);
        err_clear(&err);
        free(here);
        free(there);
    }
    struct copy_job job = job_for("mis", "absent");
    CHECK_TRUE(!copy_plainly(&job, &result, &err));
    CHECK_CONTAINS(err.message, "could not load table mis.absent: source");
    CHECK_CONTAINS(err.message, "does not exist");
    err_clear(&err);
}

static void frozen_marked_and_counted(void)
{
    struct copy_job job = job_for("public", "big");
    struct copy_result result;
    struct err err = ERR_INIT;

    both("CREATE TABLE public.big (id int PRIMARY KEY, v text)");
    pair_run(sapp, "INSERT INTO big SELECT i, repeat('v', i % 50) FROM generate_series(1, 100000) i");
    pair_run(tapp, "INSERT INTO big VALUES (-1, 'old')");
    job.oid = pair_value(sapp, "SELECT 'big'::regclass::oid");
    char *known = xasprintf("INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table, mode)"
                            " VALUES (%s, 'public', 'big', 'public', 'big', 'sync')", job.oid);
    job.mark = true;
    job.epoch_lsn = 0x1600000010;
    CHECK_TRUE(!copy_plainly(&job, &result, &err)); /* not known to pgcutover.tables: nothing stays */
    CHECK_CONTAINS(err.message, "is not in pgcutover.tables");
    err_clear(&err);
    CHECK_VALUE(tapp, "SELECT count(*) FROM big", "1");
    pair_run(tapp, known);
    CHECK_OK(copy_plainly(&job, &result, &err), &err);
    pair_same(sapp, tapp, ROWS("big"));
    CHECK_INT(result.rows, 100000);
    CHECK_TRUE(result.frozen && result.ended_us >= result.started_us);
    CHECK_VALUE(tapp, "SELECT concat_ws(' ', loaded, epoch_lsn, rows_loaded, bytes_loaded > 2000000, load_ended >= load_started) FROM pgcutover.tables",
                "t 16/10 100000 t t");
    pair_run(tapp, "CREATE EXTENSION IF NOT EXISTS pageinspect");
    CHECK_VALUE(tapp, "SELECT count(*) FROM heap_page_items(get_raw_page('big', 0)) WHERE t_infomask & 768 <> 768", "0");
    free(known);
    free((char *)job.oid);
}

static void encodings(void)
{
    struct conn src = CONN_INIT, dst = CONN_INIT;
    struct copy_job job = job_for("public", "t");
    struct copy_result result;
    struct err err = ERR_INIT;
    static const char *const encoding[] = {"LATIN1", "SQL_ASCII"};

    for (int i = 0; i < 2; i++) {
        char *sql = xasprintf("CREATE DATABASE e%d ENCODING '%s' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", i, encoding[i]);
        struct conn_options options = {.profile = CONN_READER, .dbname = i ? "e1" : "e0"};
        pair_run(sapp, sql);
        pair_open(&src, SIDE_SOURCE, options);
        pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_WRITER});
        pair_run(src.pg, "CREATE TABLE public.t (id int, v text); INSERT INTO public.t VALUES (1, chr(x'e4'::int)), (2, 'b')");
        pair_run(tapp, "DROP TABLE IF EXISTS t; CREATE TABLE t (id int, v text); INSERT INTO t VALUES (0, 'old')");
        CHECK_OK(snapshot_begin_plain(&src, &err), &err);
        bool ok = copy_table(&src, &dst, &job, NULL, &result, &err);
        if (i == 0) { /* LATIN1 is converted */
            CHECK_OK(ok, &err);
            CHECK_VALUE(tapp, "SELECT string_agg(v, ',' ORDER BY id) FROM t", "ä,b");
        } else { /* SQL_ASCII: a lone byte e4 is no UTF-8, and the row is named */
            CHECK_TRUE(!ok);
            CHECK_STR(err.sqlstate, "22021");
            CHECK_CONTAINS(err.message, "invalid byte sequence for encoding \"UTF8\": 0xe4");
            CHECK_CONTAINS(err.detail, "COPY t, line 1");
            CHECK_VALUE(tapp, "SELECT string_agg(v, ',' ORDER BY id) FROM t", "old");
            pair_run(src.pg, "UPDATE public.t SET v = E'\\xc3\\xa4' WHERE id = 1");
            err_clear(&err);
            CHECK_OK(snapshot_begin_plain(&src, &err), &err);
            CHECK_OK(copy_table(&src, &dst, &job, NULL, &result, &err), &err);
            CHECK_VALUE(tapp, "SELECT string_agg(v, ',' ORDER BY id) FROM t", "ä,b");
        }
        err_clear(&err);
        conn_close(&src);
        conn_close(&dst);
        free(sql);
    }
}

/* --- snapshots --- */

static void rows_of_the_snapshot_only(void)
{
    struct copy_job job = job_for("public", "snap");
    struct copy_result result;
    struct err err = ERR_INIT;

    both("CREATE TABLE snap (id int PRIMARY KEY, v int)");
    pair_run(sapp, "INSERT INTO snap VALUES (1, 1), (2, 2)");
    pair_run(sapp, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    char *snapshot = pair_value(sapp, "SELECT pg_export_snapshot()");
    job.oid = pair_value(sapp, "SELECT 'snap'::regclass::oid");
    PGconn *other = pair_application(SIDE_SOURCE, "");
    pair_run(other, "DELETE FROM snap WHERE id = 1; INSERT INTO snap VALUES (3, 3)");
    CHECK_OK(snapshot_adopt(&reader, snapshot, &err), &err);
    CHECK_OK(copy_table(&reader, &writer, &job, NULL, &result, &err), &err);
    snapshot_end(&reader);
    CHECK_VALUE(tapp, "SELECT string_agg(id::text, ',' ORDER BY id) FROM snap", "1,2");

    pair_run(other, "ALTER TABLE snap ALTER v TYPE int8"); /* rewritten: the old snapshot sees nothing */
    CHECK_OK(snapshot_adopt(&reader, snapshot, &err), &err);
    CHECK_TRUE(!copy_table(&reader, &writer, &job, NULL, &result, &err));
    CHECK_INT(err.code, ERR_CONFLICT);
    CHECK_TRUE(err.retryable);
    CHECK_CONTAINS(err.message, "table public.snap was rewritten or truncated since the snapshot");
    err_clear(&err);
    CHECK_VALUE(tapp, "SELECT string_agg(id::text, ',' ORDER BY id) FROM snap", "1,2");

    pair_run(other, "ALTER TABLE snap RENAME TO snap_old; CREATE TABLE snap (id int, v int)");
    CHECK_OK(snapshot_adopt(&reader, snapshot, &err), &err);
    CHECK_TRUE(!copy_table(&reader, &writer, &job, NULL, &result, &err));
    CHECK_CONTAINS(err.message, "was renamed or made again");
    err_clear(&err);

    pair_run(sapp, "COMMIT");
    CHECK_TRUE(!snapshot_adopt(&reader, snapshot, &err));
    CHECK_TRUE(err.retryable); /* with a new one */
    CHECK_INT(PQtransactionStatus(reader.pg), PQTRANS_IDLE);
    err_clear(&err);
    PQfinish(other);
    free(snapshot);
    free((char *)job.oid);
}

/* --- failures in the middle --- */

struct killer {
    PGconn *pg;
    const char *sql;
    bool done;
};

static void kill_once(void *arg, int64_t rows, int64_t bytes)
{
    struct killer *killer = arg;

    (void)bytes;
    if (!killer->done && rows > 0) {
        pair_run(killer->pg, killer->sql);
        killer->done = true;
    }
}

static void a_lost_source_leaves_nothing(void)
{
    struct killer killer = {sapp, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:cut'", false};
    struct copy_progress progress = {.report = kill_once, .arg = &killer};
    struct copy_job job = job_for("public", "long");
    struct copy_result result = {.rows = -1};
    struct conn src = CONN_INIT;
    struct err err = ERR_INIT;

    both("CREATE TABLE long (id int, v text)");
    pair_run(sapp, "INSERT INTO long SELECT i, repeat(md5(i::text), 8) FROM generate_series(1, 150000) i");
    pair_run(tapp, "INSERT INTO long VALUES (0, 'old')");
    pair_open(&src, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "cut"});
    CHECK_OK(snapshot_begin_plain(&src, &err), &err);
    CHECK_TRUE(!copy_table(&src, &writer, &job, &progress, &result, &err));
    CHECK_TRUE(killer.done);
    CHECK_TRUE(err.retryable);
    CHECK_CONTAINS(err.message, "could not load table public.long: source");
    CHECK_INT(result.rows, -1);
    CHECK_VALUE(tapp, "SELECT string_agg(v, ',') FROM long", "old");
    err_clear(&err);
    conn_close(&src);
    copy_and_compare("public", "long", ROWS("long")); /* and the target's connection is good for the next */
}

static void a_lost_target_leaves_nothing(void)
{
    struct killer killer = {tapp, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgcutover:cut'", false};
    struct copy_progress progress = {.report = kill_once, .arg = &killer};
    struct copy_job job = job_for("public", "long");
    struct copy_result result;
    struct conn dst = CONN_INIT;
    struct err err = ERR_INIT;

    pair_run(tapp, "TRUNCATE long; INSERT INTO long VALUES (0, 'old')");
    pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_WRITER, .role = "cut"});
    CHECK_OK(snapshot_begin_plain(&reader, &err), &err);
    CHECK_TRUE(!copy_table(&reader, &dst, &job, &progress, &result, &err));
    CHECK_TRUE(err.retryable);
    CHECK_CONTAINS(err.message, "could not load table public.long: target");
    err_clear(&err);
    CHECK_INT(PQtransactionStatus(reader.pg), PQTRANS_IDLE);
    CHECK_VALUE(tapp, "SELECT string_agg(v, ',') FROM long", "old");
    conn_close(&dst);
    copy_and_compare("public", "long", ROWS("long"));
}

static void a_refused_row_leaves_nothing(void)
{
    struct copy_job job = job_for("public", "refused");
    struct copy_result result;
    struct err err = ERR_INIT;

    both("CREATE TABLE refused (id int, v text)");
    pair_run(sapp, "INSERT INTO refused SELECT i, 'v' FROM generate_series(1, 20000) i");
    pair_run(tapp, "ALTER TABLE refused ADD CHECK (id <> 12345); INSERT INTO refused VALUES (0, 'old')");
    CHECK_TRUE(!copy_plainly(&job, &result, &err));
    CHECK_STR(err.sqlstate, "23514");
    CHECK_CONTAINS(err.detail, "line 12345");
    err_clear(&err);
    CHECK_VALUE(tapp, "SELECT string_agg(v, ',') FROM refused", "old");
    CHECK_INT(PQtransactionStatus(writer.pg), PQTRANS_IDLE);

    pair_run(tapp, "ALTER TABLE refused DROP CONSTRAINT refused_id_check; CREATE FUNCTION eat() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$BEGIN IF new.id = 5 THEN RETURN NULL; END IF; RETURN new; END$$; CREATE TRIGGER eat BEFORE INSERT ON refused"
                   " FOR EACH ROW EXECUTE PROCEDURE eat(); ALTER TABLE refused ENABLE ALWAYS TRIGGER eat");
    CHECK_TRUE(!copy_plainly(&job, &result, &err));
    CHECK_CONTAINS(err.message, "20000 rows were sent, but 19999 were stored");
    err_clear(&err);
    CHECK_VALUE(tapp, "SELECT string_agg(v, ',') FROM refused", "old");
    pair_run(tapp, "ALTER TABLE refused DISABLE TRIGGER eat");
    copy_and_compare("public", "refused", ROWS("refused"));
}

static void source_errors_leave_nothing(void)
{
    struct copy_job job = job_for("public", "refused");
    struct copy_result result;
    struct err err = ERR_INIT;

    job.where = "10 / (id - 19000) IS NOT NULL";
    CHECK_TRUE(!copy_plainly(&job, &result, &err));
    CHECK_STR(err.sqlstate, "22012");
    err_clear(&err);
    pair_same(sapp, tapp, ROWS("refused"));
    job.where = "no_such_column";
    CHECK_TRUE(!copy_plainly(&job, &result, &err));
    CHECK_STR(err.sqlstate, "42703");
    err_clear(&err);
    copy_and_compare("public", "refused", ROWS("refused"));
}

static void a_value_of_200_mb(void)
{
    both("CREATE TABLE huge (id int, v bytea)");
    pair_run(sapp, "ALTER TABLE huge ALTER v SET STORAGE EXTERNAL;"
                   "INSERT INTO huge SELECT 1, decode(repeat(md5('x'), 13107200), 'hex'); INSERT INTO huge VALUES (2, 'after')");
    CHECK_VALUE(sapp, "SELECT max(length(v))::text FROM huge", "209715200");
    copy_and_compare("public", "huge", "SELECT string_agg(md5(v), ',' ORDER BY id) FROM huge");
    both("DROP TABLE huge");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a publication is made, completed and dropped", publication_is_made_and_completed},
        {"keyless tables are not published", keyless_tables_are_not_published},
        {"many tables are published in batches", many_tables_are_published_in_batches},
        {"the replica identity is put back", replica_identity_is_put_back},
        {"who holds a lock is named", a_lock_that_is_held_is_named},
        {"slots are dropped, our walsender ended", slots_are_dropped},
        {"a slot in use by others stays", a_slot_in_use_by_others_stays},
        {"what a slot waits for is named", blockers_of_a_slot_are_named},
        {"all types and odd names", all_types_and_names},
        {"types in binary form", types_in_binary_form},
        {"types that stay text", types_that_stay_text},
        {"few and large rows in binary form", few_and_large_rows_in_binary_form},
        {"small tables together", small_tables_together},
        {"shapes of tables", shapes},
        {"referenced tables are emptied too", referenced_tables_are_emptied_too},
        {"columns that do not fit are named", misfits_are_named},
        {"frozen, marked and counted", frozen_marked_and_counted},
        {"LATIN1 and SQL_ASCII sources", encodings},
        {"rows of the snapshot only", rows_of_the_snapshot_only},
        {"a lost source leaves nothing", a_lost_source_leaves_nothing},
        {"a lost target leaves nothing", a_lost_target_leaves_nothing},
        {"a refused row leaves nothing", a_refused_row_leaves_nothing},
        {"source errors leave nothing", source_errors_leave_nothing},
        {"a value of 200 MB", a_value_of_200_mb},
        {NULL, NULL},
    };

    PAIR_REQUIRED();
    open_all();
    int status = unit_main("load on servers", tests);
    conn_close(&reader);
    conn_close(&writer);
    conn_close(&plain);
    PQfinish(sapp);
    PQfinish(tapp);
    return status;
}
