/* How it works: one statement on each side, sent to both before either is read, so that the two servers
 * work at the same time. The row's text is the same on both (rowtext.h); where the encodings differ its bytes
 * are those of UTF-8 (of SQL_ASCII nothing is known: bytes as they are). */
#include "verify/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/lobs.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"
#include "verify/comparison.h"

/* --- what there is to compare --- */

void side_release(struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        free(side->columns[i].name);
        free(side->columns[i].base);
        free(side->columns[i].element);
        free(side->columns[i].inside);
    }
    free(side->columns);
    free(side->encoding);
}

static bool read_columns(struct side *side, struct err *err)
{
    const char *values[] = {side->schema, side->name, side->only};
    PGresult *res = conn_exec_params(side->c, sql_verify_columns, 3, values, err);
    int rows = res ? PQntuples(res) : 0;

    if (rows) {
        side->kind = *PQgetvalue(res, 0, 0);
        side->populated = *PQgetvalue(res, 0, 1) == 't';
        side->columns = xcalloc((size_t)rows, sizeof *side->columns);
    }
    for (int i = 0; i < rows && !PQgetisnull(res, i, 2); i++)
        side->columns[side->count++] = (struct verify_column){
            .name = xstrdup(PQgetvalue(res, i, 2)), .base = xstrdup(PQgetvalue(res, i, 3)),
            .element = xstrdup(PQgetvalue(res, i, 4)), .is_range = *PQgetvalue(res, i, 5) == 't',
            .inside = xstrdup(PQgetvalue(res, i, 6))};
    PQclear(res);
    return res != NULL;
}

bool side_read(struct side *side, struct err *err)
{
    return conn_scalar(side->c, "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                                " WHERE datname = pg_catalog.current_database()", 0, NULL, &side->encoding,
                       err) &&
           read_columns(side, err);
}

static const struct verify_column *find_column(const struct side *side, const char *name, size_t hint)
{
    if (hint < side->count && strcmp(side->columns[hint].name, name) == 0)
        return &side->columns[hint];
    for (size_t i = 0; i < side->count; i++)
        if (strcmp(side->columns[i].name, name) == 0)
            return &side->columns[i];
    return NULL;
}

static void add_note(struct verify_result *result, const char *text)
{
    char *note = result->note ? xasprintf("%s; %s", result->note, text) : xstrdup(text);

    free(result->note);
    result->note = note;
}

/* Where the types differ on the two sides only the plain text can agree. */
static void choose_form(struct comparison *cmp, size_t i, const struct verify_column *there)
{
    const struct verify_column *column = &cmp->from.columns[i];

    cmp->forms[i] = rowtext_form(column, cmp->from.c->version, cmp->to.c->version);
    if (cmp->forms[i] == ROWTEXT_NONE) {
        char *text = xasprintf("column \"%s\" was not compared: its text differs between these versions",
                               column->name);
        add_note(cmp->result, text);
        free(text);
    } else if (strcmp(column->base, there->base) != 0 || strcmp(column->element, there->element) != 0) {
        cmp->forms[i] = ROWTEXT_PLAIN;
    }
}

/* False with a note when the target lacks something: a difference without looking at rows. */
bool comparison_is_possible(struct comparison *cmp)
{
    if (!cmp->to.kind) {
        add_note(cmp->result, "it does not exist on the target");
        return false;
    }
    if (!cmp->to.populated) {
        add_note(cmp->result, "it is not populated on the target");
        return false;
    }
    cmp->forms = xcalloc(cmp->from.count + 1, sizeof *cmp->forms);
    for (size_t i = 0; i < cmp->from.count; i++) {
        const struct verify_column *there = find_column(&cmp->to, cmp->from.columns[i].name, i);
        if (!there) {
            char *text = xasprintf("column \"%s\" does not exist on the target", cmp->from.columns[i].name);
            add_note(cmp->result, text);
            free(text);
            return false;
        }
        choose_form(cmp, i, there);
    }
    return true;
}

/* --- the statement --- */

bool comparison_converts(const struct comparison *cmp)
{
    return strcmp(cmp->from.encoding, cmp->to.encoding) != 0 &&
           strcmp(cmp->from.encoding, "SQL_ASCII") != 0 && strcmp(cmp->to.encoding, "SQL_ASCII") != 0;
}

void comparison_add_digest(const struct comparison *cmp, struct buf *sql)
{
    bool convert = comparison_converts(cmp);

    buf_addstr(sql, convert ? "pg_catalog.md5(pg_catalog.convert_to(" : "pg_catalog.md5(");
    /* Always the source's list: the same columns in the same order on both sides. */
    rowtext_add(sql, cmp->from.columns, cmp->forms, cmp->from.count);
    buf_addstr(sql, convert ? ", 'UTF8'))" : ")");
}

void comparison_add_from(const struct side *side, const char *where, struct buf *sql)
{
    buf_addf(sql, " FROM %s", side->kind == 'r' ? "ONLY " : "");
    ident_add_qualified(sql, side->schema, side->name);
    if (where) /* on lines of its own: it may end in a comment. No alias: it may name the table */
        buf_addf(sql, " WHERE (\n%s\n)", where);
}

