/* copy: brings tables over, one after another, under the epoch's snapshot. */
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

void work_report_copied(struct work *work, const struct table *table,
                        const struct copy_result *result, lsn_t epoch)
{
    cJSON *message = json_message("copied");

    json_add_str(message, "oid", table->oid);
    json_add_i64(message, "rows", result->rows);
    json_add_i64(message, "bytes", result->bytes);
    json_add_i64(message, "startedUs", result->started_us);
    json_add_i64(message, "endedUs", result->ended_us);
    work_json_add_lsn(message, "epochLsn", epoch);
    work_send(work, message);
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

static bool copy_one(struct copier *c, struct err *err)
{
    const struct table *t = c->table;
    struct copy_progress progress = {.report = report_copying, .pace = pace_copying, .arg = c};
    struct copy_job job = {
        .oid = t->oid,
        .schema = t->schema,
        .name = t->name,
        .target_schema = t->target_schema,
        .target_name = t->target_name,
        .where = t->where,
        .columns = t->columns,
        .epoch_lsn = c->work->p->epoch_lsn,
        .mark = true,
    };
    const struct copy_types types = {c->source_types, c->target_types};
    struct copy_result result;

    job.types = &types;
    c->told_ms = clock_mono_ms();
    if (copy_table(&c->source, &c->target, &job, &progress, &result, err)) {
        work_report_copied(c->work, t, &result, job.epoch_lsn);
        return true;
    }
    err_wrap(err, "table %s.%s", t->schema, t->name);
    if (err->retryable || err->code == ERR_STOPPED || !conn_is_open(&c->source) ||
        !conn_is_open(&c->target))
        return false;
    work_report_failed(c->work, t, err);
    return snapshot_adopt(&c->source, c->work->p->snapshot, err);
}

/* The next table; what is said meanwhile of the rate is taken. */
static const struct table *next_table(struct copier *c, struct err *err)
{
    const struct table *table = NULL;
    bool rate = true;

    while (rate) {
        cJSON *message = work_receive(c->work, -1, err);
        const char *type = message ? json_str(message, "type") : NULL;
        rate = type && strcmp(type, "rate") == 0;
        take_rate(c, message);
        table = message ? pipeline_table(c->work->p, json_str(message, "oid")) : NULL;
        cJSON_Delete(message);
    }
    return table;
}

const struct table *work_next_table(struct work *work, struct err *err)
{
    cJSON *message = work_receive(work, -1, err);
    const struct table *table = message ? pipeline_table(work->p, json_str(message, "oid")) : NULL;

    cJSON_Delete(message);
    return table;
}

static bool open_copier(struct copier *c, struct err *err)
{
    bool ok = work_connect(c->work, &c->source, SIDE_SOURCE, CONN_READER, err) &&
              work_connect(c->work, &c->target, SIDE_TARGET, CONN_WRITER, err) &&
              snapshot_adopt(&c->source, c->work->p->snapshot, err);

    c->source_types = ok ? wire_read(&c->source, err) : NULL;
    c->target_types = c->source_types ? wire_read(&c->target, err) : NULL;
    return c->target_types != NULL;
}

bool work_copy(struct work *work, struct err *err)
{
    struct copier c = {.work = work, .source = CONN_INIT, .target = CONN_INIT};
    bool ok = open_copier(&c, err);

    while (ok) {
        work_send(work, json_message("ready"));
        c.table = next_table(&c, err);
        ok = !err_is_set(err) && (!c.table || copy_one(&c, err));
    }
    wire_free(c.source_types);
    wire_free(c.target_types);
    conn_close(&c.source);
    conn_close(&c.target);
    return ok;
}
