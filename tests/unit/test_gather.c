/* What is left of changes that are gathered, and arrays of values: no server. */
#include "unit.h"

#include "base/buf.h"
#include "base/xalloc.h"
#include "cdc/arrays.h"
#include "cdc/gather.h"

#define UNCHANGED "~"

/* A table of key, a, b; rows are found by the key. */
static char *names[] = {"k", "a", "b"};
static struct relation_column columns[] = {{true, "k", 23, -1}, {false, "a", 25, -1}, {false, "b", 25, -1}};
static struct source_table source = {.identity = 'd', .columns = columns, .column_count = 3};
static struct map_key key = {.source = 0};
static struct table_map map = {.source = &source, .find = FIND_KEY, .keys = &key, .key_count = 1, .merges = true};

static struct gather gather;
static struct gather_table table;

static struct value value(const char *text)
{
    if (!text)
        return (struct value){.kind = VALUE_NULL};
    if (strcmp(text, UNCHANGED) == 0)
        return (struct value){.kind = VALUE_UNCHANGED};
    return (struct value){.kind = VALUE_TEXT, .len = (uint32_t)strlen(text), .data = (char *)text};
}

static void add(enum change_kind kind, const char *old, const char *k, const char *a, const char *b)
{
    struct value old_values[] = {value(old), value(NULL), value(NULL)};
    struct value new_values[] = {value(k), value(a), value(b)};
    struct change change = {.kind = kind, .has_old = old != NULL, .old_is_key = true,
                            .old_tuple = {old_values, 3, 3}, .new_tuple = {new_values, 3, 3}};

    gather_add(&gather, &table, &map, &change, 7, 1, false);
}

static void ins(const char *k, const char *a, const char *b)
{
    add(CHANGE_INSERT, NULL, k, a, b);
}

static void upd(const char *k, const char *a, const char *b)
{
    add(CHANGE_UPDATE, NULL, k, a, b);
}

static void del(const char *k)
{
    add(CHANGE_DELETE, k, NULL, NULL, NULL);
}

static const char *text_of(const struct value *v)
{
    return v->kind == VALUE_NULL ? "null" : v->kind == VALUE_UNCHANGED ? UNCHANGED : v->data;
}

/* "I 1 a b; D 2; " and "|" where order counts. */
static void check(const char *want)
{
    static const char letters[] = {'-', 'I', 'U', 'D', 'R'};
    struct buf out = BUF_INIT;
    unsigned segment = 0;

    buf_addstr(&out, "");
    for (const struct gather_op *op = table.first; op; op = op->next) {
        buf_addf(&out, "%s%c", op->segment != segment ? "| " : "", letters[op->kind]);
        segment = op->segment;
        if (op->old)
            buf_addf(&out, " <%s>", text_of(&op->old[0]));
        for (int i = 0; op->row && op->kind != OP_DELETE && op->kind != OP_NOTHING && i < 3; i++)
            buf_addf(&out, " %s", text_of(&op->row[i]));
        buf_addstr(&out, "; ");
    }
    CHECK_STR(out.data, want);
    buf_release(&out);
    gather_clear(&gather);
}

static void test_two(void)
{
    ins("1", "x", "y"); upd("1", "z", UNCHANGED);
    check("I 1 z y; ");
    ins("1", "x", "y"); del("1");
    check("- <1>; ");
    upd("1", "x", UNCHANGED); upd("1", UNCHANGED, "y");
    check("U 1 x y; ");
    upd("1", "x", UNCHANGED); upd("1", "longer than x", NULL);
    check("U 1 longer than x null; ");
    upd("1", "long before", "y"); upd("1", "s", UNCHANGED);
    check("U 1 s y; ");
    upd("1", "x", "y"); del("1");
    check("D <1>; ");
    del("1"); ins("1", "x", "y");
    check("R <1> 1 x y; ");
}

static void test_more(void)
{
    ins("1", "x", "y"); del("1"); ins("1", "again", "y"); upd("1", "z", UNCHANGED);
    check("I <1> 1 z y; ");
    del("1"); ins("1", "x", "y"); upd("1", "z", UNCHANGED); upd("1", UNCHANGED, "w");
    check("R <1> 1 z w; ");
    del("1"); ins("1", "x", "y"); del("1");
    check("D <1>; ");
    del("1"); ins("1", "x", "y"); del("1"); ins("1", "v", "w");
    check("R <1> 1 v w; ");
    ins("1", "x", "y"); ins("2", "x", "y"); upd("1", "z", "y"); del("2"); del("3");
    check("I 1 z y; - <2>; D <3>; ");
    CHECK_TRUE(!table.first && table.count == 0 && gather.count == 0);
}

