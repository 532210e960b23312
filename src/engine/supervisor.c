#include "engine/supervisor.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "engine/change.h"
#include "engine/decided.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/pipeline.h"
#include "engine/rehearsal.h"
#include "engine/status.h"
#include "engine/verification.h"

#define TICK_MS 100
#define STORE_INTERVAL_MS 5000
#define WORKER_GRACE_MS 3000
#define TABLES_A_PART 200

struct worker *supervisor_worker(struct supervisor *s, const struct pipeline *p, const char *kind)
{
    for (struct worker *w = s->workers; w; w = w->next)
        if (w->pipeline == p && strcmp(w->kind->name, kind) == 0)
            return w;
    return NULL;
}

size_t supervisor_count_workers(struct supervisor *s, const struct pipeline *p, const char *kind)
{
    size_t n = 0;

    for (struct worker *w = s->workers; w; w = w->next)
        n += w->pipeline == p && strcmp(w->kind->name, kind) == 0 && !w->stopping;
    return n;
}

/* --- workers --- */

struct watched {
    struct supervisor *s;
    struct worker *w;
};

static void unlink_worker(struct supervisor *s, struct worker *w)
{
    for (struct worker **at = &s->workers; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            return;
        }
    }
}

static void ended(struct supervisor *s, struct worker *w)
{
    bool stopping = w->stopping;
    struct err err = ERR_INIT;

    unlink_worker(s, w);
    worker_end(w, WORKER_GRACE_MS, &err);
    if (stopping && !s->leaving && err.code != ERR_STOPPED && err_is_set(&err))
        log_err(LOG_DEBUG, &err);
    if (stopping)
        err_clear(&err);
    if (stopping) {
        /* Asked to go: only its job goes back. */
        err_set(&err, ERR_STOPPED, "stopped");
    }
    pipeline_worker_ended(s, w, &err);
    worker_free(w);
    err_clear(&err);
}

static void on_worker(void *arg, short revents)
{
    struct watched *watched = arg;
    struct supervisor *s = watched->s;
    struct worker *w = watched->w;
    bool bad = false;
    cJSON *message;

    if (revents & POLLOUT)
        channel_write(&w->channel);
    int fd = w->channel.fd;
    bool alive = channel_read(&w->channel);
    while ((message = channel_next(&w->channel, &bad))) {
        pipeline_message(s, w, message);
        cJSON_Delete(message);
    }
    if (!alive || bad) {
        loop_unwatch(s->loop, fd);
        free(watched);
        ended(s, w);
    }
}

struct worker *supervisor_start_worker(struct supervisor *s, struct pipeline *p, const char *kind)
{
    struct err err = ERR_INIT;
    struct worker *w = worker_start(s->m, p, kind, &err);

    if (!w) {
        migration_event(s->m, "error", "%s: %s", p->name, err.message);
        err_move(&p->error, &err);
        p->hold = HOLD_STOPPED;
        return NULL;
    }
    w->next = s->workers;
    s->workers = w;
    struct watched *watched = xmalloc(sizeof *watched);
    *watched = (struct watched){.s = s, .w = w};
    loop_watch(s->loop, w->channel.fd, POLLIN, on_worker, watched);
    w->watched = watched;
    log_msg(LOG_DEBUG, "worker %s of %s is process %d", kind, p->name, (int)w->pid);
    return w;
}

/* Output that a worker did not take yet is written as soon as it can. */
static void rewatch_workers(struct supervisor *s)
{
    for (struct worker *w = s->workers; w; w = w->next) {
        bool output = channel_has_output(&w->channel);
        if (output != w->watching_output)
            loop_watch(s->loop, w->channel.fd, output ? POLLIN | POLLOUT : POLLIN, on_worker,
                       w->watched);
        w->watching_output = output;
    }
}

/* --- decisions --- */

bool supervisor_decide(struct supervisor *s, struct pipeline *p, cJSON *fields)
{
    struct err err = ERR_INIT;
    char text[LSN_TEXT_SIZE];

    json_add_num(fields, "db", p->index);
    json_add_str(fields, "startLsn", p->start_lsn ? lsn_format(p->start_lsn, text) : NULL);
    json_add_str(fields, "undoTo", pipeline_state_name(p->undo_to));
    json_add_i64(fields, "startedUs", p->started_us);
    json_add_i64(fields, "endedUs", p->ended_us);
    json_add_i64(fields, "frozenUs", p->frozen_us);
    json_add_i64(fields, "openedUs", p->opened_us);
    if (p->asked)
        cJSON_AddItemToObject(fields, "asked", cJSON_Duplicate(p->asked, true));
    if (err_is_set(&p->error))
        cJSON_AddItemToObject(fields, "error", err_to_json(&p->error));
    if (journal_add(&s->journal, "state", fields, &err))
        return true;
    migration_event(s->m, "error", "%s: %s", p->name, err.message);
    err_move(&p->error, &err);
    p->hold = HOLD_STOPPED;
    return false;
}

