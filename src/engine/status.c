#include "engine/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "engine/cutover.h"
#include "engine/lag.h"
#include "engine/verification.h"

static bool any_hold(const struct migration *m, enum pipeline_hold hold)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].hold == hold)
            return true;
    return false;
}

static bool any_state(const struct migration *m, enum pipeline_state state)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].state == state)
            return true;
    return false;
}

static bool any_error(const struct migration *m, enum err_code code)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].error.code == code)
            return true;
    return false;
}

static bool any_stopped_table(const struct migration *m)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].first_stopped && !pipeline_has_ended(&m->pipelines[i]))
            return true;
    return false;
}

const char *status_task_state(const struct migration *m)
{
    if (any_state(m, PIPE_FAILED))
        return any_error(m, ERR_PREREQUISITE) || any_error(m, ERR_USAGE) ? "FailedInputValidation"
                                                                          : "Failed";
    if (migration_has_ended(m))
        return any_state(m, PIPE_CANCELLED) ? "Canceled" : "Succeeded";
    if (any_hold(m, HOLD_STOPPED))
        return "Failed";
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].state != PIPE_QUEUED)
            return "Running";
    return "Queued";
}

static const char *migration_level_state(const struct migration *m)
{
    if (any_state(m, PIPE_FAILED))
        return "FAILED";
    if (any_hold(m, HOLD_STOPPED) || any_stopped_table(m))
        return "ACTION_REQUIRED";
    if (any_state(m, PIPE_CHECKING))
        return "VALIDATING";
    if (any_state(m, PIPE_QUEUED))
        return "UNDEFINED";
    if (migration_has_ended(m) && !any_state(m, PIPE_CANCELLED))
        return "COMPLETE";
    return "PENDING";
}

/* What Azure DMS calls a pipeline's state; "INITIALIAZING" is spelled so there. */
static const char *const migration_states[PIPE_STATE_COUNT] = {
    [PIPE_QUEUED] = "UNDEFINED",      [PIPE_CHECKING] = "CONFIGURING",
    [PIPE_SCHEMA] = "INITIALIAZING",  [PIPE_STARTING] = "STARTING",
    [PIPE_LOADING] = "RUNNING",       [PIPE_CATCHING_UP] = "RUNNING",
    [PIPE_FINISHING] = "RUNNING",     [PIPE_SYNCING] = "RUNNING",
    [PIPE_CUTTING_OVER] = "COMPLETING", [PIPE_CLOSING] = "COMPLETING",
    [PIPE_DONE] = "COMPLETE",         [PIPE_UNDOING] = "CANCELLING",
    [PIPE_THAWING] = "RUNNING",
    [PIPE_CANCELLED] = "CANCELLED",   [PIPE_FAILED] = "FAILED",
};

static const char *migration_state(const struct migration *m, const struct pipeline *p)
{
    if (p->hold == HOLD_STOPPED)
        return "FAILED";
    if (pipeline_is_ready(p, m->plan.max_lag_us, NULL))
        return "READY_TO_COMPLETE";
    return migration_states[p->state];
}

static const char *const hold_names[] = {
    [HOLD_NONE] = NULL, [HOLD_PAUSED] = "paused", [HOLD_STOPPED] = "stopped", [HOLD_GOAL] = "goal reached"};

static void add_lsn(cJSON *json, const char *key, lsn_t lsn)
{
    char text[LSN_TEXT_SIZE];

    json_add_str(json, key, lsn ? lsn_format(lsn, text) : NULL);
}

static void add_error(cJSON *json, const char *key, const struct err *err)
{
    if (err_is_set(err))
        cJSON_AddItemToObject(json, key, err_to_json(err));
    else
        cJSON_AddNullToObject(json, key);
}

