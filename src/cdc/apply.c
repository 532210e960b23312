/* How it works: row changes are gathered in memory, changes of one row merged (gather.c). When there are
 * enough of them at the end of a source transaction, or when the caller says that no more input is there,
 * they become one target transaction on each of one or more connections, the lanes: statements are made of
 * them (apply_send.c) and sent through pipelines (apply_pipe.c, apply_lane.c), and while the servers work
 * the next group is gathered. Its results are read, and it is committed, before the next one is sent
 * (apply_group.c).
 *
 * A transaction that is too large to be gathered is sent in pieces on one lane, within one target
 * transaction. So is whatever has something in it that has to come between what is before and behind it
 * (TRUNCATE, a new definition of a table).
 *
 * A change belongs to us when its table is in pgcutover.tables, and when the transaction committed
 * after the snapshot that the table was loaded from. Transactions without any are only noted: the
 * position moves on with the next one that has, or after a while.
 *
 * Where something fails it is often not known which change it was: the caller is asked to feed again, and
 * then each transaction is a group, and each change a statement. Whatever fails, the group is rolled back,
 * and what is known about the target is read anew. */
#include "cdc/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define GROUP_CHANGES 400000
#define GROUP_BYTES (INT64_C(96) << 20)
#define LANES_CHANGES 500 /* a smaller group is not worth more than one transaction */
#define MAX_STATEMENTS 2000
#define LOCK_TIMEOUT_MS 30000
#define PASSED_WRITE_MS 10000 /* how old a position that concerned nobody may get */

/* --- open and close --- */

static void set_defaults(struct applier *applier)
{
    struct applier_options *options = &applier->options;

    options->max_group_changes = options->max_group_changes ? options->max_group_changes : GROUP_CHANGES;
    options->max_group_bytes = options->max_group_bytes ? options->max_group_bytes : GROUP_BYTES;
    options->lock_timeout_ms = options->lock_timeout_ms ? options->lock_timeout_ms : LOCK_TIMEOUT_MS;
    options->lanes_changes = options->lanes_changes ? options->lanes_changes : LANES_CHANGES;
    options->max_statements = options->max_statements ? options->max_statements : MAX_STATEMENTS;
    applier->lane_count = options->lanes > 0 ? (size_t)options->lanes : 1;
    if (applier->lane_count > APPLIER_LANES_MAX)
        applier->lane_count = APPLIER_LANES_MAX;
}

static bool read_tables(struct applier *applier, struct err *err)
{
    PGresult *res = conn_exec(applier->lanes[0].conn, sql_apply_tables, err);

    if (res)
        apply_tables_read(&applier->tables, res);
    PQclear(res);
    apply_report_news(applier);
    return res != NULL;
}

bool apply_read_place(struct applier *applier, struct err *err)
{
    struct conn *conn = applier->lanes[0].conn;
    bool piped = PQpipelineStatus(conn->pg) != PQ_PIPELINE_OFF;

    if (piped && !PQexitPipelineMode(conn->pg)) {
        conn_error(conn, NULL, NULL, err);
        return false;
    }
    bool ok = apply_position(conn, &applier->status.applied_lsn, &applier->status.applied_commit_us,
                             &applier->half, err);
    if (ok && piped && !PQenterPipelineMode(conn->pg)) {
        conn_error(conn, NULL, NULL, err);
        return false;
    }
    return ok;
}

static bool start(struct applier *applier, struct conn *targets, struct err *err)
{
    struct applier_status *status = &applier->status;

    if (!apply_lanes_open(applier, targets, err) || !apply_read_place(applier, err) ||
        !read_tables(applier, err))
        return false;
    status->passed_lsn = status->applied_lsn;
    status->passed_commit_us = status->applied_commit_us;
    status->needed_lsn = apply_needed_lsn(applier);
    applier->shown = *status;
    applier->passed_written_ms = clock_mono_ms();
    for (size_t i = 0; i < applier->lane_count; i++)
        if (!apply_pipe_begin(&applier->lanes[i].pipe, applier->lanes[i].conn, err))
            return false;
    return true;
}