/* --- clients --- */

static cJSON *give_status(void *arg)
{
    struct supervisor *s = arg;

    return status_frame(s->m);
}

static cJSON *give_part(void *arg, uint64_t *cursor)
{
    struct supervisor *s = arg;

    return status_part(s->m, cursor, TABLES_A_PART);
}

static cJSON *give_delta(void *arg, uint64_t *version, uint64_t *events, bool tables)
{
    struct supervisor *s = arg;
    cJSON *delta = NULL;

    if (*version != s->m->version || *events != s->m->event_count)
        delta = status_delta(s->m, *version, *events, tables);
    *version = s->m->version;
    *events = s->m->event_count;
    return delta;
}

/* What may be done to none of the databases that are meant is refused; so is what may not be done to one
 * that is under way: all or nothing. Databases that have ended do not stand in the way of the others. */
static bool is_allowed(struct supervisor *s, const struct pipeline_command *command,
                       const char *database, struct err *err)
{
    struct err refusal = ERR_INIT;
    bool found = false;
    bool allowed = false;
    bool refused = false;

    for (size_t i = 0; i < s->m->pipeline_count && !refused; i++) {
        const struct pipeline *p = &s->m->pipelines[i];
        if (database && strcmp(database, p->name) != 0)
            continue;
        found = true;
        if (pipeline_may(s, p, command, &refusal))
            allowed = true;
        else
            refused = !pipeline_has_ended(p);
    }
    if (!found)
        err_set(err, ERR_USAGE, "migration \"%s\" has no database \"%s\"", s->m->name, database);
    else if (refused || !allowed)
        err_move(err, &refusal);
    err_clear(&refusal);
    return found && allowed && !refused;
}

/* Who decided on statements that failed did so in the plan: workers that are started from now on know it. */
static bool recall_decisions(struct supervisor *s, struct err *err)
{
    bool changed;

    if (!engine_recall_decisions(s->m, &changed, err))
        return false;
    for (struct worker *w = s->workers; changed && w; w = w->next)
        if (strcmp(w->kind->name, "index") == 0)
            worker_stop(w);
    if (changed)
        migration_event(s->m, "info", "schema.onError and schema.edits were read again");
    return true;
}

/* For every database, or the one that is named. */
static bool run_command(struct supervisor *s, const char *name, const char *database,
                        struct err *err)
{
    const struct pipeline_command *command = pipeline_command_find(name);

    if (!is_allowed(s, command, database, err) ||
        (strcmp(name, "resume") == 0 && !recall_decisions(s, err)))
        return false;
    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if ((database && strcmp(database, p->name) != 0) || !pipeline_may(s, p, command, NULL))
            continue;
        if (!pipeline_command(s, p, command, err))
            return false;
    }
    if (strcmp(name, "delete") == 0)
        s->deleting = true;
    return true;
}

bool supervisor_is_confirmed(const struct migration *m, const cJSON *request, struct err *err)
{
    const char *word = json_str(request, "confirm"), *database = json_str(request, "databaseName");

    for (size_t i = 0; word && i < m->pipeline_count; i++) {
        const struct pipeline *p = &m->pipelines[i];
        if ((database && strcmp(database, p->name) != 0) || strcmp(word, p->target_name) == 0)
            continue;
        err_set(err, ERR_USAGE, "\"%s\" is not the name of the target's database: nothing was done", word);
        return false;
    }
    return true;
}

static bool on_command(void *arg, const char *name, const cJSON *request, cJSON *answer,
                       struct err *err)
{
    struct supervisor *s = arg;

    if (strcmp(name, "limits") == 0)
        return limits_command(s, request, answer, err);
    if (strcmp(name, "decide") == 0)
        return decided_command(s, request, err);
    if (change_is_command(name))
        return change_command(s, name, request, answer, err);
    if (rehearsal_is_command(name))
        return rehearsal_command(s, name, request, answer, err);
    if (verification_is_command(name))
        return verification_command(s, name, request, answer, err);
    if (!supervisor_is_confirmed(s->m, request, err))
        return false;
    if (pipeline_command_find(name))
        return run_command(s, name, json_str(request, "databaseName"), err);
    if (strcmp(name, "goal") == 0 && json_str(request, "goal") &&
        goal_parse(json_str(request, "goal"), &s->m->goal))
        return true;
    err_set(err, ERR_PROTOCOL, "unknown command \"%.40s\"", name);
    return false;
}

