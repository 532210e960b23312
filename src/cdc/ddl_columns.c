/* Names and columns. A column is the same one when it has the same number on the source; on the target it is found by the
 * name that it had. */
#include "cdc/ddl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

/* --- names --- */

void ddl_set_name(struct ddl_plan *plan, const char *schema, const char *name)
{
    str_replace(&plan->schema, schema);
    str_replace(&plan->name, name);
}

static void move_identity_rows(struct ddl_plan *plan, const char *column, const char *from, const char *to)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "UPDATE pgcutover.identity SET %s = ", column);
    literal_add(&sql, to);
    buf_addstr(&sql, " WHERE table_schema = ");
    literal_add(&sql, plan->schema);
    buf_addstr(&sql, " AND table_name = ");
    literal_add(&sql, plan->name);
    buf_addf(&sql, " AND %s = ", column);
    literal_add(&sql, from);
    ddl_add_statement(plan, &sql);
}

void ddl_rename_table(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct buf sql = BUF_INIT;
    const char *schema = ddl_text(c->after, "schema");
    const char *name = ddl_text(c->after, "name");

    if (!c->before || !ddl_same_text(c->before, c->target, "schema") ||
        !ddl_same_text(c->before, c->target, "name"))
        return;
    if (strcmp(schema, plan->schema) != 0) {
        move_identity_rows(plan, "table_schema", plan->schema, schema);
        ddl_begin_alter(&sql, plan);
        buf_addstr(&sql, "SET SCHEMA ");
        ident_add(&sql, schema);
        ddl_add_statement(plan, &sql);
        ddl_set_name(plan, schema, plan->name);
    }
    if (strcmp(name, plan->name) != 0) {
        move_identity_rows(plan, "table_name", plan->name, name);
        ddl_begin_alter(&sql, plan);
        buf_addstr(&sql, "RENAME TO ");
        ident_add(&sql, name);
        ddl_add_statement(plan, &sql);
        ddl_set_name(plan, schema, name);
    }
}

/* The column of the target that is column `number` of the source: by the name it had, or has. */
static const cJSON *on_target(const struct ddl_case *c, int64_t number)
{
    const cJSON *old = ddl_column_numbered(c->before, number);
    const cJSON *now = ddl_column_numbered(c->after, number);
    const cJSON *found = old ? ddl_column_named(c->target, ddl_text(old, "name")) : NULL;

    /* The old name may be another column's by now, when somebody renamed it on the target. */
    if (found && now && !ddl_same_text(old, now, "name") && ddl_column_named(c->target, ddl_text(now, "name")) &&
        ddl_column_named(c->after, ddl_text(old, "name")))
        found = NULL;
    return found || !now ? found : ddl_column_named(c->target, ddl_text(now, "name"));
}

void ddl_rename_columns(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        struct buf sql = BUF_INIT;
        const cJSON *there = on_target(c, json_i64(column, "num", 0));
        if (!there || ddl_same_text(there, column, "name"))
            continue;
        if (*ddl_text(column, "identity"))
            move_identity_rows(plan, "column_name", ddl_text(there, "name"), ddl_text(column, "name"));
        ddl_begin_alter(&sql, plan);
        buf_addstr(&sql, "RENAME COLUMN ");
        ident_add(&sql, ddl_text(there, "name"));
        buf_addstr(&sql, " TO ");
        ident_add(&sql, ddl_text(column, "name"));
        ddl_add_statement(plan, &sql);
    }
}

/* --- columns --- */

struct alter {
    const struct ddl_case *c;
    struct ddl_plan *plan;
    struct buf first;  /* drops, so that a name can be used again in the same statement */
    struct buf second; /* additions and changes */
    struct buf third;  /* what follows: defaults of the time to come */
};

static void column_action(struct buf *sql, const char *action, const cJSON *column, const char *rest)
{
    buf_addstr(sql, sql->len ? ", " : "");
    buf_addf(sql, "%s COLUMN ", action);
    ident_add(sql, ddl_text(column, "name"));
    buf_addstr(sql, rest);
}