static char *statement(const struct comparison *cmp, const struct side *side, const char *where)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql,
               "SELECT pg_catalog.count(*), pg_catalog.concat("
               "coalesce(pg_catalog.sum(('x' || pg_catalog.substr(r.h, 1, 16))::pg_catalog.bit(64)::pg_catalog.int8), 0), '/', "
               "coalesce(pg_catalog.sum(('x' || pg_catalog.substr(r.h, 17, 16))::pg_catalog.bit(64)::pg_catalog.int8), 0)) "
               "FROM (SELECT ");
    comparison_add_digest(cmp, &sql);
    buf_addstr(&sql, " AS h");
    comparison_add_from(side, where, &sql);
    buf_addstr(&sql, ") r");
    return buf_take(&sql);
}

/* --- running it on both sides --- */

bool comparison_begin(struct conn *c, const char *snapshot, struct err *err)
{
    return (snapshot ? snapshot_adopt(c, snapshot, err) : snapshot_begin_plain(c, err)) && conn_command(c, "SET LOCAL lc_monetary = 'C'", err);
}

bool comparison_send(struct conn *c, const char *sql, struct err *err)
{
    if (PQsendQuery(c->pg, sql))
        return conn_flush(c, err);
    conn_error(c, NULL, sql, err);
    return false;
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

static bool run_both(struct comparison *cmp, const char *from_sql, const char *to_sql, struct err *err)
{
    struct conn *src = cmp->from.c, *dst = cmp->to.c;
    struct verify_result *result = cmp->result;
    int64_t ignored_rows;
    char ignored_sum[VERIFY_SUM_SIZE];

    if (!comparison_send(src, from_sql, err))
        return false;
    if (!comparison_send(dst, to_sql, err)) {
        conn_cancel(src);
        collect(src, from_sql, &ignored_rows, ignored_sum, NULL);
        return false;
    }
    if (!collect(src, from_sql, &result->source_rows, result->source_sum, err)) {
        conn_cancel(dst);
        collect(dst, to_sql, &ignored_rows, ignored_sum, NULL);
        return false;
    }
    return collect(dst, to_sql, &result->target_rows, result->target_sum, err);
}

static bool compare_rows(struct comparison *cmp, struct err *err)
{
    char *from_sql = statement(cmp, &cmp->from, cmp->job->where);
    char *to_sql = statement(cmp, &cmp->to, NULL);
    bool ok = run_both(cmp, from_sql, to_sql, err);

    cmp->result->equal = ok && cmp->result->source_rows == cmp->result->target_rows &&
                         strcmp(cmp->result->source_sum, cmp->result->target_sum) == 0;
    free(from_sql);
    free(to_sql);
    return ok;
}

bool comparison_knows_source(struct comparison *cmp, struct err *err)
{
    if (cmp->from.kind)
        return true;
    char *table = ident_display(cmp->job->schema, cmp->job->name);
    err_set(err, ERR_PREREQUISITE, "%s: table %s does not exist", cmp->from.c->label, table);
    free(table);
    return false;
}

bool verify_table(struct conn *src, struct conn *dst, const struct verify_job *job,
                  struct verify_result *result, struct err *err)
{
    struct comparison cmp = {
        .job = job, .result = result,
        .from = {.c = src, .schema = job->schema, .name = job->name, .only = job->columns},
        .to = {.c = dst, .schema = job->target_schema, .name = job->target_name}};

    *result = (struct verify_result){0};
    bool ok = comparison_begin(src, job->snapshot, err) && comparison_begin(dst, NULL, err) && side_read(&cmp.from, err) &&
              side_read(&cmp.to, err) && comparison_knows_source(&cmp, err);
    if (ok && comparison_is_possible(&cmp))
        ok = compare_rows(&cmp, err);
    snapshot_end(src);
    snapshot_end(dst);
    side_release(&cmp.from);
    side_release(&cmp.to);
    free(cmp.forms);
    if (!ok)
        verify_result_release(result);
    return ok;
}

void verify_result_release(struct verify_result *result)
{
    free(result->note);
    *result = (struct verify_result){0};
}

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

static void add_result(struct verify_summary *summary, const struct verify_job *job, const char *kind,
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

bool verify_tables(struct conn *src, struct conn *dst, const struct verify_job *jobs, size_t count,
                   const struct verify_progress *progress, struct verify_summary *summary,
                   struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        struct verify_result result;
        if (!verify_table(src, dst, &jobs[i], &result, err))
            return false;
        add_result(summary, &jobs[i], "table", &result);
        if (progress && progress->report)
            progress->report(progress->arg, i, &result);
        verify_result_release(&result);
    }
    return true;
}

bool verify_matviews(struct conn *src, struct conn *dst, struct verify_summary *summary,
                     struct err *err)
{
    PGresult *res = conn_exec(src, sql_verify_matviews, err);
    bool ok = res != NULL;

    for (int i = 0; ok && i < PQntuples(res); i++) {
        const char *schema = PQgetvalue(res, i, 0), *name = PQgetvalue(res, i, 1);
        struct verify_job job = {.schema = schema, .name = name, .target_schema = schema,
                                 .target_name = name};
        struct verify_result result;
        ok = verify_table(src, dst, &job, &result, err);
        if (ok)
            add_result(summary, &job, "materialized view", &result);
        verify_result_release(&result);
    }
    PQclear(res);
    return ok;
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

bool verify_sequences(struct conn *src, struct conn *dst, const struct sequence_filter *filter,
                      struct verify_summary *summary, struct err *err)
{
    struct sequence_list list = {0};
    struct sequence_value *there;
    struct err failed = ERR_INIT;

    if (!sequences_read(src, filter, &list, err))
        return false;
    there = xcalloc(list.count + 1, sizeof *there);
    bool ok = sequences_read_same(dst, &list, there, &failed);
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
