/* Verification on two real servers: equal is found equal, every planted difference is found. */
#include "pair.h"

#include "verify/buckets.h"
#include "verify/pool.h"
#include "verify/rows.h"
#include "verify/verify.h"

static PGconn *sapp, *tapp;
static struct conn src, dst;

static void both(const char *sql)
{
    pair_run(sapp, sql);
    pair_run(tapp, sql);
}

static struct verify_job job_for(const char *name)
{
    return (struct verify_job){.schema = "public", .name = name, .target_schema = "public", .target_name = name};
}

static bool is_equal(struct verify_job job, struct verify_result *result)
{
    struct err err = ERR_INIT;
    struct verify_result own = {0};

    CHECK_OK(verify_table(&src, &dst, &job, result ? result : &own, &err), &err);
    bool equal = result ? result->equal : own.equal;
    verify_result_release(&own);
    CHECK_INT(PQtransactionStatus(src.pg), PQTRANS_IDLE);
    CHECK_INT(PQtransactionStatus(dst.pg), PQTRANS_IDLE);
    return equal;
}

static void one_byte_in_100000_rows(void)
{
    struct verify_result result;
    struct verify_job job = job_for("big");

    both("CREATE TABLE big (id int PRIMARY KEY, v text, b bytea)");
    pair_run(sapp, "INSERT INTO big SELECT i, md5(i::text), decode(md5(i || 'b'), 'hex') FROM generate_series(1, 100000) i");
    pair_run(tapp, "INSERT INTO big SELECT i, md5(i::text), decode(md5(i || 'b'), 'hex') FROM generate_series(100000, 1, -1) i");
    CHECK_TRUE(is_equal(job, &result));
    CHECK_INT(result.source_rows, 100000);
    CHECK_INT(result.target_rows, 100000);
    CHECK_STR(result.target_sum, result.source_sum);
    CHECK_TRUE(strlen(result.source_sum) > 20);
    verify_result_release(&result);
    pair_run(tapp, "UPDATE big SET b = set_byte(b, 7, get_byte(b, 7) # 1) WHERE id = 77777");
    CHECK_TRUE(!is_equal(job, &result));
    CHECK_INT(result.target_rows, 100000);
    verify_result_release(&result);
    pair_run(tapp, "UPDATE big SET b = set_byte(b, 7, get_byte(b, 7) # 1) WHERE id = 77777");
    CHECK_TRUE(is_equal(job, NULL));
    pair_run(tapp, "UPDATE big SET v = CASE id WHEN 1 THEN (SELECT v FROM big WHERE id = 2) ELSE (SELECT v FROM big WHERE id = 1) END WHERE id IN (1, 2)");
    CHECK_TRUE(!is_equal(job, NULL)); /* two values exchanged between rows */
}

/* What a text, a count or an exclusive-or would not tell apart. */
static void small_differences(void)
{
    static const char *const pairs[][2] = {
        {"(NULL, 'x')", "('', 'x')"}, {"('a,b', 'c')", "('a', 'b,c')"}, {"('x', NULL)", "(NULL, 'x')"},
        {"('1', '1'), ('1', '1')", "('2', '2'), ('2', '2')"}, {"('a', 'b'), ('a', 'b')", "('a', 'b')"},
        {"('A', 'b')", "('a', 'b')"}, {"('a ', 'b')", "('a', 'b')"}, {"('\"', '\\')", "('\\', '\"')"},
    };

    both("CREATE TABLE small (a text, b text)");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int same = 0; same < 2; same++) {
            char *here = xasprintf("TRUNCATE small; INSERT INTO small VALUES %s", pairs[i][0]);
            char *there = xasprintf("TRUNCATE small; INSERT INTO small VALUES %s", pairs[i][same ? 0 : 1]);
            pair_run(sapp, here);
            pair_run(tapp, there);
            CHECK_INT(is_equal(job_for("small"), NULL), same);
            free(here);
            free(there);
        }
}