struct applier *applier_open(struct conn *targets, const struct applier_options *options,
                             struct err *err)
{
    struct applier *applier = xcalloc(1, sizeof *applier);

    applier->options = *options;
    set_defaults(applier);
    /* In origin role constraints look at rows of other tables, which may be on another lane. */
    if (!targets->replica_role)
        applier->lane_count = 1;
    applier->lanes = xcalloc(applier->lane_count, sizeof *applier->lanes);
    if (start(applier, targets, err))
        return applier;
    applier_close(applier);
    return NULL;
}

void applier_close(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    if (!applier)
        return;
    apply_lanes_close(applier); /* first: the pipes' entries hold statements */
    gather_release(&applier->gather);
    HASH_ITER(by_oid, applier->tables.by_oid, table, next)
        apply_unmap(applier, table, false, NULL);
    apply_tables_release(&applier->tables);
    apply_half_release(&applier->half);
    for (size_t i = 0; i < applier->lane_count; i++)
        apply_bins_free(applier->lanes[i].bins);
    buf_release(&applier->sql);
    free(applier->failed_row);
    free(applier->values);
    free(applier->lengths);
    free(applier->formats);
    free(applier->lanes);
    free(applier);
}

/* --- messages --- */

/* Up to where the group that was sent, and what had nothing to apply behind it, goes. */
static lsn_t known_sent(const struct apply_group *sent)
{
    return sent->mark_lsn > sent->end_lsn ? sent->mark_lsn : sent->end_lsn;
}

static bool begin_transaction(struct applier *applier, const struct change *change, struct err *err)
{
    const struct apply_catch_up *pass = &applier->catch_up;
    lsn_t known = applier->group.transactions ? applier->group.end_lsn
                  : applier->sent.flying      ? known_sent(&applier->sent)
                  : pass->on                  ? pass->done_lsn
                                              : applier->status.passed_lsn;

    if (applier->in_transaction) {
        err_set(err, ERR_PROTOCOL, "source transaction %" PRIu32 " begins within transaction %" PRIu32,
                change->xid, applier->xid);
        return false;
    }
    applier->in_transaction = true;
    applier->commit_lsn = change->commit_lsn;
    applier->commit_us = change->commit_us;
    applier->xid = change->xid;
    applier->gathered_before = applier->gather.bytes;
    applier->changes_before = applier->gather.changes;
    applier->skipping = change->commit_lsn < known || (pass->on && change->commit_lsn >= pass->until);
    return true;
}

static bool group_is_full(const struct applier *applier)
{
    const struct apply_group *group = &applier->group;

    /* A group that is there by half is made whole as it was. */
    if (applier->half.end_lsn && !applier->catch_up.on)
        return group->end_lsn >= applier->half.end_lsn;
    return group->changes >= applier->options.max_group_changes ||
           applier->gather.bytes >= (size_t)applier->options.max_group_bytes ||
           group->in_pieces || group->commit_lsn <= applier->single_until;
}

/* A transaction of which nothing is ours. */
static void pass_transaction(struct applier *applier, const struct change *change)
{
    if (applier->sent.flying) {
        applier->sent.mark_lsn = change->end_lsn;
    } else if (applier->catch_up.on) {
        applier->catch_up.done_lsn = change->end_lsn;
    } else {
        applier->status.passed_lsn = change->end_lsn;
        applier->status.passed_commit_us = change->commit_us;
        apply_keep_sources(applier);
    }
}

