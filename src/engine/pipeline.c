/* How it works: every state has a row in `rows`: the worker whose "done" leads on, the standing
 * workers that run beside it, what must hold before the next state, and what an error there means.
 * pipeline_turn() compares what runs with what should run. Workers that the state does not want are
 * stopped first; the state's own worker starts only when they are gone. Every change of state is in
 * the journal before it is acted upon, and every worker does its task again harmlessly: so a
 * supervisor that was killed goes on from the journal. */
#include "engine/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/change.h"
#include "engine/fix_undo.h"
#include "engine/load.h"
#include "engine/rehearsal.h"
#include "engine/source_lock.h"
#include "engine/verification.h"

#define CONNECTION_RETRIES 8 /* with growing pauses: a minute */

enum standing {
    WITH_RECEIVE = 1,
    WITH_APPLY = 2,
    WITH_MONITOR = 4,
    WITH_LOADERS = 8, /* epoch, copy, index */
};

enum on_error {
    ENDS,     /* what was made on the source is undone, the pipeline has failed */
    HOLDS,    /* it stops there; resume tries again */
    RETRIES,  /* again for ever, with growing pauses */
    THAWS,    /* the cutover is undone, sync goes on */
};

struct row {
    enum pipeline_state state;
    const char *worker;   /* NULL: none, guard decides */
    unsigned standing;
    bool (*guard)(const struct supervisor *s, struct pipeline *p);
    enum pipeline_state next;
    enum goal goal;       /* reaching `next` fulfils it; GOAL_DONE: none */
    enum on_error on_error;
    int retries;          /* of retryable errors before on_error */
    const char *comment;
};

static bool tables_are_loaded(const struct supervisor *s, struct pipeline *p);
static bool epochs_are_passed(const struct supervisor *s, struct pipeline *p);
/* The set time has come, and is not long past: nobody wants a cutover by itself in the middle of the next day. */
static bool set_time_has_come(const struct supervisor *s, struct pipeline *p)
{
    int64_t at_us = s->m->plan.cutover_at_us;
    int64_t late_us = clock_wall_us() - at_us;

    if (!at_us || late_us < 0 || p->cutover_missed)
        return false;
    if (late_us <= s->m->plan.cutover_window_us)
        return true;
    p->cutover_missed = true;
    migration_event(s->m, "warning", "%s: the time set for the cutover (%s) has passed by more than cutover.window: it waits for \"pgcutover "
                    "cutover %s\"", p->name, s->m->plan.cutover_at, s->m->name);
    return false;
}

static bool cutover_may_begin(const struct supervisor *s, struct pipeline *p);

static const struct row rows[PIPE_STATE_COUNT] = {
    [PIPE_QUEUED] = {PIPE_QUEUED, NULL, 0, NULL, PIPE_CHECKING, GOAL_DONE, ENDS, 0,
                     "the engine runs"},
    [PIPE_CHECKING] = {PIPE_CHECKING, "check", 0, NULL, PIPE_SCHEMA, GOAL_CHECKED, ENDS, 3,
                       "prerequisites are met, tables are picked"},
    [PIPE_SCHEMA] = {PIPE_SCHEMA, "schema", 0, NULL, PIPE_STARTING, GOAL_SCHEMA, HOLDS, 3,
                     "the target has the tables, without indexes and keys"},
    [PIPE_STARTING] = {PIPE_STARTING, "epoch", 0, NULL, PIPE_LOADING, GOAL_DONE, HOLDS, 3,
                       "publication and slot exist, the snapshot is exported"},
    [PIPE_LOADING] = {PIPE_LOADING, NULL, WITH_RECEIVE | WITH_MONITOR | WITH_LOADERS,
                      tables_are_loaded, PIPE_CATCHING_UP, GOAL_LOADED, RETRIES, 0,
                      "every table is loaded and indexed"},
    [PIPE_CATCHING_UP] = {PIPE_CATCHING_UP, NULL, WITH_RECEIVE | WITH_MONITOR | WITH_APPLY,
                          epochs_are_passed, PIPE_FINISHING, GOAL_DONE, RETRIES, 0,
                          "changes made while loading are applied"},
    [PIPE_FINISHING] = {PIPE_FINISHING, "finish", WITH_RECEIVE | WITH_MONITOR | WITH_APPLY, NULL,
                        PIPE_SYNCING, GOAL_DONE, HOLDS, 5,
                        "foreign keys, triggers and views are there"},
    [PIPE_SYNCING] = {PIPE_SYNCING, NULL,
                      WITH_RECEIVE | WITH_MONITOR | WITH_APPLY | WITH_LOADERS,
                      cutover_may_begin, PIPE_CUTTING_OVER, GOAL_DONE, RETRIES, 0,
                      "the cutover was asked for and the target is not behind"},
    [PIPE_CUTTING_OVER] = {PIPE_CUTTING_OVER, "cutover", WITH_RECEIVE | WITH_MONITOR | WITH_APPLY,
                           NULL, PIPE_CLOSING, GOAL_DONE, THAWS, 0,
                           "source is frozen, last change applied, sequences set, data verified"},
    [PIPE_THAWING] = {PIPE_THAWING, "thaw", WITH_RECEIVE | WITH_MONITOR | WITH_APPLY, NULL,
                      PIPE_SYNCING, GOAL_DONE, RETRIES, 0,
                      "the cutover failed: the source is writable again"},
    [PIPE_CLOSING] = {PIPE_CLOSING, "close", 0, NULL, PIPE_DONE, GOAL_DONE, HOLDS, 20,
                      "the target is open; slot, publication and state are gone"},
    [PIPE_UNDOING] = {PIPE_UNDOING, "undo", 0, NULL, PIPE_CANCELLED, GOAL_DONE, HOLDS, 5,
                      "everything that was made on the source is gone"},
};

