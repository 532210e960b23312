/* net and runway. For two seconds the largest table is copied to nowhere, over one connection and inside of a transaction that
 * only reads; how far the WAL came meanwhile is its rate. Small databases are not measured: they are loaded in no time. */
#include "check/ahead.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/units.h"
#include "check/run.h"
#include "pg/ident.h"

#define SAMPLE_ABOVE_BYTES (INT64_C(64) << 20)
#define SAMPLE_MS 2000
#define TRIPS 3
#define LONG_TRIP_US 20000

int64_t ahead_copy_us(const struct check_measured *measured, int64_t bytes, int connections)
{
    return measured->copy_bps > 0 ? (int64_t)((double)bytes / measured->copy_bps / connections * 1e6) : 0;
}

int64_t ahead_wal_bytes(const struct check_measured *measured, int64_t us)
{
    return (int64_t)(measured->wal_bps * (double)us / 1e6);
}

/* --- measuring --- */

static bool measure_trip(struct conn *c, int64_t *trip_us, struct err *err)
{
    *trip_us = INT64_MAX;
    for (int i = 0; i < TRIPS; i++) {
        int64_t sent = clock_mono_us();
        if (!conn_command(c, "SELECT 1", err))
            return false;
        int64_t took = clock_mono_us() - sent;
        *trip_us = took < *trip_us ? took : *trip_us;
    }
    return true;
}

static bool wal_position(struct conn *c, double *bytes, struct err *err)
{
    const char *sql = c->version >= 100000
        ? "SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), '0/0')"
        : "SELECT pg_catalog.pg_xlog_location_diff(pg_catalog.pg_current_xlog_location(), '0/0')";
    char *text;
    bool ok = conn_scalar(c, sql, 0, NULL, &text, err);

    *bytes = ok && text ? atof(text) : 0;
    free(text);
    return ok;
}

/* Takes rows until the time is up or there are no more. False when the connection is lost or a stop is requested. */
static bool take_rows(struct conn *c, double *bytes, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + SAMPLE_MS;
    char *row;
    int got;

    *bytes = 0;
    while (clock_mono_ms() < until_ms && (got = PQgetCopyData(c->pg, &row, 1)) >= 0) {
        if (got > 0) {
            *bytes += got;
            PQfreemem(row);
        } else if (conn_wait(c, false, SAMPLE_MS, -1, err) < 0 || !PQconsumeInput(c->pg)) {
            if (!err_is_set(err))
                conn_error(c, NULL, NULL, err);
            return false;
        }
    }
    return true;
}

/* What is left of the answer, once it was cancelled. */
static void drain(struct conn *c)
{
    PGresult *res;
    char *row;

    conn_cancel(c);
    while (PQgetCopyData(c->pg, &row, 0) > 0)
        PQfreemem(row);
    while ((res = PQgetResult(c->pg)))
        PQclear(res);
}

/* The largest one that may be read whole. */
static const struct table_entry *table_to_sample(const struct check_context *context)
{
    for (size_t i = 0; i < context->tables->count; i++) {
        const struct table_entry *entry = &context->tables->items[i];
        const struct catalog_table *table = catalog_table_by_oid(context->source_catalog, entry->oid);
        if (table && table->can_select && !table->row_security && entry->bytes > 0)
            return entry;
    }
    return NULL;
}

/* Locks are not waited for: then nothing is measured. */
static bool sample(struct conn *c, const struct table_entry *entry, struct check_measured *measured, struct err *err)
{
    char *name = ident_qualified(entry->schema, entry->name), *shown = ident_display(entry->schema, entry->name);
    char *sql = xasprintf("COPY (SELECT * FROM ONLY %s) TO STDOUT", name);
    struct err refused = ERR_INIT;
    double bytes = 0, before = 0, after = 0;
    int64_t began_us = clock_mono_us();
    bool ok = wal_position(c, &before, err) && conn_command(c, "BEGIN READ ONLY", err) && conn_command(c, "SET LOCAL lock_timeout = '500ms'", err);
    PGresult *res = ok ? conn_exec(c, sql, &refused) : NULL;

    if (res) {
        PQclear(res);
        int64_t copy_us = clock_mono_us();
        ok = take_rows(c, &bytes, err);
        copy_us = clock_mono_us() - copy_us;
        if (ok) {
            drain(c);
            measured->copy_bps = bytes / ((double)(copy_us > 0 ? copy_us : 1) / 1e6);
            snprintf(measured->sample, sizeof measured->sample, "%s", shown);
        }
    } else if (ok && (refused.code == ERR_STOPPED || !conn_is_open(c))) {
        err_move(err, &refused);
        ok = false;
    }
    err_clear(&refused);
    if (ok)
        conn_rollback(c);
    ok = ok && wal_position(c, &after, err);
    if (ok)
        measured->wal_bps = (after - before) / ((double)(clock_mono_us() - began_us) / 1e6);
    free(name);
    free(shown);
    free(sql);
    return ok;
}

