/* What workers say, and what the supervisor makes of it: a table of message types. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/units.h"
#include "engine/lag.h"
#include "engine/drain.h"
#include "engine/load.h"
#include "engine/load_parts.h"
#include "engine/lost.h"
#include "engine/pipeline.h"
#include "engine/source_lock.h"
#include "engine/verification.h"

struct handler {
    const char *type;
    void (*handle)(struct supervisor *s, struct worker *w, const cJSON *message);
};

static lsn_t lsn_of(const cJSON *message, const char *key)
{
    lsn_t lsn = LSN_INVALID;

    lsn_parse(json_str(message, key), &lsn);
    return lsn;
}

/* --- common --- */

static void on_done(struct supervisor *s, struct worker *w, const cJSON *message)
{
    (void)s;
    (void)message;
    w->done = true;
}

static void on_failed(struct supervisor *s, struct worker *w, const cJSON *message)
{
    (void)s;
    err_from_json(&w->error, json_get(message, "error"));
    /* "Nothing was changed" (exit code 3) is true of the checks alone. */
    if (w->error.code == ERR_PREREQUISITE && strcmp(w->kind->name, "check") != 0)
        w->error.code = ERR_SERVER;
}

static void on_phase(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    str_replace(&p->phase_text, json_str(message, "text"));
    p->phase_done = json_i64(message, "done", 0);
    p->phase_total = json_i64(message, "total", 0);
    pipeline_touch(s->m, p);
}

static void on_event(struct supervisor *s, struct worker *w, const cJSON *message)
{
    const char *level = json_str(message, "level");

    migration_event(s->m, level ? level : "info", "%s: %s", w->pipeline->name,
                    json_str(message, "text"));
}

static void answer(struct worker *w, bool ok, int seq, struct err *err)
{
    cJSON *message = json_message(ok ? "ack" : "failed");

    if (ok)
        json_add_i64(message, "seq", seq);
    else
        cJSON_AddItemToObject(message, "error", err_to_json(err));
    channel_queue(&w->channel, message);
    err_clear(err);
}

static void on_made(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct made entry = {
        .db = w->pipeline->index,
        .side = (char *)json_str(message, "side"),
        .kind = (char *)json_str(message, "kind"),
        .schema = (char *)json_str(message, "schema"),
        .name = (char *)json_str(message, "name"),
        .previous = (char *)json_str(message, "previous"),
    };
    struct err err = ERR_INIT;
    int seq = 0;
    bool ok = journal_made(&s->journal, &entry, &seq, &err);

    answer(w, ok, seq, &err);
}

static void on_gone(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct err err = ERR_INIT;
    bool ok = journal_gone(&s->journal, (int)json_i64(message, "seq", 0), &err);

    answer(w, ok, 0, &err);
}

static void on_servers(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    str_replace(&p->source_server, json_str(message, "sourceServer"));
    str_replace(&p->source_version, json_str(message, "sourceVersion"));
    str_replace(&p->target_server, json_str(message, "targetServer"));
    str_replace(&p->target_version, json_str(message, "targetVersion"));
    pipeline_touch(s->m, p);
}

/* --- tables --- */

static void forget_tables(struct pipeline *p)
{
    struct table *table;
    struct table *next;

    HASH_ITER(hh, p->tables, table, next)
    {
        HASH_DEL(p->tables, table);
        table_free(table);
    }
    p->building = NULL;
    p->table_count = p->index_count = p->index_head = p->next_load = p->behind_count = 0;
    p->applied_changes = 0;
    p->first_stopped = NULL;
}

/* {"behind", "stopped", "conflicts"} of a table. True when it was stopped just now. */
static bool take_detachment(struct pipeline *p, struct table *t, const cJSON *item)
{
    const cJSON *stopped = json_get(item, "stopped");
    struct err why = ERR_INIT;
    bool was_stopped = t->is_stopped;

    if (cJSON_IsObject(stopped))
        err_from_json(&why, stopped);
    t->conflicts = json_i64(item, "conflicts", t->conflicts);
    table_detach(p, t, json_bool(item, "behind", false), cJSON_IsObject(stopped) ? &why : NULL);
    return t->is_stopped && !was_stopped;
}

