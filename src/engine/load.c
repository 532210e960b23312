/* How it works: one queue, largest table first. As long as a table waits or is being copied there is
 * an epoch: a worker that holds the exported snapshot of a slot. Copy workers adopt the snapshot
 * once and take tables, small ones many at once; when an epoch is lost, tables that were not copied go into
 * the next one. Tables that are loaded go to index workers, beside the copies still running: small ones
 * many at once, the indexes of a large one to several workers, who take one each until none is left;
 * then one does what remains of that table. */
#include "engine/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/load_parts.h"

#define GROUP_TABLES 32
#define GROUP_BYTES (INT64_C(8) << 20)
#define SMALL_BYTES (INT64_C(1) << 20)
#define LARGE_BYTES (INT64_C(32) << 20) /* whose indexes are worth a worker each */

static bool is_kind(const struct worker *w, const char *kind)
{
    return strcmp(w->kind->name, kind) == 0;
}

static struct table *next_to_copy(struct pipeline *p)
{
    for (; p->next_load < p->table_count; p->next_load++) {
        struct table *table = p->by_size[p->next_load];
        if (table->state == TABLE_BEFORE_LOAD)
            return table;
    }
    return NULL;
}

static struct table *next_to_index(struct pipeline *p)
{
    while (p->index_head < p->index_count) {
        struct table *table = p->index_queue[p->index_head];
        if (table->state == TABLE_LOADED)
            return table;
        p->index_head++;
    }
    return NULL;
}

/* What a table weighs: as it was measured when it was copied, before that as estimated. */
static int64_t weight(const struct table *table)
{
    return table->bytes > table->est_bytes || table->state == TABLE_LOADED ? table->bytes : table->est_bytes;
}

static void begin_copying(struct table *table)
{
    table->rows = table->bytes = 0;
    table->load_started_us = clock_wall_us();
    table->load_ended_us = 0;
}

static void send_job(struct worker *w, const char *job)
{
    cJSON *message = json_message(job);
    cJSON *oids = cJSON_AddArrayToObject(message, "oids");

    for (struct table *table = w->table; table; table = table->next_of_job)
        cJSON_AddItemToArray(oids, cJSON_CreateString(table->oid));
    w->ready = false;
    channel_queue(&w->channel, message);
}

/* Gives the next table, or the next small ones; most: so many at most, so that the others get some too. */
static void give(struct supervisor *s, struct worker *w, struct table *(*next)(struct pipeline *p),
                 size_t most, enum table_state state)
{
    struct pipeline *p = w->pipeline;
    struct table **end = &w->table;
    struct table *table;
    int64_t bytes = 0;

    for (size_t n = 0; n < most && n < GROUP_TABLES && (table = next(p)); n++) {
        if (n && (bytes > GROUP_BYTES || weight(table) > SMALL_BYTES))
            break;
        bytes += weight(table) + (weight(table) > SMALL_BYTES ? GROUP_BYTES : 0);
        table->state = state;
        table->next_of_job = NULL;
        if (state == TABLE_LOADING)
            begin_copying(table);
        table_touch(s->m, p, table);
        *end = table;
        end = &table->next_of_job;
    }
    send_job(w, state == TABLE_LOADING ? "copy" : "index");
}

static size_t share_of(size_t waiting, int jobs)
{
    size_t share = waiting / (size_t)jobs;

    return share ? share : 1;
}

static size_t count_copying(struct supervisor *s, const struct pipeline *p)
{
    size_t n = 0;

    for (struct worker *w = s->workers; w; w = w->next)
        n += w->pipeline == p && w->table && w->table->state == TABLE_LOADING;
    return n;
}

static void stop_kind(struct supervisor *s, const struct pipeline *p, const char *kind)
{
    for (struct worker *w = s->workers; w; w = w->next)
        if (w->pipeline == p && is_kind(w, kind))
            worker_stop(w);
}

static void let_snapshot_go(struct supervisor *s, struct pipeline *p)
{
    if (p->snapshot)
        migration_event(s->m, "info", "%s: the snapshot was let go", p->name);
    str_replace(&p->snapshot, NULL);
    stop_kind(s, p, "copy");
    stop_kind(s, p, "epoch");
}

static void want_copiers(struct supervisor *s, struct pipeline *p)
{
    size_t waiting = parts_waiting(p);

    for (size_t i = p->next_load; i < p->table_count && waiting < 64; i++)
        waiting += p->by_size[i]->state == TABLE_BEFORE_LOAD;
    size_t want = waiting + count_copying(s, p);
    if (want > (size_t)s->m->plan.load_jobs)
        want = (size_t)s->m->plan.load_jobs;
    for (size_t have = supervisor_count_workers(s, p, "copy"); have < want; have++)
        if (!supervisor_start_worker(s, p, "copy"))
            return;
}

