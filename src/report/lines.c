#include "report/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/files.h"

int lines_read(const char *dir, const char *name, void (*take)(void *arg, cJSON *line), void *arg)
{
    char *path = xasprintf("%s/%s", dir, name);
    struct buf text = BUF_INIT;
    int damaged = 0;

    if (file_exists(path) && file_read(path, &text, NULL)) {
        const char *end = text.data + text.len;
        for (const char *at = text.data, *stop; (stop = memchr(at, '\n', (size_t)(end - at))); at = stop + 1) {
            cJSON *line = stop > at ? cJSON_ParseWithLength(at, (size_t)(stop - at)) : NULL;
            if (line)
                take(arg, line);
            else
                damaged += stop > at;
            cJSON_Delete(line);
        }
    }
    buf_release(&text);
    free(path);
    return damaged;
}
