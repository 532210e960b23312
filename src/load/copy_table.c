/* How it works: COPY ... TO STDOUT on the source, COPY ... FROM STDIN on the target, columns matched by
 * name. Rows pass as the source gives them, in its own encoding (option ENCODING on both sides, so
 * that what the connections' client_encoding is does not matter), gathered to chunks of 64 KB.
 *
 * In text form every CopyData message is one row: rows sent are counted here and must equal what the
 * target says that it stored. The statements are built in one place (plan_statements()), where a
 * binary form would be chosen. */
#include "load/copy_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "load/names.h"
#include "pg/copy.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define CHUNK_BYTES (64 << 10)
#define REPORT_EVERY_MS 200
#define LOCK_TIMEOUT_MS 60000
/* The text of type money depends on it. */
#define SAME_MONEY "SET LOCAL lc_monetary = 'C'"

struct column {
    char *name; /* owned */
    bool generated;
};

struct relation {
    char kind; /* pg_class.relkind */
    bool referenced;
    struct column *columns; /* owned */
    size_t count;
};

struct statements {
    char *copy_out; /* owned, as all below */
    char *empty;
    char *copy_in;
    bool freeze;
};

struct copy {
    struct conn *src, *dst;
    const struct copy_job *job;
    const struct copy_progress *progress;
    struct relation from, to;
    struct statements sql;
    struct copy_result result;
    struct buf chunk;
    int64_t next_report_ms;
};

/* --- what both sides have --- */

static void relation_release(struct relation *relation)
{
    for (size_t i = 0; i < relation->count; i++)
        free(relation->columns[i].name);
    free(relation->columns);
}

static bool relation_read(struct conn *c, const char *schema, const char *name, const char *only,
                          struct relation *relation, struct err *err)
{
    const char *values[] = {schema, name, only};
    PGresult *res = conn_exec_params(c, sql_load_relation, 3, values, err);
    int rows = res ? PQntuples(res) : 0;

    if (res && !rows) {
        char *table = ident_display(schema, name);
        err_set(err, ERR_PREREQUISITE, "%s: table %s does not exist", c->label, table);
        free(table);
    }
    if (rows) {
        relation->kind = *PQgetvalue(res, 0, 0);
        relation->referenced = *PQgetvalue(res, 0, 1) == 't';
        relation->columns = xcalloc((size_t)rows, sizeof *relation->columns);
    }
    for (int i = 0; i < rows && !PQgetisnull(res, i, 2); i++)
        relation->columns[relation->count++] = (struct column){
            .name = xstrdup(PQgetvalue(res, i, 2)), .generated = *PQgetvalue(res, i, 3) != '\0'};
    PQclear(res);
    return rows > 0;
}

static int compare_columns(const void *a, const void *b)
{
    return strcmp(((const struct column *)a)->name, ((const struct column *)b)->name);
}

static bool misfit(struct copy *copy, const char *column, const char *what, struct err *err)
{
    char *table = ident_display(copy->job->target_schema, copy->job->target_name);

    err_set(err, ERR_PREREQUISITE, "%s: column \"%s\" of table %s %s", copy->dst->label, column, table,
            what);
    free(table);
    return false;
}

/* Every column that the source's rows carry must be there to take it. */
static bool columns_fit(struct copy *copy, struct err *err)
{
    size_t plain = 0;

    /* The target's order is not needed from here on. */
    if (copy->to.count)
        qsort(copy->to.columns, copy->to.count, sizeof *copy->to.columns, compare_columns);
    for (size_t i = 0; i < copy->from.count; i++) {
        const struct column *column = &copy->from.columns[i];
        const struct column *there = !copy->to.count ? NULL :
            bsearch(column, copy->to.columns, copy->to.count, sizeof *column, compare_columns);
        if (!there)
            return misfit(copy, column->name, "does not exist", err);
        if (there->generated && !column->generated)
            return misfit(copy, column->name, "is generated, but not on the source", err);
        if (!there->generated && column->generated)
            return misfit(copy, column->name, "is generated on the source, but not here", err);
        plain += !column->generated;
    }
    for (size_t i = 0; !plain && i < copy->to.count; i++)
        if (!copy->to.columns[i].generated)
            return misfit(copy, copy->to.columns[i].name, "has nothing to be filled from: the source "
                          "has no column", err);
    return true;
}