static void shapes(void)
{
    struct verify_result result;
    struct verify_job filtered = {.schema = "public", .name = "Odd \"t", .target_schema = "public", .target_name = "other",
                                  .where = "\"Odd \"\"t\".k > 1 -- comment"};

    both("CREATE TABLE zero (); INSERT INTO zero SELECT FROM generate_series(1, 3);"
         "CREATE TABLE nothing (a int); CREATE TABLE parent (a int); CREATE TABLE child () INHERITS (parent); INSERT INTO parent VALUES (1)");
    CHECK_TRUE(is_equal(job_for("zero"), NULL));
    CHECK_TRUE(is_equal(job_for("nothing"), NULL));
    pair_run(sapp, "INSERT INTO zero DEFAULT VALUES; INSERT INTO child VALUES (5)");
    CHECK_TRUE(!is_equal(job_for("zero"), NULL));
    CHECK_TRUE(is_equal(job_for("parent"), NULL)); /* ONLY */
    CHECK_TRUE(!is_equal(job_for("child"), NULL));

    pair_run(sapp, "CREATE TABLE \"Odd \"\"t\" (k int, \"e\" float8[], \"sel ect\" text, g int /*!12 GENERATED ALWAYS AS (k * 2) STORED */);"
                   "INSERT INTO \"Odd \"\"t\" VALUES (1, '{1}', 'a'), (2, '{0.1,NULL}', 'ü');"
                   "/*!-11 UPDATE \"Odd \"\"t\" SET g = k * 2; */");
    pair_run(tapp, "CREATE TABLE other (extra int DEFAULT 1, g int, \"sel ect\" varchar, k bigint, \"e\" float8[]);"
                   "INSERT INTO other (k, e, \"sel ect\", g) VALUES (2, '{0.1,NULL}', 'ü', 4)");
    CHECK_TRUE(is_equal(filtered, NULL));
    pair_run(tapp, "UPDATE other SET g = 5");
    CHECK_TRUE(!is_equal(filtered, NULL)); /* generated columns count */
    pair_run(tapp, "ALTER TABLE other DROP \"sel ect\"");
    CHECK_TRUE(!is_equal(filtered, &result));
    CHECK_STR(result.note, "column \"sel ect\" does not exist on the target");
    verify_result_release(&result);

    pair_run(sapp, "CREATE TABLE only_here (a int)");
    CHECK_TRUE(!is_equal(job_for("only_here"), &result));
    CHECK_STR(result.note, "it does not exist on the target");
    verify_result_release(&result);

    both("DO $$BEGIN EXECUTE (SELECT 'CREATE TABLE wide (' || string_agg(format('c%s int DEFAULT %s', i, i), ',') || ')' FROM generate_series(1, 1600) i); END$$;"
         "INSERT INTO wide DEFAULT VALUES");
    CHECK_TRUE(is_equal(job_for("wide"), NULL));
    pair_run(tapp, "UPDATE wide SET c1600 = 0");
    CHECK_TRUE(!is_equal(job_for("wide"), NULL));

    pair_run(sapp, "CREATE TABLE leaf (a int); INSERT INTO leaf VALUES (1), (2)");
    pair_run(tapp, "CREATE TABLE leaf (a int) PARTITION BY LIST (a); CREATE TABLE l1 PARTITION OF leaf FOR VALUES IN (1);"
                   "CREATE TABLE l2 PARTITION OF leaf /*!11 DEFAULT */ /*!-10 FOR VALUES IN (2) */; INSERT INTO leaf VALUES (1), (2)");
    CHECK_TRUE(is_equal(job_for("leaf"), NULL));
}

static void settings_of_roles_do_not_matter(void)
{
    both("CREATE TABLE money (m money, t timestamptz, f float8, i interval, b bytea);"
         "INSERT INTO money VALUES (1234.5::numeric::money, '2020-01-01 00:00+00', 0.1::float8 + 0.2, '1 mon -2 days', '\\x00ff')");
    pair_run(tapp, "ALTER ROLE postgres SET timezone = 'Asia/Tokyo'; ALTER ROLE postgres SET extra_float_digits = 0;"
                   "ALTER ROLE postgres SET intervalstyle = 'iso_8601'; ALTER ROLE postgres SET bytea_output = 'escape'; ALTER ROLE postgres SET datestyle = 'German'");
    conn_close(&dst);
    pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_READER, .role = "verify"});
    CHECK_TRUE(is_equal(job_for("money"), NULL));
    pair_run(tapp, "UPDATE money SET f = 0.3");
    CHECK_TRUE(!is_equal(job_for("money"), NULL));
}

