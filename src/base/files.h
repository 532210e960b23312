/* Files: whole-file reads, atomic replacement, durable appends, private directories, locks. */
#ifndef PGC_BASE_FILES_H
#define PGC_BASE_FILES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

bool file_exists(const char *path);
/* Reads all of path into out (cleared first). */
bool file_read(const char *path, struct buf *out, struct err *err);
/* Replaces path atomically (temporary file beside it, fsync, rename, fsync of the directory), mode
 * 0600. On error the old content stands and the temporary file is gone. */
bool file_write_atomic(const char *path, const void *data, size_t len, struct err *err);
/* The same without the fsyncs: atomic for readers, not durable. */
bool file_replace(const char *path, const void *data, size_t len, struct err *err);
/* The same of what write_it writes; it returns false, with errno, when that failed. */
bool file_replace_with(const char *path, bool (*write_it)(FILE *file, void *arg), void *arg, struct err *err);
/* Writes all bytes, retrying short writes. */
bool fd_write_all(int fd, const void *data, size_t len, struct err *err);

/* Makes path and its parents, each 0700; an existing directory must belong to this user and gets no
 * other change. */
bool dir_make_private(const char *path, struct err *err);
bool dir_sync(const char *path, struct err *err);
/* Removes path and everything below it; what does not exist is no error. */
bool dir_remove(const char *path, struct err *err);

/* Takes an exclusive flock on path (created 0600). Returns the descriptor (close-on-exec), -1 with
 * ERR_IO on error, or -1 with err left empty when somebody else holds it. */
int file_lock(const char *path, struct err *err);

/* Free bytes of the file system that holds path, -1 when unknown. */
int64_t disk_free_bytes(const char *path);

#endif