/* --- transitions --- */

static void clear_phase(struct pipeline *p)
{
    str_replace(&p->phase_text, NULL);
    p->phase_done = p->phase_total = 0;
    p->attempts = 0;
    p->retry_at_ms = 0;
}

void pipeline_stop(struct supervisor *s, struct pipeline *p, struct err *err)
{
    migration_event(s->m, "error", "%s: %s is stopped: %s", p->name, pipeline_state_name(p->state),
                    err->message);
    err_move(&p->error, err);
    p->hold = HOLD_STOPPED;
    pipeline_touch(s->m, p);
}

static void entered(struct supervisor *s, struct pipeline *p)
{
    int64_t now = clock_wall_us();

    if (p->state == PIPE_CHECKING && !p->started_us)
        p->started_us = now;
    if (p->state == PIPE_CUTTING_OVER)
        p->frozen_us = 0;
    if (p->state == (p->load_only ? PIPE_FINISHING : PIPE_CATCHING_UP)) {
        p->initialized = true;
        p->load_ended_us = now;
    }
    if (pipeline_has_ended(p)) {
        p->ended_us = now;
        str_replace(&p->snapshot, NULL);
    }
    migration_event(s->m, p->state == PIPE_FAILED ? "error" : "info", "%s: %s", p->name,
                    pipeline_state_name(p->state));
}

static void go(struct supervisor *s, struct pipeline *p, enum pipeline_state next)
{
    cJSON *fields = cJSON_CreateObject();
    enum pipeline_state before = p->state;

    json_add_str(fields, "state", pipeline_state_name(next));
    p->state = next;
    if (!supervisor_decide(s, p, fields)) {
        p->state = before;
        return;
    }
    clear_phase(p);
    entered(s, p);
    pipeline_touch(s->m, p);
}

static enum pipeline_state after(const struct pipeline *p)
{
    if (p->state == PIPE_UNDOING)
        return p->undo_to;
    /* Nothing to catch up with, nobody to wait for. */
    if (p->load_only && p->state == PIPE_LOADING)
        return PIPE_FINISHING;
    if (p->load_only && p->state == PIPE_FINISHING)
        return PIPE_CUTTING_OVER;
    return rows[p->state].next;
}

static bool goal_is_reached(const struct supervisor *s, const struct pipeline *p)
{
    const struct row *row = &rows[p->state];

    if (row->goal == GOAL_DONE || s->m->goal != row->goal)
        return false;
    /* Loaded and ready are stations of a running stream; only what comes before it stops there. */
    return row->goal <= GOAL_SCHEMA;
}

void pipeline_advance(struct supervisor *s, struct pipeline *p)
{
    bool stop_here = goal_is_reached(s, p);

    if (p->state == PIPE_THAWING && p->frozen_us)
        migration_event(s->m, "info", "%s: writes had been stopped for %.1f s", p->name,
                        (double)(clock_wall_us() - p->frozen_us) / 1e6);
    go(s, p, after(p));
    if (stop_here && p->hold == HOLD_NONE) {
        p->hold = HOLD_GOAL;
        pipeline_touch(s->m, p);
    }
}

