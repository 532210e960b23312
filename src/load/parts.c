#include "load/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "load/part_keys.h"
#include "pg/ident.h"
#include "sql/sql.h"

int parts_cut(int64_t pages, int64_t bytes, int64_t part_bytes, struct part_range *ranges)
{
    int64_t count = part_bytes > 0 ? (bytes + part_bytes - 1) / part_bytes : 1;

    if (count > PARTS_MOST)
        count = PARTS_MOST;
    if (count > pages)
        count = pages;
    if (count < 1)
        count = 1;
    for (int64_t i = 0; ranges && i < count; i++)
        ranges[i] = (struct part_range){pages * i / count, i + 1 < count ? pages * (i + 1) / count : -1};
    return (int)count;
}

int64_t parts_pages(struct conn *src, const char *oid, struct err *err)
{
    int64_t pages = 0;

    if (src->version < PARTS_MIN_VERSION)
        return 0;
    PGresult *res = conn_exec_params(src, sql_load_pages, 1, &oid, err);
    if (!res)
        return -1;
    if (PQntuples(res) == 1 && !PQgetisnull(res, 0, 0))
        pages = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return pages;
}

void part_list_release(struct part_list *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->conditions[i]);
    free(list->conditions);
    *list = (struct part_list){0};
}

static char *range_condition(const struct part_range *range)
{
    struct buf out = BUF_INIT;

    buf_addf(&out, "ctid >= '(%" PRId64 ",0)'::pg_catalog.tid", range->first_page);
    if (range->end_page >= 0)
        buf_addf(&out, " AND ctid < '(%" PRId64 ",0)'::pg_catalog.tid", range->end_page);
    return buf_take(&out);
}

void part_list_of_ranges(const struct part_range *ranges, int count, struct part_list *list)
{
    *list = (struct part_list){xcalloc((size_t)count, sizeof *list->conditions), count};
    for (int i = 0; i < count; i++)
        list->conditions[i] = range_condition(&ranges[i]);
}

bool part_list_cut(struct conn *src, const struct part_table *table, int64_t part_bytes, struct part_list *list, struct err *err)
{
    int64_t pages = parts_pages(src, table->oid, err);

    *list = (struct part_list){0};
    if (pages < 0)
        return false;
    if (!pages)
        return part_keys_cut(src, table, part_bytes, list, err);
    struct part_range *ranges = xcalloc(PARTS_MOST, sizeof *ranges);
    int count = parts_cut(pages, table->bytes, part_bytes, ranges);
    part_list_of_ranges(ranges, count, list);
    free(ranges);
    return true;
}

/* --- what is recorded of them --- */

bool parts_forget(struct conn *dst, const char *oid, struct err *err)
{
    return conn_command_params(dst, sql_load_parts_forget, 1, &oid, err);
}

bool parts_add(struct conn *dst, const char *oid, const char *snapshot, const struct part_list *list, struct err *err)
{
    struct buf conditions = BUF_INIT;

    for (int i = 0; i < list->count; i++)
        array_add(&conditions, list->conditions[i]);
    const char *values[] = {oid, snapshot, array_end(&conditions)};
    bool ok = conn_command_params(dst, sql_load_parts_add, 3, values, err);
    buf_release(&conditions);
    return ok;
}

void part_release(struct part *part)
{
    free(part->condition);
    *part = (struct part){0};
}

static int64_t int_at(const PGresult *res, int field)
{
    return PQgetisnull(res, 0, field) ? -1 : strtoll(PQgetvalue(res, 0, field), NULL, 10);
}

bool parts_take(struct conn *dst, const char *oid, int number, const char *snapshot, struct part *part, struct err *err)
{
    char text[16];
    const char *values[] = {oid, text, snapshot};

    snprintf(text, sizeof text, "%d", number);
    PGresult *res = conn_exec_params(dst, sql_load_part_take, 3, values, err);
    if (!res)
        return false;
    bool ok = PQntuples(res) == 1;
    if (ok) {
        *part = (struct part){.condition = xstrdup(PQgetvalue(res, 0, 0)),
                              .copied = PQgetvalue(res, 0, 1)[0] == 't',
                              .rows = int_at(res, 2),
                              .bytes = int_at(res, 3)};
    } else {
        err_set(err, ERR_CONFLICT, "%s: part %d of the table is not copied under this snapshot any more", dst->label,
                number);
        if (err)
            err->retryable = true;
    }
    PQclear(res);
    return ok;
}

static bool end_table(struct conn *dst, const char *oid, lsn_t epoch_lsn, uint32_t storage,
                      struct parts_sum *sum, struct err *err)
{
    char lsn[LSN_TEXT_SIZE], filenode[16];
    const char *values[] = {oid, epoch_lsn != LSN_INVALID ? lsn_format(epoch_lsn, lsn) : NULL, filenode};

    snprintf(filenode, sizeof filenode, "%" PRIu32, storage);
    PGresult *res = conn_exec_params(dst, sql_load_parts_end, 3, values, err);
    if (!res)
        return false;
    *sum = (struct parts_sum){.all = PQntuples(res) == 1};
    if (sum->all)
        *sum = (struct parts_sum){true, int_at(res, 0), int_at(res, 1), (int)int_at(res, 2)};
    PQclear(res);
    return true;
}

bool parts_mark(struct conn *dst, const char *oid, int number, int64_t rows, int64_t bytes, lsn_t epoch_lsn,
                uint32_t storage, struct parts_sum *sum, struct err *err)
{
    char text[3][24];
    const char *values[] = {oid, text[0], text[1], text[2]};

    snprintf(text[0], sizeof text[0], "%d", number);
    snprintf(text[1], sizeof text[1], "%" PRId64, rows);
    snprintf(text[2], sizeof text[2], "%" PRId64, bytes);
    return conn_command_params(dst, sql_load_part_turn, 1, &oid, err) &&
           conn_command_params(dst, sql_load_part_mark, 4, values, err) &&
           end_table(dst, oid, epoch_lsn, storage, sum, err);
}
