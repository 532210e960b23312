/* One change to one statement on its way, and its result back to the change. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "pg/ident.h"

#define PUSH_EVERY 64 /* changes gathered, the servers get more of what was sent to them */

static const char *const kind_names[] = {
    [CHANGE_INSERT] = "INSERT", [CHANGE_UPDATE] = "UPDATE", [CHANGE_DELETE] = "DELETE",
    [CHANGE_TRUNCATE] = "TRUNCATE", [CHANGE_COMMIT] = "COMMIT", [CHANGE_MESSAGE] = NULL,
};

/* --- blame --- */

void apply_blame(struct applier *applier, const struct pipe_entry *entry, struct err *err)
{
    struct applier_failure *failure = &applier->status.failure;
    char lsn[LSN_TEXT_SIZE];

    snprintf(applier->failure_table, sizeof applier->failure_table, "%s", entry->table->display);
    memcpy(applier->failure_key, entry->key, sizeof entry->key);
    *failure = (struct applier_failure){
        .table = applier->failure_table,
        .kind = kind_names[entry->kind],
        .key = applier->failure_key,
        .commit_lsn = entry->commit_lsn,
        .xid = entry->xid,
    };
    applier->failed = entry->table;
    free(applier->failed_row);
    applier->failed_row = entry->row ? xstrdup(entry->row) : NULL;
    err_wrap(err, "could not apply %s of table %s%s%s (source transaction %" PRIu32 ", committed at %s)",
             failure->kind, failure->table, *entry->key ? " " : "", entry->key, failure->xid,
             lsn_format(failure->commit_lsn, lsn));
}

static void judge_failed(struct applier *applier, struct conn *conn, const struct pipe_entry *entry, const PGresult *res,
                         struct err *err)
{
    const char *sql = entry->statement ? entry->statement->text.sql.data : applier->sql.data;

    conn_error(conn, res, sql, err);
    if (err && err->code == ERR_SERVER &&
        (strncmp(err->sqlstate, "22", 2) == 0 || strncmp(err->sqlstate, "23", 2) == 0))
        err->code = ERR_CONFLICT;
    if (err && err->code == ERR_CONFLICT && !err->hint)
        err_hint(err, "Find out who wrote to the target's row, mend it, then resume.");
    apply_blame(applier, entry, err);
}

static void judge_rows(struct applier *applier, const struct pipe_entry *entry, const char *rows,
                       struct err *err)
{
    bool none = strcmp(rows, "0") == 0;

    applier->hit_none = none;
    if (entry->batched)
        err_set(err, ERR_CONFLICT, "%s rows were hit on the target instead of %ld", rows, entry->rows);
    else
        err_set(err, ERR_CONFLICT, "it hit %s rows on the target instead of one", none ? "no" : rows);
    if (entry->kind == CHANGE_INSERT)
        err_hint(err, "A trigger or rule of the target's table takes the row away: disable it, then resume.");
    else if (none)
        err_hint(err, "The row is missing on the target: somebody else wrote to it, or a trigger or rule "
                 "is in the way. Put the row back as it was on the source, then resume.");
    else
        err_hint(err, "Remove the rows that the source does not have, then resume.");
    apply_blame(applier, entry, err);
}

bool apply_judge(void *arg, const struct pipe_entry *entry, const PGresult *res, struct err *err)
{
    struct apply_lane *lane = arg;
    struct applier *applier = lane->applier;
    ExecStatusType status = PQresultStatus(res);
    const char *rows;

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        judge_failed(applier, lane->conn, entry, res, err);
        return false;
    }
    if (!entry->rows)
        return true;
    rows = PQcmdTuples((PGresult *)res);
    if (strtol(rows, NULL, 10) == entry->rows)
        return true;
    if (entry->what == PIPE_CHANGE) {
        judge_rows(applier, entry, rows, err);
        return false;
    }
    err_set(err, ERR_CONFLICT, "%s: the recorded progress is not where this applier left it, or a table "
            "was loaded again or taken out of the stream meanwhile", lane->conn->label);
    err_hint(err, "Nothing of the open transaction was kept; it is applied again from the recorded place.");
    if (err)
        err->retryable = true;
    return false;
}

/* --- which changes --- */

bool apply_is_its_turn(const struct applier *applier, const struct apply_table *table)
{
    if (!applier->catch_up.on)
        return !apply_table_is_detached(table);
    return table->behind_lsn != LSN_INVALID && !table->is_stopped && table->ready &&
           applier->commit_lsn >= table->behind_lsn;
}

static bool check_stranger(struct applier *applier, uint32_t relation, struct err *err)
{
    struct apply_table *namesake = apply_tables_namesake(&applier->tables, relation);

    if (!namesake || !namesake->sync || !namesake->ready ||
        applier->commit_lsn < namesake->epoch_lsn || !apply_is_its_turn(applier, namesake))
        return true;
    applier->failed = namesake;
    err_set(err, ERR_CONFLICT, "source table %s is another table now: it was dropped and created again",
            namesake->source_name);
    err_hint(err, "Load the table again.");
    return false;
}