/* Fewer are wanted than there are: idle ones go at once, the others when they have done what they do. */
static void dismiss_copiers(struct supervisor *s, struct pipeline *p)
{
    size_t have = supervisor_count_workers(s, p, "copy");

    for (struct worker *w = s->workers; w && have > (size_t)s->m->plan.load_jobs; w = w->next) {
        if (w->pipeline != p || w->stopping || !is_kind(w, "copy") || w->table)
            continue;
        worker_stop(w);
        have--;
    }
}

/* Every copy worker of every database has the same share. */
static void share_rate(struct supervisor *s)
{
    int64_t workers = 0;

    for (struct worker *w = s->workers; w; w = w->next)
        workers += is_kind(w, "copy") && !w->stopping;
    if (!workers)
        return;
    int64_t share = s->m->plan.bytes_per_second / workers;
    if (s->m->plan.bytes_per_second && !share)
        share = 1;
    for (struct worker *w = s->workers; w; w = w->next) {
        if (!is_kind(w, "copy") || w->stopping || w->told_rate == share)
            continue;
        cJSON *message = json_message("rate");
        json_add_i64(message, "bytesPerSecond", share);
        w->told_rate = share;
        channel_queue(&w->channel, message);
    }
}

static void stop_idle_copiers(struct supervisor *s, const struct pipeline *p)
{
    for (struct worker *w = s->workers; w; w = w->next)
        if (w->pipeline == p && is_kind(w, "copy") && !w->table && w->ready)
            worker_stop(w);
}

/* The next job for a copy worker: a part of a table that is being copied already, or the next table. */
static bool give_copy(struct supervisor *s, struct pipeline *p, struct worker *w)
{
    struct table *table = parts_next(p);

    if (table) {
        parts_give(s, w, table);
        return true;
    }
    if (!(table = next_to_copy(p)))
        return false;
    if (!parts_are_wanted(s, p, table)) {
        give(s, w, next_to_copy, share_of(p->table_count - p->next_load, s->m->plan.load_jobs), TABLE_LOADING);
        return true;
    }
    table->state = TABLE_LOADING;
    begin_copying(table);
    parts_cut_by(s, w, table);
    table_touch(s->m, p, table);
    return true;
}

static void copy_turn(struct supervisor *s, struct pipeline *p)
{
    if (!next_to_copy(p) && !parts_next(p)) {
        /* Without a stream it is what the target is compared with at the end. */
        if (p->load_only && s->m->plan.verify_when != VERIFY_NEVER && p->snapshot)
            stop_idle_copiers(s, p);
        else if (count_copying(s, p) == 0)
            let_snapshot_go(s, p);
        return;
    }
    if (!p->snapshot) {
        if (!supervisor_worker(s, p, "epoch"))
            supervisor_start_worker(s, p, "epoch");
        return;
    }
    want_copiers(s, p);
    dismiss_copiers(s, p);
    share_rate(s);
    for (struct worker *w = s->workers; w; w = w->next)
        if (w->pipeline == p && w->ready && !w->stopping && is_kind(w, "copy") && !give_copy(s, p, w))
            return;
}

/* --- indexes --- */

/* Large tables leave the queue for the list of those whose indexes are built one by one. */
static struct table *next_small_to_index(struct pipeline *p)
{
    struct table *table;

    while ((table = next_to_index(p)) && table->builds > 1 && table->bytes >= LARGE_BYTES) {
        table->state = TABLE_INDEXING;
        table->builds_left = table->builds;
        table->builds = 0; /* what is left is one job */
        table->next_building = p->building;
        p->building = table;
    }
    return table;
}

static struct table *next_to_build(struct pipeline *p)
{
    struct table *table = p->building;

    while (table && !table->builds_left)
        table = table->next_building;
    return table;
}

static void give_build(struct worker *w, struct table *table)
{
    table->builds_left--;
    table->builds_running++;
    table->next_of_job = NULL;
    w->table = table;
    w->building = true;
    send_job(w, "build");
}

static void forget_building(struct pipeline *p, struct table *table)
{
    for (struct table **at = &p->building; *at; at = &(*at)->next_building) {
        if (*at == table) {
            *at = table->next_building;
            return;
        }
    }
}

void load_index_built(struct supervisor *s, struct pipeline *p, struct table *table)
{
    table->builds_running--;
    if (table->state != TABLE_INDEXING || table->builds_left || table->builds_running)
        return;
    forget_building(p, table);
    load_table_loaded(s, p, table);
}