void pipeline_load_again(struct supervisor *s, struct pipeline *p)
{
    if (p->state == PIPE_CATCHING_UP)
        go(s, p, PIPE_LOADING);
}

void pipeline_give_up(struct supervisor *s, struct pipeline *p, struct err *err)
{
    migration_event(s->m, "error", "%s: %s", p->name, err->message);
    err_move(&p->error, err);
    p->hold = HOLD_NONE;
    p->undo_to = PIPE_FAILED;
    go(s, p, journal_has(&s->journal, p->index, NULL) ? PIPE_UNDOING : PIPE_FAILED);
}

static void thaw(struct supervisor *s, struct pipeline *p, struct err *err)
{
    migration_event(s->m, "error", "%s: the cutover was undone: %s", p->name, err->message);
    err_move(&p->error, err);
    p->cutover_wanted = false;
    p->cutover_refused = true;
    p->drain_lsn = 0;
    for (size_t i = 0; i < p->step_count; i++)
        if (strcmp(p->steps[i].state, "running") == 0) {
            str_replace(&p->steps[i].state, "failed");
            str_replace(&p->steps[i].text, p->error.message);
        }
    go(s, p, PIPE_THAWING);
}

/* Writes have been stopped for as long as the plan allows: back, while that is still possible. */
static void undo_overdue_cutover(struct supervisor *s, struct pipeline *p)
{
    int64_t budget_us = s->m->plan.max_downtime_us;
    struct err err = ERR_INIT;
    const char *at = "its end";

    if (p->state != PIPE_CUTTING_OVER || p->load_only || !budget_us || !p->frozen_us ||
        clock_wall_us() - p->frozen_us < budget_us)
        return;
    for (size_t i = 0; i < p->step_count; i++)
        if (strcmp(p->steps[i].state, "running") == 0)
            at = p->steps[i].name;
    err_set(&err, ERR_TIMEOUT, "writes were stopped for longer than cutover.maxDowntime (%.1f s) allows; the cutover was at "
            "\"%s\"", (double)budget_us / 1e6, at);
    err_hint(&err, "\"pgcutover cutover %s --rehearse\" measures what it takes; \"pgcutover verify\" shortly before makes it "
             "shorter.", s->m->name);
    thaw(s, p, &err);
    err_clear(&err);
}

static int64_t backoff_ms(int attempts)
{
    int64_t pause = 250;

    for (int i = 1; i < attempts && pause < 30000; i++)
        pause *= 2;
    return pause < 30000 ? pause : 30000;
}

/* A server that is being restarted gets a minute before somebody has to say "resume". */
static int retries_of(const struct row *row, const struct err *err)
{
    return row->on_error == HOLDS && err->code == ERR_CONNECTION ? CONNECTION_RETRIES : row->retries;
}

/* A retryable error is shown and tried again, as often as the row says. */
static bool retry(struct supervisor *s, struct pipeline *p, struct err *err)
{
    const struct row *row = &rows[p->state];

    if (!err->retryable || (row->on_error != RETRIES && p->attempts >= retries_of(row, err)))
        return false;
    p->attempts++;
    p->retry_at_ms = clock_mono_ms() + backoff_ms(p->attempts);
    migration_event(s->m, "warning", "%s: %s; trying again", p->name, err->message);
    err_move(&p->error, err);
    pipeline_touch(s->m, p);
    return true;
}

static void failed(struct supervisor *s, struct pipeline *p, struct err *err)
{
    enum on_error on_error = rows[p->state].on_error;

    if (retry(s, p, err))
        return;
    if (on_error == ENDS)
        pipeline_give_up(s, p, err);
    else if (on_error == THAWS && !p->load_only)
        thaw(s, p, err);
    else
        pipeline_stop(s, p, err);
}

/* --- guards --- */

static bool tables_are_loaded(const struct supervisor *s, struct pipeline *p)
{
    (void)s;
    /* The applier reads what the receiver has begun; where there is little or nothing to load, that is not there yet. */
    if (!p->load_only && !p->receive_mode[0])
        return false;
    for (size_t i = 0; i < p->table_count; i++)
        if (p->by_size[i]->state != TABLE_COMPLETED)
            return false;
    return true;
}