bool apply_wanted(struct applier *applier, uint32_t relation, struct apply_table **table,
                  struct err *err)
{
    struct apply_table *found = apply_tables_find(&applier->tables, relation);

    *table = NULL;
    if (!found && !check_stranger(applier, relation, err))
        return false;
    if (!found || !found->sync || !apply_is_its_turn(applier, found)) {
        applier->status.ignored++;
        return true;
    }
    if (!found->ready && !(apply_group_finish(applier, err) && apply_read_tables(applier, err)))
        return false;
    if (!found->ready) {
        err_set(err, ERR_PREREQUISITE, "target table %s has changes to apply and is not loaded yet",
                found->display);
        if (err)
            err->retryable = true;
        return false;
    }
    if (applier->commit_lsn < found->epoch_lsn)
        applier->status.covered++;
    else
        *table = found;
    return true;
}

/* --- gathering --- */

static bool same_value(const struct value *a, const struct value *b)
{
    return a->kind == b->kind && (a->kind == VALUE_NULL ||
                                  (a->len == b->len && memcmp(a->data, b->data, a->len) == 0));
}

/* UPDATE writes what came, but for key columns that did not change (then there is no old tuple) and
 * identity columns known to be the same. */
bool apply_must_write(const struct apply_table *table, const struct change *change, size_t i)
{
    const struct value *value = &change->new_tuple.values[i];
    int target = table->map.targets[i];

    if (target < 0 || value->kind == VALUE_UNCHANGED)
        return false;
    if (!change->has_old)
        return table->source.identity == 'f' || !table->source.columns[i].key;
    return !table->target.columns[target].identity || change->old_is_key ||
           !same_value(value, &change->old_tuple.values[i]);
}

static bool tuples_fit(const struct apply_table *table, const struct change *change, struct err *err)
{
    size_t count = table->source.column_count;

    if ((change->kind == CHANGE_DELETE || change->new_tuple.count == count) &&
        (!change->has_old || change->old_tuple.count == count))
        return true;
    err_set(err, ERR_PROTOCOL, "a change of source table %s does not have its %zu columns",
            table->source_name, count);
    return false;
}

static bool can_find(const struct apply_table *table, const struct change *change, struct err *err)
{
    if (change->kind == CHANGE_INSERT)
        return true;
    if (table->map.find == FIND_NOTHING) {
        err_set(err, ERR_CONFLICT, "source table %s has no replica identity, and a row was changed",
                table->source_name);
        err_hint(err, "Give it a primary key or REPLICA IDENTITY FULL on the source, then load it again.");
        return false;
    }
    if (table->map.find != FIND_ROW || change->has_old)
        return true;
    err_set(err, ERR_PROTOCOL, "a change of source table %s came without the old row",
            table->source_name);
    return false;
}

/* --- the key for messages --- */

static size_t add_shortened(char *out, size_t at, size_t end, const char *text, size_t len)
{
    size_t room = end - at;

    if (len > room) {
        len = room;
        while (len && ((unsigned char)text[len] & 0xC0) == 0x80)
            len--;
    }
    memcpy(out + at, text, len);
    return at + len;
}

void apply_describe_key(const struct apply_table *table, const struct change *change,
                        char out[PIPE_KEY_SIZE])
{
    const struct table_map *map = &table->map;
    const size_t end = PIPE_KEY_SIZE - 6; /* room for "...)" */
    size_t at = add_shortened(out, 0, end, map->key_names, strlen(map->key_names));

    for (size_t i = 0; i < map->key_count && at < end; i++) {
        const struct tuple *tuple = change->has_old ? &change->old_tuple : &change->new_tuple;
        const struct value *value = &tuple->values[map->keys[i].source];
        if (i)
            at = add_shortened(out, at, end, ", ", 2);
        if (value->kind == VALUE_TEXT)
            at = add_shortened(out, at, end, value->data, value->len);
        else
            at = add_shortened(out, at, end, "null", 4);
    }
    snprintf(out + at, PIPE_KEY_SIZE - at, at >= end ? "...)" : ")");
}

/* --- a change --- */

/* One source transaction that is larger is sent in pieces, while it is still being read. */
#define PIECE_CHANGES 200000
#define PIECE_BYTES ((size_t)48 << 20)

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool is_too_large(const struct applier *applier)
{
    const struct gather *gather = &applier->gather;
    size_t most_bytes = least_of(2 * (size_t)applier->options.max_group_bytes, PIECE_BYTES);
    size_t most_changes = least_of(2 * (size_t)applier->options.max_group_changes, PIECE_CHANGES);

    if (applier->half.end_lsn && !applier->catch_up.on)
        return false;
    if (applier->group.in_pieces)
        return gather->bytes >= most_bytes / 8 || gather->changes >= most_changes;
    return gather->bytes - applier->gathered_before >= most_bytes ||
           gather->changes - applier->changes_before >= most_changes;
}

