/* Receiving from a real server. What must be in the spool is told by a second slot, read with plain
 * SQL (pg_logical_slot_get_binary_changes): message by message the same bytes, Relation and Type
 * messages left out, since a new connection gets them again.
 *
 * "test_receive_servers follow DIR" receives from slot "follow" until the stream ends, for the test of
 * a server's shutdown; it prints the LSN of the boundary that it reached. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/stop.h"
#include "cdc/decode.h"
#include "cdc/receive.h"

#define TIMEOUT_MS 60000

static struct conninfo source = CONNINFO_INIT;
static struct conn sql = CONN_INIT;
static struct err err;
static int failures;
static char base[256];

#define EXPECT(what)                                                                              \
    do {                                                                                          \
        if (!(what)) {                                                                            \
            char *text_ = err_text(&err);                                                         \
            printf("%s:%d: not true: %s (%s)\n", __FILE__, __LINE__, #what, text_);               \
            free(text_);                                                                          \
            failures++;                                                                           \
        }                                                                                         \
        err_clear(&err);                                                                          \
    } while (0)

static void sql_open(struct conn *c)
{
    struct conn_options how = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "test"};

    if (!conn_open(c, &source, &how, &err)) {
        printf("%s\n", err.message);
        exit(1);
    }
}

static void run(const char *statement)
{
    EXPECT(conn_command(&sql, statement, &err));
}

static char *scalar(const char *statement)
{
    char *value = NULL;

    EXPECT(conn_scalar(&sql, statement, 0, NULL, &value, &err));
    return value;
}

static lsn_t scalar_lsn(const char *statement)
{
    char *text = scalar(statement);
    lsn_t lsn = LSN_INVALID;

    EXPECT(text && lsn_parse(text, &lsn));
    free(text);
    return lsn;
}

static lsn_t current_lsn(void)
{
    return scalar_lsn("SELECT pg_catalog.pg_current_wal_flush_lsn()");
}

/* A slot to receive from and one to compare with, both from here on. */
static lsn_t make_slots(const char *name)
{
    char *statement = xasprintf(
        "SELECT pg_catalog.pg_create_logical_replication_slot('%s_ref', 'pgoutput')", name);

    free(scalar(statement));
    free(statement);
    statement = xasprintf("SELECT lsn FROM pg_catalog.pg_create_logical_replication_slot('%s', "
                          "'pgoutput')", name);
    lsn_t lsn = scalar_lsn(statement);
    free(statement);
    return lsn;
}

static void drop_slots(const char *name)
{
    char *statement = xasprintf("SELECT pg_catalog.pg_drop_replication_slot('%s_ref')", name);

    free(scalar(statement));
    free(statement);
    statement = xasprintf("SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(active_pid)) FROM "
                          "pg_catalog.pg_replication_slots WHERE slot_name = '%s' AND active", name);
    free(scalar(statement));
    free(statement);
    statement = xasprintf("SELECT pg_catalog.pg_drop_replication_slot('%s')", name);
    int64_t until = clock_mono_ms() + 10000;
    while (!conn_command(&sql, statement, NULL) && clock_mono_ms() < until)
        usleep(50000);
    free(statement);
}

static struct receiver_options options_for(const char *slot, lsn_t start, const char *dir)
{
    return (struct receiver_options){.source = &source,
                                     .slot = slot,
                                     .publications = "\"p\"",
                                     .dir = dir,
                                     .identity = slot,
                                     .start_lsn = start,
                                     .segment_bytes = 64 << 10};
}

/* The server may not have seen yet that the last connection is gone. */
static bool open_patiently(struct receiver *r, const struct receiver_options *options)
{
    int64_t until = clock_mono_ms() + TIMEOUT_MS;

    while (!receiver_open(r, options, &err)) {
        if (!err.retryable || clock_mono_ms() > until)
            return false;
        usleep(20000);
    }
    return true;
}

/* A busy machine makes everything slow: only a receiver that gets nowhere for long is a failure. */
struct progress {
    int64_t messages;
    lsn_t lsn;
    int64_t since_ms;
};

static bool gets_on(struct progress *progress, const struct receiver *r)
{
    int64_t now = clock_mono_ms();

    if (!progress->since_ms || progress->messages != r->messages ||
        progress->lsn != r->boundary.lsn)
        *progress = (struct progress){r->messages, r->boundary.lsn, now};
    return now - progress->since_ms < TIMEOUT_MS;
}

static bool receive_until(struct receiver *r, lsn_t lsn)
{
    struct progress progress = {0};

    receiver_want(r, lsn);
    while (r->boundary.lsn < lsn && gets_on(&progress, r))
        if (!receiver_step(r, 100, -1, &err))
            return false;
    return r->boundary.lsn >= lsn;
}

/* Comparing */

static char *hex(const char *data, size_t len)
{
    char *out = xmalloc(len * 2 + 1);

    for (size_t i = 0; i < len; i++)
        sprintf(out + 2 * i, "%02x", (unsigned char)data[i]);
    out[2 * len] = '\0';
    return out;
}

/* Logical messages are in the stream from 14 on, empty transactions up to 14. */
static bool sends_messages(void)
{
    return sql.version >= 140000;
}

static bool sends_empty(void)
{
    return sql.version < 150000;
}