static bool epochs_are_passed(const struct supervisor *s, struct pipeline *p)
{
    (void)s;
    if (p->behind_count)
        return false;
    return p->apply_idle ? p->passed_lsn >= p->last_epoch_lsn
                         : p->applied_lsn >= p->last_epoch_lsn;
}

static bool cutover_may_begin(const struct supervisor *s, struct pipeline *p)
{
    bool wanted = p->cutover_wanted || s->m->goal == GOAL_DONE || set_time_has_come(s, p);

    return wanted && p->hold == HOLD_NONE && !p->cutover_refused &&
           pipeline_is_ready(p, s->m->plan.max_lag_us, NULL);
}

/* --- what should run --- */

struct standing_kind {
    unsigned bit;
    const char *kind;
};

static const struct standing_kind standing_kinds[] = {
    {WITH_RECEIVE, "receive"}, {WITH_APPLY, "apply"},  {WITH_MONITOR, "monitor"},
    {WITH_LOADERS, "epoch"},   {WITH_LOADERS, "copy"}, {WITH_LOADERS, "index"},
};

static bool is_wanted(const struct pipeline *p, const char *kind)
{
    const struct row *row = &rows[p->state];

    if (pipeline_has_ended(p) || p->hold == HOLD_GOAL)
        return false;
    /* Nothing moves, but somebody must watch what the slot keeps on the source. */
    if (p->hold == HOLD_PAUSED)
        return p->recalled && !p->load_only && (row->standing & WITH_MONITOR) &&
               strcmp(kind, "watch") == 0;
    if (!p->recalled && p->state != PIPE_THAWING)
        return strcmp(kind, "recall") == 0;
    if (!p->recalled)
        return strcmp(kind, row->worker) == 0 && p->hold == HOLD_NONE;
    if (change_worker(p) && strcmp(change_worker(p), kind) == 0)
        return p->hold == HOLD_NONE;
    if (strcmp(kind, "verify") == 0)
        return verification_is_wanted(p);
    if (strcmp(kind, "rehearse") == 0)
        return rehearsal_is_wanted(p);
    if (strcmp(kind, SOURCE_LOCK_WORKER) == 0)
        return source_lock_is_wanted(p);
    if ((p->change == CHANGE_DETACH || p->change == CHANGE_WITHDRAW) && strcmp(kind, "apply") == 0)
        return false;
    if (row->worker && strcmp(row->worker, kind) == 0)
        return p->hold == HOLD_NONE;
    /* Stopped by an error: what is received is still kept, so that the source can let its WAL go. */
    unsigned standing = p->hold == HOLD_STOPPED ? row->standing & (WITH_RECEIVE | WITH_MONITOR)
                                                : row->standing;
    if (p->load_only) {
        /* No stream; the snapshot stays until the target was compared with it, whatever stops meanwhile. */
        if (strcmp(kind, "epoch") == 0)
            return p->state == PIPE_LOADING || p->state == PIPE_FINISHING ||
                   p->state == PIPE_CUTTING_OVER;
        standing &= p->state == PIPE_LOADING ? WITH_LOADERS | WITH_MONITOR : WITH_LOADERS;
    }
    for (size_t i = 0; i < sizeof standing_kinds / sizeof *standing_kinds; i++)
        if ((standing & standing_kinds[i].bit) && strcmp(standing_kinds[i].kind, kind) == 0)
            return true;
    return false;
}

/* After a restart nothing is done before the target was asked, but for the source's sake: it is made
 * writable again even while the target cannot be reached. */
static const char *own_worker(const struct pipeline *p)
{
    if (!p->recalled && p->state != PIPE_THAWING)
        return "recall";
    return change_worker(p) ? change_worker(p) : rows[p->state].worker;
}

/* Stops what is not wanted; true while any of it still runs. */
static bool stop_unwanted(struct supervisor *s, struct pipeline *p)
{
    bool any = false;

    for (struct worker *w = s->workers; w; w = w->next) {
        if (w->pipeline != p || is_wanted(p, w->kind->name))
            continue;
        worker_stop(w);
        any = true;
    }
    return any;
}

static void start_standing(struct supervisor *s, struct pipeline *p)
{
    static const struct standing_kind singles[] = {
        {WITH_RECEIVE, "receive"}, {WITH_APPLY, "apply"}, {WITH_MONITOR, "monitor"}};

    if (is_wanted(p, "watch") && !supervisor_worker(s, p, "watch"))
        supervisor_start_worker(s, p, "watch");
    for (size_t i = 0; i < sizeof singles / sizeof *singles; i++)
        if (is_wanted(p, singles[i].kind) && !supervisor_worker(s, p, singles[i].kind))
            supervisor_start_worker(s, p, singles[i].kind);
}