/* Gathers a change; in a transaction in which changes fail it is applied at once. */
static bool take_row(struct applier *applier, struct apply_table *table, const struct change *change,
                     bool *applied, struct err *err)
{
    bool single = applier->commit_lsn <= applier->single_until && !applier->half.end_lsn;

    if (!apply_resolve(applier, table, err) || !tuples_fit(table, change, err) ||
        !can_find(table, change, err))
        return false;
    if (apply_is_careful(applier))
        return apply_carefully(applier, table, change, applied, err);
    gather_add(&applier->gather, &table->gathered, &table->map, change, applier->commit_lsn,
               applier->xid, single);
    return true;
}

/* A change that failed here, not on the server (whose errors have their place already). */
static void blame_change(struct applier *applier, struct apply_table *table,
                         const struct change *change, struct err *err)
{
    struct pipe_entry entry = {
        .kind = change->kind, .table = table, .commit_lsn = applier->commit_lsn, .xid = applier->xid};

    if (applier->status.failure.table || !err || err->code == ERR_STOPPED ||
        err->code == ERR_CONNECTION)
        return;
    if (table->mapped && change->kind != CHANGE_TRUNCATE) {
        apply_describe_key(table, change, entry.key);
        entry.row = apply_row_json(table, change);
    }
    apply_blame(applier, &entry, err);
    free(entry.row);
}

/* While changes are gathered nobody waits for the servers, nor for a request to stop: what does not fit into
 * the sockets goes on from here. */
static bool keep_busy(struct applier *applier, struct err *err)
{
    if (applier->sent.flying || applier->group.in_pieces)
        apply_lanes_push(applier);
    return !stop_check(err);
}

bool apply_row(struct applier *applier, const struct change *change, struct err *err)
{
    static const enum apply_count counts[] = {[CHANGE_INSERT] = COUNT_INSERTS,
                                              [CHANGE_UPDATE] = COUNT_UPDATES,
                                              [CHANGE_DELETE] = COUNT_DELETES};
    struct apply_table *table;
    bool applied = true;

    if (!apply_wanted(applier, change->relation, &table, err))
        return false;
    if (!table)
        return true;
    if (!take_row(applier, table, change, &applied, err)) {
        blame_change(applier, table, change, err);
        return false;
    }
    if (!applied)
        return true;
    apply_touch(applier, table, counts[change->kind]);
    if (applier->gather.changes % PUSH_EVERY == 0 && !keep_busy(applier, err))
        return false;
    return !is_too_large(applier) || apply_group_piece(applier, err);
}

/* --- TRUNCATE --- */

static bool add_truncated(struct applier *applier, struct apply_table *table, struct err *err)
{
    struct buf *sql = &applier->sql;

    if (!apply_resolve(applier, table, err))
        return false;
    buf_addstr(sql, sql->len ? ", " : "TRUNCATE ");
    buf_addstr(sql, table->target.relkind == 'p' ? "" : "ONLY ");
    ident_add_qualified(sql, table->target_schema, table->target_name);
    return true;
}

/* Sends the statement and waits: its text must live until the result was read. */
static bool send_truncate(struct applier *applier, struct apply_table *table,
                          const struct change *change, struct err *err)
{
    struct apply_lane *lane = &applier->lanes[0];

    if (!apply_pipe_room(&lane->pipe, 0, err))
        return false;
    if (!PQsendQueryParams(lane->conn->pg, applier->sql.data, 0, NULL, NULL, NULL, NULL, 0)) {
        conn_error(lane->conn, NULL, applier->sql.data, err);
        return false;
    }
    struct pipe_entry *entry = apply_pipe_add(&lane->pipe, PIPE_CHANGE);
    entry->kind = change->kind;
    entry->table = table;
    entry->commit_lsn = applier->commit_lsn;
    entry->xid = applier->xid;
    return apply_pipe_drain(&lane->pipe, err);
}

/* One statement for all, so that foreign keys among them do not matter. The source's CASCADE is repeated
 * only when it can reach no table whose own snapshot is younger than this transaction. */
bool apply_truncate(struct applier *applier, const struct change *change, struct err *err)
{
    struct apply_table *first = NULL;
    struct apply_table *table;
    bool cascade = change->cascade;

    buf_clear(&applier->sql);
    for (size_t i = 0; i < change->relation_count; i++) {
        if (!apply_wanted(applier, change->relations[i], &table, err))
            return false;
        cascade = cascade && table;
        if (!table)
            continue;
        if (!add_truncated(applier, table, err)) {
            blame_change(applier, table, change, err);
            return false;
        }
        first = first ? first : table;
        apply_touch(applier, table, COUNT_TRUNCATES);
    }
    if (!first)
        return true;
    buf_addstr(&applier->sql, change->restart_identity ? " RESTART IDENTITY" : "");
    buf_addstr(&applier->sql, cascade ? " CASCADE" : "");
    if (!apply_group_piece(applier, err))
        return false;
    if (send_truncate(applier, first, change, err))
        return true;
    blame_change(applier, first, change, err);
    return false;
}
