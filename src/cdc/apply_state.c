#include "cdc/apply_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define LOCK_POLL_MS 100

/* --- tables --- */

struct apply_table *apply_tables_find(const struct apply_tables *tables, uint32_t oid)
{
    struct apply_table *table;

    HASH_FIND(by_oid, tables->by_oid, &oid, sizeof oid, table);
    return table;
}

static struct apply_stranger *find_stranger(const struct apply_tables *tables, uint32_t oid)
{
    struct apply_stranger *stranger;

    HASH_FIND(hh, tables->strangers, &oid, sizeof oid, stranger);
    return stranger;
}

void apply_tables_note_stranger(struct apply_tables *tables, const struct change *relation)
{
    char *key = ident_qualified(relation->schema, relation->name);
    struct apply_table *table;

    HASH_FIND(by_name, tables->by_name, key, strlen(key), table);
    free(key);
    if (!table || find_stranger(tables, relation->relation))
        return;
    struct apply_stranger *stranger = xcalloc(1, sizeof *stranger);
    stranger->oid = relation->relation;
    stranger->namesake = table;
    HASH_ADD(hh, tables->strangers, oid, sizeof stranger->oid, stranger);
}

struct apply_table *apply_tables_namesake(const struct apply_tables *tables, uint32_t oid)
{
    const struct apply_stranger *stranger = find_stranger(tables, oid);

    return stranger ? stranger->namesake : NULL;
}

static struct apply_table *add_table(struct apply_tables *tables, uint32_t oid, const char *schema,
                                     const char *name)
{
    struct apply_table *table = xcalloc(1, sizeof *table);
    struct apply_table *same;

    table->source_oid = oid;
    table->source_name = ident_qualified(schema, name);
    table->reported = true;
    HASH_ADD(by_oid, tables->by_oid, source_oid, sizeof table->source_oid, table);
    HASH_FIND(by_name, tables->by_name, table->source_name, strlen(table->source_name), same);
    if (!same)
        HASH_ADD_KEYPTR(by_name, tables->by_name, table->source_name, strlen(table->source_name),
                        table);
    return table;
}

/* Renamed on the source: it is found under the name it has now. */
static void set_source_name(struct apply_tables *tables, struct apply_table *table, const char *schema,
                            const char *name)
{
    char *now = ident_qualified(schema, name);
    struct apply_table *there;

    if (strcmp(now, table->source_name) != 0) {
        HASH_FIND(by_name, tables->by_name, table->source_name, strlen(table->source_name), there);
        if (there == table)
            HASH_DELETE(by_name, tables->by_name, table);
        free(table->source_name);
        table->source_name = now;
        now = NULL;
        HASH_FIND(by_name, tables->by_name, table->source_name, strlen(table->source_name), there);
        if (!there)
            HASH_ADD_KEYPTR(by_name, tables->by_name, table->source_name, strlen(table->source_name),
                            table);
    }
    free(now);
}

static void read_counts(struct apply_table *table, const PGresult *rows, int row)
{
    for (int i = 0; i < COUNT_KINDS; i++)
        table->counts[i] = strtoll(PQgetvalue(rows, row, 7 + i), NULL, 10);
}

static struct apply_table *read_table(struct apply_tables *tables, const PGresult *rows, int row)
{
    uint32_t oid = (uint32_t)strtoul(PQgetvalue(rows, row, 0), NULL, 10);
    struct apply_table *table = apply_tables_find(tables, oid);

    if (!table)
        table = add_table(tables, oid, PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2));
    set_source_name(tables, table, PQgetvalue(rows, row, 1), PQgetvalue(rows, row, 2));
    if (!table->touched && !table->is_flying)
        read_counts(table, rows, row);
    str_replace(&table->target_schema, PQgetvalue(rows, row, 3));
    str_replace(&table->target_name, PQgetvalue(rows, row, 4));
    free(table->display);
    table->display = ident_display(table->target_schema, table->target_name);
    table->sync = PQgetvalue(rows, row, 5)[0] == 't';
    return table;
}

