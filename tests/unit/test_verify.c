#include "unit.h"

#include "verify/pieces.h"
#include "verify/rowtext.h"
#include "verify/verify.h"

static struct verify_column column(const char *name, const char *base, const char *element,
                                   const char *inside)
{
    return (struct verify_column){.name = (char *)name, .base = (char *)base,
                                  .element = (char *)element, .inside = (char *)inside};
}

static void forms_depend_on_both_versions(void)
{
    static const struct {
        const char *base, *element, *inside;
        bool is_range;
        int from, to;
        enum rowtext_form want;
    } cases[] = {
        {"float8", "", "float8", false, 150000, 170000, ROWTEXT_PLAIN},
        {"float8", "", "float8", false, 100000, 110000, ROWTEXT_PLAIN},
        {"float8", "", "float8", false, 110000, 120000, ROWTEXT_SEND},
        {"float8", "", "float8", false, 100023, 180004, ROWTEXT_SEND},
        {"", "float4", "float4", false, 110000, 150000, ROWTEXT_ARRAY},
        {"", "", "float8", true, 110000, 150000, ROWTEXT_RANGE},
        {"", "", "float8,int4,text", false, 110000, 150000, ROWTEXT_NONE},
        {"", "", "int4,text", false, 110000, 150000, ROWTEXT_PLAIN},
        {"int4", "", "int4", false, 100000, 180000, ROWTEXT_PLAIN},
        {"char", "", "char", false, 150000, 160000, ROWTEXT_SEND},
        {"char", "", "char", false, 120000, 150000, ROWTEXT_PLAIN},
        {"bytea", "", "bytea", false, 150000, 150000, ROWTEXT_DIGEST},
        {"text", "", "text", false, 100000, 180000, ROWTEXT_PLAIN},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct verify_column it = column("c", cases[i].base, cases[i].element, cases[i].inside);
        it.is_range = cases[i].is_range;
        CHECK_INT(rowtext_form(&it, cases[i].from, cases[i].to), cases[i].want);
    }
}

static void a_row_is_one_text(void)
{
    struct verify_column columns[] = {column("a\"b", "int4", "", "int4"), column("left out", "", "", "float8"),
                                      column("f", "float8", "", "float8"), column("b", "bytea", "", "bytea")};
    enum rowtext_form forms[] = {ROWTEXT_PLAIN, ROWTEXT_NONE, ROWTEXT_SEND, ROWTEXT_DIGEST};
    struct buf out = BUF_INIT;

    rowtext_add(&out, columns, forms, 4);
    CHECK_STR(out.data, "ROW(\"a\"\"b\", CASE WHEN \"f\" = 'NaN' THEN 'NaN' ELSE pg_catalog.encode(pg_catalog.float8send(\"f\"), 'hex') END, "
                        "pg_catalog.md5(\"b\"::pg_catalog.bytea))::pg_catalog.text");
    buf_clear(&out);
    rowtext_add(&out, columns, forms, 0);
    CHECK_STR(out.data, "''::pg_catalog.text");
    buf_clear(&out);
    rowtext_add(&out, columns + 1, forms + 1, 1);
    CHECK_STR(out.data, "''::pg_catalog.text");
    buf_release(&out);
}

/* What the pieces add up to is what the server would have said of the whole. */
static void sums_are_exact(void)
{
    static const struct {
        const char *parts[4];
        const char *want;
    } cases[] = {
        {{"0"}, "0"},
        {{"-5", "5"}, "0"},
        {{"9223372036854775807", "9223372036854775807", "1"}, "18446744073709551615"},
        {{"-9223372036854775808", "-9223372036854775808"}, "-18446744073709551616"},
        {{"1000000000000000000", "-1"}, "999999999999999999"},
        {{"-1000000000000000000", "1"}, "-999999999999999999"},
        {{"999999999999999999999999999999999999", "1"}, "1000000000000000000000000000000000000"},
        {{"3000000000000000007", "-1000000000000000000", "-2000000000000000000"}, "7"},
        {{"5000000000000000000", "-3"}, "4999999999999999997"},
    };
    struct checksum sum = {0};
    char text[VERIFY_SUM_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        sum = (struct checksum){0};
        for (size_t k = 0; k < 4 && cases[i].parts[k]; k++)
            CHECK_TRUE(checksum_add(&sum, cases[i].parts[k]));
        checksum_print(&sum, text);
        CHECK_STR(text, cases[i].want);
    }
    CHECK_TRUE(!checksum_add(&sum, "") && !checksum_add(&sum, "-") && !checksum_add(&sum, "1.5") && !checksum_add(&sum, "NaN"));
    CHECK_TRUE(!checksum_add(&sum, "1234567890123456789012345678901234567"));
}

static void differences_become_one_error(void)
{
    struct verify_difference found[] = {{(char *)"table public.a", (char *)"source 5 rows, target 4 rows"},
                                        {(char *)"sequence s", (char *)"source 1, target 2"}};
    struct verify_summary summary = {.compared = 9};
    struct err err = ERR_INIT;

    CHECK_TRUE(verify_summary_check(&summary, &err));
    summary.differences = found;
    summary.count = 2;
    CHECK_TRUE(!verify_summary_check(&summary, &err));
    CHECK_INT(err_exit_code(&err), 4);
    CHECK_STR(err.message, "2 of 9 objects differ between source and target");
    CHECK_STR(err.detail, "table public.a: source 5 rows, target 4 rows\nsequence s: source 1, target 2");
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"forms depend on both versions", forms_depend_on_both_versions},
        {"a row is one text", a_row_is_one_text},
        {"sums are exact", sums_are_exact},
        {"differences become one error", differences_become_one_error},
        {NULL, NULL},
    };

    return unit_main("verify", tests);
}