/* Without empty transactions: of those that are sent before their commit, only the place is kept. */
static PGresult *reference(const char *slot)
{
    char *statement = xasprintf(
        "SELECT pg_catalog.encode(data, 'hex') FROM (SELECT data, pg_catalog.get_byte(data, 0) AS kind, "
        "pg_catalog.lead(pg_catalog.get_byte(data, 0)) OVER () AS next, "
        "pg_catalog.lag(pg_catalog.get_byte(data, 0)) OVER () AS last "
        "FROM pg_catalog.pg_logical_slot_get_binary_changes('%s_ref', NULL, NULL, 'proto_version', '1', "
        "'publication_names', 'p'%s) WHERE pg_catalog.get_byte(data, 0) NOT IN (82, 89)) x "
        "WHERE NOT (kind = 66 AND next = 67) AND NOT (kind = 67 AND last = 66)", slot,
        sends_messages() ? ", 'messages', 'true'" : "");
    PGresult *res = conn_exec(&sql, statement, &err);

    EXPECT(res);
    free(statement);
    return res;
}

/* Every row must fit the Relation message that came last. */
struct shape {
    uint32_t relation;
    size_t columns;
};

struct comparison {
    struct shape shapes[64];
    size_t shape_count;
    PGresult *want;
    char *begin; /* a BEGIN that waits for what follows it */
    int at;
    int different;
    struct change change;
};

static void check_shape(struct comparison *cmp)
{
    const struct change *change = &cmp->change;
    size_t i = 0;

    while (i < cmp->shape_count && cmp->shapes[i].relation != change->relation)
        i++;
    if (change->kind == CHANGE_RELATION) {
        cmp->shape_count += i == cmp->shape_count;
        cmp->shapes[i] = (struct shape){change->relation, change->column_count};
    } else if (change->kind == CHANGE_INSERT || change->kind == CHANGE_UPDATE) {
        EXPECT(i < cmp->shape_count && cmp->shapes[i].columns == change->new_tuple.count);
    }
}

static void compare_one(struct comparison *cmp, const char *text)
{
    bool equal = cmp->at < PQntuples(cmp->want) && strcmp(text, PQgetvalue(cmp->want, cmp->at, 0)) == 0;

    if (!equal && !cmp->different++)
        printf("message %d differs: %.80s\n", cmp->at, text);
    cmp->at++;
}

/* Compares what the reader gives up to limit with the next rows of the reference. */
static void compare_some(struct comparison *cmp, struct spool_reader *reader,
                         const struct spool_position *limit)
{
    struct spool_record record;
    int got;

    while ((got = spool_reader_next(reader, limit, &record, &err)) > 0) {
        if (record.type == SPOOL_MARK)
            continue;
        char kind = record.data[0];
        char *text = kind == 'R' || kind == 'Y' ? NULL : hex(record.data, record.len);
        if (kind == 'C' && cmp->begin) { /* an empty one */
            free(text);
            text = NULL;
        } else if (text && cmp->begin) {
            compare_one(cmp, cmp->begin);
        }
        if (text || kind == 'C') {
            free(cmp->begin);
            cmp->begin = kind == 'B' ? text : NULL;
        }
        if (text && kind != 'B')
            compare_one(cmp, text);
        if (kind != 'B')
            free(text);
        EXPECT(decode_message(record.data, record.len, &cmp->change, &err));
        check_shape(cmp);
    }
    EXPECT(got == 0);
}

/* The spool from `from` to limit against the reference slot. Returns how many messages were equal. */
static int compare(const char *slot, const char *dir, lsn_t from, const struct spool_position *limit)
{
    struct spool_reader *reader = NULL;
    struct comparison cmp = {.want = reference(slot)};

    EXPECT(spool_reader_open(dir, slot, from, &reader, &err));
    if (reader)
        compare_some(&cmp, reader, limit);
    EXPECT(cmp.different == 0);
    EXPECT(cmp.at == PQntuples(cmp.want));
    spool_reader_close(reader);
    change_release(&cmp.change);
    PQclear(cmp.want);
    return cmp.at;
}

/* Tests */

static void write_interleaved(void)
{
    struct conn other = CONN_INIT;

    sql_open(&other);
    run("BEGIN");
    run("INSERT INTO public.item VALUES (1, 'begins first, commits last')");
    EXPECT(conn_command(&other, "BEGIN", &err));
    EXPECT(conn_command(&other, "INSERT INTO public.item VALUES (2, 'begins last')", &err));
    run("INSERT INTO public.item VALUES (3, NULL)");
    EXPECT(conn_command(&other, "COMMIT", &err));
    run("SAVEPOINT s");
    run("INSERT INTO public.item VALUES (4, 'rolled back')");
    run("ROLLBACK TO s");
    run("COMMIT");
    conn_close(&other);
}

