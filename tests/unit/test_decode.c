/* Messages made by hand after "Logical Replication Message Formats". Every message is decoded in heap
 * memory of exactly its size and one byte, so that sanitizers and valgrind see a step too far. */
#include "unit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "cdc/decode.h"

static struct change change;

static void put_string(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

static void put_value(struct buf *out, char kind, const char *text)
{
    buf_addch(out, kind);
    if (text) {
        buf_put_u32(out, (uint32_t)strlen(text));
        buf_addstr(out, text);
    }
}

/* Decodes a copy; the copy stays for the checks until the next call. */
static bool decode(const struct buf *message, size_t len, struct err *err)
{
    static char *copy;

    free(copy);
    copy = NULL;
    if (!message)
        return false;
    copy = malloc(len + 1);
    if (len)
        memcpy(copy, message->data, len);
    copy[len] = 'x';
    return decode_message(copy, len, &change, err);
}

static void expect_bad(const struct buf *message, size_t len, const char *why)
{
    struct err err = ERR_INIT;

    CHECK_TRUE(!decode(message, len, &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    if (why)
        CHECK_CONTAINS(err.message, why);
    err_clear(&err);
}

/* Decodes the whole message; first, every prefix of it and it with a byte more must be refused. */
static void expect_good(struct buf *message)
{
    struct err err = ERR_INIT;

    for (size_t len = 0; len < message->len; len++)
        expect_bad(message, len, NULL);
    buf_addch(message, 'n');
    expect_bad(message, message->len, "left over");
    message->len--;
    CHECK_TRUE(decode(message, message->len, &err));
    CHECK_STR(err.message, NULL);
    err_clear(&err);
    buf_release(message);
}

static void test_begin(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'B');
    buf_put_u64(&out, 0x1000002a0);
    buf_put_u64(&out, 1000000);
    buf_put_u32(&out, 4711);
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_BEGIN);
    CHECK_INT(change.commit_lsn, 0x1000002a0);
    CHECK_INT(change.commit_us, PG_EPOCH_US + 1000000);
    CHECK_INT(change.xid, 4711);
}

static void test_commit(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'C');
    buf_addch(&out, 0);
    buf_put_u64(&out, 100);
    buf_put_u64(&out, 140);
    buf_put_u64(&out, UINT64_MAX); /* a microsecond before 2000 */
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_COMMIT);
    CHECK_INT(change.commit_lsn, 100);
    CHECK_INT(change.end_lsn, 140);
    CHECK_INT(change.commit_us, PG_EPOCH_US - 1);
}

static void test_origin_and_type(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'O');
    buf_put_u64(&out, 77);
    put_string(&out, "upstream");
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_ORIGIN);
    CHECK_INT(change.commit_lsn, 77);
    CHECK_STR(change.name, "upstream");

    buf_addch(&out, 'Y');
    buf_put_u32(&out, 16400);
    put_string(&out, "shop");
    put_string(&out, "colour");
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_TYPE);
    CHECK_INT(change.relation, 16400);
    CHECK_STR(change.schema, "shop");
    CHECK_STR(change.name, "colour");
}

static void put_relation(struct buf *out, const char *schema, char identity, unsigned columns)
{
    buf_addch(out, 'R');
    buf_put_u32(out, 16384);
    put_string(out, schema);
    put_string(out, "order \"line\"");
    buf_addch(out, identity);
    buf_put_u16(out, (uint16_t)columns);
}

