/* What the applier learns about target tables, and forgets again. A table is looked at when its first
 * change comes, and again after a Relation message that says something new, and after any error. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* --- refusals --- */

static char *source_type(PGresult *names, size_t column)
{
    return names && (int)column < PQntuples(names) ? PQgetvalue(names, (int)column, 0) : "?";
}

static PGresult *type_names(struct applier *applier, const struct source_table *source)
{
    struct buf oids = BUF_INIT;
    struct buf typmods = BUF_INIT;
    struct err ignored = ERR_INIT;

    for (size_t i = 0; i < source->column_count; i++) {
        buf_addf(&oids, "%c%u", i ? ',' : '{', source->columns[i].type_oid);
        buf_addf(&typmods, "%c%d", i ? ',' : '{', source->columns[i].typmod);
    }
    buf_addstr(&oids, oids.len ? "}" : "{}");
    buf_addstr(&typmods, typmods.len ? "}" : "{}");
    const char *values[] = {oids.data, typmods.data};
    PGresult *names = apply_ask(applier, sql_apply_type_names, 2, values, &ignored);
    err_clear(&ignored);
    buf_release(&oids);
    buf_release(&typmods);
    return names;
}

/* Both definitions, and the statement that would help. */
static void explain_difference(struct applier *applier, const struct apply_table *table,
                               size_t column, struct err *err)
{
    const struct source_table *source = &table->source;
    PGresult *names = type_names(applier, source);
    struct buf detail = BUF_INIT;
    struct buf change = BUF_INIT;

    buf_addstr(&detail, "Source: (");
    for (size_t i = 0; i < source->column_count; i++)
        buf_addf(&detail, "%s%s %s", i ? ", " : "", source->columns[i].name, source_type(names, i));
    buf_addstr(&detail, "). Target: (");
    for (size_t i = 0; i < table->target.column_count; i++)
        buf_addf(&detail, "%s%s %s", i ? ", " : "", table->target.columns[i].name,
                 table->target.columns[i].type_name);
    buf_addstr(&detail, ").");
    err_detail(err, "%s", detail.data);

    bool there = target_table_column(&table->target, source->columns[column].name) >= 0;
    ident_add(&change, source->columns[column].name);
    buf_addf(&change, there ? " TYPE %s" : " %s", source_type(names, column));
    err_hint(err, "Bring the target's table to the source's definition, then resume: ALTER TABLE %s %s "
             "COLUMN %s; rows that are there already need the values that they have on the source.",
             table->display, there ? "ALTER" : "ADD", change.data);
    buf_release(&change);
    buf_release(&detail);
    PQclear(names);
}

static bool refuse_triggers(struct applier *applier, const struct apply_table *table, struct err *err)
{
    err_set(err, ERR_PREREQUISITE, "target table %s has %s, which would act on applied changes",
            table->display, table->target.obstacles);
    if (applier->lanes[0].conn->version >= 150000)
        err_hint(err, "As a superuser: GRANT SET ON PARAMETER session_replication_role TO \"%s\"; or "
                 "disable the triggers and drop the foreign keys until the cutover, as schema.triggers and "
                 "schema.foreignKeys \"disable\" do.",
                 PQuser(applier->lanes[0].conn->pg));
    else
        err_hint(err, "Apply as a superuser, who may set session_replication_role, or disable the "
                 "triggers and drop the foreign keys until the cutover, as schema.triggers and schema.foreignKeys "
                 "\"disable\" do.");
    return false;
}

/* --- columns that changed places --- */

/* Do the columns that both have come in one order? */
static bool is_in_order(const struct apply_table *table)
{
    int last = -1;

    for (size_t i = 0; i < table->source.column_count; i++) {
        int at = target_table_column(&table->target, table->source.columns[i].name);
        if (at >= 0 && at < last)
            return false;
        last = at >= 0 ? at : last;
    }
    return true;
}

/* Inherited columns come in another order on a target that was made from a dump. */
static bool may_differ(struct applier *applier, const struct apply_table *table, bool *may, struct err *err)
{
    char *oid = xasprintf("%u", table->target.oid);
    const char *values[] = {oid};
    PGresult *res = apply_pipe_query(&applier->lanes[0].pipe, "SELECT 1 FROM pg_catalog.pg_inherits "
                                     "WHERE inhrelid = $1::pg_catalog.oid LIMIT 1", 1, values, err);

    *may = res && PQntuples(res) > 0;
    PQclear(res);
    free(oid);
    return res != NULL;
}

/* Columns that changed names among themselves are all there by name, and their old rows hold each other's
 * values. The order tells: it is the source's, or was the source's until now. */
