/* libFuzzer: any bytes as the three files that Azure DMS takes, one behind the other with a byte 1 between. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "plan/plan.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The bytes to the next separator; *at moves behind it. */
static char *next_file(const char *name, const uint8_t *data, size_t size, size_t *at)
{
    const uint8_t *start = data + *at;
    const uint8_t *end = size > *at ? memchr(start, 1, size - *at) : NULL;
    size_t len = end ? (size_t)(end - start) : size - *at;

    *at += len + (end != NULL);
    return scratch_file(name, len ? start : (const uint8_t *)"", len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct plan plan;
    struct err err = ERR_INIT;
    size_t at = 0;
    char *source = next_file("source.json", data, size, &at);
    char *target = next_file("target.json", data, size, &at);
    char *options = next_file("options.json", data, size, &at);

    if (plan_read_azure(&plan, source, target, options, NULL, &err)) {
        char *text = plan_text(&plan);
        if (!plan_name_is_valid(plan.name) || plan.database_count == 0)
            abort();
        free(text);
        plan_release(&plan);
    } else if (err.code == ERR_NONE || !err.message) {
        abort();
    }
    err_clear(&err);
    free(source);
    free(target);
    free(options);
    return 0;
}