static void test_order(void)
{
    ins("1", "x", "y"); del("2"); upd("3", "x", "y");
    CHECK_TRUE(!gather_is_ordered(&table));
    add(CHANGE_UPDATE, "3", "4", "x", "y");
    CHECK_TRUE(gather_is_ordered(&table));
    check("I 1 x y; D <2>; U 3 x y; | U <3> 4 x y; ");
    /* Keys swapped: nothing is merged over a change of a key. */
    add(CHANGE_UPDATE, "1", "-1", "x", "y"); add(CHANGE_UPDATE, "2", "1", "x", "y");
    add(CHANGE_UPDATE, "-1", "2", "x", "y"); upd("1", "z", "y"); upd("1", "w", "y");
    check("| U <1> -1 x y; | U <2> 1 x y; | U <-1> 2 x y; | U 1 w y; ");
    /* An old key that is the same is no change of it. */
    upd("1", "x", UNCHANGED); add(CHANGE_UPDATE, "1", "1", UNCHANGED, "y");
    CHECK_TRUE(!gather_is_ordered(&table));
    check("U <1> 1 x y; ");
}

/* What no source can have done is left to the server to judge. */
static void test_impossible(void)
{
    ins("1", "x", "y"); ins("1", "z", "y");
    check("I 1 x y; | I 1 z y; ");
    del("1"); del("1");
    check("D <1>; | D <1>; ");
    del("1"); upd("1", "x", "y");
    check("D <1>; | U 1 x y; ");
}

static void test_not_merged(void)
{
    map.merges = false;
    ins("1", "x", "y"); ins("2", "x", "y");
    CHECK_TRUE(!gather_is_ordered(&table));
    upd("1", "z", "y"); del("1");
    CHECK_TRUE(gather_is_ordered(&table));
    CHECK_TRUE(!table.first->alone && !table.last->alone && table.first->next->next->alone);
    check("I 1 x y; I 2 x y; U 1 z y; D <1>; ");
    map.acts = true;
    ins("1", "x", "y");
    CHECK_TRUE(gather_is_ordered(&table));
    map.acts = false;
    map.merges = true;
    gather_clear(&gather);
}

/* Rows of one table spread, in every run alike; two tables are not taken for one. */
static void test_lanes(void)
{
    struct gather_table other = {.oid = 5};
    unsigned lanes[4] = {0};
    char text[16];

    table.oid = 5;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        ins(text, "x", "y");
    }
    for (const struct gather_op *op = table.first; op; op = op->next)
        lanes[op->hash % 4]++;
    for (int i = 0; i < 4; i++)
        CHECK_TRUE(lanes[i] > 150 && lanes[i] < 350);
    uint32_t hash = table.first->hash;
    struct value values[] = {value("0"), value("p"), value("q")};
    struct change change = {.kind = CHANGE_INSERT, .new_tuple = {values, 3, 3}};
    gather_add(&gather, &other, &map, &change, 7, 1, false);
    CHECK_INT(other.count, 1);
    CHECK_INT(other.first->hash, hash);
    CHECK_INT(gather.count, 1001);
    gather_clear(&gather);
    CHECK_INT(gather.bytes, 0);
    CHECK_TRUE(!other.first && other.oid == 5);
    ins("0", "x", "y");
    CHECK_INT(table.first->hash, hash);
    gather_clear(&gather);
    CHECK_INT(gather_hash_oid(16384) % 16, gather_hash_oid(16384) % 16);
}

/* --- arrays --- */

static const struct value *const *list(const char *const *texts, size_t count)
{
    static struct value values[4];
    static const struct value *pointers[4];

    for (size_t i = 0; i < count; i++) {
        values[i] = value(texts[i]);
        pointers[i] = &values[i];
    }
    return pointers;
}

static void test_text_array(void)
{
    const char *texts[] = {"a\"b\\c", NULL, "", "NULL"};
    struct buf out = BUF_INIT;

    array_add_text(&out, ',', list(texts, 4), 4);
    CHECK_STR(out.data, "{\"a\\\"b\\\\c\",NULL,\"\",\"NULL\"}");
    CHECK_INT(out.len, strlen(out.data) + 1);
    buf_release(&out);
}

