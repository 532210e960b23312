#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = -1;

    buf_clear(out);
    if (fd < 0) {
        err_errno(err, "could not open \"%s\"", path);
        return false;
    }
    do {
        char *room = buf_room(out, 65536);
        got = read(fd, room, 65536);
        if (got > 0) {
            out->len += (size_t)got;
            out->data[out->len] = '\0';
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0)
        err_errno(err, "could not read \"%s\"", path);
    else
        buf_add(out, "", 0);
    close(fd);
    return got >= 0;
}

bool fd_write_all(int fd, const void *data, size_t len, struct err *err)
{
    const char *at = data;

    while (len > 0) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            err_errno(err, "could not write");
            return false;
        }
        at += put;
        len -= (size_t)put;
    }
    return true;
}

bool dir_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (!ok)
        err_errno(err, "could not sync directory \"%s\"", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool sync_parent(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    bool ok = dir_sync(dirname(copy), err);

    free(copy);
    return ok;
}

/* Writes a temporary file beside path and renames it. */
static bool replace(const char *path, bool (*write_it)(int fd, void *arg, struct err *err), void *arg, bool durable,
                    struct err *err)
{
    char *temp = xasprintf("%s.%ld.tmp", path, (long)getpid());
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = false;

    if (fd < 0) {
        err_errno(err, "could not create \"%s\"", temp);
        goto out;
    }
    if (!write_it(fd, arg, err)) {
        err_wrap(err, "file \"%s\"", temp);
        goto out;
    }
    if (durable && fsync(fd) < 0) {
        err_errno(err, "could not sync \"%s\"", temp);
        goto out;
    }
    if (rename(temp, path) < 0) {
        err_errno(err, "could not rename \"%s\" to \"%s\"", temp, path);
        goto out;
    }
    ok = !durable || sync_parent(path, err);
out:
    if (fd >= 0)
        close(fd);
    if (!ok)
        unlink(temp);
    free(temp);
    return ok;
}

struct bytes {
    const void *data;
    size_t len;
};

static bool write_bytes(int fd, void *arg, struct err *err)
{
    const struct bytes *bytes = arg;

    return fd_write_all(fd, bytes->data, bytes->len, err);
}

bool file_write_atomic(const char *path, const void *data, size_t len, struct err *err)
{
    struct bytes bytes = {data, len};

    return replace(path, write_bytes, &bytes, true, err);
}

bool file_replace(const char *path, const void *data, size_t len, struct err *err)
{
    struct bytes bytes = {data, len};

    return replace(path, write_bytes, &bytes, false, err);
}

struct stream_writer {
    bool (*write_it)(FILE *file, void *arg);
    void *arg;
};

/* The stream has a descriptor of its own: closing it tells of errors, and leaves fd open. */
static bool write_stream(int fd, void *arg, struct err *err)
{
    const struct stream_writer *writer = arg;
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    FILE *file = own >= 0 ? fdopen(own, "w") : NULL;

    if (!file) {
        err_errno(err, "could not write");
        if (own >= 0)
            close(own);
        return false;
    }
    bool ok = writer->write_it(file, writer->arg);
    if (fclose(file) != 0 || !ok) {
        err_errno(err, "could not write");
        return false;
    }
    return true;
}

bool file_replace_with(const char *path, bool (*write_it)(FILE *file, void *arg), void *arg, struct err *err)
{
    struct stream_writer writer = {write_it, arg};

    return replace(path, write_stream, &writer, false, err);
}

static bool make_one(const char *path, struct err *err)
{
    struct stat st;

    if (mkdir(path, 0700) == 0)
        return true;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return true;
    if (errno == EEXIST)
        errno = ENOTDIR;
    err_errno(err, "could not create directory \"%s\"", path);
    err_hint(err, "Name another directory with --state-dir, or make this one writable.");
    return false;
}

bool dir_make_private(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
    bool ok = true;
    struct stat st;

    for (char *slash = strchr(copy + 1, '/'); ok && slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ok = make_one(copy, err);
        *slash = '/';
    }
    ok = ok && make_one(copy, err);
    if (ok && stat(path, &st) == 0 && st.st_uid != geteuid()) {
        err_set(err, ERR_IO, "directory \"%s\" belongs to another user", path);
        err_hint(err, "Name a directory of your own with --state-dir.");
        ok = false;
    }
    free(copy);
    return ok;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

bool dir_remove(const char *path, struct err *err)
{
    if (!file_exists(path))
        return true;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0)
        return true;
    err_errno(err, "could not remove \"%s\"", path);
    return false;
}

int file_lock(const char *path, struct err *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        err_errno(err, "could not open lock file \"%s\"", path);
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno != EWOULDBLOCK)
        err_errno(err, "could not lock \"%s\"", path);
    close(fd);
    return -1;
}

int64_t disk_free_bytes(const char *path)
{
    struct statvfs vfs;

    if (statvfs(path, &vfs) < 0)
        return -1;
    return (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
}
