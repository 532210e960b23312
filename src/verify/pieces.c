#include "verify/pieces.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/parts.h"
#include "sql/sql.h"

/* --- sums --- */

#define BASE 1000000000000000000LL /* 10^18: two of them and a carry fit into 64 bits */
#define BASE_DIGITS 18

static bool number(const char *text, size_t len, int64_t *value)
{
    *value = 0;
    if (!len || len > BASE_DIGITS)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *value = *value * 10 + (text[i] - '0');
    }
    return true;
}

/* Both parts of one sign, the low one below the base. */
static void carry(struct checksum *sum)
{
    sum->high += sum->low / BASE;
    sum->low %= BASE;
    if (sum->high > 0 && sum->low < 0) {
        sum->high--;
        sum->low += BASE;
    } else if (sum->high < 0 && sum->low > 0) {
        sum->high++;
        sum->low -= BASE;
    }
}

bool checksum_add(struct checksum *sum, const char *text)
{
    int sign = *text == '-' ? -1 : 1;
    int64_t high = 0, low;

    if (sign < 0)
        text++;
    size_t len = strlen(text);
    size_t above = len > BASE_DIGITS ? len - BASE_DIGITS : 0;
    if ((above && !number(text, above, &high)) || !number(text + above, len - above, &low))
        return false;
    sum->high += sign * high;
    sum->low += sign * low;
    carry(sum);
    return true;
}

void checksum_print(const struct checksum *sum, char text[VERIFY_SUM_SIZE])
{
    if (sum->high)
        snprintf(text, VERIFY_SUM_SIZE, "%" PRId64 "%0*" PRId64, sum->high, BASE_DIGITS,
                 sum->low < 0 ? -sum->low : sum->low);
    else
        snprintf(text, VERIFY_SUM_SIZE, "%" PRId64, sum->low);
}

/* --- cutting --- */

/* 0: it cannot be read in pieces. */
static bool read_pages(const struct side *side, int64_t *pages, struct err *err)
{
    const char *values[] = {side->schema, side->name};

    *pages = 0;
    if (side->c->version < PARTS_MIN_VERSION)
        return true;
    PGresult *res = conn_exec_params(side->c, sql_verify_pages, 2, values, err);
    if (res && PQntuples(res) == 1)
        *pages = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return res != NULL;
}

static bool cut(struct verify_pieces *pieces, int64_t piece_bytes, struct err *err)
{
    const struct verify_job *job = pieces->cmp.job;

    pieces->count = 1;
    if (piece_bytes > 0 && job->bytes > piece_bytes) {
        if (!read_pages(&pieces->cmp.from, &pieces->pages[0], err) || !read_pages(&pieces->cmp.to, &pieces->pages[1], err))
            return false;
        int64_t fewer = pieces->pages[0] < pieces->pages[1] ? pieces->pages[0] : pieces->pages[1];
        pieces->count = parts_cut(fewer, job->bytes, piece_bytes, NULL);
    }
    pieces->left = pieces->count;
    return true;
}

static char *statement(const struct comparison *cmp, const struct side *side, const char *where)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(");
    comparison_add_hash(cmp, &sql);
    buf_addstr(&sql, "), 0)");
    comparison_add_from(side, where, &sql);
    return buf_take(&sql);
}

/* A condition on the pages; the last piece has no end: the table may have grown. */
static void add_range(const struct verify_pieces *pieces, int side, int number, struct buf *sql)
{
    int64_t pages = pieces->pages[side];

    buf_addf(sql, " ctid >= '(%" PRId64 ",0)'::pg_catalog.tid", pages * number / pieces->count);
    if (number + 1 < pieces->count)
        buf_addf(sql, " AND ctid < '(%" PRId64 ",0)'::pg_catalog.tid", pages * (number + 1) / pieces->count);
}

char *verify_pieces_sql(const struct verify_pieces *pieces, int side, int number)
{
    bool has_where = side == 0 && pieces->cmp.job->where;
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, pieces->sql[side]);
    if (pieces->count > 1) {
        buf_addstr(&sql, has_where ? " AND" : " WHERE");
        add_range(pieces, side, number, &sql);
    }
    comparison_add_storage(side == 0 ? &pieces->cmp.from : &pieces->cmp.to, &sql);
    return buf_take(&sql);
}

bool verify_pieces_begin(struct verify_pieces *pieces, struct conn *src, struct conn *dst, const struct verify_job *job,
                         int64_t piece_bytes, struct err *err)
{
    struct comparison *cmp = &pieces->cmp;

    *pieces = (struct verify_pieces){
        .cmp = {.job = job, .result = &pieces->result,
                .from = {.c = src, .schema = job->schema, .name = job->name, .only = job->columns},
                .to = {.c = dst, .schema = job->target_schema, .name = job->target_name}}};
    if (!comparison_begin(src, job->snapshot, err) || !comparison_begin(dst, job->target_snapshot, err) ||
        !side_read(&cmp->from, err) || !side_read(&cmp->to, err) || !comparison_knows_source(cmp, err))
        return false;
    if (!comparison_is_possible(cmp)) {
        pieces->count = pieces->left = 1;
        return true;
    }
    pieces->sql[0] = statement(cmp, &cmp->from, job->where);
    pieces->sql[1] = statement(cmp, &cmp->to, NULL);
    return cut(pieces, piece_bytes, err);
}

/* --- what has come back --- */

bool verify_pieces_add(struct verify_pieces *pieces, const char *const rows[2],
                       const char *const sums[2], struct err *err)
{
    struct verify_result *result = &pieces->result;

    if (!checksum_add(&pieces->sums[0], sums[0]) || !checksum_add(&pieces->sums[1], sums[1])) {
        err_set(err, ERR_INTERNAL, "sums of hashes that are no numbers: \"%s\", \"%s\"", sums[0], sums[1]);
        return false;
    }
    result->source_rows += strtoll(rows[0], NULL, 10);
    result->target_rows += strtoll(rows[1], NULL, 10);
    checksum_print(&pieces->sums[0], result->source_sum);
    checksum_print(&pieces->sums[1], result->target_sum);
    result->equal = result->source_rows == result->target_rows && strcmp(result->source_sum, result->target_sum) == 0;
    return true;
}

void verify_pieces_end(struct verify_pieces *pieces)
{
    side_release(&pieces->cmp.from);
    side_release(&pieces->cmp.to);
    free(pieces->cmp.forms);
    free(pieces->sql[0]);
    free(pieces->sql[1]);
    verify_result_release(&pieces->result);
    *pieces = (struct verify_pieces){0};
}