static void encodings_do_not_matter(void)
{
    struct conn latin = CONN_INIT, *sides[] = {&latin, &dst};
    struct verify_job job = job_for("enc");
    struct verify_result result;
    struct err err = ERR_INIT;

    pair_run(sapp, "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    pair_open(&latin, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .dbname = "latin"});
    pair_run(latin.pg, "CREATE TABLE public.enc (v text); INSERT INTO public.enc VALUES (chr(228))");
    pair_run(tapp, "CREATE TABLE enc (v text); INSERT INTO enc VALUES ('ä')");
    for (int i = 0; i < 2; i++) {
        CHECK_OK(verify_table(sides[i], sides[!i], &job, &result, &err), &err);
        CHECK_TRUE(result.equal);
        verify_result_release(&result);
    }
    pair_run(tapp, "UPDATE enc SET v = 'Ä'");
    CHECK_OK(verify_table(&latin, &dst, &job, &result, &err), &err);
    CHECK_TRUE(!result.equal);
    verify_result_release(&result);
    conn_close(&latin);
}

/* The binary forms, as between versions 11 and 12: pretended, the servers here are of one version. */
static void forms_for_other_versions(void)
{
    static const char *const differ[] = {"UPDATE forms SET f = 0.30000000000000004", "UPDATE forms SET a = '{1,NULL}'",
                                         "UPDATE forms SET a = '{{1,NULL},{3,NaN}}'", "UPDATE forms SET p = '(0,1)'",
                                         "UPDATE forms SET r = '[1.5,2]'", "UPDATE forms SET d = NULL", "UPDATE forms SET c = 'x'"};
    struct verify_result result;
    struct verify_job job = job_for("forms");
    int version = src.version;

    both("CREATE TYPE frange AS RANGE (subtype = float8); CREATE DOMAIN fdom AS float4; CREATE TYPE fcomp AS (x float8)");
    pair_run(sapp, "CREATE TABLE forms (f float8, n float8, a float8[], p point, r frange, d fdom, c \"char\", e text, o fcomp)");
    pair_run(tapp, "CREATE TABLE forms (f float8, n float8, a float8[], p point, r frange, d fdom, c \"char\", e text, o fcomp)");
    both("INSERT INTO forms VALUES (0.3, 'NaN', '{1,NULL,NaN}', '(1,-0)', '[1,2]', 0.1, 'q', 'e', ROW(1)), (NULL, NULL, '{}', NULL, 'empty', NULL, NULL, NULL, NULL)");
    src.version = version < 120000 ? 120000 : 100000;
    CHECK_TRUE(is_equal(job, &result));
    CHECK_STR(result.note, "column \"o\" was not compared: its text differs between these versions");
    verify_result_release(&result);
    for (size_t i = 0; i < sizeof differ / sizeof *differ; i++) {
        pair_run(tapp, "BEGIN");
        pair_run(tapp, differ[i]);
        pair_run(tapp, "COMMIT");
        CHECK_TRUE(!is_equal(job, NULL));
        pair_run(tapp, "TRUNCATE forms");
        pair_run(tapp, "INSERT INTO forms VALUES (0.3, 'NaN', '{1,NULL,NaN}', '(1,-0)', '[1,2]', 0.1, 'q', 'e', ROW(1)), (NULL, NULL, '{}', NULL, 'empty', NULL, NULL, NULL, NULL)");
        CHECK_TRUE(is_equal(job, NULL));
    }
    src.version = version;
    CHECK_TRUE(is_equal(job, &result));
    CHECK_STR(result.note, NULL);
    pair_run(tapp, "UPDATE forms SET o = ROW(2) WHERE o IS NOT NULL");
    CHECK_TRUE(!is_equal(job, NULL));
}

/* Several pairs, more tables than pairs; one that cannot be compared does not stop the others. */
struct listing {
    const struct verify_job *jobs;
    size_t count, next, compared, failed, paused, begun, ended;
    int64_t bytes;
    struct verify_summary summary;
    char *failure;
};

static long next_of(void *arg)
{
    struct listing *l = arg;

    return l->next < l->count ? (long)l->next++ : -1;
}

/* Somebody who keeps a rate. */
static int pause_of(void *arg)
{
    struct listing *l = arg;

    return l->next == 2 && l->paused++ < 2 ? 10 : 0;
}

static void take_reads(void *arg, size_t index, int64_t bytes, bool done)
{
    struct listing *l = arg;

    *(done ? &l->ended : &l->begun) += 1;
    l->bytes += done ? bytes : 0;
    (void)index;
}

static void take_compared(void *arg, size_t index, const struct verify_result *result)
{
    struct listing *l = arg;

    verify_summary_add(&l->summary, &l->jobs[index], "table", result);
    l->compared++;
}

static void take_failed(void *arg, size_t index, struct err *err)
{
    struct listing *l = arg;

    free(l->failure);
    l->failure = xasprintf("%s: %s", l->jobs[index].name, err->message);
    l->failed++;
}

static bool has_line(const char *lines, const char *line)
{
    const char *at = strstr(lines, line);

    return at && (at == lines || at[-1] == '\n') && (at[strlen(line)] == '\n' || !at[strlen(line)]);
}

static void many_tables_side_by_side(void)
{
    struct verify_job jobs[] = {job_for("list_a"), job_for("list_b"), job_for("nowhere"), job_for("list_c"),
                                job_for("only_here"), job_for("big")};
    struct listing l = {.jobs = jobs, .count = sizeof jobs / sizeof *jobs};
    struct conn more[4];
    struct verify_pair pairs[3] = {{&src, &dst}, {&more[0], &more[1]}, {&more[2], &more[3]}};
    struct verify_pool pool = {.pairs = pairs, .pair_count = 3, .arg = &l, .next = next_of, .jobs = jobs, .pause = pause_of,
                               .compared = take_compared, .failed = take_failed};
    struct err err = ERR_INIT;

    for (int i = 0; i < 4; i++)
        pair_open(&more[i], i % 2 ? SIDE_TARGET : SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "verify"});
    both("CREATE TABLE list_a (a int); CREATE TABLE list_b (a int); CREATE TABLE list_c (a int); INSERT INTO list_c VALUES (1)");
    pair_run(sapp, "INSERT INTO list_b VALUES (1)");
    pair_run(tapp, "UPDATE list_c SET a = 2");
    CHECK_OK(verify_pool_run(&pool, &err), &err);
    CHECK_INT(l.compared, 5);
    CHECK_INT(l.failed, 1);
    CHECK_INT(l.paused, 3);
    CHECK_CONTAINS(l.failure, "nowhere: source ");
    CHECK_CONTAINS(l.failure, "table public.nowhere does not exist");
    CHECK_TRUE(!verify_summary_check(&l.summary, &err));
    CHECK_STR(err.message, "4 of 5 objects differ between source and target");
    CHECK_TRUE(has_line(err.detail, "table public.list_b: source 1 rows, target 0 rows"));
    CHECK_TRUE(has_line(err.detail, "table public.list_c: 1 rows on both sides, with different contents"));
    CHECK_TRUE(has_line(err.detail, "table public.only_here: it does not exist on the target"));
    err_clear(&err);
    /* A connection that is gone ends it, and is said. */
    pair_run(sapp, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'pgcutover:verify'");
    l.next = 0;
    CHECK_TRUE(!verify_pool_run(&pool, &err));
    CHECK_TRUE(err_is_set(&err));
    err_clear(&err);
    verify_summary_release(&l.summary);
    free(l.failure);
    for (int i = 0; i < 4; i++)
        conn_close(&more[i]);
    conn_close(&src);
    pair_open(&src, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "verify"});
}