static void write_all_kinds(void)
{
    write_interleaved();
    run("COPY public.item FROM PROGRAM 'seq 1001 2000 | sed s/$/,copied/' (FORMAT csv)");
    run("UPDATE public.item SET note = 'changed' WHERE id % 10 = 0");
    run("UPDATE public.item SET id = -id WHERE id < 3");
    run("INSERT INTO public.item SELECT n, pg_catalog.repeat('x', 100) FROM "
        "pg_catalog.generate_series(10001, 110000) n");
    run("INSERT INTO public.item SELECT 200000, pg_catalog.string_agg(pg_catalog.md5(n::text), '') "
        "FROM pg_catalog.generate_series(1, 200000) n"); /* 6.4 MB */
    run("SELECT pg_catalog.pg_logical_emit_message(true, 'pgcutover', 'in a transaction')");
    run("DELETE FROM public.item WHERE id BETWEEN 50000 AND 60000");
    run("ALTER TABLE public.item ADD COLUMN extra public.colour DEFAULT 'red'");
    run("INSERT INTO public.item VALUES (5, 'after DDL', 'green')");
    run("TRUNCATE public.item, public.child RESTART IDENTITY CASCADE");
}

static void test_kinds(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/kinds", base);
    lsn_t start = make_slots("kinds");
    struct receiver_options options = options_for("kinds", start, dir);

    EXPECT(open_patiently(&r, &options));
    write_all_kinds();
    lsn_t end = current_lsn();
    EXPECT(receive_until(&r, end));
    EXPECT(r.last_commit_us > clock_wall_us() - 60000000 && r.last_commit_us <= clock_wall_us());
    EXPECT(r.received_lsn >= end && r.synced_lsn >= end && r.server_lsn >= end);
    EXPECT(r.clock_offset_us < 1000000 && r.clock_offset_us > -1000000);
    int equal = compare("kinds", dir, start, &r.boundary);
    printf("kinds: %d messages equal, %" PRId64 " changes, %" PRId64 " transactions\n", equal,
           r.changes, r.transactions);
    EXPECT(equal > 111000);
    /* Every message but Begin, Commit and the one logical message is a change. */
    EXPECT(sends_empty() || r.changes == equal - 2 * r.transactions - sends_messages());
    lsn_t done = r.boundary.lsn;
    receiver_close(&r);

    /* Opened again it goes on where it was; a wrong reference would show that comparing works. */
    EXPECT(open_patiently(&r, &options));
    run("INSERT INTO public.item VALUES (6, 'later', 'red')");
    EXPECT(receive_until(&r, current_lsn()));
    EXPECT(compare("kinds", dir, done, &r.boundary) == 3);
    EXPECT(r.transactions == 1 && r.changes == 1);

    run("SELECT pg_catalog.pg_terminate_backend(active_pid) FROM pg_catalog.pg_replication_slots "
        "WHERE slot_name = 'kinds'");
    while (receiver_step(&r, 100, -1, &err))
        ;
    EXPECT(err.retryable);
    receiver_close(&r);
    drop_slots("kinds");
    free(dir);
}

/* Inserts in transactions of random size until it is ended. */
static void write_for_ever(int seed)
{
    struct conn c = CONN_INIT;

    srand((unsigned)seed);
    sql_open(&c);
    for (;;) {
        bool ok = conn_command(&c, "BEGIN", &err);
        for (int i = rand() % 20; ok && i >= 0; i--)
            ok = conn_commandf(&c, &err, "INSERT INTO public.log (writer, note) SELECT %d, "
                               "pg_catalog.repeat('y', %d) FROM pg_catalog.generate_series(1, %d)",
                               seed, rand() % 300, rand() % 50 ? 1 : 500);
        ok = ok && conn_command(&c, rand() % 10 ? "COMMIT" : "ROLLBACK", &err);
        if (!ok)
            _exit(1);
    }
}

static pid_t start_writer(int seed)
{
    pid_t pid = fork();

    if (pid == 0) {
        write_for_ever(seed);
        _exit(0);
    }
    return pid;
}

