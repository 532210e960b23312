/* close: behind the point of no return, forward only. */
#include "engine/cutover.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "cutover/bouncer.h"
#include "cutover/table_locks.h"
#include "engine/compare.h"
#include "engine/decide.h"
#include "engine/fallback.h"
#include "engine/source_lock.h"
#include "schema/apply.h"
#include "schema/identity.h"
#include "schema/rename.h"
#include "schema/target.h"

#define HOOK_TIMEOUT_MS 600000
#define UNLOCK_TIMEOUT_MS 30000

/* Waiting clients go on, on the target. May be done again. */
static bool lead_there(struct work *work, struct conn *console, struct conn *target, char **before, struct err *err)
{
    const struct plan *plan = &work->m->plan;
    const char *database = cutover_bouncer_database(work);
    const char *host = PQhost(target->pg), *port = PQport(target->pg);

    if (plan->bouncer_config &&
        !(bouncer_edit_file(plan->bouncer_config, database, host, port, work->p->target_name, before, err) &&
          bouncer_reload(console, err)))
        return false;
    return bouncer_leads_to(console, database, host, port, work->p->target_name, err) &&
           work_undo_kinds(work, "pgbouncer", err); /* goes on */
}

static bool switch_bouncer(struct work *work, struct conn *target, struct err *err)
{
    struct conn console = CONN_INIT;
    char *before = NULL;

    if (!work->m->plan.bouncer_uri)
        return true;
    work_step(work, "switch PgBouncer", "running", NULL);
    bool ok = bouncer_open(&console, work->m->plan.bouncer_uri, err) &&
              lead_there(work, &console, target, &before, err);
    char *text = before ? xasprintf("its clients are on the target; the entry was: %s", before)
                        : xstrdup("its clients are on the target");
    work_step(work, "switch PgBouncer", ok ? "done" : "failed", ok ? text : err->message);
    if (!ok)
        err_hint(err, "The target is open, and the data are there; PgBouncer's clients wait. Mend it, and \"pgcutover resume "
                 "%s\" goes on from here.", work->m->name);
    free(text);
    free(before);
    conn_close(&console);
    return ok;
}

/* Where it fails, the migration waits there: "resume" runs it again. So it does where the engine ended in the middle. */
static bool hook_after(struct work *work, struct err *err)
{
    char *line = NULL;

    if (!work->m->plan.hook_after)
        return true;
    work_step(work, "hook after", "running", NULL);
    bool ok = cutover_hook(work, work->m->plan.hook_after, HOOK_TIMEOUT_MS, &line, err);
    work_step(work, "hook after", ok ? "done" : "failed", ok ? line : err->message);
    if (!ok)
        err_hint(err, "The target is open, and the data are there. Mend the hook, and \"pgcutover resume %s\" runs it again.",
                 work->m->name);
    free(line);
    return ok;
}

static bool open_target(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);
    bool exists = false;

    ok = ok && schema_state_exists(&target, &exists, err);
    if (ok && exists) {
        work_step(work, "open the target", "running", NULL);
        ok = cutover_mend_late_tables(work, &target, err) && work_lock_schema(&target, "0", err) &&
             schema_identity_restore(&target, err) &&
             (work->m->plan.schema_mode != SCHEMA_COPY ||
              (work_decide(work, &target, false, err) && schema_apply_phase(&target, "held", NULL, err))) &&
             work_held_keys(work, &target, err) &&
             (work->m->plan.schema_mode != SCHEMA_COPY || schema_rename_tables(&target, err)) &&
             work_undo_kinds(work, "trigger rule foreign-key", err) && fallback_reopen(work, &target, err);
        work_tell_statements(work, &target);
        work_step(work, "open the target", ok ? "done" : "failed", ok ? NULL : err->message);
        ok = ok && hook_after(work, err) && switch_bouncer(work, &target, err);
    }
    conn_close(&target);
    return ok;
}

/* What was mended for the time of the migration is of no use to it any more, unless another of its databases or the way back
 * goes on: then "delete" takes it back. */
static bool fixes_are_done_with(const struct work *work)
{
    for (size_t i = 0; i < work->m->pipeline_count; i++)
        if (&work->m->pipelines[i] != work->p && !pipeline_has_ended(&work->m->pipelines[i]))
            return false;
    return !work->m->plan.fallback;
}

static bool end_waiting(struct conn *source, struct buf *ended, struct buf *left, bool *held, struct err *err)
{
    return table_locks_end_waiting(source, "pgcutover:" SOURCE_LOCK_WORKER, ended, left, held, err);
}

/* Until the locks are gone, with whoever begins to wait meanwhile. */
static bool unlock(struct work *work, struct conn *source, struct buf *ended, struct buf *left, struct err *err)
{
    int64_t until = clock_mono_ms() + UNLOCK_TIMEOUT_MS;
    bool held = true;
    bool ok = end_waiting(source, ended, left, &held, err);

    if (ok && left->len)
        work_event(work, "warning", "sessions that wait to write on the source may not be ended, and will write there: %s",
                   left->data);
    work_send(work, json_message("unlock_writes"));
    while (ok && held && clock_mono_ms() < until)
        ok = stop_sleep(20, err) && end_waiting(source, ended, left, &held, err);
    if (!ok || !held)
        return ok;
    err_set(err, ERR_TIMEOUT, "%s: the session that locks the tables did not end within %d s", source->label,
            UNLOCK_TIMEOUT_MS / 1000);
    return false;
}

/* The locks on the source's tables have to go before what was made there is undone, and with them go those who waited: what they
 * wanted to write would be written on the old side. */
static bool unlock_source(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    struct buf ended = BUF_INIT, left = BUF_INIT;

    if (work->m->plan.stop_writes != STOP_LOCK)
        return true;
    work_step(work, "let the source go", "running", NULL);
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) && unlock(work, &source, &ended, &left, err);
    char *text = xasprintf("its tables can be written to again; sessions that waited to do so were ended: %s",
                           ended.len ? ended.data : "none");
    work_step(work, "let the source go", ok ? "done" : "failed", ok ? text : err->message);
    free(text);
    buf_release(&ended);
    buf_release(&left);
    conn_close(&source);
    return ok;
}

bool work_close(struct work *work, struct err *err)
{
    if (!open_target(work, err) || !unlock_source(work, err))
        return false;
    work_step(work, "clean up", "running", NULL);
    bool ok = work_undo_kinds(work, "slot given-slot publication ddl-log replica-identity index", err) &&
              (!fixes_are_done_with(work) || work_undo_fixes(work, true, err));
    /* With what the migration had set on the source taken back, and with the state still there, which knows what was left out. */
    if (ok)
        work_compare_schemas(work);
    ok = ok && work_undo_kinds(work, "state-schema database", err);
    work_step(work, "clean up", ok ? "done" : "failed", ok ? NULL : err->message);
    return ok;
}