/* Compares "big" on two pairs of connections, in pieces. */
static void compare_in_pieces(struct listing *l, int64_t piece_bytes, const char *from_snapshot, const char *to_snapshot)
{
    static struct verify_job job;
    struct conn more[2];
    struct verify_pair pairs[2] = {{&src, &dst}, {&more[0], &more[1]}};
    struct verify_pool pool = {.pairs = pairs, .pair_count = 2, .jobs = &job, .piece_bytes = piece_bytes, .arg = l,
                               .next = next_of, .reads = take_reads, .compared = take_compared, .failed = take_failed};
    struct err err = ERR_INIT;

    job = job_for("big");
    job.bytes = 10000000;
    job.where = "id > 10 OR v <> '' -- all";
    job.snapshot = from_snapshot;
    job.target_snapshot = to_snapshot;
    *l = (struct listing){.jobs = &job, .count = 1};
    for (int i = 0; i < 2; i++)
        pair_open(&more[i], i ? SIDE_TARGET : SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "verify"});
    CHECK_OK(verify_pool_run(&pool, &err), &err);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(PQtransactionStatus(more[i].pg), PQTRANS_IDLE);
        conn_close(&more[i]);
    }
    CHECK_INT(PQtransactionStatus(src.pg), PQTRANS_IDLE);
}

