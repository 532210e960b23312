/* How it works: one statement on each side, sent to both before either is read, so that the two servers
 * work at the same time. The row's text is the same on both (rowtext.h); where the encodings differ its bytes
 * are those of UTF-8 (of SQL_ASCII nothing is known: bytes as they are). */
#include "verify/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/snapshot.h"

static char *statement(const struct comparison *cmp, const struct side *side, const char *where)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(");
    comparison_add_hash(cmp, &sql);
    buf_addstr(&sql, "), 0)");
    comparison_add_from(side, where, &sql);
    return buf_take(&sql);
}

/* Reads to the end of what was sent; the first error is kept. */
static bool collect(struct conn *c, const char *sql, int64_t *rows, char *sum, struct err *err)
{
    bool ok = true, got = false;
    PGresult *res;

    do {
        if (!conn_next_result(c, &res, ok ? err : NULL))
            return false;
        if (res && ok && PQresultStatus(res) != PGRES_TUPLES_OK) {
            conn_error(c, res, sql, err);
            ok = false;
        } else if (res && ok) {
            *rows = atoll(PQgetvalue(res, 0, 0));
            snprintf(sum, VERIFY_SUM_SIZE, "%s", PQgetvalue(res, 0, 1));
            got = true;
        }
        PQclear(res);
    } while (res);
    return ok && got;
}

/* Ends what runs, and reads its answer away. */
static void abandon(struct conn *c, const char *sql)
{
    int64_t ignored_rows;
    char ignored_sum[VERIFY_SUM_SIZE];

    if (!conn_is_open(c) || PQtransactionStatus(c->pg) != PQTRANS_ACTIVE)
        return;
    conn_cancel(c);
    collect(c, sql, &ignored_rows, ignored_sum, NULL);
}

bool verify_run_begin(struct verify_run *run, struct conn *src, struct conn *dst, const struct verify_job *job,
                      struct err *err)
{
    struct comparison *cmp = &run->cmp;

    *run = (struct verify_run){
        .cmp = {.job = job, .result = &run->result,
                .from = {.c = src, .schema = job->schema, .name = job->name, .only = job->columns},
                .to = {.c = dst, .schema = job->target_schema, .name = job->target_name}}};
    if (!comparison_begin(src, job->snapshot, err) || !comparison_begin(dst, job->target_snapshot, err) ||
        !side_read(&cmp->from, err) || !side_read(&cmp->to, err) || !comparison_knows_source(cmp, err))
        return false;
    if (!comparison_is_possible(cmp))
        return true;
    run->from_sql = statement(cmp, &cmp->from, cmp->job->where);
    run->to_sql = statement(cmp, &cmp->to, NULL);
    return comparison_send(src, run->from_sql, err) && comparison_send(dst, run->to_sql, err);
}

static bool has_answered(struct conn *c)
{
    return !PQconsumeInput(c->pg) || !PQisBusy(c->pg);
}

bool verify_run_is_over(struct verify_run *run)
{
    if (!run->from_sql)
        return true;
    bool here = has_answered(run->cmp.from.c);
    bool there = has_answered(run->cmp.to.c);
    return here && there;
}

bool verify_run_finish(struct verify_run *run, struct err *err)
{
    struct verify_result *result = &run->result;

    if (!run->from_sql)
        return true;
    if (!collect(run->cmp.from.c, run->from_sql, &result->source_rows, result->source_sum, err) ||
        !collect(run->cmp.to.c, run->to_sql, &result->target_rows, result->target_sum, err))
        return false;
    result->equal = result->source_rows == result->target_rows &&
                    strcmp(result->source_sum, result->target_sum) == 0;
    return true;
}

void verify_run_end(struct verify_run *run)
{
    struct comparison *cmp = &run->cmp;

    abandon(cmp->from.c, run->from_sql);
    abandon(cmp->to.c, run->to_sql);
    snapshot_end(cmp->from.c);
    snapshot_end(cmp->to.c);
    side_release(&cmp->from);
    side_release(&cmp->to);
    free(cmp->forms);
    free(run->from_sql);
    free(run->to_sql);
    verify_result_release(&run->result);
    *run = (struct verify_run){0};
}

bool verify_table(struct conn *src, struct conn *dst, const struct verify_job *job,
                  struct verify_result *result, struct err *err)
{
    struct verify_run run;
    bool ok = verify_run_begin(&run, src, dst, job, err) && verify_run_finish(&run, err);

    *result = ok ? run.result : (struct verify_result){0};
    if (ok)
        run.result = (struct verify_result){0}; /* it is the caller's now */
    verify_run_end(&run);
    return ok;
}

void verify_result_release(struct verify_result *result)
{
    free(result->note);
    *result = (struct verify_result){0};
}
