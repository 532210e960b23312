/* How it works: what was there before and after is compared part by part, each in an order in which the
 * server takes it: the table's name, its columns' names, what is dropped, columns, what is added. Every part asks the
 * target's definition before it adds a statement. */
#include "cdc/ddl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

/* --- the rest of a table --- */

void ddl_decide_identity(const struct ddl_case *c, struct ddl_plan *plan)
{
    const char *identity = ddl_text(c->after, "identity");
    struct buf sql = BUF_INIT;

    if (ddl_same_text(c->before, c->after, "identity") || ddl_same_text(c->target, c->after, "identity"))
        return;
    buf_addstr(&sql, "ALTER TABLE ONLY ");
    ddl_add_table(&sql, plan);
    buf_addstr(&sql, " REPLICA IDENTITY ");
    if (*identity == 'i') {
        buf_addstr(&sql, "USING INDEX ");
        ident_add(&sql, identity + 1);
    } else {
        buf_addstr(&sql, *identity == 'f' ? "FULL" : *identity == 'n' ? "NOTHING" : "DEFAULT");
    }
    ddl_add_statement(plan, &sql);
}

static void partition_statement(struct ddl_plan *plan, const char *action, const cJSON *partition,
                                const char *bound)
{
    struct buf sql = BUF_INIT;

    ddl_begin_alter(&sql, plan);
    buf_addf(&sql, "%s PARTITION ", action);
    ident_add_qualified(&sql, ddl_text(partition, "schema"), ddl_text(partition, "name"));
    buf_addf(&sql, "%s%s", *bound ? " " : "", bound);
    ddl_add_statement(plan, &sql);
}

static const cJSON *partition_named(const cJSON *table, const cJSON *like)
{
    const cJSON *partition;

    cJSON_ArrayForEach(partition, json_get(table, "partitions"))
    {
        if (ddl_same_text(partition, like, "schema") && ddl_same_text(partition, like, "name"))
            return partition;
    }
    return NULL;
}

static void decide_partitions(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *partition;

    cJSON_ArrayForEach(partition, json_get(c->before, "partitions"))
    {
        if (!ddl_find_by(json_get(c->after, "partitions"), "oid", ddl_text(partition, "oid")) &&
            partition_named(c->target, partition))
            partition_statement(plan, "DETACH", partition, "");
    }
    cJSON_ArrayForEach(partition, json_get(c->after, "partitions"))
    {
        if (!ddl_find_by(json_get(c->before, "partitions"), "oid", ddl_text(partition, "oid")) &&
            !partition_named(c->target, partition))
            partition_statement(plan, "ATTACH", partition, ddl_text(partition, "bound"));
    }
}

static void decide_persistence(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct buf sql = BUF_INIT;

    if (ddl_same_text(c->before, c->after, "persistence") || ddl_same_text(c->target, c->after, "persistence"))
        return;
    ddl_begin_alter(&sql, plan);
    buf_addstr(&sql, *ddl_text(c->after, "persistence") == 'u' ? "SET UNLOGGED" : "SET LOGGED");
    ddl_add_statement(plan, &sql);
}

void ddl_decide_table(const struct ddl_case *c, struct ddl_plan *plan)
{
    ddl_set_name(plan, c->target_schema, c->target_name);
    ddl_rename_table(c, plan);
    ddl_rename_columns(c, plan);
    if (c->before) {
        ddl_drop_parts(c, plan, "constraints", ddl_drop_constraint);
        ddl_drop_parts(c, plan, "indexes", ddl_drop_index);
    }
    ddl_create_owned_sequences(plan, c->after, c->before);
    ddl_decide_columns(c, plan);
    if (!c->before)
        return;
    ddl_own_sequences(plan, c->after, c->before);
    decide_persistence(c, plan);
    ddl_rename_parts(c, plan, "constraints");
    ddl_rename_parts(c, plan, "indexes");
    ddl_create_parts(c, plan, "indexes", ddl_create_index);
    ddl_create_parts(c, plan, "constraints", ddl_create_constraint);
    ddl_not_valid_constraints(c, plan);
    ddl_decide_identity(c, plan);
    decide_partitions(c, plan);
    if (!ddl_same_text(c->before, c->after, "owner") && !ddl_same_text(c->target, c->after, "owner"))
        ddl_add_owner(plan, "TABLE", ddl_text(c->after, "owner"));
}

/* --- tables without rows --- */

/* Has a column of the source's been given to one of the target's? */
static bool is_given(const cJSON *guessed, const cJSON *column)
{
    return ddl_find_by(guessed, "name", ddl_text(column, "name")) != NULL;
}

static void give(cJSON *guessed, const cJSON *there, int64_t number)
{
    cJSON *column = cJSON_Duplicate(there, true);

    cJSON_DeleteItemFromObject(column, "num");
    json_add_num(column, "num", (double)number);
    cJSON_AddItemToArray(guessed, column);
}

/* The next column of the target that has this type and no name of the source's. */
static const cJSON *nameless(const cJSON *after, const cJSON *target, const cJSON *guessed, const char *type)
{
    const cJSON *there;

    cJSON_ArrayForEach(there, json_get(target, "columns"))
    {
        if (!ddl_column_named(after, ddl_text(there, "name")) && !is_given(guessed, there) &&
            strcmp(ddl_text(there, "type"), type) == 0)
            return there;
    }
    return NULL;
}

static cJSON *guess_columns(const cJSON *after, const cJSON *target)
{
    cJSON *guessed = cJSON_CreateArray();
    const cJSON *column;
    int strangers = 0;

    cJSON_ArrayForEach(column, json_get(after, "columns"))
    {
        const cJSON *there = ddl_column_named(target, ddl_text(column, "name"));
        if (!there)
            there = nameless(after, target, guessed, ddl_text(column, "type"));
        if (there)
            give(guessed, there, json_i64(column, "num", 0));
    }
    cJSON_ArrayForEach(column, json_get(target, "columns"))
    {
        if (!is_given(guessed, column))
            give(guessed, column, --strangers);
    }
    return guessed;
}

cJSON *ddl_guess_before(const cJSON *after, const cJSON *target, const char *was_schema, const char *was_name)
{
    cJSON *before = cJSON_Duplicate(after, true);

    cJSON_ReplaceItemInObject(before, "schema", cJSON_CreateString(was_schema));
    cJSON_ReplaceItemInObject(before, "name", cJSON_CreateString(was_name));
    cJSON_ReplaceItemInObject(before, "columns", guess_columns(after, target));
    return before;
}
