/* apply: the standing worker that brings the spool to the target.
 *
 * It reads the spool up to the limit that the receiver told, applies, and tells what is committed on the
 * target; when it has consumed everything to the limit, it has passed whatever the limit covers. The limit may lie inside
 * a large transaction, which is then applied, but not committed, while its rest is still being received. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "cdc/apply.h"
#include "cdc/decode.h"
#include "cdc/spool.h"
#include "engine/limit_pipe.h"
#include "engine/works.h"

#define REPORT_INTERVAL_MS 100
#define IDLE_WAIT_MS 200
#define DURABLE_WAIT_MS 5 /* without another transaction: then what is visible is made durable */

/* A place where the stream stands still on the target, so that somebody can look at exactly that. */
struct halt {
    bool on;
    lsn_t until;   /* nothing that commits there or later is begun; LSN_INVALID: nothing at all */
    bool is_told;  /* that it stands still there */
    bool has_next; /* the beginning of what comes after it is read already */
};

struct apply {
    struct work *work;
    struct conn targets[APPLIER_LANES_MAX]; /* lanes */
    int target_count;
    struct applier *applier;
    struct spool_reader *reader;
    struct spool_position limit;
    lsn_t covers;
    bool ahead;           /* limit lies inside a transaction that is being received */
    bool has_limit;
    bool waited;          /* for something to come, and nothing did */
    int64_t consumed;     /* changes read, on the scale of limit_changes */
    int64_t limit_changes; /* changes before the limit, as the present receiver counts them */
    int session;          /* which receiver that is: each begins at 0 */
    bool new_session;
    bool retry;           /* stopped tables may go on */
    bool reread;          /* tables were loaded, or have come */
    cJSON *stops;         /* [{"oid","error"}...] of tables that are to be stopped, owned */
    struct halt halt;
    struct conn aside;    /* on the target, for what must not wait for the applier's transaction */
    int64_t told_table_changes;
    lsn_t last_change_lsn;
    lsn_t begin_lsn;      /* of the transaction being read */
    bool in_transaction;
    lsn_t told_passed, told_applied;
    int64_t told_ms;
    bool told_idle;
};

/* A new receiver begins where the spool has whole transactions: what went further, of one that was being received, or on
 * a disk that failed, was cut off and comes again. What of it is written by then may lie elsewhere, so that nothing
 * that was read behind that place, or is read there now, may be committed: all is read again. */
static bool begun_again(struct err *err)
{
    err_clear(err);
    err_set(err, ERR_IO, "the receiver has begun again, before what was read of the spool");
    if (err)
        err->retryable = true;
    return false;
}

/* The spool cannot be read. */
static bool cannot_read(const struct apply *a, struct err *err)
{
    if (!a->ahead || err->code == ERR_STOPPED)
        return false;
    log_err(LOG_DEBUG, err);
    return begun_again(err);
}

/* Inside the transaction that is being received there is no COMMIT before the limit, if it is still the same one. */
static bool is_cut(const struct apply *a, const struct change *change)
{
    return a->ahead && change->kind == CHANGE_COMMIT && change->end_lsn > a->limit.lsn;
}

/* Within a session the limit only moves on; but what is told of it comes by two ways. */
static bool is_earlier(const struct apply *a, const struct spool_position *limit)
{
    return a->has_limit && (limit->segment < a->limit.segment ||
                            (limit->segment == a->limit.segment && limit->offset < a->limit.offset));
}

static void set_limit(struct apply *a, const struct limit_note *note)
{
    a->limit = note->limit;
    a->ahead = note->ahead;
    a->covers = note->covers;
    a->limit_changes = note->changes;
    a->waited = false;
}

/* What the supervisor tells is sure, and tells which receiver there is. */
static bool take_limit(struct apply *a, const cJSON *json, struct err *err)
{
    struct limit_note note = {.limit = {.segment = json_u64(json, "segment", 0),
                                        .offset = json_u64(json, "offset", 0),
                                        .lsn = work_json_lsn(json, "lsn")},
                              .covers = work_json_lsn(json, "covers"),
                              .changes = json_i64(json, "changes", 0),
                              .session = (int)json_i64(json, "session", 0)};
    bool same = a->has_limit && a->session == note.session;

    if (same && (note.covers < a->covers || is_earlier(a, &note.limit)))
        return true; /* the short way was shorter */
    if (!same && (a->ahead || is_earlier(a, &note.limit)))
        return begun_again(err);
    set_limit(a, &note);
    a->new_session = a->new_session || !same;
    a->session = note.session;
    a->has_limit = true;
    return true;
}

