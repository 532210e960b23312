/* Runs a fuzz target over its corpus without libFuzzer: a finding that was mended stays mended. Part of
 * `make check`, where the suite's sanitizer and valgrind runs see it too. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *dir, const char *name)
{
    char *path = xasprintf("%s/%s", dir, name);
    struct buf content = BUF_INIT;
    struct err err = ERR_INIT;
    int read = file_read(path, &content, &err);

    if (read) {
        /* Exactly as large as it is, so that a step beyond the end is seen. */
        uint8_t *copy = xmalloc(content.len ? content.len : 1);
        for (size_t i = 0; i < content.len; i++)
            copy[i] = (uint8_t)content.data[i];
        LLVMFuzzerTestOneInput(copy, content.len);
        free(copy);
    } else {
        fprintf(stderr, "%s\n", err.message);
    }
    buf_release(&content);
    err_clear(&err);
    free(path);
    return read;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : FUZZ_CORPUS;
    DIR *dir = opendir(path);
    const struct dirent *entry;
    int count = 0;

    if (!dir) {
        fprintf(stderr, "FAIL: there is no corpus \"%s\"\n", path);
        return 1;
    }
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            count += run_file(path, entry->d_name);
    closedir(dir);
    printf("%s: %d inputs\n", path, count);
    return count ? 0 : 1;
}
