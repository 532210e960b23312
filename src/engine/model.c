#include "engine/model.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/limit_pipe.h"

static const char *const state_names[PIPE_STATE_COUNT] = {
    [PIPE_QUEUED] = "queued",
    [PIPE_CHECKING] = "checking",
    [PIPE_SCHEMA] = "schema",
    [PIPE_STARTING] = "starting",
    [PIPE_LOADING] = "loading",
    [PIPE_CATCHING_UP] = "catching up",
    [PIPE_FINISHING] = "finishing",
    [PIPE_SYNCING] = "syncing",
    [PIPE_CUTTING_OVER] = "cutting over",
    [PIPE_THAWING] = "thawing",
    [PIPE_CLOSING] = "closing",
    [PIPE_DONE] = "done",
    [PIPE_UNDOING] = "undoing",
    [PIPE_CANCELLED] = "cancelled",
    [PIPE_FAILED] = "failed",
};

const char *pipeline_state_name(enum pipeline_state state)
{
    return state_names[state];
}

bool pipeline_state_parse(const char *name, enum pipeline_state *state)
{
    for (int i = 0; name && i < PIPE_STATE_COUNT; i++) {
        if (strcmp(name, state_names[i]) == 0) {
            *state = (enum pipeline_state)i;
            return true;
        }
    }
    return false;
}

bool pipeline_has_ended(const struct pipeline *pipeline)
{
    return pipeline->state == PIPE_DONE || pipeline->state == PIPE_CANCELLED ||
           pipeline->state == PIPE_FAILED;
}

bool goal_parse(const char *text, enum goal *goal)
{
    static const char *const names[] = {"checked", "schema", "loaded", "ready", "done"};

    for (int i = 0; i < 5; i++) {
        if (strcmp(text, names[i]) == 0) {
            *goal = (enum goal)i;
            return true;
        }
    }
    return false;
}

/* Slot names know only [a-z0-9_]: PostgreSQL docs, "Querying and Manipulating Replication Slots". */
static char *slot_name(const struct migration *m, size_t index)
{
    char *name = xasprintf("pgcutover_%s_%.6s_%zu", m->name, m->id, index);

    for (char *at = name; *at; at++)
        *at = isalnum((unsigned char)*at) ? (char)tolower((unsigned char)*at) : '_';
    return name;
}

void migration_make_pipelines(struct migration *m)
{
    m->pipeline_count = m->plan.database_count;
    m->pipelines = xcalloc(m->pipeline_count, sizeof *m->pipelines);
    for (size_t i = 0; i < m->pipeline_count; i++) {
        struct pipeline *p = &m->pipelines[i];
        p->index = (int)i;
        p->load_only = m->plan.sync_mode == SYNC_LOAD_ONLY;
        p->plan = &m->plan.databases[i];
        p->name = xstrdup(p->plan->name);
        p->target_name = xstrdup(p->plan->target_name);
        p->dir = xasprintf("%s/db-%zu", m->dir, i);
        p->slot = m->plan.sync_slot ? xstrdup(m->plan.sync_slot) : slot_name(m, i);
        p->limit_pipe[0] = p->limit_pipe[1] = -1;
    }
}

struct pipeline *migration_pipeline(const struct migration *m, const char *database, struct err *err)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (database ? strcmp(database, m->pipelines[i].name) == 0 : m->pipeline_count == 1)
            return &m->pipelines[i];
    if (database)
        err_set(err, ERR_USAGE, "migration \"%s\" has no database \"%s\"", m->name, database);
    else
        err_set(err, ERR_USAGE, "migration \"%s\" has %zu databases: name one with --database-name", m->name, m->pipeline_count);
    return NULL;
}

void table_verification_release(struct table_verification *verified)
{
    free(verified->written);
    free(verified->note);
    cJSON_Delete(verified->differences);
    *verified = (struct table_verification){0};
}

void table_free(struct table *table)
{
    free(table->oid);
    free(table->schema);
    free(table->name);
    free(table->target_schema);
    free(table->target_name);
    free(table->final_schema);
    free(table->final_name);
    free(table->where);
    free(table->columns);
    table_parts_free(table->parts);
    table_verification_release(&table->verified);
    err_clear(&table->error);
    free(table);
}