/* Nothing is changed on any server before the checks of every database have passed: so "a prerequisite
 * is not met" can promise that nothing was changed. */
static bool checks_allow(struct supervisor *s, struct pipeline *p)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; p->state == PIPE_SCHEMA && i < s->m->pipeline_count; i++) {
        const struct pipeline *other = &s->m->pipelines[i];
        if (other->state == PIPE_QUEUED || other->state == PIPE_CHECKING)
            return false;
        if (other->state != PIPE_FAILED || journal_has(&s->journal, p->index, NULL))
            continue;
        err_set(&err, other->error.code, "the checks of database \"%s\" failed: %s", other->name,
                other->error.message);
        snprintf(err.sqlstate, sizeof err.sqlstate, "%s", other->error.sqlstate);
        if (other->error.detail)
            err_detail(&err, "%s", other->error.detail);
        if (other->error.hint)
            err_hint(&err, "%s", other->error.hint);
        pipeline_give_up(s, p, &err);
        err_clear(&err);
        return false;
    }
    return true;
}

static void start_own(struct supervisor *s, struct pipeline *p)
{
    const char *kind = own_worker(p);

    if (kind && is_wanted(p, kind) && !supervisor_worker(s, p, kind) && checks_allow(s, p))
        supervisor_start_worker(s, p, kind);
}

/* Added tables are back in the stream: what else belongs to them is made as for all at first. */
static bool tables_want_finish(const struct pipeline *p)
{
    return p->state == PIPE_SYNCING && p->unfinished && !p->asked && !p->behind_count &&
           !p->cutover_wanted;
}

void pipeline_turn(struct supervisor *s, struct pipeline *p)
{
    const struct row *row = &rows[p->state];

    if (p->state == PIPE_QUEUED && p->hold == HOLD_NONE) {
        pipeline_advance(s, p);
        return;
    }
    undo_overdue_cutover(s, p);
    if (stop_unwanted(s, p) || pipeline_has_ended(p) || clock_mono_ms() < p->retry_at_ms)
        return;
    start_own(s, p);
    if (!p->recalled)
        return;
    start_standing(s, p);
    if (p->hold != HOLD_NONE)
        return;
    if ((row->standing & WITH_LOADERS) && !p->asked)
        load_turn(s, p);
    verification_turn(s, p);
    rehearsal_turn(s, p);
    source_lock_turn(s, p);
    if (tables_want_finish(p)) {
        p->unfinished = false;
        go(s, p, PIPE_FINISHING);
        return;
    }
    if (row->guard && !p->asked && row->guard(s, p))
        pipeline_advance(s, p);
}

/* --- from workers --- */

void pipeline_worker_ended(struct supervisor *s, struct worker *w, struct err *err)
{
    struct pipeline *p = w->pipeline;
    const char *kind = w->kind->name;
    const char *own = own_worker(p);

    if (source_lock_worker_ended(w, err)) {
        failed(s, p, err);
        return;
    }
    if (rehearsal_worker_ended(s, w, err) || verification_worker_ended(s, w, err) || load_worker_ended(s, w, err))
        return;
    if (!err_is_set(err)) {
        if (own && strcmp(own, kind) == 0 && strcmp(kind, "recall") == 0)
            p->recalled = true;
        else if (change_worker(p) && strcmp(kind, change_worker(p)) == 0)
            change_worker_done(s, p);
        else if (own && strcmp(own, kind) == 0 && p->hold == HOLD_NONE)
            pipeline_advance(s, p);
        return;
    }
    if (err->code == ERR_STOPPED || pipeline_has_ended(p) || !is_wanted(p, kind)) {
        err_clear(err);
        return;
    }
    if (p->hold != HOLD_NONE) {
        /* Receiver or monitor, while an error or a pause waits for somebody: tried again, quietly. */
        log_err(LOG_WARNING, err);
        p->attempts++;
        p->retry_at_ms = clock_mono_ms() + backoff_ms(p->attempts);
        return;
    }
    if (change_worker(p) && strcmp(kind, change_worker(p)) == 0 && !err->retryable) {
        change_give_up(s, p, err);
        return;
    }
    failed(s, p, err);
}