static cJSON *steps_json(const struct pipeline *p)
{
    cJSON *steps = cJSON_CreateArray();

    for (size_t i = 0; i < p->step_count; i++) {
        const struct step *step = &p->steps[i];
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "name", step->name);
        json_add_str(item, "state", step->state);
        json_add_str(item, "text", step->text);
        json_add_time(item, "startedOn", step->started_us);
        json_add_time(item, "endedOn", step->ended_us);
        cJSON_AddItemToArray(steps, item);
    }
    return steps;
}

static double seconds(int64_t us)
{
    return us < 0 ? 0 : (double)(us / 1000) / 1000;
}

static double latency_s(const struct pipeline *p)
{
    if (p->state < PIPE_CATCHING_UP || pipeline_has_ended(p))
        return 0;
    return seconds(pipeline_latency_us(p, clock_wall_us()));
}

struct totals {
    int64_t inserts, updates, deletes;
    int64_t rows, bytes, expected_bytes; /* of the full load: there, and in the end */
    double bytes_per_s;                  /* of the tables that are being copied */
    size_t states[TABLE_ERROR + 1];
};

static bool is_copied(const struct table *t)
{
    return t->state == TABLE_LOADED || t->state == TABLE_INDEXING || t->state == TABLE_COMPLETED;
}

/* What is there already, where the estimate was too low or the table is complete. */
static int64_t expected_bytes(const struct table *t)
{
    return is_copied(t) || t->bytes > t->est_bytes ? t->bytes : t->est_bytes;
}

static double percent(int64_t bytes, int64_t expected, bool complete)
{
    if (complete)
        return 100;
    return expected > 0 ? (double)(int64_t)(1000 * (double)bytes / (double)expected) / 10 : 0;
}

/* Of a table that is being copied, now; of one that was copied, while it was. One status has one "now": so that the rates of
 * tables add up to their database's. */
static double bytes_per_s(const struct table *t, int64_t now_us)
{
    int64_t until = t->state == TABLE_LOADING ? now_us : t->load_ended_us;

    return t->load_started_us > 0 && until > t->load_started_us
               ? (double)t->bytes * 1e6 / (double)(until - t->load_started_us) : 0;
}

/* When the rest is there at that rate; the epoch stands for "no estimate", as in Azure DMS. */
static int64_t finish_us(int64_t left_bytes, double rate, int64_t now_us)
{
    return left_bytes > 0 && rate >= 1 ? now_us + (int64_t)((double)left_bytes / rate * 1e6) : 0;
}

static void add_load(cJSON *json, const struct totals *sum, size_t tables, int64_t now_us)
{
    char *finish = clock_iso(finish_us(sum->expected_bytes - sum->bytes, sum->bytes_per_s, now_us));
    size_t complete = sum->states[TABLE_COMPLETED] + sum->states[TABLE_LOADED] + sum->states[TABLE_INDEXING];

    json_add_num(json, "fullLoadRows", (double)sum->rows);
    json_add_num(json, "fullLoadBytes", (double)sum->bytes);
    json_add_num(json, "fullLoadExpectedBytes", (double)sum->expected_bytes);
    json_add_num(json, "fullLoadPercent", percent(sum->bytes, sum->expected_bytes, tables && complete == tables));
    json_add_num(json, "fullLoadBytesPerSecond", (double)(int64_t)sum->bytes_per_s);
    json_add_str(json, "fullLoadEstFinishTime", finish);
    free(finish);
}

