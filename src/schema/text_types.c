/* How it works: one query of the catalog says which columns may be text, and the statements for it, a table at a time; what else
 * depends on a column keeps it as it is. Whether the statements lead back exactly is the server's to say: they are tried. */
#include "schema/text_types.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/ident.h"
#include "sql/sql.h"

enum { TEXT_NAME, TEXT_OUT, TEXT_BACK, TEXT_WHY, TEXT_TYPE };

/* --- labels --- */

struct labels {
    PGresult *source, *target; /* owned; type and label, sorted alike */
};

static bool labels_read(struct labels *l, struct conn *source, struct conn *target, struct err *err)
{
    l->source = conn_exec(source, sql_schema_enum_labels, err);
    l->target = l->source ? conn_exec(target, sql_schema_enum_labels, err) : NULL;
    return l->target != NULL;
}

static void labels_release(struct labels *l)
{
    PQclear(l->source);
    PQclear(l->target);
}

/* Where a type's labels begin, and end; the same when it has none. */
static void range_of(const PGresult *res, const char *type, int *begin, int *end)
{
    for (*begin = 0; *begin < PQntuples(res) && strcmp(PQgetvalue(res, *begin, 0), type) != 0; ++*begin)
        continue;
    for (*end = *begin; *end < PQntuples(res) && strcmp(PQgetvalue(res, *end, 0), type) == 0; ++*end)
        continue;
}

static int find_label(const PGresult *res, int begin, int end, const char *label)
{
    for (int i = begin; i < end; i++)
        if (strcmp(PQgetvalue(res, i, 1), label) == 0)
            return i;
    return -1;
}

/* Row i of the source's is the first of its type, or follows the one before; appended: what gives it to the target. */
static void add_statement(struct buf *sql, const PGresult *source, int i, int begin, int target_begin, const PGresult *target)
{
    buf_addf(sql, "ALTER TYPE %s ADD VALUE IF NOT EXISTS ", PQgetvalue(source, i, 0));
    literal_add(sql, PQgetvalue(source, i, 1));
    buf_addstr(sql, i > begin ? " AFTER " : " BEFORE ");
    literal_add(sql, i > begin ? PQgetvalue(source, i - 1, 1) : PQgetvalue(target, target_begin, 1));
}

/* Those that the target's enum has too come in one order? */
static bool is_in_order(const struct labels *l, int begin, int end, int target_begin, int target_end)
{
    int last = -1;

    for (int i = begin; i < end; i++) {
        int at = find_label(l->target, target_begin, target_end, PQgetvalue(l->source, i, 1));
        if (at >= 0 && at < last)
            return false;
        last = at >= 0 ? at : last;
    }
    return true;
}

bool schema_labels_add(struct conn *source, struct conn *target, struct buf *added, struct buf *otherwise, struct err *err)
{
    struct labels l = {0};
    bool ok = labels_read(&l, source, target, err);
    int end = 0, target_begin, target_end;

    for (int begin = 0; ok && begin < PQntuples(l.source); begin = end) {
        const char *type = PQgetvalue(l.source, begin, 0);
        range_of(l.source, type, &begin, &end);
        range_of(l.target, type, &target_begin, &target_end);
        for (int i = begin; ok && target_begin < target_end && i < end; i++) {
            if (find_label(l.target, target_begin, target_end, PQgetvalue(l.source, i, 1)) >= 0)
                continue;
            struct buf sql = BUF_INIT;
            add_statement(&sql, l.source, i, begin, target_begin, l.target);
            ok = conn_command(target, sql.data, err);
            buf_addf(added, "%s%s: '%s'", added->len ? ", " : "", type, PQgetvalue(l.source, i, 1));
            buf_release(&sql);
        }
        if (!is_in_order(&l, begin, end, target_begin, target_end))
            buf_addf(otherwise, "%s%s", otherwise->len ? ", " : "", type);
    }
    labels_release(&l);
    return ok;
}

/* --- columns that keep their type --- */

/* The statements that would give a type what it lacks; "" where it lacks nothing. */
static void lacking(const struct labels *l, const char *type, struct buf *statements)
{
    int begin, end, target_begin, target_end;

    range_of(l->source, type, &begin, &end);
    range_of(l->target, type, &target_begin, &target_end);
    for (int i = begin; target_begin < target_end && i < end; i++) {
        if (find_label(l->target, target_begin, target_end, PQgetvalue(l->source, i, 1)) >= 0)
            continue;
        buf_addstr(statements, statements->len ? "; " : "");
        add_statement(statements, l->source, i, begin, target_begin, l->target);
    }
}

