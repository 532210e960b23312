#include "engine/verification.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "plan/pattern.h"

#define TRIES 4
#define RETRY_MS 2000
#define LEAST_PAUSE_MS 60000 /* between two that the engine begins by itself: as long as the last one took, or this */

static const char *const state_names[] = {
    [VERIFIED_NOT] = NULL,        [VERIFIED_EQUAL] = "equal",   [VERIFIED_PARTLY] = "equal in part",
    [VERIFIED_DIFFERENT] = "different", [VERIFIED_FAILED] = "failed", [VERIFIED_SKIPPED] = "skipped"};

const char *verification_state_name(enum verified verified)
{
    return state_names[verified];
}

static enum verified state_of(const char *name)
{
    for (size_t i = 1; name && i < sizeof state_names / sizeof *state_names; i++)
        if (strcmp(state_names[i], name) == 0)
            return (enum verified)i;
    return VERIFIED_FAILED;
}

static bool is_verify(const struct worker *w)
{
    return strcmp(w->kind->name, "verify") == 0;
}

/* --- asking --- */

bool verification_is_command(const char *name)
{
    return strcmp(name, "verify") == 0 || strcmp(name, "verification") == 0;
}

static bool may_begin(const struct pipeline *p, struct err *err)
{
    const char *why = NULL;

    if (p->state != PIPE_SYNCING)
        why = pipeline_state_name(p->state);
    else if (p->hold == HOLD_PAUSED)
        why = "paused";
    else if (p->hold == HOLD_STOPPED)
        why = "stopped by an error";
    else if (!p->recalled)
        why = "being read from the target";
    else if (p->cutover_wanted)
        why = "to be cut over";
    else if (p->verification.is_wanted && !p->verification.is_own)
        why = "being compared already";
    if (!why)
        return true;
    err_set(err, ERR_USAGE, "database \"%s\" cannot be compared now: it is %s", p->name, why);
    err_hint(err, p->state > PIPE_SYNCING ? "The cutover compares both sides itself; its report has the result."
                                          : "Try again when it is syncing.");
    return false;
}

/* OIDs of the tables that the names mean; NULL with err: one means none. */
static cJSON *pick(const struct pipeline *p, const cJSON *names, struct err *err)
{
    cJSON *oids = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, names)
    {
        char *texts[] = {(char *)(cJSON_IsString(item) ? item->valuestring : "")};
        struct plan_database database = {.selected = texts, .selected_count = 1};
        int before = cJSON_GetArraySize(oids);
        bool valid = pattern_is_valid(texts[0]);
        for (const struct table *t = p->tables; valid && t; t = t->hh.next)
            if (plan_selects(&database, t->schema, t->name, NULL))
                cJSON_AddItemToArray(oids, cJSON_CreateString(t->oid));
        if (cJSON_GetArraySize(oids) > before)
            continue;
        err_set(err, ERR_USAGE, "\"%s\" is no table of database \"%s\" in this migration", texts[0], p->name);
        err_hint(err, "Write schema.table, with double quotes as in SQL where the name has capitals.");
        cJSON_Delete(oids);
        return NULL;
    }
    return oids;
}

static void begin(struct supervisor *s, struct pipeline *p, cJSON *oids, bool repairs, bool own)
{
    struct verification *v = &p->verification;

    cJSON_Delete(v->oids);
    err_clear(&v->error);
    v->oids = oids;
    v->is_wanted = true;
    v->is_own = own;
    v->repairs = repairs;
    v->attempts = 0;
    v->retry_at_ms = 0;
    v->started_us = clock_wall_us();
    v->ended_us = 0;
    v->lsn = LSN_INVALID;
    v->total = v->done = 0;
    pipeline_touch(s->m, p);
}

static bool is_meant(const struct pipeline *p, const char *database)
{
    return !database || strcmp(database, p->name) == 0;
}

/* The worker of one that the engine began by itself makes way. */
static void stop_own(struct supervisor *s, struct pipeline *p)
{
    struct worker *w = supervisor_worker(s, p, "verify");

    if (w)
        worker_stop(w);
}

static bool ask(struct supervisor *s, const cJSON *request, struct err *err)
{
    const char *database = json_str(request, "databaseName");
    const cJSON *names = json_get(request, "tables");
    cJSON **oids = xcalloc(s->m->pipeline_count, sizeof *oids);
    bool found = false;
    bool ok = true;

    for (size_t i = 0; ok && i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if (!is_meant(p, database))
            continue;
        found = true;
        ok = may_begin(p, err);
        if (ok && cJSON_GetArraySize(names))
            ok = (oids[i] = pick(p, names, err)) != NULL;
    }
    if (ok && !found) {
        err_set(err, ERR_USAGE, "migration \"%s\" has no database \"%s\"", s->m->name, database);
        ok = false;
    }
    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if (ok && is_meant(p, database)) {
            stop_own(s, p);
            begin(s, p, oids[i], json_bool(request, "repair", false), false);
        } else {
            cJSON_Delete(oids[i]);
        }
    }
    free(oids);
    return ok;
}

