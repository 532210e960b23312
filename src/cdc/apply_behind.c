/* Detached tables: how they come back. The stream's place is the lane's progress row; a detached table has
 * a place of its own, pgcutover.tables.behind_lsn, up to which it has everything. A catch-up pass feeds the
 * stream from the least of these places a second time, and only changes of detached tables count; the
 * places of the tables that a group changes move in its transaction. When the pass has come to where the
 * stream stands, the places are taken away, in one statement, and the tables are in the stream again.
 *
 * The pass meets Relation messages that are older than what the stream has seen; the definitions that
 * held before it are put back behind it. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

/* --- news for the caller --- */

void apply_report(struct applier *applier, struct apply_table *table)
{
    table->has_news = false;
    if (!table->reported)
        return;
    table->reported = false;
    table->next_changed = applier->changed;
    applier->changed = table;
}

void apply_report_news(struct applier *applier)
{
    struct apply_table *table;
    struct apply_table *next;

    HASH_ITER(by_oid, applier->tables.by_oid, table, next)
        if (table->has_news)
            apply_report(applier, table);
    applier->status.needed_lsn = apply_needed_lsn(applier);
}

/* --- which tables --- */

lsn_t apply_needed_lsn(const struct applier *applier)
{
    lsn_t least = applier->tables.least_behind;
    lsn_t applied = applier->status.applied_lsn;

    return least && least < applied ? least : applied;
}

bool applier_wants_catch_up(const struct applier *applier, lsn_t *from)
{
    if (!applier->tables.waiting_count || applier->in_transaction || applier->half.end_lsn)
        return false;
    *from = LSN_INVALID;
    for (const struct apply_table *t = applier->tables.by_oid; t; t = t->by_oid.next)
        if (apply_table_may_catch_up(t) && (!*from || t->behind_lsn < *from))
            *from = t->behind_lsn;
    return true;
}

/* --- a pass --- */

static bool begin_catch_up(struct applier *applier, struct err *err)
{
    lsn_t from;

    if (!applier_wants_catch_up(applier, &from)) {
        err_set(err, ERR_INTERNAL, "no table is to be caught up now");
        return false;
    }
    if (!apply_group_commit(applier, true, err))
        return false;
    applier->catch_up =
        (struct apply_catch_up){.on = true, .until = applier->status.passed_lsn, .done_lsn = from};
    return true;
}

/* What the stream passed over has to be written down first: else who starts over from the progress row would
 * meet, for tables that are in the stream again, what the pass has applied. */
bool applier_begin_catch_up(struct applier *applier, lsn_t *until, struct err *err)
{
    applier->passed_written_ms = INT64_MIN / 2;
    bool ok = applier_flush(applier, err) && apply_call(applier, begin_catch_up, err);

    *until = applier->catch_up.until;
    return ok;
}

void apply_abandon_catch_up(struct applier *applier)
{
    applier->catch_up = (struct apply_catch_up){0};
}

/* The last group takes the places of all that took part away. */
static bool end_places(struct applier *applier, struct err *err)
{
    struct apply_table *table;
    struct apply_table *next;

    HASH_ITER(by_oid, applier->tables.by_oid, table, next)
        if (apply_table_may_catch_up(table))
            apply_join(applier, table);
    if (!applier->group.touched)
        return true;
    applier->catch_up.done_lsn = LSN_INVALID;
    return apply_group_commit(applier, true, err);
}

static bool end_catch_up(struct applier *applier, struct err *err)
{
    if (!apply_group_commit(applier, true, err))
        return false;
    if (!end_places(applier, err))
        return false;
    apply_abandon_catch_up(applier);
    return apply_restore_sources(applier, err);
}

bool applier_end_catch_up(struct applier *applier, struct err *err)
{
    return apply_call(applier, end_catch_up, err);
}

static bool retry_stopped(struct applier *applier, struct err *err)
{
    if (!apply_group_commit(applier, true, err))
        return false;
    PGresult *res = apply_ask(applier, sql_apply_retry, 0, NULL, err);
    bool ok = res && apply_read_tables(applier, err);

    PQclear(res);
    return ok;
}

bool applier_retry_stopped(struct applier *applier, struct err *err)
{
    return apply_call(applier, retry_stopped, err);
}
