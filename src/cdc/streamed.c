#include "cdc/streamed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/xalloc.h"

#define SYNC_BYTES (16u << 20) /* so that the commit does not wait long */
#define REF_FIXED 56           /* xid, commit, end, time, changes, size, known end, count of aborted */

/* The record */

void streamed_ref_release(struct streamed_ref *ref)
{
    free(ref->aborted);
    *ref = (struct streamed_ref){0};
}

static int compare_xids(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

bool streamed_is_aborted(const struct streamed_ref *ref, lsn_t xid)
{
    uint32_t wanted = (uint32_t)xid;

    return ref->aborted_count &&
           bsearch(&wanted, ref->aborted, ref->aborted_count, sizeof wanted, compare_xids);
}

void streamed_ref_write(const struct streamed_ref *ref, struct buf *out)
{
    buf_put_u32(out, ref->xid);
    buf_put_u64(out, ref->commit_lsn);
    buf_put_u64(out, ref->end_lsn);
    buf_put_u64(out, (uint64_t)ref->commit_us);
    buf_put_u64(out, ref->changes);
    buf_put_u64(out, ref->size);
    buf_put_u64(out, ref->known_end);
    buf_put_u32(out, (uint32_t)ref->aborted_count);
    for (size_t i = 0; i < ref->aborted_count; i++)
        buf_put_u32(out, ref->aborted[i]);
}

static void add_aborted(struct streamed_ref *ref, uint32_t xid)
{
    ref->aborted = xgrow(ref->aborted, ref->aborted_count, &ref->aborted_cap, sizeof *ref->aborted);
    ref->aborted[ref->aborted_count++] = xid;
}

bool streamed_ref_parse(const char *data, size_t len, struct streamed_ref *ref)
{
    *ref = (struct streamed_ref){0};
    if (len < REF_FIXED)
        return false;
    ref->xid = (uint32_t)segment_int(data, 4);
    ref->commit_lsn = segment_int(data + 4, 8);
    ref->end_lsn = segment_int(data + 12, 8);
    ref->commit_us = (int64_t)segment_int(data + 20, 8);
    ref->changes = segment_int(data + 28, 8);
    ref->size = segment_int(data + 36, 8);
    ref->known_end = segment_int(data + 44, 8);
    size_t count = segment_int(data + 52, 4);
    if (count != (len - REF_FIXED) / 4 || len % 4 || ref->known_end > ref->size)
        return false;
    for (size_t i = 0; i < count; i++)
        add_aborted(ref, (uint32_t)segment_int(data + REF_FIXED + 4 * i, 4));
    return true;
}

/* Names */

static char *open_path(const char *dir, uint32_t xid)
{
    return xasprintf("%s/%08" PRIx32 ".stream", dir, xid);
}

static char *settled_path(const char *dir, uint64_t segment, uint64_t offset)
{
    return xasprintf("%s/%016" PRIx64 "-%016" PRIx64 ".txn", dir, segment, offset);
}

/* Is it one of our files? Then, of a settled one, its place; of an open one, zeros. */
static bool parse_name(const char *name, uint64_t *segment, uint64_t *offset)
{
    uint32_t xid;
    int end = 0;

    *segment = *offset = 0;
    if (sscanf(name, "%16" SCNx64 "-%16" SCNx64 ".txn%n", segment, offset, &end) == 2 && end == 37)
        return !name[end];
    end = 0;
    *segment = *offset = 0;
    return sscanf(name, "%8" SCNx32 ".stream%n", &xid, &end) == 1 && end == 15 && !name[end];
}

/* Writing */

struct streamed *streamed_new(const char *dir, const char *identity, uint32_t xid)
{
    struct streamed *s = xcalloc(1, sizeof *s);
    struct segment_header header = {.number = xid};

    s->ref.xid = xid;
    s->dir = dir;
    s->identity = identity;
    s->empty = true;
    s->fd = -1;
    segment_add_header(&s->out, &header, identity);
    return s;
}

void streamed_free(struct streamed *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->written) {
        char *path = open_path(s->dir, s->ref.xid);
        unlink(path);
        free(path);
    }
    for (size_t i = 0; i < s->known_count; i++)
        free(s->known[i].data);
    free(s->known);
    buf_release(&s->out);
    streamed_ref_release(&s->ref);
    free(s);
}

