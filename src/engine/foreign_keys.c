/* Foreign keys: made behind the load, or (schema.foreignKeys "disable") when the target is opened. */
#include "schema/foreign_key.h"

#include <stdlib.h>

#include "engine/cutover.h"
#include "engine/decide.h"

/* No table has this OID; validations are locked by it like a table's indexes. */
#define VALIDATION_OID "1"

/* Sessions that a finish worker left behind when it was killed validate to their end. */
static bool wait_for_validations(struct conn *target, struct err *err)
{
    if (!work_lock_schema(target, VALIDATION_OID, err))
        return false;
    work_unlock_schema(target, VALIDATION_OID);
    return true;
}

/* A further session for work_foreign_keys(). */
static bool open_validator(struct work *work, struct conn *c, struct err *err)
{
    return work_connect(work, c, SIDE_TARGET, CONN_PLAIN, err) &&
           work_lock_tables(c, "{" VALIDATION_OID "}", true, err) && work_share_memory(work, c, err);
}

/* They are validated by as many sessions as build indexes; the first is there already. */
bool work_foreign_keys(struct work *work, struct conn *source, struct conn *target, const char *phase,
                       const struct schema_progress *progress, struct err *err)
{
    size_t jobs = (size_t)work->m->plan.load_jobs, open = 1, count = 0;
    struct conn *others = xcalloc(jobs, sizeof *others);
    struct conn **targets = xcalloc(jobs, sizeof *targets);
    bool ok = schema_foreign_keys_count(target, phase, &count, err) && wait_for_validations(target, err) &&
              work_share_memory(work, target, err);

    for (targets[0] = target; ok && open < jobs && open < count; open++) {
        targets[open] = &others[open];
        ok = open_validator(work, targets[open], err);
    }
    ok = ok && schema_foreign_keys(source, targets, open, phase, progress, err);
    for (size_t i = 1; i < open; i++)
        conn_close(targets[i]);
    free(targets);
    free(others);
    return ok;
}

static bool open_source(struct work *work, struct conn *source, struct err *err)
{
    /* Those that a target had are known without it. */
    return work->m->plan.schema_mode != SCHEMA_COPY || work_connect(work, source, SIDE_SOURCE, CONN_PLAIN, err);
}

bool work_held_keys(struct work *work, struct conn *target, struct err *err)
{
    struct conn source = CONN_INIT;
    size_t count = 0;
    bool ok = schema_foreign_keys_count(target, "held-key", &count, err);

    if (!ok || !count)
        return ok;
    work_step(work, "foreign keys", "running", NULL);
    ok = open_source(work, &source, err) && work_foreign_keys(work, &source, target, "held-key", NULL, err);
    char *text = xasprintf("%zu added", count);
    work_step(work, "foreign keys", ok ? "done" : "failed", ok ? text : err->message);
    free(text);
    conn_close(&source);
    return ok;
}

bool cutover_wants_orphans(const struct plan *plan)
{
    return holds_keys(plan);
}

bool cutover_orphans(struct cutover *c, struct err *err)
{
    struct buf list = BUF_INIT;
    bool ok = schema_orphans(&c->source, &c->target, &list, err);

    if (ok && list.len && c->work->m->plan.schema_on_error == ON_ERROR_STOP) {
        err_set(err, ERR_CONFLICT, "%s: rows have no partner: foreign keys could not be added when the target is opened", c->target.label);
        err_detail(err, "%s", list.data);
        err_hint(err, "Delete or mend these rows on the source (the change is carried over), or make the foreign key NOT VALID there; "
                      "then cut over again.");
        ok = false;
    }
    if (ok)
        cutover_say(c, "%s", list.len ? list.data : "every row of a foreign key has its partner");
    buf_release(&list);
    return ok;
}
