/* How it works: one statement on each side, sent to both before either is read, so that the two servers
 * work at the same time. The row's text is the same on both (rowtext.h); where the encodings differ its bytes
 * are those of UTF-8 (of SQL_ASCII nothing is known: bytes as they are). */
#include "verify/run.h"

#include <stdlib.h>

#include "load/snapshot.h"

/* Ends what runs, and reads its answer away. */
static void abandon(const struct side *side, const char *sql)
{
    if (!side->c || !conn_is_open(side->c) || PQtransactionStatus(side->c->pg) != PQTRANS_ACTIVE)
        return;
    conn_cancel(side->c);
    PQclear(comparison_collect(side, sql, NULL));
}

bool verify_run_begin(struct verify_run *run, struct verify_pieces *pieces, struct conn *src, struct conn *dst,
                      struct err *err)
{
    const struct comparison *cmp = &pieces->cmp;
    int number = pieces->begun++;

    *run = (struct verify_run){
        .pieces = pieces,
        .ends = {{.c = src, .schema = cmp->from.schema, .name = cmp->from.name, .kind = cmp->from.kind},
                 {.c = dst, .schema = cmp->to.schema, .name = cmp->to.name, .kind = cmp->to.kind}}};
    if (number > 0 && (!comparison_begin(src, cmp->job->snapshot, err) || !comparison_begin(dst, cmp->job->target_snapshot, err)))
        return false;
    if (!pieces->sql[0])
        return true;
    for (int side = 0; side < 2; side++)
        run->sql[side] = verify_pieces_sql(pieces, side, number);
    return comparison_send(src, run->sql[0], err) && comparison_send(dst, run->sql[1], err);
}

static bool has_answered(struct conn *c)
{
    return !PQconsumeInput(c->pg) || !PQisBusy(c->pg);
}

bool verify_run_is_over(struct verify_run *run)
{
    if (!run->sql[0])
        return true;
    bool here = has_answered(run->ends[0].c);
    bool there = has_answered(run->ends[1].c);
    return here && there;
}

bool verify_run_finish(struct verify_run *run, struct err *err)
{
    struct verify_pieces *pieces = run->pieces;

    if (run->sql[0]) {
        for (int side = 0; side < 2; side++)
            if (!(run->rows[side] = comparison_collect(&run->ends[side], run->sql[side], err)))
                return false;
        const char *const rows[] = {PQgetvalue(run->rows[0], 0, 0), PQgetvalue(run->rows[1], 0, 0)};
        const char *const sums[] = {PQgetvalue(run->rows[0], 0, 1), PQgetvalue(run->rows[1], 0, 1)};
        if (!verify_pieces_add(pieces, rows, sums, err))
            return false;
    }
    pieces->left--;
    return true;
}

void verify_run_end(struct verify_run *run)
{
    for (int side = 0; side < 2; side++) {
        abandon(&run->ends[side], run->sql[side]);
        if (run->ends[side].c)
            snapshot_end(run->ends[side].c);
        PQclear(run->rows[side]);
        free(run->sql[side]);
    }
    *run = (struct verify_run){0};
}

bool verify_table(struct conn *src, struct conn *dst, const struct verify_job *job,
                  struct verify_result *result, struct err *err)
{
    struct verify_pieces pieces;
    struct verify_run run = {0};
    bool ok = verify_pieces_begin(&pieces, src, dst, job, 0, err) && verify_run_begin(&run, &pieces, src, dst, err) &&
              verify_run_finish(&run, err);

    *result = ok ? pieces.result : (struct verify_result){0};
    if (ok)
        pieces.result = (struct verify_result){0}; /* it is the caller's now */
    verify_run_end(&run);
    snapshot_end(src); /* also when no run came to be */
    snapshot_end(dst);
    verify_pieces_end(&pieces);
    return ok;
}

void verify_result_release(struct verify_result *result)
{
    free(result->note);
    *result = (struct verify_result){0};
}
