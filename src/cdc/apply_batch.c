/* INSERTs in a row into one table, sent as statements of 64, 8 or 1 rows: half the server's work of as
 * many statements. Their values are copied, for a change's are borrowed. What waits is sent before
 * anything else, so the order of changes stays.
 *
 * A batch that fails does not tell which row it was: the caller feeds again, and nothing is batched
 * until that transaction is through. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cdc/apply_internal.h"

#define BATCH_ROWS 64
#define BATCH_BYTES ((size_t)64 << 10)
#define ROW_BYTES ((size_t)8 << 10) /* larger rows gain nothing */
#define MAX_COLUMNS 256             /* so that parameters stay below the protocol's 65,535 */

static const uint16_t sizes[] = {BATCH_ROWS, 8, 1};

static size_t row_bytes(const struct change *change)
{
    size_t bytes = 0;

    for (size_t i = 0; i < change->new_tuple.count; i++)
        if (change->new_tuple.values[i].kind != VALUE_NULL)
            bytes += change->new_tuple.values[i].len;
    return bytes;
}

static bool has_unchanged(const struct change *change)
{
    for (size_t i = 0; i < change->new_tuple.count; i++)
        if (change->new_tuple.values[i].kind == VALUE_UNCHANGED)
            return true;
    return false;
}

static bool writes_columns(const struct apply_table *table)
{
    for (size_t i = 0; i < table->source.column_count; i++)
        if (table->map.targets[i] >= 0)
            return true;
    return false;
}

bool apply_batch_takes(const struct applier *applier, const struct apply_table *table,
                       const struct change *change)
{
    return change->kind == CHANGE_INSERT && applier->commit_lsn > applier->single_until &&
           table->source.column_count <= MAX_COLUMNS && row_bytes(change) <= ROW_BYTES &&
           !has_unchanged(change) && writes_columns(table);
}

static void add_value(struct apply_batch *batch, const struct value *value)
{
    batch->values = xgrow(batch->values, batch->count, &batch->cap, sizeof *batch->values);
    struct batch_value *kept = &batch->values[batch->count++];

    *kept = (struct batch_value){.offset = batch->bytes.len, .len = -1};
    if (value->kind == VALUE_NULL)
        return;
    kept->len = (int)value->len;
    kept->binary = value->kind == VALUE_BINARY;
    buf_add(&batch->bytes, value->data, value->len);
    buf_addch(&batch->bytes, '\0');
}

bool apply_batch_add(struct applier *applier, struct apply_table *table, const struct change *change,
                     struct err *err)
{
    struct apply_batch *batch = &applier->batch;

    if (batch->table != table && !apply_batch_send(applier, err))
        return false;
    batch->table = table;
    for (size_t i = 0; i < table->source.column_count; i++)
        if (table->map.targets[i] >= 0)
            add_value(batch, &change->new_tuple.values[i]);
    batch->rows++;
    return (batch->rows < BATCH_ROWS && batch->bytes.len < BATCH_BYTES) ||
           apply_batch_send(applier, err);
}

/* Points the parameters at the values from `first` on; returns their size. */
static size_t bind(struct applier *applier, size_t first, size_t count)
{
    const struct apply_batch *batch = &applier->batch;
    size_t bytes = 0;

    apply_need_parameters(applier, count);
    for (size_t i = 0; i < count; i++) {
        const struct batch_value *value = &batch->values[first + i];
        applier->values[i] = value->len < 0 ? NULL : batch->bytes.data + value->offset;
        applier->lengths[i] = value->len;
        applier->formats[i] = value->binary;
        bytes += value->len < 0 ? 0 : (size_t)value->len;
    }
    return bytes;
}

static bool send_rows(struct applier *applier, size_t first, uint16_t rows, struct err *err)
{
    struct apply_table *table = applier->batch.table;
    const struct statement_shape shape = {.kind = CHANGE_INSERT, .rows = rows};
    struct apply_statement *statement =
        apply_cache_get(&applier->cache, &table->statements, &table->map, &shape);
    size_t count = statement->text.count * rows;

    if (!apply_prepare(applier, table, statement, err))
        return false;
    size_t bytes = bind(applier, first * statement->text.count, count);
    if (!apply_pipe_room(&applier->pipe, bytes, err))
        return false;
    if (!PQsendQueryPrepared(applier->conn->pg, statement->name, (int)count, applier->values,
                             applier->lengths, applier->formats, 0)) {
        conn_error(applier->conn, NULL, statement->text.sql.data, err);
        return false;
    }
    struct pipe_entry *entry = apply_add_entry(applier, table, statement, CHANGE_INSERT);
    entry->rows = rows;
    entry->batched = true;
    entry->bytes = bytes;
    applier->pipe.bytes += bytes;
    applier->group.bytes += (int64_t)bytes;
    return true;
}

bool apply_batch_send(struct applier *applier, struct err *err)
{
    struct apply_batch *batch = &applier->batch;
    size_t first = 0;

    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (; batch->rows - first >= sizes[i]; first += sizes[i])
            if (!send_rows(applier, first, sizes[i], err))
                return false;
    apply_batch_clear(batch);
    return true;
}

void apply_batch_clear(struct apply_batch *batch)
{
    batch->table = NULL;
    batch->rows = batch->count = 0;
    buf_clear(&batch->bytes);
}

void apply_batch_release(struct apply_batch *batch)
{
    free(batch->values);
    buf_release(&batch->bytes);
    *batch = (struct apply_batch){0};
}
