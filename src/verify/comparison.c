#include "verify/comparison.h"

#include <stdlib.h>
#include <string.h>

#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* --- what there is to compare --- */

void side_release(struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        free(side->columns[i].name);
        free(side->columns[i].base);
        free(side->columns[i].element);
        free(side->columns[i].inside);
    }
    free(side->columns);
    free(side->encoding);
    free(side->probe);
}

static bool read_columns(struct side *side, struct err *err)
{
    const char *values[] = {side->schema, side->name, side->only};
    PGresult *res = conn_exec_params(side->c, sql_verify_columns, 3, values, err);
    int rows = res ? PQntuples(res) : 0;

    if (rows) {
        side->kind = *PQgetvalue(res, 0, 0);
        side->populated = *PQgetvalue(res, 0, 1) == 't';
        side->columns = xcalloc((size_t)rows, sizeof *side->columns);
    }
    for (int i = 0; i < rows && !PQgetisnull(res, i, 2); i++)
        side->columns[side->count++] = (struct verify_column){
            .name = xstrdup(PQgetvalue(res, i, 2)), .base = xstrdup(PQgetvalue(res, i, 3)),
            .element = xstrdup(PQgetvalue(res, i, 4)), .is_range = *PQgetvalue(res, i, 5) == 't',
            .inside = xstrdup(PQgetvalue(res, i, 6))};
    PQclear(res);
    return res != NULL;
}

static bool read_server(struct side *side, struct err *err)
{
    PGresult *res = conn_exec(side->c, side->c->version >= 110000 ? sql_verify_server : sql_verify_server_pg95, err);
    bool ok = res && PQntuples(res) == 1;

    if (ok) {
        side->encoding = xstrdup(PQgetvalue(res, 0, 0));
        side->probe = PQgetisnull(res, 0, 1) ? NULL : xstrdup(PQgetvalue(res, 0, 1));
    }
    PQclear(res);
    return ok;
}

bool side_read(struct side *side, struct err *err)
{
    return read_server(side, err) && read_columns(side, err);
}

static const struct verify_column *find_column(const struct side *side, const char *name, size_t hint)
{
    if (hint < side->count && strcmp(side->columns[hint].name, name) == 0)
        return &side->columns[hint];
    for (size_t i = 0; i < side->count; i++)
        if (strcmp(side->columns[i].name, name) == 0)
            return &side->columns[i];
    return NULL;
}

static void add_note(struct verify_result *result, const char *text)
{
    char *note = result->note ? xasprintf("%s; %s", result->note, text) : xstrdup(text);

    free(result->note);
    result->note = note;
}

/* Where the types differ on the two sides only the plain text can agree. */
static void choose_form(struct comparison *cmp, size_t i, const struct verify_column *there)
{
    const struct verify_column *column = &cmp->from.columns[i];

    cmp->forms[i] = rowtext_form(column, cmp->from.c->version, cmp->to.c->version);
    if (cmp->forms[i] == ROWTEXT_NONE) {
        char *text = xasprintf("column \"%s\" was not compared: its text differs between these versions",
                               column->name);
        add_note(cmp->result, text);
        free(text);
    } else if (strcmp(column->base, there->base) != 0 || strcmp(column->element, there->element) != 0) {
        cmp->forms[i] = ROWTEXT_PLAIN;
    }
}

/* False with a note when the target lacks something: a difference without looking at rows. */
bool comparison_is_possible(struct comparison *cmp)
{
    if (!cmp->to.kind) {
        add_note(cmp->result, "it does not exist on the target");
        return false;
    }
    if (!cmp->to.populated) {
        add_note(cmp->result, "it is not populated on the target");
        return false;
    }
    cmp->forms = xcalloc(cmp->from.count + 1, sizeof *cmp->forms);
    for (size_t i = 0; i < cmp->from.count; i++) {
        const struct verify_column *there = find_column(&cmp->to, cmp->from.columns[i].name, i);
        if (!there) {
            char *text = xasprintf("column \"%s\" does not exist on the target", cmp->from.columns[i].name);
            add_note(cmp->result, text);
            free(text);
            return false;
        }
        choose_form(cmp, i, there);
    }
    return true;
}

/* --- the statement --- */

bool comparison_converts(const struct comparison *cmp)
{
    return strcmp(cmp->from.encoding, cmp->to.encoding) != 0 &&
           strcmp(cmp->from.encoding, "SQL_ASCII") != 0 && strcmp(cmp->to.encoding, "SQL_ASCII") != 0;
}

static bool has_same_hash(const struct comparison *cmp)
{
    return cmp->from.probe && cmp->to.probe && strcmp(cmp->from.probe, cmp->to.probe) == 0 &&
           !comparison_converts(cmp); /* text has one, bytes have none */
}