static void remember_known(struct streamed *s, uint32_t xid, const char *data, size_t len)
{
    for (size_t i = s->known_count; i-- > 0;) /* sent again after a rollback: once is enough */
        if (s->known[i].xid == xid && s->known[i].len == len && memcmp(s->known[i].data, data, len) == 0)
            return;
    s->known = xgrow(s->known, s->known_count, &s->known_cap, sizeof *s->known);
    struct streamed_known *known = &s->known[s->known_count++];
    *known = (struct streamed_known){.xid = xid, .data = xmalloc(len), .len = len};
    memcpy(known->data, data, len);
}

int64_t streamed_size(const struct streamed *s)
{
    return (int64_t)(s->written + s->out.len);
}

void streamed_append(struct streamed *s, uint32_t xid, char kind, const char *rest, size_t len)
{
    segment_add_message(&s->out, xid, kind, rest, len);
    s->empty = s->empty && kind == 'O';
    s->ref.changes += segment_is_change(kind);
    if (kind != 'R' && kind != 'Y')
        return;
    s->ref.known_end = s->written + s->out.len;
    remember_known(s, xid, s->out.data + s->out.len - len - 1, len + 1);
}

void streamed_abort(struct streamed *s, uint32_t xid)
{
    size_t kept = 0;

    add_aborted(&s->ref, xid);
    for (size_t i = 0; i < s->known_count; i++) {
        if (s->known[i].xid == xid)
            free(s->known[i].data);
        else
            s->known[kept++] = s->known[i];
    }
    s->known_count = kept;
}

static bool open_file(struct streamed *s, struct err *err)
{
    if (s->fd >= 0)
        return true;
    char *path = open_path(s->dir, s->ref.xid);
    s->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | (s->written ? 0 : O_TRUNC), 0600);
    if (s->fd < 0)
        err_errno(err, "could not open \"%s\"", path);
    free(path);
    return s->fd >= 0;
}

static bool give_up(const struct streamed *s, const char *what, bool *no_room, struct err *err)
{
    /* What a failed sync leaves cannot be trusted: that is never only a lack of room. */
    *no_room = (errno == ENOSPC || errno == EDQUOT) && strcmp(what, "sync") != 0;
    if (!*no_room)
        err_errno(err, "could not %s the file of transaction %" PRIu32 " in spool \"%s\"", what,
                  s->ref.xid, s->dir);
    return false;
}

bool streamed_flush(struct streamed *s, bool *no_room, struct err *err)
{
    struct err why = ERR_INIT;

    *no_room = false;
    if (!s->out.len)
        return true;
    if (!open_file(s, &why)) {
        *no_room = errno == ENOSPC || errno == EDQUOT;
        if (*no_room)
            err_clear(&why);
        else
            err_move(err, &why);
        return false;
    }
    if (!segment_write_at(s->fd, s->out.data, s->out.len, s->written)) {
        int code = errno;
        if (ftruncate(s->fd, (off_t)s->written) < 0)
            return give_up(s, "truncate", no_room, err);
        errno = code;
        return give_up(s, "write", no_room, err);
    }
    s->written += s->out.len;
    buf_clear(&s->out);
    if (s->written - s->synced < SYNC_BYTES)
        return true;
    s->synced = s->written;
    return fdatasync(s->fd) == 0 || give_up(s, "sync", no_room, err);
}

void streamed_rest(struct streamed *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (!s->out.len)
        buf_release(&s->out);
}

