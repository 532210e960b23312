/* Target transactions. Every result of a group's changes is read before its COMMIT is sent: a change
 * that hit no row is no error to the server. Progress and counters are the group's last statement, so
 * that what is recorded as applied is there, always. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define PROGRESS_STATEMENT "pgc_progress"
#define PROGRESS_PARAMETERS 11

bool apply_group_open(struct applier *applier, struct err *err)
{
    if (applier->group.open)
        return true;
    if (!apply_pipe_send(&applier->pipe, "BEGIN ISOLATION LEVEL READ COMMITTED", err))
        return false;
    applier->group.open = true;
    /* In replica role their triggers do not fire; else they are checked as late as the source could. */
    return applier->conn->replica_role ||
           apply_pipe_send(&applier->pipe, "SET CONSTRAINTS ALL DEFERRED", err);
}

void apply_touch(struct applier *applier, struct apply_table *table, enum apply_count what)
{
    applier->group.changes++;
    table->pending[what]++;
    apply_join(applier, table);
}

void apply_join(struct applier *applier, struct apply_table *table)
{
    if (table->touched)
        return;
    table->touched = true;
    table->next_touched = applier->group.touched;
    applier->group.touched = table;
}

/* --- source definitions --- */

void apply_keep_sources(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    if (!applier->sources_changed || applier->catch_up.on)
        return;
    HASH_ITER(by_oid, applier->tables.by_oid, table, next) {
        source_table_release(&table->before);
        table->source_changed = false;
    }
    applier->sources_changed = false;
}

/* The stream is read again from before these Relation messages: back to what held there. */
static void restore_source(struct apply_table *table)
{
    if (!table->source_changed)
        return;
    source_table_release(&table->source);
    table->source = table->before;
    table->before = (struct source_table)SOURCE_TABLE_INIT;
    table->source_changed = false;
}

bool apply_restore_sources(struct applier *applier, struct err *err)
{
    struct apply_table *table;
    struct apply_table *next;
    bool ok = true;

    HASH_ITER(by_oid, applier->tables.by_oid, table, next) {
        if (!table->source_changed)
            continue;
        ok = ok && apply_unmap(applier, table, true, err);
        restore_source(table);
    }
    applier->sources_changed = false;
    return ok && apply_pipe_sync(&applier->pipe, err);
}

/* --- commit --- */

struct progress_arrays {
    struct buf oids;
    struct buf epochs;
    struct buf counts[COUNT_KINDS];
};

static void gather(const struct applier *applier, struct progress_arrays *arrays)
{
    char lsn[LSN_TEXT_SIZE];
    char separator = '{';

    for (const struct apply_table *t = applier->group.touched; t; t = t->next_touched) {
        buf_addf(&arrays->oids, "%c%" PRIu32, separator, t->source_oid);
        buf_addf(&arrays->epochs, "%c%s", separator, lsn_format(t->epoch_lsn, lsn));
        for (int i = 0; i < COUNT_KINDS; i++)
            buf_addf(&arrays->counts[i], "%c%" PRId64, separator, t->pending[i]);
        separator = ',';
    }
    const char *end = separator == '{' ? "{}" : "}";
    buf_addstr(&arrays->oids, end);
    buf_addstr(&arrays->epochs, end);
    for (int i = 0; i < COUNT_KINDS; i++)
        buf_addstr(&arrays->counts[i], end);
}

static void arrays_release(struct progress_arrays *arrays)
{
    buf_release(&arrays->oids);
    buf_release(&arrays->epochs);
    for (int i = 0; i < COUNT_KINDS; i++)
        buf_release(&arrays->counts[i]);
}

/* The statement that moves a place in the group's transaction: it must hit so many rows. */
static bool send_place(struct applier *applier, const char *sql, int count, const char *const *values,
                       long rows, struct err *err)
{
    if (!PQsendQueryParams(applier->conn->pg, sql, count, NULL, values, NULL, NULL, 0)) {
        conn_error(applier->conn, NULL, sql, err);
        return false;
    }
    struct pipe_entry *entry = apply_pipe_add(&applier->pipe, PIPE_OTHER);
    entry->sql = sql;
    entry->rows = rows;
    return true;
}

static bool prepare_progress(struct applier *applier, struct err *err)
{
    if (applier->progress_prepared)
        return true;
    if (!PQsendPrepare(applier->conn->pg, PROGRESS_STATEMENT, sql_apply_progress, 0, NULL)) {
        conn_error(applier->conn, NULL, sql_apply_progress, err);
        return false;
    }
    apply_pipe_add(&applier->pipe, PIPE_OTHER)->sql = sql_apply_progress;
    applier->progress_prepared = true;
    return true;
}

static bool send_progress(struct applier *applier, const struct progress_arrays *arrays,
                          struct err *err)
{
    const struct apply_group *group = &applier->group;
    char lane[16];
    char commit_us[24];
    char lsn[3][LSN_TEXT_SIZE];

    if (!prepare_progress(applier, err))
        return false;
    snprintf(lane, sizeof lane, "%d", applier->options.lane);
    snprintf(commit_us, sizeof commit_us, "%" PRId64, group->commit_us);
    const char *values[PROGRESS_PARAMETERS] = {
        lane, lsn_format(applier->status.applied_lsn, lsn[0]), lsn_format(group->commit_lsn, lsn[1]),
        lsn_format(group->end_lsn, lsn[2]), commit_us, arrays->oids.data, arrays->epochs.data,
        arrays->counts[COUNT_INSERTS].data, arrays->counts[COUNT_UPDATES].data,
        arrays->counts[COUNT_DELETES].data, arrays->counts[COUNT_TRUNCATES].data};
    if (!PQsendQueryPrepared(applier->conn->pg, PROGRESS_STATEMENT, PROGRESS_PARAMETERS, values, NULL,
                             NULL, 0)) {
        conn_error(applier->conn, NULL, sql_apply_progress, err);
        return false;
    }
    struct pipe_entry *entry = apply_pipe_add(&applier->pipe, PIPE_OTHER);
    entry->sql = sql_apply_progress;
    entry->rows = 1;
    return true;
}