static bool measure(struct check_run *run, struct err *err)
{
    const struct check_context *context = run->context;
    struct check_measured *measured = run->measured;
    int64_t above = context->sample_bytes ? context->sample_bytes : SAMPLE_ABOVE_BYTES;
    bool loads = context->plan->sync_mode != SYNC_SYNC_ONLY && !context->plan->fallback_of;
    const struct table_entry *entry = loads && context->tables->bytes >= above ? table_to_sample(context) : NULL;

    if (measured->known)
        return true;
    measured->known = measure_trip(context->source, &measured->source_trip_us, err) &&
                      (!context->target || measure_trip(context->target, &measured->target_trip_us, err)) &&
                      (!entry || sample(context->source, entry, measured, err));
    return measured->known;
}

/* --- net --- */

static void add_item(struct items *items, char *text)
{
    items_add(items, text, NULL, NULL);
    free(text);
}

bool check_net(struct check_run *run, const struct check *check, struct err *err)
{
    const struct check_measured *m = run->measured;
    int jobs = run->context->plan->load_jobs > 0 ? run->context->plan->load_jobs : 1;
    struct items items = ITEMS_INIT;
    char rate[32], size[32], one[32], all[32], source[32], target[32];

    if (!measure(run, err))
        return false;
    units_duration(m->source_trip_us, source, sizeof source);
    units_duration(m->target_trip_us, target, sizeof target);
    if (m->source_trip_us > LONG_TRIP_US || m->target_trip_us > LONG_TRIP_US)
        add_item(&items, xasprintf("a round trip takes %s to the source and %s to the target", source, target));
    if (m->copy_bps > 0) {
        units_bytes((int64_t)m->copy_bps, rate, sizeof rate);
        units_bytes(run->context->tables->bytes, size, sizeof size);
        units_duration(ahead_copy_us(m, run->context->tables->bytes, 1), one, sizeof one);
        units_duration(ahead_copy_us(m, run->context->tables->bytes, jobs), all, sizeof all);
        add_item(&items, xasprintf("%s came with %s a second over one connection: %s take about %s over one, and %s at best over %d (load.jobs)",
                                   m->sample, rate, size, one, all, jobs));
    }
    items_report(run, check, &items);
    return true;
}

/* --- runway --- */

struct limit {
    const char *name;
    int64_t bytes; /* 0: none */
};

/* Since 13 the server has one of its own. */
static bool server_limit(struct conn *c, int64_t *bytes, struct err *err)
{
    char *text = NULL;
    bool ok = c->version < 130000 ||
              conn_scalar(c, "SELECT s.setting::pg_catalog.int8 * 1048576 FROM pg_catalog.pg_settings s WHERE s.name = 'max_slot_wal_keep_size' "
                             "AND s.setting <> '-1'", 0, NULL, &text, err);

    *bytes = text ? strtoll(text, NULL, 10) : 0;
    free(text);
    return ok;
}

static void add_runway(struct items *items, const struct check_measured *m, int64_t load_us, struct limit limit)
{
    int64_t kept = ahead_wal_bytes(m, load_us);
    char rate[32], time[32], keeps[32], limits[32], until[32];

    if (!limit.bytes || m->wal_bps < 1 || kept < limit.bytes / 5 * 4)
        return;
    units_bytes((int64_t)m->wal_bps, rate, sizeof rate);
    units_duration(load_us, time, sizeof time);
    units_bytes(kept, keeps, sizeof keeps);
    units_bytes(limit.bytes, limits, sizeof limits);
    units_duration((int64_t)((double)limit.bytes / m->wal_bps * 1e6), until, sizeof until);
    add_item(items, xasprintf("it writes %s of WAL a second now; a load of %s makes that %s, and %s is %s, reached after %s", rate, time, keeps,
                              limit.name, limits, until));
}

bool check_runway(struct check_run *run, const struct check *check, struct err *err)
{
    const struct check_measured *m = run->measured;
    int64_t load_us;
    struct limit server = {.name = "max_slot_wal_keep_size"};
    struct limit own = {"limits.sourceSlotWal", run->context->plan->source_slot_wal_bytes};
    struct items items = ITEMS_INIT;

    if (!measure(run, err) || !server_limit(run->context->source, &server.bytes, err))
        return false;
    load_us = ahead_copy_us(m, run->context->tables->bytes, 1);
    add_runway(&items, m, load_us, server);
    add_runway(&items, m, load_us, own);
    items_report(run, check, &items);
    return true;
}