static void listing_release(struct listing *l)
{
    verify_summary_release(&l->summary);
    free(l->failure);
}

/* The target's table has other pages than the source's (its rows lie in the opposite order): the sums are the same. */
static void a_large_table_in_pieces(void)
{
    const char *change = "UPDATE big SET b = set_byte(b, 7, get_byte(b, 7) # 1) WHERE id = 99999";
    size_t pieces = src.version < 140000 || dst.version < 140000 ? 1 : 10;
    struct listing l;

    pair_run(tapp, "UPDATE big SET v = md5(id::text) WHERE id IN (1, 2)");
    pair_run(tapp, "INSERT INTO big SELECT i, 'not for long', '' FROM generate_series(200001, 250000) i");
    pair_run(tapp, "DELETE FROM big WHERE id > 200000");
    for (int changed = 0; changed < 2; changed++) {
        if (changed)
            pair_run(tapp, change);
        compare_in_pieces(&l, 1000000, NULL, NULL);
        CHECK_INT(l.compared, 1);
        CHECK_INT(l.summary.count, changed);
        CHECK_INT(l.begun, pieces);
        CHECK_INT(l.ended, pieces);
        CHECK_INT(l.bytes, 10000000);
        if (changed)
            CHECK_STR(l.summary.differences[0].text, "100000 rows on both sides, with different contents");
        listing_release(&l);
    }
    pair_run(tapp, change); /* twice is not at all */
    compare_in_pieces(&l, 0, NULL, NULL);
    CHECK_INT(l.begun, 1);
    CHECK_INT(l.summary.count, 0);
    listing_release(&l);
}

static char *exported(PGconn *app)
{
    PQclear(PQexec(app, "BEGIN ISOLATION LEVEL REPEATABLE READ"));
    PGresult *res = PQexec(app, "SELECT pg_export_snapshot()");
    char *snapshot = xstrdup(PQgetvalue(res, 0, 0));

    PQclear(res);
    return snapshot;
}

/* A snapshot shows nothing of a table that was truncated after it, and other pages of one that was clustered: neither may
 * be taken for a difference, nor for none. */
static void storage_that_changes_is_no_difference(void)
{
    static const char *const changes[] = {"TRUNCATE big", "VACUUM FULL big", "ALTER TABLE big RENAME TO big_old; CREATE TABLE big (LIKE big_old)"};
    static const char *const backs[] = {"INSERT INTO big SELECT i, md5(i::text), decode(md5(i || 'b'), 'hex') FROM generate_series(1, 100000) i", "SELECT",
                                        "DROP TABLE big; ALTER TABLE big_old RENAME TO big"};
    PGconn *holders[] = {pair_application(SIDE_SOURCE, ""), pair_application(SIDE_TARGET, "")};
    PGconn *apps[] = {sapp, tapp};

    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        for (int side = 0; side < 2; side++) {
            char *snapshots[] = {exported(holders[0]), exported(holders[1])};
            struct listing l;
            pair_run(apps[side], changes[i]);
            compare_in_pieces(&l, side ? 1000000 : 0, snapshots[0], snapshots[1]);
            CHECK_INT(l.compared, 0);
            CHECK_INT(l.failed, 1);
            CHECK_CONTAINS(l.failure, side ? "big: target" : "big: source");
            CHECK_CONTAINS(l.failure, "table public.big was truncated, rewritten or made again while it was compared");
            listing_release(&l);
            pair_run(holders[0], "ROLLBACK");
            pair_run(holders[1], "ROLLBACK");
            pair_run(apps[side], backs[i]);
            free(snapshots[0]);
            free(snapshots[1]);
        }
    PQfinish(holders[0]);
    PQfinish(holders[1]);
    CHECK_TRUE(is_equal(job_for("big"), NULL));
}

static void check_rows(const char *table, struct verify_rows want, const char *keys)
{
    struct verify_job job = job_for(table);
    struct verify_rows rows;
    struct err err = ERR_INIT;

    CHECK_OK(verify_rows(&src, &dst, &job, 1000, &rows, &err), &err);
    CHECK_TRUE(rows.comparable);
    CHECK_INT(rows.all, want.all);
    if (want.all) {
        CHECK_INT(rows.different, want.different);
        CHECK_INT(rows.missing, want.missing);
        CHECK_INT(rows.extra, want.extra);
    }
    CHECK_STR(rows.keys, keys);
    verify_rows_release(&rows);
}