static size_t count_to_index(struct pipeline *p)
{
    size_t waiting = p->index_count - p->index_head;

    for (struct table *table = p->building; table; table = table->next_building)
        waiting += (size_t)(table->builds_left + table->builds_running);
    return waiting;
}

static void index_turn(struct supervisor *s, struct pipeline *p)
{
    if (!next_small_to_index(p) && !next_to_build(p))
        return;
    size_t waiting = count_to_index(p);
    for (size_t have = supervisor_count_workers(s, p, "index");
         have < (size_t)s->m->plan.load_jobs && have < waiting; have++)
        if (!supervisor_start_worker(s, p, "index"))
            return;
    for (struct worker *w = s->workers; w; w = w->next) {
        if (w->pipeline != p || !w->ready || w->stopping || !is_kind(w, "index"))
            continue;
        struct table *table = next_to_build(p);
        if (table)
            give_build(w, table);
        else if (next_small_to_index(p))
            give(s, w, next_small_to_index,
                 share_of(p->index_count - p->index_head, s->m->plan.load_jobs), TABLE_INDEXING);
        else if (!next_to_build(p))
            return;
    }
}

/* Everything that could be loaded is, and what could not is named. */
static void stop_on_table_errors(struct supervisor *s, struct pipeline *p)
{
    struct table *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < p->table_count; i++) {
        struct table *table = p->by_size[i];
        if (table->state == TABLE_COMPLETED)
            continue;
        if (table->state != TABLE_ERROR)
            return;
        count++;
        if (!first)
            first = table;
    }
    if (!first)
        return;
    err_clear(&p->error);
    err_set(&p->error, first->error.code, "%zu table%s could not be loaded, the first: %s", count,
            count == 1 ? "" : "s", first->error.message);
    memcpy(p->error.sqlstate, first->error.sqlstate, sizeof p->error.sqlstate);
    if (first->error.detail)
        err_detail(&p->error, "%s", first->error.detail);
    err_hint(&p->error, "Mend it and run \"pgcutover resume %s\": the other tables stay loaded. %s",
             s->m->name, first->error.hint ? first->error.hint : "");
    p->hold = HOLD_STOPPED;
    migration_event(s->m, "error", "%s: %s", p->name, p->error.message);
    pipeline_touch(s->m, p);
}

void load_turn(struct supervisor *s, struct pipeline *p)
{
    copy_turn(s, p);
    index_turn(s, p);
    /* In a running migration the other tables go on; resume tries again. */
    if (p->state == PIPE_LOADING)
        stop_on_table_errors(s, p);
}

static void queue_for_copy(struct supervisor *s, struct pipeline *p, struct table *table)
{
    forget_building(p, table);
    parts_give_up(s, p, table);
    table->builds_left = 0;
    table->state = TABLE_BEFORE_LOAD;
    table->rows = table->bytes = 0; /* they were rolled back */
    p->next_load = 0;
    table_touch(s->m, p, table);
}

void load_queue(struct supervisor *s, struct pipeline *p, struct table *table)
{
    err_clear(&table->error);
    queue_for_copy(s, p, table);
}

void load_again(struct supervisor *s, struct pipeline *p, struct table *table)
{
    err_clear(&table->error);
    if (!table->at_cutover)
        table_detach(p, table, true, NULL);
    queue_for_copy(s, p, table);
}

/* Workers that are stopped, and whose tables are given to others before they have ended. */
static void forget_jobs(struct supervisor *s, const struct pipeline *p, const char *kind)
{
    for (struct worker *w = s->workers; w; w = w->next) {
        if (w->pipeline != p || !is_kind(w, kind))
            continue;
        if (w->building)
            w->table->builds_running--;
        w->building = false;
        while (w->table)
            worker_table_done(w, w->table);
    }
}

void load_under_new_snapshot(struct supervisor *s, struct pipeline *p)
{
    size_t again = 0;

    forget_jobs(s, p, "index");
    for (size_t i = 0; i < p->table_count; i++) {
        struct table *table = p->by_size[i];
        if (table->state != TABLE_LOADED && table->state != TABLE_INDEXING &&
            table->state != TABLE_COMPLETED)
            continue;
        queue_for_copy(s, p, table);
        again++;
    }
    if (!again)
        return;
    stop_kind(s, p, "index");
    migration_event(s->m, "warning", "%s: the snapshot is another one: %zu table%s copied again, so that "
                    "all are of one moment", p->name, again, again == 1 ? " is" : "s are");
}

/* What is not copied will be under another snapshot, and of a table in parts all of it. */
static void lose_epoch(struct supervisor *s, struct pipeline *p)
{
    str_replace(&p->snapshot, NULL);
    stop_kind(s, p, "epoch");
    for (size_t i = 0; p->in_parts && i < p->table_count; i++)
        if (p->by_size[i]->parts)
            queue_for_copy(s, p, p->by_size[i]);
    if (p->load_only)
        stop_kind(s, p, "copy");
}