static void add_totals(cJSON *json, const struct pipeline *p, int64_t now_us)
{
    struct totals sum = {0};

    for (const struct table *t = p->tables; t; t = t->hh.next) {
        sum.inserts += t->inserts;
        sum.updates += t->updates;
        sum.deletes += t->deletes;
        sum.rows += t->rows;
        sum.bytes += t->bytes;
        sum.bytes_per_s += t->state == TABLE_LOADING ? bytes_per_s(t, now_us) : 0;
        sum.expected_bytes += expected_bytes(t);
        sum.states[t->state]++;
    }
    json_add_num(json, "cdcInsertCounter", (double)sum.inserts);
    json_add_num(json, "cdcUpdateCounter", (double)sum.updates);
    json_add_num(json, "cdcDeleteCounter", (double)sum.deletes);
    add_load(json, &sum, p->table_count, now_us);
    json_add_num(json, "fullLoadCompletedTables", (double)sum.states[TABLE_COMPLETED]);
    json_add_num(json, "fullLoadErroredTables", (double)sum.states[TABLE_ERROR]);
    json_add_num(json, "fullLoadLoadingTables", (double)(sum.states[TABLE_LOADING] + sum.states[TABLE_LOADED] +
                                                         sum.states[TABLE_INDEXING]));
    json_add_num(json, "fullLoadQueuedTables", (double)sum.states[TABLE_BEFORE_LOAD]);
}

static void add_stream(cJSON *json, const struct pipeline *p)
{
    int64_t incoming = p->received_changes - p->consumed_changes;
    lsn_t source = p->reading_count ? p->readings[p->reading_count - 1].lsn : p->server_lsn;

    json_add_num(json, "appliedChanges", (double)p->applied_changes);
    json_add_num(json, "incomingChanges", incoming > 0 ? (double)incoming : 0);
    json_add_num(json, "latency", latency_s(p));
    json_add_num(json, "transactionsApplied", (double)p->transactions);
    add_lsn(json, "sourceLsn", source);
    add_lsn(json, "receivedLsn", p->received_lsn);
    add_lsn(json, "confirmedLsn", p->confirmed_lsn);
    add_lsn(json, "appliedLsn", p->applied_lsn);
    json_add_num(json, "lagBytes", source > p->passed_lsn && p->passed_lsn
                                       ? (double)(source - p->passed_lsn) : 0);
    json_add_num(json, "spoolBytes", (double)p->spool_bytes);
    json_add_str(json, "receiveMode", p->receive_mode[0] ? p->receive_mode : NULL);
    json_add_num(json, "streamedBytes", (double)p->streamed_bytes);
    json_add_num(json, "receivedBytesPerSecond", (double)p->received_per_s);
    json_add_num(json, "slotRetainedBytes", (double)p->slot_retained_bytes);
    json_add_str(json, "slotWalStatus", p->slot_wal_status);
}

/* Why the target is behind, and what the slot can bear. */
static void add_lag(cJSON *json, const struct migration *m, const struct pipeline *p)
{
    struct runway runway = lag_runway(p, m->plan.source_slot_wal_bytes);
    struct buf text = BUF_INIT;
    bool streams = p->state >= PIPE_LOADING && p->hold == HOLD_NONE && !pipeline_has_ended(p);
    enum lag_cause cause = streams ? lag_explain(p, clock_wall_us(), &text) : LAG_NONE;

    json_add_str(json, "lagCause", lag_cause_name(cause));
    json_add_str(json, "lagDetail", text.len ? text.data : NULL);
    json_add_num(json, "sourceWalBytesPerSecond", (double)lag_wal_rate(p));
    json_add_str(json, "slotLimit", runway.limit);
    if (runway.left_bytes >= 0)
        json_add_num(json, "slotBytesLeft", (double)runway.left_bytes);
    else
        cJSON_AddNullToObject(json, "slotBytesLeft");
    if (runway.left_s >= 0)
        json_add_num(json, "slotSecondsLeft", (double)runway.left_s);
    else
        cJSON_AddNullToObject(json, "slotSecondsLeft");
    buf_release(&text);
}

static cJSON *build_json(const struct table *t, const cJSON *build)
{
    cJSON *json = cJSON_CreateObject();
    char *name = xasprintf("%s.%s", t->schema, t->name);
    int64_t total = json_i64(build, "total", 0);

    json_add_str(json, "tableName", name);
    json_add_str(json, "indexName", json_str(build, "index"));
    json_add_str(json, "phase", json_str(build, "phase"));
    if (total > 0)
        json_add_num(json, "phasePercent", percent(json_i64(build, "done", 0), total, false));
    else
        cJSON_AddNullToObject(json, "phasePercent");
    free(name);
    return json;
}