/* --- restoring --- */

void pipeline_restore(struct supervisor *s, struct pipeline *p)
{
    const cJSON *entry = journal_state(&s->journal, p->index);
    enum pipeline_state undo_to = PIPE_CANCELLED;

    p->undo_to = PIPE_CANCELLED;
    if (!entry || !pipeline_state_parse(json_str(entry, "state"), &p->state)) {
        p->state = PIPE_QUEUED;
        p->recalled = true;
        return;
    }
    lsn_parse(json_str(entry, "startLsn"), &p->start_lsn);
    if (pipeline_state_parse(json_str(entry, "undoTo"), &undo_to))
        p->undo_to = undo_to;
    change_restore(p, entry);
    cJSON_Delete(p->statements);
    const cJSON *statements = journal_statements(&s->journal, p->index);
    p->statements = statements ? cJSON_Duplicate(statements, true) : NULL;
    p->started_us = json_i64(entry, "startedUs", 0);
    p->ended_us = json_i64(entry, "endedUs", 0);
    p->frozen_us = json_i64(entry, "frozenUs", 0);
    p->opened_us = json_i64(entry, "openedUs", 0);
    p->initialized = p->state > PIPE_LOADING;
    const cJSON *error = json_get(entry, "error");
    if (cJSON_IsObject(error))
        err_from_json(&p->error, error);
    /* Checks were cut short: they are made again, from the start. */
    if (p->state == PIPE_CHECKING)
        p->state = PIPE_QUEUED;
    p->recalled = p->state == PIPE_QUEUED || pipeline_has_ended(p) || p->state == PIPE_UNDOING;
    source_lock_restore(s, p);
    /* A cutover that was cut short before its point of no return goes back. */
    if (p->state == PIPE_CUTTING_OVER && !p->load_only) {
        struct err err = ERR_INIT;
        err_set(&err, ERR_INTERNAL, "the engine ended in the middle of the cutover");
        thaw(s, p, &err);
    }
}

/* --- commands --- */

static bool refuse(struct err *err, const struct pipeline *p, const char *what)
{
    err_set(err, ERR_USAGE, "database \"%s\" cannot be %s: it is %s", p->name, what,
            pipeline_state_name(p->state));
    return false;
}

static bool may_pause(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    (void)s;
    return (!pipeline_has_ended(p) && p->state < PIPE_CUTTING_OVER) || refuse(err, p, "paused");
}

static bool pause_it(struct supervisor *s, struct pipeline *p)
{
    p->hold = HOLD_PAUSED;
    migration_event(s->m, "info", "%s: paused while %s; the slot and the place are kept", p->name,
                    pipeline_state_name(p->state));
    pipeline_touch(s->m, p);
    return true;
}

static bool may_resume(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    (void)s;
    return !pipeline_has_ended(p) || p->state == PIPE_FAILED || refuse(err, p, "resumed");
}

static bool resume_it(struct supervisor *s, struct pipeline *p)
{
    if (p->state == PIPE_FAILED) {
        /* Nothing of it is left on the source: it starts anew. */
        go(s, p, PIPE_QUEUED);
        p->ended_us = s->m->ended_us = 0;
    }
    /* --until a station before the stream: it has been there. */
    if (s->m->goal <= GOAL_SCHEMA)
        s->m->goal = s->m->plan.cutover_when == CUTOVER_READY ? GOAL_DONE : GOAL_READY;
    p->hold = HOLD_NONE;
    p->attempts = 0;
    p->retry_at_ms = 0;
    p->cutover_refused = false;
    err_clear(&p->error);
    load_retry_errors(s, p);
    p->retry_stopped = true;
    pipeline_tell_retry(s, p);
    migration_event(s->m, "info", "%s: resumed while %s", p->name, pipeline_state_name(p->state));
    pipeline_touch(s->m, p);
    return true;
}

static bool may_cancel(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    (void)s;
    return (p->state != PIPE_CLOSING && p->state != PIPE_DONE) || refuse(err, p, "cancelled");
}

static bool cancel_it(struct supervisor *s, struct pipeline *p)
{
    if (p->state == PIPE_CANCELLED || (p->state == PIPE_UNDOING && p->hold == HOLD_NONE))
        return true;
    p->hold = HOLD_NONE;
    p->undo_to = PIPE_CANCELLED;
    p->cutover_wanted = false;
    err_clear(&p->error);
    p->recalled = true;
    go(s, p, PIPE_UNDOING);
    return p->state == PIPE_UNDOING;
}

