#include "engine/fallback.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "control/client.h"
#include "cutover/freeze.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "engine/preflight.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define POLL_MS 50
#define ARM_TIMEOUT_MS 120000
#define REACH_TIMEOUT_MS 10000
#define GIVE_UP_TIMEOUT_MS 60000

char *fallback_name(const struct migration *m, const struct pipeline *p)
{
    return m->pipeline_count == 1 ? xasprintf("%s-back", m->name) : xasprintf("%s-back-%d", m->name, p->index + 1);
}

/* --- its plan --- */

static void replace(cJSON *object, const char *key, cJSON *value)
{
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    cJSON_AddItemToObject(object, key, value);
}

/* The section of that name, made where there is none. Borrowed. */
static cJSON *section(cJSON *plan, const char *key)
{
    if (!cJSON_IsObject(json_get(plan, key)))
        replace(plan, key, cJSON_CreateObject());
    return cJSON_GetObjectItemCaseSensitive(plan, key);
}

static void exchange_servers(cJSON *plan)
{
    cJSON *source = cJSON_DetachItemFromObjectCaseSensitive(plan, "source");
    cJSON *target = cJSON_DetachItemFromObjectCaseSensitive(plan, "target");

    cJSON_AddItemToObject(plan, "source", target);
    cJSON_AddItemToObject(plan, "target", source);
}

/* Tables that were removed from the way there: the source's rows of them are nobody's to overwrite. */
static void leave_out(cJSON *database, const PGresult *removed)
{
    if (!PQntuples(removed))
        return;
    if (!cJSON_IsArray(json_get(database, "excludedTables")))
        replace(database, "excludedTables", cJSON_CreateArray());
    cJSON *list = cJSON_GetObjectItemCaseSensitive(database, "excludedTables");
    for (int i = 0; i < PQntuples(removed); i++) {
        char *name = ident_qualified(PQgetvalue(removed, i, 0), PQgetvalue(removed, i, 1));
        cJSON_AddItemToArray(list, cJSON_CreateString(name));
        free(name);
    }
}

/* Before the load nothing can have been removed, nor is there a state to read. */
static bool read_removed(struct work *work, PGresult **removed, struct err *err)
{
    struct conn target = CONN_INIT;

    *removed = NULL;
    if (work->p->state < PIPE_LOADING)
        return true;
    if (work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err))
        *removed = conn_exec(&target, sql_state_removed, err);
    conn_close(&target);
    return *removed != NULL;
}

/* The one database, with the same selection. */
static void exchange_database(cJSON *plan, const struct pipeline *p, const PGresult *removed)
{
    const cJSON *list = json_get(plan, "databases");
    const cJSON *given = cJSON_GetArrayItem(list, p->index);
    cJSON *database = cJSON_IsObject(given) ? cJSON_Duplicate(given, true) : cJSON_CreateObject();
    cJSON *databases = cJSON_CreateArray();

    replace(database, "name", cJSON_CreateString(p->target_name));
    replace(database, "target_database_name", cJSON_CreateString(p->name));
    leave_out(database, removed);
    cJSON_AddItemToArray(databases, database);
    replace(plan, "databases", databases);
}

/* Rows alone go back: no schema, no load, nothing of the operator's own but what stops writes. */
static void set_modes(cJSON *plan)
{
    static const char *const dropped[] = {"hooks", "fallback", "when", "at", "window"};
    cJSON *schema = cJSON_CreateObject();
    cJSON *sync = section(plan, "sync");
    cJSON *cutover = section(plan, "cutover");

    json_add_str(schema, "mode", "existing");
    replace(plan, "schema", schema);
    cJSON_DeleteItemFromObjectCaseSensitive(sync, "slot");
    replace(sync, "mode", cJSON_CreateString("sync-only"));
    replace(sync, "ddl", cJSON_CreateString("stop"));
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        cJSON_DeleteItemFromObjectCaseSensitive(cutover, dropped[i]);
}

