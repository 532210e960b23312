/* How it works: COPY ... TO STDOUT on the source, COPY ... FROM STDIN on the target, columns matched by
 * name. Rows pass as the source gives them, gathered to chunks of 64 KB: in binary form where every
 * column's type has the same wire form on both sides (load/wire.h), else as text in the source's own
 * encoding (option ENCODING on both sides, so that what the connections' client_encoding is does not matter).
 *
 * Every CopyData message is one row, in binary form but for the header before the first row and the
 * trailer, a message of its own (PostgreSQL docs, "COPY", "Binary Format"): rows sent are counted
 * here and must equal what the target says that it stored. */
#include "load/copy_table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "load/names.h"
#include "load/parts.h"
#include "load/relation.h"
#include "pg/copy.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define CHUNK_BYTES (64 << 10)
#define REPORT_EVERY_MS 200
#define LOCK_TIMEOUT_MS 60000
#define BINARY_SIGNATURE "PGCOPY\n\377\r\n" /* with its NUL: 11 bytes */
#define BINARY_HEADER_BYTES 19

struct statements {
    char *copy_out; /* owned, as all below */
    char *empty;    /* NULL: it is empty */
    char *copy_in;
    bool freeze;
    bool binary;
};

/* One table of those that are copied together. */
struct item {
    const struct copy_job *job;
    struct relation from, to;
    struct statements sql;
    struct copy_result result;
    bool header_seen, trailer_seen; /* of the binary form */
};

struct copy {
    struct conn *src, *dst;
    const struct copy_progress *progress;
    struct item *items; /* owned */
    size_t count;
    bool small; /* what is empty on the target is left as it is */
    bool cut;         /* the table is just emptied, to be copied in parts */
    struct part part; /* with a job of one part */
    struct buf chunk;
    int64_t next_report_ms;
};

/* --- what both sides have --- */

static bool absent(struct conn *c, const char *schema, const char *name, struct err *err)
{
    char *table = ident_display(schema, name);

    err_set(err, ERR_PREREQUISITE, "%s: table %s does not exist", c->label, table);
    free(table);
    return false;
}

static bool read_relations(struct copy *copy, bool source, struct err *err)
{
    struct relation_key *keys = xcalloc(copy->count, sizeof *keys);
    struct relation *relations = xcalloc(copy->count, sizeof *relations);

    for (size_t i = 0; i < copy->count; i++) {
        const struct copy_job *job = copy->items[i].job;
        keys[i] = source ? (struct relation_key){job->oid, job->schema, job->name, job->columns}
                         : (struct relation_key){NULL, job->target_schema, job->target_name, NULL};
    }
    bool ok = relations_read(source ? copy->src : copy->dst, keys, copy->count, relations, err);
    for (size_t i = 0; i < copy->count; i++)
        *(source ? &copy->items[i].from : &copy->items[i].to) = relations[i];
    free(relations);
    free(keys);
    return ok;
}

static int compare_columns(const void *a, const void *b)
{
    return strcmp(((const struct column *)a)->name, ((const struct column *)b)->name);
}

static const struct column *column_there(const struct item *item, const struct column *column)
{
    return !item->to.count ? NULL : bsearch(column, item->to.columns, item->to.count, sizeof *column,
                                            compare_columns);
}

static bool misfit(struct copy *copy, const struct item *item, const char *column, const char *what,
                   struct err *err)
{
    char *table = ident_display(item->job->target_schema, item->job->target_name);

    err_set(err, ERR_PREREQUISITE, "%s: column \"%s\" of table %s %s", copy->dst->label, column, table,
            what);
    free(table);
    return false;
}

/* Every column that the source's rows carry must be there to take it. */
static bool columns_fit(struct copy *copy, struct item *item, struct err *err)
{
    size_t plain = 0;

    /* The target's order is not needed from here on. */
    if (item->to.count)
        qsort(item->to.columns, item->to.count, sizeof *item->to.columns, compare_columns);
    for (size_t i = 0; i < item->from.count; i++) {
        const struct column *column = &item->from.columns[i];
        const struct column *there = column_there(item, column);
        if (!there)
            return misfit(copy, item, column->name, "does not exist", err);
        if (there->generated && !column->generated)
            return misfit(copy, item, column->name, "is generated, but not on the source", err);
        if (!there->generated && column->generated)
            return misfit(copy, item, column->name, "is generated on the source, but not here", err);
        plain += !column->generated;
    }
    for (size_t i = 0; !plain && i < item->to.count; i++)
        if (!item->to.columns[i].generated)
            return misfit(copy, item, item->to.columns[i].name, "has nothing to be filled from: the "
                          "source has no column", err);
    return true;
}