bool supervisor_command(struct supervisor *s, const char *name, struct err *err)
{
    cJSON *request = cJSON_CreateObject();
    bool ok = on_command(s, name, request, NULL, err);

    cJSON_Delete(request);
    return ok;
}

bool supervisor_open(struct supervisor *s, struct migration *m, struct err *err)
{
    struct server_calls calls = {.status = give_status, .part = give_part, .delta = give_delta,
                                 .command = on_command, .arg = s};
    char *path = xasprintf("%s/journal.jsonl", m->dir);

    *s = (struct supervisor){.m = m, .loop = loop_new(), .tunnels = {ENGINE_TUNNEL_INIT, ENGINE_TUNNEL_INIT}};
    bool ok = journal_open(&s->journal, path, err) && tunnels_start(s, err);
    free(path);
    if (ok)
        s->server = server_open(s->loop, m->dir, &calls, err);
    if (!s->server) {
        supervisor_close(s);
        return false;
    }
    for (size_t i = 0; i < m->pipeline_count; i++)
        pipeline_restore(s, &m->pipelines[i]);
    history_open(&s->history, m);
    return true;
}

void supervisor_close(struct supervisor *s)
{
    tunnels_stop(s);
    if (s->server)
        server_close(s->server);
    s->server = NULL;
    if (s->journal.path)
        journal_close(&s->journal);
    history_close(&s->history);
    loop_free(s->loop);
    s->loop = NULL;
}

/* --- the loop --- */

/* Of many thousands of tables it takes a while: then it is done less often, so that it never takes more than
 * a twentieth of the time. */
static void store_status(struct supervisor *s)
{
    char *path = xasprintf("%s/status.json", s->m->dir);
    int64_t began_ms = clock_mono_ms();
    struct err err = ERR_INIT;

    if (!status_store(s->m, path, &err))
        log_err(LOG_WARNING, &err);
    s->stored_version = s->m->version;
    int64_t took_ms = clock_mono_ms() - began_ms;
    s->store_after_ms = began_ms + took_ms + (took_ms * 20 > STORE_INTERVAL_MS ? took_ms * 20 : STORE_INTERVAL_MS);
    err_clear(&err);
    free(path);
}

static void on_tick(void *arg)
{
    struct supervisor *s = arg;

    /* Without journal and spool it could only do harm: it ends, as if it had been killed. */
    if (!s->leaving && !file_exists(s->m->dir)) {
        log_msg(LOG_ERROR, "the state directory \"%s\" is gone", s->m->dir);
        s->leaving = true;
    }
    server_publish(s->server);
    if (!s->leaving)
        history_turn(&s->history, s->m);
    if (s->stored_version != s->m->version && clock_mono_ms() > s->store_after_ms)
        store_status(s);
}

static bool all_held_at_goal(const struct migration *m)
{
    for (size_t i = 0; i < m->pipeline_count; i++)
        if (m->pipelines[i].hold != HOLD_GOAL && !pipeline_has_ended(&m->pipelines[i]))
            return false;
    return true;
}

static void check_leaving(struct supervisor *s)
{
    if (stop_requested() && !s->leaving)
        migration_event(s->m, "info", "the engine was asked to stop; \"pgcutover resume %s\" goes on",
                        s->m->name);
    if (stop_requested() || all_held_at_goal(s->m))
        s->leaving = true;
    if (migration_has_ended(s->m) && !s->m->ended_us)
        s->m->ended_us = clock_wall_us();
    if (!s->leaving)
        return;
    for (struct worker *w = s->workers; w; w = w->next)
        worker_stop(w);
}

static void on_stop(void *arg, short revents)
{
    (void)arg;
    (void)revents;
}

void supervisor_run(struct supervisor *s)
{
    int watched = stop_fd();

    loop_every(s->loop, TICK_MS, on_tick, s);
    loop_watch(s->loop, watched, POLLIN, on_stop, s);
    while (!s->leaving || s->workers) {
        if (!s->leaving || s->workers)
            tunnels_turn(s);
        if (!s->leaving)
            for (size_t i = 0; i < s->m->pipeline_count; i++)
                pipeline_turn(s, &s->m->pipelines[i]);
        check_leaving(s);
        if (s->leaving && watched >= 0) {
            /* It stays readable: do not spin on it while the workers end. */
            loop_unwatch(s->loop, watched);
            watched = -1;
        }
        if (s->leaving && !s->workers)
            break;
        rewatch_workers(s);
        loop_turn(s->loop);
    }
    if (file_exists(s->m->dir))
        store_status(s);
    server_publish(s->server);
}