static void test_relation(void)
{
    struct buf out = BUF_INIT;

    put_relation(&out, "Sales", 'f', 2);
    buf_addch(&out, 1);
    put_string(&out, "id");
    buf_put_u32(&out, 20);
    buf_put_u32(&out, (uint32_t)-1);
    buf_addch(&out, 0);
    put_string(&out, "größe");
    buf_put_u32(&out, 1043);
    buf_put_u32(&out, 14);
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_RELATION);
    CHECK_INT(change.relation, 16384);
    CHECK_STR(change.schema, "Sales");
    CHECK_STR(change.name, "order \"line\"");
    CHECK_INT(change.identity, 'f');
    CHECK_INT(change.column_count, 2);
    CHECK_TRUE(change.columns[0].key && !change.columns[1].key);
    CHECK_STR(change.columns[0].name, "id");
    CHECK_INT(change.columns[0].type_oid, 20);
    CHECK_INT(change.columns[0].typmod, -1);
    CHECK_STR(change.columns[1].name, "größe");
    CHECK_INT(change.columns[1].typmod, 14);

    put_relation(&out, "", 'd', 0);
    expect_good(&out);
    CHECK_STR(change.schema, "pg_catalog");
    CHECK_INT(change.column_count, 0);

    put_relation(&out, "s", 'x', 0);
    expect_bad(&out, out.len, "replica identity");
    buf_release(&out);
    put_relation(&out, "s", 'd', 65535);
    expect_bad(&out, out.len, "more columns than bytes");
    buf_release(&out);
}

static void test_insert(void)
{
    struct buf out = BUF_INIT;
    const struct value *values;

    buf_addch(&out, 'I');
    buf_put_u32(&out, 16384);
    buf_addch(&out, 'N');
    buf_put_u16(&out, 6);
    put_value(&out, 't', "42");
    put_value(&out, 't', "");
    put_value(&out, 'n', NULL);
    put_value(&out, 't', "n");
    put_value(&out, 'b', "raw");
    put_value(&out, 't', "the last one");
    expect_good(&out);
    values = change.new_tuple.values;
    CHECK_INT(change.kind, CHANGE_INSERT);
    CHECK_INT(change.relation, 16384);
    CHECK_TRUE(!change.has_old);
    CHECK_INT(change.new_tuple.count, 6);
    CHECK_STR(values[0].data, "42");
    CHECK_INT(values[1].kind, VALUE_TEXT);
    CHECK_STR(values[1].data, "");
    CHECK_INT(values[1].len, 0);
    CHECK_INT(values[2].kind, VALUE_NULL);
    CHECK_STR(values[3].data, "n");
    CHECK_INT(values[4].kind, VALUE_BINARY);
    CHECK_STR(values[4].data, "raw");
    CHECK_STR(values[5].data, "the last one");
    CHECK_INT(values[5].len, 12);
}

static void put_update(struct buf *out, char old)
{
    buf_addch(out, 'U');
    buf_put_u32(out, 9);
    if (old) {
        buf_addch(out, old);
        buf_put_u16(out, 2);
        put_value(out, 'n', NULL);
        put_value(out, 't', "key");
    }
    buf_addch(out, 'N');
    buf_put_u16(out, 2);
    put_value(out, 'u', NULL);
    put_value(out, 't', "new key");
}

static void test_update(void)
{
    static const char kinds[] = {'\0', 'K', 'O'};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof kinds; i++) {
        put_update(&out, kinds[i]);
        expect_good(&out);
        CHECK_INT(change.kind, CHANGE_UPDATE);
        CHECK_INT(change.has_old, kinds[i] != '\0');
        CHECK_INT(change.old_is_key, kinds[i] == 'K');
        CHECK_INT(change.old_tuple.count, kinds[i] ? 2 : 0);
        CHECK_INT(change.new_tuple.values[0].kind, VALUE_UNCHANGED);
        CHECK_STR(change.new_tuple.values[1].data, "new key");
        if (kinds[i])
            CHECK_STR(change.old_tuple.values[1].data, "key");
    }
}

static void test_delete(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'D');
    buf_put_u32(&out, 9);
    buf_addch(&out, 'O');
    buf_put_u16(&out, 1);
    put_value(&out, 't', "gone");
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_DELETE);
    CHECK_TRUE(change.has_old && !change.old_is_key);
    CHECK_STR(change.old_tuple.values[0].data, "gone");
    CHECK_INT(change.new_tuple.count, 0);
}