static bool kinds_fit(struct copy *copy, struct err *err)
{
    const struct copy_job *job = copy->job;
    bool ok = copy->to.kind == 'r' || copy->to.kind == 'p';

    if (!ok) {
        char *table = ident_display(job->target_schema, job->target_name);
        err_set(err, ERR_PREREQUISITE, "%s: %s is not a table", copy->dst->label, table);
        free(table);
    }
    return ok;
}

/* --- the statements --- */

static void add_columns(struct buf *out, const struct relation *relation, bool parentheses)
{
    size_t n = 0;

    for (size_t i = 0; i < relation->count; i++) {
        if (relation->columns[i].generated)
            continue;
        buf_addstr(out, n++ ? ", " : parentheses ? " (" : "");
        ident_add(out, relation->columns[i].name);
    }
    if (n && parentheses)
        buf_addch(out, ')');
}

/* A plain table is read by COPY itself (it takes no rows of children); anything else by a query. */
static void add_source(struct buf *out, const struct copy *copy)
{
    const struct copy_job *job = copy->job;

    buf_addstr(out, "COPY ");
    if (copy->from.kind == 'r' && !job->where) {
        ident_add_qualified(out, job->schema, job->name);
        add_columns(out, &copy->from, true);
        return;
    }
    buf_addstr(out, "(SELECT ");
    add_columns(out, &copy->from, false);
    buf_addstr(out, copy->from.kind == 'r' ? " FROM ONLY " : " FROM ");
    ident_add_qualified(out, job->schema, job->name);
    if (job->where) /* on lines of its own: it may end in a comment */
        buf_addf(out, " WHERE (\n%s\n)", job->where);
    buf_addch(out, ')');
}

static void add_encoding(struct buf *out, const char *encoding)
{
    buf_addstr(out, "ENCODING ");
    literal_add(out, encoding);
}

static char *emptying(const struct copy *copy)
{
    struct buf sql = BUF_INIT;

    /* TRUNCATE refuses a table that a foreign key refers to, be it as empty as it may. */
    buf_addstr(&sql, copy->to.referenced ? "DELETE FROM " : "TRUNCATE ");
    if (copy->to.kind == 'r')
        buf_addstr(&sql, "ONLY ");
    ident_add_qualified(&sql, copy->job->target_schema, copy->job->target_name);
    return buf_take(&sql);
}

static bool database_encoding(struct conn *c, char **encoding, struct err *err)
{
    return conn_scalar(c, "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database "
                          "WHERE datname = pg_catalog.current_database()", 0, NULL, encoding, err);
}

/* Bytes of an SQL_ASCII database mean nothing by themselves: the target takes them as its own encoding,
 * and so checks them. */
static bool plan_statements(struct copy *copy, struct err *err)
{
    struct buf out = BUF_INIT, in = BUF_INIT;
    char *encoding = NULL, *own = NULL;
    bool ok = database_encoding(copy->src, &encoding, err) && database_encoding(copy->dst, &own, err);

    if (ok) {
        bool raw = strcmp(encoding, "SQL_ASCII") == 0;
        copy->sql.freeze = copy->to.kind == 'r' && !copy->to.referenced;
        add_source(&out, copy);
        buf_addstr(&out, " TO STDOUT WITH (");
        add_encoding(&out, encoding);
        buf_addch(&out, ')');
        buf_addstr(&in, "COPY ");
        ident_add_qualified(&in, copy->job->target_schema, copy->job->target_name);
        add_columns(&in, &copy->from, true);
        buf_addf(&in, " FROM STDIN WITH (%s", copy->sql.freeze ? "FREEZE, " : "");
        add_encoding(&in, raw ? own : encoding);
        buf_addch(&in, ')');
        copy->sql.copy_out = buf_take(&out);
        copy->sql.copy_in = buf_take(&in);
        copy->sql.empty = emptying(copy);
    }
    free(encoding);
    free(own);
    return ok;
}

/* --- the snapshot --- */