static bool end_transaction(struct applier *applier, const struct change *change, struct err *err)
{
    struct apply_group *group = &applier->group;

    applier->in_transaction = false;
    if (applier->skipping)
        return true;
    if (!apply_group_is_open(applier) && !applier->half.end_lsn) {
        pass_transaction(applier, change);
        return true;
    }
    group->transactions++;
    group->commit_lsn = change->commit_lsn;
    group->end_lsn = change->end_lsn;
    group->commit_us = change->commit_us;
    if (!group_is_full(applier))
        return true;
    /* Single steps: the error, if there is one, is to be this transaction's. */
    bool single = group->commit_lsn <= applier->single_until;
    return apply_group_seal(applier, false, err) && (!single || apply_group_finish(applier, err));
}

/* Nothing of the table, as it was defined until now, is left to be done. */
static bool end_definition(struct applier *applier, struct apply_table *table, struct err *err)
{
    if (!apply_group_finish(applier, err))
        return false;
    if (table->gathered.count && !apply_group_piece(applier, err))
        return false;
    return apply_pipe_drain(&applier->lanes[0].pipe, err);
}

static bool take_relation(struct applier *applier, const struct change *change, struct err *err)
{
    struct apply_table *table = apply_tables_find(&applier->tables, change->relation);

    apply_note_ddl_log(applier, change);
    if (!table) {
        apply_tables_note_stranger(&applier->tables, change);
        return true;
    }
    if (source_table_is(&table->source, change))
        return true;
    if (table->mapped && !(end_definition(applier, table, err) && apply_unmap(applier, table, true, err)))
        return false;
    if (table->source.name && !table->source_changed) {
        table->before = table->source;
        table->source = (struct source_table)SOURCE_TABLE_INIT;
        table->source_changed = applier->sources_changed = true;
    }
    source_table_set(&table->source, change);
    return true;
}

static bool is_change(enum change_kind kind)
{
    return kind == CHANGE_INSERT || kind == CHANGE_UPDATE || kind == CHANGE_DELETE ||
           kind == CHANGE_TRUNCATE;
}

static bool dispatch(struct applier *applier, const struct change *change, struct err *err)
{
    if (is_change(change->kind) && !applier->in_transaction) {
        err_set(err, ERR_PROTOCOL, "a change came outside of a source transaction");
        return false;
    }
    if (is_change(change->kind) && applier->skipping)
        return true;
    if (is_change(change->kind) && change->kind != CHANGE_TRUNCATE && applier->ddl_relation &&
        change->relation == applier->ddl_relation)
        return apply_ddl(applier, change, err);
    switch (change->kind) {
    case CHANGE_BEGIN:
        return begin_transaction(applier, change, err);
    case CHANGE_COMMIT:
        return !applier->in_transaction || end_transaction(applier, change, err);
    case CHANGE_RELATION:
        return take_relation(applier, change, err);
    case CHANGE_TRUNCATE:
        return apply_truncate(applier, change, err);
    case CHANGE_INSERT:
    case CHANGE_UPDATE:
    case CHANGE_DELETE:
        return apply_row(applier, change, err);
    case CHANGE_ORIGIN:
    case CHANGE_TYPE:
    case CHANGE_MESSAGE:
        return true;
    }
    return true;
}

/* --- the outside --- */

static bool is_usable(struct applier *applier, struct err *err)
{
    if (apply_lanes_are_usable(applier))
        return true;
    err_set(err, ERR_CONNECTION, "the applier's connection to the target is gone");
    err->retryable = true;
    return false;
}

/* Every call: with an error of its own, so that it can be looked at whatever the caller passed. */
static bool finish(struct applier *applier, bool ok, struct err *own, struct err *err)
{
    if (!ok)
        apply_group_fail(applier, own);
    if (!ok)
        err_move(err, own);
    if (!applier->unsynced)
        applier->shown = applier->status;
    applier->shown.retry_single = applier->status.retry_single;
    applier->shown.failure = applier->status.failure;
    return ok;
}

static void begin_call(struct applier *applier)
{
    applier->status.retry_single = false;
    applier->status.failure = (struct applier_failure){0};
    applier->failed = NULL;
    free(applier->failed_row);
    applier->failed_row = NULL;
}