/* The monitor looks now and then: what is finished meanwhile is left out. */
static cJSON *builds_json(const struct pipeline *p)
{
    cJSON *builds = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, p->builds)
    {
        const struct table *t = pipeline_table(p, json_str(item, "oid"));
        if (t && t->state == TABLE_INDEXING)
            cJSON_AddItemToArray(builds, build_json(t, item));
    }
    return builds;
}

/* Numbers of the schema's statements by state, and each that was left out, edited or refused. */
static void add_statements(cJSON *json, const struct migration *m, const struct pipeline *p)
{
    const cJSON *item;
    const cJSON *counts = json_get(p->statements, "counts"), *list = json_get(p->statements, "list");

    cJSON_AddItemToObject(json, "schemaStatements", counts ? cJSON_Duplicate(counts, true) : cJSON_CreateNull());
    cJSON_AddItemToObject(json, "schemaDecisions", list ? cJSON_Duplicate(list, true) : cJSON_CreateArray());
    const cJSON *comparison = json_get(p->statements, "comparison");
    cJSON_AddItemToObject(json, "schemaComparison", comparison ? cJSON_Duplicate(comparison, true) : cJSON_CreateNull());
    cJSON *decided = cJSON_AddArrayToObject(json, "schemaDecided");
    cJSON_ArrayForEach(item, m->decided)
        if (json_str(item, "database") && strcmp(json_str(item, "database"), p->name) == 0)
            cJSON_AddItemToArray(decided, cJSON_Duplicate(item, true));
}

static cJSON *database_json(const struct migration *m, const struct pipeline *p, int64_t now_us)
{
    cJSON *json = cJSON_CreateObject();
    char *id = xasprintf("db|%s", p->name);
    char *why = NULL;

    add_totals(json, p, now_us);
    add_stream(json, p);
    add_lag(json, m, p);
    pipeline_is_ready(p, m->plan.max_lag_us, &why);
    json_add_str(json, "databaseName", p->name);
    json_add_str(json, "targetDatabaseName", p->target_name);
    json_add_time(json, "startedOn", p->started_us);
    json_add_time(json, "endedOn", p->ended_us);
    json_add_str(json, "id", id);
    json_add_bool(json, "initializationCompleted", p->initialized);
    json_add_str(json, "migrationState", migration_state(m, p));
    json_add_str(json, "resultType", "DatabaseLevelOutput");
    json_add_str(json, "phase", pipeline_state_name(p->state));
    json_add_str(json, "phaseDetail", p->phase_text);
    json_add_num(json, "phaseDone", (double)p->phase_done);
    json_add_num(json, "phaseTotal", (double)p->phase_total);
    json_add_str(json, "hold", hold_names[p->hold]);
    json_add_str(json, "notReadyBecause", why);
    json_add_str(json, "slotName", p->slot);
    json_add_time(json, "snapshotHeldSince", p->snapshot ? p->snapshot_us : 0);
    json_add_num(json, "tableCount", (double)p->table_count);
    json_add_bool(json, "cutoverFailed", p->cutover_refused);
    json_add_time(json, "cutoverSetFor", m->plan.cutover_at_us && !p->cutover_missed ? m->plan.cutover_at_us : 0);
    add_error(json, "lastError", &p->error);
    add_statements(json, m, p);
    cJSON_AddItemToObject(json, "indexBuilds", builds_json(p));
    cJSON_AddItemToObject(json, "cutoverOutline", cutover_outline(&m->plan));
    cJSON_AddItemToObject(json, "cutoverSteps", steps_json(p));
    json_add_time(json, "writesStoppedOn", p->frozen_us);
    json_add_time(json, "targetOpenedOn", p->opened_us);
    json_add_num(json, "downtimeSeconds",
                 p->frozen_us && p->opened_us ? seconds(p->opened_us - p->frozen_us) : 0);
    free(why);
    free(id);
    return json;
}