static bool kinds_fit(struct copy *copy, struct item *item, struct err *err)
{
    const struct copy_job *job = item->job;

    if (!item->to.kind)
        return absent(copy->dst, job->target_schema, job->target_name, err);
    if (item->to.kind == 'r' || item->to.kind == 'p')
        return true;
    char *table = ident_display(job->target_schema, job->target_name);
    err_set(err, ERR_PREREQUISITE, "%s: %s is not a table", copy->dst->label, table);
    free(table);
    return false;
}

/* --- binary or text --- */

static bool column_is_binary(const struct copy_types *types, const struct column *from,
                             const struct column *to)
{
    struct buf here = BUF_INIT, there = BUF_INIT;
    bool same = wire_form_add(types->source, from->type, &here) &&
                wire_form_add(types->target, to->type, &there) &&
                strcmp(here.data, there.data) == 0;

    buf_release(&here);
    buf_release(&there);
    return same;
}

static void tell_form(const struct item *item, const char *reason)
{
    char *table = ident_display(item->job->schema, item->job->name);

    if (item->sql.binary)
        log_msg(LOG_INFO, "table %s is copied in binary form", table);
    else
        log_msg(LOG_INFO, "table %s is copied as text: %s", table, reason);
    free(table);
}

static void choose_form(struct copy *copy, struct item *item)
{
    const struct copy_types *types = item->job->types;
    const char *why = "the types were not read";
    char *reason = NULL;

    item->sql.binary = types && wire_sessions_agree(copy->src, copy->dst, &why);
    for (size_t i = 0; item->sql.binary && i < item->from.count; i++) {
        const struct column *from = &item->from.columns[i];
        if (from->generated || column_is_binary(types, from, column_there(item, from)))
            continue;
        item->sql.binary = false;
        reason = xasprintf("the binary form of column \"%s\", type %s, may differ", from->name,
                           wire_type_name(types->source, from->type));
    }
    if (!item->job->part)
        tell_form(item, reason ? reason : why);
    free(reason);
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
static void add_source(struct buf *out, const struct item *item, const struct part *part)
{
    const struct copy_job *job = item->job;

    buf_addstr(out, "COPY ");
    if (item->from.kind == 'r' && !job->where && !job->part) {
        ident_add_qualified(out, job->schema, job->name);
        add_columns(out, &item->from, true);
        return;
    }
    buf_addstr(out, "(SELECT ");
    add_columns(out, &item->from, false);
    buf_addstr(out, item->from.kind == 'r' ? " FROM ONLY " : " FROM ");
    ident_add_qualified(out, job->schema, job->name);
    if (job->part)
        buf_addf(out, " WHERE %s", part->condition);
    if (job->where) /* on lines of its own: it may end in a comment */
        buf_addf(out, "%s (\n%s\n)", job->part ? " AND" : " WHERE", job->where);
    buf_addch(out, ')');
}

static void add_form(struct buf *out, const struct item *item, const char *encoding)
{
    if (item->sql.binary) {
        buf_addstr(out, "FORMAT binary)");
        return;
    }
    buf_addstr(out, "ENCODING ");
    literal_add(out, encoding);
    buf_addch(out, ')');
}

static char *emptying(const struct item *item)
{
    const char *replace = item->job->replace;
    struct buf sql = BUF_INIT;

    /* TRUNCATE refuses a table that a foreign key refers to, be it as empty as it may. */
    buf_addstr(&sql, item->to.referenced || replace ? "DELETE FROM " : "TRUNCATE ");
    if (item->to.kind == 'r')
        buf_addstr(&sql, "ONLY ");
    ident_add_qualified(&sql, item->job->target_schema, item->job->target_name);
    if (replace)
        buf_addf(&sql, " WHERE %s", replace);
    return buf_take(&sql);
}

/* Bytes of an SQL_ASCII database mean nothing by themselves: the target takes them as its own encoding,
 * and so checks them. */
static void plan_statements(struct copy *copy, struct item *item)
{
    const char *encoding = PQparameterStatus(copy->src->pg, "server_encoding");
    const char *own = PQparameterStatus(copy->dst->pg, "server_encoding");
    bool raw = strcmp(encoding, "SQL_ASCII") == 0;
    struct buf out = BUF_INIT, in = BUF_INIT;

    choose_form(copy, item);
    if (!item->job->part && (!copy->small || item->to.has_pages)) {
        item->sql.empty = emptying(item);
        item->sql.freeze = item->to.kind == 'r' && !item->to.referenced &&
                           !item->job->replace;
    }
    add_source(&out, item, &copy->part);
    buf_addstr(&out, " TO STDOUT WITH (");
    add_form(&out, item, encoding);
    buf_addstr(&in, "COPY ");
    ident_add_qualified(&in, item->job->target_schema, item->job->target_name);
    add_columns(&in, &item->from, true);
    buf_addf(&in, " FROM STDIN WITH (%s", item->sql.freeze ? "FREEZE, " : "");
    add_form(&in, item, raw ? own : encoding);
    item->sql.copy_out = buf_take(&out);
    item->sql.copy_in = buf_take(&in);
}

static bool plan_items(struct copy *copy, struct err *err)
{
    for (size_t i = 0; i < copy->count; i++) {
        if (!kinds_fit(copy, &copy->items[i], err) || !columns_fit(copy, &copy->items[i], err))
            return false;
        plan_statements(copy, &copy->items[i]);
    }
    return true;
}

/* --- the snapshot --- */

static bool not_as_in_snapshot(struct copy *copy, const struct item *item, const char *what,
                               struct err *err)
{
    char *table = ident_display(item->job->schema, item->job->name);

    err_set(err, ERR_CONFLICT, "%s: table %s %s", copy->src->label, table, what);
    err_detail(err, "The snapshot would show it empty or not at all.");
    err_hint(err, "The table is loaded under a new snapshot.");
    if (err)
        err->retryable = true;
    free(table);
    return false;
}

static bool is_as_in_snapshot(struct copy *copy, const struct item *item, struct err *err)
{
    const struct relation *from = &item->from;

    if (!item->job->oid)
        return from->kind || absent(copy->src, item->job->schema, item->job->name, err);
    if (!from->kind)
        return not_as_in_snapshot(copy, item, "did not exist when the snapshot was taken", err);
    if (!from->same_name)
        return not_as_in_snapshot(copy, item, "was renamed or made again since the snapshot was taken", err);
    if (!from->same_storage)
        return not_as_in_snapshot(copy, item, "was rewritten or truncated since the snapshot was taken", err);
    return true;
}

/* The lock keeps the storage as it is from the look to the COPY. */
static bool lock_source(struct copy *copy, struct err *err)
{
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < copy->count; i++) {
        if (!copy->items[i].job->oid)
            continue;
        buf_addstr(&sql, sql.len ? ", ONLY " : "LOCK TABLE ONLY ");
        ident_add_qualified(&sql, copy->items[i].job->schema, copy->items[i].job->name);
    }
    if (!sql.len)
        return true;
    buf_addstr(&sql, " IN ACCESS SHARE MODE");
    bool ok = conn_command(copy->src, sql.data, err);
    buf_release(&sql);
    return ok;
}