static void take_note(struct apply *a)
{
    struct limit_note note;

    if (limit_pipe_take(a->work->p->limit_pipe[0], &note) && a->has_limit && note.session == a->session &&
        note.covers >= a->covers && !is_earlier(a, &note.limit))
        set_limit(a, &note);
}

/* Waits for something of the supervisor or the receiver. */
static bool wait_for_news(struct apply *a, int timeout_ms, struct err *err)
{
    struct pollfd fds[] = {{.fd = a->work->channel.fd, .events = POLLIN},
                           {.fd = a->work->p->limit_pipe[0], .events = POLLIN},
                           {.fd = stop_fd(), .events = POLLIN}};

    if (timeout_ms > 0 && poll(fds, sizeof fds / sizeof *fds, timeout_ms) < 0 && errno != EINTR) {
        err_errno(err, "could not wait");
        return false;
    }
    return !stop_check(err);
}

/* has_next stays: what is read already comes first, whatever is asked for. */
static void take_halt(struct apply *a, const cJSON *message)
{
    a->halt.on = json_bool(message, "on", false);
    a->halt.until = work_json_lsn(message, "lsn");
    a->halt.is_told = false;
}

static bool take_messages(struct apply *a, struct err *err)
{
    cJSON *message;

    while ((message = work_receive(a->work, 0, err))) {
        const cJSON *limit = json_get(message, "limit");
        const char *type = json_str(message, "type");
        a->retry = a->retry || (type && strcmp(type, "retry") == 0);
        a->reread = a->reread || (type && strcmp(type, "tables") == 0);
        if (type && strcmp(type, "stop") == 0)
            cJSON_AddItemToArray(a->stops, cJSON_Duplicate(message, true));
        if (type && strcmp(type, "halt") == 0)
            take_halt(a, message);
        bool ok = !limit || take_limit(a, limit, err);
        cJSON_Delete(message);
        if (!ok)
            return false;
    }
    return !err_is_set(err);
}

static bool take_limits(struct apply *a, int timeout_ms, struct err *err)
{
    a->waited = timeout_ms > 0;
    if (!wait_for_news(a, timeout_ms, err) || !take_messages(a, err))
        return false;
    take_note(a);
    return true;
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
        json_add_i64(item, "conflicts", t.conflicts);
        json_add_bool(item, "behind", t.is_behind);
        if (t.stopped)
            cJSON_AddItemToObject(item, "stopped", err_to_json(t.stopped));
        cJSON_AddItemToArray(tables, item);
    }
    return tables;
}

static void report_applied(struct apply *a, bool idle)
{
    const struct applier_status *status = applier_status(a->applier);
    int64_t now = clock_mono_ms();
    bool moved = status->applied_lsn != a->told_applied || status->passed_lsn != a->told_passed ||
                 idle != a->told_idle || applier_has_changed(a->applier);

    if (!moved || (!idle && now - a->told_ms < REPORT_INTERVAL_MS))
        return;
    cJSON *message = json_message("applied");
    work_json_add_lsn(message, "applied", status->applied_lsn);
    work_json_add_lsn(message, "passed", status->passed_lsn);
    work_json_add_lsn(message, "needed", status->needed_lsn);
    work_json_add_lsn(message, "lastChange", a->last_change_lsn);
    json_add_i64(message, "consumed", a->consumed);
    json_add_num(message, "session", a->session);
    json_add_i64(message, "transactions", status->transactions);
    json_add_i64(message, "commitUs", status->applied_commit_us);
    if (status->applied_lsn != a->told_applied && status->applied_commit_us)
        json_add_i64(message, "latencyUs", status->visible_us - status->applied_commit_us);
    json_add_bool(message, "idle", idle);
    cJSON_AddItemToObject(message, "tables", changed_tables(a));
    work_send(a->work, message);
    a->told_applied = status->applied_lsn;
    a->told_passed = status->passed_lsn;
    a->told_ms = now;
    a->told_idle = idle;
}