/* --- telling --- */

static cJSON *table_json(const struct table *t)
{
    const struct table_verification *v = &t->verified;
    cJSON *json = cJSON_CreateObject();
    char *name = xasprintf("%s.%s", t->schema, t->name);
    char text[LSN_TEXT_SIZE];

    json_add_str(json, "tableName", name);
    json_add_str(json, "state", verification_state_name(v->state));
    json_add_str(json, "lsn", v->lsn ? lsn_format(v->lsn, text) : NULL);
    json_add_time(json, "comparedOn", v->compared_us);
    json_add_num(json, "sourceRows", (double)v->source_rows);
    json_add_num(json, "targetRows", (double)v->target_rows);
    json_add_num(json, "repairedRows", (double)v->repaired);
    json_add_str(json, "note", v->note);
    if (v->differences)
        cJSON_AddItemToObject(json, "differences", cJSON_Duplicate(v->differences, true));
    free(name);
    return json;
}

static bool is_picked(const struct pipeline *p, const struct table *t)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, p->verification.oids)
        if (strcmp(item->valuestring, t->oid) == 0)
            return true;
    return !p->verification.oids;
}

static cJSON *database_json(const struct pipeline *p, bool pending)
{
    const struct verification *v = &p->verification;
    cJSON *json = cJSON_CreateObject();
    char text[LSN_TEXT_SIZE];

    json_add_str(json, "databaseName", p->name);
    json_add_bool(json, "pending", v->is_wanted);
    json_add_num(json, "tablesTotal", (double)v->total);
    json_add_num(json, "tablesDone", (double)v->done);
    json_add_str(json, "lsn", v->lsn ? lsn_format(v->lsn, text) : NULL);
    json_add_time(json, "startedOn", v->started_us);
    json_add_time(json, "endedOn", v->ended_us);
    json_add_str(json, "phase", v->is_wanted && p->hold == HOLD_NONE ? p->phase_text : NULL);
    if (err_is_set(&v->error))
        cJSON_AddItemToObject(json, "error", err_to_json(&v->error));
    else
        cJSON_AddNullToObject(json, "error");
    if (pending)
        return json;
    cJSON *tables = cJSON_AddArrayToObject(json, "tables");
    for (size_t i = 0; i < p->table_count; i++)
        if (is_picked(p, p->by_size[i]) && p->by_size[i]->verified.state != VERIFIED_NOT)
            cJSON_AddItemToArray(tables, table_json(p->by_size[i]));
    return json;
}

static bool tell(struct supervisor *s, const cJSON *request, cJSON *answer)
{
    const char *database = json_str(request, "databaseName");
    bool pending = false;

    for (size_t i = 0; i < s->m->pipeline_count; i++)
        pending = pending || (is_meant(&s->m->pipelines[i], database) && s->m->pipelines[i].verification.is_wanted);
    json_add_bool(answer, "pending", pending);
    cJSON *databases = cJSON_AddArrayToObject(answer, "databases");
    for (size_t i = 0; i < s->m->pipeline_count; i++)
        if (is_meant(&s->m->pipelines[i], database))
            cJSON_AddItemToArray(databases, database_json(&s->m->pipelines[i], pending));
    return true;
}

bool verification_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer,
                          struct err *err)
{
    return strcmp(name, "verify") == 0 ? ask(s, request, err) : tell(s, request, answer);
}

/* --- when it runs --- */

bool verification_is_wanted(const struct pipeline *p)
{
    const struct verification *v = &p->verification;

    return v->is_wanted && p->state == PIPE_SYNCING && p->hold == HOLD_NONE && !p->asked;
}

static void end(struct supervisor *s, struct pipeline *p)
{
    struct verification *v = &p->verification;
    int64_t now = clock_wall_us();
    int64_t took_ms = (now - v->started_us) / 1000;

    v->is_wanted = false;
    str_replace(&p->phase_text, NULL);
    v->ended_us = now;
    v->next_ms = clock_mono_ms() + (took_ms > LEAST_PAUSE_MS ? took_ms : LEAST_PAUSE_MS);
    pipeline_touch(s->m, p);
}

static void give_up(struct supervisor *s, struct pipeline *p, struct err *err)
{
    migration_event(s->m, "warning", "%s: the comparison ended early: %s", p->name, err->message);
    err_move(&p->verification.error, err);
    end(s, p);
}

static bool wants_own(const struct supervisor *s, const struct pipeline *p)
{
    return s->m->plan.verify_when == VERIFY_CONTINUOUS && !p->verification.is_wanted && !p->cutover_wanted &&
           !p->unfinished && clock_mono_ms() >= p->verification.next_ms && may_begin(p, NULL) &&
           pipeline_is_ready(p, s->m->plan.max_lag_us, NULL);
}

