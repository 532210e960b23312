/* From gathered operations to statements. A table whose order does not count is sent by kinds: DELETEs, then
 * UPDATEs (those that write the same columns together), then INSERTs, each in arrays; so a row that is
 * replaced is deleted before it is inserted. Where order counts, only neighbours of one kind are sent
 * together; UPDATEs then go one by one, for which of a statement's rows is first is the server's choice.
 *
 * Which lane an operation goes to depends on the change and on the group alone, so that a group that was
 * committed by half is spread in the same way when it is made again. */
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "cdc/arrays.h"

#define STATEMENT_BYTES 64              /* what a statement costs beside its values */
#define BATCH_ROWS 1000
#define BATCH_BYTES ((size_t)512 << 10) /* of memory for values: rows beyond go into the next statement */
#define ALONE_BYTES ((size_t)64 << 10)  /* a larger row gains nothing from company */
#define BIN_COUNT 8

/* Rows for one statement: of one table, one kind and one set of columns. */
struct apply_bin {
    enum change_kind kind;
    uint64_t *set;                 /* owned */
    const struct gather_op **rows; /* owned array of borrowed */
    size_t count;
    size_t cap;
    size_t bytes;
};

struct apply_bins {
    struct apply_bin bins[BIN_COUNT];
    size_t used;
    size_t set_words;
    uint64_t *set; /* owned: of the row at hand */
    struct buf bytes;
    size_t *offsets; /* owned: of each parameter in bytes */
    size_t offset_cap;
    const struct value **column; /* owned: one column's values */
    size_t column_cap;
};

/* --- which lane --- */

static bool was_together(const struct apply_spread *spread, uint32_t oid)
{
    for (size_t i = 0; i < spread->ordered_count; i++)
        if (spread->ordered[i] == oid)
            return true;
    return false;
}

bool apply_is_together(const struct apply_spread *spread, const struct apply_table *table)
{
    return spread->redo ? was_together(spread, table->source_oid)
                        : gather_is_ordered(&table->gathered);
}

static int lane_of(const struct apply_spread *spread, const struct apply_table *table, bool together,
                   const struct gather_op *op)
{
    if (spread->lanes <= 1 || table->map.acts)
        return 0;
    return (int)((together ? gather_hash_oid(table->source_oid) : op->hash) %
                 (uint32_t)spread->lanes);
}

static struct apply_table *table_of(const struct applier *applier, const struct gather_table *gathered)
{
    return apply_tables_find(&applier->tables, gathered->oid);
}

uint32_t apply_spread_mask(const struct applier *applier, const struct apply_spread *spread)
{
    uint32_t mask = 1;

    if (spread->lanes <= 1 || spread->redo)
        return mask;
    for (const struct gather_table *g = applier->gather.tables; g; g = g->next) {
        const struct apply_table *table = table_of(applier, g);
        bool together = apply_is_together(spread, table);
        for (const struct gather_op *op = g->first; op; op = op->next)
            mask |= UINT32_C(1) << lane_of(spread, table, together, op);
    }
    return mask;
}

/* --- statements --- */

static void need_parameters(struct applier *applier, size_t count)
{
    if (count <= applier->parameter_cap)
        return;
    applier->parameter_cap = count;
    applier->values = xrealloc(applier->values, count * sizeof *applier->values);
    applier->lengths = xrealloc(applier->lengths, count * sizeof *applier->lengths);
    applier->formats = xrealloc(applier->formats, count * sizeof *applier->formats);
}

static struct pipe_entry *add_entry(struct apply_lane *lane, struct apply_table *table,
                                    struct apply_statement *statement, const struct gather_op *op)
{
    struct pipe_entry *entry = apply_pipe_add(&lane->pipe, PIPE_CHANGE);

    entry->kind = statement->shape.kind;
    entry->table = table;
    entry->statement = statement;
    entry->commit_lsn = op->commit_lsn;
    entry->xid = op->xid;
    statement->in_flight++;
    return entry;
}

