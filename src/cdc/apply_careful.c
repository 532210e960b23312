/* A transaction in which something does not fit, under the policies that go on over it. It is applied once
 * more, each change behind a savepoint and waited for: one that fails again is taken back alone, kept in
 * pgcutover.conflicts within the same transaction, and left out, or, with APPLIER_UPSERTS, made to fit: an
 * INSERT of a row that is there becomes an UPDATE of it, an UPDATE of a row that is not there an INSERT, and
 * a DELETE of such a row is done already. What cannot be made to fit stops its table, as without these
 * policies. Only changes that are on the target are counted as applied. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

bool apply_is_careful(const struct applier *applier)
{
    return applier->careful_lsn != LSN_INVALID && applier->commit_lsn == applier->careful_lsn;
}

bool apply_may_go_over(const struct applier *applier, const struct err *err)
{
    return (applier->options.on_conflict == APPLIER_SKIPS ||
            applier->options.on_conflict == APPLIER_UPSERTS) &&
           apply_is_tables_own(applier, err);
}

static void forget_failure(struct applier *applier)
{
    applier->failed = NULL;
    free(applier->failed_row);
    applier->failed_row = NULL;
    applier->status.failure = (struct applier_failure){0};
}

/* Sends the change behind a savepoint, and waits. After an error it is as if it had not been sent. */
static bool try_change(struct applier *applier, struct apply_table *table, const struct change *change,
                       struct err *err)
{
    struct apply_pipe *pipe = &applier->lanes[0].pipe;
    struct err ignored = ERR_INIT;

    if (!apply_pipe_send(pipe, "SAVEPOINT pgcutover", err))
        return false;
    gather_add(&applier->gather, &table->gathered, &table->map, change, applier->commit_lsn,
               applier->xid, true);
    bool ok = apply_group_piece(applier, err);
    gather_clear(&applier->gather);
    ok = apply_pipe_try(pipe, ok ? err : &ignored) && ok;
    err_clear(&ignored);
    if (!conn_is_open(applier->lanes[0].conn))
        return false;
    return apply_pipe_send(pipe, ok ? "RELEASE SAVEPOINT pgcutover" : "ROLLBACK TO SAVEPOINT pgcutover",
                           ok ? err : NULL) && ok;
}

static bool is_whole(const struct tuple *tuple)
{
    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == VALUE_UNCHANGED)
            return false;
    return true;
}

/* The change that would have the same end, where there is one: *nothing, when that is there already. */
static bool choose_other(const struct applier *applier, const struct apply_table *table,
                         const struct change *change, const struct err *err, struct change *other,
                         bool *nothing)
{
    bool none = !*err->sqlstate && applier->hit_none;

    *other = *change;
    *nothing = change->kind == CHANGE_DELETE && none;
    if (*nothing)
        return true;
    if (change->kind == CHANGE_INSERT && strcmp(err->sqlstate, "23505") == 0) {
        other->kind = CHANGE_UPDATE;
        other->has_old = false;
        return table->map.find == FIND_KEY;
    }
    other->kind = CHANGE_INSERT;
    return change->kind == CHANGE_UPDATE && none && is_whole(&change->new_tuple);
}

static bool make_fit(struct applier *applier, struct apply_table *table, const struct change *change,
                     const struct err *why)
{
    struct err err = ERR_INIT;
    struct change other;
    bool nothing;

    if (!choose_other(applier, table, change, why, &other, &nothing))
        return false;
    bool ok = nothing || try_change(applier, table, &other, &err);
    err_clear(&err);
    return ok;
}

/* Keeps the conflict, in the transaction that goes over it. */
static bool record(struct applier *applier, const struct apply_table *table,
                   const struct change *change, const char *resolution, const struct err *why,
                   struct err *err)
{
    const char *const kinds[] = {[CHANGE_INSERT] = "INSERT", [CHANGE_UPDATE] = "UPDATE",
                                 [CHANGE_DELETE] = "DELETE"};
    char oid[16], xid[16], lsn[LSN_TEXT_SIZE], key[PIPE_KEY_SIZE];
    char *row = apply_row_json(table, change);

    snprintf(oid, sizeof oid, "%" PRIu32, table->source_oid);
    snprintf(xid, sizeof xid, "%" PRIu32, applier->xid);
    apply_describe_key(table, change, key);
    const char *values[] = {oid, kinds[change->kind], key, row, resolution,
                            *why->sqlstate ? why->sqlstate : NULL, why->message,
                            lsn_format(applier->commit_lsn, lsn), xid};
    PGresult *res = apply_ask(applier, sql_apply_conflict, 9, values, err);
    bool ok = res != NULL;

    PQclear(res);
    free(row);
    applier->group.conflicts++;
    log_err(LOG_WARNING, why);
    return ok;
}

bool apply_carefully(struct applier *applier, struct apply_table *table, const struct change *change,
                     bool *applied, struct err *err)
{
    struct err why = ERR_INIT;

    *applied = true;
    if (!apply_group_piece(applier, err))
        return false;
    if (try_change(applier, table, change, &why))
        return true;
    if (!conn_is_open(applier->lanes[0].conn) || !apply_may_go_over(applier, &why)) {
        err_move(err, &why);
        return false;
    }
    bool upserts = applier->options.on_conflict == APPLIER_UPSERTS;
    struct apply_table *failed = applier->failed;
    if (upserts && !make_fit(applier, table, change, &why)) {
        applier->failed = failed;
        err_move(err, &why);
        return false;
    }
    *applied = upserts;
    bool ok = record(applier, table, change, upserts ? "upserted" : "skipped", &why, err);
    forget_failure(applier);
    err_clear(&why);
    return ok;
}
