/* cutover: up to the point of no return.
 *
 * The cutover worker runs its table of steps top to bottom; nothing in it touches what would have to
 * be undone but the freeze, which is in the journal: so on any error or crash the supervisor runs
 * "thaw", and sync goes on. Its last step proves that nothing was written behind the fence. Then the
 * supervisor writes the state "closing", the point of no return, and "close" finishes: forward only. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "cutover/bouncer.h"
#include "cutover/fence.h"
#include "cutover/freeze.h"
#include "cutover/sequences.h"
#include "engine/cutover.h"
#include "engine/fallback.h"
#include "load/lobs.h"
#include "load/storage.h"
#include "schema/matviews.h"

#define DRAIN_TIMEOUT_MS 600000
#define HOOK_TIMEOUT_MS 600000
#define PAUSE_TIMEOUT_MS 60000

/* --- steps --- */

static bool list_writers(struct cutover *c, struct err *err)
{
    struct buf text = BUF_INIT;
    int writing = 0;
    bool ok = writers_list(&c->source, c->work->p->name, &text, &writing, err) &&
              obstacles_list(&c->source, c->work->p->name, &text, err) && schedulers_list(&c->source, &text, err);

    if (ok)
        cutover_say(c, "%d session%s in a writing transaction%s%s", writing, writing == 1 ? "" : "s",
            text.len ? "; at work:\n" : "", text.len ? text.data : "");
    buf_release(&text);
    return ok;
}

static int pause_timeout_ms(const struct plan *plan)
{
    int64_t budget_ms = plan->max_downtime_us / 1000;

    return budget_ms && budget_ms < PAUSE_TIMEOUT_MS ? (int)budget_ms : PAUSE_TIMEOUT_MS;
}

/* Clients wait from here on, instead of losing what they are at. */
static bool pause_bouncer(struct cutover *c, struct err *err)
{
    const struct plan *plan = &c->work->m->plan;
    const char *database = cutover_bouncer_database(c->work);
    struct conn console = CONN_INIT;
    int64_t began_ms = clock_mono_ms();
    int seq;

    bool ok = bouncer_open(&console, plan->bouncer_uri, err) &&
              work_made(c->work, SIDE_SOURCE, "pgbouncer", NULL, database, NULL, &seq, err) &&
              bouncer_pause(&console, database, pause_timeout_ms(plan), err);
    if (ok)
        cutover_say(c, "PgBouncer's database \"%s\" is paused; its last transaction ended after %lld ms", database,
                    (long long)(clock_mono_ms() - began_ms));
    conn_close(&console);
    return ok;
}

static bool freeze(struct cutover *c, struct err *err)
{
    const char *database = c->work->p->name;
    struct buf ended = BUF_INIT;
    char *previous = NULL;
    int seq;
    bool ok = freeze_check(&c->source, database, err) &&
              freeze_previous(&c->source, database, &previous, err) &&
              work_made(c->work, SIDE_SOURCE, "read-only", NULL, database, previous, &seq, err) &&
              freeze_set(&c->source, database, err) &&
              freeze_end_sessions(&c->source, database, &ended, err);

    if (ok)
        cutover_say(c, "database \"%s\" is read-only; sessions ended: %s", database,
            ended.len ? ended.data : "none");
    buf_release(&ended);
    free(previous);
    return ok;
}

/* Another worker holds the tables: it stays until the target is open, which is behind this one's end. */
static bool lock_tables(struct cutover *c, struct err *err)
{
    work_send(c->work, json_message("lock_writes"));
    for (;;) {
        cJSON *answer = work_receive(c->work, -1, err);
        if (!answer)
            return false;
        const char *type = json_str(answer, "type");
        bool held = type && strcmp(type, "writes_locked") == 0;
        if (held)
            cutover_say(c, "%lld tables are locked against writing, after %lld ms", (long long)json_i64(answer, "tables", 0),
                        (long long)json_i64(answer, "waitedMs", 0));
        cJSON_Delete(answer);
        if (held)
            return true;
    }
}

static bool stop_writes(struct cutover *c, struct err *err)
{
    int writing = 0;
    struct buf text = BUF_INIT;

    if (c->work->m->plan.stop_writes == STOP_READ_ONLY)
        return freeze(c, err);
    if (c->work->m->plan.stop_writes == STOP_LOCK)
        return lock_tables(c, err);
    bool ok = writers_list(&c->source, c->work->p->name, &text, &writing, err);
    if (ok && writing) {
        err_set(err, ERR_PREREQUISITE, "writes were not stopped: %d session%s in a transaction that "
                "has written", writing, writing == 1 ? " is" : "s are");
        err_detail(err, "%s", text.data);
        err_hint(err, "Stop them and cut over again.");
        ok = false;
    }
    if (ok)
        cutover_say(c, "the operator says that writes have been stopped");
    buf_release(&text);
    return ok;
}

