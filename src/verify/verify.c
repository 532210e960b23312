#include "verify/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/lobs.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* --- lists --- */

void verify_summary_release(struct verify_summary *summary)
{
    for (size_t i = 0; i < summary->count; i++) {
        free(summary->differences[i].what);
        free(summary->differences[i].text);
    }
    free(summary->differences);
    buf_release(&summary->notes);
    *summary = (struct verify_summary){0};
}

bool verify_summary_check(const struct verify_summary *summary, struct err *err)
{
    struct buf text = BUF_INIT;

    if (!summary->count)
        return true;
    for (size_t i = 0; i < summary->count; i++)
        buf_addf(&text, "%s%s: %s", i ? "\n" : "", summary->differences[i].what, summary->differences[i].text);
    err_set(err, ERR_DIFFERENT, "%zu of %zu objects differ between source and target", summary->count,
            summary->compared);
    err_detail(err, "%s", text.data);
    buf_release(&text);
    return false;
}

/* Takes both strings. */
static void add_difference(struct verify_summary *summary, char *what, char *text)
{
    summary->differences = xgrow(summary->differences, summary->count, &summary->cap,
                                 sizeof *summary->differences);
    summary->differences[summary->count++] = (struct verify_difference){what, text};
}

static char *difference_text(const struct verify_result *result)
{
    if (result->note && !result->source_sum[0])
        return xstrdup(result->note);
    if (result->source_rows != result->target_rows)
        return xasprintf("source %" PRId64 " rows, target %" PRId64 " rows", result->source_rows,
                         result->target_rows);
    return xasprintf("%" PRId64 " rows on both sides, with different contents", result->source_rows);
}

void verify_summary_add(struct verify_summary *summary, const struct verify_job *job, const char *kind,
                        const struct verify_result *result)
{
    char *name = ident_display(job->schema, job->name);
    char *what = xasprintf("%s %s", kind, name);

    summary->compared++;
    if (result->equal && result->note)
        buf_addf(&summary->notes, "%s: %s\n", what, result->note);
    if (!result->equal)
        add_difference(summary, what, difference_text(result));
    else
        free(what);
    free(name);
}

bool verify_lobs(struct conn *src, struct conn *dst, bool only_ours, struct verify_summary *summary,
                 struct err *err)
{
    struct lobs_result lobs;

    if (!lobs_compare(src, dst, only_ours, &lobs, err))
        return false;
    summary->compared += (size_t)lobs.count;
    if (lobs.copied || lobs.removed)
        add_difference(summary, xstrdup("large objects"),
                       xasprintf("%" PRId64 " of %" PRId64 " differ or are missing, %" PRId64
                                 " are on the target only", lobs.copied, lobs.count, lobs.removed));
    return true;
}

static void compare_sequence(const struct sequence_value *from, const struct sequence_value *to,
                             struct verify_summary *summary)
{
    summary->compared++;
    if (from->last_value == to->last_value && from->is_called == to->is_called)
        return;
    char *name = ident_display(from->schema, from->name);
    add_difference(summary, xasprintf("sequence %s", name),
                   xasprintf("source %" PRId64 "%s, target %" PRId64 "%s", from->last_value,
                             from->is_called ? "" : " (not called)", to->last_value,
                             to->is_called ? "" : " (not called)"));
    free(name);
}

bool verify_sequences(struct conn *src, struct conn *dst, const struct sequence_filter *filter, int margin,
                      struct verify_summary *summary, struct err *err)
{
    struct sequence_list list = {0};
    struct sequence_value *there;
    struct err failed = ERR_INIT;

    if (!sequences_read(src, filter, &list, err))
        return false;
    there = xcalloc(list.count + 1, sizeof *there);
    bool ok = sequences_advance(src, &list, margin, &failed) && sequences_read_same(dst, &list, there, &failed);
    if (!ok && failed.code == ERR_PREREQUISITE) { /* some are missing: a difference */
        summary->compared += list.count;
        add_difference(summary, xstrdup("sequences"), xstrdup(failed.message));
        ok = true;
    } else {
        for (size_t i = 0; ok && i < list.count; i++)
            compare_sequence(&list.items[i], &there[i], summary);
        if (!ok)
            err_move(err, &failed);
    }
    err_clear(&failed);
    free(there);
    sequence_list_release(&list);
    return ok;
}

static bool is_populated(const PGresult *res, int row)
{
    return *PQgetvalue(res, row, 2) == 't';
}

/* Order of names; both lists are in it. */
static int compare_names(const PGresult *a, int i, const PGresult *b, int k)
{
    int order = strcmp(PQgetvalue(a, i, 0), PQgetvalue(b, k, 0));

    return order ? order : strcmp(PQgetvalue(a, i, 1), PQgetvalue(b, k, 1));
}

static void compare_matviews(const PGresult *from, const PGresult *to, struct verify_summary *summary)
{
    for (int i = 0, k = 0; i < PQntuples(from) && k < PQntuples(to);) {
        int order = compare_names(from, i, to, k);
        if (order == 0) {
            summary->compared++;
            if (is_populated(from, i) != is_populated(to, k)) {
                char *name = ident_display(PQgetvalue(from, i, 0), PQgetvalue(from, i, 1));
                add_difference(summary, xasprintf("materialized view %s", name),
                               xstrdup(is_populated(from, i) ? "it is not populated on the target" : "it is populated on the target only"));
                free(name);
            }
        }
        i += order <= 0;
        k += order >= 0;
    }
}

bool verify_matviews(struct conn *src, struct conn *dst, struct verify_summary *summary, struct err *err)
{
    PGresult *from = conn_exec(src, sql_verify_matviews, err);
    PGresult *to = from ? conn_exec(dst, sql_verify_matviews, err) : NULL;
    bool ok = to != NULL;

    if (ok)
        compare_matviews(from, to, summary);
    PQclear(from);
    PQclear(to);
    return ok;
}
