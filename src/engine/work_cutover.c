/* cutover and close.
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
#include "cutover/fence.h"
#include "cutover/freeze.h"
#include "cutover/sequences.h"
#include "cutover/tables.h"
#include "engine/works.h"
#include "load/lobs.h"
#include "load/storage.h"
#include "schema/apply.h"
#include "schema/identity.h"
#include "schema/matviews.h"
#include "schema/rename.h"
#include "schema/target.h"
#include "verify/buckets.h"
#include "verify/verify.h"

#define DRAIN_TIMEOUT_MS 600000

struct cutover {
    struct work *work;
    struct conn source;  /* CONN_READER */
    struct conn target;  /* CONN_WRITER */
    struct conn reader;  /* CONN_READER on the target, for verification */
    lsn_t fence;
    lsn_t last_change;
    struct sequence_list on_target;
    struct sequence_filter filter;
    char *said;          /* what the step that just ended says for itself; owned */
};

struct cutover_step {
    const char *name;
    bool (*act)(struct cutover *c, struct err *err);
};

void work_step(struct work *work, const char *name, const char *state, const char *text)
{
    cJSON *message = json_message("step");

    json_add_str(message, "name", name);
    json_add_str(message, "state", state);
    json_add_str(message, "text", text);
    work_send(work, message);
}

/* Lists come a line each; a step has one line. */
static void one_line(char *text)
{
    size_t len = strlen(text);

    while (len && text[len - 1] == '\n')
        text[--len] = '\0';
    for (; *text; text++)
        if (*text == '\n')
            *text = ';';
}

static void say(struct cutover *c, const char *fmt, ...) PGC_PRINTF(2, 3);
static void say(struct cutover *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    free(c->said);
    c->said = xvasprintf(fmt, args);
    va_end(args);
    one_line(c->said);
}

/* --- steps --- */

static bool list_writers(struct cutover *c, struct err *err)
{
    struct buf text = BUF_INIT;
    int writing = 0;
    bool ok = writers_list(&c->source, c->work->p->name, &text, &writing, err);

    if (ok)
        say(c, "%d session%s in a writing transaction%s%s", writing, writing == 1 ? "" : "s",
            text.len ? "; at work:\n" : "", text.len ? text.data : "");
    buf_release(&text);
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
        say(c, "database \"%s\" is read-only; sessions ended: %s", database,
            ended.len ? ended.data : "none");
    buf_release(&ended);
    free(previous);
    return ok;
}

static bool stop_writes(struct cutover *c, struct err *err)
{
    int writing = 0;
    struct buf text = BUF_INIT;

    if (c->work->m->plan.stop_writes == STOP_READ_ONLY)
        return freeze(c, err);
    bool ok = writers_list(&c->source, c->work->p->name, &text, &writing, err);
    if (ok && writing) {
        err_set(err, ERR_PREREQUISITE, "writes were not stopped: %d session%s in a transaction that "
                "has written", writing, writing == 1 ? " is" : "s are");
        err_detail(err, "%s", text.data);
        err_hint(err, "Stop them and cut over again.");
        ok = false;
    }
    if (ok)
        say(c, "the operator says that writes have been stopped");
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

    if (!fence_lsn(&c->source, &c->fence, err) || !drain(c, c->fence, err) || !nothing_missing(c, err))
        return false;
    say(c, "everything up to %s is applied", lsn_format(c->fence, text));
    return true;
}

/* One table that is not in the stream, and what of it is to be copied inside the freeze. */
struct late_table {
    const struct table *table;
    struct verify_buckets buckets;
};

struct late_tables {
    struct cutover *cutover;
    struct late_table *tables;
    struct copy_job *jobs;
    size_t *table_of_job; /* place in tables */
    size_t count, job_count;
    int64_t copied_rows;
};

static void report_late(struct late_tables *late, const struct late_table *t, struct copy_result result)
{
    if (t->buckets.comparable)
        result.rows = t->buckets.source_rows; /* of the whole table */
    work_report_copied(late->cutover->work, t->table, &result, LSN_INVALID);
}

static void on_late_table(void *arg, size_t index, const struct copy_result *result)
{
    struct late_tables *late = arg;

    late->copied_rows += result->rows;
    report_late(late, &late->tables[late->table_of_job[index]], *result);
}

