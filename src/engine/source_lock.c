#include "engine/source_lock.h"

#include <string.h>

#include "base/json.h"

bool source_lock_is_wanted(const struct pipeline *p)
{
    return p->lock_wanted && (p->state == PIPE_CUTTING_OVER || p->state == PIPE_CLOSING);
}

void source_lock_turn(struct supervisor *s, struct pipeline *p)
{
    if (!source_lock_is_wanted(p))
        p->lock_wanted = false; /* the cutover was undone, or is over */
    else if (!supervisor_worker(s, p, SOURCE_LOCK_WORKER))
        supervisor_start_worker(s, p, SOURCE_LOCK_WORKER);
}

/* It is not started again: what was written in between would not be noticed. */
bool source_lock_worker_ended(struct worker *w, struct err *err)
{
    struct pipeline *p = w->pipeline;

    if (strcmp(w->kind->name, SOURCE_LOCK_WORKER) != 0 || !source_lock_is_wanted(p))
        return false;
    p->lock_wanted = false;
    if (!err_is_set(err))
        err_set(err, ERR_INTERNAL, "worker \"" SOURCE_LOCK_WORKER "\" ended");
    err->retryable = false;
    if (p->state != PIPE_CLOSING)
        return true;
    err_wrap(err, "the locks on the source's tables were lost while the target was being opened");
    err_hint(err, "What was written on the source since then is not on the target. \"pgcutover resume\" opens it all the same.");
    return true;
}

void source_lock_restore(const struct supervisor *s, const struct pipeline *p)
{
    if (s->m->plan.stop_writes == STOP_LOCK && p->state == PIPE_CLOSING)
        migration_event(s->m, "warning", "%s: the locks on the source's tables went with the engine that was ended: what was "
                        "written there since then is not on the target", p->name);
}

void source_lock_on_wanted(struct supervisor *s, struct worker *w, const cJSON *message)
{
    (void)message;
    w->pipeline->lock_wanted = true;
    source_lock_turn(s, w->pipeline);
}

void source_lock_on_unwanted(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct worker *lock = supervisor_worker(s, w->pipeline, SOURCE_LOCK_WORKER);

    (void)message;
    w->pipeline->lock_wanted = false;
    if (lock)
        worker_stop(lock);
}

void source_lock_on_held(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct worker *cutover = supervisor_worker(s, w->pipeline, "cutover");

    if (cutover && !cutover->stopping)
        channel_queue(&cutover->channel, cJSON_Duplicate(message, true));
}