bool apply_table_is_detached(const struct apply_table *table)
{
    return table->behind_lsn != LSN_INVALID || table->is_stopped;
}

bool apply_table_may_catch_up(const struct apply_table *table)
{
    return table->sync && table->ready && table->behind_lsn != LSN_INVALID && !table->is_stopped;
}

void apply_tables_survey(struct apply_tables *tables)
{
    tables->waiting_count = 0;
    tables->least_behind = LSN_INVALID;
    for (const struct apply_table *t = tables->by_oid; t; t = t->by_oid.next) {
        tables->waiting_count += apply_table_may_catch_up(t);
        if (t->behind_lsn && (!tables->least_behind || t->behind_lsn < tables->least_behind))
            tables->least_behind = t->behind_lsn;
    }
}

static void read_stop(struct apply_table *table, const char *text)
{
    cJSON *json = text ? cJSON_Parse(text) : NULL;

    err_clear(&table->stop);
    if (json)
        err_from_json(&table->stop, json);
    cJSON_Delete(json);
}

/* True when the caller has something to learn of it. */
static bool read_detachment(struct apply_table *table, const PGresult *rows, int row)
{
    const char *stopped = PQgetisnull(rows, row, 12) ? NULL : PQgetvalue(rows, row, 12);
    int64_t conflicts = strtoll(PQgetvalue(rows, row, 13), NULL, 10);
    lsn_t behind_lsn = LSN_INVALID;

    lsn_parse(PQgetisnull(rows, row, 11) ? NULL : PQgetvalue(rows, row, 11), &behind_lsn);
    bool news = (behind_lsn != 0) != (table->behind_lsn != 0) || conflicts != table->conflicts ||
                (stopped != NULL) != table->is_stopped;
    table->behind_lsn = behind_lsn;
    table->is_stopped = stopped != NULL;
    table->conflicts = conflicts;
    read_stop(table, stopped);
    return news;
}

const struct apply_table *apply_tables_read(struct apply_tables *tables, const PGresult *rows)
{
    const struct apply_table *reloaded = NULL;
    struct apply_table *table;
    struct apply_table *next;

    HASH_ITER(by_oid, tables->by_oid, table, next)
        table->sync = false;
    for (int row = 0; row < PQntuples(rows); row++) {
        lsn_t epoch_lsn = LSN_INVALID;
        table = read_table(tables, rows, row);
        table->ready = lsn_parse(PQgetisnull(rows, row, 6) ? NULL : PQgetvalue(rows, row, 6), &epoch_lsn);
        bool detached = apply_table_is_detached(table);
        table->has_news |= read_detachment(table, rows, row);
        if ((table->touched || table->is_flying) &&
            (epoch_lsn != table->epoch_lsn || detached != apply_table_is_detached(table)))
            reloaded = table;
        table->epoch_lsn = epoch_lsn;
    }
    apply_tables_survey(tables);
    return reloaded;
}

void apply_tables_release(struct apply_tables *tables)
{
    struct apply_table *table;
    struct apply_table *next;

    struct apply_stranger *stranger;
    struct apply_stranger *next_stranger;

    HASH_ITER(hh, tables->strangers, stranger, next_stranger) {
        HASH_DELETE(hh, tables->strangers, stranger);
        free(stranger);
    }
    HASH_CLEAR(by_name, tables->by_name);
    HASH_ITER(by_oid, tables->by_oid, table, next) {
        HASH_DELETE(by_oid, tables->by_oid, table);
        source_table_release(&table->source);
        source_table_release(&table->before);
        table_map_release(&table->map);
        target_table_release(&table->target);
        err_clear(&table->stop);
        free(table->source_name);
        free(table->display);
        free(table->target_schema);
        free(table->target_name);
        free(table);
    }
}

/* --- the lock --- */

static char *migration_id(struct conn *conn, struct err *err)
{
    PGresult *res = conn_exec(conn, "SELECT id FROM pgcutover.migration", err);
    char *id = NULL;

    if (res && PQntuples(res) == 1)
        id = xstrdup(PQgetvalue(res, 0, 0));
    else if (res)
        err_set(err, ERR_PREREQUISITE, "%s: pgcutover.migration holds %d migrations, not one",
                conn->label, PQntuples(res));
    PQclear(res);
    return id;
}

