#include "engine/load_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "base/xalloc.h"

#define PARTS_PER_JOB 4
#define PART_MOST (INT64_C(512) << 20)
#define PART_LEAST (INT64_C(64) << 20)

/* Of one table, while it is copied. */
struct table_parts {
    struct table *table;
    int count;
    int waiting;
    char *states; /* 'w'aiting, 'r'unning, 'c'opied */
    int64_t rows, bytes; /* of those that are copied */
    struct table_parts *next;
};

bool parts_are_wanted(const struct supervisor *s, const struct pipeline *p, const struct table *table)
{
    int64_t left = 0;

    if (table->whole || s->m->plan.load_jobs < 2 || table->est_bytes <= s->m->plan.split_above_bytes)
        return false;
    for (size_t i = 0; i < p->table_count; i++) {
        const struct table *t = p->by_size[i];
        if (t->state == TABLE_BEFORE_LOAD || (t->state == TABLE_LOADING && t->bytes < t->est_bytes))
            left += t->est_bytes - t->bytes;
    }
    return table->est_bytes > left / s->m->plan.load_jobs;
}

static int64_t part_bytes(const struct plan *plan, const struct table *table)
{
    int64_t bytes = table->est_bytes / ((int64_t)plan->load_jobs * PARTS_PER_JOB) + 1;
    int64_t least = plan->split_above_bytes / 2 < PART_LEAST ? plan->split_above_bytes / 2 + 1 : PART_LEAST;

    return bytes < least ? least : bytes > PART_MOST ? PART_MOST : bytes;
}

static void take(struct worker *w, struct table *table)
{
    table->next_of_job = NULL;
    w->table = table;
    w->ready = false;
}

void parts_cut_by(struct supervisor *s, struct worker *w, struct table *table)
{
    cJSON *message = json_message("cut");

    json_add_str(message, "oid", table->oid);
    json_add_i64(message, "bytes", table->est_bytes);
    json_add_i64(message, "partBytes", part_bytes(&s->m->plan, table));
    take(w, table);
    w->cutting = true;
    channel_queue(&w->channel, message);
}

bool parts_were_cut(struct supervisor *s, struct worker *w, struct table *table, int count)
{
    char bytes[32];

    if (w->table != table || !w->cutting)
        return false;
    w->cutting = false;
    worker_table_done(w, table);
    table->whole = count <= 1;
    if (table->whole)
        return true;
    struct table_parts *parts = xcalloc(1, sizeof *parts);
    *parts = (struct table_parts){table, count, count, xmalloc((size_t)count), 0, 0, w->pipeline->in_parts};
    memset(parts->states, 'w', (size_t)count);
    w->pipeline->in_parts = table->parts = parts;
    units_bytes(table->est_bytes, bytes, sizeof bytes);
    migration_event(s->m, "info", "%s.%s: about %s, copied in %d parts", table->schema, table->name, bytes, count);
    return true;
}

/* --- parts --- */

struct table *parts_next(const struct pipeline *p)
{
    const struct table_parts *parts = p->in_parts;

    while (parts && !parts->waiting)
        parts = parts->next;
    return parts ? parts->table : NULL;
}

size_t parts_waiting(const struct pipeline *p)
{
    size_t waiting = 0;

    for (const struct table_parts *parts = p->in_parts; parts; parts = parts->next)
        waiting += (size_t)parts->waiting;
    return waiting;
}

void parts_give(struct supervisor *s, struct worker *w, struct table *table)
{
    struct table_parts *parts = table->parts;
    cJSON *message = json_message("part");

    w->part = (int)((char *)memchr(parts->states, 'w', (size_t)parts->count) - parts->states);
    w->has_part = true;
    w->part_rows = w->part_bytes = 0;
    parts->states[w->part] = 'r';
    parts->waiting--;
    json_add_str(message, "oid", table->oid);
    json_add_num(message, "part", w->part);
    take(w, table);
    channel_queue(&w->channel, message);
    table_touch(s->m, w->pipeline, table);
}

/* What is copied is what the parts say that are there, and the workers that are at others. */
static void add_up(struct supervisor *s, struct pipeline *p, struct table *table)
{
    table->rows = table->parts->rows;
    table->bytes = table->parts->bytes;
    for (const struct worker *w = s->workers; w; w = w->next) {
        if (w->table != table || !w->has_part)
            continue;
        table->rows += w->part_rows;
        table->bytes += w->part_bytes;
    }
    table_touch(s->m, p, table);
}

void parts_progress(struct supervisor *s, struct worker *w, struct table *table, int64_t rows, int64_t bytes)
{
    if (w->table != table || !w->has_part)
        return;
    w->part_rows = rows;
    w->part_bytes = bytes;
    add_up(s, w->pipeline, table);
}

static void forget(struct pipeline *p, struct table *table)
{
    struct table_parts **at = &p->in_parts;

    while (*at && *at != table->parts)
        at = &(*at)->next;
    if (*at)
        *at = (*at)->next;
    table_parts_free(table->parts);
    table->parts = NULL;
}

bool parts_copied(struct supervisor *s, struct worker *w, struct table *table, int64_t rows, int64_t bytes, bool last)
{
    struct table_parts *parts = table->parts;

    if (w->table != table || !w->has_part)
        return false;
    w->has_part = false;
    worker_table_done(w, table);
    if (!parts) /* its last part was another one: this one had been there already */
        return false;
    parts->states[w->part] = 'c';
    parts->rows += rows;
    parts->bytes += bytes;
    add_up(s, w->pipeline, table);
    if (last)
        forget(w->pipeline, table);
    return last;
}

bool parts_put_back(struct supervisor *s, struct worker *w)
{
    struct table *table = w->table;

    if (!w->has_part || !table)
        return false;
    w->has_part = false;
    worker_table_done(w, table);
    if (!table->parts)
        return true;
    table->parts->states[w->part] = 'w';
    table->parts->waiting++;
    add_up(s, w->pipeline, table);
    return true;
}

void parts_give_up(struct supervisor *s, struct pipeline *p, struct table *table)
{
    for (struct worker *w = s->workers; w; w = w->next) {
        if (w->table != table || (!w->has_part && !w->cutting))
            continue;
        w->has_part = w->cutting = false;
        worker_table_done(w, table);
        worker_stop(w);
    }
    if (table->parts)
        forget(p, table);
}

void table_parts_free(struct table_parts *parts)
{
    if (parts)
        free(parts->states);
    free(parts);
}
