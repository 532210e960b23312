#include "engine/decided.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "engine/pipeline.h"

static char *path_of(const struct migration *m)
{
    return xasprintf("%s/decided.json", m->dir);
}

bool decided_load(struct migration *m, struct err *err)
{
    char *path = path_of(m);
    struct buf text = BUF_INIT;
    bool ok = true;

    if (!m->decided && file_exists(path) && (ok = file_read(path, &text, err))) {
        m->decided = cJSON_Parse(text.data ? text.data : "");
        if (!cJSON_IsArray(m->decided)) {
            err_set(err, ERR_PROTOCOL, "\"%s\" is damaged", path);
            err_hint(err, "It has what was decided on statements that the target refused. Without it the plan counts alone.");
            cJSON_Delete(m->decided);
            m->decided = NULL;
            ok = false;
        }
    }
    buf_release(&text);
    free(path);
    return ok;
}

void decided_apply(const struct migration *m, struct plan *plan)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, m->decided)
    {
        const struct plan_edit edit = {
            .object = (char *)json_str(item, "object"),
            .sql = (char *)json_str(item, "sql"),
            .skip = json_bool(item, "skip", false),
            .database = (char *)json_str(item, "database"),
        };
        if (edit.object)
            plan_decide(plan, &edit);
    }
}

/* --- the command --- */

static struct pipeline *find_pipeline(struct supervisor *s, const char *name, struct err *err)
{
    for (size_t i = 0; i < s->m->pipeline_count; i++)
        if (name ? strcmp(s->m->pipelines[i].name, name) == 0 : s->m->pipeline_count == 1)
            return &s->m->pipelines[i];
    if (name)
        err_set(err, ERR_USAGE, "migration \"%s\" has no database \"%s\"", s->m->name, name);
    else
        err_set(err, ERR_USAGE, "say which database the statement is of");
    return NULL;
}

static bool is_open(const struct pipeline *p, const char *object, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(p->statements, "list"))
    {
        const char *name = json_str(item, "object"), *state = json_str(item, "state");
        if (name && object && strcmp(name, object) == 0 && state && strcmp(state, "applied") != 0)
            return true;
    }
    err_set(err, ERR_USAGE, "database \"%s\": the target has refused no statement that is called \"%s\"", p->name, object ? object : "");
    err_hint(err, "\"pgcutover status NAME --json\" has those that it has refused (schemaDecisions).");
    return false;
}

static void forget(cJSON *list, const char *database, const char *object)
{
    cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        const char *its = json_str(item, "database"), *name = json_str(item, "object");
        if (its && name && strcmp(its, database) == 0 && strcmp(name, object) == 0) {
            cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
            return;
        }
    }
}

static bool store(struct migration *m, cJSON *list, struct err *err)
{
    char *path = path_of(m);
    char *text = json_pretty_sorted(list);
    bool ok = file_write_atomic(path, text, strlen(text), err);

    free(text);
    free(path);
    return ok;
}

bool decided_command(struct supervisor *s, const cJSON *request, struct err *err)
{
    struct pipeline *p = find_pipeline(s, json_str(request, "databaseName"), err);
    const char *object = json_str(request, "object"), *sql = json_str(request, "sql");
    bool skip = json_bool(request, "skip", false);

    if (!p || !is_open(p, object, err) || !decided_load(s->m, err))
        return false;
    cJSON *list = s->m->decided ? cJSON_Duplicate(s->m->decided, true) : cJSON_CreateArray();
    cJSON *item = cJSON_CreateObject();
    forget(list, p->name, object);
    json_add_str(item, "database", p->name);
    json_add_str(item, "object", object);
    if (sql)
        json_add_str(item, "sql", sql);
    else if (skip)
        json_add_bool(item, "skip", true);
    cJSON_AddItemToArray(list, item);
    if (!store(s->m, list, err)) {
        cJSON_Delete(list);
        return false;
    }
    cJSON_Delete(s->m->decided);
    s->m->decided = list;
    migration_event(s->m, "info", "%s: %s: decided: %s", p->name, object, sql ? "another text" : skip ? "left out" : "as the plan says");
    pipeline_touch(s->m, p);
    return true;
}