/* Was the name of a column that is gone given to one that was there before? */
static bool name_was_taken_over(const struct ddl_case *c, const char *name)
{
    const cJSON *now = ddl_column_named(c->after, name);

    return now && ddl_column_numbered(c->before, json_i64(now, "num", 0));
}

static void drop_columns(struct alter *a)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(a->c->before, "columns"))
    {
        const char *name = ddl_text(column, "name");
        if (!ddl_column_numbered(a->c->after, json_i64(column, "num", 0)) &&
            ddl_column_named(a->c->target, name) && !name_was_taken_over(a->c, name))
            column_action(&a->first, "DROP", column, "");
    }
}

static void must_reload(struct alter *a, const cJSON *column, const char *what)
{
    char *table = ident_display(ddl_text(a->c->after, "schema"), ddl_text(a->c->after, "name"));

    ddl_judge(a->plan, DDL_RELOAD, xasprintf("the source %s column \"%s\" of table %s with values of its own",
                                         what, ddl_text(column, "name"), table));
    free(table);
}

/* The value that rows from before get; NULL: null. Owned. */
static char *old_rows_value(struct alter *a, const cJSON *column)
{
    const char *missing = json_str(a->c->missing, ddl_text(column, "name"));
    const char *value = json_str(column, "default");
    struct buf out = BUF_INIT;

    if (missing) {
        literal_add(&out, missing);
        buf_addf(&out, "::%s", ddl_text(column, "type"));
        return buf_take(&out);
    }
    if (!a->c->rewritten || (!value && !*ddl_text(column, "identity")))
        return NULL;
    if (value && ddl_is_constant(value))
        return xstrdup(value);
    must_reload(a, column, "filled");
    return NULL;
}

static void set_default(struct buf *sql, const cJSON *column)
{
    const char *value = json_str(column, "default");
    char *rest = value ? xasprintf(" SET DEFAULT %s", value) : xstrdup(" DROP DEFAULT");

    column_action(sql, "ALTER", column, rest);
    free(rest);
}

static void add_column(struct alter *a, const cJSON *column)
{
    struct buf rest = BUF_INIT;
    const char *value = json_str(column, "default");
    bool generated = *ddl_text(column, "generated") != '\0';
    char *old = generated ? NULL : old_rows_value(a, column);

    buf_addch(&rest, ' ');
    ddl_add_column_type(&rest, column);
    ddl_add_generated(&rest, column);
    if (old)
        buf_addf(&rest, " DEFAULT %s", old);
    if (*ddl_text(column, "identity")) {
        buf_addch(&rest, ' ');
        ddl_add_identity(&rest, a->c->after, column);
    }
    buf_addstr(&rest, json_bool(column, "notNull", false) ? " NOT NULL" : "");
    column_action(&a->second, "ADD", column, rest.data);
    if (!generated && ((value && (!old || strcmp(old, value) != 0)) || (old && !value)))
        set_default(&a->third, column);
    free(old);
    buf_release(&rest);
}

static void change_type(struct alter *a, const cJSON *column, const cJSON *there)
{
    struct buf rest = BUF_INIT;

    /* Without a rewrite no value changed; with one, the server's own cast made it where nothing else was said. */
    if (!a->c->without_rows && (a->c->rewritten & DDL_REWRITE_TYPE) && !a->c->plain)
        must_reload(a, column, "converted");
    buf_addstr(&rest, " TYPE ");
    ddl_add_column_type(&rest, column);
    if (a->c->without_rows || a->plan->verdict == DDL_RELOAD)
        buf_addf(&rest, " USING NULL::%s", ddl_text(column, "type"));
    a->plan->converts = true;
    if (!*ddl_text(column, "generated")) { /* it might not convert by itself */
        if (json_str(there, "default"))
            column_action(&a->second, "ALTER", column, " DROP DEFAULT");
        column_action(&a->second, "ALTER", column, rest.data);
        if (json_str(column, "default"))
            set_default(&a->second, column);
    } else {
        column_action(&a->second, "ALTER", column, rest.data);
    }
    buf_release(&rest);
}

