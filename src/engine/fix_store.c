/* How it works: the file is small and written anew each time, under a lock on its directory, which is held for no longer
 * than that. */
#include "engine/fix_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"

static char *dir_of(const char *state_dir)
{
    return xasprintf("%s/.fixes", state_dir);
}

static char *path_of(const char *state_dir, const char *name)
{
    return xasprintf("%s/.fixes/%s.json", state_dir, name);
}

/* Makes the directory where it is missing. Returns the descriptor, or -1. */
static int lock(const char *state_dir, struct err *err)
{
    char *dir = dir_of(state_dir);
    int fd = dir_make_private(dir, err) ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    while (fd >= 0 && flock(fd, LOCK_EX) < 0)
        if (errno != EINTR)
            break;
    if (fd < 0 && !err_is_set(err))
        err_errno(err, "could not open \"%s\"", dir);
    free(dir);
    return fd;
}

static cJSON *read_entries(const char *path, struct err *err)
{
    struct buf text = BUF_INIT;
    cJSON *entries = NULL;

    if (!file_exists(path))
        return cJSON_CreateArray();
    if (file_read(path, &text, err)) {
        entries = cJSON_Parse(text.data);
        if (!cJSON_IsArray(entries)) {
            cJSON_Delete(entries);
            entries = NULL;
            err_set(err, ERR_PROTOCOL, "\"%s\" is damaged", path);
            err_hint(err, "It says what \"pgcutover check --fix\" did, and how it is taken back: look at it, and move it away.");
        }
    }
    buf_release(&text);
    return entries;
}

cJSON *fix_store_read(const char *state_dir, const char *name, struct err *err)
{
    char *path = path_of(state_dir, name);
    cJSON *entries = read_entries(path, err);

    free(path);
    return entries;
}

static bool write_entries(const char *path, const cJSON *entries, struct err *err)
{
    if (!cJSON_GetArraySize(entries)) {
        if (unlink(path) == 0 || errno == ENOENT)
            return true;
        err_errno(err, "could not remove \"%s\"", path);
        return false;
    }
    char *text = json_pretty_sorted(entries);
    bool ok = file_write_atomic(path, text, strlen(text), err);

    free(text);
    return ok;
}

static void unlock(const char *state_dir, int fd)
{
    char *dir = dir_of(state_dir);

    rmdir(dir); /* where it is empty */
    close(fd);
    free(dir);
}

bool fix_store_add(const char *state_dir, const char *name, cJSON *entry, int *seq, struct err *err)
{
    int fd = lock(state_dir, err);
    char *path = path_of(state_dir, name);
    cJSON *entries = fd >= 0 ? read_entries(path, err) : NULL;
    bool ok = false;

    if (entries) {
        *seq = (int)json_i64(cJSON_GetArrayItem(entries, cJSON_GetArraySize(entries) - 1), "seq", 0) + 1;
        json_add_num(entry, "seq", *seq);
        cJSON_AddItemToArray(entries, entry);
        ok = write_entries(path, entries, err);
        cJSON_Delete(entries);
    } else {
        cJSON_Delete(entry);
    }
    if (fd >= 0)
        unlock(state_dir, fd);
    free(path);
    return ok;
}

bool fix_store_remove(const char *state_dir, const char *name, int seq, struct err *err)
{
    int fd = lock(state_dir, err);
    char *path = path_of(state_dir, name);
    cJSON *entries = fd >= 0 ? read_entries(path, err) : NULL;

    for (int i = cJSON_GetArraySize(entries); i-- > 0;)
        if (json_i64(cJSON_GetArrayItem(entries, i), "seq", 0) == seq)
            cJSON_DeleteItemFromArray(entries, i);
    bool ok = entries && write_entries(path, entries, err);
    cJSON_Delete(entries);
    if (fd >= 0)
        unlock(state_dir, fd);
    free(path);
    return ok;
}

bool fix_store_is_empty(const char *state_dir, const char *name)
{
    char *path = path_of(state_dir, name);
    bool empty = !file_exists(path);

    free(path);
    return empty;
}
