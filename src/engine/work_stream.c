/* receive, apply and monitor: the standing workers of a running stream.
 *
 * The receiver tells how far readers may read (the limit, a boundary between transactions, durable), and
 * up to which LSN that covers the source. The applier reads the spool up to the limit, applies, and
 * tells what is committed on the target; when it has consumed everything to the limit, it has passed
 * whatever the limit covers. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "cdc/apply.h"
#include "cdc/decode.h"
#include "cdc/receive.h"
#include "cdc/spool.h"
#include "cutover/fence.h"
#include "engine/works.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define READING_INTERVAL_MS 500
#define HEARTBEAT_INTERVAL_MS 10000
#define REPORT_INTERVAL_MS 100
#define IDLE_WAIT_MS 200

/* How many row changes the spool holds from a position to a limit. */
static bool count_changes(const struct work *work, lsn_t from, const struct spool_position *limit,
                          int64_t *count, struct err *err)
{
    struct spool_reader *reader = NULL;
    struct spool_record record;
    char *dir = work_spool_dir(work);
    int got = 0;
    bool ok = spool_reader_open(dir, work->m->id, from, &reader, err);

    while (ok && (got = spool_reader_next(reader, limit, &record, err)) > 0)
        *count += record.type == SPOOL_MESSAGE && record.len && strchr("IUDT", record.data[0]);
    spool_reader_close(reader);
    free(dir);
    return ok && got == 0;
}

/* --- receive --- */

static bool open_receiver(struct work *work, struct receiver *r, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct buf publications = BUF_INIT;
    char *dir = work_spool_dir(work);
    bool ok = work_conninfo(work, SIDE_SOURCE, &info, err);

    ident_add(&publications, work->p->slot);
    struct receiver_options options = {
        .source = &info,
        .slot = work->p->slot,
        .publications = publications.data,
        .dir = dir,
        .identity = work->m->id,
        .start_lsn = work->p->start_lsn,
        .limit_bytes = work->m->plan.spool_limit_bytes,
    };
    ok = ok && receiver_open(r, &options, err);
    conninfo_release(&info);
    buf_release(&publications);
    free(dir);
    return ok;
}

/* Between transactions, with nothing unsynced, the boundary covers all that was received. */
static lsn_t covered_lsn(const struct receiver *r)
{
    struct spool_position end = spool_end(r->writer);

    if (spool_in_transaction(r->writer) || end.segment != r->boundary.segment ||
        end.offset != r->boundary.offset || r->received_lsn < r->boundary.lsn)
        return r->boundary.lsn;
    return r->received_lsn;
}

static void report_received(struct work *work, const struct receiver *r, int64_t before,
                            int64_t spool_size)
{
    cJSON *message = json_message("received");

    cJSON *limit = work_limit_json(&r->boundary, covered_lsn(r));
    json_add_i64(limit, "changes", before + r->changes);
    json_add_num(limit, "session", getpid());
    cJSON_AddItemToObject(message, "limit", limit);
    work_json_add_lsn(message, "received", r->received_lsn);
    work_json_add_lsn(message, "confirmed", r->confirmed_lsn);
    work_json_add_lsn(message, "server", r->server_lsn);
    json_add_i64(message, "changes", before + r->changes);
    json_add_i64(message, "spoolBytes", spool_size);
    json_add_i64(message, "clockOffsetUs", r->clock_offset_us);
    json_add_bool(message, "full", r->full);
    json_add_str(message, "fullReason", r->full ? r->full_reason : NULL);
    work_send(work, message);
}

/* The applier's place moved on: whole segments behind it are not needed any more. */
static bool drop_applied(struct work *work, const char *dir, struct err *err)
{
    cJSON *message;
    bool ok = true;

    while (ok && (message = work_receive(work, 0, err))) {
        const char *type = json_str(message, "type");
        if (type && strcmp(type, "applied") == 0)
            ok = spool_drop_before(dir, work_json_lsn(message, "lsn"), err);
        cJSON_Delete(message);
    }
    return ok && !err_is_set(err);
}

static bool receive_stream(struct work *work, struct receiver *r, const char *dir, struct err *err)
{
    lsn_t told_covered = LSN_INVALID;
    int64_t told_ms = 0;
    int64_t size = spool_bytes(dir);
    int64_t size_ms = clock_mono_ms();

    int64_t before = 0;
    struct err unknown = ERR_INIT;

    /* What an earlier receiver left; once something was applied only the applier knows from where. */
    count_changes(work, work->p->start_lsn, &r->boundary, &before, &unknown);
    err_clear(&unknown);
    report_received(work, r, before, size);
    for (;;) {
        if (!receiver_step(r, IDLE_WAIT_MS, work->channel.fd, err) || !drop_applied(work, dir, err))
            return false;
        int64_t now = clock_mono_ms();
        if (now - size_ms > 2000) {
            size = spool_bytes(dir);
            size_ms = now;
        }
        if (covered_lsn(r) != told_covered || now - told_ms > 1000) {
            told_covered = covered_lsn(r);
            told_ms = now;
            report_received(work, r, before, size);
        }
    }
}