static void pipeline_release(struct pipeline *p)
{
    struct table *table;
    struct table *next;

    HASH_ITER(hh, p->tables, table, next)
    {
        HASH_DEL(p->tables, table);
        table_free(table);
    }
    for (size_t i = 0; i < p->step_count; i++) {
        free(p->steps[i].name);
        free(p->steps[i].state);
        free(p->steps[i].text);
    }
    char *strings[] = {p->name,          p->target_name,    p->dir,           p->slot,
                       p->snapshot,      p->spool_limit,    p->slot_wal_status, p->phase_text,
                       p->source_server, p->source_version, p->target_server, p->target_version};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    limit_pipe_close(p->limit_pipe);
    cJSON_Delete(p->asked);
    cJSON_Delete(p->builds);
    cJSON_Delete(p->statements);
    cJSON_Delete(p->verification.oids);
    err_clear(&p->verification.error);
    err_clear(&p->rehearsal_error);
    err_clear(&p->change_error);
    free(p->steps);
    free(p->by_size);
    free(p->index_queue);
    err_clear(&p->error);
}

void migration_release(struct migration *m)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        pipeline_release(&m->pipelines[i]);
    for (size_t i = 0; i < EVENT_COUNT; i++) {
        free(m->events[i].level);
        free(m->events[i].text);
    }
    free(m->pipelines);
    free(m->id);
    free(m->name);
    free(m->dir);
    cJSON_Delete(m->decided);
    plan_release(&m->plan);
    *m = (struct migration){0};
}

bool migration_has_ended(const struct migration *m)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (!pipeline_has_ended(&m->pipelines[i]))
            return false;
    return true;
}

char *migration_state_dir(const struct migration *m)
{
    const char *slash = strrchr(m->dir, '/');

    return xstrndup(m->dir, slash ? (size_t)(slash - m->dir) : strlen(m->dir));
}

void pipeline_touch(struct migration *m, struct pipeline *pipeline)
{
    pipeline->version = ++m->version;
}

void table_touch(struct migration *m, struct pipeline *pipeline, struct table *table)
{
    pipeline_touch(m, pipeline);
    table->version = m->version;
    table->modified_us = clock_wall_us();
}

struct table *pipeline_table(const struct pipeline *pipeline, const char *oid)
{
    struct table *table = NULL;

    if (oid)
        HASH_FIND_STR(pipeline->tables, oid, table);
    return table;
}

struct table *pipeline_add_table(struct pipeline *pipeline, const char *oid)
{
    struct table *table = pipeline_table(pipeline, oid);

    if (table)
        return table;
    table = xcalloc(1, sizeof *table);
    table->oid = xstrdup(oid);
    HASH_ADD_KEYPTR(hh, pipeline->tables, table->oid, strlen(table->oid), table);
    pipeline->table_count++;
    return table;
}

static struct table *find_stopped(const struct pipeline *pipeline)
{
    struct table *table = pipeline->tables;

    while (table && !table->is_stopped)
        table = table->hh.next;
    return table;
}

void table_detach(struct pipeline *pipeline, struct table *table, bool is_behind, struct err *why)
{
    pipeline->behind_count += is_behind;
    pipeline->behind_count -= table->is_behind;
    table->is_behind = is_behind;
    if (table->is_stopped || why)
        err_clear(&table->error);
    table->is_stopped = why != NULL;
    if (why)
        err_move(&table->error, why);
    if (why)
        pipeline->first_stopped = table;
    else if (pipeline->first_stopped == table)
        pipeline->first_stopped = find_stopped(pipeline);
}

static int larger_first(const void *a, const void *b)
{
    const struct table *x = *(struct table *const *)a;
    const struct table *y = *(struct table *const *)b;

    if (x->est_bytes != y->est_bytes)
        return x->est_bytes < y->est_bytes ? 1 : -1;
    int order = strcmp(x->schema, y->schema);
    return order ? order : strcmp(x->name, y->name);
}

void pipeline_sort_tables(struct pipeline *pipeline)
{
    size_t n = 0;

    free(pipeline->by_size);
    pipeline->by_size = xcalloc(pipeline->table_count + 1, sizeof(struct table *));
    for (struct table *table = pipeline->tables; table; table = table->hh.next)
        pipeline->by_size[n++] = table;
    qsort(pipeline->by_size, n, sizeof(struct table *), larger_first);
    pipeline->next_load = 0;
}

void pipeline_remove_table(struct pipeline *pipeline, struct table *table)
{
    size_t kept = 0;

    table_detach(pipeline, table, false, NULL);
    for (size_t i = 0; i < pipeline->table_count; i++)
        if (pipeline->by_size[i] != table)
            pipeline->by_size[kept++] = pipeline->by_size[i];
    for (size_t i = pipeline->index_head; i < pipeline->index_count; i++)
        if (pipeline->index_queue[i] == table)
            pipeline->index_queue[i] = pipeline->index_queue[pipeline->index_head++];
    HASH_DEL(pipeline->tables, table);
    pipeline->table_count--;
    pipeline->next_load = 0;
    table_free(table);
}

size_t pipeline_count_tables(const struct pipeline *pipeline, enum table_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < pipeline->table_count && pipeline->by_size; i++)
        n += pipeline->by_size[i]->state == state;
    return n;
}