/* Where the plan of the way there came from: passwords may be in it still. Owned, or NULL. */
static char *original_path(const struct migration *m)
{
    char *path = xasprintf("%s/migration.json", m->dir);
    struct buf text = BUF_INIT;
    cJSON *identity = file_read(path, &text, NULL) ? cJSON_Parse(text.data) : NULL;
    char *original = json_str(identity, "planPath") ? xstrdup(json_str(identity, "planPath")) : NULL;

    cJSON_Delete(identity);
    buf_release(&text);
    free(path);
    return original;
}

/* What is not in the document: where passwords come from, tunnels that are open. */
static void take_surroundings(struct plan *plan, const struct migration *m)
{
    plan->path = original_path(m);
    plan->source.path = m->plan.target.path ? xstrdup(m->plan.target.path) : NULL;
    plan->target.path = m->plan.source.path ? xstrdup(m->plan.source.path) : NULL;
    plan->source.ssh.tunnel_port = m->plan.target.ssh.tunnel_port;
    plan->target.ssh.tunnel_port = m->plan.source.ssh.tunnel_port;
    plan_recall_secrets(&plan->source, &m->plan.target);
    plan_recall_secrets(&plan->target, &m->plan.source);
}

static bool make_plan(struct work *work, const char *name, struct plan *plan, struct err *err)
{
    PGresult *removed;

    if (!read_removed(work, &removed, err))
        return false;
    char *given = plan_text(&work->m->plan);
    cJSON *document = cJSON_Parse(given);

    free(given);
    replace(document, "name", cJSON_CreateString(name));
    replace(document, "fallbackOf", cJSON_CreateString(work->m->name));
    exchange_servers(document);
    exchange_database(document, work->p, removed);
    set_modes(document);
    char *text = json_line(document);
    bool ok = plan_parse(plan, text, "the plan of the way back", err);
    if (ok)
        take_surroundings(plan, work->m);
    free(text);
    cJSON_Delete(document);
    PQclear(removed);
    return ok;
}

/* --- checking --- */

static bool name_is_free(const struct work *work, const char *name, struct err *err)
{
    char *state_dir = migration_state_dir(work->m);
    char *identity = xasprintf("%s/%s/migration.json", state_dir, name);
    bool ok = plan_name_is_valid(name) && !file_exists(identity);

    if (!ok && !plan_name_is_valid(name))
        err_set(err, ERR_PREREQUISITE, "the way back cannot be called \"%s\": a migration's name has at most 40 letters", name);
    else if (!ok) {
        err_set(err, ERR_PREREQUISITE, "the way back would be called \"%s\", and there is such a migration", name);
        err_hint(err, "\"pgcutover delete %s\" forgets it.", name);
    }
    free(identity);
    free(state_dir);
    return ok;
}

bool fallback_check(struct work *work, struct err *err)
{
    char *name = fallback_name(work->m, work->p);
    struct plan plan = {0};
    struct preflight pre = PREFLIGHT_INIT;
    bool ok = name_is_free(work, name, err) && make_plan(work, name, &plan, err) &&
              preflight_run(&pre, &plan, &plan.databases[0], NULL, NULL, err) && !findings_error(&pre.findings, err);

    if (!ok)
        err_wrap(err, "the way back (cutover.fallback)");
    preflight_release(&pre);
    plan_release(&plan);
    free(name);
    return ok;
}

/* --- arming --- */

static bool phase_is_in(const char *phase, const char *const *phases)
{
    for (; phase && *phases; phases++)
        if (strcmp(phase, *phases) == 0)
            return true;
    return false;
}

static const cJSON *database_of(const cJSON *status)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(json_get(status, "properties"), "output"))
        if (json_str(item, "phase"))
            return item;
    return NULL;
}

/* The state in which its last engine left it, and why (err, may be NULL). */
static enum pipeline_state last_state(const char *dir, struct err *err)
{
    char *path = xasprintf("%s/journal.jsonl", dir);
    struct journal journal;
    enum pipeline_state state = PIPE_QUEUED;