static struct apply_statement *prepared(struct apply_lane *lane, struct apply_table *table,
                                        const struct statement_shape *shape,
                                        const struct gather_op *op, struct err *err)
{
    struct apply_statement *statement =
        apply_cache_get(&lane->cache, &table->statements[lane->number], &table->map, shape);
    const struct statement_text *text = &statement->text;

    if (statement->prepared)
        return statement;
    if (!apply_evict(lane, err) || !apply_pipe_room(&lane->pipe, text->sql.len, err))
        return NULL;
    if (!PQsendPrepare(lane->conn->pg, statement->name, text->sql.data, (int)text->count, text->types)) {
        conn_error(lane->conn, NULL, text->sql.data, err);
        return NULL;
    }
    statement->prepared = true;
    add_entry(lane, table, statement, op)->batched = shape->arrays;
    return statement;
}

static struct pipe_entry *execute(struct apply_lane *lane, struct apply_table *table,
                                  struct apply_statement *statement, const struct gather_op *op,
                                  size_t bytes, struct err *err)
{
    struct applier *applier = lane->applier;

    if (!apply_pipe_room(&lane->pipe, bytes, err))
        return NULL;
    if (!PQsendQueryPrepared(lane->conn->pg, statement->name, (int)statement->text.count,
                             applier->values, applier->lengths, applier->formats, 0)) {
        conn_error(lane->conn, NULL, statement->text.sql.data, err);
        return NULL;
    }
    struct pipe_entry *entry = add_entry(lane, table, statement, op);
    entry->bytes = bytes;
    lane->pipe.bytes += bytes;
    return entry;
}

/* --- one row --- */

static bool bind(struct applier *applier, const struct apply_statement *statement,
                 const struct change *change, size_t *bytes, struct err *err)
{
    for (size_t i = 0; i < statement->text.count; i++) {
        const struct parameter *parameter = &statement->text.parameters[i];
        bool old = change->kind == CHANGE_DELETE || (parameter->find && change->has_old);
        const struct value *value =
            &(old ? &change->old_tuple : &change->new_tuple)->values[parameter->column];
        if (value->kind == VALUE_UNCHANGED) {
            err_set(err, ERR_PROTOCOL, "a value that is needed was not sent by the source");
            err_hint(err, "A key column is stored out of line, which this source does not log: load the "
                     "table again with REPLICA IDENTITY FULL.");
            return false;
        }
        applier->values[i] = value->kind == VALUE_NULL ? NULL : value->data;
        applier->lengths[i] = (int)value->len;
        applier->formats[i] = value->kind == VALUE_BINARY;
        *bytes += value->kind == VALUE_NULL ? 0 : value->len;
    }
    return true;
}

static void choose_columns(struct apply_bins *bins, const struct apply_table *table,
                           const struct change *change)
{
    memset(bins->set, 0, bins->set_words * sizeof *bins->set);
    for (size_t i = 0; i < table->source.column_count; i++)
        if (apply_must_write(table, change, i))
            bins->set[i / 64] |= UINT64_C(1) << (i % 64);
}

/* A change that failed here, not on the server (whose errors have their place already). */
static void blame_op(struct applier *applier, struct apply_table *table, const struct gather_op *op,
                     const struct change *change, struct err *err)
{
    struct pipe_entry entry = {
        .kind = change->kind, .table = table, .commit_lsn = op->commit_lsn, .xid = op->xid};

    if (applier->status.failure.table || !err || err->code == ERR_STOPPED ||
        err->code == ERR_CONNECTION)
        return;
    apply_describe_key(table, change, entry.key);
    entry.row = apply_row_json(table, change);
    apply_blame(applier, &entry, err);
    free(entry.row);
}

static bool send_change(struct apply_lane *lane, struct apply_table *table, const struct gather_op *op,
                        const struct change *change, struct err *err)
{
    struct applier *applier = lane->applier;
    struct apply_bins *bins = lane->bins;
    size_t bytes = STATEMENT_BYTES;

    if (change->kind == CHANGE_UPDATE)
        choose_columns(bins, table, change);
    const struct statement_shape shape = {.kind = change->kind, .set = bins->set};
    struct apply_statement *statement = prepared(lane, table, &shape, op, err);
    if (!statement)
        return false;
    need_parameters(applier, statement->text.count);
    if (!bind(applier, statement, change, &bytes, err))
        return false;
    struct pipe_entry *entry = execute(lane, table, statement, op, bytes, err);
    if (!entry)
        return false;
    entry->rows = 1;
    apply_describe_key(table, change, entry->key);
    if (applier->options.on_conflict != APPLIER_FAILS && op->commit_lsn <= applier->single_until)
        entry->row = apply_row_json(table, change);
    return true;
}