/* --- schema changes --- */

static bool open_aside(struct apply *a, struct err *err)
{
    return conn_is_open(&a->aside) || work_connect(a->work, &a->aside, SIDE_TARGET, CONN_PLAIN, err);
}

static bool run_aside(void *arg, const char *sql, struct err *err)
{
    struct apply *a = arg;

    return open_aside(a, err) && conn_command(&a->aside, sql, err);
}

static void tell_event(void *arg, const char *level, const char *text)
{
    struct apply *a = arg;

    work_event(a->work, level, "%s", text);
}

/* Tables were added, renamed, dropped: the supervisor should know. */
static bool tell_tables(struct apply *a, struct err *err)
{
    int64_t changes = applier_status(a->applier)->table_changes;

    if (changes == a->told_table_changes)
        return true;
    a->told_table_changes = changes;
    return open_aside(a, err) && work_tell_tables(a->work, &a->aside, err);
}

/* --- the stream --- */

static bool is_row_change(enum change_kind kind)
{
    return kind == CHANGE_INSERT || kind == CHANGE_UPDATE || kind == CHANGE_DELETE ||
           kind == CHANGE_TRUNCATE;
}

static void note_change(struct apply *a, const struct change *change)
{
    if (change->kind == CHANGE_BEGIN)
        a->begin_lsn = change->commit_lsn;
    if (change->kind == CHANGE_BEGIN || change->kind == CHANGE_COMMIT)
        a->in_transaction = change->kind == CHANGE_BEGIN;
    if (!is_row_change(change->kind))
        return;
    a->consumed++;
    a->last_change_lsn = a->begin_lsn;
}

static bool wants_boundary(const struct apply *a)
{
    lsn_t from;

    return a->retry || a->reread || cJSON_GetArraySize(a->stops) || applier_wants_catch_up(a->applier, &from);
}

static bool halts_before(const struct apply *a, const struct change *change)
{
    return a->halt.on && change->kind == CHANGE_BEGIN && change->commit_lsn >= a->halt.until &&
           applier_is_whole(a->applier);
}

/* Nothing more is to be read: the stream stands where it was asked to. */
static bool is_halted(const struct apply *a)
{
    if (!a->halt.on || a->in_transaction || !applier_is_whole(a->applier))
        return false;
    return a->halt.has_next || a->halt.until == LSN_INVALID;
}

static bool feed_change(struct apply *a, const struct change *change, struct err *err)
{
    if (is_cut(a, change))
        return begun_again(err);
    note_change(a, change);
    return applier_change(a->applier, change, err);
}

/* Feeds what can be read now; *fed says whether there was anything. */
static bool feed(struct apply *a, struct change *change, int *fed, struct err *err)
{
    struct spool_record record;

    *fed = 0;
    if (a->halt.has_next && !halts_before(a, change)) {
        a->halt.has_next = false;
        ++*fed;
        if (!feed_change(a, change, err))
            return false;
    }
    for (; *fed < 512 && !a->halt.has_next && !is_halted(a); ++*fed) {
        int got = spool_reader_next(a->reader, &a->limit, &record, err);
        if (got < 0)
            return cannot_read(a, err);
        if (got == 0)
            return true;
        if (record.type == SPOOL_MARK) {
            applier_mark(a->applier, record.lsn);
            continue;
        }
        if (!decode_message(record.data, record.len, change, err))
            return cannot_read(a, err);
        if (halts_before(a, change)) {
            a->halt.has_next = true;
            return true;
        }
        if (!feed_change(a, change, err))
            return false;
        if (change->kind == CHANGE_COMMIT && wants_boundary(a)) {
            ++*fed;
            return true;
        }
    }
    return true;
}

/* --- detached tables --- */

static bool feed_pass(struct apply *a, struct spool_reader *pass, lsn_t until, struct change *change,
                      struct err *err)
{
    struct spool_record record;
    int got;

    while ((got = spool_reader_next(pass, &a->limit, &record, err)) > 0) {
        if (stop_check(err))
            return false;
        if (record.type == SPOOL_MARK)
            continue;
        if (!decode_message(record.data, record.len, change, err))
            return false;
        if (change->kind == CHANGE_BEGIN && change->commit_lsn >= until)
            return true;
        if (!applier_change(a->applier, change, err))
            return false;
    }
    return got == 0;
}