static bool look_at_source(struct copy *copy, struct err *err)
{
    bool ok = lock_source(copy, err) && read_relations(copy, true, err);

    for (size_t i = 0; ok && i < copy->count; i++)
        ok = is_as_in_snapshot(copy, &copy->items[i], err);
    return ok;
}

/* --- the stream --- */

static void report(struct copy *copy, const struct item *item, bool now)
{
    if (!copy->progress || !copy->progress->report)
        return;
    if (!now && clock_mono_ms() < copy->next_report_ms)
        return;
    copy->next_report_ms = clock_mono_ms() + REPORT_EVERY_MS;
    copy->progress->report(copy->progress->arg, item->result.rows, item->result.bytes);
}

static bool pace(struct copy *copy, int64_t bytes, struct err *err)
{
    const struct copy_progress *progress = copy->progress;

    return !progress || !progress->pace || progress->pace(progress->arg, bytes, err);
}

static bool put_chunk(struct copy *copy, struct item *item, struct err *err)
{
    bool ok = !copy->chunk.len ||
              (copy_in_put(copy->dst, copy->chunk.data, (int)copy->chunk.len, err) &&
               pace(copy, (int64_t)copy->chunk.len, err));

    item->result.bytes += (int64_t)copy->chunk.len;
    buf_clear(&copy->chunk);
    report(copy, item, false);
    return ok;
}

/* A large row goes by itself, in pieces: libpq moves what is left in its buffer after every partial write,
 * which is quadratic for a message of hundreds of megabytes. */
