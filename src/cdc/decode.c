/* How it works: a cursor over the message that only moves forward. Every read checks what is left;
 * the first one that does not fit records why and makes all later ones give zeros, so that a parser
 * is a plain list of reads, checked once at its end (and in each loop).
 *
 * Column values are followed at once by the next column's kind byte (or by the end), so a value's
 * NUL has to wait until that byte was read: the cursor remembers the place. */
#include "cdc/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"

struct cursor {
    char *at;
    char *end;
    char *nul;       /* where a NUL goes as soon as that byte was read, or NULL */
    const char *bad; /* why the message is malformed; NULL: fine so far */
};

static void *fail(struct cursor *cur, const char *why)
{
    if (!cur->bad)
        cur->bad = why;
    return NULL;
}

static size_t left(const struct cursor *cur)
{
    return (size_t)(cur->end - cur->at);
}

/* The next len bytes, or NULL. */
static char *take(struct cursor *cur, size_t len)
{
    if (cur->bad || left(cur) < len)
        return fail(cur, "it ends early");
    char *bytes = cur->at;
    cur->at += len;
    return bytes;
}

static uint64_t take_int(struct cursor *cur, size_t size)
{
    const char *bytes = take(cur, size);
    uint64_t value = 0;

    for (size_t i = 0; bytes && i < size; i++)
        value = value << 8 | (unsigned char)bytes[i];
    return value;
}

/* One byte; the place of the NUL that waited for it is free now. */
static char take_kind(struct cursor *cur)
{
    const char *byte = take(cur, 1);
    char kind = byte ? *byte : '\0';

    if (byte && byte == cur->nul)
        *cur->nul = '\0';
    cur->nul = NULL;
    return kind;
}

static uint32_t take_u32(struct cursor *cur)
{
    return (uint32_t)take_int(cur, 4);
}

static int64_t take_time_us(struct cursor *cur)
{
    /* Unsigned, so that nonsense wraps instead of overflowing. */
    return (int64_t)(take_int(cur, 8) + (uint64_t)PG_EPOCH_US);
}

static char *take_string(struct cursor *cur)
{
    char *nul = cur->bad ? NULL : memchr(cur->at, '\0', left(cur));

    if (!nul)
        return fail(cur, "a name has no end");
    return take(cur, (size_t)(nul - cur->at) + 1);
}

/* A length of 32 bits and as many bytes; the signed -1 of other protocols is just too large. */
static char *take_counted(struct cursor *cur, uint32_t *len)
{
    *len = take_u32(cur);
    if (!cur->bad && *len > left(cur))
        return fail(cur, "a length goes beyond its end");
    return take(cur, *len);
}

static void take_value(struct cursor *cur, struct value *value)
{
    *value = (struct value){.kind = VALUE_NULL};
    switch (take_kind(cur)) {
    case 'n':
        return;
    case 'u':
        value->kind = VALUE_UNCHANGED;
        return;
    case 't':
        value->kind = VALUE_TEXT;
        break;
    case 'b':
        value->kind = VALUE_BINARY;
        break;
    default:
        fail(cur, "a column value of unknown kind");
        return;
    }
    value->data = take_counted(cur, &value->len);
    cur->nul = cur->at;
}

static void take_tuple(struct cursor *cur, struct tuple *tuple)
{
    size_t count = (size_t)take_int(cur, 2);

    tuple->count = 0;
    if (!cur->bad && count > left(cur)) /* a column is a byte at least */
        fail(cur, "more columns than bytes");
    while (!cur->bad && tuple->count < count) {
        tuple->values = xgrow(tuple->values, tuple->count, &tuple->cap, sizeof *tuple->values);
        take_value(cur, &tuple->values[tuple->count++]);
    }
}

static void take_old_tuple(struct cursor *cur, struct change *change, char kind)
{
    change->has_old = true;
    change->old_is_key = kind == 'K';
    take_tuple(cur, &change->old_tuple);
}

static void parse_begin(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_BEGIN;
    change->commit_lsn = take_int(cur, 8);
    change->commit_us = take_time_us(cur);
    change->xid = take_u32(cur);
}

static void parse_commit(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_COMMIT;
    if (take_kind(cur) != 0)
        fail(cur, "unknown flags");
    change->commit_lsn = take_int(cur, 8);
    change->end_lsn = take_int(cur, 8);
    change->commit_us = take_time_us(cur);
}

static void parse_origin(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_ORIGIN;
    change->commit_lsn = take_int(cur, 8);
    change->name = take_string(cur);
}

static char *take_schema(struct cursor *cur)
{
    static char pg_catalog[] = "pg_catalog";
    char *schema = take_string(cur);

    return schema && !*schema ? pg_catalog : schema;
}