/* Did the command change it, and is it otherwise on the target? Where nothing is known of before, the
 * target's word decides alone. */
static bool is_due(const cJSON *old, const cJSON *now, const cJSON *there, const char *key)
{
    return (!old || !ddl_same_text(old, now, key)) && !ddl_same_text(there, now, key);
}

static void change_generated(struct alter *a, const cJSON *old, const cJSON *column, const cJSON *there)
{
    bool was = *ddl_text(there, "generated") != '\0';
    bool is = *ddl_text(column, "generated") != '\0';
    char *rest;

    if (was && !is) {
        column_action(&a->second, "ALTER", column, " DROP EXPRESSION");
    } else if (was && is && is_due(old, column, there, "default")) {
        rest = xasprintf(" SET EXPRESSION AS (%s)", ddl_text(column, "default"));
        column_action(&a->second, "ALTER", column, rest);
        free(rest);
    } else if (!was && is) {
        ddl_judge(a->plan, DDL_STOP, xasprintf("column \"%s\" is generated on the source, but not on the target",
                                           ddl_text(column, "name")));
    }
}

static void change_identity(struct alter *a, const cJSON *column, const cJSON *there)
{
    struct buf rest = BUF_INIT;
    bool was = *ddl_text(there, "identity") != '\0';
    bool is = *ddl_text(column, "identity") != '\0';

    if (was == is)
        return;
    buf_addstr(&rest, is ? " ADD " : " DROP IDENTITY IF EXISTS");
    if (is)
        ddl_add_identity(&rest, a->c->after, column);
    column_action(is ? &a->third : &a->second, "ALTER", column, rest.data);
    buf_release(&rest);
}

static void change_column(struct alter *a, const cJSON *column, const cJSON *there)
{
    const cJSON *old = ddl_column_numbered(a->c->before, json_i64(column, "num", 0));
    bool not_null = json_bool(column, "notNull", false);

    if (is_due(old, column, there, "type") || is_due(old, column, there, "collation"))
        change_type(a, column, there);
    else if (!*ddl_text(column, "generated") && !*ddl_text(there, "generated") &&
             is_due(old, column, there, "default"))
        set_default(&a->second, column);
    if ((!old || json_bool(old, "notNull", false) != not_null) &&
        json_bool(there, "notNull", false) != not_null)
        column_action(not_null ? &a->third : &a->second, "ALTER", column,
                      not_null ? " SET NOT NULL" : " DROP NOT NULL");
    if (!old || !ddl_same_text(old, column, "generated") || *ddl_text(column, "generated"))
        change_generated(a, old, column, there);
    if (!old || !ddl_same_text(old, column, "identity"))
        change_identity(a, column, there);
}

static void send_actions(struct ddl_plan *plan, struct buf *actions)
{
    struct buf sql = BUF_INIT;

    if (actions->len) {
        ddl_begin_alter(&sql, plan);
        buf_add(&sql, actions->data, actions->len);
        ddl_add_statement(plan, &sql);
    }
    buf_release(actions);
}

void ddl_decide_columns(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct alter a = {.c = c, .plan = plan};
    const cJSON *column;

    drop_columns(&a);
    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *there = on_target(c, json_i64(column, "num", 0));
        const cJSON *old = ddl_column_numbered(c->before, json_i64(column, "num", 0));
        /* A new column may have the name of one that was dropped in the same breath. */
        const cJSON *namesake = ddl_find_by(json_get(c->before, "columns"), "name", ddl_text(column, "name"));
        bool replaces = !old && namesake && there &&
                        !ddl_column_numbered(c->after, json_i64(namesake, "num", 0));
        if (there && !replaces)
            change_column(&a, column, there);
        else if (!old && !c->listed) /* an old one that is not there was left out by the plan */
            add_column(&a, column);
    }
    send_actions(plan, &a.first);
    send_actions(plan, &a.second);
    send_actions(plan, &a.third);
    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *old = ddl_column_numbered(c->before, json_i64(column, "num", 0));
        if (!old || !ddl_same_text(old, column, "identity"))
            ddl_remember_always(plan, column);
    }
}