bool work_receive_worker(struct work *work, struct err *err)
{
    struct receiver r = RECEIVER_INIT;
    char *dir = work_spool_dir(work);
    bool ok = open_receiver(work, &r, err);

    if (ok) {
        work_send(work, json_message("ready"));
        ok = receive_stream(work, &r, dir, err);
        receiver_close(&r);
    }
    free(dir);
    return ok;
}

/* --- apply --- */

struct apply {
    struct work *work;
    struct conn target;
    struct applier *applier;
    struct spool_reader *reader;
    struct spool_position limit;
    lsn_t covers;
    bool has_limit;
    int64_t consumed;     /* changes read, on the scale of limit_changes */
    int64_t limit_changes; /* changes before the limit, as the present receiver counts them */
    int session;          /* which receiver that is: each begins at 0 */
    bool new_session;
    lsn_t last_change_lsn;
    lsn_t begin_lsn;      /* of the transaction being read */
    lsn_t told_passed, told_applied;
    int64_t told_ms;
    bool told_idle;
};

static bool take_limits(struct apply *a, int timeout_ms, struct err *err)
{
    cJSON *message;

    while ((message = work_receive(a->work, timeout_ms, err))) {
        const cJSON *limit = json_get(message, "limit");
        if (limit) {
            a->limit.segment = json_u64(limit, "segment", 0);
            a->limit.offset = json_u64(limit, "offset", 0);
            a->limit.lsn = work_json_lsn(limit, "lsn");
            a->covers = work_json_lsn(limit, "covers");
            a->limit_changes = json_i64(limit, "changes", 0);
            a->new_session = a->new_session || a->session != (int)json_i64(limit, "session", 0);
            a->session = (int)json_i64(limit, "session", 0);
            a->has_limit = true;
        }
        cJSON_Delete(message);
        timeout_ms = 0;
    }
    return !err_is_set(err);
}

static cJSON *changed_tables(struct apply *a)
{
    cJSON *tables = cJSON_CreateArray();
    struct applier_table t;
    char oid[16];

    while (applier_next_changed(a->applier, &t)) {
        cJSON *item = cJSON_CreateObject();
        snprintf(oid, sizeof oid, "%u", t.source_oid);
        json_add_str(item, "oid", oid);
        json_add_i64(item, "inserts", t.inserts);
        json_add_i64(item, "updates", t.updates);
        json_add_i64(item, "deletes", t.deletes);
        json_add_i64(item, "truncates", t.truncates);
        cJSON_AddItemToArray(tables, item);
    }
    return tables;
}

static void report_applied(struct apply *a, bool idle)
{
    const struct applier_status *status = applier_status(a->applier);
    int64_t now = clock_mono_ms();
    bool moved = status->applied_lsn != a->told_applied || status->passed_lsn != a->told_passed ||
                 idle != a->told_idle;

    if (!moved || (!idle && now - a->told_ms < REPORT_INTERVAL_MS))
        return;
    cJSON *message = json_message("applied");
    work_json_add_lsn(message, "applied", status->applied_lsn);
    work_json_add_lsn(message, "passed", status->passed_lsn);
    work_json_add_lsn(message, "lastChange", a->last_change_lsn);
    json_add_i64(message, "consumed", a->consumed);
    json_add_num(message, "session", a->session);
    json_add_i64(message, "transactions", status->transactions);
    json_add_i64(message, "commitUs", status->applied_commit_us);
    if (status->applied_lsn != a->told_applied && status->applied_commit_us)
        json_add_i64(message, "latencyUs", clock_wall_us() - status->applied_commit_us);
    json_add_bool(message, "idle", idle);
    cJSON_AddItemToObject(message, "tables", changed_tables(a));
    work_send(a->work, message);
    a->told_applied = status->applied_lsn;
    a->told_passed = status->passed_lsn;
    a->told_ms = now;
    a->told_idle = idle;
}

static bool is_row_change(enum change_kind kind)
{
    return kind == CHANGE_INSERT || kind == CHANGE_UPDATE || kind == CHANGE_DELETE ||
           kind == CHANGE_TRUNCATE;
}

/* Feeds what can be read now; *fed says whether there was anything. */
static bool feed(struct apply *a, struct change *change, int *fed, struct err *err)
{
    struct spool_record record;

    for (*fed = 0; *fed < 512; ++*fed) {
        int got = spool_reader_next(a->reader, &a->limit, &record, err);
        if (got < 0)
            return false;
        if (got == 0)
            return true;
        if (record.type == SPOOL_MARK) {
            applier_mark(a->applier, record.lsn);
            continue;
        }
        if (!decode_message(record.data, record.len, change, err))
            return false;
        if (change->kind == CHANGE_BEGIN)
            a->begin_lsn = change->commit_lsn;
        if (is_row_change(change->kind)) {
            a->consumed++;
            a->last_change_lsn = a->begin_lsn;
        }
        if (!applier_change(a->applier, change, err))
            return false;
    }
    return true;
}

