/* Column lists: what the plan names, as the columns of the tables that are there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "catalog/select.h"
#include "pg/ident.h"
#include "sql/sql.h"

static bool resolve(struct conn *src, const struct plan_database *database,
                    struct table_entry *entry, struct err *err)
{
    char oid[16];
    const char *values[] = {oid, entry->columns, entry->columns_left_out ? "t" : "f"};

    snprintf(oid, sizeof oid, "%" PRIu32, entry->oid);
    PGresult *res = conn_exec_params(src, sql_catalog_columns, 3, values, err);
    if (!res)
        return false;
    bool unknown = !PQgetisnull(res, 0, 0);
    bool ok = !unknown && !PQgetisnull(res, 0, 1);
    if (ok) {
        str_replace(&entry->columns, PQgetvalue(res, 0, 1));
        entry->columns_left_out = false;
    } else {
        char *table = ident_display(entry->schema, entry->name);
        const char *key = entry->columns_left_out ? "excludedColumns" : "columns";
        if (unknown)
            err_set(err, ERR_USAGE, "database \"%s\": tableMappings: table %s has no column %s, which "
                    "%s names", database->name, table, PQgetvalue(res, 0, 0), key);
        else
            err_set(err, ERR_USAGE, "database \"%s\": tableMappings: %s leaves no column of table %s",
                    database->name, key, table);
        err_hint(err, "It has %s. Write a name with double quotes as in SQL where it has capitals.",
                 PQgetvalue(res, 0, 2));
        free(table);
    }
    PQclear(res);
    return ok;
}

bool catalog_resolve_columns(struct conn *src, const struct plan_database *database,
                             struct table_list *list, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < list->count; i++)
        if (list->items[i].columns)
            ok = resolve(src, database, &list->items[i], err);
    return ok;
}
