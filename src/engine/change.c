#include "engine/change.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/load.h"
#include "engine/pipeline.h"
#include "pg/ident.h"
#include "plan/pattern.h"

/* What may be asked for: the words for it, and what is done first. */
static const struct change_kind {
    const char *name; /* of the command, and of its member in what was asked */
    const char *done; /* "tables are ..." */
    enum pipeline_change first;
} kinds[] = {
    {"reload", "loaded again", CHANGE_DETACH},
    {"add", "added", CHANGE_ADMIT},
    {"remove", "removed", CHANGE_WITHDRAW},
};

static const struct change_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static enum pipeline_change first_of(const cJSON *asked)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (json_get(asked, kinds[i].name))
            return kinds[i].first;
    return CHANGE_NONE;
}

bool change_is_command(const char *name)
{
    return find_kind(name) || strcmp(name, "change") == 0;
}

/* --- may it be done --- */

static bool is_loading(const struct pipeline *p)
{
    for (const struct table *t = p->tables; t; t = t->hh.next)
        if (t->state != TABLE_COMPLETED && t->state != TABLE_ERROR)
            return true;
    return false;
}

static bool state_allows(const struct pipeline *p, const struct change_kind *kind)
{
    return p->state == PIPE_SYNCING || (kind->first == CHANGE_WITHDRAW && p->state == PIPE_LOADING);
}

static bool may_change(const struct pipeline *p, const struct change_kind *kind, struct err *err)
{
    const char *why = NULL;

    if (!state_allows(p, kind))
        why = pipeline_state_name(p->state);
    else if (p->hold == HOLD_PAUSED)
        why = "paused";
    else if (!p->recalled)
        why = "being read from the target";
    else if (p->cutover_wanted)
        why = "to be cut over";
    else if (p->asked || (p->state == PIPE_SYNCING && is_loading(p)))
        why = "still loading tables that it was asked for before";
    else if (kind->first == CHANGE_WITHDRAW && p->unfinished)
        why = "still making indexes and keys of tables that were added";
    if (!why)
        return true;
    err_set(err, ERR_USAGE, "tables of database \"%s\" cannot be %s now: it is %s", p->name, kind->done, why);
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

/* The tables that one name or pattern means are added to the list. */
typedef bool pick_fn(const struct pipeline *p, const char *name, cJSON *list, struct err *err);

static bool is_meant(const struct table *t, const char *name)
{
    char *texts[] = {(char *)name};
    const struct plan_database database = {.selected = texts, .selected_count = 1};

    return plan_selects(&database, t->schema, t->name, NULL);
}

static bool refuse_unknown(const char *name, struct err *err)
{
    err_set(err, ERR_USAGE, "\"%s\" is no table of this migration", name);
    return false;
}

static bool pick_to_load(const struct pipeline *p, const char *name, cJSON *oids, struct err *err)
{
    const struct table *late = NULL;
    int before = cJSON_GetArraySize(oids);

    for (const struct table *t = p->tables; t; t = t->hh.next) {
        if (!is_meant(t, name))
            continue;
        if (t->at_cutover)
            late = t;
        else
            cJSON_AddItemToArray(oids, cJSON_CreateString(t->oid));
    }
    if (cJSON_GetArraySize(oids) > before)
        return true;
    if (!late)
        return refuse_unknown(name, err);
    err_set(err, ERR_USAGE, "table %s.%s is not streamed: it is brought up to date at the cutover", late->schema, late->name);
    return false;
}

static bool pick_to_add(const struct pipeline *p, const char *name, cJSON *names, struct err *err)
{
    (void)p;
    (void)err;
    cJSON_AddItemToArray(names, cJSON_CreateString(name));
    return true;
}

static bool is_worked_on(const struct table *t)
{
    return t->state == TABLE_LOADING || t->state == TABLE_INDEXING || t->builds_running || t->parts;
}

static bool pick_to_remove(const struct pipeline *p, const char *name, cJSON *list, struct err *err)
{
    int before = cJSON_GetArraySize(list);

    for (const struct table *t = p->tables; t; t = t->hh.next) {
        if (!is_meant(t, name))
            continue;
        if (is_worked_on(t)) {
            err_set(err, ERR_USAGE, "table %s.%s is being loaded just now", t->schema, t->name);
            err_hint(err, "Try again when its load has ended, or has failed.");
            return false;
        }
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "oid", t->oid);
        json_add_str(item, "schema", t->schema);
        json_add_str(item, "name", t->name);
        cJSON_AddItemToArray(list, item);
    }
    return cJSON_GetArraySize(list) > before || refuse_unknown(name, err);
}

