#include "engine/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/decide.h"
#include "engine/works.h"
#include "schema/target.h"
#include "schema/tools.h"

#define LISTED 200
#define TEXT_SHOWN 4000

static void add_renames(const struct plan_database *database, struct schema_renames *renames)
{
    for (size_t i = 0; i < database->mapping_count; i++) {
        const struct plan_mapping *m = &database->mappings[i];
        if (m->to)
            schema_renames_add(renames, m->schema, m->name, m->to_schema, m->to_name);
    }
}

static bool dump_both(const struct plan *plan, const struct plan_database *database, struct conn *source, struct conn *target,
                      const struct schema_tools *tools, const char *work_dir, struct schema_comparison *comparison, struct err *err)
{
    struct conninfo source_info = CONNINFO_INIT, target_info = CONNINFO_INIT;
    struct schema_role *roles;
    struct schema_role_map map = role_map_of(plan, &roles);
    struct schema_dump first = {.source = source, .source_info = &source_info, .tools = tools, .work_dir = work_dir, .role_map = &map};
    struct schema_dump second = {.source = target, .source_info = &target_info, .tools = tools, .work_dir = work_dir};
    bool ok = plan_conninfo(&plan->source, database->name, &source_info, err) &&
              plan_conninfo(&plan->target, database->target_name, &target_info, err) &&
              schema_diff(&first, &second, &comparison->renames, &comparison->differences, err);

    free(roles);
    conninfo_release(&source_info);
    conninfo_release(&target_info);
    return ok;
}

bool compare_schemas(const struct plan *plan, const struct plan_database *database, struct conn *source, struct conn *target, bool renamed,
                     const char *work_dir, struct schema_comparison *comparison, struct err *err)
{
    struct schema_tools tools = SCHEMA_TOOLS_INIT;
    struct err own = ERR_INIT;
    int newest = source->version > target->version ? source->version : target->version;

    if (renamed || plan->schema_mode == SCHEMA_EXISTING)
        add_renames(database, &comparison->renames);
    comparison->by_catalogs = !schema_tools_find(&tools, newest, target->version, &own);
    bool ok = comparison->by_catalogs
                  ? schema_diff_catalogs(source, target, &comparison->renames, &comparison->differences, err)
                  : dump_both(plan, database, source, target, &tools, work_dir, comparison, err);
    err_clear(&own);
    schema_tools_release(&tools);
    return ok;
}

void schema_comparison_release(struct schema_comparison *comparison)
{
    schema_differences_release(&comparison->differences);
    schema_renames_release(&comparison->renames);
}

const char *compare_decision(const struct schema_comparison *comparison, const struct plan *plan, const char *database,
                             const struct schema_difference *difference)
{
    struct schema_edit *edits;
    struct schema_decisions decisions = decide_of(plan, database, &edits);
    const struct schema_edit *edit = schema_edit_of(&decisions, difference->object);
    const char *decision = !edit ? NULL : edit->sql ? "edit" : "skip";

    if (!decision && difference->kind == DIFFERENCE_EXTRA && strncmp(difference->object, "SCHEMA ", 7) == 0 &&
        schema_renames_lead_to(&comparison->renames, difference->object + 7))
        decision = "map";
    free(edits);
    return decision;
}

/* --- by itself --- */

/* What the state says of an object: a statement that was refused and left out. Borrowed; NULL: nothing. */
static const cJSON *statement_of(const cJSON *statements, const char *object)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(statements, "list"))
        if (json_str(item, "object") && strcmp(json_str(item, "object"), object) == 0)
            return item;
    return NULL;
}

static void add_text(cJSON *item, const char *key, const char *text)
{
    char *shown = text ? xstrndup(text, TEXT_SHOWN) : NULL;

    json_add_str(item, key, shown);
    free(shown);
}