    if (file_exists(path) && journal_read(&journal, path, NULL)) {
        const cJSON *entry = journal_state(&journal, 0);
        if (entry)
            pipeline_state_parse(json_str(entry, "state"), &state);
        if (err && cJSON_IsObject(json_get(entry, "error")))
            err_from_json(err, json_get(entry, "error"));
        journal_close(&journal);
    }
    free(path);
    return state;
}

/* Its engine does not answer: it is not there yet, or has ended. */
static int look_behind(const char *dir, struct err *err)
{
    struct err own = ERR_INIT;
    enum pipeline_state state = last_state(dir, &own);
    bool ended = state == PIPE_FAILED || state == PIPE_CANCELLED;

    if (ended && err_is_set(&own))
        err_move(err, &own);
    else if (ended)
        err_set(err, ERR_SERVER, "the migration that is the way back has ended");
    err_clear(&own);
    return ended ? -1 : 0;
}

/* 1: its slot is there; 0: not yet; -1: it failed. */
static int look(const char *dir, struct err *err)
{
    static const char *const armed[] = {"loading", "catching up", "finishing", "syncing", NULL};
    static const char *const ended[] = {"failed", "cancelled", "undoing", NULL};
    struct control control;
    struct err own = ERR_INIT;
    cJSON *status = NULL;
    int state = 0;

    if (control_open(&control, dir, "fallback", false, &own)) {
        status = control_status(&control, false, &own);
        control_close(&control);
    }
    if (!status) {
        err_clear(&own);
        return look_behind(dir, err);
    }
    const cJSON *database = database_of(status);
    const char *hold = json_str(database, "hold");
    if (phase_is_in(json_str(database, "phase"), armed))
        state = 1;
    else if ((hold && strcmp(hold, "stopped") == 0) || phase_is_in(json_str(database, "phase"), ended))
        state = -1;
    if (state < 0 && cJSON_IsObject(json_get(database, "lastError")))
        err_from_json(err, json_get(database, "lastError"));
    if (state < 0 && !err_is_set(err))
        err_set(err, ERR_SERVER, "the migration that is the way back has failed");
    cJSON_Delete(status);
    err_clear(&own);
    return state;
}

static bool wait_until_armed(const char *dir, struct err *err)
{
    int64_t until = clock_mono_ms() + ARM_TIMEOUT_MS;
    int state;

    while ((state = look(dir, err)) == 0) {
        if (!stop_sleep(POLL_MS, err))
            return false;
        if (clock_mono_ms() > until) {
            err_set(err, ERR_TIMEOUT, "the way back was not there within %d s", ARM_TIMEOUT_MS / 1000);
            return false;
        }
    }
    if (state < 0)
        err_wrap(err, "the way back");
    return state > 0;
}

bool fallback_arm(struct work *work, const char *name, struct err *err)
{
    char *state_dir = migration_state_dir(work->m);
    struct engine_options options = {.state_dir = state_dir, .log_level = work->m->plan.log_level};
    struct plan plan = {0};
    struct migration m = {0};
    int seq;
    bool ok = work_made(work, SIDE_SOURCE, "fallback", NULL, name, NULL, &seq, err) && make_plan(work, name, &plan, err) &&
              engine_prepare_new(&m, &plan, GOAL_READY, state_dir, err) && engine_start(&m, &options, NULL, err) &&
              wait_until_armed(m.dir, err);

    plan_release(&plan);
    migration_release(&m);
    free(state_dir);
    return ok;
}

/* --- giving it up --- */

/* One that has just been started listens in a moment. */
static bool reach(const char *state_dir, const char *dir, const char *name, struct control *control)
{
    int64_t until = clock_mono_ms() + REACH_TIMEOUT_MS;

    do {
        if (control_open(control, dir, "fallback", false, NULL))
            return true;
    } while (engine_is_running(state_dir, name) && clock_mono_ms() < until && stop_sleep(POLL_MS, NULL));
    return false;
}