static void test_truncate(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'T');
    buf_put_u32(&out, 3);
    buf_addch(&out, 3);
    for (uint32_t oid = 1; oid <= 3; oid++)
        buf_put_u32(&out, oid);
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_TRUNCATE);
    CHECK_TRUE(change.cascade && change.restart_identity);
    CHECK_INT(change.relation_count, 3);
    CHECK_INT(change.relations[2], 3);

    buf_addch(&out, 'T');
    buf_put_u32(&out, UINT32_MAX);
    buf_addch(&out, 0);
    buf_put_u32(&out, 1);
    expect_bad(&out, out.len, "more relations than bytes");
    buf_release(&out);
}

static void test_message(void)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, 'M');
    buf_addch(&out, 1);
    buf_put_u64(&out, 555);
    put_string(&out, "pgcutover");
    buf_put_u32(&out, 4);
    buf_add(&out, "a\0b!", 4);
    expect_good(&out);
    CHECK_INT(change.kind, CHANGE_MESSAGE);
    CHECK_TRUE(change.transactional);
    CHECK_INT(change.commit_lsn, 555);
    CHECK_STR(change.name, "pgcutover");
    CHECK_INT(change.content_len, 4);
    CHECK_TRUE(memcmp(change.content, "a\0b!", 5) == 0);
}

static void put_row(struct buf *out, unsigned columns)
{
    buf_addch(out, 'I');
    buf_put_u32(out, 1);
    buf_addch(out, 'N');
    buf_put_u16(out, (uint16_t)columns);
}

static void test_nonsense(void)
{
    static const uint32_t lengths[] = {UINT32_MAX, 0x80000000, 0x7fffffff, 4};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_row(&out, 1);
        buf_addch(&out, 't');
        buf_put_u32(&out, lengths[i]);
        buf_addstr(&out, "abc");
        expect_bad(&out, out.len, "a length goes beyond its end");
        buf_release(&out);
    }
    put_row(&out, 65535);
    buf_addch(&out, 'n');
    expect_bad(&out, out.len, "more columns than bytes");
    buf_release(&out);
    put_row(&out, 1);
    buf_addch(&out, '?');
    expect_bad(&out, out.len, "column value of unknown kind");
    buf_release(&out);
    buf_addstr(&out, "S1234");
    expect_bad(&out, out.len, "no known kind");
    buf_release(&out);
    buf_add(&out, "", 1);
    expect_bad(&out, 1, "no known kind");
    expect_bad(&out, 0, "ends early");
    buf_release(&out);
}

/* Kinds in a row: nothing of the one before may be seen. */
static void test_nothing_is_left(void)
{
    test_update();
    test_relation();
    test_delete();
    CHECK_INT(change.column_count, 0);
    CHECK_STR(change.name, NULL);
    test_begin();
    CHECK_TRUE(!change.has_old);
    CHECK_INT(change.relation, 0);
    CHECK_INT(change.old_tuple.count, 0);
}

static void test_many_columns(void)
{
    struct buf out = BUF_INIT;
    struct err err = ERR_INIT;
    char text[16];

    put_row(&out, 1600);
    for (int i = 0; i < 1600; i++) {
        snprintf(text, sizeof text, "%d", i);
        put_value(&out, 't', text);
    }
    CHECK_TRUE(decode(&out, out.len, &err));
    CHECK_INT(change.new_tuple.count, 1600);
    for (int i = 0; i < 1600; i++)
        CHECK_INT(atoi(change.new_tuple.values[i].data), i);
    buf_release(&out);
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"begin", test_begin},
        {"commit", test_commit},
        {"origin and type", test_origin_and_type},
        {"relation", test_relation},
        {"insert", test_insert},
        {"update", test_update},
        {"delete", test_delete},
        {"truncate", test_truncate},
        {"message", test_message},
        {"nonsense", test_nonsense},
        {"nothing is left of the message before", test_nothing_is_left},
        {"1600 columns", test_many_columns},
        {NULL, NULL},
    };
    int status = unit_main("decode", tests);

    decode(NULL, 0, NULL);
    change_release(&change);
    return status;
}