static bool put_large(struct copy *copy, struct item *item, const char *data, int len, struct err *err)
{
    if (!put_chunk(copy, item, err))
        return false;
    for (int at = 0; at < len; at += CHUNK_BYTES)
        if (!copy_in_put(copy->dst, data + at, len - at < CHUNK_BYTES ? len - at : CHUNK_BYTES, err))
            return false;
    item->result.bytes += len;
    report(copy, item, false);
    return pace(copy, len, err);
}

static bool bad_stream(struct copy *copy, const char *what, struct err *err)
{
    err_set(err, ERR_PROTOCOL, "%s: a binary COPY stream %s", copy->src->label, what);
    return false;
}

/* What the message is besides a row: the header before it, or the trailer. *rows: 1 or 0. */
static bool look_at_binary(struct copy *copy, struct item *item, const char *data, int len, int *rows,
                           struct err *err)
{
    const unsigned char *at = (const unsigned char *)data;
    int64_t skip = 0;

    *rows = 0;
    if (item->trailer_seen)
        return bad_stream(copy, "goes on behind its trailer", err);
    if (!item->header_seen) {
        if (len < BINARY_HEADER_BYTES || memcmp(data, BINARY_SIGNATURE, sizeof BINARY_SIGNATURE) != 0)
            return bad_stream(copy, "does not begin with the signature", err);
        if (at[11] || at[12])
            return bad_stream(copy, "has a form that is not known", err);
        skip = BINARY_HEADER_BYTES + ((int64_t)at[15] << 24 | at[16] << 16 | at[17] << 8 | at[18]);
        item->header_seen = true;
    }
    if (skip == len)
        return true;
    if (len - skip < 2)
        return bad_stream(copy, "has a message that is too short", err);
    item->trailer_seen = at[skip] == 0xFF && at[skip + 1] == 0xFF;
    *rows = !item->trailer_seen;
    return true;
}

static bool put_row(struct copy *copy, struct item *item, const char *data, int len, struct err *err)
{
    int rows = 1;

    if (item->sql.binary && !look_at_binary(copy, item, data, len, &rows, err)) {
        copy_in_abort(copy->dst, "the source's stream is damaged");
        return false;
    }
    item->result.rows += rows;
    if (len >= CHUNK_BYTES)
        return put_large(copy, item, data, len, err);
    buf_add(&copy->chunk, data, (size_t)len);
    return copy->chunk.len < CHUNK_BYTES || put_chunk(copy, item, err);
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

static bool stream(struct copy *copy, struct item *item, struct err *err)
{
    char *data;
    int len, got;
    bool ok = true;

    while (ok && (got = copy_out_next(copy->src, &data, &len, err)) != 0) {
        if (got < 0) {
            copy_in_abort(copy->dst, "the source failed");
            return false;
        }
        ok = put_row(copy, item, data, len, err);
        PQfreemem(data);
    }
    if (!ok) {
        drain_source(copy->src);
        return false;
    }
    return put_chunk(copy, item, err);
}

static bool all_were_stored(struct copy *copy, const struct item *item, int64_t stored, struct err *err)
{
    if (stored == item->result.rows)
        return true;
    err_set(err, ERR_CONFLICT, "%s: %lld rows were sent, but %lld were stored", copy->dst->label,
            (long long)item->result.rows, (long long)stored);
    err_hint(err, "Look for a trigger or rule on the target's table that drops rows.");
    return false;
}

static bool pass_rows(struct copy *copy, struct item *item, struct err *err)
{
    int64_t stored = -1;

    buf_clear(&copy->chunk);
    item->result.started_us = clock_wall_us();
    if (!copy_in_begin(copy->dst, item->sql.copy_in, err))
        return false;
    if (!copy_out_begin(copy->src, item->sql.copy_out, err)) {
        copy_in_abort(copy->dst, "the source failed");
        return false;
    }
    if (!stream(copy, item, err) || !copy_in_end(copy->dst, &stored, err))
        return false;
    report(copy, item, true);
    item->result.ended_us = clock_wall_us();
    return all_were_stored(copy, item, stored, err);
}

static bool pass_items(struct copy *copy, struct err *err)
{
    for (size_t i = 0; i < copy->count; i++)
        if (!pass_rows(copy, &copy->items[i], err))
            return false;
    return true;
}

/* --- the target's transaction --- */

static void add_targets(struct buf *sql, const struct copy *copy)
{
    for (size_t i = 0; i < copy->count; i++) {
        buf_addstr(sql, i ? ", ONLY " : "ONLY ");
        ident_add_qualified(sql, copy->items[i].job->target_schema, copy->items[i].job->target_name);
    }
}

/* Many small tables are locked before anybody looks whether they are empty: the session of a worker that was
 * killed may still fill them. */
static bool begin_target(struct copy *copy, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = %d", LOCK_TIMEOUT_MS);
    if (copy->small) {
        buf_addstr(&sql, "; LOCK TABLE ");
        add_targets(&sql, copy);
        buf_addstr(&sql, " IN SHARE ROW EXCLUSIVE MODE");
    }
    bool ok = conn_command(copy->dst, sql.data, err);
    buf_release(&sql);
    return ok;
}

static bool make_room(struct copy *copy, struct err *err)
{
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < copy->count; i++)
        if (copy->items[i].sql.empty)
            buf_addf(&sql, "%s; ", copy->items[i].sql.empty);
    buf_addstr(&sql, "SET LOCAL lock_timeout = 0");
    bool ok = conn_command(copy->dst, sql.data, err);
    buf_release(&sql);
    return ok;
}