static void rows_that_differ_are_named(void)
{
    struct verify_job job = job_for("named");
    struct verify_rows rows;
    struct err err = ERR_INIT;

    both("CREATE TABLE named (\"k 1\" text, k2 int, v text, PRIMARY KEY (k2, \"k 1\")); CREATE TABLE loose (v text);"
         "INSERT INTO named SELECT 'it''s ' || i, i, repeat('long ', 100) || i FROM generate_series(1, 1000) i;"
         "INSERT INTO loose SELECT 'row ' || i % 10 FROM generate_series(1, 1000) i");
    check_rows("named", (struct verify_rows){.all = true}, NULL);
    pair_run(tapp, "UPDATE named SET v = v || '!' WHERE k2 = 500; DELETE FROM named WHERE k2 = 7; INSERT INTO named VALUES ('new', 0, NULL)");
    check_rows("named", (struct verify_rows){.all = true, .different = 1, .missing = 1, .extra = 1},
               "(\"k2\", \"k 1\") IN (('0','new'),\n('500','it''s 500'),\n('7','it''s 7'))");
    CHECK_OK(verify_rows(&src, &dst, &job, 1000, &rows, &err), &err);
    char *text = cJSON_PrintUnformatted(rows.shown);
    CHECK_CONTAINS(text, "{\"key\":{\"k2\":\"0\",\"k 1\":\"new\"},\"source\":null,\"target\":{\"k 1\":\"new\",\"k2\":\"0\",\"v\":null}}");
    CHECK_CONTAINS(text, "{\"key\":{\"k2\":\"500\",\"k 1\":\"it's 500\"},\"source\":{\"v\":\"long ");
    CHECK_CONTAINS(text, "... (md5 "); /* long values are cut, and still differ */
    cJSON_free(text);
    verify_rows_release(&rows);
    /* Of rows that are alike and have no key, as many as differ. */
    pair_run(tapp, "DELETE FROM loose WHERE ctid IN (SELECT ctid FROM loose WHERE v = 'row 3' LIMIT 2); INSERT INTO loose VALUES ('row 4')");
    check_rows("loose", (struct verify_rows){.all = true, .missing = 2, .extra = 1}, NULL);
    /* More than are looked at: that is said, and nothing offered to be copied. */
    both("CREATE TABLE lots (id int PRIMARY KEY, v int); INSERT INTO lots SELECT i, 0 FROM generate_series(1, 200000) i");
    pair_run(tapp, "UPDATE lots SET v = 1");
    job = job_for("lots");
    CHECK_OK(verify_rows(&src, &dst, &job, 200000, &rows, &err), &err);
    CHECK_TRUE(!rows.all && !rows.keys);
    CHECK_INT(cJSON_GetArraySize(rows.shown), VERIFY_ROWS_SHOWN);
    CHECK_TRUE(rows.different > 1000);
    verify_rows_release(&rows);
}

static void sequences(void)
{
    struct verify_summary summary = {0};
    struct err err = ERR_INIT;

    both("CREATE SEQUENCE s1; CREATE SEQUENCE s2; SELECT nextval('s1')");
    CHECK_OK(verify_sequences(&src, &dst, NULL, 0, &summary, &err), &err);
    CHECK_OK(verify_summary_check(&summary, &err), &err);
    CHECK_INT(summary.compared, 2);
    pair_run(sapp, "SELECT setval('s2', 1, true)"); /* last_value is the same: is_called is not */
    CHECK_OK(verify_sequences(&src, &dst, NULL, 0, &summary, &err), &err);
    CHECK_TRUE(!verify_summary_check(&summary, &err));
    CHECK_STR(err.detail, "sequence public.s2: source 1, target 1 (not called)");
    err_clear(&err);
    verify_summary_release(&summary);
    pair_run(sapp, "CREATE SEQUENCE s3");
    CHECK_OK(verify_sequences(&src, &dst, NULL, 0, &summary, &err), &err);
    CHECK_TRUE(!verify_summary_check(&summary, &err));
    CHECK_CONTAINS(err.detail, "1 sequence(s) do not exist: public.s3");
    err_clear(&err);
    verify_summary_release(&summary);
}