/* What is known of a table when it is picked. */
static struct table *take_table(struct pipeline *p, const cJSON *item)
{
    struct table *t = pipeline_add_table(p, json_str(item, "oid"));

    str_replace(&t->schema, json_str(item, "schema"));
    str_replace(&t->name, json_str(item, "name"));
    str_replace(&t->target_schema, json_str(item, "targetSchema"));
    str_replace(&t->target_name, json_str(item, "targetName"));
    str_replace(&t->final_schema, json_str(item, "finalSchema"));
    str_replace(&t->final_name, json_str(item, "finalName"));
    str_replace(&t->where, json_str(item, "where"));
    str_replace(&t->columns, json_str(item, "columns"));
    t->at_cutover = json_bool(item, "atCutover", false);
    t->needs_full = json_bool(item, "needsFull", false);
    t->est_rows = json_i64(item, "estRows", 0);
    t->est_bytes = json_i64(item, "estBytes", 0);
    return t;
}

static void on_tables(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    const cJSON *item;

    if (json_bool(message, "first", false))
        forget_tables(p);
    cJSON_ArrayForEach(item, json_get(message, "tables"))
    {
        struct table *t = take_table(p, item);
        t->rows = json_i64(item, "rows", 0);
        t->bytes = json_i64(item, "bytes", 0);
        t->load_started_us = json_i64(item, "startedUs", 0);
        t->load_ended_us = json_i64(item, "endedUs", 0);
        t->inserts = json_i64(item, "inserts", 0);
        t->updates = json_i64(item, "updates", 0);
        t->deletes = json_i64(item, "deletes", 0);
        t->truncates = json_i64(item, "truncates", 0);
        take_detachment(p, t, item);
        p->applied_changes += t->inserts + t->updates + t->deletes + t->truncates;
        lsn_t epoch = lsn_of(item, "epochLsn");
        if (epoch > p->last_epoch_lsn)
            p->last_epoch_lsn = epoch;
        if (json_bool(item, "indexed", false))
            t->state = TABLE_COMPLETED;
        else if (json_bool(item, "loaded", false))
            load_table_loaded(s, p, t);
        table_touch(s->m, p, t);
    }
    p->unfinished = p->state == PIPE_SYNCING && json_bool(message, "unfinished", false);
    if (json_bool(message, "last", false))
        pipeline_sort_tables(p);
}

/* Tables of "admit": they are known, and taken out of a stream that has never seen them. */
static void on_tables_added(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(message, "tables"))
    {
        struct table *t = take_table(p, item);
        t->is_new = true;
        table_touch(s->m, p, t);
        migration_event(s->m, "info", "%s: table %s.%s is added", p->name, t->schema, t->name);
    }
    p->unfinished = p->unfinished || json_bool(message, "unfinished", false);
    pipeline_sort_tables(p);
}

/* What schema changes did to tables that are followed, and tables that came by them. */
static void on_tables_changed(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(message, "tables"))
    {
        bool is_known = pipeline_table(p, json_str(item, "oid")) != NULL;
        struct table *t = take_table(p, item);
        if (!is_known && json_bool(item, "indexed", false))
            t->state = TABLE_COMPLETED;
        table_touch(s->m, p, t);
    }
    if (json_bool(message, "last", false))
        pipeline_sort_tables(p);
}

/* It was dropped on the source, and so on the target; or removed from the migration. */
static void on_table_gone(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct table *t = pipeline_table(p, json_str(message, "oid"));

    if (!t)
        return;
    if (json_bool(message, "removed", false))
        migration_event(s->m, "warning", "%s: table %s.%s is removed from the migration: its rows on the target stay as they are "
                        "now, and the cutover does not compare them", p->name, t->schema, t->name);
    load_forget_table(s, p, t);
    pipeline_remove_table(p, t);
    pipeline_touch(s->m, p);
}