void comparison_add_hash(const struct comparison *cmp, struct buf *sql)
{
    struct buf row = BUF_INIT;

    /* Always the source's list: the same columns in the same order on both sides. */
    rowtext_add(&row, cmp->from.columns, cmp->forms, cmp->from.count);
    if (has_same_hash(cmp))
        buf_addf(sql, "pg_catalog.hashtextextended(%s COLLATE \"C\", 0)", row.data);
    else if (comparison_converts(cmp))
        buf_addf(sql, "('x' || pg_catalog.substr(pg_catalog.md5(pg_catalog.convert_to(%s, 'UTF8')), 1, 16))"
                      "::pg_catalog.bit(64)::pg_catalog.int8", row.data);
    else
        buf_addf(sql, "('x' || pg_catalog.substr(pg_catalog.md5(%s), 1, 16))::pg_catalog.bit(64)::pg_catalog.int8",
                 row.data);
    buf_release(&row);
}

void comparison_add_from(const struct side *side, const char *where, struct buf *sql)
{
    buf_addf(sql, " FROM %s", side->kind == 'r' ? "ONLY " : "");
    ident_add_qualified(sql, side->schema, side->name);
    if (where) /* on lines of its own: it may end in a comment. No alias: it may name the table */
        buf_addf(sql, " WHERE (\n%s\n)", where);
}

/* What regclass finds is what is there now; the other rows of the catalogs are those of the snapshot. */
void comparison_add_storage(const struct side *side, struct buf *sql)
{
    struct buf name = BUF_INIT;

    ident_add_qualified(&name, side->schema, side->name);
    buf_addstr(sql, "; WITH RECURSIVE tree (oid) AS (SELECT ");
    literal_add(sql, name.data);
    buf_addf(sql, "::pg_catalog.regclass::pg_catalog.oid%s) "
                  "SELECT pg_catalog.bool_and(coalesce(c.relkind NOT IN ('r', 'm') OR "
                  "c.relfilenode = pg_catalog.pg_relation_filenode(c.oid), false)) "
                  "FROM tree t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.oid",
             side->kind == 'p' ? " UNION ALL SELECT i.inhrelid FROM tree u JOIN pg_catalog.pg_inherits i "
                                 "ON i.inhparent = u.oid" : "");
    buf_release(&name);
}

/* --- both sides --- */

bool comparison_begin(struct conn *c, const char *snapshot, struct err *err)
{
    return (snapshot ? snapshot_adopt(c, snapshot, err) : snapshot_begin_plain(c, err)) && conn_command(c, "SET LOCAL lc_monetary = 'C'", err);
}

bool comparison_send(struct conn *c, const char *sql, struct err *err)
{
    if (PQsendQuery(c->pg, sql))
        return conn_flush(c, err);
    conn_error(c, NULL, sql, err);
    return false;
}

bool comparison_knows_source(struct comparison *cmp, struct err *err)
{
    if (cmp->from.kind)
        return true;
    char *table = ident_display(cmp->job->schema, cmp->job->name);
    err_set(err, ERR_PREREQUISITE, "%s: table %s does not exist", cmp->from.c->label, table);
    free(table);
    return false;
}

static bool other_storage(const struct side *side, struct err *err)
{
    char *table = ident_display(side->schema, side->name);

    err_set(err, ERR_CONFLICT, "%s: table %s was truncated, rewritten or made again while it was compared", side->c->label, table);
    err_hint(err, "Compare it again.");
    free(table);
    return false;
}

/* Takes one result of the two: the rows, then what is said of the storage. */
static bool take(const struct side *side, PGresult *res, const char *sql, PGresult **rows, struct err *err)
{
    if (PQresultStatus(res) != PGRES_TUPLES_OK) {
        conn_error(side->c, res, sql, err);
        return false;
    }
    if (!*rows) {
        *rows = res;
        return true;
    }
    return *PQgetvalue(res, 0, 0) == 't' || other_storage(side, err);
}

PGresult *comparison_collect(const struct side *side, const char *sql, struct err *err)
{
    PGresult *rows = NULL, *res;
    bool ok = true;

    do {
        if (!conn_next_result(side->c, &res, ok ? err : NULL)) {
            PQclear(rows);
            return NULL;
        }
        ok = ok && (!res || take(side, res, sql, &rows, err));
        if (res != rows)
            PQclear(res);
    } while (res);
    if (ok)
        return rows;
    PQclear(rows);
    return NULL;
}

bool comparison_run_both(struct comparison *cmp, const char *from_sql, const char *to_sql, PGresult *rows[2],
                         struct err *err)
{
    struct conn *src = cmp->from.c, *dst = cmp->to.c;

    rows[0] = rows[1] = NULL;
    if (!comparison_send(src, from_sql, err))
        return false;
    if (!comparison_send(dst, to_sql, err)) {
        conn_cancel(src);
        PQclear(comparison_collect(&cmp->from, from_sql, NULL));
        return false;
    }
    rows[0] = comparison_collect(&cmp->from, from_sql, err);
    if (!rows[0])
        conn_cancel(dst);
    rows[1] = comparison_collect(&cmp->to, to_sql, rows[0] ? err : NULL);
    return rows[0] && rows[1];
}
