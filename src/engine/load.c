/* How it works: one queue, largest table first. As long as a table waits or is being copied there is
 * an epoch: a worker that holds the exported snapshot of a slot. Copy workers adopt the snapshot
 * once and take tables; when an epoch is lost, tables that were not copied go into the next one.
 * Tables that are loaded go to index workers, beside the copies still running. */
#include "engine/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"

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

static void give(struct supervisor *s, struct worker *w, struct table *table, const char *job)
{
    cJSON *message = json_message(job);

    json_add_str(message, "oid", table->oid);
    w->table = table;
    w->ready = false;
    table->state = strcmp(job, "copy") == 0 ? TABLE_LOADING : TABLE_INDEXING;
    if (table->state == TABLE_LOADING) {
        table->rows = table->bytes = 0;
        table->load_started_us = clock_wall_us();
        table->load_ended_us = 0;
    }
    table_touch(s->m, w->pipeline, table);
    channel_queue(&w->channel, message);
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
    size_t waiting = 0;

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

static void copy_turn(struct supervisor *s, struct pipeline *p)
{
    if (!next_to_copy(p)) {
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
    for (struct worker *w = s->workers; w; w = w->next) {
        struct table *table = next_to_copy(p);
        if (!table)
            return;
        if (w->pipeline == p && w->ready && !w->stopping && is_kind(w, "copy"))
            give(s, w, table, "copy");
    }
}

static void index_turn(struct supervisor *s, struct pipeline *p)
{
    size_t waiting = p->index_count - p->index_head;

    if (!next_to_index(p))
        return;
    for (size_t have = supervisor_count_workers(s, p, "index");
         have < (size_t)s->m->plan.load_jobs && have < waiting; have++)
        if (!supervisor_start_worker(s, p, "index"))
            return;
    for (struct worker *w = s->workers; w; w = w->next) {
        struct table *table = next_to_index(p);
        if (!table)
            return;
        if (w->pipeline == p && w->ready && !w->stopping && is_kind(w, "index"))
            give(s, w, table, "index");
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
    table->state = TABLE_BEFORE_LOAD;
    table->rows = table->bytes = 0; /* they were rolled back */
    p->next_load = 0;
    table_touch(s->m, p, table);
}

void load_again(struct supervisor *s, struct pipeline *p, struct table *table)
{
    err_clear(&table->error);
    if (!table->at_cutover)
        table_detach(p, table, true, NULL);
    queue_for_copy(s, p, table);
}

void load_under_new_snapshot(struct supervisor *s, struct pipeline *p)
{
    size_t again = 0;

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

void load_begin_anew(struct supervisor *s, struct pipeline *p)
{
    str_replace(&p->snapshot, NULL);
    stop_kind(s, p, "copy");
    stop_kind(s, p, "epoch");
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
    table->failed_in = table->state;
    table->state = TABLE_ERROR;
    table->errors++;
    migration_event(s->m, "error", "%s.%s: %s", table->schema, table->name, err->message);
    err_move(&table->error, err);
    table_touch(s->m, p, table);
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
    if (table && table->state == TABLE_LOADING)
        queue_for_copy(s, p, table);
    else if (table && table->state == TABLE_INDEXING)
        load_table_loaded(s, p, table);
}

static void lose_epoch(struct supervisor *s, struct pipeline *p)
{
    str_replace(&p->snapshot, NULL);
    stop_kind(s, p, "epoch");
    if (p->load_only)
        stop_kind(s, p, "copy");
}

bool load_worker_ended(struct supervisor *s, struct pipeline *p, const char *kind,
                       struct table *table, struct err *err)
{
    bool copy = strcmp(kind, "copy") == 0;
    bool epoch = strcmp(kind, "epoch") == 0;

    if (!copy && !epoch && strcmp(kind, "index") != 0)
        return false;
    put_back(s, p, table);
    if (epoch)
        lose_epoch(s, p);
    if (p->state != PIPE_LOADING && p->state != PIPE_SYNCING)
        return false;
    if (!err_is_set(err) || err->code == ERR_STOPPED || p->hold != HOLD_NONE) {
        err_clear(err);
        return true;
    }
    /* A copier that never came to work could not adopt the snapshot; a table that was rewritten since
     * the snapshot wants a newer one. */
    if (copy && (!table || err->code == ERR_CONFLICT))
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