/* The target holds nothing of this migration. While the schema is made, that is so until it is committed,
 * and it is done again. At the very end it has been removed. In between, somebody took it away. */
static void on_nothing(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    (void)s;
    (void)message;
    if (p->state <= PIPE_STARTING) {
        p->state = PIPE_QUEUED;
        return;
    }
    if (p->state == PIPE_CLOSING)
        return;
    err_clear(&w->error);
    err_set(&w->error, ERR_PREREQUISITE, "the target's database \"%s\" does not know this migration: "
            "its schema \"pgcutover\" is gone", p->target_name);
    err_hint(&w->error, "What has been applied is not known any more. \"pgcutover cancel %s\" undoes "
             "everything on the source; then empty the target and begin anew.", s->m->name);
}

static void on_ready(struct supervisor *s, struct worker *w, const cJSON *message)
{
    (void)s;
    (void)message;
    w->ready = true;
    w->pipeline->attempts = 0;
}

static void on_copying(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));

    if (t && t->parts) {
        parts_progress(s, w, t, json_i64(message, "rows", 0), json_i64(message, "bytes", 0));
    } else if (t) {
        t->rows = json_i64(message, "rows", 0);
        t->bytes = json_i64(message, "bytes", 0);
        table_touch(s->m, w->pipeline, t);
    }
}

static void on_cut(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));

    if (t)
        load_table_cut(s, w, t, (int)json_i64(message, "parts", 1));
}

static void note_epoch(struct pipeline *p, const cJSON *message)
{
    lsn_t epoch = lsn_of(message, "epochLsn");

    if (epoch > p->last_epoch_lsn)
        p->last_epoch_lsn = epoch;
}

static void on_part_copied(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));

    if (!t)
        return;
    note_epoch(w->pipeline, message);
    bool last = json_get(message, "tableBuilds") != NULL;
    if (!parts_copied(s, w, t, json_i64(message, "rows", 0), json_i64(message, "bytes", 0), last))
        return;
    t->rows = json_i64(message, "tableRows", 0);
    t->bytes = json_i64(message, "tableBytes", 0);
    t->builds = (int)json_i64(message, "tableBuilds", 0);
    t->load_ended_us = json_i64(message, "endedUs", 0);
    load_table_loaded(s, w->pipeline, t);
}

static void on_copied(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct table *t = pipeline_table(p, json_str(message, "oid"));

    if (!t)
        return;
    /* Under a snapshot that is not the present one: it goes back when the worker ends. */
    if (p->load_only && w->stopping)
        return;
    on_copying(s, w, message);
    t->load_started_us = json_i64(message, "startedUs", 0);
    t->load_ended_us = json_i64(message, "endedUs", 0);
    t->builds = (int)json_i64(message, "builds", 0);
    note_epoch(p, message);
    worker_table_done(w, t);
    if (t->at_cutover && strcmp(w->kind->name, "copy") != 0) { /* brought up to date */
        t->state = TABLE_COMPLETED;
        table_touch(s->m, p, t);
    } else {
        load_table_loaded(s, p, t);
    }
}

/* Tables of a running migration are loaded: the applier may catch up with them. */
static void tell_applier_tables(struct supervisor *s, struct pipeline *p)
{
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (apply && !apply->stopping)
        channel_queue(&apply->channel, json_message("tables"));
}

static void on_indexed(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));

    if (!t)
        return;
    worker_table_done(w, t);
    if (t->state != TABLE_INDEXING)
        return;
    t->state = TABLE_COMPLETED;
    err_clear(&t->error);
    if (t->is_behind)
        tell_applier_tables(s, w->pipeline);
    table_touch(s->m, w->pipeline, t);
    log_msg(LOG_INFO, "table %s.%s is loaded: %lld rows, %lld bytes", t->schema, t->name,
            (long long)t->rows, (long long)t->bytes);
}