/* A lock that could not be had: who holds it. */
static void name_lock_holders(struct copy *copy, struct err *err)
{
    struct table_name *tables = xcalloc(copy->count, sizeof *tables);
    struct buf array = BUF_INIT;

    for (size_t i = 0; i < copy->count; i++)
        tables[i] = (struct table_name){copy->items[i].job->target_schema, copy->items[i].job->target_name};
    names_array_add(&array, tables, copy->count);
    conn_rollback(copy->dst);
    lock_blockers(copy->dst, array.data, true, err);
    buf_release(&array);
    free(tables);
}

/* Whoever else has the part, or is to be waited for before the table is emptied. */
static bool take_part(struct copy *copy, struct err *err)
{
    const struct copy_job *job = copy->items[0].job;

    if (copy->cut)
        return parts_forget(copy->dst, job->oid, err);
    return !job->part || parts_take(copy->dst, job->oid, job->part->number, job->part->snapshot, &copy->part, err);
}

static bool prepare_target(struct copy *copy, struct err *err)
{
    bool ok = begin_target(copy, err) && take_part(copy, err) && read_relations(copy, false, err) &&
              plan_items(copy, err) && make_room(copy, err);

    if (!ok && err && strcmp(err->sqlstate, "55P03") == 0)
        name_lock_holders(copy, err);
    return ok;
}

static bool all_were_marked(struct copy *copy, const PGresult *res, struct err *err)
{
    for (int row = 0; row < PQntuples(res); row++)
        copy->items[atoi(PQgetvalue(res, row, 0)) - 1].result.builds = atoi(PQgetvalue(res, row, 1));
    if ((size_t)PQntuples(res) == copy->count)
        return true;
    err_set(err, ERR_INTERNAL, "%s: table with OID %s is not in pgcutover.tables", copy->dst->label,
            copy->items[0].job->oid);
    return false;
}

static bool mark_loaded(struct copy *copy, struct err *err)
{
    struct buf oids = BUF_INIT, rows = BUF_INIT, bytes = BUF_INIT, storage = BUF_INIT;
    char lsn[LSN_TEXT_SIZE];
    lsn_t epoch = copy->items[0].job->epoch_lsn;

    for (size_t i = 0; i < copy->count; i++) {
        const struct item *item = &copy->items[i];
        buf_addf(&oids, "%c%s", i ? ',' : '{', item->job->oid);
        buf_addf(&rows, "%c%lld", i ? ',' : '{', (long long)item->result.rows);
        buf_addf(&bytes, "%c%lld", i ? ',' : '{', (long long)item->result.bytes);
        buf_addf(&storage, "%c%u", i ? ',' : '{', item->from.filenode);
    }
    buf_addch(&oids, '}');
    buf_addch(&rows, '}');
    buf_addch(&bytes, '}');
    buf_addch(&storage, '}');
    const char *values[] = {oids.data, epoch != LSN_INVALID ? lsn_format(epoch, lsn) : NULL, rows.data,
                            bytes.data, storage.data};
    PGresult *res = conn_exec_params(copy->dst, sql_load_mark, 5, values, err);
    bool ok = res && all_were_marked(copy, res, err);
    PQclear(res);
    buf_release(&oids);
    buf_release(&rows);
    buf_release(&bytes);
    buf_release(&storage);
    return ok;
}

