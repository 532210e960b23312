#include "cdc/gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define CHUNK_BYTES ((size_t)256 << 10)
#define FEWEST_BUCKETS 256

/* --- memory --- */

struct gather_chunk {
    struct gather_chunk *next;
    size_t used;
    size_t size;
    _Alignas(16) char data[];
};

static struct gather_chunk *new_chunk(struct gather *gather, size_t size)
{
    struct gather_chunk *chunk = xmalloc(sizeof *chunk + size);

    chunk->used = 0;
    chunk->size = size;
    gather->bytes += size;
    return chunk;
}

/* A large piece gets a chunk of its own behind the current one, which stays in use. */
static void *take_memory(struct gather *gather, size_t size)
{
    struct gather_chunk *chunk = gather->chunks;

    size = (size + 15) & ~(size_t)15;
    if (chunk && chunk->size - chunk->used >= size) {
        chunk->used += size;
        return chunk->data + chunk->used - size;
    }
    bool large = size > CHUNK_BYTES / 4;
    struct gather_chunk *fresh = new_chunk(gather, large ? size : CHUNK_BYTES);
    struct gather_chunk **place = large && chunk ? &chunk->next : &gather->chunks;
    fresh->next = *place;
    *place = fresh;
    fresh->used = size;
    return fresh->data;
}

/* --- values --- */

static bool has_bytes(const struct value *value)
{
    return value->kind == VALUE_TEXT || value->kind == VALUE_BINARY;
}

static void copy_bytes(char *to, const struct value *from)
{
    memcpy(to, from->data, from->len);
    to[from->len] = '\0';
}

static struct value *copy_tuple(struct gather *gather, const struct tuple *tuple)
{
    struct value *values = take_memory(gather, tuple->count * sizeof *values);
    size_t bytes = 0;

    for (size_t i = 0; i < tuple->count; i++)
        bytes += has_bytes(&tuple->values[i]) ? tuple->values[i].len + 1 : 0;
    char *at = bytes ? take_memory(gather, bytes) : NULL;
    for (size_t i = 0; i < tuple->count; i++) {
        values[i] = tuple->values[i];
        if (!has_bytes(&values[i]))
            continue;
        values[i].data = at;
        copy_bytes(at, &tuple->values[i]);
        at += values[i].len + 1;
    }
    return values;
}

/* Later values over earlier ones; what was not sent again stays as it is known. */
static void merge_row(struct gather *gather, struct value *row, const struct tuple *later)
{
    for (size_t i = 0; i < later->count; i++) {
        const struct value *value = &later->values[i];
        if (value->kind == VALUE_UNCHANGED)
            continue;
        char *room = has_bytes(&row[i]) && row[i].len >= value->len ? row[i].data : NULL;
        row[i] = *value;
        if (!has_bytes(value))
            continue;
        row[i].data = room ? room : take_memory(gather, value->len + 1);
        copy_bytes(row[i].data, value);
    }
}

/* --- keys --- */

static uint32_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= UINT64_C(0xd6e8feb86659fd93);
    hash ^= hash >> 32;
    return (uint32_t)hash;
}

uint32_t gather_hash_oid(uint32_t oid)
{
    return mix(oid * UINT64_C(0x9e3779b97f4a7c15));
}

static uint64_t hash_value(uint64_t hash, const struct value *value)
{
    for (uint32_t i = 0; has_bytes(value) && i < value->len; i++)
        hash = (hash ^ (unsigned char)value->data[i]) * UINT64_C(0x100000001b3);
    return (hash ^ value->kind) * UINT64_C(0x100000001b3);
}

static uint32_t hash_key(const struct gather_table *table, const struct value *values)
{
    uint64_t hash = table->oid * UINT64_C(0x9e3779b97f4a7c15);

    for (size_t i = 0; i < table->map->key_count; i++)
        hash = hash_value(hash, &values[table->map->keys[i].source]);
    return mix(hash);
}

static bool same_value(const struct value *a, const struct value *b)
{
    return a->kind == b->kind &&
           (!has_bytes(a) || (a->len == b->len && memcmp(a->data, b->data, a->len) == 0));
}

static bool same_key(const struct table_map *map, const struct value *a, const struct value *b)
{
    for (size_t i = 0; i < map->key_count; i++)
        if (!same_value(&a[map->keys[i].source], &b[map->keys[i].source]))
            return false;
    return true;
}

/* What the row is found by. */
static const struct value *found_by(const struct change *change)
{
    return change->has_old && change->kind != CHANGE_INSERT ? change->old_tuple.values
                                                            : change->new_tuple.values;
}

static const struct value *op_key(const struct gather_op *op)
{
    return op->old && op->kind != OP_INSERT ? op->old : op->row;
}