static void on_built(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));

    if (!t || !w->building) /* forgotten: the table is loaded again */
        return;
    worker_table_done(w, t);
    w->building = false;
    load_index_built(s, w->pipeline, t);
}

static void on_table_failed(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct table *t = pipeline_table(w->pipeline, json_str(message, "oid"));
    struct err err = ERR_INIT;

    err_from_json(&err, json_get(message, "error"));
    if (t && w->building)
        t->builds_running--;
    w->building = false;
    if (t)
        worker_table_done(w, t);
    if (t)
        load_table_failed(s, w->pipeline, t, &err);
    err_clear(&err);
}

/* sync.mode sync-only: the worker has noted them as loaded on the target. */
static void pass_over_load(struct supervisor *s, struct pipeline *p)
{
    for (size_t i = 0; i < p->table_count; i++) {
        p->by_size[i]->state = TABLE_COMPLETED;
        table_touch(s->m, p, p->by_size[i]);
    }
    p->last_epoch_lsn = p->epoch_lsn;
    p->next_load = p->table_count;
}

static void on_epoch(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    str_replace(&p->snapshot, json_str(message, "snapshot"));
    p->epoch_lsn = lsn_of(message, "lsn");
    p->snapshot_us = clock_wall_us();
    if (p->snapshot)
        migration_event(s->m, "info", "%s: snapshot %s at %s", p->name, p->snapshot, json_str(message, "lsn"));
    else
        migration_event(s->m, "info", "%s: goes on from %s, the position of slot \"%s\"", p->name, json_str(message, "lsn"), p->slot);
    if (p->load_only)
        load_under_new_snapshot(s, p);
    if (p->state == PIPE_STARTING) {
        p->start_lsn = p->epoch_lsn;
        if (s->m->plan.sync_mode == SYNC_SYNC_ONLY)
            pass_over_load(s, p);
        pipeline_advance(s, p);
    }
}

/* --- the stream --- */

static void tell_appliers(struct supervisor *s, struct pipeline *p)
{
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (!apply || !p->spool_limit)
        return;
    cJSON *message = json_message("limit");
    cJSON_AddItemToObject(message, "limit", cJSON_Parse(p->spool_limit));
    channel_queue(&apply->channel, message);
}

static void on_received(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    char *limit = json_line(json_get(message, "limit"));
    const char *mode = json_str(message, "mode");

    free(p->spool_limit);
    p->spool_limit = limit;
    p->received_lsn = lsn_of(message, "received");
    p->confirmed_lsn = lsn_of(message, "confirmed");
    p->server_lsn = lsn_of(message, "server");
    p->received_changes = json_i64(message, "changes", 0);
    p->receive_session = (int)w->pid;
    p->spool_bytes = json_i64(message, "spoolBytes", 0);
    snprintf(p->receive_mode, sizeof p->receive_mode, "%s", mode ? mode : "");
    p->source_idle = json_bool(message, "sourceIdle", false);
    p->received_per_s = json_i64(message, "bytesPerSecond", 0);
    p->streamed_bytes = json_i64(message, "streamedBytes", 0);
    p->clock_offset_us = json_i64(message, "clockOffsetUs", 0);
    if (json_bool(message, "full", false) != p->spool_full) {
        p->spool_full = !p->spool_full;
        migration_event(s->m, p->spool_full ? "warning" : "info",
                        p->spool_full ? "%s: the spool is full: nothing more is confirmed to the "
                                        "source until there is room"
                                      : "%s: the spool has room again",
                        p->name);
    }
    pipeline_touch(s->m, p);
    tell_appliers(s, p);
}

void pipeline_tell_retry(struct supervisor *s, struct pipeline *p)
{
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (!apply || apply->stopping || !p->retry_stopped)
        return;
    p->retry_stopped = false;
    channel_queue(&apply->channel, json_message("retry"));
}

static void on_want_limit(struct supervisor *s, struct worker *w, const cJSON *message)
{
    (void)message;
    pipeline_tell_retry(s, w->pipeline);
    tell_appliers(s, w->pipeline);
}

