/* Tables that are new, and objects that are gone. */
#include "cdc/ddl_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

void ddl_describe_parts(const cJSON *definition, const char *schema, const char *name, const char ***oids,
                        struct ddl_plan *plan)
{
    const cJSON *constraints = json_get(definition, "constraints");
    const cJSON *indexes = json_get(definition, "indexes");
    int room = cJSON_GetArraySize(constraints) + cJSON_GetArraySize(indexes);
    const cJSON *item;
    size_t n = 0;

    *oids = xcalloc((size_t)room + 1, sizeof **oids);
    ddl_set_name(plan, schema, name);
    cJSON_ArrayForEach(item, constraints)
    {
        ddl_create_constraint(plan, item);
        (*oids)[n++] = ddl_text(item, "oid");
    }
    cJSON_ArrayForEach(item, indexes)
    {
        ddl_create_index(plan, item);
        (*oids)[n++] = ddl_text(item, "oid");
    }
}

/* --- new tables --- */

static void add_new_columns(struct buf *sql, const cJSON *table)
{
    const char *separator = " (";
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(table, "columns"))
    {
        if (cJSON_IsArray(json_get(table, "inherits")) && !json_bool(column, "local", true))
            continue;
        buf_addstr(sql, separator);
        ident_add(sql, ddl_text(column, "name"));
        buf_addch(sql, ' ');
        ddl_add_column_type(sql, column);
        ddl_add_generated(sql, column);
        if (json_str(column, "default") && !*ddl_text(column, "generated"))
            buf_addf(sql, " DEFAULT %s", ddl_text(column, "default"));
        if (*ddl_text(column, "identity")) {
            buf_addch(sql, ' ');
            ddl_add_identity(sql, table, column);
        }
        buf_addstr(sql, json_bool(column, "notNull", false) ? " NOT NULL" : "");
        separator = ", ";
    }
    buf_addstr(sql, *separator == ' ' ? " ()" : ")");
}

static void add_name_pair(struct buf *sql, const cJSON *pair)
{
    const char *schema = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));

    ident_add_qualified(sql, schema ? schema : "", name ? name : "");
}

static void add_parents(struct buf *sql, const cJSON *inherits)
{
    const char *separator = " INHERITS (";
    const cJSON *pair;

    cJSON_ArrayForEach(pair, inherits)
    {
        buf_addstr(sql, separator);
        add_name_pair(sql, pair);
        separator = ", ";
    }
    if (*separator == ',')
        buf_addch(sql, ')');
}

/* Made as a table of its own and attached: so its columns' order is the source's. */
static void attach(struct ddl_plan *plan, const cJSON *definition)
{
    struct buf sql = BUF_INIT;

    if (!cJSON_IsArray(json_get(definition, "parent")))
        return;
    buf_addstr(&sql, "ALTER TABLE ");
    add_name_pair(&sql, json_get(definition, "parent"));
    buf_addstr(&sql, " ATTACH PARTITION ");
    ddl_add_table(&sql, plan);
    buf_addf(&sql, " %s", ddl_text(definition, "bound"));
    ddl_add_statement(plan, &sql);
}

static void make_table(struct ddl_plan *plan, const cJSON *definition)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "CREATE %sTABLE ", *ddl_text(definition, "persistence") == 'u' ? "UNLOGGED " : "");
    ddl_add_table(&sql, plan);
    add_new_columns(&sql, definition);
    add_parents(&sql, json_get(definition, "inherits"));
    if (*ddl_text(definition, "key"))
        buf_addf(&sql, " PARTITION BY %s", ddl_text(definition, "key"));
    ddl_add_statement(plan, &sql);
}

void ddl_create_table(const cJSON *definition, int target_version, struct ddl_plan *plan)
{
    const struct ddl_case c = {.after = definition, .target_version = target_version};
    const cJSON *item;

    ddl_set_name(plan, ddl_text(definition, "schema"), ddl_text(definition, "name"));
    ddl_create_owned_sequences(plan, definition, NULL);
    make_table(plan, definition);
    ddl_own_sequences(plan, definition, NULL);
    ddl_add_owner(plan, "TABLE", ddl_text(definition, "owner"));
    ddl_create_parts(&c, plan, "constraints", ddl_create_constraint);
    ddl_not_valid_constraints(&c, plan);
    ddl_create_parts(&c, plan, "indexes", ddl_create_index);
    attach(plan, definition);
    if (*ddl_text(definition, "identity") != 'd')
        ddl_decide_identity(&c, plan);
    cJSON_ArrayForEach(item, json_get(definition, "columns"))
        ddl_remember_always(plan, item);
}

/* --- drops --- */

void ddl_drop_object(const cJSON *dropped, struct ddl_plan *plan)
{
    static const struct {
        const char *type, *statement;
        bool original; /* only where it was named: else it went with something that has a statement */
    } kinds[] = {
        {"view", "DROP VIEW IF EXISTS ", false},
        {"materialized view", "DROP MATERIALIZED VIEW IF EXISTS ", false},
        {"index", "DROP INDEX IF EXISTS ", true},
        {"sequence", "DROP SEQUENCE IF EXISTS ", true},
        {"type", "DROP TYPE IF EXISTS ", true},
    };
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(ddl_text(dropped, "type"), kinds[i].type) != 0 ||
            (kinds[i].original && !json_bool(dropped, "original", false)))
            continue;
        buf_addstr(&sql, kinds[i].statement);
        ident_add_qualified(&sql, ddl_text(dropped, "schema"), ddl_text(dropped, "name"));
        ddl_add_statement(plan, &sql);
    }
}
