#include "verify/buckets.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/snapshot.h"
#include "verify/comparison.h"

#define ROWS_A_BUCKET 64
#define MOST_BUCKETS 65536
#define LEAST_BUCKETS 16

static int64_t bucket_count(int64_t rows)
{
    int64_t count = LEAST_BUCKETS;

    while (count < MOST_BUCKETS && count * ROWS_A_BUCKET < rows)
        count *= 2;
    return count;
}

/* OFFSET 0: so that the hash is computed once. */
static char *statement(const struct comparison *cmp, const struct side *side, const char *where,
                       int64_t count)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "SELECT r.h & %" PRId64 " AS bucket, pg_catalog.count(*), pg_catalog.sum(r.h) FROM (SELECT ", count - 1);
    comparison_add_hash(cmp, &sql);
    buf_addstr(&sql, " AS h");
    comparison_add_from(side, where, &sql);
    buf_addstr(&sql, " OFFSET 0) r GROUP BY 1 ORDER BY 1");
    comparison_add_storage(side, &sql);
    return buf_take(&sql);
}

static int64_t number_at(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}

static bool are_same(const PGresult *from, int i, const PGresult *to, int k)
{
    for (int column = 1; column <= 2; column++)
        if (strcmp(PQgetvalue(from, i, column), PQgetvalue(to, k, column)) != 0)
            return false;
    return true;
}

/* The numbers of the buckets that differ, as an array literal's inside: the first `most` of them. */
static void merge(const PGresult *from, const PGresult *to, size_t most, struct verify_buckets *out,
                  struct buf *numbers)
{
    int i = 0, k = 0;

    while (i < PQntuples(from) || k < PQntuples(to)) {
        int64_t here = i < PQntuples(from) ? number_at(from, i, 0) : INT64_MAX;
        int64_t there = k < PQntuples(to) ? number_at(to, k, 0) : INT64_MAX;
        int64_t bucket = here < there ? here : there;
        if (here != there || !are_same(from, i, to, k)) {
            if (!most || out->differing < most)
                buf_addf(numbers, "%s%" PRId64, numbers->len ? "," : "", bucket);
            out->differing++;
        }
        if (here == bucket)
            out->source_rows += number_at(from, i++, 1);
        if (there == bucket)
            out->target_rows += number_at(to, k++, 1);
    }
}

static char *condition(const struct comparison *cmp, const char *where, int64_t count,
                       const struct buf *numbers)
{
    struct buf sql = BUF_INIT;

    if (where)
        buf_addf(&sql, "(\n%s\n) AND ", where);
    buf_addstr(&sql, "((");
    comparison_add_hash(cmp, &sql);
    buf_addf(&sql, ") & %" PRId64 ") = ANY ('{%s}'::pg_catalog.int8[])", count - 1, numbers->data);
    return buf_take(&sql);
}

static bool compare(struct comparison *cmp, int64_t count, size_t most, struct verify_buckets *out, struct err *err)
{
    char *from_sql = statement(cmp, &cmp->from, cmp->job->where, count);
    char *to_sql = statement(cmp, &cmp->to, NULL, count);
    struct buf numbers = BUF_INIT;
    PGresult *rows[2];
    bool ok = comparison_run_both(cmp, from_sql, to_sql, rows, err);

    if (ok) {
        merge(rows[0], rows[1], most, out, &numbers);
        out->comparable = true;
        out->count = (size_t)count;
    }
    if (ok && out->differing) {
        out->source_rows_are = condition(cmp, cmp->job->where, count, &numbers);
        out->target_rows_are = condition(cmp, NULL, count, &numbers);
    }
    PQclear(rows[0]);
    PQclear(rows[1]);
    buf_release(&numbers);
    free(from_sql);
    free(to_sql);
    return ok;
}

static bool is_whole(const struct comparison *cmp)
{
    for (size_t i = 0; i < cmp->from.count; i++)
        if (cmp->forms[i] == ROWTEXT_NONE)
            return false;
    return true;
}

bool verify_buckets(struct conn *src, struct conn *dst, const struct verify_job *job, int64_t rows,
                    size_t most, struct verify_buckets *buckets, struct err *err)
{
    struct verify_result notes = {0};
    struct comparison cmp = {
        .job = job, .result = &notes,
        .from = {.c = src, .schema = job->schema, .name = job->name, .only = job->columns},
        .to = {.c = dst, .schema = job->target_schema, .name = job->target_name}};

    *buckets = (struct verify_buckets){0};
    bool ok = comparison_begin(src, job->snapshot, err) && comparison_begin(dst, job->target_snapshot, err) && side_read(&cmp.from, err) &&
              side_read(&cmp.to, err) && comparison_knows_source(&cmp, err);
    if (ok && comparison_is_possible(&cmp) && is_whole(&cmp))
        ok = compare(&cmp, bucket_count(rows), most, buckets, err);
    snapshot_end(src);
    snapshot_end(dst);
    side_release(&cmp.from);
    side_release(&cmp.to);
    free(cmp.forms);
    verify_result_release(&notes);
    if (!ok)
        verify_buckets_release(buckets);
    return ok;
}

void verify_buckets_release(struct verify_buckets *buckets)
{
    free(buckets->source_rows_are);
    free(buckets->target_rows_are);
    *buckets = (struct verify_buckets){0};
}