static void refuse_behind(const char *table, struct err *err)
{
    if (!table)
        return;
    if (*table)
        err_set(err, ERR_CONFLICT, "table \"%s\" was stopped by an error", table);
    else
        err_set(err, ERR_CONFLICT, "a table is not caught up with the stream");
    err_hint(err, "Its error is in the status: mend it, resume, and cut over again.");
}

/* Waits until everything before lsn is applied. */
static bool drain(struct cutover *c, lsn_t lsn, struct err *err)
{
    int64_t until = clock_mono_ms() + DRAIN_TIMEOUT_MS;
    cJSON *request = json_message("drain");
    bool drained = false;

    work_json_add_lsn(request, "lsn", lsn);
    work_send(c->work, request);
    while (!drained && clock_mono_ms() < until) {
        cJSON *answer = work_receive(c->work, 1000, err);
        if (err_is_set(err))
            return false;
        const char *type = answer ? json_str(answer, "type") : NULL;
        if (type && strcmp(type, "drained") == 0) {
            c->last_change = work_json_lsn(answer, "lastChange");
            drained = true;
            refuse_behind(json_str(answer, "behind"), err);
        }
        cJSON_Delete(answer);
        if (err_is_set(err))
            return false;
    }
    if (!drained)
        err_set(err, ERR_TIMEOUT, "the last changes were not applied within %d s",
                DRAIN_TIMEOUT_MS / 1000);
    return drained;
}

/* What the source's version does not send. */
static bool nothing_missing(struct cutover *c, struct err *err)
{
    return !storage_is_needed(&c->source) || storage_check(&c->source, &c->target, err);
}

static bool last_change(struct cutover *c, struct err *err)
{
    char text[LSN_TEXT_SIZE];

    if (!fence_lsn(&c->source, &c->fence, err) || !drain(c, c->fence, err) || !nothing_missing(c, err) ||
        !cutover_knows_all_tables(c, err))
        return false;
    cutover_say(c, "everything up to %s is applied", lsn_format(c->fence, text));
    return true;
}

/* Before anything is frozen, for it takes a while where there are many. */
static bool all_tables(struct cutover *c, struct err *err)
{
    lsn_t now;

    if (!fence_lsn(&c->source, &now, err) || !drain(c, now, err) || !cutover_knows_all_tables(c, err))
        return false;
    cutover_say(c, "every table that the plan picks is moved");
    return true;
}

static bool large_objects(struct cutover *c, struct err *err)
{
    struct lobs_result lobs;

    if (!lobs_copy(&c->source, &c->target, work_owns_target(c->work), NULL, &lobs, err))
        return false;
    cutover_say(c, "%lld, of which %lld were new or different; %lld removed", (long long)lobs.count,
        (long long)lobs.copied, (long long)lobs.removed);
    return true;
}

/* A schema that somebody else made may lack the sequences of tables that were not picked. */
static bool is_on_target(void *arg, const char *schema, const char *name)
{
    const struct sequence_list *list = arg;
    size_t low = 0;
    size_t high = list->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(schema, list->items[middle].schema);
        if (!order)
            order = strcmp(name, list->items[middle].name);
        if (!order)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct sequence_value *x = a;
    const struct sequence_value *y = b;
    int order = strcmp(x->schema, y->schema);

    return order ? order : strcmp(x->name, y->name);
}

/* Which sequences are carried: all, or (schema.mode existing) those that the target has too. */
static bool pick_sequences(struct cutover *c, struct err *err)
{
    if (c->work->m->plan.schema_mode != SCHEMA_EXISTING || c->filter.wanted)
        return true;
    if (!sequences_read(&c->target, NULL, &c->on_target, err))
        return false;
    if (c->on_target.count)
        qsort(c->on_target.items, c->on_target.count, sizeof *c->on_target.items, by_name);
    c->filter = (struct sequence_filter){is_on_target, &c->on_target};
    return true;
}

static bool sequences(struct cutover *c, struct err *err)
{
    int count = 0;
    int margin = c->work->m->plan.sequence_margin;

    if (!pick_sequences(c, err) ||
        !sequences_copy(&c->source, &c->target, &c->filter, margin, &count, err))
        return false;
    if (margin)
        cutover_say(c, "%d sequence%s set, %d steps ahead", count, count == 1 ? "" : "s", margin);
    else
        cutover_say(c, "%d sequence%s set", count, count == 1 ? "" : "s");
    return true;
}

/* They are filled from the target's own tables: as new as these, where the source's may be stale. So
 * the verification does not compare what they hold. */
static bool matviews(struct cutover *c, struct err *err)
{
    if (!schema_matviews_refresh(&c->source, &c->target, NULL, err))
        return false;
    cutover_say(c, "refreshed");
    return true;
}

/* --- hooks, and what comes before the freeze --- */

static bool hook_before(struct cutover *c, struct err *err)
{
    const char *command = c->work->m->plan.hook_before;
    char *line = NULL;
    bool ok = cutover_hook(c->work, command, HOOK_TIMEOUT_MS, &line, err);

    if (ok)
        cutover_say(c, "%s", line ? line : "done");
    free(line);
    return ok;
}

