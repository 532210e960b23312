/* libFuzzer: any text as a connection string. What is accepted means the same when it is written and read
 * again, and the password is in nothing that is shown. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/conninfo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct conninfo *a, const struct conninfo *b)
{
    if (a->count != b->count)
        abort();
    for (size_t i = 0; i < a->count; i++) {
        const char *value = conninfo_get(b, a->keys[i]);
        if (!value || strcmp(value, a->values[i]) != 0)
            abort();
    }
}

static void check_written(const struct conninfo *info)
{
    struct conninfo again = CONNINFO_INIT;
    char *text = conninfo_string(info);
    char *label = conninfo_label(info);

    if (conninfo_get(info, "password") || (info->count && !conninfo_parse(&again, text, NULL)))
        abort();
    check_same(info, &again);
    conninfo_env_free(conninfo_env(info, "fuzz"));
    conninfo_release(&again);
    free(label);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;
    char *text = xmalloc(size + 1);

    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    if (conninfo_parse(&info, text, &err))
        check_written(&info);
    else if (err.code != ERR_USAGE)
        abort();
    conninfo_release(&info);
    err_clear(&err);
    free(text);
    return 0;
}