static void sequences_that_are_ahead(void)
{
    struct verify_summary summary = {0};
    struct err err = ERR_INIT;

    pair_run(sapp, "DROP SEQUENCE s3; SELECT setval('s1', 50)");
    pair_run(tapp, "SELECT setval('s1', 57), setval('s2', 8, true)");
    CHECK_OK(verify_sequences(&src, &dst, NULL, 7, &summary, &err), &err);
    CHECK_OK(verify_summary_check(&summary, &err), &err);
    CHECK_OK(verify_sequences(&src, &dst, NULL, 6, &summary, &err), &err);
    CHECK_TRUE(!verify_summary_check(&summary, &err));
    CHECK_CONTAINS(err.detail, "sequence public.s1: source 56, target 57");
    err_clear(&err);
    verify_summary_release(&summary);
}

static void matviews(void)
{
    struct verify_summary summary = {0};
    struct err err = ERR_INIT;

    both("CREATE MATERIALIZED VIEW full_view AS SELECT 1 AS a; CREATE MATERIALIZED VIEW empty_view AS SELECT 1 AS a WITH NO DATA");
    pair_run(sapp, "CREATE MATERIALIZED VIEW dropped_there AS SELECT 1 AS a");
    CHECK_OK(verify_matviews(&src, &dst, &summary, &err), &err);
    CHECK_INT(summary.compared, 2);
    CHECK_INT(summary.count, 0);
    pair_run(tapp, "REFRESH MATERIALIZED VIEW full_view WITH NO DATA; REFRESH MATERIALIZED VIEW empty_view");
    CHECK_OK(verify_matviews(&src, &dst, &summary, &err), &err);
    CHECK_TRUE(!verify_summary_check(&summary, &err));
    CHECK_CONTAINS(err.detail, "materialized view public.full_view: it is not populated on the target");
    CHECK_CONTAINS(err.detail, "materialized view public.empty_view: it is populated on the target only");
    err_clear(&err);
    verify_summary_release(&summary);
}

static void errors_leave_good_connections(void)
{
    struct verify_job job = job_for("big");
    struct verify_result result;
    struct err err = ERR_INIT;

    job.where = "1 / (id - 500) <> 7";
    CHECK_TRUE(!verify_table(&src, &dst, &job, &result, &err));
    CHECK_STR(err.sqlstate, "22012");
    err_clear(&err);
    job = job_for("nowhere");
    CHECK_TRUE(!verify_table(&src, &dst, &job, &result, &err));
    CHECK_INT(err.code, ERR_PREREQUISITE);
    err_clear(&err);
    /* row security that applies to the reader is an error, never a subset */
    both("CREATE TABLE rls (a int); INSERT INTO rls VALUES (1); ALTER TABLE rls ENABLE ROW LEVEL SECURITY;"
         "CREATE ROLE reader LOGIN; GRANT SELECT ON rls TO reader");
    pair_run(src.pg, "SET SESSION AUTHORIZATION reader");
    job = job_for("rls");
    CHECK_TRUE(!verify_table(&src, &dst, &job, &result, &err));
    CHECK_CONTAINS(err.message, "row-level security");
    err_clear(&err);
    pair_run(src.pg, "RESET SESSION AUTHORIZATION");
    CHECK_TRUE(is_equal(job_for("nothing"), NULL));
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"one byte in 100,000 rows", one_byte_in_100000_rows},
        {"small differences", small_differences},
        {"shapes of tables", shapes},
        {"settings of roles do not matter", settings_of_roles_do_not_matter},
        {"encodings do not matter", encodings_do_not_matter},
        {"forms for other versions", forms_for_other_versions},
        {"many tables side by side", many_tables_side_by_side},
        {"a large table in pieces", a_large_table_in_pieces},
        {"storage that changes is no difference", storage_that_changes_is_no_difference},
        {"rows that differ are named", rows_that_differ_are_named},
        {"sequences", sequences},
        {"sequences that are ahead", sequences_that_are_ahead},
        {"materialized views", matviews},
        {"errors leave good connections", errors_leave_good_connections},
        {NULL, NULL},
    };

    PAIR_REQUIRED();
    sapp = pair_application(SIDE_SOURCE, "");
    tapp = pair_application(SIDE_TARGET, "");
    pair_open(&src, SIDE_SOURCE, (struct conn_options){.profile = CONN_READER, .role = "verify"});
    pair_open(&dst, SIDE_TARGET, (struct conn_options){.profile = CONN_READER, .role = "verify"});
    int status = unit_main("verify on servers", tests);
    conn_close(&src);
    conn_close(&dst);
    PQfinish(sapp);
    PQfinish(tapp);
    return status;
}