static bool key_is_known(const struct table_map *map, const struct value *values)
{
    for (size_t i = 0; i < map->key_count; i++)
        if (values[map->keys[i].source].kind == VALUE_UNCHANGED)
            return false;
    return true;
}

static bool changes_key(const struct table_map *map, const struct change *change)
{
    if (change->kind != CHANGE_UPDATE || !change->has_old)
        return false;
    for (size_t i = 0; i < map->key_count; i++) {
        const struct value *later = &change->new_tuple.values[map->keys[i].source];
        if (later->kind != VALUE_UNCHANGED &&
            !same_value(later, &change->old_tuple.values[map->keys[i].source]))
            return true;
    }
    return false;
}

static bool is_text(const struct tuple *tuple)
{
    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == VALUE_BINARY)
            return false;
    return true;
}

static bool has_text_only(const struct change *change)
{
    return (change->kind == CHANGE_DELETE || is_text(&change->new_tuple)) &&
           (!change->has_old || is_text(&change->old_tuple));
}

/* --- operations --- */

static void rehash(struct gather *gather)
{
    size_t count = gather->bucket_count ? gather->bucket_count * 4 : FEWEST_BUCKETS;
    struct gather_op **buckets = xcalloc(count, sizeof *buckets);

    for (size_t i = 0; i < gather->bucket_count; i++) {
        struct gather_op *next;
        for (struct gather_op *op = gather->buckets[i]; op; op = next) {
            next = op->chain;
            op->chain = buckets[op->hash & (count - 1)];
            buckets[op->hash & (count - 1)] = op;
        }
    }
    free(gather->buckets);
    gather->buckets = buckets;
    gather->bucket_count = count;
}

static struct gather_op *find(const struct gather *gather, const struct gather_table *table,
                              uint32_t hash, const struct value *key)
{
    struct gather_op *op =
        gather->bucket_count ? gather->buckets[hash & (gather->bucket_count - 1)] : NULL;

    while (op && (op->hash != hash || op->table != table || op->segment != table->segment || op->alone ||
                  !same_key(table->map, op_key(op), key)))
        op = op->chain;
    return op;
}

static void join_tables(struct gather *gather, struct gather_table *table, const struct table_map *map)
{
    if (table->count)
        return;
    *table = (struct gather_table){.map = map, .oid = table->oid, .only_inserts = true};
    if (gather->last_table)
        gather->last_table->next = table;
    else
        gather->tables = table;
    gather->last_table = table;
}

static struct gather_op *append(struct gather *gather, struct gather_table *table,
                                const struct change *change, uint32_t hash)
{
    static const enum op_kind kinds[] = {
        [CHANGE_INSERT] = OP_INSERT, [CHANGE_UPDATE] = OP_UPDATE, [CHANGE_DELETE] = OP_DELETE};
    struct gather_op *op = take_memory(gather, sizeof *op);

    *op = (struct gather_op){
        .hash = hash, .table = table, .segment = table->segment, .kind = kinds[change->kind]};
    if (change->has_old && change->kind != CHANGE_INSERT) {
        op->old = copy_tuple(gather, &change->old_tuple);
        op->old_is_key = change->old_is_key;
    }
    if (change->kind != CHANGE_DELETE)
        op->row = copy_tuple(gather, &change->new_tuple);
    if (table->last)
        table->last->next = op;
    else
        table->first = op;
    table->last = op;
    table->count++;
    gather->count++;
    return op;
}

static void remember(struct gather *gather, struct gather_op *op)
{
    if (gather->count > gather->bucket_count)
        rehash(gather);
    struct gather_op **bucket = &gather->buckets[op->hash & (gather->bucket_count - 1)];
    op->chain = *bucket;
    *bucket = op;
}

static void keep_old(struct gather *gather, struct gather_op *op, const struct change *change)
{
    if (op->old || !change->has_old)
        return;
    op->old = copy_tuple(gather, &change->old_tuple);
    op->old_is_key = change->old_is_key;
}

/* A row that the group deleted or never had. */
static bool merge_insert(struct gather *gather, struct gather_op *op, const struct change *change)
{
    if (op->kind != OP_NOTHING && op->kind != OP_DELETE)
        return false;
    op->kind = op->kind == OP_DELETE ? OP_REPLACE : OP_INSERT;
    op->row = copy_tuple(gather, &change->new_tuple);
    return true;
}

static bool merge_update(struct gather *gather, struct gather_op *op, const struct change *change)
{
    if (op->kind != OP_INSERT && op->kind != OP_UPDATE && op->kind != OP_REPLACE)
        return false;
    merge_row(gather, op->row, &change->new_tuple);
    if (op->kind == OP_UPDATE)
        keep_old(gather, op, change);
    return true;
}