static void tell_receiver(struct supervisor *s, struct pipeline *p)
{
    struct worker *receive = supervisor_worker(s, p, "receive");
    char text[LSN_TEXT_SIZE];

    if (!receive || clock_mono_ms() < p->told_receiver_ms + 1000)
        return;
    p->told_receiver_ms = clock_mono_ms();
    cJSON *message = json_message("applied");
    json_add_str(message, "lsn", lsn_format(p->needed_lsn, text));
    channel_queue(&receive->channel, message);
}

static void on_applied(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    const cJSON *item;

    p->applied_lsn = lsn_of(message, "applied");
    p->passed_lsn = lsn_of(message, "passed");
    p->needed_lsn = lsn_of(message, "needed");
    /* An applier that starts again forgets what it has seen: the proof at cutover must not. */
    if (lsn_of(message, "lastChange") > p->last_change_lsn)
        p->last_change_lsn = lsn_of(message, "lastChange");
    /* Both count on the scale of one receiver; of an earlier one nothing can be said. */
    if (json_i64(message, "session", 0) == p->receive_session)
        p->consumed_changes = json_i64(message, "consumed", 0);
    p->transactions = json_i64(message, "transactions", 0);
    p->apply_idle = json_bool(message, "idle", false);
    if (json_i64(message, "latencyUs", -1) >= 0)
        p->latency_us = json_i64(message, "latencyUs", 0) + p->clock_offset_us;
    if (p->latency_us < 0)
        p->latency_us = 0;
    p->applied_commit_us = json_i64(message, "commitUs", p->applied_commit_us);
    cJSON_ArrayForEach(item, json_get(message, "tables"))
    {
        struct table *t = pipeline_table(p, json_str(item, "oid"));
        if (!t)
            continue;
        int64_t before = t->inserts + t->updates + t->deletes + t->truncates;
        t->inserts = json_i64(item, "inserts", 0);
        t->updates = json_i64(item, "updates", 0);
        t->deletes = json_i64(item, "deletes", 0);
        t->truncates = json_i64(item, "truncates", 0);
        p->applied_changes += t->inserts + t->updates + t->deletes + t->truncates - before;
        if (take_detachment(p, t, item))
            migration_event(s->m, "error", "%s: table %s.%s is stopped, the others go on: %s", p->name,
                            t->schema, t->name, t->error.message);
        table_touch(s->m, p, t);
    }
    if (p->attempts && p->state != PIPE_LOADING)
        p->attempts = 0;
    if (err_is_set(&p->error) && p->hold == HOLD_NONE && !p->cutover_refused)
        err_clear(&p->error);
    pipeline_touch(s->m, p);
    drain_moved(s, p);
    tell_receiver(s, p);
}

/* The source's disk comes before the migration: past the plan's limit the slot is given up. */
static void check_slot(struct supervisor *s, struct pipeline *p)
{
    int64_t limit = s->m->plan.source_slot_wal_bytes;
    struct err err = ERR_INIT;
    char kept[32];
    char allowed[32];

    if (p->state >= PIPE_CUTTING_OVER)
        return;
    if (p->slot_wal_status && strcmp(p->slot_wal_status, "lost") == 0) {
        err_set(&err, ERR_SERVER, "the source has removed WAL that the slot \"%s\" needed", p->slot);
        err_hint(&err, "Raise max_slot_wal_keep_size on the source and start anew.");
    } else if (limit > 0 && p->slot_retained_bytes > limit) {
        units_bytes(p->slot_retained_bytes, kept, sizeof kept);
        units_bytes(limit, allowed, sizeof allowed);
        err_set(&err, ERR_SERVER, "the slot keeps %s of WAL on the source, more than "
                "limits.sourceSlotWal (%s): it is given up", kept, allowed);
        err_hint(&err, "Raise the limit, or find what holds the stream up, and start anew.");
    }
    if (err_is_set(&err))
        pipeline_give_up(s, p, &err);
    err_clear(&err);
}

#define RUNWAY_WARN_S 3600