static bool send_alone(struct apply_lane *lane, struct apply_table *table, const struct gather_op *op,
                       struct err *err)
{
    struct change change = CHANGE_INIT;

    gather_view(&table->gathered, op, &change);
    if (send_change(lane, table, op, &change, err))
        return true;
    blame_op(lane->applier, table, op, &change, err);
    return false;
}

/* --- many rows --- */

static size_t row_bytes(const struct gather_op *op, size_t columns)
{
    const struct value *values = op->row ? op->row : op->old;
    size_t bytes = 0;

    for (size_t i = 0; i < columns; i++)
        bytes += values[i].kind == VALUE_TEXT || values[i].kind == VALUE_BINARY ? values[i].len : 0;
    return bytes;
}

static const struct value *value_of(const struct gather_op *op, enum change_kind kind,
                                    const struct parameter *parameter)
{
    bool old = kind == CHANGE_DELETE ? op->old != NULL
                                     : kind == CHANGE_UPDATE && parameter->find && op->old;

    return &(old ? op->old : op->row)[parameter->column];
}

/* Adds one column's values as a parameter; where there is a binary form for all of them, in that. */
static void add_column(struct apply_lane *lane, const struct apply_table *table,
                       const struct apply_bin *bin, const struct statement_text *text, size_t i)
{
    struct applier *applier = lane->applier;
    struct apply_bins *bins = lane->bins;
    const struct parameter *parameter = &text->parameters[i];
    const struct target_column *column =
        &table->target.columns[table->map.targets[parameter->column]];
    uint32_t type_oid = column->array_oid ? column->type_oid : 25; /* text */

    for (size_t row = 0; row < bin->count; row++)
        bins->column[row] = value_of(bin->rows[row], bin->kind, parameter);
    bins->offsets[i] = bins->bytes.len;
    applier->formats[i] = array_add_binary(&bins->bytes, type_oid, bins->column, bin->count);
    applier->lengths[i] = (int)(bins->bytes.len - bins->offsets[i]);
    if (!applier->formats[i])
        array_add_text(&bins->bytes, column->array_oid ? column->array_delimiter : ',',
                       bins->column, bin->count);
}

static void encode(struct apply_lane *lane, const struct apply_table *table,
                   const struct apply_bin *bin, const struct statement_text *text)
{
    struct applier *applier = lane->applier;
    struct apply_bins *bins = lane->bins;

    need_parameters(applier, text->count);
    if (text->count > bins->offset_cap) {
        bins->offset_cap = text->count;
        bins->offsets = xrealloc(bins->offsets, text->count * sizeof *bins->offsets);
    }
    if (bin->count > bins->column_cap) {
        bins->column_cap = bin->count;
        bins->column = xrealloc(bins->column, bin->count * sizeof *bins->column);
    }
    buf_clear(&bins->bytes);
    for (size_t i = 0; i < text->count; i++)
        add_column(lane, table, bin, text, i);
    for (size_t i = 0; i < text->count; i++)
        applier->values[i] = bins->bytes.data + bins->offsets[i];
}

static bool send_bin(struct apply_lane *lane, struct apply_table *table, struct apply_bin *bin,
                     struct err *err)
{
    const struct statement_shape shape = {.kind = bin->kind, .arrays = true, .set = bin->set};
    const struct gather_op *last;

    if (!bin->count)
        return true;
    last = bin->rows[bin->count - 1];
    struct apply_statement *statement = prepared(lane, table, &shape, last, err);
    if (!statement)
        return false;
    encode(lane, table, bin, &statement->text);
    struct pipe_entry *entry =
        execute(lane, table, statement, last, lane->bins->bytes.len, err);
    if (!entry)
        return false;
    entry->rows = (long)bin->count;
    entry->batched = true;
    bin->count = bin->bytes = 0;
    return true;
}

