/* Enums, domains and composite types. */
#include "cdc/ddl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

static void create_enum(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const char *separator = "";
    const cJSON *label;

    buf_addstr(&sql, "CREATE TYPE ");
    ddl_add_table(&sql, plan);
    buf_addstr(&sql, " AS ENUM (");
    cJSON_ArrayForEach(label, json_get(type, "labels"))
    {
        buf_addstr(&sql, separator);
        literal_add(&sql, cJSON_GetStringValue(label));
        separator = ", ";
    }
    buf_addch(&sql, ')');
    ddl_add_statement(plan, &sql);
}

static void create_domain(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const cJSON *constraint;

    buf_addstr(&sql, "CREATE DOMAIN ");
    ddl_add_table(&sql, plan);
    buf_addf(&sql, " AS %s", ddl_text(type, "base"));
    if (json_str(type, "default"))
        buf_addf(&sql, " DEFAULT %s", ddl_text(type, "default"));
    buf_addstr(&sql, json_bool(type, "notNull", false) ? " NOT NULL" : "");
    cJSON_ArrayForEach(constraint, json_get(type, "constraints"))
    {
        buf_addstr(&sql, " CONSTRAINT ");
        ident_add(&sql, ddl_text(constraint, "name"));
        buf_addf(&sql, " %s", ddl_text(constraint, "definition"));
    }
    ddl_add_statement(plan, &sql);
}

static void create_composite(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const char *separator = "";
    const cJSON *column;

    buf_addstr(&sql, "CREATE TYPE ");
    ddl_add_table(&sql, plan);
    buf_addstr(&sql, " AS (");
    cJSON_ArrayForEach(column, json_get(type, "columns"))
    {
        buf_addstr(&sql, separator);
        ident_add(&sql, ddl_text(column, "name"));
        buf_addf(&sql, " %s", ddl_text(column, "type"));
        separator = ", ";
    }
    buf_addch(&sql, ')');
    ddl_add_statement(plan, &sql);
}

static bool has_label(const cJSON *labels, const char *label)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, labels)
    {
        if (strcmp(cJSON_GetStringValue(item), label) == 0)
            return true;
    }
    return false;
}

static void add_label(struct ddl_plan *plan, const cJSON *labels, int at)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER TYPE ");
    ddl_add_table(&sql, plan);
    buf_addstr(&sql, " ADD VALUE IF NOT EXISTS ");
    literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, at)));
    /* All before it are there by now. */
    if (at > 0) {
        buf_addstr(&sql, " AFTER ");
        literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, at - 1)));
    } else if (cJSON_GetArraySize(labels) > 1) {
        buf_addstr(&sql, " BEFORE ");
        literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, 1)));
    }
    ddl_add_statement(plan, &sql);
}

static void add_labels(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    for (int i = 0; i < cJSON_GetArraySize(after); i++)
        if (!has_label(there, cJSON_GetStringValue(cJSON_GetArrayItem(after, i))))
            add_label(plan, after, i);
}

/* One label in the place of another; -1 when it is not that. */
static int renamed_label(const cJSON *after, const cJSON *there)
{
    int at = -1;

    for (int i = 0; i < cJSON_GetArraySize(after); i++) {
        const char *now = cJSON_GetStringValue(cJSON_GetArrayItem(after, i));
        const char *was = cJSON_GetStringValue(cJSON_GetArrayItem(there, i));
        if (strcmp(now, was) == 0)
            continue;
        if (at >= 0 || has_label(there, now) || has_label(after, was))
            return -1;
        at = i;
    }
    return at;
}

static void rename_label(struct ddl_plan *plan, const char *was, const char *now)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER TYPE ");
    ddl_add_table(&sql, plan);
    buf_addstr(&sql, " RENAME VALUE ");
    literal_add(&sql, was);
    buf_addstr(&sql, " TO ");
    literal_add(&sql, now);
    ddl_add_statement(plan, &sql);
}

static bool holds_all(const cJSON *all, const cJSON *some)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, some)
    {
        if (!has_label(all, cJSON_GetStringValue(item)))
            return false;
    }
    return true;
}

static void decide_enum(struct ddl_plan *plan, const cJSON *after, const cJSON *there, size_t *aside)
{
    bool same_count = cJSON_GetArraySize(after) == cJSON_GetArraySize(there);
    int at = same_count ? renamed_label(after, there) : -1;

    if (holds_all(there, after))
        return;
    if (at >= 0) {
        rename_label(plan, cJSON_GetStringValue(cJSON_GetArrayItem(there, at)),
                     cJSON_GetStringValue(cJSON_GetArrayItem(after, at)));
    } else if (holds_all(after, there)) {
        add_labels(plan, after, there);
        *aside = plan->count;
    } else {
        ddl_judge(plan, DDL_STOP, xasprintf("the labels of enum \"%s\".\"%s\" are others than on the source",
                                        plan->schema, plan->name));
    }
}

static void decide_domain(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    struct buf sql = BUF_INIT;
    char *left = json_line(json_get(after, "constraints"));
    char *right = json_line(json_get(there, "constraints"));

    if (strcmp(left ? left : "", right ? right : "") != 0 || !ddl_same_text(after, there, "base"))
        ddl_judge(plan, DDL_STOP, xasprintf("domain \"%s\".\"%s\" has other constraints or another base than on the "
                                        "source", plan->schema, plan->name));
    free(left);
    free(right);
    if (ddl_same_text(after, there, "default"))
        return;
    buf_addstr(&sql, "ALTER DOMAIN ");
    ddl_add_table(&sql, plan);
    if (json_str(after, "default"))
        buf_addf(&sql, " SET DEFAULT %s", ddl_text(after, "default"));
    else
        buf_addstr(&sql, " DROP DEFAULT");
    ddl_add_statement(plan, &sql);
}

static void decide_composite(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    char *left = json_line(json_get(after, "columns"));
    char *right = json_line(json_get(there, "columns"));

    if (strcmp(left ? left : "", right ? right : "") != 0)
        ddl_judge(plan, DDL_STOP, xasprintf("type \"%s\".\"%s\" has other attributes than on the source",
                                        plan->schema, plan->name));
    free(left);
    free(right);
}

void ddl_decide_type(const cJSON *after, const cJSON *target, size_t *aside, struct ddl_plan *plan)
{
    char kind = *ddl_text(after, "kind");

    *aside = 0;
    ddl_set_name(plan, ddl_text(after, "schema"), ddl_text(after, "name"));
    if (!target) {
        if (kind == 'e')
            create_enum(plan, after);
        else if (kind == 'd')
            create_domain(plan, after);
        else
            create_composite(plan, after);
        ddl_add_owner(plan, "TYPE", ddl_text(after, "owner"));
    } else if (!ddl_same_text(after, target, "kind")) {
        ddl_judge(plan, DDL_STOP, xasprintf("type \"%s\".\"%s\" is of another kind than on the source",
                                        plan->schema, plan->name));
    } else if (kind == 'e') {
        decide_enum(plan, json_get(after, "labels"), json_get(target, "labels"), aside);
    } else if (kind == 'd') {
        decide_domain(plan, after, target);
    } else {
        decide_composite(plan, after, target);
    }
    if (target && plan->verdict != DDL_STOP && !ddl_same_text(after, target, "owner"))
        ddl_add_owner(plan, "TYPE", ddl_text(after, "owner"));
}