/* Tables that the stream has passed over get what they missed, from a reader of their own. */
static bool catch_up(struct apply *a, struct change *change, struct err *err)
{
    struct spool_reader *pass = NULL;
    lsn_t from;
    lsn_t until;

    if (!applier_wants_catch_up(a->applier, &from))
        return true;
    char *dir = work_spool_dir(a->work);
    bool ok = applier_begin_catch_up(a->applier, &until, err) &&
              spool_reader_open(dir, a->work->m->id, from, &pass, err) &&
              feed_pass(a, pass, until, change, err) && applier_end_catch_up(a->applier, err);
    spool_reader_close(pass);
    free(dir);
    return ok;
}

/* What the stream does not tell of these tables was noticed otherwise. */
static bool stop_tables(struct apply *a, struct err *err)
{
    bool ok = true;

    while (ok && cJSON_GetArraySize(a->stops) && applier_is_whole(a->applier)) {
        cJSON *item = cJSON_DetachItemFromArray(a->stops, 0);
        struct err why = ERR_INIT;
        err_from_json(&why, json_get(item, "error"));
        ok = applier_stop_table(a->applier, (uint32_t)strtoul(json_str(item, "oid"), NULL, 10), json_str(item, "kind"), &why, err);
        err_clear(&why);
        cJSON_Delete(item);
    }
    return ok;
}

/* What can only be done where a group may end. */
static bool at_boundary(struct apply *a, struct change *change, struct err *err)
{
    if (a->in_transaction || a->halt.has_next || a->halt.is_told || !wants_boundary(a))
        return true;
    if (a->retry && !applier_retry_stopped(a->applier, err))
        return false;
    a->retry = false;
    if (a->reread && (!applier_flush(a->applier, err) || !applier_reload_tables(a->applier, err)))
        return false;
    a->reread = false;
    return stop_tables(a, err) && catch_up(a, change, err);
}

/* A receiver that begins to count anew, or an applier that begins to read, does not know how many
 * changes lie between what is applied and the limit. */
static bool count_waiting(struct apply *a, struct err *err)
{
    int64_t waiting = 0;
    bool ok = work_count_changes(a->work, applier_status(a->applier)->applied_lsn, &a->limit,
                                 &waiting, err);

    a->consumed = a->limit_changes - waiting;
    a->new_session = false;
    return ok || cannot_read(a, err);
}

static bool open_reader(struct apply *a, struct err *err)
{
    char *dir = work_spool_dir(a->work);

    spool_reader_close(a->reader);
    a->reader = NULL;
    a->in_transaction = a->halt.has_next = false;
    bool ok = spool_reader_open(dir, a->work->m->id, applier_status(a->applier)->applied_lsn,
                                &a->reader, err);
    free(dir);
    return ok;
}

/* An error in a group of transactions: read again from the last commit, one by one, so that the place
 * stops right before the transaction that does not fit. */
static bool feed_again(struct apply *a, struct err *err)
{
    if (!applier_status(a->applier)->retry_single || !conn_is_open(&a->targets[0]))
        return false;
    log_err(LOG_INFO, err);
    err_clear(err);
    return open_reader(a, err);
}

/* An idle connection says nothing of its end: without a look, the target would seem to be up to date for as
 * long as nothing comes. */
static bool target_is_there(struct apply *a, struct err *err)
{
    for (int i = 0; i < a->target_count; i++) {
        struct conn *target = &a->targets[i];
        struct pollfd pfd = {.fd = PQsocket(target->pg), .events = POLLIN};
        if (poll(&pfd, 1, 0) <= 0 || PQconsumeInput(target->pg))
            continue;
        conn_error(target, NULL, NULL, err);
        return false;
    }
    return true;
}

static bool connect_lanes(struct apply *a, struct err *err)
{
    int wanted = a->work->m->plan.sync_jobs;

    while (a->target_count < wanted) {
        struct conn *target = &a->targets[a->target_count];
        if (!work_connect(a->work, target, SIDE_TARGET, CONN_WRITER, err))
            return false;
        a->target_count++;
        /* The applier uses no more than one then. */
        if (!target->replica_role)
            return true;
    }
    return true;
}

