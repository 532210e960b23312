/* How it works: a portion of the source's list, in the order of OIDs, and the target's objects in the same
 * range of OIDs are merged. Where the target has none, the source need not compute digests. Small
 * objects go many a statement, as arrays; large ones a piece at a time. */
#include "load/lobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define PORTION "500"
#define PIECE (1 << 20)
#define LAST_OID "4294967295"

struct lobs {
    struct conn *src, *dst;
    bool change;                /* else only counted */
    bool only_ours;
    bool target_has_any;
    const struct lobs_progress *progress;
    struct lobs_result *result;
    struct buf doomed;          /* oid[] of the portion: to be unlinked on the target */
    struct buf wanted;          /* oid[] of the portion: to be made there */
    struct buf small;           /* oid[]: those of them that have not been sent and go together */
    int64_t small_bytes;
};

enum { LOB_OID, LOB_SIZE, LOB_DIGEST, LOB_ABOUT };

static int64_t number_at(const PGresult *res, int row, int column)
{
    return strtoll(PQgetvalue(res, row, column), NULL, 10);
}

static bool same_at(const PGresult *from, int i, const PGresult *to, int k, int column)
{
    return PQgetisnull(from, i, column) == PQgetisnull(to, k, column) &&
           strcmp(PQgetvalue(from, i, column), PQgetvalue(to, k, column)) == 0;
}

/* --- data --- */

/* Objects that fit into one piece together. */
static bool send_small(struct lobs *l, struct err *err)
{
    struct buf oids = BUF_INIT, values = BUF_INIT;

    if (!l->small.len)
        return true;
    buf_addch(&l->small, '}');
    const char *wanted = l->small.data;
    PGresult *res = conn_exec_params(l->src, "SELECT o, pg_catalog.lo_get(o) FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS o",
                                     1, &wanted, err);
    for (int i = 0; res && i < PQntuples(res); i++) {
        array_add(&oids, PQgetvalue(res, i, 0));
        array_add(&values, PQgetvalue(res, i, 1));
    }
    bool ok = res != NULL;
    if (oids.len) {
        buf_addch(&oids, '}');
        buf_addch(&values, '}');
        const char *params[] = {oids.data, values.data};
        ok = conn_command_params(l->dst, "SELECT pg_catalog.count(pg_catalog.lo_from_bytea(u.o, u.v)) FROM ROWS FROM "
                                         "(pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.bytea[])) "
                                         "AS u (o, v)", 2, params, err);
    }
    PQclear(res);
    buf_release(&oids);
    buf_release(&values);
    buf_clear(&l->small);
    l->small_bytes = 0;
    return ok;
}

static bool send_piece(struct lobs *l, const char *oid, int64_t at, struct err *err)
{
    char offset[24], len[16];
    char *piece = NULL;
    const char *from[] = {oid, offset, len};

    snprintf(offset, sizeof offset, "%" PRId64, at);
    snprintf(len, sizeof len, "%d", PIECE);
    bool ok = conn_scalar(l->src, "SELECT pg_catalog.lo_get($1::pg_catalog.oid, $2::pg_catalog.int8, $3::pg_catalog.int4)", 3,
                          from, &piece, err);
    const char *to[] = {oid, offset, piece};
    ok = ok && conn_command_params(l->dst, "SELECT pg_catalog.lo_put($1::pg_catalog.oid, $2::pg_catalog.int8, "
                                           "$3::pg_catalog.bytea)", 3, to, err);
    free(piece);
    return ok;
}

static bool send_large(struct lobs *l, const char *oid, int64_t size, struct err *err)
{
    bool ok = conn_command_params(l->dst, "SELECT pg_catalog.lo_create($1::pg_catalog.oid)", 1, &oid, err);

    for (int64_t at = 0; ok && at < size; at += PIECE)
        ok = send_piece(l, oid, at, err);
    return ok;
}

static bool send_data(struct lobs *l, const PGresult *from, const bool *differs, struct err *err)
{
    bool ok = true;

    for (int i = 0; ok && i < PQntuples(from); i++) {
        int64_t size = number_at(from, i, LOB_SIZE);
        if (!differs[i])
            continue;
        if (size > PIECE) {
            ok = send_large(l, PQgetvalue(from, i, LOB_OID), size, err);
            continue;
        }
        if (l->small_bytes + size > PIECE)
            ok = send_small(l, err);
        array_add(&l->small, PQgetvalue(from, i, LOB_OID));
        l->small_bytes += size;
    }
    return ok && send_small(l, err);
}

static bool send_about(struct lobs *l, struct err *err)
{
    struct buf sql = BUF_INIT;
    const char *wanted = l->wanted.data;
    PGresult *res = conn_exec_params(l->src, sql_lobs_about, 1, &wanted, err);

    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(&sql, "%s;\n", PQgetvalue(res, i, 0));
    bool ok = res && (!sql.len || conn_command(l->dst, sql.data, err));
    PQclear(res);
    buf_release(&sql);
    return ok;
}

