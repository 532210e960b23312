/* A directory in memory for the fuzz targets that read files; removed when the process ends. */
#ifndef PGC_TESTS_SCRATCH_H
#define PGC_TESTS_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/files.h"

static char scratch_dir[64];

static void scratch_remove(void)
{
    dir_remove(scratch_dir, NULL);
}

static inline const char *scratch(void)
{
    if (!scratch_dir[0]) {
        const char *where = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
        snprintf(scratch_dir, sizeof scratch_dir, "%s/pgcutover_fuzz.%ld", where, (long)getpid());
        atexit(scratch_remove);
        if (!dir_make_private(scratch_dir, NULL))
            abort();
    }
    return scratch_dir;
}

/* The path of a file there that holds these bytes; owned. */
static inline char *scratch_file(const char *name, const void *data, size_t size)
{
    char *path = xasprintf("%s/%s", scratch(), name);

    if (!file_replace(path, data, size, NULL))
        abort();
    return path;
}

#endif