/* Rows with such a label would be refused until the cutover. */
static bool kept_have_labels(struct conn *labels_of, struct conn *target, const PGresult *res, struct err *err)
{
    struct labels l = {0};
    bool ok = labels_read(&l, labels_of, target, err);

    for (int i = 0; ok && i < PQntuples(res); i++) {
        struct buf statements = BUF_INIT;
        if (PQgetisnull(res, i, TEXT_OUT)) {
            char *type = xstrdup(PQgetvalue(res, i, TEXT_TYPE));
            type[strcspn(type, "[")] = '\0'; /* of an array: its elements */
            lacking(&l, type, &statements);
            free(type);
        }
        if (statements.len) {
            err_set(err, ERR_PREREQUISITE, "%s: column %s cannot be text until the cutover, and its type %s lacks labels", target->label,
                    PQgetvalue(res, i, TEXT_NAME), PQgetvalue(res, i, TEXT_TYPE));
            err_detail(err, "What keeps it: %s.", PQgetvalue(res, i, TEXT_WHY));
            err_hint(err, "On the target: %s. Then resume.", statements.data);
            ok = false;
        }
        buf_release(&statements);
    }
    labels_release(&l);
    return ok;
}

static bool picked_tables(struct conn *target, char **schemas, char **tables, struct err *err)
{
    PGresult *res = conn_exec(target, "SELECT coalesce(pg_catalog.array_agg(t.target_schema ORDER BY t.source_oid::pg_catalog.int8), '{}'), "
                              "coalesce(pg_catalog.array_agg(t.target_table ORDER BY t.source_oid::pg_catalog.int8), '{}') "
                              "FROM pgcutover.tables t WHERE t.mode <> 'dropped'", err);

    *schemas = res ? xstrdup(PQgetvalue(res, 0, 0)) : NULL;
    *tables = res ? xstrdup(PQgetvalue(res, 0, 1)) : NULL;
    PQclear(res);
    return res != NULL;
}

static PGresult *ask(struct conn *c, const char *schemas, const char *tables, const char *kept, struct err *err)
{
    const char *values[] = {schemas, tables, kept};

    return conn_command(c, "SET search_path = ''", err) ? conn_exec_params(c, sql_schema_text_columns, 3, values, err) : NULL;
}

/* Those that something of the source's depends on, as an array. */
static bool kept_on_source(struct conn *source, const char *schemas, const char *tables, const struct schema_text_way *way,
                           struct buf *kept, struct err *err)
{
    PGresult *res = source ? ask(source, schemas, tables, NULL, err) : NULL;

    for (int i = 0; res && i < PQntuples(res); i++)
        if (PQgetisnull(res, i, TEXT_OUT)) {
            array_add(kept, PQgetvalue(res, i, TEXT_NAME));
            way->kept(way->arg, PQgetvalue(res, i, TEXT_NAME), PQgetvalue(res, i, TEXT_WHY));
        }
    bool ok = !source || res;
    PQclear(res);
    return ok;
}

/* --- tables --- */

/* What leads there and back must leave no trace: the table as the catalog describes it is the same. */
static bool try_table(struct conn *target, const char *out, const char *back, struct err *err)
{
    bool ok = conn_command(target, "BEGIN", err) && conn_command(target, "SET LOCAL lock_timeout = '30s'", err) &&
              conn_command(target, out, err) && conn_command(target, back, err);

    conn_rollback(target);
    return ok;
}

static bool is_refusal(const struct err *err)
{
    return err->code == ERR_SERVER && !err->retryable;
}

static bool make_text(struct conn *target, const PGresult *res, int i, const struct schema_text_way *way, struct err *err)
{
    const char *name = PQgetvalue(res, i, TEXT_NAME), *out = PQgetvalue(res, i, TEXT_OUT), *back = PQgetvalue(res, i, TEXT_BACK);
    struct err own = ERR_INIT;

    if (!try_table(target, out, back, &own)) {
        bool refused = is_refusal(&own);
        if (refused)
            way->kept(way->arg, name, own.message);
        else
            err_move(err, &own);
        err_clear(&own);
        return refused;
    }
    bool ok = way->before(way->arg, name, back, err) && conn_command(target, out, err);
    if (!ok)
        err_wrap(err, "could not make columns of %s text", name);
    return ok;
}

bool schema_types_to_text(struct conn *source, struct conn *labels_of, struct conn *target, const struct schema_text_way *way,
                          struct err *err)
{
    struct buf kept = BUF_INIT;
    char *schemas = NULL, *tables = NULL;
    PGresult *res = NULL;
    bool ok = picked_tables(target, &schemas, &tables, err) && kept_on_source(source, schemas, tables, way, &kept, err) &&
              (res = ask(target, schemas, tables, array_end(&kept), err)) != NULL &&
              (!labels_of || kept_have_labels(labels_of, target, res, err));

    for (int i = 0; ok && i < PQntuples(res); i++) {
        if (!PQgetisnull(res, i, TEXT_OUT))
            ok = make_text(target, res, i, way, err);
        else if (!source)
            way->kept(way->arg, PQgetvalue(res, i, TEXT_NAME), PQgetvalue(res, i, TEXT_WHY));
    }
    PQclear(res);
    free(schemas);
    free(tables);
    buf_release(&kept);
    return ok;
}