void verification_turn(struct supervisor *s, struct pipeline *p)
{
    struct verification *v = &p->verification;
    struct err err = ERR_INIT;

    if (v->is_wanted && (p->state > PIPE_SYNCING || p->state < PIPE_FINISHING)) {
        err_set(&err, ERR_USAGE, "database \"%s\" is %s", p->name, pipeline_state_name(p->state));
        give_up(s, p, &err);
        err_clear(&err);
        return;
    }
    if (wants_own(s, p))
        begin(s, p, NULL, false, true);
    if (verification_is_wanted(p) && clock_mono_ms() >= v->retry_at_ms && !supervisor_worker(s, p, "verify"))
        supervisor_start_worker(s, p, "verify");
}

static void let_go(struct supervisor *s, struct pipeline *p)
{
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (p->verification.halts && apply && !apply->stopping)
        channel_queue(&apply->channel, json_message("halt")); /* no "on": it goes on */
    p->verification.halts = false;
}

static void halt_lost(struct supervisor *s, struct pipeline *p)
{
    struct worker *verify = supervisor_worker(s, p, "verify");

    p->verification.halts = false;
    if (verify && !verify->stopping)
        channel_queue(&verify->channel, json_message("halt_lost"));
}

bool verification_worker_ended(struct supervisor *s, struct worker *w, struct err *err)
{
    struct pipeline *p = w->pipeline;
    struct verification *v = &p->verification;

    if (strcmp(w->kind->name, "apply") == 0 && v->halts)
        halt_lost(s, p);
    if (!is_verify(w))
        return false;
    let_go(s, p);
    if (!err_is_set(err)) {
        migration_event(s->m, "info", "%s: %zu tables were compared", p->name, v->done);
        end(s, p);
    } else if (err->code == ERR_STOPPED) {
        v->done = 0; /* something else comes first: then again */
    } else if (err->retryable && ++v->attempts < TRIES) {
        migration_event(s->m, "warning", "%s: %s; the comparison begins again", p->name, err->message);
        v->retry_at_ms = clock_mono_ms() + RETRY_MS;
    } else if (v->is_wanted) {
        give_up(s, p, err);
    }
    err_clear(err);
    return true;
}

/* --- from workers --- */

void verification_on_begun(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct verification *v = &w->pipeline->verification;

    v->total = (size_t)json_i64(message, "total", 0);
    v->done = 0;
    lsn_parse(json_str(message, "lsn"), &v->lsn);
    migration_event(s->m, "info", "%s: %zu tables are compared as of %s", w->pipeline->name, v->total,
                    json_str(message, "lsn"));
    pipeline_touch(s->m, w->pipeline);
}

void verification_on_halt(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (!json_bool(message, "on", false)) {
        let_go(s, p);
        return;
    }
    if (!apply || apply->stopping) {
        halt_lost(s, p);
        return;
    }
    p->verification.halts = true;
    channel_queue(&apply->channel, cJSON_Duplicate(message, true));
}

void verification_on_halted(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct worker *verify = supervisor_worker(s, w->pipeline, "verify");

    if (verify && !verify->stopping && w->pipeline->verification.halts)
        channel_queue(&verify->channel, cJSON_Duplicate(message, true));
}

static void warn_of(struct supervisor *s, const struct pipeline *p, const struct table *t)
{
    const struct table_verification *v = &t->verified;

    if (v->state == VERIFIED_DIFFERENT)
        migration_event(s->m, "error", "%s: table %s.%s differs from the source: %s", p->name, t->schema, t->name,
                        v->note);
    else if (v->state == VERIFIED_FAILED)
        migration_event(s->m, "warning", "%s: table %s.%s could not be compared: %s", p->name, t->schema, t->name,
                        v->note);
    else if (v->repaired)
        migration_event(s->m, "info", "%s: table %s.%s is equal again, %" PRId64 " rows were copied", p->name,
                        t->schema, t->name, v->repaired);
}

void verification_on_verified(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct table *t = pipeline_table(p, json_str(message, "oid"));
    const char *written = json_str(message, "written");
    const char *note = json_str(message, "note");

    if (!json_bool(message, "again", false))
        p->verification.done++;
    if (!t)
        return;
    table_verification_release(&t->verified);
    t->verified = (struct table_verification){
        .state = state_of(json_str(message, "state")),
        .compared_us = clock_wall_us(),
        .source_rows = json_i64(message, "sourceRows", 0),
        .target_rows = json_i64(message, "targetRows", 0),
        .changes = json_i64(message, "changes", -1),
        .written = written ? xstrdup(written) : NULL,
        .note = note ? xstrdup(note) : NULL,
        .differences = cJSON_IsObject(json_get(message, "differences"))
                           ? cJSON_Duplicate(json_get(message, "differences"), true)
                           : NULL,
        .repaired = json_i64(message, "repaired", 0),
    };
    lsn_parse(json_str(message, "lsn"), &t->verified.lsn);
    warn_of(s, p, t);
    pipeline_touch(s->m, p); /* not table_touch(): nothing of its data was modified */
    t->version = s->m->version;
}