static cJSON *picked(const struct pipeline *p, const struct change_kind *kind, const cJSON *names, struct err *err)
{
    pick_fn *pick = kind->first == CHANGE_WITHDRAW ? pick_to_remove : kind->first == CHANGE_ADMIT ? pick_to_add : pick_to_load;
    cJSON *list = cJSON_CreateArray();
    const cJSON *item;
    bool ok = true;

    cJSON_ArrayForEach(item, names) ok = ok && pick(p, item->valuestring, list, err);
    if (ok && kind->first == CHANGE_WITHDRAW && (size_t)cJSON_GetArraySize(list) >= p->table_count) {
        err_set(err, ERR_USAGE, "no table would be left in database \"%s\"", p->name);
        err_hint(err, "\"pgcutover cancel\" ends a migration.");
        ok = false;
    }
    if (!ok)
        cJSON_Delete(list);
    return ok ? list : NULL;
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
    p->change = first_of(asked);
    p->attempts = 0;
    p->retry_at_ms = 0;
    err_clear(&p->change_error);
    if (p->hold == HOLD_STOPPED) {
        p->hold = HOLD_NONE;
        err_clear(&p->error);
    }
    return true;
}

static bool ask(struct supervisor *s, struct pipeline *p, const struct change_kind *kind, const cJSON *names,
                struct err *err)
{
    if (!may_change(p, kind, err) || !names_are_valid(names, err))
        return false;
    cJSON *list = picked(p, kind, names, err);
    if (!list)
        return false;
    cJSON *asked = cJSON_CreateObject();
    cJSON_AddItemToObject(asked, kind->name, list);
    int count = cJSON_GetArraySize(list);
    if (!begin(s, p, asked, err))
        return false;
    if (kind->first == CHANGE_ADMIT)
        migration_event(s->m, "info", "%s: tables are to be added", p->name);
    else
        migration_event(s->m, "info", "%s: %d table%s to be %s", p->name, count, count == 1 ? " is" : "s are", kind->done);
    pipeline_touch(s->m, p);
    return true;
}

bool change_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer,
                    struct err *err)
{
    struct pipeline *p = migration_pipeline(s->m, json_str(request, "databaseName"), err);

    if (!p)
        return false;
    if (find_kind(name))
        return ask(s, p, find_kind(name), json_get(request, "tables"), err);
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

    enum pipeline_change first = cJSON_IsObject(asked) ? first_of(asked) : CHANGE_NONE;

    if (p->state != PIPE_SYNCING && !(first == CHANGE_WITHDRAW && p->state == PIPE_LOADING))
        return;
    p->asked = first != CHANGE_NONE ? cJSON_Duplicate(asked, true) : NULL;
    p->change = first;
}

const char *change_worker(const struct pipeline *p)
{
    static const char *const workers[] = {
        [CHANGE_NONE] = NULL, [CHANGE_ADMIT] = "admit", [CHANGE_DETACH] = "detach", [CHANGE_WITHDRAW] = "withdraw"};

    return p->state == PIPE_SYNCING || p->state == PIPE_LOADING ? workers[p->change] : NULL;
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
    if (p->change == CHANGE_WITHDRAW) {
        forget(s, p);
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