static const char *const table_states[] = {
    [TABLE_BEFORE_LOAD] = "BEFORE_LOAD", [TABLE_LOADING] = "FULL_LOAD", [TABLE_LOADED] = "FULL_LOAD",
    [TABLE_INDEXING] = "FULL_LOAD",      [TABLE_COMPLETED] = "COMPLETED", [TABLE_ERROR] = "ERROR",
};

static const char *const load_phases[] = {
    [TABLE_BEFORE_LOAD] = "queued",   [TABLE_LOADING] = "loading",     [TABLE_LOADED] = "loaded",
    [TABLE_INDEXING] = "indexes",     [TABLE_COMPLETED] = "completed", [TABLE_ERROR] = "error",
};

static int64_t estimated_finish_us(const struct table *t, int64_t now_us)
{
    int64_t finish = t->state == TABLE_LOADING ? finish_us(t->est_bytes - t->bytes, bytes_per_s(t, now_us), now_us) : 0;

    return finish ? finish : t->load_ended_us;
}

static cJSON *table_json(const struct pipeline *p, const struct table *t, int64_t now_us)
{
    cJSON *json = cJSON_CreateObject();
    char *id = xasprintf("or|%s|%s|%s", p->name, t->schema, t->name);
    char *name = xasprintf("%s.%s", t->schema, t->name);
    char *target = xasprintf("%s.%s", t->target_schema, t->target_name);
    bool cancelled = p->state == PIPE_CANCELLED && t->state != TABLE_COMPLETED;
    char *finish = clock_iso(estimated_finish_us(t, now_us));

    json_add_num(json, "cdcDeleteCounter", (double)t->deletes);
    json_add_num(json, "cdcInsertCounter", (double)t->inserts);
    json_add_num(json, "cdcUpdateCounter", (double)t->updates);
    json_add_num(json, "cdcTruncateCounter", (double)t->truncates);
    json_add_num(json, "dataErrorsCount", (double)(t->errors + t->conflicts));
    json_add_str(json, "databaseName", p->name);
    json_add_time(json, "fullLoadStartedOn", t->load_started_us);
    json_add_time(json, "fullLoadEndedOn", t->load_ended_us);
    json_add_str(json, "fullLoadEstFinishTime", finish);
    json_add_num(json, "fullLoadTotalRows", (double)t->rows);
    json_add_num(json, "fullLoadTotalVolumeBytes", (double)t->bytes);
    json_add_num(json, "fullLoadExpectedBytes", (double)expected_bytes(t));
    json_add_num(json, "fullLoadPercent", percent(t->bytes, expected_bytes(t), is_copied(t)));
    json_add_num(json, "fullLoadBytesPerSecond", (double)(int64_t)bytes_per_s(t, now_us));
    json_add_num(json, "estimatedRows", (double)t->est_rows);
    json_add_num(json, "estimatedBytes", (double)t->est_bytes);
    json_add_str(json, "id", id);
    json_add_time(json, "lastModifiedTime", t->modified_us);
    json_add_str(json, "resultType", "TableLevelOutput");
    json_add_str(json, "state", cancelled ? "CANCELED"
                                : t->is_stopped ? "ERROR" : table_states[t->state]);
    json_add_str(json, "loadPhase", load_phases[t->state]);
    json_add_str(json, "streamPhase", t->is_stopped  ? "stopped"
                                      : t->is_behind ? "catching up" : NULL);
    json_add_str(json, "tableName", name);
    json_add_str(json, "targetTableName", target);
    json_add_num(json, "totalChangesApplied",
                 (double)(t->inserts + t->updates + t->deletes + t->truncates));
    json_add_str(json, "verifyState", verification_state_name(t->verified.state));
    json_add_time(json, "verifiedOn", t->verified.compared_us);
    add_lsn(json, "verifiedLsn", t->verified.lsn);
    json_add_str(json, "verifyNote", t->verified.note);
    json_add_num(json, "verifySourceRows", (double)t->verified.source_rows);
    json_add_num(json, "verifyTargetRows", (double)t->verified.target_rows);
    add_error(json, "lastError", &t->error);
    free(finish);
    free(target);
    free(name);
    free(id);
    return json;
}