static bool mark(struct copy *copy, struct err *err)
{
    struct item *item = &copy->items[0];
    const struct copy_job *job = item->job;

    if (job->part)
        return parts_mark(copy->dst, job->oid, job->part->number, item->result.rows, item->result.bytes,
                          job->epoch_lsn, item->from.filenode, &item->result.sum, err);
    return !job->mark || mark_loaded(copy, err);
}

/* A worker that was killed may have copied the part all the same. */
static bool pass_what_is_missing(struct copy *copy, struct err *err)
{
    struct copy_result *result = &copy->items[0].result;

    if (!copy->part.copied)
        return pass_items(copy, err);
    result->rows = copy->part.rows;
    result->bytes = copy->part.bytes;
    result->started_us = result->ended_us = clock_wall_us();
    return true;
}

static bool run(struct copy *copy, struct err *err)
{
    return look_at_source(copy, err) && prepare_target(copy, err) && pass_what_is_missing(copy, err) &&
           mark(copy, err) && conn_command(copy->dst, "COMMIT", err);
}

static void item_release(struct item *item)
{
    relation_release(&item->from);
    relation_release(&item->to);
    free(item->sql.copy_out);
    free(item->sql.empty);
    free(item->sql.copy_in);
}

static void tell_failure(const struct copy *copy, struct err *err)
{
    char *table = ident_display(copy->items[0].job->schema, copy->items[0].job->name);

    if (copy->count == 1)
        err_wrap(err, "could not load table %s", table);
    else
        err_wrap(err, "could not load %zu tables together, %s and others", copy->count, table);
    free(table);
}

static void copy_begin(struct copy *copy, const struct copy_job *jobs)
{
    copy->items = xcalloc(copy->count, sizeof *copy->items);
    for (size_t i = 0; i < copy->count; i++)
        copy->items[i].job = &jobs[i];
}

static void copy_end(struct copy *copy, bool ok, struct err *err)
{
    if (!ok) {
        conn_rollback(copy->dst);
        conn_rollback(copy->src);
        tell_failure(copy, err);
    }
    for (size_t i = 0; i < copy->count; i++)
        item_release(&copy->items[i]);
    free(copy->items);
    part_release(&copy->part);
    buf_release(&copy->chunk);
}

static bool run_and_clean_up(struct copy *copy, const struct copy_job *jobs, struct copy_result *results,
                             struct err *err)
{
    copy_begin(copy, jobs);
    bool ok = run(copy, err);
    for (size_t i = 0; ok && i < copy->count; i++) {
        const struct item *item = &copy->items[i];
        results[i] = item->result;
        results[i].frozen = item->sql.freeze;
        results[i].binary = item->sql.binary;
    }
    copy_end(copy, ok, err);
    return ok;
}

bool copy_table(struct conn *src, struct conn *dst, const struct copy_job *job,
                const struct copy_progress *progress, struct copy_result *result, struct err *err)
{
    struct copy copy = {.src = src, .dst = dst, .progress = progress, .count = 1};

    return run_and_clean_up(&copy, job, result, err);
}

bool copy_tables(struct conn *src, struct conn *dst, const struct copy_job *jobs, size_t count,
                 const struct copy_progress *progress, struct copy_result *results, struct err *err)
{
    struct copy copy = {.src = src, .dst = dst, .progress = progress, .count = count, .small = true};

    return run_and_clean_up(&copy, jobs, results, err);
}

/* --- parts --- */

static bool empty_and_record(struct copy *copy, const char *snapshot, const struct part_list *list, struct err *err)
{
    return prepare_target(copy, err) && parts_add(copy->dst, copy->items[0].job->oid, snapshot, list, err) &&
           conn_command(copy->dst, "COMMIT", err);
}

bool copy_prepare_parts(struct conn *src, struct conn *dst, const struct copy_job *job, const char *snapshot,
                        int64_t bytes, int64_t part_bytes, int *count, struct err *err)
{
    const struct part_table table = {job->oid, job->schema, job->name, bytes};
    struct copy copy = {.src = src, .dst = dst, .count = 1, .cut = true};
    struct part_list list = {0};

    copy_begin(&copy, job);
    bool ok = look_at_source(&copy, err) && part_list_cut(src, &table, part_bytes, &list, err) &&
              (list.count <= 1 || empty_and_record(&copy, snapshot, &list, err));
    *count = list.count > 1 ? list.count : 1;
    copy_end(&copy, ok, err);
    part_list_release(&list);
    return ok;
}
