/* How it works: a source transaction's changes go to the target as they come, through a pipeline of
 * prepared statements (apply_row.c, apply_pipe.c), within a target transaction (apply_group.c). At the
 * end of a source transaction the target's is committed when it is large enough, or when the caller
 * says that no more input is there.
 *
 * A change belongs to us when its table is in pgcutover.tables, and when the transaction committed
 * after the snapshot that the table was loaded from. Transactions without any are only noted: the
 * position moves on with the next one that has, or after a while.
 *
 * INSERTs into one table that come in a row are sent as one statement (apply_batch.c). Where one of them
 * fails it is not known which: the caller is asked to feed again, and then each is a statement.
 *
 * Whatever fails, the group is rolled back, and what is known about the target is read anew. */
#include "cdc/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define GROUP_CHANGES 50000
#define GROUP_BYTES (INT64_C(64) << 20)
#define MAX_STATEMENTS 2000
#define LOCK_TIMEOUT_MS 30000
#define WINDOW_STATEMENTS 1000
#define WINDOW_BYTES ((size_t)256 << 10)
#define PASSED_WRITE_MS 10000 /* how old a position that concerned nobody may get */

/* --- open and close --- */

static void set_defaults(struct applier *applier)
{
    struct applier_options *options = &applier->options;

    options->max_group_changes = options->max_group_changes ? options->max_group_changes : GROUP_CHANGES;
    options->max_group_bytes = options->max_group_bytes ? options->max_group_bytes : GROUP_BYTES;
    options->lock_timeout_ms = options->lock_timeout_ms ? options->lock_timeout_ms : LOCK_TIMEOUT_MS;
    applier->cache.max = options->max_statements ? options->max_statements : MAX_STATEMENTS;
    applier->pipe.max_count = WINDOW_STATEMENTS;
    applier->pipe.max_bytes = WINDOW_BYTES;
    applier->pipe.judge = apply_judge;
    applier->pipe.arg = applier;
}

static bool read_tables(struct applier *applier, struct err *err)
{
    PGresult *res = conn_exec(applier->conn, sql_apply_tables, err);

    if (res)
        apply_tables_read(&applier->tables, res);
    PQclear(res);
    apply_report_news(applier);
    return res != NULL;
}

static bool start(struct applier *applier, struct err *err)
{
    struct applier_status *status = &applier->status;

    if (!conn_command(applier->conn, sql_apply_session, err) ||
        !apply_lock(applier->conn, applier->options.lane, applier->options.lock_timeout_ms, err) ||
        !apply_position(applier->conn, applier->options.lane, applier->options.start_lsn,
                        &status->applied_lsn, &status->applied_commit_us, err) ||
        !read_tables(applier, err))
        return false;
    status->passed_lsn = status->applied_lsn;
    status->passed_commit_us = status->applied_commit_us;
    status->needed_lsn = apply_needed_lsn(applier);
    applier->passed_written_ms = clock_mono_ms();
    return apply_pipe_begin(&applier->pipe, applier->conn, err);
}

struct applier *applier_open(struct conn *target, const struct applier_options *options,
                             struct err *err)
{
    struct applier *applier = xcalloc(1, sizeof *applier);

    applier->conn = target;
    applier->options = *options;
    set_defaults(applier);
    if (start(applier, err))
        return applier;
    applier_close(applier);
    return NULL;
}

static void leave_session(struct applier *applier)
{
    if (!conn_is_open(applier->conn) || PQpipelineStatus(applier->conn->pg) == PQ_PIPELINE_OFF)
        return;
    if (!apply_pipe_recover(&applier->pipe)) {
        conn_close(applier->conn);
        return;
    }
    PQexitPipelineMode(applier->conn->pg);
    conn_commandf(applier->conn, NULL,
                  "SELECT pg_catalog.pg_advisory_unlock(pg_catalog.hashtext('pgcutover ' || m.id), %d) "
                  "FROM pgcutover.migration m", applier->options.lane);
}

