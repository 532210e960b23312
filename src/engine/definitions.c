#include "engine/definitions.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cdc/ddl.h"
#include "engine/works.h"
#include "pg/ident.h"
#include "sql/sql.h"

enum field { F_OID, F_KEPT, F_SCHEMA, F_NAME, F_LISTED, F_STOPPED, F_TARGET };

struct look {
    struct work *work;
    struct conn *source, *target;
};

bool definitions_are_wanted(struct work *work, struct conn *source, bool *wanted, struct err *err)
{
    bool has_log = false;
    bool ok = source->version < 100000 || work_has_ddl_log(source, work->p->slot, &has_log, err);

    *wanted = ok && source->version >= 100000 && !has_log;
    return ok;
}

static bool keep(struct look *l, const char *oid, const char *definition, struct err *err)
{
    const char *values[] = {oid, definition};

    return conn_command_params(l->target, sql_ddl_know, 2, values, err);
}

/* *definition is owned; NULL: there is no such table. */
static bool read_one(struct conn *c, const char *oid, cJSON **definition, struct err *err)
{
    char *array = xasprintf("{%s}", oid);
    const char *values[] = {array};
    char *text = NULL;
    bool ok = conn_scalar(c, sql_ddl_definition, 1, values, &text, err);

    *definition = text ? cJSON_Parse(text) : NULL;
    free(text);
    free(array);
    return ok;
}

/* --- one that has changed --- */

static void take_name(cJSON *before, const cJSON *after)
{
    static const char *const names[] = {"schema", "name"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cJSON_ReplaceItemInObjectCaseSensitive(before, names[i], cJSON_Duplicate(json_get(after, names[i]), true));
}

static void describe(const struct look *l, const struct ddl_case *c, const struct ddl_plan *plan, struct err *why)
{
    char *table = ident_display(json_str(c->after, "schema"), json_str(c->after, "name"));
    char *source = ddl_describe(c->after), *target = ddl_describe(c->target);
    struct buf statements = BUF_INIT;

    for (size_t i = 0; i < plan->count; i++)
        buf_addf(&statements, "%s; ", plan->statements[i]);
    err_set(why, ERR_CONFLICT, "%s: the definition of table %s was changed, which nothing in the stream tells of", l->source->label,
            table);
    err_detail(why, "Source: %s. Target: %s.%s%s", source, target, plan->reason ? " " : "", plan->reason ? plan->reason : "");
    err_hint(why, "%s%sThen resume; without it the target's table stays as it is.",
             statements.len ? "Run this, or what leads to the same, on the target: " : "Do the same on the target. ",
             statements.len ? statements.data : "");
    buf_release(&statements);
    free(source);
    free(target);
    free(table);
}

static void tell(struct look *l, const char *oid, const struct ddl_case *c, const struct ddl_plan *plan)
{
    cJSON *message = json_message("table_lost");
    struct err why = ERR_INIT;

    describe(l, c, plan, &why);
    json_add_str(message, "oid", oid);
    json_add_bool(message, "definition", true);
    cJSON_AddItemToObject(message, "error", err_to_json(&why));
    work_send(l->work, message);
    err_clear(&why);
}

/* before is the look's to change. True with *done: the target has it, too, or has been stopped for it. */
static bool judge(struct look *l, const PGresult *rows, int row, cJSON *before, const cJSON *after, bool *done, struct err *err)
{
    struct ddl_plan plan = DDL_PLAN_INIT;
    cJSON *target = NULL;
    bool ok = PQgetisnull(rows, row, F_TARGET) || read_one(l->target, PQgetvalue(rows, row, F_TARGET), &target, err);

    *done = !target || *PQgetvalue(rows, row, F_STOPPED) == 't';
    if (ok && !*done) {
        take_name(before, after);
        const struct ddl_case c = {.before = before, .after = after, .target = target,
                                   .listed = *PQgetvalue(rows, row, F_LISTED) == 't',
                                   .target_schema = PQgetvalue(rows, row, F_SCHEMA),
                                   .target_name = PQgetvalue(rows, row, F_NAME), .target_version = l->target->version};
        ddl_decide_table(&c, &plan);
        *done = plan.verdict == DDL_SAME;
        if (!*done)
            tell(l, PQgetvalue(rows, row, F_OID), &c, &plan);
    }
    ddl_plan_release(&plan);
    cJSON_Delete(target);
    return ok;
}

/* --- all of them --- */

static bool compare(struct look *l, const PGresult *rows, int row, const char *now, struct err *err)
{
    const char *oid = PQgetvalue(rows, row, F_OID);
    bool done = PQgetisnull(rows, row, F_KEPT);
    bool ok = true;

    if (!done && strcmp(PQgetvalue(rows, row, F_KEPT), now) == 0)
        return true;
    if (!done) {
        cJSON *before = cJSON_Parse(PQgetvalue(rows, row, F_KEPT)), *after = cJSON_Parse(now);
        ok = judge(l, rows, row, before, after, &done, err);
        cJSON_Delete(before);
        cJSON_Delete(after);
    }
    return ok && (!done || keep(l, oid, now, err));
}

/* Definitions come in any order, and those of tables that are gone not at all. */
static bool compare_all(struct look *l, const PGresult *rows, const PGresult *definitions, struct err *err)
{
    bool ok = true;

    for (int i = 0; ok && i < PQntuples(definitions); i++) {
        cJSON *definition = cJSON_Parse(PQgetvalue(definitions, i, 0));
        const char *oid = json_str(definition, "oid");
        for (int row = 0; ok && oid && row < PQntuples(rows); row++)
            if (strcmp(PQgetvalue(rows, row, F_OID), oid) == 0)
                ok = compare(l, rows, row, PQgetvalue(definitions, i, 0), err);
        cJSON_Delete(definition);
    }
    return ok;
}

static bool look_at(struct look *l, const PGresult *rows, struct err *err)
{
    struct buf oids = BUF_INIT;

    for (int row = 0; row < PQntuples(rows); row++)
        array_add(&oids, PQgetvalue(rows, row, F_OID));
    const char *values[] = {array_end(&oids)};
    PGresult *definitions = conn_exec_params(l->source, sql_ddl_definition, 1, values, err);
    bool ok = definitions && compare_all(l, rows, definitions, err);
    PQclear(definitions);
    buf_release(&oids);
    return ok;
}

bool definitions_look(struct work *work, struct conn *source, struct conn *target, struct err *err)
{
    struct look l = {work, source, target};
    char *behind = xstrdup("0");
    bool more = true;
    bool ok = true;

    while (ok && more) {
        const char *values[] = {behind};
        PGresult *rows = conn_exec_params(target, sql_state_definitions, 1, values, err);
        more = rows && PQntuples(rows) > 0;
        ok = rows && (!more || look_at(&l, rows, err));
        if (more)
            str_replace(&behind, PQgetvalue(rows, PQntuples(rows) - 1, F_OID));
        PQclear(rows);
    }
    free(behind);
    return ok;
}
