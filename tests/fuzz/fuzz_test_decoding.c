/* libFuzzer: any bytes as a line of test_decoding, in memory of exactly their size and one byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/test_decoding.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *begin, *end;

static void check_inside(const char *at, size_t len)
{
    if (at < begin || at + len > end || at[len] != '\0')
        abort();
}

static void check_row(const struct text_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        const struct text_column *column = &row->columns[i];
        check_inside(column->name, strlen(column->name));
        check_inside(column->type, strlen(column->type));
        if (column->value.kind == VALUE_TEXT)
            check_inside(column->value.data, column->value.len);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct text_change change;
    char *copy = malloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    begin = copy;
    end = copy + size;
    if (test_decoding_parse(copy, size, &change, NULL)) {
        check_row(&change.old_row);
        check_row(&change.new_row);
    }
    free(copy);
    return 0;
}