static bool is_cutting_over(const struct pipeline *p)
{
    return p->state == PIPE_CUTTING_OVER || p->state == PIPE_CLOSING || p->state == PIPE_DONE;
}

static bool may_cutover(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    char *why = NULL;

    if (is_cutting_over(p) || pipeline_is_ready(p, s->m->plan.max_lag_us, &why))
        return true;
    err_set(err, ERR_USAGE, "database \"%s\" is not ready to be cut over: %s", p->name, why);
    err_hint(err, "Wait until it is READY_TO_COMPLETE: \"pgcutover status %s --watch\".", s->m->name);
    free(why);
    return false;
}

static bool cutover_it(struct supervisor *s, struct pipeline *p)
{
    if (is_cutting_over(p))
        return true;
    p->cutover_wanted = true;
    p->cutover_refused = false;
    err_clear(&p->error);
    migration_event(s->m, "info", "%s: the cutover was asked for", p->name);
    pipeline_touch(s->m, p);
    return true;
}

/* Before its point of no return a cutover can be given up; the source is writable again then. */
static bool may_abort(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    (void)s;
    if ((p->state == PIPE_CUTTING_OVER && !p->load_only) || (p->state == PIPE_SYNCING && p->cutover_wanted))
        return true;
    err_set(err, ERR_USAGE, "the cutover of database \"%s\" cannot be given up: it is %s", p->name, pipeline_state_name(p->state));
    if (p->state == PIPE_CLOSING)
        err_hint(err, "It is past its point of no return, and goes on by itself.");
    return false;
}

static bool abort_it(struct supervisor *s, struct pipeline *p)
{
    struct err err = ERR_INIT;

    p->cutover_wanted = false;
    if (p->state == PIPE_SYNCING) {
        pipeline_touch(s->m, p);
        return true;
    }
    err_set(&err, ERR_STOPPED, "it was given up on request");
    thaw(s, p, &err);
    err_clear(&err);
    return p->state == PIPE_THAWING;
}

static bool may_forget(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    (void)s;
    if (pipeline_has_ended(p))
        return true;
    refuse(err, p, "deleted");
    err_hint(err, "Cut it over or cancel it first.");
    return false;
}

static bool forget_it(struct supervisor *s, struct pipeline *p)
{
    if (journal_has(&s->journal, p->index, NULL) || fixes_are_left(s->m)) {
        p->undo_to = p->state;
        p->forgetting = true;
        p->recalled = true;
        p->hold = HOLD_NONE;
        go(s, p, PIPE_UNDOING);
    }
    return true;
}

struct pipeline_command {
    const char *name;
    bool (*may)(const struct supervisor *s, const struct pipeline *p, struct err *err);
    bool (*act)(struct supervisor *s, struct pipeline *p);
};

static const struct pipeline_command commands[] = {
    {"pause", may_pause, pause_it},       {"resume", may_resume, resume_it},
    {"cancel", may_cancel, cancel_it},    {"cutover", may_cutover, cutover_it},
    {"delete", may_forget, forget_it},    {"abort", may_abort, abort_it},
    {NULL, NULL, NULL},
};

const struct pipeline_command *pipeline_command_find(const char *name)
{
    const struct pipeline_command *command = commands;

    while (command->name && strcmp(command->name, name) != 0)
        command++;
    return command->name ? command : NULL;
}

bool pipeline_may(const struct supervisor *s, const struct pipeline *p,
                  const struct pipeline_command *command, struct err *err)
{
    return command->may(s, p, err);
}

bool pipeline_command(struct supervisor *s, struct pipeline *p,
                      const struct pipeline_command *command, struct err *err)
{
    if (!command->may(s, p, err))
        return false;
    if (!command->act(s, p)) {
        err_set(err, ERR_IO, "%s: %s", p->name,
                err_is_set(&p->error) ? p->error.message : "the journal cannot be written");
        return false;
    }
    return true;
}

char *pipeline_transitions_text(void)
{
    struct buf out = BUF_INIT;

    for (int i = 0; i < PIPE_STATE_COUNT; i++)
        if (rows[i].comment)
            buf_addf(&out, "%s -> %s: %s\n", pipeline_state_name(rows[i].state),
                     pipeline_state_name(rows[i].next), rows[i].comment);
    return buf_take(&out);
}