static bool not_as_in_snapshot(struct copy *copy, const char *what, struct err *err)
{
    char *table = ident_display(copy->job->schema, copy->job->name);

    err_set(err, ERR_CONFLICT, "%s: table %s %s", copy->src->label, table, what);
    err_detail(err, "The snapshot would show it empty or not at all.");
    err_hint(err, "The table is loaded under a new snapshot.");
    if (err)
        err->retryable = true;
    free(table);
    return false;
}

/* The lock keeps the storage as it is from the look to the COPY. */
static bool snapshot_still_fits(struct copy *copy, struct err *err)
{
    const struct copy_job *job = copy->job;
    char *name = ident_qualified(job->schema, job->name);
    const char *values[] = {job->oid, name};
    PGresult *res = NULL;
    bool ok = false;

    if (!conn_commandf(copy->src, err, "LOCK TABLE ONLY %s IN ACCESS SHARE MODE", name))
        goto out;
    res = conn_exec_params(copy->src, sql_load_snapshot_state, 2, values, err);
    if (!res)
        goto out;
    if (!PQntuples(res))
        not_as_in_snapshot(copy, "did not exist when the snapshot was taken", err);
    else if (*PQgetvalue(res, 0, 0) != 't')
        not_as_in_snapshot(copy, "was renamed or made again since the snapshot was taken", err);
    else if (*PQgetvalue(res, 0, 1) != 't')
        not_as_in_snapshot(copy, "was rewritten or truncated since the snapshot was taken", err);
    else
        ok = true;
out:
    PQclear(res);
    free(name);
    return ok;
}

/* --- the stream --- */

static void report(struct copy *copy, bool now)
{
    if (!copy->progress || !copy->progress->report)
        return;
    if (!now && clock_mono_ms() < copy->next_report_ms)
        return;
    copy->next_report_ms = clock_mono_ms() + REPORT_EVERY_MS;
    copy->progress->report(copy->progress->arg, copy->result.rows, copy->result.bytes);
}

static bool pace(struct copy *copy, int64_t bytes, struct err *err)
{
    const struct copy_progress *progress = copy->progress;

    return !progress || !progress->pace || progress->pace(progress->arg, bytes, err);
}

static bool put_chunk(struct copy *copy, struct err *err)
{
    bool ok = !copy->chunk.len ||
              (copy_in_put(copy->dst, copy->chunk.data, (int)copy->chunk.len, err) &&
               pace(copy, (int64_t)copy->chunk.len, err));

    copy->result.bytes += (int64_t)copy->chunk.len;
    buf_clear(&copy->chunk);
    report(copy, false);
    return ok;
}

/* A large row goes by itself, in pieces: libpq moves what is left in its buffer after every partial write,
 * which is quadratic for a message of hundreds of megabytes. */
static bool put_large(struct copy *copy, const char *data, int len, struct err *err)
{
    if (!put_chunk(copy, err))
        return false;
    for (int at = 0; at < len; at += CHUNK_BYTES)
        if (!copy_in_put(copy->dst, data + at, len - at < CHUNK_BYTES ? len - at : CHUNK_BYTES, err))
            return false;
    copy->result.bytes += len;
    report(copy, false);
    return pace(copy, len, err);
}

static bool put_row(struct copy *copy, const char *data, int len, struct err *err)
{
    copy->result.rows++;
    if (len >= CHUNK_BYTES)
        return put_large(copy, data, len, err);
    buf_add(&copy->chunk, data, (size_t)len);
    return copy->chunk.len < CHUNK_BYTES || put_chunk(copy, err);
}

/* Reads what the source still sends after the target failed. */
static void drain_source(struct conn *src)
{
    char *data;
    int len;

    conn_cancel(src);
    while (copy_out_next(src, &data, &len, NULL) > 0)
        PQfreemem(data);
}

static bool stream(struct copy *copy, struct err *err)
{
    char *data;
    int len, got;
    bool ok = true;

    while (ok && (got = copy_out_next(copy->src, &data, &len, err)) != 0) {
        if (got < 0) {
            copy_in_abort(copy->dst, "the source failed");
            return false;
        }
        ok = put_row(copy, data, len, err);
        PQfreemem(data);
    }
    if (!ok) {
        drain_source(copy->src);
        return false;
    }
    return put_chunk(copy, err);
}