static bool change_portion(struct lobs *l, const PGresult *from, const bool *differs, struct err *err)
{
    if (!l->doomed.len && !l->wanted.len)
        return true;
    const char *doomed = l->doomed.len ? l->doomed.data : NULL;
    bool ok = conn_command(l->dst, "BEGIN READ WRITE", err) &&
              (!doomed ||
               conn_command_params(l->dst, "SELECT pg_catalog.count(pg_catalog.lo_unlink(o)) FROM "
                                           "pg_catalog.unnest($1::pg_catalog.oid[]) AS o", 1, &doomed, err)) &&
              (!l->wanted.len || (send_data(l, from, differs, err) && send_about(l, err))) &&
              conn_command(l->dst, "COMMIT", err);
    if (!ok)
        conn_rollback(l->dst);
    return ok;
}

/* --- the merge --- */

static void doom(struct lobs *l, const PGresult *to, int row)
{
    array_add(&l->doomed, PQgetvalue(to, row, LOB_OID));
}

static void want(struct lobs *l, const PGresult *from, int row, bool *differs)
{
    array_add(&l->wanted, PQgetvalue(from, row, LOB_OID));
    differs[row] = true;
    l->result->copied++;
    l->result->copied_bytes += number_at(from, row, LOB_SIZE);
}

static void merge(struct lobs *l, const PGresult *from, const PGresult *to, bool *differs)
{
    int i = 0, k = 0;

    while (i < PQntuples(from) || k < PQntuples(to)) {
        int64_t here = i < PQntuples(from) ? number_at(from, i, LOB_OID) : INT64_MAX;
        int64_t there = k < PQntuples(to) ? number_at(to, k, LOB_OID) : INT64_MAX;
        if (there < here) {
            doom(l, to, k++);
            l->result->removed++;
            continue;
        }
        if (here < there) {
            want(l, from, i, differs);
        } else {
            if (!same_at(from, i, to, k, LOB_SIZE) || !same_at(from, i, to, k, LOB_DIGEST) ||
                !same_at(from, i, to, k, LOB_ABOUT)) {
                doom(l, to, k);
                want(l, from, i, differs);
            }
            k++;
        }
        l->result->count++;
        l->result->bytes += number_at(from, i, LOB_SIZE);
        i++;
    }
    if (l->doomed.len)
        buf_addch(&l->doomed, '}');
    if (l->wanted.len)
        buf_addch(&l->wanted, '}');
}

/* From behind *after; moves it on, to NULL at the end. */
static bool portion(struct lobs *l, char **after, struct err *err)
{
    const char *digests = l->target_has_any ? "t" : "f";
    const char *here[] = {*after, NULL, PORTION, digests};
    PGresult *from = conn_exec_params(l->src, sql_lobs_list, 4, here, err);
    PGresult *to = NULL;
    bool *differs = xcalloc(from ? (size_t)PQntuples(from) + 1 : 1, sizeof *differs);
    bool last = from && PQntuples(from) < atoi(PORTION);

    if (from) {
        const char *until = last ? LAST_OID : PQgetvalue(from, PQntuples(from) - 1, LOB_OID);
        const char *there[] = {*after, until, NULL, digests};
        to = conn_exec_params(l->dst, sql_lobs_list, 4, there, err);
    }
    bool ok = from && to;
    if (ok) {
        merge(l, from, to, differs);
        ok = !l->change || change_portion(l, from, differs, err);
        char *next = last ? NULL : xstrdup(PQgetvalue(from, PQntuples(from) - 1, LOB_OID));
        free(*after);
        *after = next;
    }
    if (ok && l->progress && l->progress->report)
        l->progress->report(l->progress->arg, l->result);
    buf_clear(&l->doomed);
    buf_clear(&l->wanted);
    PQclear(from);
    PQclear(to);
    free(differs);
    return ok;
}

bool lobs_exist(struct conn *c, bool *exist, struct err *err)
{
    char *found = NULL;
    bool ok = conn_scalar(c, "SELECT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata)", 0, NULL,
                          &found, err);

    *exist = found && *found == 't';
    free(found);
    return ok;
}

static bool all_portions(struct lobs *l, struct err *err)
{
    char *after = xstrdup("0");
    bool here = false;
    bool ok = lobs_exist(l->dst, &l->target_has_any, err) && snapshot_begin_plain(l->src, err) &&
              lobs_exist(l->src, &here, err);

    while (ok && after && (here || (l->only_ours && l->target_has_any)))
        ok = portion(l, &after, err);
    snapshot_end(l->src);
    if (!ok)
        err_wrap(err, "large objects");
    free(after);
    buf_release(&l->doomed);
    buf_release(&l->wanted);
    buf_release(&l->small);
    return ok;
}

bool lobs_copy(struct conn *src, struct conn *dst, bool only_ours,
               const struct lobs_progress *progress, struct lobs_result *result, struct err *err)
{
    struct lobs l = {.src = src, .dst = dst, .change = true, .only_ours = only_ours,
                     .progress = progress, .result = result};

    *result = (struct lobs_result){0};
    return all_portions(&l, err);
}

bool lobs_compare(struct conn *src, struct conn *dst, bool only_ours, struct lobs_result *result,
                  struct err *err)
{
    struct lobs l = {.src = src, .dst = dst, .only_ours = only_ours, .result = result};

    *result = (struct lobs_result){0};
    return all_portions(&l, err);
}
