/* copy: brings tables, or parts of large ones, over, one after another, under the epoch's snapshot.
 *
 * Each job adopts the snapshot anew and ends its transaction: a lock on a table that is copied already would keep the application from
 * TRUNCATE and ALTER TABLE, and whoever comes behind these from everything, for as long as other tables are copied. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/rate.h"
#include "engine/works.h"
#include "load/copy_table.h"
#include "load/snapshot.h"

#define COPY_REPORT_MS 500

struct copier {
    struct work *work;
    struct conn source, target;
    struct wire *source_types, *target_types;
    struct copy_types types; /* the same */
    const struct table *table;
    int64_t told_ms;
    struct rate rate; /* this worker's share of limits.bytesPerSecond */
};

/* The supervisor tells the share anew whenever it changes, also in the middle of a table. */
static void take_rate(struct copier *c, const cJSON *message)
{
    const char *type = json_str(message, "type");

    if (type && strcmp(type, "rate") == 0)
        rate_set(&c->rate, json_i64(message, "bytesPerSecond", 0), clock_mono_ms() * 1000);
}

static bool pace_copying(void *arg, int64_t bytes, struct err *err)
{
    struct copier *c = arg;
    int64_t wait_us;
    cJSON *message;

    rate_add(&c->rate, bytes, clock_mono_ms() * 1000);
    do {
        wait_us = rate_wait_us(&c->rate, clock_mono_ms() * 1000);
        message = work_receive(c->work, (int)((wait_us + 999) / 1000), err);
        take_rate(c, message);
        cJSON_Delete(message);
        wait_us = rate_wait_us(&c->rate, clock_mono_ms() * 1000);
    } while ((message || wait_us) && !err_is_set(err));
    return !err_is_set(err);
}

static void report_copying(void *arg, int64_t rows, int64_t bytes)
{
    struct copier *c = arg;

    if (clock_mono_ms() < c->told_ms + COPY_REPORT_MS)
        return;
    c->told_ms = clock_mono_ms();
    cJSON *message = json_message("copying");
    json_add_str(message, "oid", c->table->oid);
    json_add_i64(message, "rows", rows);
    json_add_i64(message, "bytes", bytes);
    work_send(c->work, message);
}

static cJSON *copied_json(const char *what, const struct table *table, const struct copy_result *result, lsn_t epoch)
{
    cJSON *message = json_message(what);

    json_add_str(message, "oid", table->oid);
    json_add_i64(message, "rows", result->rows);
    json_add_i64(message, "bytes", result->bytes);
    json_add_i64(message, "startedUs", result->started_us);
    json_add_i64(message, "endedUs", result->ended_us);
    json_add_i64(message, "builds", result->builds);
    work_json_add_lsn(message, "epochLsn", epoch);
    return message;
}

void work_report_copied(struct work *work, const struct table *table,
                        const struct copy_result *result, lsn_t epoch)
{
    work_send(work, copied_json("copied", table, result, epoch));
}

void work_report_failed(struct work *work, const struct table *table, struct err *err)
{
    cJSON *message = json_message("table_failed");

    log_err(LOG_ERROR, err);
    json_add_str(message, "oid", table->oid);
    cJSON_AddItemToObject(message, "error", err_to_json(err));
    work_send(work, message);
    err_clear(err);
}

static struct copy_job job_of(const struct copier *c, const struct table *t)
{
    return (struct copy_job){
        .oid = t->oid,
        .schema = t->schema,
        .name = t->name,
        .target_schema = t->target_schema,
        .target_name = t->target_name,
        .where = t->where,
        .columns = t->columns,
        .types = &c->types,
        .epoch_lsn = c->work->p->epoch_lsn,
        .mark = true,
    };
}

/* Nothing that the table could do about: the worker ends, and another tries again. */
static bool ends_worker(const struct copier *c, const struct err *err)
{
    return err->retryable || err->code == ERR_STOPPED || !conn_is_open(&c->source) ||
           !conn_is_open(&c->target);
}

/* A table, or a part of it, could not be copied: the worker ends where another one may have more luck, else it tells of
 * the table and goes on. */
static bool copy_failed(struct copier *c, const struct table *t, struct err *err)
{
    err_wrap(err, "table %s.%s", t->schema, t->name);
    if (ends_worker(c, err))
        return false;
    if (work_was_altered(c->work, t)) {
        /* As with one that was rewritten: under a new snapshot, when the target's table has been altered too. */
        err->code = ERR_CONFLICT;
        err->retryable = true;
        return false;
    }
    work_report_failed(c->work, t, err);
    return true;
}

/* The transaction that the connection is opened with counts for the first job. */
static bool in_snapshot(struct copier *c, struct err *err)
{
    return PQtransactionStatus(c->source.pg) == PQTRANS_INTRANS || snapshot_adopt(&c->source, c->work->p->snapshot, err);
}

static bool copy_one(struct copier *c, const struct table *t, struct err *err)
{
    struct copy_progress progress = {.report = report_copying, .pace = pace_copying, .arg = c};
    struct copy_job job = job_of(c, t);
    struct copy_result result;

    c->table = t;
    c->told_ms = clock_mono_ms();
    if (!in_snapshot(c, err))
        return false;
    if (copy_table(&c->source, &c->target, &job, &progress, &result, err)) {
        work_report_copied(c->work, t, &result, job.epoch_lsn);
        return true;
    }
    return copy_failed(c, t, err);
}