static void end_child(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static pid_t start_receiver(const struct receiver_options *options)
{
    pid_t pid = fork();

    if (pid == 0) {
        struct receiver r;
        if (!open_patiently(&r, options)) {
            printf("receiver: %s\n", err.message);
            _exit(1);
        }
        while (receiver_step(&r, 1000, -1, &err))
            ;
        printf("receiver: %s\n", err.message);
        _exit(1);
    }
    return pid;
}

static lsn_t confirmed_of(const char *slot)
{
    char *statement = xasprintf("SELECT confirmed_flush_lsn FROM pg_catalog.pg_replication_slots "
                                "WHERE slot_name = '%s'", slot);
    lsn_t lsn = scalar_lsn(statement);

    free(statement);
    return lsn;
}

static void test_kill(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/kill", base);
    lsn_t start = make_slots("kill");
    struct receiver_options options = options_for("kill", start, dir);
    pid_t writers[2] = {start_writer(1), start_writer(2)};

    srand(7);
    for (int i = 0; i < 20 || (i < 200 && confirmed_of("kill") <= start); i++) {
        pid_t pid = start_receiver(&options);
        usleep((useconds_t)(50000 + rand() % 400000));
        int status;
        EXPECT(waitpid(pid, &status, WNOHANG) == 0); /* it has not ended by itself */
        end_child(pid);
    }
    for (int i = 0; i < 2; i++)
        end_child(writers[i]);
    EXPECT(confirmed_of("kill") > start); /* something was confirmed, so nothing could be had again */
    run("INSERT INTO public.log (writer, note) VALUES (0, 'the end')");
    EXPECT(open_patiently(&r, &options));
    EXPECT(receive_until(&r, current_lsn()));
    int equal = compare("kill", dir, start, &r.boundary);
    char *rows = scalar("SELECT pg_catalog.count(*) FROM public.log");
    printf("kill: %d messages equal, %s rows, %" PRIu64 " segments\n", equal, rows,
           r.boundary.segment);
    EXPECT(atoi(rows) > 1000 && equal > atoi(rows));
    free(rows);
    receiver_close(&r);
    drop_slots("kill");
    free(dir);
}

/* Others write, nothing is for us: the slot advances all the same, and nothing is skipped by it. */
static void test_idle(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/idle", base);
    lsn_t start = make_slots("idle");
    struct receiver_options options = options_for("idle", start, dir);
    int64_t begun = clock_mono_ms();

    EXPECT(open_patiently(&r, &options));
    run("CREATE TABLE public.other AS SELECT n FROM pg_catalog.generate_series(1, 1000) n");
    lsn_t end = current_lsn();
    while (confirmed_of("idle") < end && clock_mono_ms() - begun < 20000)
        EXPECT(receiver_step(&r, 200, -1, &err));
    EXPECT(confirmed_of("idle") >= end);
    EXPECT(r.boundary.lsn >= end && (sends_empty() || r.changes == 0));
    printf("idle: confirmed after %" PRId64 " ms\n", clock_mono_ms() - begun);
    run("INSERT INTO public.log (writer, note) VALUES (0, 'after an idle time')");
    run("DROP TABLE public.other");
    end = current_lsn();
    begun = clock_mono_ms();
    EXPECT(receive_until(&r, end)); /* asked for: at once */
    printf("idle: reached after %" PRId64 " ms\n", clock_mono_ms() - begun);
    EXPECT(clock_mono_ms() - begun < 3000);
    receiver_close(&r);
    EXPECT(open_patiently(&r, &options));
    EXPECT(r.boundary.lsn >= end);
    int equal = compare("idle", dir, start, &r.boundary);
    EXPECT(equal == 3);
    /* A message outside transactions is a position by itself. */
    lsn_t before = r.boundary.lsn;
    run("SELECT pg_catalog.pg_logical_emit_message(false, 'pgcutover', 'heartbeat')");
    begun = clock_mono_ms();
    while (sends_messages() && r.boundary.lsn == before && clock_mono_ms() - begun < 5000)
        EXPECT(receiver_step(&r, 100, -1, &err));
    EXPECT(!sends_messages() || (r.boundary.lsn > before && clock_mono_ms() - begun < 1000));
    receiver_close(&r);
    drop_slots("idle");
    free(dir);
}

/* Steps until *flag is as wanted. */
static bool step_until_full(struct receiver *r, bool full)
{
    int64_t until = clock_mono_ms() + TIMEOUT_MS;

    while (r->full != full && clock_mono_ms() < until)
        if (!receiver_step(r, 100, -1, &err))
            return false;
    return r->full == full;
}

static void write_much(void)
{
    for (int i = 0; i < 200; i++)
        run("INSERT INTO public.log (writer, note) SELECT 9, pg_catalog.repeat('z', 200) FROM "
            "pg_catalog.generate_series(1, 200)"); /* 8 MB in all */
    run("INSERT INTO public.log (writer, note) SELECT 9, pg_catalog.repeat('z', 200) FROM "
        "pg_catalog.generate_series(1, 5000)"); /* 1 MB in one */
}

/* A full receiver for a while: it takes nothing, and tells so once a second. */
static void stay_full(struct receiver *r, const char *slot)
{
    int64_t messages = r->messages, begun = clock_mono_ms(), longest_ms = 0;
    lsn_t synced = r->synced_lsn;

    while (clock_mono_ms() - begun < 2500) {
        int64_t step = clock_mono_ms();
        EXPECT(receiver_step(r, 100, -1, &err));
        if (longest_ms < clock_mono_ms() - step)
            longest_ms = clock_mono_ms() - step;
    }
    /* When the last step began, feedback was less than a second old. */
    double least = (double)(clock_wall_us() - (1100 + longest_ms) * 1000) / 1e6;
    EXPECT(r->full && r->messages == messages && r->synced_lsn == synced);
    EXPECT(confirmed_of(slot) <= synced);
    int64_t until = clock_mono_ms() + TIMEOUT_MS;
    char *statement = xasprintf("SELECT reply_time >= pg_catalog.to_timestamp(%.3f) FROM "
                                "pg_catalog.pg_stat_replication r JOIN pg_catalog.pg_replication_slots"
                                " s ON s.active_pid = r.pid WHERE s.slot_name = '%s'", least, slot);
    bool answered = sql.version < 120000; /* before 12 the server does not tell */
    while (!answered && clock_mono_ms() < until) { /* the server may get to read it later */
        char *value = scalar(statement);
        answered = value && strcmp(value, "t") == 0;
        free(value);
    }
    EXPECT(answered);
    free(statement);
}

/* A spool that fills: the source is not confirmed further, the connection lives, and everything
 * comes through as room is made by dropping what was read. */
static void fill_and_drain(const char *slot, const char *dir, int64_t limit_bytes, const char *reason)
{
    struct receiver r;
    lsn_t start = make_slots(slot);
    struct receiver_options options = options_for(slot, start, dir);
    struct spool_reader *reader = NULL;

    options.limit_bytes = limit_bytes;
    EXPECT(open_patiently(&r, &options));
    write_much();
    lsn_t end = current_lsn();
    struct comparison cmp = {.want = reference(slot)};
    EXPECT(step_until_full(&r, true));
    printf("%s: full at %" PRId64 " bytes of spool: %s\n", slot, spool_bytes(dir), r.full_reason);
    EXPECT(strstr(r.full_reason, reason));
    stay_full(&r, slot);

    struct progress progress = {0};
    EXPECT(spool_reader_open(dir, slot, start, &reader, &err));
    receiver_want(&r, end);
    while (reader && r.boundary.lsn < end && gets_on(&progress, &r)) {
        EXPECT(receiver_step(&r, 100, -1, &err));
        compare_some(&cmp, reader, &r.boundary);
        EXPECT(spool_drop_before(dir, r.boundary.lsn, &err));
    }
    EXPECT(r.boundary.lsn >= end);
    compare_some(&cmp, reader, &r.boundary);
    EXPECT(cmp.at == PQntuples(cmp.want) && cmp.different == 0 && cmp.at > 45000);
    EXPECT(step_until_full(&r, false));
    printf("%s: %d messages equal\n", slot, cmp.at);
    spool_reader_close(reader);
    change_release(&cmp.change);
    PQclear(cmp.want);
    receiver_close(&r);
    drop_slots(slot);
}

static void pump(struct receiver *r, int steps)
{
    while (steps-- > 0)
        EXPECT(receiver_step(r, 20, -1, &err));
}

/* Until so much of open transactions is here: before their commits. */
static void pump_open(struct receiver *r, int64_t bytes)
{
    int64_t until = clock_mono_ms() + TIMEOUT_MS;

    while (sends_messages() && !r->no_parts && spool_open_bytes(r->writer) < bytes && clock_mono_ms() < until)
        pump(r, 1);
    EXPECT(!sends_messages() || r->no_parts || spool_open_bytes(r->writer) >= bytes);
}

static void other_run(struct conn *other, const char *statement)
{
    EXPECT(conn_command(other, statement, &err));
}

#define MANY(table, from) \
    "INSERT INTO public." table " SELECT n, 'a row' FROM pg_catalog.generate_series(" from ", " from " + 4999) n"
#define LOG_MANY \
    "INSERT INTO public.log (writer, note) SELECT n, 'a row' FROM pg_catalog.generate_series(1, 5000) n"

/* Two large transactions at once, small ones between; subtransactions rolled back, nested, with DDL; one large that is
 * rolled back as a whole. */
static void write_streamed(struct receiver *r, struct conn *other, struct conn *third)
{
    run("BEGIN");
    run(MANY("item", "1"));
    other_run(other, "BEGIN");
    other_run(other, LOG_MANY);
    pump_open(r, 300000);
    other_run(third, "INSERT INTO public.log (writer, note) VALUES (0, 'small')");
    run("SAVEPOINT a");
    run("ALTER TABLE public.item ADD COLUMN undone integer");
    run("INSERT INTO public.item SELECT n, 'undone', 5 FROM pg_catalog.generate_series(20001, 25000) n");
    pump_open(r, 500000);
    run("ROLLBACK TO a");
    run(MANY("item", "30001"));
    other_run(other, "SAVEPOINT x");
    other_run(other, LOG_MANY);
    other_run(other, "SAVEPOINT y");
    other_run(other, LOG_MANY);
    other_run(other, "RELEASE y");
    pump(r, 10);
    other_run(other, "ROLLBACK TO x");
    other_run(other, "SAVEPOINT z");
    other_run(other, LOG_MANY);
    other_run(other, "RELEASE z");
    other_run(third, "BEGIN");
    other_run(third, LOG_MANY);
    pump(r, 10);
    other_run(third, "ROLLBACK");
    other_run(other, "COMMIT");
    other_run(third, "INSERT INTO public.log (writer, note) VALUES (0, 'small')");
    pump(r, 10);
    run(MANY("item", "40001"));
    run("SELECT pg_catalog.pg_logical_emit_message(true, 'pgcutover', 'in a large transaction')");
    run("DELETE FROM public.item WHERE id BETWEEN 30001 AND 32000");
    pump(r, 10);
}

static void test_streamed(void)
{
    struct receiver r;
    struct conn other = CONN_INIT, third = CONN_INIT;
    char *dir = xasprintf("%s/streamed", base);
    lsn_t start = make_slots("streamed");
    struct receiver_options options = options_for("streamed", start, dir);

    sql_open(&other);
    sql_open(&third);
    run("DELETE FROM public.item");
    run("ALTER TABLE public.item DROP COLUMN IF EXISTS extra");
    EXPECT(open_patiently(&r, &options));
    write_streamed(&r, &other, &third);
    lsn_t before = r.boundary.lsn;
    run("COMMIT");
    EXPECT(receive_until(&r, current_lsn()));
    EXPECT(spool_open_bytes(r.writer) == 0);
    int64_t changes = r.changes, in_spool = 0;
    EXPECT(spool_count(dir, "streamed", start, &r.boundary, &in_spool, &err) && in_spool == changes);

    /* The connection is lost in the middle of the next one: all of it comes again. */
    run("BEGIN");
    run("ALTER TABLE public.item ADD COLUMN kept integer DEFAULT 7");
    run("INSERT INTO public.item SELECT n, 'again', 5 FROM pg_catalog.generate_series(50001, 60000) n");
    pump_open(&r, 300000);
    receiver_close(&r);
    EXPECT(open_patiently(&r, &options));
    EXPECT(spool_open_bytes(r.writer) == 0);
    pump(&r, 20);
    run("DELETE FROM public.item WHERE id BETWEEN 50001 AND 51000");
    run("COMMIT");
    EXPECT(receive_until(&r, current_lsn()));
    EXPECT(r.changes == 11000 && !r.no_parts);

    /* From the middle on: the definition comes although the transaction that brought it is left out. */
    struct comparison late = {.want = NULL};
    struct spool_reader *reader = NULL;
    struct spool_record record;
    EXPECT(spool_reader_open(dir, "streamed", r.boundary.lsn, &reader, &err));
    while (reader && spool_reader_next(reader, &r.boundary, &record, &err) > 0)
        if (record.type == SPOOL_MESSAGE && decode_message(record.data, record.len, &late.change, &err))
            check_shape(&late);
    spool_reader_close(reader);
    EXPECT(late.shape_count >= 2);
    change_release(&late.change);
    int equal = compare("streamed", dir, start, &r.boundary);
    printf("streamed: %d messages equal\n", equal);
    EXPECT(equal > 30000 && before > start);

    /* What some servers cannot decode before it has committed is received then. */
    lsn_t done = r.boundary.lsn;
    run("BEGIN");
    run("INSERT INTO public.item SELECT n, 'hard', 5 FROM pg_catalog.generate_series(70001, 75000) n");
    run("SAVEPOINT a");
    run("ALTER TABLE public.item ADD COLUMN undone integer");
    run("INSERT INTO public.item SELECT n, 'hard', 5, 6 FROM pg_catalog.generate_series(80001, 85000) n");
    pump_open(&r, 300000);
    run("ROLLBACK TO a");
    run("INSERT INTO public.item SELECT n, 'hard', 5 FROM pg_catalog.generate_series(85001, 90000) n");
    run("ALTER TABLE public.item DROP COLUMN kept");
    run(MANY("item", "90001"));
    pump(&r, 20);
    run("COMMIT");
    EXPECT(receive_until(&r, current_lsn()));
    EXPECT(compare("streamed", dir, done, &r.boundary) == 15002);
    printf("streamed: the server %s\n", r.no_parts ? "could decode it only at its commit" : "decoded all");
    receiver_close(&r);
    conn_close(&other);
    conn_close(&third);
    drop_slots("streamed");
    free(dir);
}

/* A backlog comes in pieces by SQL, message by message what a stream brings, and the stream goes on from there;
 * when that has been left behind, it changes over again. */
static void test_catch_up(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/catchup", base);
    lsn_t start = make_slots("catchup");
    struct receiver_options options = options_for("catchup", start, dir);
    struct progress progress = {0};
    lsn_t seen = LSN_INVALID;
    int pieces = 0;

    options.catchup_bytes = sql.version >= 110000 ? 2 << 20 : 0;
    options.catchup_check_ms = 1;
    run("ALTER TABLE public.item DROP COLUMN IF EXISTS extra");
    run("DELETE FROM public.item");
    write_all_kinds();
    write_much();
    run("CHECKPOINT"); /* a place from which to decode */
    write_much();
    lsn_t end = current_lsn();
    EXPECT(open_patiently(&r, &options));
    EXPECT(r.mode == (options.catchup_bytes ? RECEIVER_CATCH_UP : RECEIVER_STREAM));
    receiver_want(&r, end);
    while (r.boundary.lsn < end && gets_on(&progress, &r)) {
        EXPECT(receiver_step(&r, 100, -1, &err));
        if (r.mode == RECEIVER_CATCH_UP && seen != r.confirmed_lsn) {
            seen = r.confirmed_lsn;
            pieces++;
            EXPECT(seen <= r.synced_lsn && confirmed_of("catchup") <= r.synced_lsn);
        }
    }
    while (r.mode == RECEIVER_CATCH_UP)
        EXPECT(receiver_step(&r, 100, -1, &err));
    EXPECT(!options.catchup_bytes || pieces > 3);
    EXPECT(r.changes > 200000 && r.received_lsn >= end && r.clock_offset_us < 1000000);
    int equal = compare("catchup", dir, start, &r.boundary);
    printf("catch-up: %d messages equal, %d pieces\n", equal, pieces);
    lsn_t done = r.boundary.lsn;

    /* The stream is left behind by what one transaction after the other brings. */
    int changed = 0;
    /* At every end of a transaction. A server that decodes more slowly than this reads leaves no whole millisecond without a gap. */
    r.options.catchup_check_ms = -1;
    run("INSERT INTO public.log (writer, note) VALUES (0, 'again')");
    for (int i = 0; i < 20 && !changed; i++) {
        write_much();
        end = current_lsn();
        receiver_want(&r, end);
        progress = (struct progress){0};
        while (r.boundary.lsn < end && gets_on(&progress, &r)) {
            EXPECT(receiver_step(&r, 100, -1, &err));
            changed += r.mode == RECEIVER_CATCH_UP;
        }
    }
    EXPECT(!options.catchup_bytes || changed);
    EXPECT(compare("catchup", dir, done, &r.boundary) > 45000);
    receiver_close(&r);
    drop_slots("catchup");
    free(dir);
}

/* Killed and opened again while others write, and always changing over. */
static void test_catch_up_kill(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/pieces", base);
    lsn_t start = make_slots("pieces");
    struct receiver_options options = options_for("pieces", start, dir);
    pid_t writers[2] = {start_writer(3), start_writer(4)};

    if (sql.version >= 110000)
        options.catchup_bytes = options.catchup_check_ms = 1;
    srand(9);
    for (int i = 0; i < 15 || (i < 200 && confirmed_of("pieces") <= start); i++) {
        pid_t pid = start_receiver(&options);
        usleep((useconds_t)(50000 + rand() % 400000));
        int status;
        EXPECT(waitpid(pid, &status, WNOHANG) == 0);
        end_child(pid);
    }
    for (int i = 0; i < 2; i++)
        end_child(writers[i]);
    run("INSERT INTO public.log (writer, note) VALUES (0, 'the end of the pieces')");
    EXPECT(open_patiently(&r, &options));
    EXPECT(receive_until(&r, current_lsn()));
    int equal = compare("pieces", dir, start, &r.boundary);
    printf("catch-up, killed: %d messages equal\n", equal);
    EXPECT(equal > 1000);
    receiver_close(&r);
    drop_slots("pieces");
    free(dir);
}

/* The server has no room for a piece, or the role may not call the functions: then by the stream. */
static void test_catch_up_refused(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/refused", base);
    lsn_t start = make_slots("refused");
    struct receiver_options options = options_for("refused", start, dir);

    options.catchup_bytes = 1 << 20;
    run("SET temp_file_limit = -1"); /* for this session's own comparison */
    run("ALTER SYSTEM SET temp_file_limit = '64kB'");
    run("ALTER SYSTEM SET work_mem = '64kB'");
    run("SELECT pg_catalog.pg_reload_conf()");
    write_much();
    lsn_t end = current_lsn();
    EXPECT(open_patiently(&r, &options));
    EXPECT(sql.version < 110000 || r.mode == RECEIVER_CATCH_UP);
    EXPECT(receive_until(&r, end));
    EXPECT(r.mode == RECEIVER_STREAM && (sql.version < 110000 || r.no_catch_up));
    run("ALTER SYSTEM RESET temp_file_limit");
    run("ALTER SYSTEM RESET work_mem");
    run("SELECT pg_catalog.pg_reload_conf()");
    EXPECT(compare("refused", dir, start, &r.boundary) > 45000);
    receiver_close(&r);
    if (sql.version >= 110000) { /* again, by a role that may not */
        run("CREATE ROLE streamer LOGIN REPLICATION");
        run("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_replication_slot_advance(name, pg_lsn) FROM public");
        write_much();
        end = current_lsn();
        struct conninfo narrow = CONNINFO_INIT;
        conninfo_copy(&narrow, &source);
        conninfo_set(&narrow, "user", "streamer");
        options.source = &narrow;
        EXPECT(open_patiently(&r, &options));
        EXPECT(r.mode == RECEIVER_STREAM);
        conninfo_release(&narrow);
        receiver_close(&r);
        run("GRANT EXECUTE ON FUNCTION pg_catalog.pg_replication_slot_advance(name, pg_lsn) TO public");
    }
    drop_slots("refused");
    free(dir);
}

/* A spool that stays full in the middle of a piece: the source is let go, and nothing is lost. */
static void test_catch_up_full(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/full", base);
    lsn_t start = make_slots("full");
    struct receiver_options options = options_for("full", start, dir);
    struct spool_reader *reader = NULL;
    struct progress progress = {0};

    options.limit_bytes = 1 << 20;
    options.catchup_bytes = 4 << 20;
    options.catchup_check_ms = 500;
    write_much();
    lsn_t end = current_lsn();
    struct comparison cmp = {.want = reference("full")};
    EXPECT(open_patiently(&r, &options));
    EXPECT(sql.version < 110000 || r.mode == RECEIVER_CATCH_UP);
    EXPECT(step_until_full(&r, true));
    int64_t until = clock_mono_ms() + TIMEOUT_MS;
    while (r.mode == RECEIVER_CATCH_UP && clock_mono_ms() < until)
        EXPECT(receiver_step(&r, 100, -1, &err));
    EXPECT(r.mode == RECEIVER_STREAM && r.full);
    char *holds = scalar("SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE "
                         "application_name = 'pgcutover:receive' AND backend_xmin IS NOT NULL AND "
                         "backend_type = 'client backend'");
    EXPECT(holds && strcmp(holds, "0") == 0);
    free(holds);
    options.catchup_check_ms = 0;
    EXPECT(spool_reader_open(dir, "full", start, &reader, &err));
    receiver_want(&r, end);
    while (reader && r.boundary.lsn < end && gets_on(&progress, &r)) {
        EXPECT(receiver_step(&r, 100, -1, &err));
        compare_some(&cmp, reader, &r.boundary);
        EXPECT(spool_drop_before(dir, r.boundary.lsn, &err));
    }
    compare_some(&cmp, reader, &r.boundary);
    EXPECT(cmp.at == PQntuples(cmp.want) && cmp.different == 0 && cmp.at > 45000);
    EXPECT(r.changes == cmp.at - 2 * r.transactions || sends_empty());
    printf("catch-up, full: %d messages equal\n", cmp.at);
    spool_reader_close(reader);
    change_release(&cmp.change);
    PQclear(cmp.want);
    receiver_close(&r);
    drop_slots("full");
    free(dir);
}

static void test_limit(void)
{
    char *dir = xasprintf("%s/limit", base);

    fill_and_drain("tiny", dir, 1 << 20, "limit of 1.0 MB");
    free(dir);
}

/* On a file system of a few MB, where the tests may mount one. */
static void test_disk(void)
{
    const char *small = getenv("PGC_TEST_SMALL_DIR");

    if (!small) {
        printf("disk: skipped, no small file system\n");
        return;
    }
    char *dir = xasprintf("%s/spool", small);
    fill_and_drain("disk", dir, 0, "no space left");
    free(dir);
}

static void expect_lost(const struct receiver_options *options, const char *part)
{
    struct receiver r;
    bool opened = receiver_open(&r, options, &err);
    bool said = !opened && err.message && strstr(err.message, part) && err.hint && !err.retryable &&
                err.code == ERR_PREREQUISITE;

    EXPECT(said);
    if (opened)
        receiver_close(&r);
}

static void test_lost(void)
{
    struct receiver r;
    char *dir = xasprintf("%s/lost", base);
    lsn_t start = make_slots("lost");
    struct receiver_options options = options_for("lost", start, dir);

    EXPECT(open_patiently(&r, &options));
    run("INSERT INTO public.log (writer, note) VALUES (0, 'will be lost')");
    EXPECT(receive_until(&r, current_lsn()));
    lsn_t end = r.boundary.lsn;
    int64_t until = clock_mono_ms() + 10000;
    while (confirmed_of("lost") < end && clock_mono_ms() < until)
        EXPECT(receiver_step(&r, 100, -1, &err));
    receiver_close(&r);
    options.identity = "somebody else";
    expect_lost(&options, "belongs to another migration");
    options.identity = "lost";
    EXPECT(dir_remove(dir, &err));
    expect_lost(&options, "the source was told that everything before");
    options.start_lsn = LSN_INVALID;
    expect_lost(&options, "is lost");
    options.slot = "no_such_slot";
    expect_lost(&options, "\"no_such_slot\" does not exist");
    drop_slots("lost");
    free(dir);
}

/* Receives until the server ends the stream. */
static int follow(const char *dir)
{
    struct receiver r;
    char lsn[LSN_TEXT_SIZE];
    lsn_t start = scalar_lsn("SELECT confirmed_flush_lsn FROM pg_catalog.pg_replication_slots WHERE "
                             "slot_name = 'follow'");
    struct receiver_options options = options_for("follow", start, dir);
    options.segment_bytes = 0;

    conn_close(&sql);
    if (!receiver_open(&r, &options, &err)) {
        printf("%s\n", err.message);
        return 1;
    }
    printf("started\n");
    fflush(stdout);
    while (receiver_step(&r, 1000, -1, &err))
        ;
    printf("%s: %s\n", lsn_format(r.boundary.lsn, lsn), err.message);
    int status = err.retryable && strstr(err.message, "ended the replication stream") ? 0 : 1;
    receiver_close(&r);
    return status;
}

static void set_up(void)
{
    run("CREATE TYPE public.colour AS ENUM ('red', 'green')");
    run("CREATE TABLE public.item (id bigint PRIMARY KEY, note text)");
    run("ALTER TABLE public.item REPLICA IDENTITY FULL");
    run("CREATE TABLE public.child (id bigint REFERENCES public.item)");
    run("CREATE TABLE public.log (id bigserial PRIMARY KEY, writer integer, note text)");
    run("CREATE PUBLICATION p FOR TABLE public.item, public.child, public.log");
    if (sql.version < 130000)
        return;
    /* From 14 on whatever is larger is sent before it commits. */
    run("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'");
    run("SELECT pg_catalog.pg_reload_conf()");
}

int main(int argc, char **argv)
{
    static void (*const tests[])(void) = {test_kinds, test_idle, test_kill, test_streamed,
                                          test_catch_up, test_catch_up_kill, test_catch_up_full,
                                          test_catch_up_refused, test_limit, test_disk, test_lost};
    const char *uri = getenv("PGC_TEST_SOURCE");

    if (!uri)
        return 77;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!conninfo_parse(&source, uri, &err)) {
        printf("%s\n", err.message);
        return 1;
    }
    sql_open(&sql);
    if (argc == 3 && strcmp(argv[1], "follow") == 0)
        return follow(argv[2]);
    snprintf(base, sizeof base, "%s/test_receive.%ld", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
             (long)getpid());
    set_up();
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i]();
    EXPECT(dir_remove(base, &err));
    conn_close(&sql);
    conninfo_release(&source);
    printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
