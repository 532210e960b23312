/* Tables that no stream carries were loaded with the others; what has changed since is found by comparing, inside of the freeze.
 *
 * Unlogged ones among them are emptied when the target crashes. Until writes are stopped that only makes more of a difference;
 * where it happens between the comparison and the opening, they are brought over once more: the source is frozen still. */
#include "engine/cutover.h"

#include <stdlib.h>

#include "base/clock.h"
#include "cutover/tables.h"
#include "sql/sql.h"
#include "verify/buckets.h"

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
    const struct cutover *c = late->cutover;
    const struct pipeline *p = c->work->p;
    size_t most = c->late ? c->late_count : p->table_count;

    late->tables = xcalloc(most + 1, sizeof *late->tables);
    late->jobs = xcalloc(most + 1, sizeof *late->jobs);
    late->table_of_job = xcalloc(most + 1, sizeof *late->table_of_job);
    for (size_t i = 0; i < most; i++) {
        const struct table *t = c->late ? &c->late[i] : p->by_size[i];
        if (t->at_cutover)
            late->tables[late->count++].table = t;
    }
}

bool cutover_late_tables(struct cutover *c, struct err *err)
{
    struct late_tables late = {.cutover = c};
    struct tables_progress progress = {on_late_table, &late};
    bool ok;

    find_late_tables(&late);
    ok = !late.count || conn_command(&c->target, sql_cutover_note_start, err);
    for (size_t i = 0; ok && i < late.count; i++)
        ok = look_at_late_table(&late, i, err);
    if (ok && late.job_count)
        ok = at_cutover_tables(&c->source, &c->target, late.jobs, late.job_count, &progress, NULL, err);
    if (ok && late.count)
        cutover_say(c, "%zu of %zu table%s had changed, %lld rows copied", late.job_count, late.count,
            late.count == 1 ? "" : "s", (long long)late.copied_rows);
    else if (ok)
        cutover_say(c, "no table is outside of the stream");
    for (size_t i = 0; i < late.count; i++)
        verify_buckets_release(&late.tables[i].buckets);
    free(late.tables);
    free(late.jobs);
    free(late.table_of_job);
    return ok;
}

/* --- a target that was restarted --- */

static char *text_of(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : xstrdup(PQgetvalue(res, row, col));
}

/* The engine may have been started anew behind the point of no return, and knows no tables then: the target does. */
static bool read_late_tables(struct cutover *c, struct conn *target, struct err *err)
{
    PGresult *res = conn_exec(target, sql_cutover_late_tables, err);

    c->late_count = res ? (size_t)PQntuples(res) : 0;
    c->late = xcalloc(c->late_count + 1, sizeof *c->late);
    for (size_t i = 0; i < c->late_count; i++) {
        int row = (int)i;
        c->late[i] = (struct table){
            .oid = text_of(res, row, 0), .schema = text_of(res, row, 1), .name = text_of(res, row, 2),
            .target_schema = text_of(res, row, 3), .target_name = text_of(res, row, 4), .where = text_of(res, row, 5),
            .columns = text_of(res, row, 6), .rows = strtoll(PQgetvalue(res, row, 7), NULL, 10), .at_cutover = true,
            .state = TABLE_COMPLETED};
    }
    PQclear(res);
    return res != NULL;
}

static void release_late_tables(struct cutover *c)
{
    for (size_t i = 0; i < c->late_count; i++) {
        char *const texts[] = {c->late[i].oid, c->late[i].schema, c->late[i].name, c->late[i].target_schema,
                               c->late[i].target_name, c->late[i].where, c->late[i].columns};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            free(texts[k]);
    }
    free(c->late);
}

static bool again(struct cutover *c, struct err *err)
{
    work_event(c->work, "warning", "the target was restarted behind the comparison: tables outside of the stream are looked at "
               "once more");
    work_step(c->work, "tables outside of the stream", "running", NULL);
    bool ok = cutover_open(c, err) && cutover_late_tables(c, err);
    work_step(c->work, "tables outside of the stream", ok ? "done" : "failed", ok ? c->said : err->message);
    cutover_close(c);
    return ok;
}

bool cutover_mend_late_tables(struct work *work, struct conn *target, struct err *err)
{
    struct cutover c = {.work = work};
    char *restarted = NULL;
    bool ok = work->p->load_only || (read_late_tables(&c, target, err) &&
                                     (!c.late_count || conn_scalar(target, sql_cutover_was_restarted, 0, NULL, &restarted, err)));

    if (ok && restarted && *restarted == 't')
        ok = again(&c, err);
    release_late_tables(&c);
    free(restarted);
    free(c.said);
    return ok;
}