static bool send_bins(struct apply_lane *lane, struct apply_table *table, struct err *err)
{
    struct apply_bins *bins = lane->bins;

    for (size_t i = 0; i < bins->used; i++)
        if (!send_bin(lane, table, &bins->bins[i], err))
            return false;
    bins->used = 0;
    return true;
}

static struct apply_bin *find_bin(struct apply_bins *bins, enum change_kind kind)
{
    for (size_t i = 0; i < bins->used; i++)
        if (bins->bins[i].kind == kind &&
            (kind != CHANGE_UPDATE ||
             memcmp(bins->bins[i].set, bins->set, bins->set_words * sizeof *bins->set) == 0))
            return &bins->bins[i];
    if (bins->used == BIN_COUNT)
        return NULL;
    struct apply_bin *bin = &bins->bins[bins->used++];
    bin->kind = kind;
    bin->count = bin->bytes = 0;
    memcpy(bin->set, bins->set, bins->set_words * sizeof *bins->set);
    return bin;
}

static bool add_to_bin(struct apply_lane *lane, struct apply_table *table, const struct gather_op *op,
                       enum change_kind kind, struct err *err)
{
    struct apply_bins *bins = lane->bins;
    struct apply_bin *bin = find_bin(bins, kind);

    if (!bin) {
        if (!send_bins(lane, table, err))
            return false;
        bin = find_bin(bins, kind);
    }
    bin->rows = xgrow(bin->rows, bin->count, &bin->cap, sizeof *bin->rows);
    bin->rows[bin->count++] = op;
    bin->bytes += row_bytes(op, table->source.column_count);
    return (bin->count < BATCH_ROWS && bin->bytes < BATCH_BYTES) ||
           send_bin(lane, table, bin, err);
}

static bool writes_something(const struct apply_bins *bins)
{
    for (size_t i = 0; i < bins->set_words; i++)
        if (bins->set[i])
            return true;
    return false;
}

static bool has_columns(const struct apply_table *table)
{
    for (size_t i = 0; i < table->source.column_count; i++)
        if (table->map.targets[i] >= 0)
            return true;
    return false;
}

/* An INSERT, in company where that is of use. */
static bool send_insert(struct apply_lane *lane, struct apply_table *table, const struct gather_op *op,
                        struct err *err)
{
    size_t columns = table->source.column_count;
    bool whole = has_columns(table) && row_bytes(op, columns) < ALONE_BYTES;

    for (size_t i = 0; whole && i < columns; i++)
        whole = op->row[i].kind != VALUE_UNCHANGED || table->map.targets[i] < 0;
    return whole ? add_to_bin(lane, table, op, CHANGE_INSERT, err)
                 : send_alone(lane, table, op, err);
}

static bool send_update(struct apply_lane *lane, struct apply_table *table, const struct gather_op *op,
                        struct err *err)
{
    struct change change = CHANGE_INIT;

    gather_view(&table->gathered, op, &change);
    choose_columns(lane->bins, table, &change);
    return writes_something(lane->bins) &&
                   row_bytes(op, table->source.column_count) < ALONE_BYTES
               ? add_to_bin(lane, table, op, CHANGE_UPDATE, err)
               : send_alone(lane, table, op, err);
}

/* --- a table --- */

struct walk {
    struct applier *applier;
    const struct apply_spread *spread;
    struct apply_table *table;
    bool together;
    size_t lane_count; /* of those that it may go to */
};

/* Whose it is; NULL: it is there already. */
static struct apply_lane *taker(const struct walk *walk, const struct gather_op *op)
{
    int number = lane_of(walk->spread, walk->table, walk->together, op);

    if (!walk->spread->redo)
        return &walk->applier->lanes[number];
    return walk->spread->done >> number & 1 ? NULL : &walk->applier->lanes[0];
}