static void take_column(struct cursor *cur, struct relation_column *column)
{
    column->key = take_kind(cur) & 1;
    column->name = take_string(cur);
    column->type_oid = take_u32(cur);
    column->typmod = (int32_t)take_u32(cur);
}

static void parse_relation(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_RELATION;
    change->relation = take_u32(cur);
    change->schema = take_schema(cur);
    change->name = take_string(cur);
    change->identity = take_kind(cur);
    if (!cur->bad && (!change->identity || !strchr("dnfi", change->identity)))
        fail(cur, "an unknown replica identity");
    size_t count = (size_t)take_int(cur, 2);
    if (!cur->bad && count > left(cur) / 10) /* flags, empty name, type, modifier */
        fail(cur, "more columns than bytes");
    while (!cur->bad && change->column_count < count) {
        change->columns = xgrow(change->columns, change->column_count, &change->column_cap,
                                sizeof *change->columns);
        take_column(cur, &change->columns[change->column_count++]);
    }
}

static void parse_type(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_TYPE;
    change->relation = take_u32(cur);
    change->schema = take_schema(cur);
    change->name = take_string(cur);
}

static void parse_insert(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_INSERT;
    change->relation = take_u32(cur);
    if (take_kind(cur) != 'N')
        fail(cur, "a new row was expected");
    take_tuple(cur, &change->new_tuple);
}

static void parse_update(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_UPDATE;
    change->relation = take_u32(cur);
    char kind = take_kind(cur);
    if (kind == 'K' || kind == 'O') {
        take_old_tuple(cur, change, kind);
        kind = take_kind(cur);
    }
    if (kind != 'N')
        fail(cur, "a new row was expected");
    take_tuple(cur, &change->new_tuple);
}

static void parse_delete(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_DELETE;
    change->relation = take_u32(cur);
    char kind = take_kind(cur);
    if (kind != 'K' && kind != 'O')
        fail(cur, "an old row was expected");
    take_old_tuple(cur, change, kind);
}

static void parse_truncate(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_TRUNCATE;
    size_t count = take_u32(cur);
    char flags = take_kind(cur);
    change->cascade = flags & 1;
    change->restart_identity = flags & 2;
    if (!cur->bad && count > left(cur) / 4)
        fail(cur, "more relations than bytes");
    while (!cur->bad && change->relation_count < count) {
        change->relations = xgrow(change->relations, change->relation_count, &change->relation_cap,
                                  sizeof *change->relations);
        change->relations[change->relation_count++] = take_u32(cur);
    }
}

static void parse_message(struct cursor *cur, struct change *change)
{
    change->kind = CHANGE_MESSAGE;
    change->transactional = take_kind(cur) & 1;
    change->commit_lsn = take_int(cur, 8);
    change->name = take_string(cur);
    change->content = take_counted(cur, &change->content_len);
    cur->nul = cur->at;
}

static const struct {
    char kind;
    void (*parse)(struct cursor *cur, struct change *change);
} parsers[] = {
    {'I', parse_insert},   {'U', parse_update},   {'D', parse_delete}, {'B', parse_begin},
    {'C', parse_commit},   {'R', parse_relation}, {'Y', parse_type},   {'T', parse_truncate},
    {'M', parse_message},  {'O', parse_origin},
};

/* Nothing of the message before; the arrays stay. */
static void change_clear(struct change *change)
{
    struct change kept = *change;

    *change = (struct change)CHANGE_INIT;
    change->columns = kept.columns;
    change->column_cap = kept.column_cap;
    change->old_tuple = (struct tuple){kept.old_tuple.values, 0, kept.old_tuple.cap};
    change->new_tuple = (struct tuple){kept.new_tuple.values, 0, kept.new_tuple.cap};
    change->relations = kept.relations;
    change->relation_cap = kept.relation_cap;
}

bool decode_message(char *data, size_t len, struct change *change, struct err *err)
{
    struct cursor cur = {.at = data, .end = data + len};
    char kind = take_kind(&cur);
    size_t i = 0;

    change_clear(change);
    while (i < sizeof parsers / sizeof *parsers && parsers[i].kind != kind)
        i++;
    if (i < sizeof parsers / sizeof *parsers)
        parsers[i].parse(&cur, change);
    else
        fail(&cur, "it is of no known kind");
    if (!cur.bad && left(&cur))
        fail(&cur, "bytes are left over");
    if (cur.bad) {
        err_set(err, ERR_PROTOCOL, "malformed change message of kind 0x%02x, %zu bytes: %s at byte %zu",
                (unsigned char)kind, len, cur.bad, (size_t)(cur.at - data));
        return false;
    }
    if (cur.nul)
        *cur.nul = '\0';
    return true;
}

void change_release(struct change *change)
{
    free(change->columns);
    free(change->old_tuple.values);
    free(change->new_tuple.values);
    free(change->relations);
    *change = (struct change)CHANGE_INIT;
}