void load_begin_anew(struct supervisor *s, struct pipeline *p)
{
    lose_epoch(s, p);
    stop_kind(s, p, "copy");
    stop_kind(s, p, "index");
}

void load_table_loaded(struct supervisor *s, struct pipeline *p, struct table *table)
{
    table->state = TABLE_LOADED;
    err_clear(&table->error);
    p->index_queue = xgrow(p->index_queue, p->index_count, &p->index_cap, sizeof *p->index_queue);
    p->index_queue[p->index_count++] = table;
    table_touch(s->m, p, table);
}

void load_table_failed(struct supervisor *s, struct pipeline *p, struct table *table,
                       struct err *err)
{
    forget_building(p, table);
    parts_give_up(s, p, table);
    table->builds_left = 0;
    table->failed_in = table->state;
    table->state = TABLE_ERROR;
    table->errors++;
    migration_event(s->m, "error", "%s.%s: %s", table->schema, table->name, err->message);
    err_move(&table->error, err);
    table_touch(s->m, p, table);
}

void load_forget_table(struct supervisor *s, struct pipeline *p, struct table *table)
{
    parts_give_up(s, p, table);
    forget_building(p, table);
    for (struct worker *w = s->workers; w; w = w->next) {
        bool has = false;
        for (const struct table *t = w->pipeline == p ? w->table : NULL; t; t = t->next_of_job)
            has = has || t == table;
        if (!has)
            continue;
        w->building = false;
        worker_table_done(w, table);
        worker_stop(w);
    }
}

void load_retry_errors(struct supervisor *s, struct pipeline *p)
{
    for (size_t i = 0; i < p->table_count; i++) {
        struct table *table = p->by_size[i];
        if (table->state != TABLE_ERROR)
            continue;
        if (table->failed_in == TABLE_INDEXING)
            load_table_loaded(s, p, table);
        else
            queue_for_copy(s, p, table);
    }
}

static void put_back(struct supervisor *s, struct pipeline *p, struct table *table)
{
    if (table->state == TABLE_LOADING) {
        queue_for_copy(s, p, table);
    } else if (table->state == TABLE_INDEXING && table->builds_running) {
        table->builds_left++;
        table->builds_running--;
    } else if (table->state == TABLE_INDEXING) {
        load_table_loaded(s, p, table);
    } else if (table->builds_running) { /* it failed meanwhile */
        table->builds_running--;
    }
}

static void put_all_back(struct supervisor *s, struct worker *w)
{
    struct table *table = parts_put_back(s, w) ? NULL : w->table;

    while (table) {
        struct table *next = table->next_of_job;
        table->next_of_job = NULL;
        put_back(s, w->pipeline, table);
        table = next;
    }
}

void load_table_cut(struct supervisor *s, struct worker *w, struct table *table, int parts)
{
    if (parts_were_cut(s, w, table, parts) && table->whole)
        queue_for_copy(s, w->pipeline, table);
}

/* A copier that said that it never came to work could not adopt the snapshot (one that was killed tells nothing of it); a
 * table that was rewritten since the snapshot wants a newer one. */
static bool wants_new_epoch(const struct worker *w, bool had_job, const struct err *err)
{
    return err->code == ERR_CONFLICT || (!had_job && !w->ready && err->code != ERR_INTERNAL);
}

bool load_worker_ended(struct supervisor *s, struct worker *w, struct err *err)
{
    struct pipeline *p = w->pipeline;
    bool copy = is_kind(w, "copy");
    bool epoch = is_kind(w, "epoch");
    bool had_job = w->table != NULL;

    if (!copy && !epoch && !is_kind(w, "index"))
        return false;
    put_all_back(s, w);
    if (epoch)
        lose_epoch(s, p);
    if (p->state != PIPE_LOADING && p->state != PIPE_SYNCING)
        return false;
    if (!err_is_set(err) || err->code == ERR_STOPPED || p->hold != HOLD_NONE) {
        err_clear(err);
        return true;
    }
    if (copy && wants_new_epoch(w, had_job, err))
        lose_epoch(s, p);
    p->attempts++;
    p->retry_at_ms = clock_mono_ms() + (p->attempts < 7 ? 250 << p->attempts : 30000);
    migration_event(s->m, "warning", "%s: %s; trying again", p->name, err->message);
    if (!err->retryable && p->state == PIPE_LOADING) {
        err_move(&p->error, err);
        p->hold = HOLD_STOPPED;
    }
    err_clear(err);
    pipeline_touch(s->m, p);
    return true;
}
