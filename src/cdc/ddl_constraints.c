/* Constraints and indexes. */
#include "cdc/ddl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

/* What a thing of before is now: the same object, or (rebuilt by the command) one of the same name. */
static const cJSON *successor(const cJSON *list, const cJSON *old)
{
    const cJSON *same = ddl_find_by(list, "oid", ddl_text(old, "oid"));

    return same ? same : ddl_find_by(list, "name", ddl_text(old, "name"));
}

void ddl_drop_constraint(struct ddl_plan *plan, const char *name)
{
    struct buf sql = BUF_INIT;

    ddl_begin_alter(&sql, plan);
    buf_addstr(&sql, "DROP CONSTRAINT IF EXISTS ");
    ident_add(&sql, name);
    ddl_add_statement(plan, &sql);
}

void ddl_drop_index(struct ddl_plan *plan, const char *name)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "DROP INDEX IF EXISTS ");
    ident_add_qualified(&sql, plan->schema, name);
    ddl_add_statement(plan, &sql);
}

static bool types_changed(const struct ddl_case *c)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *old = ddl_column_numbered(c->before, json_i64(column, "num", 0));
        if (old && (!ddl_same_text(old, column, "type") || !ddl_same_text(old, column, "collation") ||
                    !ddl_same_text(old, column, "name")))
            return true;
    }
    return false;
}

static bool table_is_renamed(const struct ddl_case *c)
{
    return !ddl_same_text(c->before, c->after, "schema") || !ddl_same_text(c->before, c->after, "name");
}

/* But for NOT VALID, which is no part of what it is. */
static bool same_definition(const cJSON *a, const cJSON *b)
{
    static const char suffix[] = " NOT VALID";
    const char *texts[] = {ddl_text(a, "definition"), ddl_text(b, "definition")};
    size_t lengths[2];

    for (int i = 0; i < 2; i++) {
        lengths[i] = strlen(texts[i]);
        if (lengths[i] > strlen(suffix) && strcmp(texts[i] + lengths[i] - strlen(suffix), suffix) == 0)
            lengths[i] -= strlen(suffix);
    }
    return lengths[0] == lengths[1] && memcmp(texts[0], texts[1], lengths[0]) == 0;
}

/* Its text changes with what it names, without the thing being another. */
static bool is_another(const struct ddl_case *c, const cJSON *old, const cJSON *now)
{
    return now && !same_definition(old, now) && !types_changed(c) && !table_is_renamed(c);
}

void ddl_drop_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                       void (*drop)(struct ddl_plan *, const char *))
{
    const cJSON *there = json_get(c->target, kind);
    const cJSON *old;

    cJSON_ArrayForEach(old, json_get(c->before, kind))
    {
        const cJSON *now = successor(json_get(c->after, kind), old);
        const cJSON *on = ddl_find_by(there, "name", ddl_text(old, "name"));
        if (on && json_bool(on, "local", true) &&
            (!now || (is_another(c, old, now) && !same_definition(on, now))))
            drop(plan, ddl_text(old, "name"));
    }
}

void ddl_rename_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind)
{
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, kind))
    {
        struct buf sql = BUF_INIT;
        const cJSON *old = ddl_find_by(json_get(c->before, kind), "oid", ddl_text(now, "oid"));
        if (!old || ddl_same_text(old, now, "name") ||
            !ddl_find_by(json_get(c->target, kind), "name", ddl_text(old, "name")) ||
            ddl_find_by(json_get(c->target, kind), "name", ddl_text(now, "name")))
            continue;
        if (strcmp(kind, "constraints") == 0) {
            ddl_begin_alter(&sql, plan);
            buf_addstr(&sql, "RENAME CONSTRAINT ");
            ident_add(&sql, ddl_text(old, "name"));
        } else {
            buf_addstr(&sql, "ALTER INDEX ");
            ident_add_qualified(&sql, plan->schema, ddl_text(old, "name"));
            buf_addstr(&sql, " RENAME");
        }
        buf_addstr(&sql, " TO ");
        ident_add(&sql, ddl_text(now, "name"));
        ddl_add_statement(plan, &sql);
    }
}

void ddl_create_constraint(struct ddl_plan *plan, const cJSON *constraint)
{
    struct buf sql = BUF_INIT;

    ddl_begin_alter(&sql, plan);
    buf_addstr(&sql, "ADD CONSTRAINT ");
    ident_add(&sql, ddl_text(constraint, "name"));
    buf_addf(&sql, " %s", ddl_text(constraint, "definition"));
    ddl_add_statement(plan, &sql);
}

void ddl_create_index(struct ddl_plan *plan, const cJSON *index)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "CREATE %sINDEX ", json_bool(index, "unique", false) ? "UNIQUE " : "");
    ident_add(&sql, ddl_text(index, "name"));
    buf_addstr(&sql, " ON ");
    ddl_add_table(&sql, plan);
    buf_addf(&sql, " USING %s", ddl_text(index, "definition"));
    ddl_add_statement(plan, &sql);
}

void ddl_create_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                         void (*create)(struct ddl_plan *, const cJSON *))
{
    const cJSON *there = json_get(c->target, kind);
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, kind))
    {
        const cJSON *old = ddl_find_by(json_get(c->before, kind), "oid", ddl_text(now, "oid"));
        const cJSON *namesake = ddl_find_by(json_get(c->before, kind), "name", ddl_text(now, "name"));
        const cJSON *on = ddl_find_by(there, "name", ddl_text(now, "name"));
        if (!json_bool(now, "local", true) || !json_bool(now, "valid", true))
            continue;
        if (old ? is_another(c, old, now) && (!on || !same_definition(on, now))
                : !on || (namesake && is_another(c, namesake, now) && !same_definition(on, now)))
            create(plan, now);
    }
}

static bool is_validated(const cJSON *constraint)
{
    return json_bool(constraint, "valid", true);
}

void ddl_not_valid_constraints(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, "constraints"))
    {
        struct buf sql = BUF_INIT;
        const cJSON *on = ddl_find_by(json_get(c->target, "constraints"), "name", ddl_text(now, "name"));
        const cJSON *old = ddl_find_by(json_get(c->before, "constraints"), "oid", ddl_text(now, "oid"));
        if (!is_validated(now) && !on && !old && json_bool(now, "local", true)) {
            ddl_create_constraint(plan, now); /* its definition says NOT VALID */
        } else if (on && is_validated(now) && !is_validated(on) && old && !is_validated(old)) {
            ddl_begin_alter(&sql, plan);
            buf_addstr(&sql, "VALIDATE CONSTRAINT ");
            ident_add(&sql, ddl_text(now, "name"));
            ddl_add_statement(plan, &sql);
        }
    }
}