static bool merge_delete(struct gather *gather, struct gather_op *op, const struct change *change)
{
    if (op->kind != OP_INSERT && op->kind != OP_UPDATE && op->kind != OP_REPLACE)
        return false;
    keep_old(gather, op, change);
    op->kind = op->kind == OP_INSERT ? OP_NOTHING : OP_DELETE;
    return true;
}

/* False for what cannot follow in a stream of one source; the server shall judge it as it came. */
static bool merge(struct gather *gather, struct gather_op *op, const struct change *change)
{
    if (change->kind == CHANGE_INSERT)
        return merge_insert(gather, op, change);
    if (change->kind == CHANGE_UPDATE)
        return merge_update(gather, op, change);
    return merge_delete(gather, op, change);
}

static struct gather_op *add_border(struct gather *gather, struct gather_table *table,
                                    const struct change *change, uint32_t hash)
{
    table->segment++;
    struct gather_op *op = append(gather, table, change, hash);
    op->alone = true;
    table->segment++;
    return op;
}

static struct gather_op *add_merged(struct gather *gather, struct gather_table *table,
                                    const struct change *change, uint32_t hash)
{
    struct gather_op *op = find(gather, table, hash, found_by(change));

    if (op && merge(gather, op, change))
        return op;
    if (op)
        table->segment++;
    op = append(gather, table, change, hash);
    remember(gather, op);
    return op;
}

void gather_add(struct gather *gather, struct gather_table *table, const struct table_map *map,
                const struct change *change, lsn_t commit_lsn, uint32_t xid, bool single)
{
    struct gather_op *op;

    join_tables(gather, table, map);
    bool keyed = map->find == FIND_KEY && key_is_known(map, found_by(change));
    uint32_t hash = keyed ? hash_key(table, found_by(change)) : mix(table->count);
    bool plain = has_text_only(change) && !single;
    if (map->merges && (!plain || !keyed || changes_key(map, change))) {
        op = add_border(gather, table, change, hash);
    } else if (map->merges) {
        op = add_merged(gather, table, change, hash);
    } else {
        op = append(gather, table, change, hash);
        op->alone = !plain || (change->kind == CHANGE_UPDATE) ||
                    (change->kind == CHANGE_DELETE && !keyed);
    }
    op->commit_lsn = commit_lsn;
    op->xid = xid;
    table->only_inserts = table->only_inserts && change->kind == CHANGE_INSERT;
    gather->changes++;
}

bool gather_is_ordered(const struct gather_table *table)
{
    if (table->map->acts)
        return true;
    if (table->map->merges)
        return table->segment > 0;
    return !table->only_inserts;
}

void gather_view(const struct gather_table *table, const struct gather_op *op, struct change *change)
{
    static const enum change_kind kinds[] = {
        [OP_INSERT] = CHANGE_INSERT, [OP_UPDATE] = CHANGE_UPDATE, [OP_DELETE] = CHANGE_DELETE,
        [OP_REPLACE] = CHANGE_INSERT};
    size_t columns = table->map->source->column_count;

    change->kind = kinds[op->kind];
    change->has_old = op->old && change->kind != CHANGE_INSERT;
    change->old_is_key = op->old_is_key;
    change->old_tuple = (struct tuple){op->old, op->old ? columns : 0, 0};
    change->new_tuple = (struct tuple){op->row, op->row ? columns : 0, 0};
}

/* --- the end --- */

static void clear_buckets(struct gather *gather)
{
    /* A large group's buckets would make every small one slow. */
    if (gather->bucket_count > FEWEST_BUCKETS && gather->count < gather->bucket_count / 16) {
        free(gather->buckets);
        gather->buckets = NULL;
        gather->bucket_count = 0;
    }
    if (gather->count && gather->buckets)
        memset(gather->buckets, 0, gather->bucket_count * sizeof *gather->buckets);
}

void gather_clear(struct gather *gather)
{
    struct gather_table *next;
    struct gather_chunk *chunk = gather->chunks;

    for (struct gather_table *table = gather->tables; table; table = next) {
        next = table->next;
        *table = (struct gather_table){.oid = table->oid};
    }
    clear_buckets(gather);
    while (chunk) {
        struct gather_chunk *behind = chunk->next;
        free(chunk);
        chunk = behind;
    }
    *gather = (struct gather){.buckets = gather->buckets, .bucket_count = gather->bucket_count};
}

void gather_release(struct gather *gather)
{
    gather_clear(gather);
    free(gather->buckets);
    *gather = (struct gather)GATHER_INIT;
}