static cJSON *migration_json(const struct migration *m)
{
    cJSON *json = cJSON_CreateObject();
    const struct pipeline *first = m->pipeline_count ? &m->pipelines[0] : NULL;

    json_add_num(json, "databaseCount", (double)m->pipeline_count);
    json_add_time(json, "startedOn", m->started_us);
    json_add_time(json, "endedOn", m->ended_us);
    json_add_str(json, "id", m->id);
    json_add_str(json, "resultType", "MigrationLevelOutput");
    json_add_str(json, "sourceServer", first ? first->source_server : NULL);
    json_add_str(json, "sourceVersion", first ? first->source_version : NULL);
    json_add_str(json, "targetServer", first ? first->target_server : NULL);
    json_add_str(json, "targetVersion", first ? first->target_version : NULL);
    json_add_str(json, "state", migration_level_state(m));
    return json;
}

static void add_error_item(cJSON *errors, const struct pipeline *p, const struct err *err,
                           const struct table *table)
{
    if (!err_is_set(err))
        return;
    cJSON *item = err_to_json(err);
    char *name = table ? xasprintf("%s.%s", table->schema, table->name) : NULL;

    json_add_str(item, "databaseName", p->name);
    json_add_str(item, "tableName", name);
    cJSON_AddItemToArray(errors, item);
    free(name);
}

static cJSON *errors_json(const struct migration *m)
{
    cJSON *errors = cJSON_CreateArray();

    for (size_t i = 0; i < m->pipeline_count; i++) {
        const struct pipeline *p = &m->pipelines[i];
        add_error_item(errors, p, &p->error, NULL);
        for (const struct table *t = p->first_stopped ? p->tables : NULL; t; t = t->hh.next)
            if (t->is_stopped)
                add_error_item(errors, p, &t->error, t);
    }
    return errors;
}

static void add_tables(cJSON *output, const struct pipeline *p, uint64_t since, int64_t now_us)
{
    for (size_t k = 0; p->by_size && k < p->table_count; k++)
        if (since == 0 || p->by_size[k]->version > since)
            cJSON_AddItemToArray(output, table_json(p, p->by_size[k], now_us));
}

static cJSON *output_json(const struct migration *m, uint64_t since, bool tables)
{
    cJSON *output = cJSON_CreateArray();
    int64_t now_us = clock_wall_us();

    for (size_t i = 0; i < m->pipeline_count; i++)
        if (since == 0 || m->pipelines[i].version > since)
            cJSON_AddItemToArray(output, database_json(m, &m->pipelines[i], now_us));
    cJSON_AddItemToArray(output, migration_json(m));
    for (size_t i = 0; tables && i < m->pipeline_count; i++)
        add_tables(output, &m->pipelines[i], since, now_us);
    return output;
}

static cJSON *events_json(const struct migration *m, uint64_t since)
{
    cJSON *events = cJSON_CreateArray();
    uint64_t first = m->event_count > EVENT_COUNT ? m->event_count - EVENT_COUNT : 0;

    for (uint64_t i = since > first ? since : first; i < m->event_count; i++) {
        const struct event *event = &m->events[i % EVENT_COUNT];
        cJSON *item = cJSON_CreateObject();
        json_add_time(item, "time", event->time_us);
        json_add_str(item, "level", event->level);
        json_add_str(item, "text", event->text);
        cJSON_AddItemToArray(events, item);
    }
    return events;
}

