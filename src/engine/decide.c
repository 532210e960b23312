#include "engine/decide.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "engine/worker.h"
#include "schema/target.h"

struct schema_decisions decide_of(const struct plan *plan, const char *database, struct schema_edit **edits)
{
    struct schema_decisions decisions = {.skip_refused = plan->schema_on_error == ON_ERROR_SKIP};

    *edits = xcalloc(plan->schema_edit_count + 1, sizeof **edits);
    for (size_t i = 0; i < plan->schema_edit_count; i++) {
        const struct plan_edit *edit = &plan->schema_edits[i];
        if (!edit->database || strcmp(edit->database, database) == 0)
            (*edits)[decisions.edit_count++] = (struct schema_edit){edit->object, edit->sql};
    }
    decisions.edits = *edits;
    return decisions;
}

struct schema_role_map role_map_of(const struct plan *plan, struct schema_role **roles)
{
    *roles = xcalloc(plan->schema_role_count + 1, sizeof **roles);
    for (size_t i = 0; i < plan->schema_role_count; i++)
        (*roles)[i] = (struct schema_role){plan->schema_role_map[i].from, plan->schema_role_map[i].to};
    return (struct schema_role_map){*roles, plan->schema_role_count};
}

bool holds_keys(const struct plan *plan)
{
    return plan->schema_foreign_keys == FOREIGN_KEYS_DISABLE;
}

bool holds_triggers(const struct plan *plan)
{
    return plan->schema_triggers == TRIGGERS_DISABLE;
}

bool work_decide(struct work *work, struct conn *target, bool fits, struct err *err)
{
    struct schema_edit *edits;
    struct schema_decisions decisions = decide_of(&work->m->plan, work->p->name, &edits);
    bool ok = (!fits || schema_decisions_fit(target, &decisions, err)) && schema_decide(target, &decisions, err);

    free(edits);
    return ok;
}

bool work_store_after_sql(struct work *work, struct conn *target, struct err *err)
{
    struct schema_decisions decisions = {.edits = NULL};
    char *sql;
    bool ok = plan_after_schema_sql(&work->m->plan, &sql, err);

    decisions.after_sql = sql;
    ok = ok && schema_store_after_sql(target, &decisions, err);
    free(sql);
    return ok;
}

void work_tell_statements(struct work *work, struct conn *target)
{
    struct err own = ERR_INIT;
    char *text = NULL;
    bool exists = false;

    if (!conn_is_open(target) || PQtransactionStatus(target->pg) != PQTRANS_IDLE)
        return;
    cJSON *statements = schema_state_exists(target, &exists, &own) && exists && schema_statements(target, &text, &own)
                            ? cJSON_Parse(text) : NULL;
    if (statements) {
        cJSON *message = json_message("statements");
        cJSON_AddItemToObject(message, "statements", statements);
        work_send(work, message);
    } else if (err_is_set(&own)) {
        log_err(LOG_WARNING, &own);
    }
    free(text);
    err_clear(&own);
}