/* Whole where it was never loaded, where it cannot be compared, or where half of it differs. */
static void add_late_job(struct late_tables *late, size_t index)
{
    const struct late_table *late_table = &late->tables[index];
    const struct verify_buckets *buckets = &late_table->buckets;
    const struct table *t = late_table->table;
    bool part = buckets->comparable && buckets->differing <= buckets->count / 2;
    struct copy_job *job = &late->jobs[late->job_count];

    *job = (struct copy_job){.oid = t->oid, .schema = t->schema, .name = t->name,
                             .target_schema = t->target_schema, .target_name = t->target_name,
                             .where = t->where, .columns = t->columns, .mark = !part};
    if (part) {
        job->where = buckets->source_rows_are;
        job->replace = buckets->target_rows_are;
    }
    late->table_of_job[late->job_count++] = index;
}

static bool look_at_late_table(struct late_tables *late, size_t index, struct err *err)
{
    struct cutover *c = late->cutover;
    struct late_table *late_table = &late->tables[index];
    const struct table *t = late_table->table;
    struct verify_job job = {.schema = t->schema, .name = t->name, .target_schema = t->target_schema,
                             .target_name = t->target_name, .where = t->where, .columns = t->columns};

    if (t->state == TABLE_COMPLETED &&
        !verify_buckets(&c->source, &c->reader, &job, t->rows, 0, &late_table->buckets, err))
        return false;
    if (late_table->buckets.comparable && !late_table->buckets.differing)
        report_late(late, late_table, (struct copy_result){.started_us = clock_wall_us(),
                                                           .ended_us = clock_wall_us()});
    else
        add_late_job(late, index);
    return true;
}

static void find_late_tables(struct late_tables *late)
{
    const struct pipeline *p = late->cutover->work->p;

    late->tables = xcalloc(p->table_count + 1, sizeof *late->tables);
    late->jobs = xcalloc(p->table_count + 1, sizeof *late->jobs);
    late->table_of_job = xcalloc(p->table_count + 1, sizeof *late->table_of_job);
    for (size_t i = 0; i < p->table_count; i++)
        if (p->by_size[i]->at_cutover)
            late->tables[late->count++].table = p->by_size[i];
}

/* Tables that no stream carries were loaded with the others; what has changed since is found by comparing. */
static bool late_tables(struct cutover *c, struct err *err)
{
    struct late_tables late = {.cutover = c};
    struct tables_progress progress = {on_late_table, &late};
    bool ok = true;

    find_late_tables(&late);
    for (size_t i = 0; ok && i < late.count; i++)
        ok = look_at_late_table(&late, i, err);
    if (ok && late.job_count)
        ok = at_cutover_tables(&c->source, &c->target, late.jobs, late.job_count, &progress, NULL, err);
    if (ok && late.count)
        say(c, "%zu of %zu table%s had changed, %lld rows copied", late.job_count, late.count,
            late.count == 1 ? "" : "s", (long long)late.copied_rows);
    else if (ok)
        say(c, "no table is outside of the stream");
    for (size_t i = 0; i < late.count; i++)
        verify_buckets_release(&late.tables[i].buckets);
    free(late.tables);
    free(late.jobs);
    free(late.table_of_job);
    return ok;
}