static cJSON *whole_json(const struct migration *m, cJSON *output)
{
    cJSON *json = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(json, "properties");

    json_add_str(json, "id", m->id);
    json_add_str(json, "name", m->name);
    json_add_str(json, "type", "Microsoft.DataMigration/services/projects/tasks");
    cJSON_AddItemToObject(properties, "output", output);
    cJSON_AddItemToObject(properties, "errors", errors_json(m));
    cJSON_AddItemToObject(properties, "events", events_json(m, 0));
    json_add_str(properties, "state", status_task_state(m));
    json_add_str(properties, "taskType", NULL);
    return json;
}

cJSON *status_json(const struct migration *m)
{
    return whole_json(m, output_json(m, 0, true));
}

cJSON *status_frame(const struct migration *m)
{
    return whole_json(m, output_json(m, 0, false));
}

cJSON *status_delta(const struct migration *m, uint64_t since, uint64_t events_since, bool tables)
{
    cJSON *json = cJSON_CreateObject();

    json_add_str(json, "state", status_task_state(m));
    cJSON_AddItemToObject(json, "output", output_json(m, since ? since : 1, tables));
    cJSON_AddItemToObject(json, "errors", errors_json(m));
    cJSON_AddItemToObject(json, "events", events_json(m, events_since));
    return json;
}

/* --- in parts --- */

/* The cursor: a database's number in its upper half, a table's in the lower one. */
static const struct table *next_table(const struct migration *m, uint64_t *cursor, const struct pipeline **of)
{
    for (uint64_t i = *cursor >> 32; i < m->pipeline_count; i++, *cursor = i << 32) {
        const struct pipeline *p = &m->pipelines[i];
        uint64_t k = *cursor & UINT32_MAX;
        if (!p->by_size || k >= p->table_count)
            continue;
        *of = p;
        ++*cursor;
        return p->by_size[k];
    }
    return NULL;
}

cJSON *status_part(const struct migration *m, uint64_t *cursor, size_t most)
{
    const struct pipeline *p;
    const struct table *table;
    cJSON *part = NULL;

    for (size_t n = 0; n < most && (table = next_table(m, cursor, &p)); n++) {
        if (!part)
            part = cJSON_CreateArray();
        cJSON_AddItemToArray(part, table_json(p, table, clock_wall_us()));
    }
    return part;
}

#define TABLES_MARK "\"<tables>\"" /* stands where the tables go, behind the other objects */
#define OUTPUT_DEPTH 3

static bool write_tables(const struct migration *m, FILE *file)
{
    const struct pipeline *p;
    const struct table *table;
    uint64_t cursor = 0;
    bool first = true;

    while (!ferror(file) && (table = next_table(m, &cursor, &p))) {
        cJSON *json = table_json(p, table, clock_wall_us());
        char *text = json_pretty_at(json, OUTPUT_DEPTH);
        fprintf(file, "%s%s", first ? "" : ",\n      ", text);
        first = false;
        free(text);
        cJSON_Delete(json);
    }
    return !ferror(file);
}

static bool write_status(FILE *file, void *arg)
{
    const struct migration *m = arg;
    cJSON *frame = status_frame(m);
    cJSON *output = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(frame, "properties"), "output");
    uint64_t cursor = 0;
    const struct pipeline *p;
    bool any = next_table(m, &cursor, &p) != NULL;

    if (any)
        cJSON_AddItemToArray(output, cJSON_CreateString("<tables>"));
    char *text = json_pretty_sorted(frame);
    char *mark = any ? strstr(text, TABLES_MARK) : NULL;
    cJSON_Delete(frame);
    bool ok = fwrite(text, 1, mark ? (size_t)(mark - text) : strlen(text), file) > 0 &&
              (!mark || (write_tables(m, file) && fputs(mark + strlen(TABLES_MARK), file) >= 0));
    free(text);
    return ok;
}

bool status_store(const struct migration *m, const char *path, struct err *err)
{
    return file_replace_with(path, write_status, (void *)m, err);
}