/* Only who has a budget needs to know what it takes. */
static bool has_budget(const struct plan *plan)
{
    return plan->max_downtime_us != 0;
}

static bool has_hook_before(const struct plan *plan)
{
    return plan->hook_before != NULL;
}

static bool has_bouncer(const struct plan *plan)
{
    return plan->bouncer_uri != NULL;
}

static bool check_again(struct cutover *c, struct err *err)
{
    if (!work_check_again(c->work, CHECK_BEFORE_CUTOVER, err))
        return false;
    cutover_say(c, "nothing is in the way");
    return true;
}

/* A session that the freeze did not stop would show itself behind the fence. */
static bool prove_silence(struct cutover *c, struct err *err)
{
    char fence[LSN_TEXT_SIZE];
    char found[LSN_TEXT_SIZE];
    lsn_t fence_end = c->fence;
    lsn_t now;

    if (!fence_lsn(&c->source, &now, err) || !drain(c, now, err) || !nothing_missing(c, err))
        return false;
    if (c->last_change > fence_end) {
        err_set(err, ERR_CONFLICT, "something wrote on the source after writes were stopped: a "
                "transaction committed at %s, behind %s", lsn_format(c->last_change, found),
                lsn_format(fence_end, fence));
        err_hint(err, "Find what writes (a superuser's session, a job, a subscription), stop it, and "
                      "cut over again.");
        return false;
    }
    cutover_say(c, "nothing was written after %s", lsn_format(fence_end, fence));
    return true;
}

static bool wants_fallback(const struct plan *plan)
{
    return plan->fallback;
}

static bool check_fallback(struct cutover *c, struct err *err)
{
    if (!fallback_check(c->work, err))
        return false;
    cutover_say(c, "the target can stream to the source");
    return true;
}

static bool arm_fallback(struct cutover *c, struct err *err)
{
    char *name = fallback_name(c->work->m, c->work->p);
    bool ok = fallback_arm(c->work, name, err);

    if (ok)
        cutover_say(c, "migration \"%s\" streams what is written on the target back to the source", name);
    free(name);
    return ok;
}

const struct cutover_step cutover_steps[] = {
    {"list writers", list_writers, false, NULL},
    {"checks", check_again, false, NULL},
    {"types of columns", cutover_types, false, cutover_wants_types},
    {"all tables", all_tables, false, NULL},
    {"rows of foreign keys", cutover_orphans, false, cutover_wants_orphans},
    {"check the way back", check_fallback, false, wants_fallback},
    {"rehearse", cutover_rehearse, false, has_budget},
    {"hook before", hook_before, false, has_hook_before},
    {"pause PgBouncer", pause_bouncer, false, has_bouncer},
    {"stop writes", stop_writes, false, NULL},
    {"last change applied", last_change, true, NULL},
    {"tables outside of the stream", cutover_late_tables, true, NULL},
    {"large objects", large_objects, true, NULL},
    {"sequences", sequences, true, NULL},
    {"materialized views", matviews, true, NULL},
    {"verify", cutover_verify, true, NULL},
    {"nothing written since", prove_silence, false, NULL},
    {"arm the way back", arm_fallback, false, wants_fallback},
    {NULL, NULL, false, NULL},
};

/* The end of a copy without a stream (sync.mode load-only). */
const struct cutover_step cutover_copy_steps[] = {
    {"types of columns", cutover_types, false, cutover_wants_types},
    {"sequences", sequences, false, NULL},
    {"materialized views", matviews, false, NULL},
    {"rows of foreign keys", cutover_orphans, false, cutover_wants_orphans},
    {"verify", cutover_verify_copy, false, NULL},
    {NULL, NULL, false, NULL},
};

static void release(struct cutover *c)
{
    free(c->said);
    free(c->relations);
    sequence_list_release(&c->on_target);
    cutover_close(c);
}

static bool run_step(struct cutover *c, const struct cutover_step *step, struct err *err)
{
    work_step(c->work, step->name, "running", NULL);
    free(c->said);
    c->said = NULL;
    bool ok = step->act(c, err);
    work_step(c->work, step->name, ok ? "done" : "failed", ok ? c->said : err->message);
    return ok;
}

bool work_cutover(struct work *work, struct err *err)
{
    struct cutover c = {.work = work};
    const struct cutover_step *step = work->p->load_only ? cutover_copy_steps : cutover_steps;
    bool ok = cutover_open(&c, err);

    for (; ok && step->name; step++)
        ok = (step->is_wanted && !step->is_wanted(&work->m->plan)) || run_step(&c, step, err);
    release(&c);
    return ok;
}

bool work_rehearse(struct work *work, struct err *err)
{
    static const struct cutover_step only = {"rehearse", cutover_rehearse, false, NULL};
    struct cutover c = {.work = work};
    bool ok = cutover_open(&c, err) && run_step(&c, &only, err);

    release(&c);
    return ok;
}