bool apply_call(struct applier *applier, bool (*act)(struct applier *applier, struct err *err),
                struct err *err)
{
    struct err own = ERR_INIT;

    begin_call(applier);
    bool ok = is_usable(applier, &own) && act(applier, &own);
    return finish(applier, ok, &own, err);
}

bool applier_change(struct applier *applier, const struct change *change, struct err *err)
{
    struct err own = ERR_INIT;

    begin_call(applier);
    bool ok = is_usable(applier, &own) && dispatch(applier, change, &own);
    return finish(applier, ok, &own, err);
}

/* A position that concerned nobody is written down now and then. */
static bool write_passed(struct applier *applier, struct err *err)
{
    const struct applier_status *status = &applier->status;
    struct apply_group *group = &applier->group;

    if (applier->catch_up.on || status->passed_lsn == status->applied_lsn ||
        clock_mono_ms() - applier->passed_written_ms < PASSED_WRITE_MS)
        return true;
    group->commit_lsn = group->end_lsn = status->passed_lsn;
    group->commit_us = status->passed_commit_us;
    return apply_group_seal(applier, true, err) && apply_group_finish(applier, err);
}

static bool end_group(struct applier *applier, bool durable, struct err *err)
{
    bool by_half = applier->half.end_lsn && applier->group.end_lsn < applier->half.end_lsn;

    if (applier->in_transaction || by_half) {
        apply_lanes_push(applier);
        return true;
    }
    return apply_group_commit(applier, durable, err) && write_passed(applier, err);
}

static bool commit(struct applier *applier, struct err *err)
{
    return end_group(applier, false, err);
}

bool applier_commit(struct applier *applier, struct err *err)
{
    return apply_call(applier, commit, err);
}

static bool flush(struct applier *applier, struct err *err)
{
    return end_group(applier, true, err);
}

bool applier_flush(struct applier *applier, struct err *err)
{
    return apply_call(applier, flush, err);
}

static bool reload_tables(struct applier *applier, struct err *err)
{
    return apply_group_finish(applier, err) && apply_read_tables(applier, err);
}

bool applier_reload_tables(struct applier *applier, struct err *err)
{
    return apply_call(applier, reload_tables, err);
}

void applier_mark(struct applier *applier, lsn_t lsn)
{
    lsn_t *place = apply_group_is_open(applier) ? &applier->group.mark_lsn
                   : applier->sent.flying       ? &applier->sent.mark_lsn
                                                : &applier->status.passed_lsn;

    if (!applier->in_transaction && !applier->catch_up.on && !applier->half.end_lsn && lsn > *place)
        *place = lsn;
    if (!applier->unsynced)
        applier->shown = applier->status;
}

const struct applier_status *applier_status(const struct applier *applier)
{
    return &applier->shown;
}

bool applier_is_whole(const struct applier *applier)
{
    return !applier->half.end_lsn;
}

bool applier_is_durable(const struct applier *applier)
{
    return !applier->unsynced;
}

bool applier_has_changed(const struct applier *applier)
{
    return applier->changed != NULL && !applier->unsynced;
}

bool applier_next_changed(struct applier *applier, struct applier_table *out)
{
    struct apply_table *table = applier->unsynced ? NULL : applier->changed;

    if (!table)
        return false;
    applier->changed = table->next_changed;
    table->reported = true;
    *out = (struct applier_table){
        .source_oid = table->source_oid,
        .target_schema = table->target_schema,
        .target_name = table->target_name,
        .inserts = table->counts[COUNT_INSERTS],
        .updates = table->counts[COUNT_UPDATES],
        .deletes = table->counts[COUNT_DELETES],
        .truncates = table->counts[COUNT_TRUNCATES],
        .conflicts = table->conflicts,
        .is_behind = apply_table_is_detached(table),
        .stopped = table->is_stopped ? &table->stop : NULL,
    };
    return true;
}