static bool large_objects(struct cutover *c, struct err *err)
{
    struct lobs_result lobs;

    if (!lobs_copy(&c->source, &c->target, work_owns_target(c->work), NULL, &lobs, err))
        return false;
    say(c, "%lld, of which %lld were new or different; %lld removed", (long long)lobs.count,
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

    if (!pick_sequences(c, err) ||
        !sequences_copy(&c->source, &c->target, &c->filter, &count, err))
        return false;
    say(c, "%d sequence%s set", count, count == 1 ? "" : "s");
    return true;
}

/* They are filled from the target's own tables: as new as these, where the source's may be stale. So
 * the verification does not compare them. */
static bool matviews(struct cutover *c, struct err *err)
{
    if (!schema_matviews_refresh(&c->source, &c->target, NULL, err))
        return false;
    say(c, "refreshed");
    return true;
}

/* known: NULL, or tables that need no look. */
static bool verify_rows(struct cutover *c, const struct known_tables *known, struct verify_summary *summary, struct err *err)
{
    const struct pipeline *p = c->work->p;
    struct verify_job *jobs = xcalloc(p->table_count + 1, sizeof *jobs);
    size_t count = 0;

    for (size_t i = 0; i < p->table_count; i++) {
        const struct table *t = p->by_size[i];
        if (known && work_is_known(known, t))
            continue;
        jobs[count++] = (struct verify_job){.schema = t->schema, .name = t->name, .where = t->where,
                                            .target_schema = t->target_schema,
                                            .target_name = t->target_name, .columns = t->columns,
                                            .snapshot = p->load_only ? p->snapshot : NULL};
    }
    bool ok = verify_tables(&c->source, &c->reader, jobs, count, NULL, summary, err);
    free(jobs);
    return ok;
}

/* What was compared while changes were streamed is not compared again where nothing has changed since. */
static bool verify_unknown_rows(struct cutover *c, size_t *known_count, struct verify_summary *summary,
                                struct err *err)
{
    struct known_tables known;
    bool ok = work_known_equal(c->work, &c->target, &known, err) && verify_rows(c, &known, summary, err);

    *known_count = known.count;
    summary->compared += known.count;
    free(known.tables);
    return ok;
}

/* The source goes on being written: it is compared as it was in the snapshot, tables alone. */
static bool verify_copy(struct cutover *c, struct err *err)
{
    struct verify_summary summary = {0};
    bool wanted = c->work->m->plan.verify_when != VERIFY_NEVER;

    if (!wanted || !c->work->p->snapshot) {
        say(c, wanted ? "not possible: the snapshot went with an engine that was ended"
                      : "not asked for by the plan");
        return true;
    }
    bool ok = verify_rows(c, NULL, &summary, err) && verify_summary_check(&summary, err);
    if (ok)
        say(c, "%zu tables are equal to the source's snapshot%s%s", summary.compared,
            summary.notes.len ? "; " : "", summary.notes.len ? summary.notes.data : "");
    verify_summary_release(&summary);
    return ok;
}

static bool verify_all(struct cutover *c, struct err *err)
{
    struct verify_summary summary = {0};
    size_t known_count = 0;

    if (c->work->m->plan.verify_when == VERIFY_NEVER) {
        say(c, "not asked for by the plan");
        return true;
    }
    bool ok = verify_unknown_rows(c, &known_count, &summary, err) &&
              verify_lobs(&c->source, &c->reader, work_owns_target(c->work), &summary, err) &&
              verify_sequences(&c->source, &c->reader, &c->filter, &summary, err) &&
              verify_summary_check(&summary, err);
    if (ok)
        say(c, "%zu objects are equal, %zu of them compared before the freeze and not changed since%s%s",
            summary.compared, known_count, summary.notes.len ? "; " : "", summary.notes.len ? summary.notes.data : "");
    verify_summary_release(&summary);
    return ok;
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
    say(c, "nothing was written after %s", lsn_format(fence_end, fence));
    return true;
}

static const struct cutover_step steps[] = {
    {"list writers", list_writers},
    {"stop writes", stop_writes},
    {"last change applied", last_change},
    {"tables outside of the stream", late_tables},
    {"large objects", large_objects},
    {"sequences", sequences},
    {"materialized views", matviews},
    {"verify", verify_all},
    {"nothing written since", prove_silence},
    {NULL, NULL},
};

/* The end of a copy without a stream (sync.mode load-only). */
static const struct cutover_step copy_steps[] = {
    {"sequences", sequences},
    {"materialized views", matviews},
    {"verify", verify_copy},
    {NULL, NULL},
};

bool work_cutover(struct work *work, struct err *err)
{
    struct cutover c = {.work = work, .source = CONN_INIT, .target = CONN_INIT, .reader = CONN_INIT};
    bool ok = work_connect(work, &c.source, SIDE_SOURCE, CONN_READER, err) &&
              work_connect(work, &c.target, SIDE_TARGET, CONN_WRITER, err) &&
              work_connect(work, &c.reader, SIDE_TARGET, CONN_READER, err);

    for (const struct cutover_step *step = work->p->load_only ? copy_steps : steps; ok && step->name;
         step++) {
        work_step(work, step->name, "running", NULL);
        free(c.said);
        c.said = NULL;
        ok = step->act(&c, err);
        work_step(work, step->name, ok ? "done" : "failed", ok ? c.said : err->message);
    }
    free(c.said);
    sequence_list_release(&c.on_target);
    conn_close(&c.source);
    conn_close(&c.target);
    conn_close(&c.reader);
    return ok;
}

/* --- closing --- */

static bool open_target(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);
    bool exists = false;

    ok = ok && schema_state_exists(&target, &exists, err);
    if (ok && exists) {
        work_step(work, "open the target", "running", NULL);
        ok = work_lock_schema(&target, "0", err) && schema_identity_restore(&target, err) &&
             (work->m->plan.schema_mode != SCHEMA_COPY ||
              (schema_apply_phase(&target, "held", NULL, err) &&
               schema_rename_tables(&target, err)));
        work_step(work, "open the target", ok ? "done" : "failed", ok ? NULL : err->message);
    }
    conn_close(&target);
    return ok;
}

bool work_close(struct work *work, struct err *err)
{
    if (!open_target(work, err))
        return false;
    work_step(work, "clean up", "running", NULL);
    bool ok = work_undo_kinds(work, "slot publication ddl-log replica-identity state-schema database", err);
    work_step(work, "clean up", ok ? "done" : "failed", ok ? NULL : err->message);
    return ok;
}
