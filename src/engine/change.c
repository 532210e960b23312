#include "engine/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/load.h"
#include "engine/pipeline.h"
#include "pg/ident.h"
#include "plan/pattern.h"

bool change_is_command(const char *name)
{
    return strcmp(name, "reload") == 0 || strcmp(name, "add") == 0 || strcmp(name, "change") == 0;
}

/* --- may it be done --- */

static bool is_loading(const struct pipeline *p)
{
    for (const struct table *t = p->tables; t; t = t->hh.next)
        if (t->state != TABLE_COMPLETED && t->state != TABLE_ERROR)
            return true;
    return false;
}

static bool may_change(const struct pipeline *p, const char *what, struct err *err)
{
    const char *why = NULL;

    if (p->state != PIPE_SYNCING)
        why = pipeline_state_name(p->state);
    else if (p->hold == HOLD_PAUSED)
        why = "paused";
    else if (!p->recalled)
        why = "being read from the target";
    else if (p->cutover_wanted)
        why = "to be cut over";
    else if (p->asked || is_loading(p))
        why = "still loading tables that it was asked for before";
    if (!why)
        return true;
    err_set(err, ERR_USAGE, "tables of database \"%s\" cannot be %s now: it is %s", p->name, what, why);
    err_hint(err, "Try again when it is syncing.");
    return false;
}

static bool names_are_valid(const cJSON *names, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, names)
    {
        if (cJSON_IsString(item) && pattern_is_valid(item->valuestring))
            continue;
        err_set(err, ERR_USAGE, "\"%s\" is not the name of a table or a pattern of names",
                cJSON_IsString(item) ? item->valuestring : "?");
        err_hint(err, "Write schema.table, with double quotes as in SQL where the name has capitals.");
        return false;
    }
    if (!cJSON_GetArraySize(names))
        err_set(err, ERR_USAGE, "no table is named");
    return cJSON_GetArraySize(names) > 0;
}

/* --- asking --- */

/* The tables that one name or pattern means, into oids. */
static bool pick(const struct pipeline *p, const char *name, cJSON *oids, struct err *err)
{
    char *texts[] = {(char *)name};
    struct plan_database database = {.selected = texts, .selected_count = 1};
    const struct table *late = NULL;
    bool any = false;

    for (const struct table *t = p->tables; t; t = t->hh.next) {
        if (!plan_selects(&database, t->schema, t->name, NULL))
            continue;
        if (t->at_cutover) {
            late = t;
            continue;
        }
        cJSON_AddItemToArray(oids, cJSON_CreateString(t->oid));
        any = true;
    }
    if (!any && late)
        err_set(err, ERR_USAGE, "table %s.%s is not streamed: it is brought up to date at the cutover", late->schema,
                late->name);
    else if (!any)
        err_set(err, ERR_USAGE, "\"%s\" is no table of this migration", name);
    return any;
}

static cJSON *picked(const struct pipeline *p, const cJSON *names, struct err *err)
{
    cJSON *oids = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, names)
    {
        if (!pick(p, item->valuestring, oids, err)) {
            cJSON_Delete(oids);
            return NULL;
        }
    }
    return oids;
}

/* Into the journal, before anything is done. asked is taken. */
static bool begin(struct supervisor *s, struct pipeline *p, cJSON *asked, struct err *err)
{
    cJSON *fields = cJSON_CreateObject();

    p->asked = asked;
    json_add_str(fields, "state", pipeline_state_name(p->state));
    if (!supervisor_decide(s, p, fields)) {
        cJSON_Delete(p->asked);
        p->asked = NULL;
        err_set(err, ERR_IO, "%s: %s", p->name, p->error.message);
        return false;
    }
    p->change = json_get(asked, "add") ? CHANGE_ADMIT : CHANGE_DETACH;
    p->attempts = 0;
    p->retry_at_ms = 0;
    err_clear(&p->change_error);
    if (p->hold == HOLD_STOPPED) {
        p->hold = HOLD_NONE;
        err_clear(&p->error);
    }
    return true;
}

static bool ask(struct supervisor *s, struct pipeline *p, const char *name, const cJSON *names,
                struct err *err)
{
    bool add = strcmp(name, "add") == 0;

    if (!may_change(p, add ? "added" : "loaded again", err) || !names_are_valid(names, err))
        return false;
    cJSON *list = add ? cJSON_Duplicate(names, true) : picked(p, names, err);
    if (!list)
        return false;
    cJSON *asked = cJSON_CreateObject();
    cJSON_AddItemToObject(asked, name, list);
    int count = cJSON_GetArraySize(list);
    if (!begin(s, p, asked, err))
        return false;
    if (add)
        migration_event(s->m, "info", "%s: tables are to be added", p->name);
    else
        migration_event(s->m, "info", "%s: %d table%s to be loaded again", p->name, count,
                        count == 1 ? " is" : "s are");
    pipeline_touch(s->m, p);
    return true;
}

bool change_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer,
                    struct err *err)
{
    struct pipeline *p = migration_pipeline(s->m, json_str(request, "databaseName"), err);

    if (!p)
        return false;
    if (strcmp(name, "change") != 0)
        return ask(s, p, name, json_get(request, "tables"), err);
    json_add_bool(answer, "pending", p->asked != NULL);
    if (err_is_set(&p->change_error))
        cJSON_AddItemToObject(answer, "error", err_to_json(&p->change_error));
    else
        cJSON_AddNullToObject(answer, "error");
    return true;
}

/* --- carrying it out --- */

void change_restore(struct pipeline *p, const cJSON *entry)
{
    const cJSON *asked = json_get(entry, "asked");

    if (!cJSON_IsObject(asked) || p->state != PIPE_SYNCING)
        return;
    p->asked = cJSON_Duplicate(asked, true);
    p->change = json_get(asked, "add") ? CHANGE_ADMIT : CHANGE_DETACH;
}

const char *change_worker(const struct pipeline *p)
{
    static const char *const workers[] = {
        [CHANGE_NONE] = NULL, [CHANGE_ADMIT] = "admit", [CHANGE_DETACH] = "detach"};

    return p->state == PIPE_SYNCING ? workers[p->change] : NULL;
}

static void forget(struct supervisor *s, struct pipeline *p)
{
    cJSON *fields = cJSON_CreateObject();

    p->change = CHANGE_NONE;
    cJSON_Delete(p->asked);
    p->asked = NULL;
    json_add_str(fields, "state", pipeline_state_name(p->state));
    supervisor_decide(s, p, fields);
    pipeline_touch(s->m, p);
}

static bool is_asked_for(const struct pipeline *p, const struct table *t)
{
    const cJSON *item;

    if (t->is_new)
        return true;
    cJSON_ArrayForEach(item, json_get(p->asked, "reload"))
        if (strcmp(item->valuestring, t->oid) == 0)
            return true;
    return false;
}

void change_worker_done(struct supervisor *s, struct pipeline *p)
{
    if (p->change == CHANGE_ADMIT) {
        p->change = CHANGE_DETACH;
        return;
    }
    for (struct table *t = p->tables; t; t = t->hh.next) {
        if (is_asked_for(p, t))
            load_again(s, p, t);
        t->is_new = false;
    }
    load_begin_anew(s, p);
    forget(s, p);
}

void change_give_up(struct supervisor *s, struct pipeline *p, struct err *err)
{
    migration_event(s->m, "error", "%s: %s", p->name, err->message);
    err_move(&p->change_error, err);
    forget(s, p);
}