/* A receiver that begins to count anew, or an applier that begins to read, does not know how many
 * changes lie between what is applied and the limit. */
static bool count_waiting(struct apply *a, struct err *err)
{
    int64_t waiting = 0;
    bool ok = count_changes(a->work, applier_status(a->applier)->applied_lsn, &a->limit, &waiting,
                            err);

    a->consumed = a->limit_changes - waiting;
    a->new_session = false;
    return ok;
}

static bool open_reader(struct apply *a, struct err *err)
{
    char *dir = work_spool_dir(a->work);

    spool_reader_close(a->reader);
    a->reader = NULL;
    bool ok = spool_reader_open(dir, a->work->m->id, applier_status(a->applier)->applied_lsn,
                                &a->reader, err);
    free(dir);
    return ok;
}

/* An error in a group of transactions: read again from the last commit, one by one, so that the place
 * stops right before the transaction that does not fit. */
static bool feed_again(struct apply *a, struct err *err)
{
    if (!applier_status(a->applier)->retry_single || !conn_is_open(&a->target))
        return false;
    log_err(LOG_INFO, err);
    err_clear(err);
    return open_reader(a, err);
}

/* An idle connection says nothing of its end: without a look, the target would seem to be up to date for as
 * long as nothing comes. */
static bool target_is_there(struct apply *a, struct err *err)
{
    struct pollfd pfd = {.fd = PQsocket(a->target.pg), .events = POLLIN};

    if (poll(&pfd, 1, 0) <= 0 || PQconsumeInput(a->target.pg))
        return true;
    conn_error(&a->target, NULL, NULL, err);
    return false;
}

static bool apply_stream(struct apply *a, struct err *err)
{
    struct change change = CHANGE_INIT;
    bool ok = true;
    int fed = 0;

    while (ok) {
        ok = take_limits(a, fed ? 0 : IDLE_WAIT_MS, err);
        if (!ok || !a->has_limit)
            continue;
        fed = 0;
        ok = (!a->new_session || count_waiting(a, err)) && feed(a, &change, &fed, err) &&
             (fed > 0 || applier_flush(a->applier, err));
        if (!ok && err->code != ERR_STOPPED) {
            /* What is read again is not passed, whatever the limit covers. */
            fed = 1;
            ok = feed_again(a, err);
        }
        if (ok && !fed) {
            ok = target_is_there(a, err);
            applier_mark(a->applier, a->covers);
            a->consumed = a->limit_changes;
        }
        if (ok)
            report_applied(a, fed == 0);
    }
    change_release(&change);
    return false;
}

bool work_apply(struct work *work, struct err *err)
{
    struct apply a = {.work = work, .target = CONN_INIT};
    struct applier_options options = {
        .start_lsn = work->p->start_lsn,
        .same_types = work->m->plan.schema_mode == SCHEMA_COPY,
    };
    bool ok = work_connect(work, &a.target, SIDE_TARGET, CONN_WRITER, err);

    if (ok)
        a.applier = applier_open(&a.target, &options, err);
    ok = a.applier && open_reader(&a, err);
    if (ok) {
        work_send(work, json_message("want_limit"));
        ok = apply_stream(&a, err);
    }
    if (a.applier)
        report_applied(&a, false);
    spool_reader_close(a.reader);
    applier_close(a.applier);
    conn_close(&a.target);
    return ok;
}

/* --- monitor --- */

static bool take_reading(struct work *work, struct conn *source, lsn_t *lsn, struct err *err)
{
    const char *values[] = {work->p->slot};
    int64_t before = clock_wall_us();
    PGresult *res = conn_exec_params(
        source, source->version >= 130000 ? sql_source_position : sql_source_position_pg10, 1,
        values, err);

    if (!res)
        return false;
    cJSON *message = json_message("reading");
    *lsn = LSN_INVALID;
    lsn_parse(PQgetvalue(res, 0, 0), lsn);
    work_json_add_lsn(message, "lsn", *lsn);
    json_add_i64(message, "takenUs", before);
    json_add_str(message, "walStatus", PQgetisnull(res, 0, 1) ? NULL : PQgetvalue(res, 0, 1));
    json_add_i64(message, "retained", atoll(PQgetvalue(res, 0, 2)));
    work_send(work, message);
    PQclear(res);
    return true;
}

/* On a quiet source the tool writes a message of its own now and then, so that progress never depends on
 * somebody else's traffic. */
bool work_monitor(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    lsn_t last = LSN_INVALID;
    int64_t moved_ms = clock_mono_ms();
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err);

    source.timeout_ms = 30000;
    while (ok) {
        lsn_t lsn;
        int64_t now = clock_mono_ms();
        ok = take_reading(work, &source, &lsn, err);
        if (ok && (lsn != last || now - moved_ms > HEARTBEAT_INTERVAL_MS)) {
            if (lsn == last)
                ok = heartbeat_emit(&source, "heartbeat", err);
            moved_ms = now;
            last = lsn;
        }
        ok = ok && stop_sleep(READING_INTERVAL_MS, err);
    }
    conn_close(&source);
    return false;
}