/* The changes that count: not those of subtransactions that were rolled back. */
static bool count_changes(struct streamed *s, struct err *err)
{
    struct segment_file file;
    struct spool_record record;
    int got;

    char *path = open_path(s->dir, s->ref.xid);
    if (!segment_open_path(&file, path, s->ref.xid, s->identity, err))
        return false;
    s->ref.changes = 0;
    while ((got = segment_next(&file, s->written, &record, err)) > 0)
        s->ref.changes += record.len && segment_is_change(record.data[0]) &&
                          !streamed_is_aborted(&s->ref, record.lsn);
    segment_close(&file);
    return got == 0;
}

bool streamed_settle(struct streamed *s, uint64_t segment, uint64_t offset, bool *no_room,
                     struct err *err)
{
    *no_room = false;
    if (s->ref.aborted_count) {
        qsort(s->ref.aborted, s->ref.aborted_count, sizeof *s->ref.aborted, compare_xids);
        if (!count_changes(s, err))
            return false;
    }
    if (!open_file(s, err))
        return false;
    if (fdatasync(s->fd) < 0)
        return give_up(s, "sync", no_room, err);
    char *from = open_path(s->dir, s->ref.xid);
    char *to = settled_path(s->dir, segment, offset);
    bool ok = rename(from, to) == 0 || give_up(s, "rename", no_room, err);
    free(from);
    free(to);
    if (!ok)
        return false;
    s->ref.size = s->written;
    s->written = 0; /* the file is not ours any more */
    return dir_sync(s->dir, err);
}

/* Reading, and whole directories */

bool streamed_open(struct segment_file *file, const char *dir, uint64_t segment, uint64_t offset,
                   const char *identity, const struct streamed_ref *ref, struct err *err)
{
    return segment_open_path(file, settled_path(dir, segment, offset), ref->xid, identity, err);
}

/* Calls `wanted` for each of our files and removes it where that says so; sums up the sizes of the others. */
static bool walk(const char *dir, bool (*wanted)(uint64_t segment, uint64_t offset, const void *arg),
                 const void *arg, int64_t *bytes, struct err *err)
{
    DIR *handle = opendir(dir);
    struct dirent *entry;
    uint64_t segment, offset;
    bool ok = true;

    *bytes = 0;
    while (handle && ok && (entry = readdir(handle))) {
        struct stat st;
        if (!parse_name(entry->d_name, &segment, &offset))
            continue;
        char *path = xasprintf("%s/%s", dir, entry->d_name);
        if (!wanted(segment, offset, arg)) {
            *bytes += stat(path, &st) == 0 ? st.st_size : 0;
        } else if (unlink(path) < 0 && errno != ENOENT) {
            err_errno(err, "could not remove \"%s\"", path);
            ok = false;
        }
        free(path);
    }
    if (handle)
        closedir(handle);
    return ok;
}

static bool is_rest(uint64_t segment, uint64_t offset, const void *arg)
{
    const struct spool_position *end = arg;

    return segment == 0 || segment > end->segment || (segment == end->segment && offset >= end->offset);
}

static bool is_before(uint64_t segment, uint64_t offset, const void *arg)
{
    (void)offset;
    return segment > 0 && segment < *(const uint64_t *)arg;
}

static bool is_none(uint64_t segment, uint64_t offset, const void *arg)
{
    (void)segment;
    (void)offset;
    (void)arg;
    return false;
}

bool streamed_remove_rest(const char *dir, const struct spool_position *end, struct err *err)
{
    int64_t bytes;

    return walk(dir, is_rest, end, &bytes, err);
}

bool streamed_drop_before(const char *dir, uint64_t segment, struct err *err)
{
    int64_t bytes;

    return walk(dir, is_before, &segment, &bytes, err);
}

int64_t streamed_bytes(const char *dir)
{
    int64_t bytes;

    walk(dir, is_none, NULL, &bytes, NULL);
    return bytes;
}
