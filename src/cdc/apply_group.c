/* Target transactions. A group is sent to the lanes without waiting, and while the servers work on it the
 * next one is gathered. Every result of its changes is read before any COMMIT is sent: a change that hit no
 * row is no error to the server. Progress and counters are lane 0's last statement, and lane 0 commits when
 * all others have: so what is recorded as applied is there, always, and its WAL comes before lane 0's.
 *
 * If not all lanes come to commit, the group is there by half. What the lanes beside lane 0 recorded tells
 * which of them have it, and how it was spread (struct apply_half). The same transactions are then gathered
 * as one group again, and only what is missing is sent, on lane 0, whose commit makes it whole.
 *
 * A commit that waits for the disk is made now and then, and at the end of what there is; what was
 * committed since the last one is not told to the caller. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define PROGRESS_STATEMENT "pgc_progress"
#define PROGRESS_PARAMETERS 11
#define DURABLE_MS 100

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

    if (!applier->sources_changed)
        return true;
    HASH_ITER(by_oid, applier->tables.by_oid, table, next) {
        if (!table->source_changed)
            continue;
        ok = ok && apply_unmap(applier, table, true, err);
        restore_source(table);
    }
    applier->sources_changed = false;
    return ok;
}

/* --- places --- */

struct progress_arrays {
    struct buf oids;
    struct buf epochs;
    struct buf counts[COUNT_KINDS];
};