static bool send_all_bins(const struct walk *walk, struct err *err)
{
    for (size_t i = 0; i < walk->lane_count; i++)
        if (!send_bins(&walk->applier->lanes[i], walk->table, err))
            return false;
    return true;
}

/* The operations from *op to the next border: their rows do not depend on each other. */
static bool send_segment(const struct walk *walk, const struct gather_op **at, struct err *err)
{
    const struct gather_op *first = *at;
    const struct gather_op *op;
    struct apply_lane *lane;

    for (op = first; op && op->segment == first->segment; op = op->next)
        if ((op->kind == OP_DELETE || op->kind == OP_REPLACE) && (lane = taker(walk, op)) &&
            !add_to_bin(lane, walk->table, op, CHANGE_DELETE, err))
            return false;
    if (!send_all_bins(walk, err))
        return false;
    for (op = first; op && op->segment == first->segment; op = op->next) {
        if (!(lane = taker(walk, op)))
            continue;
        if (op->kind == OP_UPDATE && !send_update(lane, walk->table, op, err))
            return false;
        if ((op->kind == OP_INSERT || op->kind == OP_REPLACE) &&
            !send_insert(lane, walk->table, op, err))
            return false;
    }
    *at = op;
    return send_all_bins(walk, err);
}

/* Neighbours of one kind: INSERTs, or DELETEs by key. */
static bool send_run(const struct walk *walk, const struct gather_op **at, struct err *err)
{
    enum op_kind kind = (*at)->kind;
    const struct gather_op *op;

    for (op = *at; op && op->kind == kind && !op->alone; op = op->next) {
        struct apply_lane *lane = taker(walk, op);
        if (!lane)
            continue;
        if (!(kind == OP_INSERT ? send_insert(lane, walk->table, op, err)
                                : add_to_bin(lane, walk->table, op, CHANGE_DELETE, err)))
            return false;
    }
    *at = op;
    return send_all_bins(walk, err);
}

static void prepare_bins(struct apply_lane *lane, const struct apply_table *table)
{
    size_t words = COLUMN_SET_WORDS(table->source.column_count) + 1;

    if (!lane->bins)
        lane->bins = xcalloc(1, sizeof *lane->bins);
    struct apply_bins *bins = lane->bins;
    bins->used = 0;
    if (words > bins->set_words) {
        bins->set = xrealloc(bins->set, words * sizeof *bins->set);
        for (size_t i = 0; i < BIN_COUNT; i++)
            bins->bins[i].set = xrealloc(bins->bins[i].set, words * sizeof *bins->set);
        bins->set_words = words;
    }
    memset(bins->set, 0, bins->set_words * sizeof *bins->set);
}

static bool walk_table(const struct walk *walk, struct err *err)
{
    struct apply_table *table = walk->table;
    const struct gather_op *op = table->gathered.first;
    struct apply_lane *lane;

    while (op) {
        if (!op->alone) {
            if (!(table->map.merges ? send_segment(walk, &op, err) : send_run(walk, &op, err)))
                return false;
            continue;
        }
        if ((lane = taker(walk, op)) && !send_alone(lane, table, op, err))
            return false;
        op = op->next;
    }
    return true;
}

/* All lanes side by side: one that has its whole share before the next one gets any would leave that one idle. */
bool apply_send_table(struct applier *applier, const struct apply_spread *spread,
                      struct apply_table *table, struct err *err)
{
    const struct walk walk = {.applier = applier, .spread = spread, .table = table,
                              .together = apply_is_together(spread, table),
                              .lane_count = spread->redo || spread->lanes <= 1 ? 1 : (size_t)spread->lanes};

    for (size_t i = 0; i < walk.lane_count; i++)
        prepare_bins(&applier->lanes[i], table);
    return walk_table(&walk, err);
}

void apply_bins_free(struct apply_bins *bins)
{
    if (!bins)
        return;
    for (size_t i = 0; i < BIN_COUNT; i++) {
        free(bins->bins[i].set);
        free(bins->bins[i].rows);
    }
    buf_release(&bins->bytes);
    free(bins->set);
    free(bins->offsets);
    free(bins->column);
    free(bins);
}