/* The elements of the binary form in hex. */
static void check_binary(uint32_t oid, const char *text, const char *want)
{
    struct buf out = BUF_INIT;
    struct buf hex = BUF_INIT;
    bool ok = array_add_binary(&out, oid, list(&text, 1), 1);

    for (size_t i = 24; ok && i < out.len; i++)
        buf_addf(&hex, "%02x", (unsigned char)out.data[i]);
    CHECK_STR(ok ? hex.data : NULL, want);
    CHECK_TRUE(ok || out.len == 0);
    buf_release(&out);
    buf_release(&hex);
}

static void test_binary(void)
{
    check_binary(21, "-2", "fffe");
    check_binary(21, "40000", NULL);
    check_binary(23, "2147483647", "7fffffff");
    check_binary(23, "+1", NULL);
    check_binary(20, "-1", "ffffffffffffffff");
    check_binary(20, "-9223372036854775808", NULL); /* goes as text */
    check_binary(26, "4294967295", "ffffffff");
    check_binary(16, "t", "01");
    check_binary(16, "true", NULL);
    check_binary(25, "a\\", "615c");
    check_binary(17, "\\x00ff", "00ff");
    check_binary(17, "\\x0", NULL);
    check_binary(17, "\\000", NULL);
    check_binary(701, "0.1", "3fb999999999999a");
    check_binary(701, "-0", "8000000000000000");
    check_binary(701, "NaN", NULL);
    check_binary(700, "0.1", "3dcccccd");
    check_binary(2950, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11");
    check_binary(2950, "a0eebc999c0b4ef8bb6d6bb9bd380a11", NULL);
    check_binary(1082, "2000-01-01", "00000000");
    check_binary(1082, "1999-12-31", "ffffffff");
    check_binary(1082, "2000-03-01", "0000003c");
    check_binary(1082, "0001-01-01", "fff4dbf9");
    check_binary(1082, "0044-03-15 BC", NULL);
    check_binary(1082, "infinity", NULL);
    check_binary(1114, "2000-01-01 00:00:00.5", "000000000007a120");
    check_binary(1114, "2000-01-01 00:00:00.1234567", NULL);
    check_binary(1184, "2000-01-01 00:00:01+00", "00000000000f4240");
    check_binary(1184, "2000-01-01 00:00:01+02", NULL);
    check_binary(3802, "{}", "017b7d");
    check_binary(869, "10.0.0.1", NULL); /* no binary form is made of it */
}

/* digits, weight, sign, scale, then digits to the base 10000 */
static void test_numeric(void)
{
    check_binary(1700, "0", "0001" "0000" "0000" "0000" "0000");
    check_binary(1700, "12345.678", "0003" "0001" "0000" "0003" "0001" "0929" "1a7c");
    check_binary(1700, "-1.10", "0002" "0000" "4000" "0002" "0001" "03e8");
    check_binary(1700, "0.00001", "0003" "0000" "0000" "0005" "0000" "0000" "03e8");
    check_binary(1700, "NaN", NULL);
    check_binary(1700, "1e5", NULL);
    check_binary(1700, "", NULL);
}

static void test_nulls(void)
{
    const char *texts[] = {"1", NULL};
    struct buf out = BUF_INIT;

    CHECK_TRUE(array_add_binary(&out, 23, list(texts, 2), 2));
    CHECK_INT(out.len, 20 + 8 + 4);
    CHECK_INT(out.data[7], 1);
    CHECK_INT(out.data[15], 2);
    CHECK_TRUE(memcmp(out.data + 28, "\xff\xff\xff\xff", 4) == 0);
    texts[1] = "x";
    CHECK_TRUE(!array_add_binary(&out, 23, list(texts, 2), 2));
    CHECK_INT(out.len, 32);
    buf_release(&out);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"two changes of a row", test_two},
        {"more of them", test_more},
        {"where order counts", test_order},
        {"what cannot be", test_impossible},
        {"tables that are not merged", test_not_merged},
        {"lanes", test_lanes},
        {"arrays as text", test_text_array},
        {"arrays in binary", test_binary},
        {"numeric", test_numeric},
        {"nulls", test_nulls},
        {NULL, NULL},
    };
    source.schema = source.name = names[0];
    int status = unit_main("gather", tests);
    gather_release(&gather);
    return status;
}
