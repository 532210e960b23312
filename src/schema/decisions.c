#include "schema/decisions.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "sql/sql.h"

static char *edits_text(const struct schema_decisions *decisions)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < decisions->edit_count; i++) {
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "object", decisions->edits[i].object);
        json_add_str(item, "sql", decisions->edits[i].sql);
        cJSON_AddItemToArray(list, item);
    }
    char *text = json_line(list);
    cJSON_Delete(list);
    return text;
}

bool schema_store_after_sql(struct conn *target, const struct schema_decisions *decisions, struct err *err)
{
    char *text = decisions->after_sql ? xasprintf("%s\n;", decisions->after_sql) : NULL;
    const char *values[] = {text};
    bool ok = !text || (conn_command_params(target, "UPDATE pgcutover.objects SET statement = $1 WHERE phase = 'after' "
                                            "AND state IN ('pending', 'failed') AND original IS NULL", 1, values, err) &&
                        conn_command_params(target, sql_schema_after_sql, 1, values, err));

    free(text);
    return ok;
}

bool schema_decide(struct conn *target, const struct schema_decisions *decisions, struct err *err)
{
    const char *policy = decisions->skip_refused ? "skip-and-report" : "stop";
    char *edits = edits_text(decisions);
    const char *values[] = {edits};
    bool ok = conn_command_params(target, "UPDATE pgcutover.migration SET on_error = $1 WHERE on_error <> $1", 1,
                                  &policy, err) &&
              conn_command_params(target, sql_schema_decide, 1, values, err) &&
              conn_command(target, sql_schema_decide_following, err);

    free(edits);
    return ok;
}

static void tell_unknown(const PGresult *res, struct err *err)
{
    const char *name = PQgetvalue(res, 0, 0);
    bool none = strcmp(PQgetvalue(res, 0, 1), "0") == 0;

    if (none)
        err_set(err, ERR_USAGE, "schema.edits: no statement of the schema is called \"%s\"", name);
    else
        err_set(err, ERR_USAGE, "schema.edits: %s statements of the schema are called \"%s\": they cannot all become one text",
                PQgetvalue(res, 0, 1), name);
    err_hint(err, "%s%s%s\"pgcutover schema --script\" has all names, as \"TYPE schema.name\".",
             none && !PQgetisnull(res, 0, 2) ? "There is: " : "", none && !PQgetisnull(res, 0, 2) ? PQgetvalue(res, 0, 2) : "",
             none && !PQgetisnull(res, 0, 2) ? ". " : "");
}

bool schema_decisions_fit(struct conn *target, const struct schema_decisions *decisions, struct err *err)
{
    char *edits = edits_text(decisions);
    const char *values[] = {edits};
    PGresult *res = decisions->edit_count ? conn_exec_params(target, sql_schema_decide_unknown, 1, values, err) : NULL;
    bool ok = !decisions->edit_count || (res && PQntuples(res) == 0);

    if (res && !ok)
        tell_unknown(res, err);
    PQclear(res);
    free(edits);
    return ok;
}

bool schema_statements(struct conn *target, char **json, struct err *err)
{
    return conn_scalar(target, sql_schema_statements, 0, NULL, json, err);
}

const struct schema_edit *schema_edit_of(const struct schema_decisions *decisions, const char *name)
{
    for (size_t i = 0; decisions && i < decisions->edit_count; i++)
        if (strcmp(decisions->edits[i].object, name) == 0)
            return &decisions->edits[i];
    return NULL;
}