/* Said once when less than an hour is left and more than half of what the slot may keep is used up, and again
 * after it was out of sight. */
static void check_runway(struct supervisor *s, struct pipeline *p)
{
    struct runway runway = lag_runway(p, s->m->plan.source_slot_wal_bytes);
    bool near = runway.left_s >= 0 && runway.left_s < RUNWAY_WARN_S && runway.left_bytes < p->slot_retained_bytes;
    char kept[32];

    if (near && !p->runway_warned) {
        units_bytes(p->slot_retained_bytes, kept, sizeof kept);
        migration_event(s->m, "warning", "%s: the slot keeps %s of WAL on the source: %lld min are left until %s, at "
                        "the rate of the last minute", p->name, kept, (long long)(runway.left_s / 60), runway.limit);
    }
    if (near || runway.left_s < 0 || runway.left_s > 2 * RUNWAY_WARN_S)
        p->runway_warned = near;
}

static void copy_text(char *out, size_t size, const cJSON *object, const char *key)
{
    const char *text = json_str(object, key);

    snprintf(out, size, "%s", text ? text : "");
}

static void take_session(struct session_facts *session, const cJSON *object)
{
    *session = (struct session_facts){.pid = (int)json_i64(object, "pid", 0),
                                      .age_us = json_i64(object, "ageUs", 0)};
    copy_text(session->user, sizeof session->user, object, "user");
    copy_text(session->application, sizeof session->application, object, "application");
    copy_text(session->state, sizeof session->state, object, "state");
    copy_text(session->query, sizeof session->query, object, "query");
}

static void on_reading(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    pipeline_add_reading(p, lsn_of(message, "lsn"), json_i64(message, "takenUs", 0));
    p->slot_retained_bytes = json_i64(message, "retained", 0);
    str_replace(&p->slot_wal_status, json_str(message, "walStatus"));
    pipeline_touch(s->m, p);
    check_slot(s, p);
    check_runway(s, p);
}

/* What the monitor looks at less often. */
static void on_facts(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct source_facts *facts = &w->pipeline->facts;

    facts->sent_lsn = lsn_of(message, "sent");
    facts->has_safe_wal = json_get(message, "safeWal") != NULL;
    facts->safe_wal_bytes = json_i64(message, "safeWal", 0);
    facts->spilled_bytes = json_i64(message, "spilled", 0);
    take_session(&facts->open, json_get(message, "open"));
    take_session(&facts->holder, json_get(message, "holder"));
    pipeline_touch(s->m, w->pipeline);
}

static const cJSON *same_statement(const cJSON *list, const cJSON *item)
{
    const cJSON *other;

    cJSON_ArrayForEach(other, list)
        if (cJSON_Compare(other, item, true))
            return other;
    return NULL;
}

/* What was left out or edited is told once, and kept for good. */
static void tell_statements(struct supervisor *s, const struct pipeline *p, const cJSON *list)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        const char *decision = json_str(item, "decision"), *message = json_str(item, "message");
        const char *sqlstate = json_str(item, "sqlstate"), *state = json_str(item, "state");
        if (!decision || !state || same_statement(json_get(p->statements, "list"), item))
            continue;
        bool harmless = strcmp(decision, "harmless") == 0;
        if (strcmp(decision, "skip") == 0)
            migration_event(s->m, "warning", "%s: %s: %s", p->name, json_str(item, "object"), message ? message : "left out");
        else if (strcmp(decision, "edit") == 0)
            migration_event(s->m, "info", "%s: %s: edited by the plan, %s", p->name, json_str(item, "object"), state);
        else
            migration_event(s->m, harmless ? "info" : "warning", "%s: %s: left out: %s%s%s%s", p->name,
                            json_str(item, "object"), message ? message : "", sqlstate ? " (" : "",
                            sqlstate ? sqlstate : "", sqlstate ? ")" : "");
    }
}

