#include "unit.h"

#include "load/names.h"
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

int main(void)
{
    static const struct unit_test tests[] = {
        {"arrays of names are quoted twice", arrays_quote_names},
        {"an empty list is released", an_empty_list_is_released},
        {NULL, NULL},
    };

    return unit_main("load", tests);
}