static cJSON *difference_json(const struct work *work, const struct schema_comparison *comparison, const struct schema_difference *d,
                              const cJSON *statements)
{
    static const char *const kinds[] = {
        [DIFFERENCE_MISSING] = "missing", [DIFFERENCE_EXTRA] = "extra", [DIFFERENCE_TEXT] = "different"};
    const cJSON *statement = statement_of(statements, d->object);
    const char *decision = compare_decision(comparison, &work->m->plan, work->p->name, d);
    cJSON *item = cJSON_CreateObject();

    if (!decision && statement)
        decision = json_str(statement, "decision");
    json_add_str(item, "object", d->object);
    json_add_str(item, "difference", kinds[d->kind]);
    json_add_str(item, "decision", decision);
    json_add_str(item, "message", statement ? json_str(statement, "message") : NULL);
    add_text(item, "source", d->first);
    add_text(item, "target", d->second);
    return item;
}

/* {"by", "same", "different", "unexplained", "list"} */
static cJSON *comparison_json(const struct work *work, const struct schema_comparison *comparison, const cJSON *statements)
{
    cJSON *json = cJSON_CreateObject(), *list = cJSON_CreateArray();
    const struct schema_differences *d = &comparison->differences;
    double unexplained = 0;

    for (size_t i = 0; i < d->count; i++) {
        cJSON *item = difference_json(work, comparison, &d->items[i], statements);
        unexplained += json_str(item, "decision") == NULL;
        if (i < LISTED)
            cJSON_AddItemToArray(list, item);
        else
            cJSON_Delete(item);
    }
    json_add_str(json, "by", comparison->by_catalogs ? "catalogs" : "pg_dump");
    json_add_num(json, "same", (double)d->same);
    json_add_num(json, "different", (double)d->count);
    json_add_num(json, "unexplained", unexplained);
    cJSON_AddItemToObject(json, "list", list);
    return json;
}

static char *said(const cJSON *json)
{
    struct buf text = BUF_INIT;
    int shown = 0;
    const cJSON *item;

    buf_addf(&text, "%.0f objects are the same, %.0f differ%s", cJSON_GetNumberValue(json_get(json, "same")),
             cJSON_GetNumberValue(json_get(json, "different")),
             strcmp(json_str(json, "by"), "pg_dump") == 0 ? "" : " (by the catalogs: no pg_dump here reads both)");
    cJSON_ArrayForEach(item, json_get(json, "list"))
        if (!json_str(item, "decision") && shown++ < 5)
            buf_addf(&text, "%s %s (%s)", shown == 1 ? "; not decided on:" : ",", json_str(item, "object"), json_str(item, "difference"));
    return buf_take(&text);
}

/* As work_tell_statements(), with what was compared. */
static void tell(struct work *work, const struct schema_comparison *comparison, const char *statements_text)
{
    cJSON *statements = statements_text ? cJSON_Parse(statements_text) : cJSON_CreateObject();
    cJSON *json = comparison_json(work, comparison, statements), *message = json_message("statements");
    char *text = said(json);

    work_step(work, "compare the schemas", "done", text);
    cJSON_AddItemToObject(statements, "comparison", json);
    cJSON_AddItemToObject(message, "statements", statements);
    work_send(work, message);
    free(text);
}

void work_compare_schemas(struct work *work)
{
    struct conn source = CONN_INIT, target = CONN_INIT;
    struct schema_comparison comparison = SCHEMA_COMPARISON_INIT;
    struct err err = ERR_INIT;
    char *statements = NULL;
    bool exists = false;

    work_step(work, "compare the schemas", "running", NULL);
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, &err) && work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, &err) &&
              schema_state_exists(&target, &exists, &err) && (!exists || schema_statements(&target, &statements, &err)) &&
              compare_schemas(&work->m->plan, work->p->plan, &source, &target, true, work->p->dir, &comparison, &err);

    if (ok) {
        tell(work, &comparison, statements);
    } else {
        work_step(work, "compare the schemas", "failed", err.message);
        log_err(LOG_WARNING, &err);
    }
    free(statements);
    schema_comparison_release(&comparison);
    conn_close(&source);
    conn_close(&target);
    err_clear(&err);
}