/* A pass moves the places of the tables that the group changed; its end takes them away. */
static bool send_behind(struct applier *applier, const struct progress_arrays *arrays, size_t tables,
                        struct err *err)
{
    bool ends = applier->catch_up.done_lsn == LSN_INVALID;
    char lsn[LSN_TEXT_SIZE];
    const char *values[] = {ends ? NULL : lsn_format(applier->group.end_lsn, lsn),
                            arrays->oids.data, arrays->epochs.data,
                            arrays->counts[COUNT_INSERTS].data, arrays->counts[COUNT_UPDATES].data,
                            arrays->counts[COUNT_DELETES].data,
                            arrays->counts[COUNT_TRUNCATES].data};

    return send_place(applier, sql_apply_catch_up, 7, values, (long)tables, err);
}

static bool send_places(struct applier *applier, struct err *err)
{
    struct progress_arrays arrays = {0};
    size_t tables = 0;

    gather(applier, &arrays);
    for (const struct apply_table *t = applier->group.touched; t; t = t->next_touched)
        tables++;
    bool ok = applier->catch_up.on ? send_behind(applier, &arrays, tables, err)
                                   : send_progress(applier, &arrays, err);
    arrays_release(&arrays);
    return ok;
}

static void count_group(struct applier *applier)
{
    const struct apply_group *group = &applier->group;

    for (struct apply_table *t = group->touched; t; t = t->next_touched) {
        for (int i = 0; i < COUNT_KINDS; i++) {
            t->counts[i] += t->pending[i];
            t->pending[i] = 0;
        }
        t->touched = false;
        if (applier->catch_up.on)
            t->behind_lsn = applier->catch_up.done_lsn ? group->end_lsn : LSN_INVALID;
        apply_report(applier, t);
    }
    applier->status.changes += group->changes;
    applier->status.groups++;
    applier->status.table_changes += group->tables_changed;
}

static void move_stream(struct applier *applier)
{
    const struct apply_group *group = &applier->group;
    struct applier_status *status = &applier->status;

    status->transactions += group->transactions;
    status->applied_lsn = group->end_lsn;
    status->passed_lsn = group->mark_lsn > group->end_lsn ? group->mark_lsn : group->end_lsn;
    status->applied_commit_us = status->passed_commit_us = group->commit_us;
    applier->passed_written_ms = clock_mono_ms();
}

static void move_pass(struct applier *applier)
{
    if (applier->catch_up.done_lsn)
        applier->catch_up.done_lsn = applier->group.end_lsn;
    apply_tables_survey(&applier->tables);
}

bool apply_group_commit(struct applier *applier, struct err *err)
{
    if (!apply_batch_send(applier, err) || !send_places(applier, err) ||
        !apply_pipe_drain(&applier->pipe, err))
        return false;
    if (!apply_pipe_send(&applier->pipe, "COMMIT", err))
        return false;
    if (!apply_pipe_sync(&applier->pipe, err))
        return false;
    count_group(applier);
    if (!applier->catch_up.on)
        move_stream(applier);
    else
        move_pass(applier);
    applier->group = (struct apply_group){0};
    applier->status.needed_lsn = apply_needed_lsn(applier);
    apply_keep_sources(applier);
    return true;
}

/* --- failure --- */

static void forget_group(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    HASH_ITER(by_oid, applier->tables.by_oid, table, next) {
        memset(table->pending, 0, sizeof table->pending);
        table->touched = false;
        apply_unmap(applier, table, false, NULL);
        restore_source(table);
    }
    applier->group = (struct apply_group){0};
    apply_batch_clear(&applier->batch);
    applier->batch_failed = false;
    applier->sources_changed = false;
    applier->progress_prepared = false;
    applier->in_transaction = applier->skipping = false;
}

/* Single steps help where the group had whole transactions before the one that failed, where the
 * change that failed is one of a batch, and where its row is to be kept. */
static bool single_would_help(const struct applier *applier, const struct err *err)
{
    int64_t whole = applier->group.transactions;

    if (err->code == ERR_STOPPED || err->code == ERR_CONNECTION)
        return false;
    if (applier->options.on_conflict != APPLIER_FAILS && applier->failed && !applier->failed_row &&
        applier->commit_lsn > applier->single_until)
        return true;
    return applier->batch_failed || (applier->in_transaction ? whole > 0 : whole > 1);
}

void apply_group_fail(struct applier *applier, struct err *err)
{
    bool single = single_would_help(applier, err);
    struct err ignored = ERR_INIT;

    bool recovered = apply_pipe_recover(&applier->pipe); /* first: its entries hold statements */
    forget_group(applier);
    if (!recovered || !apply_read_tables(applier, &ignored) ||
        !apply_pipe_sync(&applier->pipe, &ignored)) {
        conn_close(applier->conn);
        single = false;
    }
    err_clear(&ignored);
    if (single)
        applier->single_until = applier->commit_lsn;
    applier->status.retry_single =
        single || (recovered && conn_is_open(applier->conn) && apply_settle(applier, err));
    apply_abandon_catch_up(applier);
}