void applier_close(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    if (!applier)
        return;
    leave_session(applier);
    apply_pipe_end(&applier->pipe); /* first: its entries hold statements */
    HASH_ITER(by_oid, applier->tables.by_oid, table, next)
        apply_unmap(applier, table, false, NULL);
    apply_tables_release(&applier->tables);
    apply_batch_release(&applier->batch);
    buf_release(&applier->sql);
    free(applier->failed_row);
    free(applier->values);
    free(applier->lengths);
    free(applier->formats);
    free(applier->set);
    free(applier);
}

/* --- messages --- */

static bool begin_transaction(struct applier *applier, const struct change *change, struct err *err)
{
    const struct apply_catch_up *pass = &applier->catch_up;
    lsn_t known = applier->group.transactions ? applier->group.end_lsn
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
    applier->skipping = change->commit_lsn < known || (pass->on && change->commit_lsn >= pass->until);
    return true;
}

static bool group_is_full(const struct applier *applier)
{
    const struct apply_group *group = &applier->group;

    return group->changes >= applier->options.max_group_changes ||
           group->bytes >= applier->options.max_group_bytes ||
           group->commit_lsn <= applier->single_until;
}

static bool end_transaction(struct applier *applier, const struct change *change, struct err *err)
{
    struct apply_group *group = &applier->group;

    applier->in_transaction = false;
    if (applier->skipping)
        return true;
    if (!group->open && applier->catch_up.on) {
        applier->catch_up.done_lsn = change->end_lsn;
        return true;
    }
    if (!group->open) {
        applier->status.passed_lsn = change->end_lsn;
        applier->status.passed_commit_us = change->commit_us;
        apply_keep_sources(applier);
        return true;
    }
    group->transactions++;
    group->commit_lsn = change->commit_lsn;
    group->end_lsn = change->end_lsn;
    group->commit_us = change->commit_us;
    return !group_is_full(applier) || apply_group_commit(applier, err);
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
    if (!apply_batch_send(applier, err) || !apply_pipe_drain(&applier->pipe, err))
        return false;
    if (table->source.name && !table->source_changed) {
        table->before = table->source;
        table->source = (struct source_table)SOURCE_TABLE_INIT;
        table->source_changed = applier->sources_changed = true;
    }
    source_table_set(&table->source, change);
    if (!table->mapped)
        return true;
    return apply_unmap(applier, table, true, err) &&
           (applier->group.open || apply_pipe_sync(&applier->pipe, err));
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
    if (conn_is_open(applier->conn))
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

static bool flush(struct applier *applier, struct err *err)
{
    struct apply_group *group = &applier->group;
    const struct applier_status *status = &applier->status;

    if (applier->in_transaction)
        return apply_batch_send(applier, err) && apply_pipe_push(&applier->pipe, err);
    if (group->open)
        return apply_group_commit(applier, err);
    if (applier->catch_up.on)
        return true;
    if (status->passed_lsn == status->applied_lsn ||
        clock_mono_ms() - applier->passed_written_ms < PASSED_WRITE_MS)
        return true;
    if (!apply_group_open(applier, err))
        return false;
    group->commit_lsn = group->end_lsn = status->passed_lsn;
    group->commit_us = status->passed_commit_us;
    return apply_group_commit(applier, err);
}

bool applier_flush(struct applier *applier, struct err *err)
{
    return apply_call(applier, flush, err);
}

static bool reload_tables(struct applier *applier, struct err *err)
{
    return apply_read_tables(applier, err) &&
           (applier->group.open || apply_pipe_sync(&applier->pipe, err));
}

bool applier_reload_tables(struct applier *applier, struct err *err)
{
    return apply_call(applier, reload_tables, err);
}

void applier_mark(struct applier *applier, lsn_t lsn)
{
    lsn_t *place = applier->group.open ? &applier->group.mark_lsn : &applier->status.passed_lsn;

    if (!applier->in_transaction && !applier->catch_up.on && lsn > *place)
        *place = lsn;
}

const struct applier_status *applier_status(const struct applier *applier)
{
    return &applier->status;
}

bool applier_has_changed(const struct applier *applier)
{
    return applier->changed != NULL;
}

bool applier_next_changed(struct applier *applier, struct applier_table *out)
{
    struct apply_table *table = applier->changed;

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