static void list_tables(const struct apply_table *first, struct progress_arrays *arrays)
{
    char lsn[LSN_TEXT_SIZE];
    char separator = '{';

    for (const struct apply_table *t = first; t; t = t->next_touched) {
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

/* The statement that moves a place, in the group's transaction: it must hit so many rows. */
static bool send_place(struct apply_lane *lane, const char *sql, int count, const char *const *values,
                       long rows, struct err *err)
{
    if (!PQsendQueryParams(lane->conn->pg, sql, count, NULL, values, NULL, NULL, 0)) {
        conn_error(lane->conn, NULL, sql, err);
        return false;
    }
    struct pipe_entry *entry = apply_pipe_add(&lane->pipe, PIPE_OTHER);
    entry->sql = sql;
    entry->rows = rows;
    return true;
}

static bool prepare_progress(struct apply_lane *lane, struct err *err)
{
    if (lane->progress_prepared)
        return true;
    if (!PQsendPrepare(lane->conn->pg, PROGRESS_STATEMENT, sql_apply_progress, 0, NULL)) {
        conn_error(lane->conn, NULL, sql_apply_progress, err);
        return false;
    }
    apply_pipe_add(&lane->pipe, PIPE_OTHER)->sql = sql_apply_progress;
    lane->progress_prepared = true;
    return true;
}

static bool send_progress(struct applier *applier, const struct progress_arrays *arrays,
                          struct err *err)
{
    const struct apply_group *group = &applier->group;
    struct apply_lane *lane = &applier->lanes[0];
    char commit_us[24];
    char lsn[3][LSN_TEXT_SIZE];

    if (!prepare_progress(lane, err))
        return false;
    snprintf(commit_us, sizeof commit_us, "%" PRId64, group->commit_us);
    const char *values[PROGRESS_PARAMETERS] = {
        "0", lsn_format(applier->status.applied_lsn, lsn[0]), lsn_format(group->commit_lsn, lsn[1]),
        lsn_format(group->end_lsn, lsn[2]), commit_us, arrays->oids.data, arrays->epochs.data,
        arrays->counts[COUNT_INSERTS].data, arrays->counts[COUNT_UPDATES].data,
        arrays->counts[COUNT_DELETES].data, arrays->counts[COUNT_TRUNCATES].data};
    if (!PQsendQueryPrepared(lane->conn->pg, PROGRESS_STATEMENT, PROGRESS_PARAMETERS, values, NULL,
                             NULL, 0)) {
        conn_error(lane->conn, NULL, sql_apply_progress, err);
        return false;
    }
    struct pipe_entry *entry = apply_pipe_add(&lane->pipe, PIPE_OTHER);
    entry->sql = sql_apply_progress;
    entry->rows = 1;
    return true;
}

/* A pass moves the places of the tables that the group changed; its end takes them away. */
static bool send_behind(struct applier *applier, const struct progress_arrays *arrays, struct err *err)
{
    bool ends = applier->catch_up.done_lsn == LSN_INVALID;
    char lsn[LSN_TEXT_SIZE];
    const char *values[] = {ends ? NULL : lsn_format(applier->group.end_lsn, lsn),
                            arrays->oids.data, arrays->epochs.data,
                            arrays->counts[COUNT_INSERTS].data, arrays->counts[COUNT_UPDATES].data,
                            arrays->counts[COUNT_DELETES].data,
                            arrays->counts[COUNT_TRUNCATES].data};
    long tables = 0;

    for (const struct apply_table *t = applier->group.touched; t; t = t->next_touched)
        tables++;
    return send_place(&applier->lanes[0], sql_apply_catch_up, 7, values, tables, err);
}

static bool send_main_place(struct applier *applier, struct err *err)
{
    struct progress_arrays arrays = {0};

    list_tables(applier->group.touched, &arrays);
    bool ok = applier->catch_up.on ? send_behind(applier, &arrays, err)
                                   : send_progress(applier, &arrays, err);
    arrays_release(&arrays);
    return ok;
}

static bool send_lane_place(struct apply_lane *lane, const struct apply_spread *spread,
                            const char *ordered, struct err *err)
{
    const struct apply_group *group = &lane->applier->group;
    char number[16], lanes[16], lsn[2][LSN_TEXT_SIZE];
    const char *values[] = {number, lsn_format(group->commit_lsn, lsn[0]),
                            lsn_format(group->end_lsn, lsn[1]), lanes, ordered};

    snprintf(number, sizeof number, "%d", lane->number);
    snprintf(lanes, sizeof lanes, "%d", spread->lanes);
    return send_place(lane, sql_apply_lane, 5, values, 1, err);
}

/* --- sending --- */

bool apply_group_is_open(const struct applier *applier)
{
    return applier->gather.count || applier->group.in_pieces || applier->group.touched;
}

static bool is_single(const struct applier *applier)
{
    return applier->group.commit_lsn <= applier->single_until;
}

static bool makes_whole(const struct applier *applier)
{
    return applier->half.end_lsn != LSN_INVALID && !applier->catch_up.on;
}

static struct apply_spread choose_spread(const struct applier *applier)
{
    const struct apply_half *half = &applier->half;

    if (makes_whole(applier))
        return (struct apply_spread){half->lanes, half->done, true, half->ordered,
                                     half->ordered_count};
    if (applier->group.in_pieces || applier->catch_up.on || is_single(applier) ||
        applier->group.changes < applier->options.lanes_changes)
        return (struct apply_spread){.lanes = 1};
    return (struct apply_spread){.lanes = (int)applier->lane_count};
}

static bool send_tables(struct applier *applier, const struct apply_spread *spread, struct err *err)
{
    for (struct gather_table *g = applier->gather.tables; g; g = g->next)
        if (!apply_send_table(applier, spread, apply_tables_find(&applier->tables, g->oid), err))
            return false;
    return true;
}

bool apply_group_piece(struct applier *applier, struct err *err)
{
    const struct apply_spread alone = {.lanes = 1};
    struct apply_lane *lane = &applier->lanes[0];

    if (!apply_group_finish(applier, err) || !apply_lane_begin(lane, err))
        return false;
    applier->group.in_pieces = true;
    if (!send_tables(applier, &alone, err))
        return false;
    gather_clear(&applier->gather);
    return apply_pipe_push(&lane->pipe, err);
}

/* "{1,2}": tables that are on one lane each; owned. */
static char *list_ordered(const struct applier *applier, const struct apply_spread *spread)
{
    struct buf list = BUF_INIT;

    for (const struct gather_table *g = applier->gather.tables; g; g = g->next)
        if (apply_is_together(spread, apply_tables_find(&applier->tables, g->oid)))
            buf_addf(&list, "%c%" PRIu32, list.len ? ',' : '{', g->oid);
    buf_addstr(&list, list.len ? "}" : "{}");
    return buf_take(&list);
}

/* Lanes wait for each other here, where no server sees it: one that has a lock which somebody's ALTER TABLE
 * waits for, and others in the queue behind that, would wait for ever. So with several lanes nobody waits
 * for long; what gave way is applied again on one, which may. What makes a group whole is on one already. */
#define LANES_LOCK_TIMEOUT "2s"

static bool begin_lane(struct apply_lane *lane, const struct apply_spread *spread, struct err *err)
{
    return apply_lane_begin(lane, err) &&
           (spread->lanes <= 1 || spread->redo ||
            apply_pipe_send(&lane->pipe, "SET LOCAL lock_timeout = '" LANES_LOCK_TIMEOUT "'", err));
}

static bool end_lane(struct apply_lane *lane, const struct apply_spread *spread, const char *ordered,
                     struct err *err)
{
    return (lane->number > 0 ? send_lane_place(lane, spread, ordered, err)
                             : send_main_place(lane->applier, err)) &&
           apply_pipe_push(&lane->pipe, err);
}

static bool send_group(struct applier *applier, struct err *err)
{
    struct apply_spread spread = choose_spread(applier);
    uint32_t mask = apply_spread_mask(applier, &spread);
    char *ordered = list_ordered(applier, &spread);
    bool ok = true;

    for (size_t i = 0; ok && i < applier->lane_count; i++)
        if (mask >> i & 1)
            ok = begin_lane(&applier->lanes[i], &spread, err);
    ok = ok && send_tables(applier, &spread, err);
    for (size_t i = applier->lane_count; ok && i-- > 0;)
        if (mask >> i & 1)
            ok = end_lane(&applier->lanes[i], &spread, ordered, err);
    free(ordered);
    return ok;
}

/* Has what was committed been at the mercy of the target's power supply for long enough? */
static bool is_overdue(const struct applier *applier)
{
    return applier->unsynced && clock_mono_ms() - applier->unsynced_since_ms >= DURABLE_MS;
}

/* From the list of what is gathered to that of what is on its way. */
static void let_fly(struct applier *applier, bool durable)
{
    applier->sent = applier->group;
    applier->sent.flying = true;
    applier->sent.durable = durable || applier->catch_up.on || is_overdue(applier);
    for (struct apply_table *t = applier->sent.touched; t; t = t->next_touched) {
        memcpy(t->flying, t->pending, sizeof t->flying);
        memset(t->pending, 0, sizeof t->pending);
        t->touched = false;
        t->is_flying = true;
        t->next_flying = t->next_touched;
    }
    applier->group = (struct apply_group){0};
    gather_clear(&applier->gather);
}

/* A table that an earlier applier spread by rows cannot be taken in order now: what it sent is not known. */
static bool check_half(const struct applier *applier, struct err *err)
{
    const struct apply_half *half = &applier->half;
    const struct apply_spread spread = {half->lanes, half->done, true, half->ordered,
                                        half->ordered_count};

    for (const struct gather_table *g = applier->gather.tables; g; g = g->next) {
        const struct apply_table *table = apply_tables_find(&applier->tables, g->oid);
        if (!gather_is_ordered(g) || apply_is_together(&spread, table))
            continue;
        err_set(err, ERR_PREREQUISITE, "the unique indexes or triggers of target table %s were changed "
                "while a group of transactions was there by half", table->display);
        err_hint(err, "Put the table's indexes and triggers back as they were, then resume.");
        return false;
    }
    return true;
}

bool apply_group_seal(struct applier *applier, bool durable, struct err *err)
{
    if (!apply_group_finish(applier, err))
        return false;
    if (makes_whole(applier) && !check_half(applier, err))
        return false;
    if (!send_group(applier, err))
        return false;
    let_fly(applier, durable);
    return true;
}

/* --- commit --- */

static void count_group(struct applier *applier)
{
    const struct apply_group *group = &applier->sent;

    for (struct apply_table *t = group->touched; t; t = t->next_flying) {
        for (int i = 0; i < COUNT_KINDS; i++) {
            t->counts[i] += t->flying[i];
            t->flying[i] = 0;
        }
        t->is_flying = false;
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
    const struct apply_group *group = &applier->sent;
    struct applier_status *status = &applier->status;

    status->transactions += group->transactions;
    status->applied_lsn = group->end_lsn;
    status->passed_lsn = group->mark_lsn > group->end_lsn ? group->mark_lsn : group->end_lsn;
    status->applied_commit_us = status->passed_commit_us = group->commit_us;
    status->visible_us = clock_wall_us();
    applier->passed_written_ms = clock_mono_ms();
    if (applier->half.end_lsn && applier->half.end_lsn <= group->end_lsn)
        apply_half_release(&applier->half);
}

static void move_pass(struct applier *applier)
{
    if (applier->catch_up.done_lsn)
        applier->catch_up.done_lsn = applier->sent.end_lsn;
    apply_tables_survey(&applier->tables);
}

static bool commit_lane(struct apply_lane *lane, struct err *err)
{
    if (!apply_pipe_send(&lane->pipe, "COMMIT", err) || !apply_pipe_send_sync(&lane->pipe, err) ||
        !apply_pipe_push(&lane->pipe, err))
        return false;
    lane->open = false;
    return true;
}

static bool drain_all(struct applier *applier, struct err *err)
{
    for (size_t i = 0; i < applier->lane_count; i++)
        if (!apply_pipe_drain(&applier->lanes[i].pipe, err))
            return false;
    return true;
}

static bool commit_others(struct applier *applier, struct err *err)
{
    for (size_t i = 1; i < applier->lane_count; i++)
        if (applier->lanes[i].open && !commit_lane(&applier->lanes[i], err))
            return false;
    return drain_all(applier, err);
}

static bool commit_main(struct applier *applier, struct err *err)
{
    struct apply_lane *lane = &applier->lanes[0];

    if (!applier->sent.durable &&
        !apply_pipe_send(&lane->pipe, "SET LOCAL synchronous_commit = off", err))
        return false;
    if (!commit_lane(lane, err) || !apply_pipe_drain(&lane->pipe, err))
        return false;
    if (!applier->unsynced)
        applier->unsynced_since_ms = clock_mono_ms();
    applier->unsynced = !applier->sent.durable;
    return true;
}

bool apply_group_finish(struct applier *applier, struct err *err)
{
    if (!applier->sent.flying)
        return true;
    if (!drain_all(applier, err) || !commit_others(applier, err) || !commit_main(applier, err))
        return false;
    count_group(applier);
    if (applier->catch_up.on)
        move_pass(applier);
    else
        move_stream(applier);
    bool conflicts = applier->sent.conflicts > 0;
    applier->sent = (struct apply_group){0};
    applier->status.needed_lsn = apply_needed_lsn(applier);
    if (conflicts && !apply_read_tables(applier, err))
        return false;
    /* What the next group has met so far is not at a boundary yet. */
    if (!apply_group_is_open(applier) && !applier->in_transaction)
        apply_keep_sources(applier);
    return true;
}

static bool make_durable(struct applier *applier, struct err *err)
{
    PGresult *res;

    if (!applier->unsynced)
        return true;
    res = apply_ask(applier, sql_apply_durable, 0, NULL, err);
    applier->unsynced = applier->unsynced && !res;
    PQclear(res);
    return res != NULL;
}

bool apply_group_commit(struct applier *applier, bool durable, struct err *err)
{
    return (!apply_group_is_open(applier) || apply_group_seal(applier, durable, err)) &&
           apply_group_finish(applier, err) &&
           ((!durable && !is_overdue(applier)) || make_durable(applier, err));
}

/* --- failure --- */

static void forget_groups(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    gather_clear(&applier->gather);
    HASH_ITER(by_oid, applier->tables.by_oid, table, next) {
        memset(table->pending, 0, sizeof table->pending);
        memset(table->flying, 0, sizeof table->flying);
        table->touched = table->is_flying = false;
        apply_unmap(applier, table, false, NULL);
        restore_source(table);
    }
    applier->group = applier->sent = (struct apply_group){0};
    applier->sources_changed = false;
    applier->in_transaction = applier->skipping = false;
}

/* Single steps help where several changes were tried together, and where a row is to be kept. A group that
 * is there by half can only be made whole as it was. */
static bool single_would_help(const struct applier *applier, const struct err *err)
{
    if (err->code == ERR_STOPPED || err->code == ERR_CONNECTION || applier->half.end_lsn)
        return false;
    if (applier->commit_lsn <= applier->single_until)
        return false;
    return !err->retryable || applier->group.transactions + applier->sent.transactions > 0;
}

/* What is there now, by the target's own word. */
static bool look_again(struct applier *applier, struct err *err)
{
    struct applier_status *status = &applier->status;
    lsn_t applied_lsn = status->applied_lsn;

    if (!apply_read_place(applier, err) || !apply_read_tables(applier, err) ||
        !make_durable(applier, err))
        return false;
    if (status->applied_lsn != applied_lsn)
        status->passed_lsn = status->applied_lsn;
    return true;
}

void apply_group_fail(struct applier *applier, struct err *err)
{
    bool single = single_would_help(applier, err);
    struct err ignored = ERR_INIT;
    bool settled = false;

    bool recovered = apply_lanes_recover(applier); /* first: its entries hold statements */
    forget_groups(applier);
    if (recovered && !look_again(applier, &ignored)) {
        for (size_t i = 0; i < applier->lane_count; i++)
            conn_close(applier->lanes[i].conn);
        recovered = false;
    }
    err_clear(&ignored);
    if (single)
        applier->single_until = applier->commit_lsn;
    else if (recovered && !applier->half.end_lsn)
        settled = apply_settle(applier, err);
    applier->status.retry_single = recovered && (single || settled);
    apply_abandon_catch_up(applier);
}