void pipeline_add_reading(struct pipeline *pipeline, lsn_t lsn, int64_t taken_us)
{
    if (pipeline->reading_count == READING_COUNT) {
        /* Every other one goes: old readings need no fine grain. */
        for (size_t i = 0; i < READING_COUNT / 2; i++)
            pipeline->readings[i] = pipeline->readings[i * 2 + 1];
        pipeline->reading_count = READING_COUNT / 2;
    }
    pipeline->readings[pipeline->reading_count++] =
        (struct lsn_reading){.lsn = lsn, .taken_us = taken_us};
}

int64_t pipeline_lag_us(const struct pipeline *pipeline, int64_t now_us)
{
    for (size_t i = pipeline->reading_count; i-- > 0;) {
        const struct lsn_reading *reading = &pipeline->readings[i];
        if (reading->lsn <= pipeline->passed_lsn)
            return now_us > reading->taken_us ? now_us - reading->taken_us : 0;
    }
    if (pipeline->reading_count && pipeline->applied_commit_us)
        return now_us + pipeline->clock_offset_us - pipeline->applied_commit_us;
    return -1;
}

/* An applier that had nothing to do, and has been passed by the source for longer than this, has something to do and is held up. */
#define IDLE_LAG_US 2000000

int64_t pipeline_latency_us(const struct pipeline *pipeline, int64_t now_us)
{
    int64_t lag = pipeline_lag_us(pipeline, now_us);

    return pipeline->apply_idle && lag < IDLE_LAG_US ? pipeline->latency_us : lag;
}

static bool not_ready(char **why, const char *fmt, ...) PGC_PRINTF(2, 3);
static bool not_ready(char **why, const char *fmt, ...)
{
    va_list args;

    if (!why)
        return false;
    va_start(args, fmt);
    *why = xvasprintf(fmt, args);
    va_end(args);
    return false;
}

bool pipeline_is_ready(const struct pipeline *pipeline, int64_t max_lag_us, char **why)
{
    char text[32];

    if (pipeline->hold == HOLD_STOPPED)
        return not_ready(why, "it is stopped by an error: %s", pipeline->error.message);
    if (pipeline->hold == HOLD_PAUSED)
        return not_ready(why, "it is paused");
    if (pipeline->first_stopped)
        return not_ready(why, "table %s.%s is stopped by an error: %s", pipeline->first_stopped->schema,
                         pipeline->first_stopped->name, pipeline->first_stopped->error.message);
    if (pipeline->state != PIPE_SYNCING)
        return not_ready(why, "it is %s", pipeline_state_name(pipeline->state));
    if (pipeline->asked)
        return not_ready(why, "tables are being %s", json_get(pipeline->asked, "add")      ? "added"
                                                     : json_get(pipeline->asked, "remove") ? "removed"
                                                                                           : "loaded again");
    if (pipeline->behind_count)
        return not_ready(why, "%zu table%s still to be caught up with the stream", pipeline->behind_count,
                         pipeline->behind_count == 1 ? " is" : "s are");
    if (pipeline->unfinished)
        return not_ready(why, "indexes and keys of added tables are still to be made");
    if (pipeline->passed_lsn < pipeline->last_epoch_lsn)
        return not_ready(why, "changes made while loading are still being applied");
    int64_t lag = pipeline_lag_us(pipeline, clock_wall_us());
    if (lag < 0)
        return not_ready(why, "the lag is not known yet");
    /* Readings are taken every half second: one interval of grace. */
    if (lag > max_lag_us + 600000) {
        units_duration(lag, text, sizeof text);
        return not_ready(why, "the target is %s behind", text);
    }
    return true;
}

struct step *pipeline_step(struct pipeline *pipeline, const char *name)
{
    for (size_t i = 0; i < pipeline->step_count; i++)
        if (strcmp(pipeline->steps[i].name, name) == 0)
            return &pipeline->steps[i];
    pipeline->steps = xgrow(pipeline->steps, pipeline->step_count, &pipeline->step_cap,
                            sizeof *pipeline->steps);
    struct step *step = &pipeline->steps[pipeline->step_count++];
    *step = (struct step){.name = xstrdup(name), .state = xstrdup("waiting")};
    return step;
}

void migration_event(struct migration *m, const char *level, const char *fmt, ...)
{
    struct event *event = &m->events[m->event_count++ % EVENT_COUNT];
    enum log_level log_as = LOG_INFO;
    va_list args;

    free(event->text);
    va_start(args, fmt);
    event->text = xvasprintf(fmt, args);
    va_end(args);
    event->time_us = clock_wall_us();
    str_replace(&event->level, level);
    log_level_parse(level, &log_as);
    log_msg(log_as, "%s", event->text);
    m->version++;
}
