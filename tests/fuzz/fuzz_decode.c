/* libFuzzer: any bytes as a pgoutput message, in memory of exactly their size and one byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cdc/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tuple(const struct tuple *tuple)
{
    for (size_t i = 0; i < tuple->count; i++) {
        const struct value *value = &tuple->values[i];
        if (value->kind >= VALUE_TEXT && value->data[value->len] != '\0')
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct change change;
    char *copy = malloc(size + 1);

    if (size)
        memcpy(copy, data, size);
    if (decode_message(copy, size, &change, NULL)) {
        check_tuple(&change.old_tuple);
        check_tuple(&change.new_tuple);
    }
    free(copy);
    return 0;
}
