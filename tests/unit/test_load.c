#include "unit.h"

#include <stdlib.h>

#include "load/names.h"
#include "load/part_keys.h"
#include "load/parts.h"
#include "load/sequences.h"

static void arrays_quote_names(void)
{
    static const struct table_name tables[] = {{"public", "t"}, {"A\"b", "c\\d"}, {"x", "y,{z}"}};
    struct buf out = BUF_INIT;

    names_array_add(&out, tables, 3);
    CHECK_STR(out.data, "{\"\\\"public\\\".\\\"t\\\"\","
                        "\"\\\"A\\\"\\\"b\\\".\\\"c\\\\d\\\"\",\"\\\"x\\\".\\\"y,{z}\\\"\"}");
    buf_clear(&out);
    names_array_add(&out, tables, 0);
    CHECK_STR(out.data, "{}");
    buf_release(&out);
}

static void an_empty_list_is_released(void)
{
    struct sequence_list list = {0};

    sequence_list_release(&list);
    CHECK_INT(list.count, 0);
}

/* The ranges follow on each other from page 0 to the end, and none is empty. */
static int check_cut(int64_t pages, int64_t bytes, int64_t part_bytes)
{
    struct part_range *ranges = calloc(PARTS_MOST, sizeof *ranges);
    int count = parts_cut(pages, bytes, part_bytes, ranges);
    int64_t at = 0, least = INT64_MAX, most = 0;

    CHECK_INT(parts_cut(pages, bytes, part_bytes, NULL), count);
    for (int i = 0; i < count; i++) {
        int64_t end = ranges[i].end_page < 0 ? pages : ranges[i].end_page;
        CHECK_INT(ranges[i].first_page, at);
        CHECK_TRUE((ranges[i].end_page < 0) == (i == count - 1));
        least = end - at < least ? end - at : least;
        most = end - at > most ? end - at : most;
        at = end;
    }
    CHECK_INT(at, pages);
    CHECK_TRUE(count == 1 || (least > 0 && most - least <= 1));
    free(ranges);
    return count;
}

static void tables_are_cut(void)
{
    CHECK_INT(check_cut(1000, 8192000, 1000000), 9);
    CHECK_INT(check_cut(1000, 8192000, 8192000), 1);
    CHECK_INT(check_cut(1000, 8192001, 8192000), 2);
    CHECK_INT(check_cut(3, INT64_C(1) << 40, 1 << 20), 3);                /* large values out of line */
    CHECK_INT(check_cut(INT64_C(4294967294), INT64_C(1) << 45, 1 << 20), PARTS_MOST); /* the largest there is */
    CHECK_INT(check_cut(0, 100, 10), 1);                                  /* cannot be read in parts */
    CHECK_INT(check_cut(100, 0, 10), 1);
    CHECK_INT(check_cut(100, 819200, 0), 1);
    CHECK_INT(check_cut(7, 57344, 8192), 7);
}

static void pages_become_conditions(void)
{
    static const struct part_range ranges[] = {{0, 10}, {10, -1}};
    struct part_list list;

    part_list_of_ranges(ranges, 2, &list);
    CHECK_INT(list.count, 2);
    CHECK_STR(list.conditions[0], "ctid >= '(0,0)'::pg_catalog.tid AND ctid < '(10,0)'::pg_catalog.tid");
    CHECK_STR(list.conditions[1], "ctid >= '(10,0)'::pg_catalog.tid");
    part_list_release(&list);
    CHECK_INT(list.count, 0);
}

static void keys_become_conditions(void)
{
    static const struct part_key key = {"\"I d\"", "bpchar", "OPERATOR(s.<)", "OPERATOR(s.>=)"};
    static const char *const literals[] = {"'a'", "'a'", "'it''s'"};
    struct part_list list;

    part_keys_conditions(&key, literals, 3, &list); /* the same value twice makes no empty range */
    CHECK_INT(list.count, 3);
    CHECK_STR(list.conditions[0], "\"I d\" OPERATOR(s.<) 'a'::bpchar");
    CHECK_STR(list.conditions[1], "\"I d\" OPERATOR(s.>=) 'a'::bpchar AND \"I d\" OPERATOR(s.<) 'it''s'::bpchar");
    CHECK_STR(list.conditions[2], "\"I d\" OPERATOR(s.>=) 'it''s'::bpchar");
    part_list_release(&list);
    part_keys_conditions(&key, literals, 0, &list);
    CHECK_INT(list.count, 0);
    part_list_release(&list);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"arrays of names are quoted twice", arrays_quote_names},
        {"an empty list is released", an_empty_list_is_released},
        {"large tables are cut", tables_are_cut},
        {"ranges of pages as conditions", pages_become_conditions},
        {"ranges of a key as conditions", keys_become_conditions},
        {NULL, NULL},
    };

    return unit_main("load", tests);
}