/* While transactions come, the disk of the target is not waited for after each. */
static int idle_wait_ms(const struct apply *a)
{
    return applier_is_durable(a->applier) ? IDLE_WAIT_MS : DURABLE_WAIT_MS;
}

static bool commit(struct apply *a, struct err *err)
{
    return a->waited ? applier_flush(a->applier, err) : applier_commit(a->applier, err);
}

/* Everything that was read is applied, and nothing that may be applied is still to come. */
static bool has_reached_halt(const struct apply *a, int fed)
{
    return is_halted(a) || (a->halt.on && !fed && !a->ahead && !a->in_transaction && a->covers >= a->halt.until &&
                            applier_is_whole(a->applier));
}

static bool tell_halt(struct apply *a, struct err *err)
{
    if (a->halt.is_told)
        return true;
    if (!applier_flush(a->applier, err))
        return false;
    a->told_ms = 0; /* at once */
    report_applied(a, false);
    cJSON *message = json_message("halted");
    work_json_add_lsn(message, "lsn", a->halt.until);
    work_send(a->work, message);
    a->halt.is_told = true;
    return true;
}

static bool apply_stream(struct apply *a, struct err *err)
{
    struct change change = CHANGE_INIT;
    bool ok = true;
    int fed = 0;

    while (ok) {
        ok = take_limits(a, fed ? 0 : idle_wait_ms(a), err);
        if (!ok || !a->has_limit)
            continue;
        fed = 0;
        ok = (!a->new_session || count_waiting(a, err)) && feed(a, &change, &fed, err) &&
             (fed > 0 || commit(a, err)) && at_boundary(a, &change, err);
        if (!ok && err->code != ERR_STOPPED) {
            /* What is read again is not passed, whatever the limit covers. */
            fed = 1;
            ok = feed_again(a, err);
        }
        bool all = ok && !fed && !a->halt.has_next && !is_halted(a);
        if (ok && !fed)
            ok = target_is_there(a, err);
        if (ok && all) {
            applier_mark(a->applier, a->covers);
            a->consumed = a->limit_changes;
        }
        ok = ok && tell_tables(a, err);
        if (ok)
            report_applied(a, all && !a->in_transaction);
        if (ok && has_reached_halt(a, fed))
            ok = tell_halt(a, err);
    }
    change_release(&change);
    return false;
}

/* schema.roleMap, of what schema changes make. */
static const char *role_of(void *arg, const char *name)
{
    const struct apply *a = arg;
    const struct plan *plan = &a->work->m->plan;

    for (size_t i = 0; i < plan->schema_role_count; i++)
        if (strcmp(plan->schema_role_map[i].from, name) == 0)
            return plan->schema_role_map[i].to;
    return name;
}

bool work_apply(struct work *work, struct err *err)
{
    static const enum applier_policy policies[] = {[CONFLICT_STOP_TABLE] = APPLIER_STOPS_TABLE,
                                                   [CONFLICT_SKIP] = APPLIER_SKIPS,
                                                   [CONFLICT_UPSERT] = APPLIER_UPSERTS};
    struct apply a = {.work = work, .stops = cJSON_CreateArray(), .aside = CONN_INIT};
    const struct applier_ddl ddl = {
        .log_schema = work->p->slot, .arg = &a, .aside = run_aside, .tell = tell_event, .role = role_of};
    struct applier_options options = {
        .start_lsn = work->p->start_lsn,
        .same_types = work->m->plan.schema_mode == SCHEMA_COPY,
        .on_conflict = policies[work->m->plan.sync_on_conflict],
        .ddl = work->m->plan.sync_ddl == SYNC_DDL_APPLY ? &ddl : NULL,
    };
    bool ok = connect_lanes(&a, err);

    options.lanes = a.target_count;
    if (ok)
        a.applier = applier_open(a.targets, &options, err);
    ok = a.applier && open_reader(&a, err);
    if (ok) {
        work_send(work, json_message("want_limit"));
        ok = apply_stream(&a, err);
    }
    if (a.applier)
        report_applied(&a, false);
    spool_reader_close(a.reader);
    applier_close(a.applier);
    for (int i = 0; i < a.target_count; i++)
        conn_close(&a.targets[i]);
    conn_close(&a.aside);
    cJSON_Delete(a.stops);
    return ok;
}