static bool order_fits(struct applier *applier, struct apply_table *table, struct err *err)
{
    bool may = !applier->options.same_types;

    if (is_in_order(table)) {
        table->was_in_order = true;
        return true;
    }
    if (!table->was_in_order && !may && !may_differ(applier, table, &may, err))
        return false;
    if (!table->was_in_order && may)
        return true;
    err_set(err, ERR_CONFLICT, "the columns of target table %s are not in the source's order: on the source, "
            "columns were renamed or made anew", table->display);
    explain_difference(applier, table, 0, err);
    err_hint(err, "Do to the target's table what was done to the source's, then resume; or load the table again.");
    return false;
}

/* --- looking --- */

static bool read_columns(struct applier *applier, struct apply_table *table, struct err *err)
{
    const char *values[] = {table->target_schema, table->target_name};
    PGresult *res = apply_ask(applier, sql_apply_target, 2, values, err);
    bool found = res && target_table_read(&table->target, values[0], values[1], res);

    if (res && !found) {
        err_set(err, ERR_CONFLICT, "target table %s does not exist", table->display);
        err_hint(err, "Create it like the source's table, then resume.");
    }
    PQclear(res);
    return found;
}

static bool read_keys(struct applier *applier, struct apply_table *table, struct err *err)
{
    char *oid = xasprintf("%u", table->target.oid);
    const char *values[] = {oid};
    PGresult *res = apply_ask(applier, sql_apply_target_keys, 1, values, err);

    if (res)
        target_table_read_keys(&table->target, res);
    PQclear(res);
    free(oid);
    return res != NULL;
}

bool apply_resolve(struct applier *applier, struct apply_table *table, struct err *err)
{
    size_t column = 0;

    if (table->mapped)
        return true;
    if (!table->source.name) {
        err_set(err, ERR_PROTOCOL, "a change came before the definition of source table %s",
                table->source_name);
        return false;
    }
    if (!apply_group_finish(applier, err) || !read_columns(applier, table, err) || !read_keys(applier, table, err))
        return false;
    if (!applier->lanes[0].conn->replica_role && table->target.obstacles)
        return refuse_triggers(applier, table, err);
    if (!table_map_build(&table->map, &table->source, &table->target, applier->options.same_types,
                         &column, err)) {
        explain_difference(applier, table, column, err);
        return false;
    }
    if (!order_fits(applier, table, err)) {
        table_map_release(&table->map);
        return false;
    }
    if (table->map.find == FIND_ROW || table->map.find == FIND_KEY_IMAGE)
        log_msg(LOG_WARNING, "target table %s has no unique index that fits the replica identity: "
                "every UPDATE and DELETE reads the whole table", table->display);
    table->statements = xcalloc(applier->lane_count, sizeof *table->statements);
    table->gathered.oid = table->source_oid;
    table->mapped = true;
    return true;
}

/* --- forgetting --- */

static bool deallocate(struct apply_lane *lane, const struct apply_statement *statement,
                       struct err *err)
{
    char sql[48];

    if (!statement->prepared)
        return true;
    snprintf(sql, sizeof sql, "DEALLOCATE %s", statement->name);
    if (!apply_pipe_room(&lane->pipe, 0, err))
        return false;
    if (!PQsendQueryParams(lane->conn->pg, sql, 0, NULL, NULL, NULL, NULL, 0)) {
        conn_error(lane->conn, NULL, sql, err);
        return false;
    }
    apply_pipe_add(&lane->pipe, PIPE_OTHER)->sql = "DEALLOCATE";
    return true;
}

static bool drop_statements(struct apply_lane *lane, struct apply_statement **list, bool tell,
                            struct err *err)
{
    bool ok = true;
    bool any = *list != NULL;

    while (*list) {
        ok = ok && (!tell || deallocate(lane, *list, err));
        apply_cache_drop(&lane->cache, *list);
    }
    return ok && (!tell || !any || lane->open || apply_pipe_sync(&lane->pipe, err));
}

bool apply_unmap(struct applier *applier, struct apply_table *table, bool tell, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; table->statements && i < applier->lane_count; i++)
        ok = drop_statements(&applier->lanes[i], &table->statements[i], tell, err) && ok;
    free(table->statements);
    table->statements = NULL;
    table_map_release(&table->map);
    target_table_release(&table->target);
    table->mapped = false;
    return ok;
}

bool apply_evict(struct apply_lane *lane, struct err *err)
{
    struct apply_statement *victim = apply_cache_victim(&lane->cache);

    if (!victim)
        return true;
    if (!deallocate(lane, victim, err))
        return false;
    apply_cache_drop(&lane->cache, victim);
    return true;
}

bool apply_read_tables(struct applier *applier, struct err *err)
{
    PGresult *res = apply_ask(applier, sql_apply_tables, 0, NULL, err);
    const struct apply_table *reloaded = res ? apply_tables_read(&applier->tables, res) : NULL;

    PQclear(res);
    apply_report_news(applier);
    if (reloaded) {
        err_set(err, ERR_CONFLICT, "target table %s was loaded again or taken out of the stream while changes were applied to it",
                reloaded->display);
        if (err)
            err->retryable = true;
    }
    return res && !reloaded;
}