/* 1 taken, 0 held by *holder (owned, may be NULL), -1 error. */
static int try_lock(struct conn *conn, const char *id, const char *lane, char **holder,
                    struct err *err)
{
    const char *values[] = {id, lane};
    PGresult *res = conn_exec_params(conn, sql_apply_lock, 2, values, err);
    int taken = !res ? -1 : PQgetvalue(res, 0, 0)[0] == 't';

    if (taken == 0)
        str_replace(holder, PQgetisnull(res, 0, 1) ? NULL : PQgetvalue(res, 0, 1));
    PQclear(res);
    return taken;
}

bool apply_lock(struct conn *conn, int lane, int timeout_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    char *id = migration_id(conn, err);
    char *holder = NULL;
    char lane_text[16];
    int taken = id ? 0 : -1;

    snprintf(lane_text, sizeof lane_text, "%d", lane);
    while (taken == 0 && (taken = try_lock(conn, id, lane_text, &holder, err)) == 0) {
        if (clock_mono_ms() < until) {
            taken = stop_sleep(LOCK_POLL_MS, err) ? 0 : -1;
            continue;
        }
        err_set(err, ERR_TIMEOUT, "%s: another applier of this migration still holds its lock: %s",
                conn->label, holder ? holder : "its session could not be seen");
        err_hint(err, "Wait until that session ends, or end it with pg_terminate_backend.");
        if (err)
            err->retryable = true;
        taken = -1;
    }
    free(holder);
    free(id);
    return taken == 1;
}

/* --- the place --- */

void apply_half_release(struct apply_half *half)
{
    free(half->ordered);
    *half = (struct apply_half){0};
}

bool apply_start_lane(struct conn *conn, int lane, lsn_t start_lsn, struct err *err)
{
    char lane_text[16];
    char lsn_text[LSN_TEXT_SIZE];
    const char *values[] = {lane_text, lsn_format(start_lsn, lsn_text)};

    snprintf(lane_text, sizeof lane_text, "%d", lane);
    return conn_command_params(conn, sql_apply_start, 2, values, err);
}

/* "{1,2}" */
static void read_ordered(struct apply_half *half, const char *text)
{
    size_t cap = 0;

    for (char *end; *text && *text != '}'; text = end) {
        uint32_t oid = (uint32_t)strtoul(text + 1, &end, 10);
        if (end == text + 1)
            return;
        half->ordered = xgrow(half->ordered, half->ordered_count, &cap, sizeof *half->ordered);
        half->ordered[half->ordered_count++] = oid;
    }
}

static bool read_half(struct conn *conn, struct apply_half *half, struct err *err)
{
    PGresult *res = conn_exec(conn, sql_apply_half, err);

    apply_half_release(half);
    for (int row = 0; res && row < PQntuples(res); row++) {
        half->done |= UINT32_C(1) << atoi(PQgetvalue(res, row, 0));
        if (row)
            continue;
        lsn_parse(PQgetvalue(res, row, 1), &half->end_lsn);
        half->lanes = atoi(PQgetvalue(res, row, 2));
        read_ordered(half, PQgetvalue(res, row, 3));
    }
    PQclear(res);
    return res != NULL;
}

bool apply_position(struct conn *conn, lsn_t *end_lsn, int64_t *commit_us, struct apply_half *half,
                    struct err *err)
{
    PGresult *res = conn_exec(conn, sql_apply_position, err);
    bool ok = false;

    if (res && PQntuples(res) == 1 && lsn_parse(PQgetvalue(res, 0, 0), end_lsn)) {
        *commit_us = PQgetisnull(res, 0, 1) ? 0 : strtoll(PQgetvalue(res, 0, 1), NULL, 10);
        ok = true;
    } else if (res) {
        err_set(err, ERR_PREREQUISITE, "%s: lane 0 has no progress, and no LSN to start at was given",
                conn->label);
    }
    PQclear(res);
    return ok && read_half(conn, half, err);
}