static bool pass_rows(struct copy *copy, struct err *err)
{
    int64_t stored = -1;

    if (!copy_in_begin(copy->dst, copy->sql.copy_in, err))
        return false;
    if (!copy_out_begin(copy->src, copy->sql.copy_out, err)) {
        copy_in_abort(copy->dst, "the source failed");
        return false;
    }
    if (!stream(copy, err) || !copy_in_end(copy->dst, &stored, err))
        return false;
    report(copy, true);
    if (stored != copy->result.rows) {
        err_set(err, ERR_CONFLICT, "%s: %lld rows were sent, but %lld were stored", copy->dst->label,
                (long long)copy->result.rows, (long long)stored);
        err_hint(err, "Look for a trigger or rule on the target's table that drops rows.");
        return false;
    }
    return true;
}

/* --- the target's transaction --- */

static bool make_room(struct copy *copy, struct err *err)
{
    const struct table_name table = {copy->job->target_schema, copy->job->target_name};
    bool ok = conn_command(copy->dst, "BEGIN READ WRITE", err) &&
              conn_command(copy->dst, SAME_MONEY, err) &&
              conn_commandf(copy->dst, err, "SET LOCAL lock_timeout = %d", LOCK_TIMEOUT_MS) &&
              conn_command(copy->dst, copy->sql.empty, err) &&
              conn_command(copy->dst, "SET LOCAL lock_timeout = 0", err);

    if (!ok && err && strcmp(err->sqlstate, "55P03") == 0) {
        struct buf array = BUF_INIT;
        names_array_add(&array, &table, 1);
        conn_rollback(copy->dst);
        lock_blockers(copy->dst, array.data, true, err);
        buf_release(&array);
    }
    return ok;
}

static bool mark_loaded(struct copy *copy, struct err *err)
{
    char lsn[LSN_TEXT_SIZE];
    char *rows = xasprintf("%lld", (long long)copy->result.rows);
    char *bytes = xasprintf("%lld", (long long)copy->result.bytes);
    const char *values[] = {
        copy->job->oid,
        copy->job->epoch_lsn != LSN_INVALID ? lsn_format(copy->job->epoch_lsn, lsn) : NULL, rows, bytes};
    PGresult *res = conn_exec_params(copy->dst, sql_load_mark, 4, values, err);
    bool ok = res && PQntuples(res) == 1;

    if (res && !ok)
        err_set(err, ERR_INTERNAL, "%s: table with OID %s is not in pgcutover.tables", copy->dst->label,
                copy->job->oid);
    PQclear(res);
    free(rows);
    free(bytes);
    return ok;
}

static bool run(struct copy *copy, struct err *err)
{
    const struct copy_job *job = copy->job;

    return conn_command(copy->src, SAME_MONEY, err) &&
           (!job->oid || snapshot_still_fits(copy, err)) &&
           relation_read(copy->src, job->schema, job->name, job->columns, &copy->from, err) &&
           relation_read(copy->dst, job->target_schema, job->target_name, NULL, &copy->to, err) &&
           kinds_fit(copy, err) && columns_fit(copy, err) && plan_statements(copy, err) &&
           make_room(copy, err) && pass_rows(copy, err) && (!job->mark || mark_loaded(copy, err)) &&
           conn_command(copy->dst, "COMMIT", err);
}

bool copy_table(struct conn *src, struct conn *dst, const struct copy_job *job,
                const struct copy_progress *progress, struct copy_result *result, struct err *err)
{
    struct copy copy = {.src = src, .dst = dst, .job = job, .progress = progress,
                        .result = {.started_us = clock_wall_us()}};
    bool ok = run(&copy, err);

    if (!ok) {
        char *table = ident_display(job->schema, job->name);
        conn_rollback(dst);
        conn_rollback(src);
        err_wrap(err, "could not load table %s", table);
        free(table);
    }
    copy.result.ended_us = clock_wall_us();
    copy.result.frozen = copy.sql.freeze;
    if (ok)
        *result = copy.result;
    relation_release(&copy.from);
    relation_release(&copy.to);
    free(copy.sql.copy_out);
    free(copy.sql.empty);
    free(copy.sql.copy_in);
    buf_release(&copy.chunk);
    return ok;
}