static bool ask_to_cancel(const struct work *work, const char *state_dir, const char *dir, const char *name, struct err *err)
{
    struct control control;
    struct migration m;

    if (reach(state_dir, dir, name, &control)) {
        bool ok = control_command(&control, "cancel", NULL, err);
        control_close(&control);
        return ok;
    }
    struct engine_options options = {.state_dir = state_dir, .log_level = work->m->plan.log_level, .command = "cancel"};
    if (!engine_load(&m, state_dir, name, err))
        return false;
    plan_recall_secrets(&m.plan.source, &work->m->plan.target);
    plan_recall_secrets(&m.plan.target, &work->m->plan.source);
    bool ok = engine_start(&m, &options, NULL, err);
    migration_release(&m);
    return ok;
}

static bool wait_until_cancelled(const char *state_dir, const char *dir, const char *name, struct err *err)
{
    int64_t until = clock_mono_ms() + GIVE_UP_TIMEOUT_MS;

    while (engine_is_running(state_dir, name) && clock_mono_ms() < until)
        if (!stop_sleep(POLL_MS, err))
            return false;
    enum pipeline_state state = last_state(dir, NULL);
    if (state == PIPE_CANCELLED || state == PIPE_FAILED || state == PIPE_QUEUED)
        return true;
    err_set(err, ERR_TIMEOUT, "migration \"%s\", the way back, could not be cancelled: it is %s", name, pipeline_state_name(state));
    err_hint(err, "\"pgcutover status %s\" says why; \"pgcutover cancel %s\" tries again.", name, name);
    return false;
}

bool fallback_give_up(struct work *work, const char *name, struct err *err)
{
    char *state_dir = migration_state_dir(work->m);
    char *dir = xasprintf("%s/%s", state_dir, name);
    char *identity = xasprintf("%s/migration.json", dir);
    bool ok = true;

    /* Without an identity it was never started, whoever was about to is gone, and the directory may be half made. */
    if (last_state(dir, NULL) == PIPE_DONE) {
        work_event(work, "info", "the way back was taken: migration \"%s\" is kept; delete it, too", name);
    } else if (file_exists(dir)) {
        if (file_exists(identity) && last_state(dir, NULL) != PIPE_CANCELLED && last_state(dir, NULL) != PIPE_FAILED)
            ok = ask_to_cancel(work, state_dir, dir, name, err) && wait_until_cancelled(state_dir, dir, name, err);
        ok = ok && dir_remove(dir, err);
        if (ok)
            work_event(work, "info", "the way back is given up");
    }
    free(identity);
    free(dir);
    free(state_dir);
    return ok;
}

/* --- taking it --- */

/* What the way there has set on its source, and not taken back. *found: it has; *previous is owned. */
static bool read_freeze(const struct work *work, bool *found, char **previous, struct err *err)
{
    char *state_dir = migration_state_dir(work->m);
    char *path = xasprintf("%s/%s/journal.jsonl", state_dir, work->m->plan.fallback_of);
    struct journal journal;
    bool ok = journal_read(&journal, path, err);

    for (size_t i = 0; ok && i < journal.made_count; i++) {
        const struct made *made = &journal.made[i];
        if (made->gone || strcmp(made->kind, "read-only") != 0 || strcmp(made->name, work->p->target_name) != 0)
            continue;
        *found = true;
        *previous = made->previous ? xstrdup(made->previous) : NULL;
    }
    if (ok)
        journal_close(&journal);
    free(path);
    free(state_dir);
    return ok;
}

bool fallback_reopen(struct work *work, struct conn *target, struct err *err)
{
    char *previous = NULL;
    struct buf ended = BUF_INIT;
    bool found = false;

    if (!work->m->plan.fallback_of)
        return true;
    bool ok = read_freeze(work, &found, &previous, err) &&
              (!found || (freeze_undo(target, work->p->target_name, previous, err) &&
                          /* Who connected meanwhile is read-only for as long as it stays. */
                          freeze_end_sessions(target, work->p->target_name, &ended, err)));
    if (ok && found)
        work_event(work, "info", "database \"%s\" is writable again", work->p->target_name);
    buf_release(&ended);
    free(previous);
    return ok;
}
