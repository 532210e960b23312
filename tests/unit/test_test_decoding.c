/* Lines as servers of 9.5 and 9.6 write them. Each is parsed in heap memory of exactly its size and one
 * byte, so that sanitizers and valgrind see a step too far. */
#include "unit.h"

#include "cdc/test_decoding.h"

static struct text_change change;

/* Parses a copy; the copy stays for the checks until the next call. */
static bool parse_bytes(const char *line, size_t len, struct err *err)
{
    static char *copy;

    free(copy);
    copy = malloc(len + 1);
    if (len)
        memcpy(copy, line, len);
    copy[len] = 'x';
    return test_decoding_parse(copy, len, &change, err);
}

static void expect_good(const char *line)
{
    struct err err = ERR_INIT;

    CHECK_TRUE(parse_bytes(line, strlen(line), &err));
    CHECK_STR(err.message, NULL);
    err_clear(&err);
}

static void expect_bad(const char *line, const char *why)
{
    struct err err = ERR_INIT;

    CHECK_TRUE(!parse_bytes(line, strlen(line), &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    CHECK_CONTAINS(err.message, why);
    err_clear(&err);
}

static void check_column(const struct text_row *row, size_t i, const char *name, const char *type,
                         enum value_kind kind, const char *value)
{
    CHECK_TRUE(i < row->count);
    if (i >= row->count)
        return;
    CHECK_STR(row->columns[i].name, name);
    CHECK_STR(row->columns[i].type, type);
    CHECK_INT(row->columns[i].value.kind, kind);
    if (kind == VALUE_TEXT) {
        CHECK_STR(row->columns[i].value.data, value);
        CHECK_INT(row->columns[i].value.len, strlen(value));
    }
}

static void test_transactions(void)
{
    expect_good("BEGIN 693");
    CHECK_INT(change.kind, TEXT_BEGIN);
    CHECK_INT(change.xid, 693);
    expect_good("COMMIT 4294967295 (at 2016-05-12 20:12:01.5+00)");
    CHECK_INT(change.kind, TEXT_COMMIT);
    CHECK_INT(change.xid, 4294967295);
    CHECK_INT(change.commit_us, INT64_C(1463083921500000));
    expect_good("COMMIT 1 (at 1970-01-01 00:00:00+00)");
    CHECK_INT(change.commit_us, 0);
    expect_good("COMMIT 1 (at 2000-02-29 23:59:59.000001-03:30)");
    CHECK_INT(change.commit_us, INT64_C(951881399000001));
    expect_good("COMMIT 1 (at 2000-03-01 05:53:28+05:53:28)");
    CHECK_INT(change.commit_us, INT64_C(951868800000000));
    expect_good("message: transactional: 1 prefix: p, sz: 5 content:a'b[c");
    CHECK_INT(change.kind, TEXT_MESSAGE);

    expect_bad("BEGIN", "known kind");
    expect_bad("BEGIN x", "a number");
    expect_bad("BEGIN 4294967296", "a number");
    expect_bad("BEGIN 1 ", "left over");
    expect_bad("COMMIT 1", "the time of the commit");
    expect_bad("COMMIT 1 (at infinity)", "a time");
    expect_bad("COMMIT 1 (at 2016-05-12 20:12:01)", "a time zone");
    expect_bad("PREPARE '1', txid 5", "known kind");
    expect_bad("", "known kind");
}

static void test_values(void)
{
    expect_good("table public.t: INSERT: id[integer]:-1 f[double precision]:1.5e-300 n[numeric]:NaN "
                "i[real]:-Infinity b[boolean]:true c[boolean]:false z[text]:null e[text]:'' "
                "s[character varying]:'it''s ''' v[bit varying]:B'0101' o[\"bit\"]:B'' "
                "big[text]:unchanged-toast-datum ts[timestamp without time zone]:'2016-05-12 20:12:01' "
                "\"char\"[\"char\"]:'a' last[bigint]:9");
    CHECK_INT(change.kind, TEXT_INSERT);
    CHECK_STR(change.schema, "public");
    CHECK_STR(change.table, "t");
    CHECK_TRUE(change.has_new && !change.has_old);
    CHECK_INT(change.new_row.count, 15);
    check_column(&change.new_row, 0, "id", "integer", VALUE_TEXT, "-1");
    check_column(&change.new_row, 1, "f", "double precision", VALUE_TEXT, "1.5e-300");
    check_column(&change.new_row, 2, "n", "numeric", VALUE_TEXT, "NaN");
    check_column(&change.new_row, 3, "i", "real", VALUE_TEXT, "-Infinity");
    check_column(&change.new_row, 4, "b", "boolean", VALUE_TEXT, "t");
    check_column(&change.new_row, 5, "c", "boolean", VALUE_TEXT, "f");
    check_column(&change.new_row, 6, "z", "text", VALUE_NULL, NULL);
    check_column(&change.new_row, 7, "e", "text", VALUE_TEXT, "");
    check_column(&change.new_row, 8, "s", "character varying", VALUE_TEXT, "it's '");
    check_column(&change.new_row, 9, "v", "bit varying", VALUE_TEXT, "0101");
    check_column(&change.new_row, 10, "o", "\"bit\"", VALUE_TEXT, "");
    check_column(&change.new_row, 11, "big", "text", VALUE_UNCHANGED, NULL);
    check_column(&change.new_row, 12, "ts", "timestamp without time zone", VALUE_TEXT, "2016-05-12 20:12:01");
    check_column(&change.new_row, 13, "char", "\"char\"", VALUE_TEXT, "a");
    check_column(&change.new_row, 14, "last", "bigint", VALUE_TEXT, "9");
}

/* Names and types with everything in them that could be taken for the line's own words. */
static void test_names(void)
{
    expect_good("table \"a.b: \"\"x\".\"T: INSERT: i[integer]:1\": UPDATE: "
                "\"c]:[ d\"[\"s p\".\"ty\"\"]:'pe\"[]]:'{\"a]b\",\"c''d\"}' "
                "\"new-tuple:\"[integer[]]:'{1,2}' \"l\nf\"[text]:' x[text]:''y'' \n'");
    CHECK_INT(change.kind, TEXT_UPDATE);
    CHECK_STR(change.schema, "a.b: \"x");
    CHECK_STR(change.table, "T: INSERT: i[integer]:1");
    CHECK_INT(change.new_row.count, 3);
    check_column(&change.new_row, 0, "c]:[ d", "\"s p\".\"ty\"\"]:'pe\"[]", VALUE_TEXT, "{\"a]b\",\"c'd\"}");
    check_column(&change.new_row, 1, "new-tuple:", "integer[]", VALUE_TEXT, "{1,2}");
    check_column(&change.new_row, 2, "l\nf", "text", VALUE_TEXT, " x[text]:'y' \n");
}

static void test_old_rows(void)
{
    expect_good("table public.t: UPDATE: old-key: a[integer]:1 b[text]:'new-tuple:' new-tuple: a[integer]:2 "
                "b[text]:unchanged-toast-datum");
    CHECK_TRUE(change.has_old && change.has_new);
    CHECK_INT(change.old_row.count, 2);
    check_column(&change.old_row, 0, "a", "integer", VALUE_TEXT, "1");
    check_column(&change.old_row, 1, "b", "text", VALUE_TEXT, "new-tuple:");
    check_column(&change.new_row, 1, "b", "text", VALUE_UNCHANGED, NULL);
    expect_good("table public.t: UPDATE: a[integer]:2");
    CHECK_TRUE(!change.has_old && change.has_new);
    expect_good("table public.t: UPDATE: old-key: new-tuple: new[integer]:2");
    CHECK_TRUE(change.has_old);
    CHECK_INT(change.old_row.count, 0);
    check_column(&change.new_row, 0, "new", "integer", VALUE_TEXT, "2");
    expect_good("table public.t: DELETE: a[integer]:1");
    CHECK_INT(change.kind, TEXT_DELETE);
    CHECK_TRUE(change.has_old && !change.has_new);
    check_column(&change.old_row, 0, "a", "integer", VALUE_TEXT, "1");
    expect_good("table public.t: DELETE: (no-tuple-data)");
    CHECK_TRUE(!change.has_old && !change.has_new);
    expect_good("table public.t: INSERT: (no-tuple-data)");
    CHECK_TRUE(!change.has_new);
    expect_good("table public.t: INSERT:");
    CHECK_TRUE(change.has_new);
    CHECK_INT(change.new_row.count, 0);
}

/* WITH OIDS: no column has a system column's name. */
static void test_hidden_oid(void)
{
    expect_good("table public.t: INSERT: oid[oid]:16400 a[integer]:1");
    CHECK_INT(change.new_row.count, 1);
    check_column(&change.new_row, 0, "a", "integer", VALUE_TEXT, "1");
    expect_good("table public.t: INSERT: a[oid]:16400");
    CHECK_INT(change.new_row.count, 1);
}

static void test_malformed(void)
{
    static const char good[] = "table public.\"T\": UPDATE: old-key: a[integer]:1 new-tuple: a[integer]:2 "
                               "b[text[]]:'{''}' c[bit]:B'1' d[boolean]:null";
    struct err err = ERR_INIT;

    /* Nothing says that more follows where a value ends: only there may a line be cut. */
    for (size_t len = 0; len < sizeof good - 1; len++) {
        bool ends = len && (good[len] == ' ' || strchr(":'l", good[len - 1]));
        CHECK_TRUE(!parse_bytes(good, len, &err) || ends);
        err_clear(&err);
    }
    expect_bad("table t: INSERT: a[integer]:1", "a name");
    expect_bad("table public.T: INSERT: a[integer]:1", "a name");
    expect_bad("table public.t: TRUNCATE:", "an action");
    expect_bad("table public.t: INSERT:a[integer]:1", "a column");
    expect_bad("table public.t: INSERT: a[integer]1", "a value was expected");
    expect_bad("table public.t: INSERT: a[]:1", "a type");
    expect_bad("table public.t: INSERT: a[integer:1", "a type");
    expect_bad("table public.t: INSERT: a[text]:x", "unknown form");
    expect_bad("table public.t: INSERT: a[text]:", "unknown form");
    expect_bad("table public.t: INSERT: a[text]:'x", "not closed");
    expect_bad("table public.t: INSERT: a[text]:'x'y", "a blank");
    expect_bad("table public.t: INSERT: a[bit]:B1", "a quote");
    expect_bad("table public.t: INSERT: a[integer]:1 ", "a name");
    expect_bad("table public.t: UPDATE: old-key: a[integer]:1", "a new row");
    expect_bad("table public.t: DELETE: (no-tuple-data) a[integer]:1", "left over");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"transactions", test_transactions}, {"values", test_values},
        {"names", test_names},               {"old rows", test_old_rows},
        {"hidden oid", test_hidden_oid},     {"malformed", test_malformed},
        {NULL, NULL},
    };
    int status = unit_main("test_decoding", tests);

    parse_bytes("", 0, NULL);
    text_change_release(&change);
    return status;
}