static bool cut(struct copier *c, const struct table *t, const cJSON *message, struct err *err)
{
    struct copy_job job = job_of(c, t);
    int parts;

    if (!in_snapshot(c, err))
        return false;
    if (!copy_prepare_parts(&c->source, &c->target, &job, c->work->p->snapshot, json_i64(message, "bytes", 0),
                            json_i64(message, "partBytes", 0), &parts, err))
        return copy_failed(c, t, err);
    cJSON *answer = json_message("cut");
    json_add_str(answer, "oid", t->oid);
    json_add_num(answer, "parts", parts);
    work_send(c->work, answer);
    return true;
}

static bool copy_part(struct copier *c, const struct table *t, int number, struct err *err)
{
    const struct copy_part part = {number, c->work->p->snapshot};
    struct copy_progress progress = {.report = report_copying, .pace = pace_copying, .arg = c};
    struct copy_job job = job_of(c, t);
    struct copy_result result;

    job.part = &part;
    c->table = t;
    c->told_ms = clock_mono_ms();
    if (!in_snapshot(c, err))
        return false;
    if (!copy_table(&c->source, &c->target, &job, &progress, &result, err))
        return copy_failed(c, t, err);
    cJSON *message = copied_json("part_copied", t, &result, job.epoch_lsn);
    if (result.sum.all) {
        json_add_i64(message, "tableRows", result.sum.rows);
        json_add_i64(message, "tableBytes", result.sum.bytes);
        json_add_i64(message, "tableBuilds", result.sum.builds);
    }
    work_send(c->work, message);
    return true;
}

/* All at once; false with err empty: one of them does not go. */
static bool copy_together(struct copier *c, const struct table *const *tables, size_t count, struct err *err)
{
    struct copy_progress progress = {.pace = pace_copying, .arg = c};
    struct copy_job *jobs = xcalloc(count, sizeof *jobs);
    struct copy_result *results = xcalloc(count, sizeof *results);

    for (size_t i = 0; i < count; i++)
        jobs[i] = job_of(c, tables[i]);
    bool ok = in_snapshot(c, err) && copy_tables(&c->source, &c->target, jobs, count, &progress, results, err);
    for (size_t i = 0; ok && i < count; i++)
        work_report_copied(c->work, tables[i], &results[i], jobs[i].epoch_lsn);
    if (!ok && !ends_worker(c, err)) {
        log_err(LOG_INFO, err);
        err_clear(err);
    }
    free(jobs);
    free(results);
    return ok;
}

static bool copy_job_tables(struct copier *c, const struct table *const *tables, size_t count, struct err *err)
{
    bool ok = true;

    if (count > 1 && copy_together(c, tables, count, err))
        return true;
    for (size_t i = 0; ok && i < count; i++)
        ok = !err_is_set(err) && copy_one(c, tables[i], err);
    return ok;
}

static bool do_what_is_asked(struct copier *c, const char *type, const cJSON *message, struct err *err)
{
    const struct table *table = pipeline_table(c->work->p, json_str(message, "oid"));
    size_t count = 0;

    if (table && type && strcmp(type, "cut") == 0)
        return cut(c, table, message, err);
    if (table && type && strcmp(type, "part") == 0)
        return copy_part(c, table, (int)json_i64(message, "part", 0), err);
    const struct table **tables = work_job_tables(c->work, message, &count);
    bool ok = copy_job_tables(c, tables, count, err);
    free(tables);
    return ok;
}

static bool do_job(struct copier *c, const char *type, const cJSON *message, struct err *err)
{
    return do_what_is_asked(c, type, message, err) &&
           (PQtransactionStatus(c->source.pg) == PQTRANS_IDLE || conn_command(&c->source, "COMMIT", err));
}

/* The next job; what is said meanwhile of the rate is taken. */
static bool do_next_job(struct copier *c, struct err *err)
{
    cJSON *message = NULL;
    const char *type = "rate";

    while (type && strcmp(type, "rate") == 0) {
        cJSON_Delete(message);
        message = work_receive(c->work, -1, err);
        type = message ? json_str(message, "type") : NULL;
        take_rate(c, message);
    }
    bool ok = !err_is_set(err) && do_job(c, type, message, err);
    cJSON_Delete(message);
    return ok;
}

const struct table **work_job_tables(struct work *work, const cJSON *message, size_t *count)
{
    const cJSON *oids = message ? json_get(message, "oids") : NULL;
    const cJSON *oid;
    const struct table **tables = xcalloc((size_t)cJSON_GetArraySize(oids) + 1, sizeof *tables);

    *count = 0;
    cJSON_ArrayForEach(oid, oids)
    {
        const struct table *table = pipeline_table(work->p, cJSON_GetStringValue(oid));
        if (table)
            tables[(*count)++] = table;
    }
    return tables;
}

static bool open_copier(struct copier *c, struct err *err)
{
    bool ok = work_connect(c->work, &c->source, SIDE_SOURCE, CONN_READER, err) &&
              work_connect(c->work, &c->target, SIDE_TARGET, CONN_WRITER, err) &&
              snapshot_adopt(&c->source, c->work->p->snapshot, err);

    c->source_types = ok ? wire_read(&c->source, err) : NULL;
    c->target_types = c->source_types ? wire_read(&c->target, err) : NULL;
    c->types = (struct copy_types){c->source_types, c->target_types};
    return c->target_types != NULL;
}

bool work_copy(struct work *work, struct err *err)
{
    struct copier c = {.work = work, .source = CONN_INIT, .target = CONN_INIT};
    bool ok = open_copier(&c, err);

    while (ok) {
        work_send(work, json_message("ready"));
        ok = do_next_job(&c, err);
    }
    wire_free(c.source_types);
    wire_free(c.target_types);
    conn_close(&c.source);
    conn_close(&c.target);
    return ok;
}