static void on_statements(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    const cJSON *now = json_get(message, "statements");
    struct err err = ERR_INIT;

    if (!now || (p->statements && cJSON_Compare(p->statements, now, true)))
        return;
    tell_statements(s, p, json_get(now, "list"));
    cJSON *fields = cJSON_CreateObject();
    json_add_num(fields, "db", p->index);
    cJSON_AddItemToObject(fields, "statements", cJSON_Duplicate(now, true));
    if (!journal_add(&s->journal, "statements", fields, &err))
        log_err(LOG_ERROR, &err);
    err_clear(&err);
    cJSON_Delete(p->statements);
    p->statements = cJSON_Duplicate(now, true);
    pipeline_touch(s->m, p);
}

static void on_builds(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;

    cJSON_Delete(p->builds);
    p->builds = cJSON_Duplicate(json_get(message, "builds"), true);
    pipeline_touch(s->m, p);
}

/* --- cutover --- */

/* From the first step that lets nobody write to the one behind which everybody can. */
static void note_downtime(const struct migration *m, struct pipeline *p, const struct step *step)
{
    const char *first = m->plan.bouncer_uri ? "pause PgBouncer" : "stop writes";
    const char *last = m->plan.bouncer_uri ? "switch PgBouncer" : "open the target";

    if (strcmp(step->name, first) == 0 && strcmp(step->state, "running") == 0)
        p->frozen_us = step->started_us;
    if (strcmp(step->name, last) == 0 && strcmp(step->state, "done") == 0)
        p->opened_us = step->ended_us;
}

static void on_step(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct step *step = pipeline_step(p, json_str(message, "name"));
    const char *state = json_str(message, "state");

    /* It was stopped because of something else, which the step says already. */
    if (w->stopping && strcmp(state, "failed") == 0)
        return;
    str_replace(&step->state, state);
    str_replace(&step->text, json_str(message, "text")); /* not what an earlier try said */
    if (strcmp(state, "running") == 0) {
        step->started_us = clock_wall_us();
        step->ended_us = 0;
    } else {
        step->ended_us = clock_wall_us();
    }
    note_downtime(s->m, p, step);
    migration_event(s->m, "info", "%s: cutover: %s: %s%s%s", p->name, step->name, state,
                    step->text ? ": " : "", step->text ? step->text : "");
    pipeline_touch(s->m, p);
}

static const struct handler handlers[] = {
    {"done", on_done},           {"failed", on_failed},     {"phase", on_phase},
    {"event", on_event},         {"made", on_made},         {"gone", on_gone},
    {"servers", on_servers},     {"tables", on_tables},     {"tables_added", on_tables_added},
    {"tables_changed", on_tables_changed}, {"table_gone", on_table_gone}, {"table_lost", lost_on_table}, {"nothing", on_nothing},
    {"ready", on_ready},         {"copying", on_copying},   {"copied", on_copied},
    {"cut", on_cut},             {"part_copied", on_part_copied},
    {"indexed", on_indexed},     {"built", on_built},     {"table_failed", on_table_failed}, {"epoch", on_epoch},
    {"received", on_received},   {"want_limit", on_want_limit}, {"applied", on_applied},
    {"reading", on_reading},     {"facts", on_facts},       {"builds", on_builds}, {"statements", on_statements},
    {"step", on_step},         {"drain", drain_on_wanted},
    {"lock_writes", source_lock_on_wanted}, {"writes_locked", source_lock_on_held}, {"unlock_writes", source_lock_on_unwanted},
    {"verify_begun", verification_on_begun}, {"halt", verification_on_halt}, {"halted", verification_on_halted},
    {"verified", verification_on_verified},
};

void pipeline_message(struct supervisor *s, struct worker *w, const cJSON *message)
{
    const char *type = json_str(message, "type");

    for (size_t i = 0; type && i < sizeof handlers / sizeof *handlers; i++) {
        if (strcmp(handlers[i].type, type) == 0) {
            handlers[i].handle(s, w, message);
            return;
        }
    }
    log_msg(LOG_WARNING, "worker %s said something unknown: %s", w->kind->name, type ? type : "?");
}
