/* The spool's writer. How it works:
 *
 * Records gather in memory (`out`) and are written at the end of the current segment when there are
 * enough of them or when they are to be synced. A boundary is a place outside transactions: behind a
 * commit, a mark, or a message outside transactions. `end` is the last boundary appended, `synced` the
 * last one that is durable; only its LSN may be confirmed, and only up to it may readers read.
 *
 * The next segment is begun when the current one is large enough, if need be inside a transaction:
 * the current one is synced first, so damage in any but the last segment is never a torn write. A new
 * segment is made under another name, synced and renamed, so that it is whole or not there.
 *
 * Opening after a crash looks for the last boundary from the last segment backwards, and cuts off what
 * is behind it. What the slot has confirmed is compared before anything is cut.
 *
 * No room: what was written by half is cut off again, the records stay in memory, and the writer is
 * full until a later attempt succeeds. */
#include "cdc/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uthash.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "cdc/segment.h"

#define WRITE_BYTES (256 << 10)
#define RECOUNT_MS 500

/* A Relation or Type message as it came last. */
struct known {
    uint64_t key; /* kind << 32 | OID */
    char *data;   /* owned */
    size_t len;
    UT_hash_handle hh;
};

struct spool_writer {
    char *dir;
    char *identity;
    struct spool_options options;
    int lock_fd;
    int fd;
    uint64_t number;   /* the current segment */
    uint64_t written;  /* its bytes in the file */
    uint64_t preamble; /* its header and 'd' records */
    struct buf out;    /* records that come behind `written` */
    struct spool_position end;
    struct spool_position synced;
    uint64_t changes;      /* appended since the spool began */
    uint64_t end_changes;  /* ... up to `end` */
    lsn_t open_commit_lsn; /* of the transaction being received, or 0 */
    uint64_t open_segment; /* where it began */
    struct known *known;
    bool disk_full;
    bool failed;         /* a sync failed: only good for closing */
    int64_t rotate_after_ms; /* no new segment before, since there was no room for one */
    int64_t other_bytes; /* of the other segments, as counted last */
    uint64_t oldest;
    int64_t counted_ms;
};

/* Known relations and types */

static void known_remember(struct spool_writer *w, const struct segment_peek *peek,
                           const char *data, size_t len)
{
    uint64_t key = (uint64_t)(unsigned char)peek->kind << 32 | peek->oid;
    struct known *known;

    HASH_FIND(hh, w->known, &key, sizeof key, known);
    if (!known) {
        known = xcalloc(1, sizeof *known);
        known->key = key;
        HASH_ADD(hh, w->known, key, sizeof key, known);
    }
    if (known->len == len && memcmp(known->data, data, len) == 0)
        return;
    free(known->data);
    known->data = xmalloc(len);
    memcpy(known->data, data, len);
    known->len = len;
}

static void known_release(struct spool_writer *w)
{
    struct known *known, *next;

    HASH_ITER(hh, w->known, known, next)
    {
        HASH_DEL(w->known, known);
        free(known->data);
        free(known);
    }
    w->known = NULL;
}

/* Making segments */

static bool is_no_room(int code)
{
    return code == ENOSPC || code == EDQUOT;
}

/* Writes all of data at offset. False with errno. */
static bool write_at(int fd, const char *data, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t put = pwrite(fd, data, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put == 0)
            errno = EIO;
        if (put <= 0)
            return false;
        data += put;
        len -= (size_t)put;
        offset += (uint64_t)put;
    }
    return true;
}

static void add_preamble(struct spool_writer *w, uint64_t number, struct buf *out)
{
    struct segment_header header = {.number = number,
                                    .start_lsn = w->end.lsn,
                                    .open_commit_lsn = w->open_commit_lsn,
                                    .changes = w->changes,
                                    .known = HASH_COUNT(w->known)};

    segment_add_header(out, &header, w->identity);
    for (struct known *known = w->known; known; known = known->hh.next)
        segment_add_record(out, SEGMENT_KNOWN, 0, known->data, known->len);
}

static bool store_segment(struct spool_writer *w, const char *path, const struct buf *content,
                          struct err *err)
{
    char *temp = xasprintf("%s.tmp", path);
    int fd = open(temp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool ok = fd >= 0 && write_at(fd, content->data, content->len, 0) && fsync(fd) == 0 &&
              rename(temp, path) == 0;

    if (!ok) {
        w->disk_full = is_no_room(errno);
        err_errno(err, "could not create spool segment \"%s\"", path);
        unlink(temp);
    }
    free(temp);
    ok = ok && dir_sync(w->dir, err);
    if (!ok && fd >= 0)
        close(fd);
    if (!ok)
        return false;
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
    return true;
}

/* Begins segment `number`; everything before it must be durable. On error the current one stays. */
static bool begin_segment(struct spool_writer *w, uint64_t number, struct err *err)
{
    struct buf content = BUF_INIT;
    char *path = segment_path(w->dir, number);

    add_preamble(w, number, &content);
    bool ok = store_segment(w, path, &content, err);
    if (ok) {
        w->other_bytes += (int64_t)w->written;
        w->number = number;
        w->written = w->preamble = content.len;
        /* A reader's place at the end of the old segment and here is the same. */
        if (!w->open_commit_lsn)
            w->end = (struct spool_position){number, content.len, w->end.lsn};
        w->synced = w->end;
    }
    free(path);
    buf_release(&content);
    return ok;
}

/* Writing */

/* Writes what has gathered. True too when there is no room: then it stays in memory. */
static bool write_out(struct spool_writer *w, struct err *err)
{
    if (!w->out.len)
        return true;
    if (write_at(w->fd, w->out.data, w->out.len, w->written)) {
        w->written += w->out.len;
        w->disk_full = false;
        buf_clear(&w->out);
        return true;
    }
    w->disk_full = is_no_room(errno);
    if (!w->disk_full)
        err_errno(err, "could not write spool segment %" PRIu64 " in \"%s\"", w->number, w->dir);
    if (ftruncate(w->fd, (off_t)w->written) < 0 && w->disk_full) {
        err_errno(err, "could not truncate spool segment %" PRIu64 " in \"%s\"", w->number, w->dir);
        return false;
    }
    return w->disk_full;
}

static bool check_failed(const struct spool_writer *w, struct err *err)
{
    if (w->failed)
        err_set(err, ERR_IO, "spool \"%s\" must be opened again after an error", w->dir);
    return !w->failed;
}

static bool sync_current(struct spool_writer *w, struct err *err)
{
    if (!check_failed(w, err))
        return false;
    if (w->synced.segment == w->number && w->synced.offset == w->written && !w->out.len)
        return true;
    if (!write_out(w, err))
        return false;
    if (w->disk_full)
        return true;
    if (fdatasync(w->fd) == 0) {
        w->synced = w->end;
        return true;
    }
    /* The kernel may have dropped the pages: nothing since the last sync can be trusted. */
    err_errno(err, "could not sync spool segment %" PRIu64 " in \"%s\"", w->number, w->dir);
    w->failed = true;
    uint64_t safe = w->synced.segment == w->number ? w->synced.offset : w->preamble;
    if (ftruncate(w->fd, (off_t)safe) < 0)
        err_detail(err, "It could not be truncated to its last good byte either.");
    return false;
}

/* Goes on in a new segment. No room for it is no error: the old one is used further. */
static bool next_segment(struct spool_writer *w, struct err *err)
{
    if (!sync_current(w, err))
        return false;
    if (w->disk_full || begin_segment(w, w->number + 1, err))
        return true;
    if (!w->disk_full)
        return false;
    w->disk_full = false;
    w->rotate_after_ms = clock_mono_ms() + RECOUNT_MS;
    err_clear(err);
    return true;
}

/* Holds the current segment so much that the next should begin? */
static bool is_due(const struct spool_writer *w, uint64_t least)
{
    uint64_t filled = w->written + w->out.len - w->preamble;

    return filled && filled >= least && !w->disk_full &&
           (!w->rotate_after_ms || clock_mono_ms() >= w->rotate_after_ms);
}

static bool add(struct spool_writer *w, char type, lsn_t lsn, const char *data, size_t len,
                struct err *err)
{
    if (!check_failed(w, err) ||
        (is_due(w, (uint64_t)w->options.segment_bytes) && !next_segment(w, err)))
        return false;
    segment_add_record(&w->out, type, lsn, data, len);
    return true;
}

static void set_boundary(struct spool_writer *w, lsn_t lsn)
{
    w->end.segment = w->number;
    w->end.offset = w->written + w->out.len;
    if (w->end.lsn < lsn)
        w->end.lsn = lsn;
    w->end_changes = w->changes;
    w->open_commit_lsn = 0;
}

static bool refuse(const struct spool_writer *w, const char *what, lsn_t lsn, struct err *err)
{
    char at[LSN_TEXT_SIZE], end[LSN_TEXT_SIZE];

    err_set(err, ERR_PROTOCOL, "the source sent %s at %s out of order", what, lsn_format(lsn, at));
    err_detail(err, "The spool holds everything before %s%s.", lsn_format(w->end.lsn, end),
               w->open_commit_lsn ? " and is inside a transaction" : "");
    return false;
}

/* Does the message fit what came before? */
static bool check_order(const struct spool_writer *w, const struct segment_peek *peek,
                        struct err *err)
{
    bool inside = w->open_commit_lsn != 0;

    switch (peek->kind) {
    case 'B':
        return (!inside && peek->commit_lsn >= w->end.lsn && peek->commit_lsn) ||
               refuse(w, "a transaction", peek->commit_lsn, err);
    case 'C':
        return (peek->commit_lsn == w->open_commit_lsn && peek->end_lsn > peek->commit_lsn) ||
               refuse(w, "a commit", peek->commit_lsn, err);
    case 'M':
        return inside != peek->outside || refuse(w, "a message", peek->commit_lsn, err);
    default:
        return inside || refuse(w, "a change", w->end.lsn, err);
    }
}

bool spool_append(struct spool_writer *w, lsn_t lsn, const char *message, size_t len,
                  struct err *err)
{
    struct segment_peek peek;

    if (!segment_peek(message, len, &peek)) {
        err_set(err, ERR_PROTOCOL, "the source sent a change message that ends early");
        return false;
    }
    if (!check_order(w, &peek, err) || !add(w, SPOOL_MESSAGE, lsn, message, len, err))
        return false;
    w->changes += segment_is_change(peek.kind);
    if (peek.kind == 'B') {
        w->open_commit_lsn = peek.commit_lsn;
        w->open_segment = w->number;
    } else if (peek.kind == 'C') {
        set_boundary(w, peek.end_lsn);
    } else if (peek.kind == 'M' && peek.outside) {
        set_boundary(w, peek.commit_lsn);
    } else if (peek.kind == 'R' || peek.kind == 'Y') {
        known_remember(w, &peek, message, len);
    }
    return w->out.len < WRITE_BYTES || w->disk_full || write_out(w, err);
}

bool spool_mark(struct spool_writer *w, lsn_t lsn, struct err *err)
{
    if (w->open_commit_lsn)
        return refuse(w, "a position", lsn, err);
    if (!add(w, SPOOL_MARK, lsn, NULL, 0, err))
        return false;
    set_boundary(w, lsn);
    return true;
}

/* Limits */

static void recount(struct spool_writer *w)
{
    struct segment_list list = {0};

    w->counted_ms = clock_mono_ms();
    if (segment_list_load(&list, w->dir, NULL) && list.count) {
        w->oldest = list.numbers[0];
        w->other_bytes = spool_bytes(w->dir) - (int64_t)w->written;
    }
    segment_list_release(&list);
}

static bool is_over_limit(struct spool_writer *w)
{
    int64_t own = (int64_t)(w->written + w->out.len);
    int64_t limit = w->options.limit_bytes;

    if (!limit || own + w->other_bytes < limit)
        return false;
    if (clock_mono_ms() - w->counted_ms >= RECOUNT_MS)
        recount(w);
    if (own + w->other_bytes < limit)
        return false;
    return !w->open_commit_lsn || w->oldest < w->open_segment;
}

bool spool_sync(struct spool_writer *w, struct err *err)
{
    if (!sync_current(w, err))
        return false;
    /* At the limit the current segment can be dropped only once there is a next one. */
    return w->open_commit_lsn || !is_due(w, 0) || !is_over_limit(w) || next_segment(w, err);
}

bool spool_is_full(struct spool_writer *w)
{
    return w->disk_full || is_over_limit(w);
}

const char *spool_full_reason(struct spool_writer *w, char *out, size_t size)
{
    char bytes[32];

    out[0] = '\0';
    if (w->disk_full) {
        snprintf(out, size, "no space left on the disk");
    } else if (is_over_limit(w)) {
        units_bytes(w->options.limit_bytes, bytes, sizeof bytes);
        snprintf(out, size, "its limit of %s is reached", bytes);
    }
    return out;
}

/* Opening */

/* The 'd' records behind the header: they were synced before the file got its name. */
static bool scan_known(struct spool_writer *w, struct segment_file *file, uint64_t limit,
                       struct err *err)
{
    struct spool_record record;
    struct segment_peek peek;

    for (uint32_t i = 0; i < file->header.known; i++) {
        int got = segment_next(file, limit, &record, err);
        if (got < 0)
            return false;
        if (got == 0 || (int)record.type != SEGMENT_KNOWN ||
            !segment_peek(record.data, record.len, &peek)) {
            err_set(err, ERR_PROTOCOL, "spool segment \"%s\" lacks its table definitions",
                    file->path);
            segment_explain_loss(err);
            return false;
        }
        known_remember(w, &peek, record.data, record.len);
    }
    w->preamble = file->offset;
    return true;
}

/* Is a boundary behind this record? Then *lsn is brought up to it. */
static bool is_boundary(const struct spool_record *record, const struct segment_peek *peek,
                        lsn_t *lsn)
{
    lsn_t at;

    if (record->type == SPOOL_MARK)
        at = record->lsn;
    else if (peek->kind == 'C')
        at = peek->end_lsn;
    else if (peek->kind == 'M' && peek->outside)
        at = peek->commit_lsn;
    else
        return false;
    if (*lsn < at)
        *lsn = at;
    return true;
}

/* Reads a segment up to limit or the first record that is not whole: finds its last boundary (*end is
 * left alone when it has none) and remembers Relation and Type messages. */
static bool scan(struct spool_writer *w, uint64_t number, uint64_t limit,
                 struct spool_position *end, struct err *err)
{
    struct segment_file file;
    struct spool_record record;
    struct err torn = ERR_INIT;

    if (!segment_open(&file, w->dir, number, w->identity, err))
        return false;
    lsn_t lsn = file.header.start_lsn;
    w->changes = w->end_changes = file.header.changes;
    if (limit == UINT64_MAX)
        limit = segment_size(&file);
    bool ok = scan_known(w, &file, limit, err);
    if (ok && !file.header.open_commit_lsn)
        *end = (struct spool_position){number, file.offset, lsn};
    while (ok && segment_next(&file, limit, &record, &torn) > 0) {
        struct segment_peek peek = {0};
        if (record.type == SPOOL_MESSAGE && segment_peek(record.data, record.len, &peek) &&
            (peek.kind == 'R' || peek.kind == 'Y'))
            known_remember(w, &peek, record.data, record.len);
        w->changes += segment_is_change(peek.kind);
        if (!is_boundary(&record, &peek, &lsn))
            continue;
        *end = (struct spool_position){number, file.offset, lsn};
        w->end_changes = w->changes;
    }
    err_clear(&torn);
    segment_close(&file);
    return ok;
}

/* Finds the last boundary, going backwards; list->count becomes the segments that stay. */
static bool find_end(struct spool_writer *w, struct segment_list *list, struct err *err)
{
    for (; list->count > 0; list->count--) {
        if (!scan(w, list->numbers[list->count - 1], UINT64_MAX, &w->end, err))
            return false;
        if (w->end.segment)
            break;
    }
    known_release(w); /* what was cut off taught, too */
    if (list->count)
        return scan(w, w->end.segment, w->end.offset, &w->end, err);
    err_set(err, ERR_PROTOCOL, "spool \"%s\" holds no whole transaction", w->dir);
    segment_explain_loss(err);
    return false;
}

static bool check_confirmed(const struct spool_writer *w, lsn_t end, struct err *err)
{
    char have[LSN_TEXT_SIZE], want[LSN_TEXT_SIZE];

    if (end >= w->options.confirmed_lsn)
        return true;
    err_set(err, ERR_PREREQUISITE, "spool \"%s\" ends at %s, but the source was told that everything before %s is safe",
            w->dir, lsn_format(end, have), lsn_format(w->options.confirmed_lsn, want));
    segment_explain_loss(err);
    return false;
}

/* Removes the segments behind the first `keep` of the list, last first, and cuts the last kept one. */
static bool cut_tail(struct spool_writer *w, const struct segment_list *list, size_t all,
                     struct err *err)
{
    bool ok = true;

    for (size_t i = all; ok && i-- > list->count;) {
        char *path = segment_path(w->dir, list->numbers[i]);
        ok = unlink(path) == 0;
        if (!ok)
            err_errno(err, "could not remove spool segment \"%s\"", path);
        free(path);
    }
    char *path = segment_path(w->dir, w->end.segment);
    if (ok) {
        w->fd = open(path, O_RDWR | O_CLOEXEC);
        ok = w->fd >= 0 && ftruncate(w->fd, (off_t)w->end.offset) == 0 && fsync(w->fd) == 0;
        if (!ok)
            err_errno(err, "could not truncate spool segment \"%s\"", path);
    }
    free(path);
    return ok && dir_sync(w->dir, err);
}

/* Every segment must be ours, and none may begin before the one in front of it. */
static bool check_headers(const struct spool_writer *w, const struct segment_list *list,
                          struct err *err)
{
    if (!segment_list_check(list, w->dir, err))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        struct segment_file file;
        if (!segment_open(&file, w->dir, list->numbers[i], w->identity, err))
            return false;
        segment_close(&file);
    }
    return true;
}

static bool open_existing(struct spool_writer *w, struct segment_list *list, struct err *err)
{
    size_t all = list->count;

    if (!check_headers(w, list, err) || !find_end(w, list, err) ||
        !check_confirmed(w, w->end.lsn, err) || !cut_tail(w, list, all, err))
        return false;
    w->number = w->end.segment;
    w->changes = w->end_changes;
    w->written = w->end.offset;
    w->synced = w->end;
    return true;
}

static bool open_new(struct spool_writer *w, struct err *err)
{
    if (w->options.start_lsn == LSN_INVALID) {
        err_set(err, ERR_PREREQUISITE, "spool \"%s\" is lost: it has no segments", w->dir);
        segment_explain_loss(err);
        return false;
    }
    if (!check_confirmed(w, w->options.start_lsn, err))
        return false;
    w->end.lsn = w->options.start_lsn;
    if (begin_segment(w, 1, err))
        return true;
    return false;
}

static bool take_lock(struct spool_writer *w, struct err *err)
{
    char *path = xasprintf("%s/lock", w->dir);
    struct err why = ERR_INIT;

    w->lock_fd = file_lock(path, &why);
    free(path);
    if (w->lock_fd >= 0)
        return true;
    bool taken = !err_is_set(&why);
    err_move(err, &why);
    if (taken) {
        err_set(err, ERR_IO, "spool \"%s\" is in use by another process", w->dir);
        err_hint(err, "Another engine of the same migration may still be ending.");
        if (err)
            err->retryable = true;
    }
    return false;
}

/* Only whole segments are ever given back, and never the current one: where it could grow as large as all
 * that there is, room would never be made again. */
static void limit_segments(struct spool_writer *w)
{
    int64_t *size = &w->options.segment_bytes;
    int64_t free_bytes = disk_free_bytes(w->dir);
    int64_t room = free_bytes + spool_bytes(w->dir);

    if (w->options.limit_bytes && *size > w->options.limit_bytes / 8)
        *size = w->options.limit_bytes / 8;
    if (free_bytes >= 0 && *size > room / 8 && *size > WRITE_BYTES)
        *size = room / 8 > WRITE_BYTES ? room / 8 : WRITE_BYTES;
}

bool spool_writer_open(const char *dir, const char *identity, const struct spool_options *options,
                       struct spool_writer **writer, struct err *err)
{
    struct spool_writer *w = xcalloc(1, sizeof *w);
    struct segment_list list = {0};

    *writer = NULL;
    w->dir = xstrdup(dir);
    w->identity = xstrdup(identity);
    w->options = *options;
    w->fd = w->lock_fd = -1;
    if (!w->options.segment_bytes)
        w->options.segment_bytes = SPOOL_SEGMENT_BYTES;
    bool ok = dir_make_private(dir, err);
    limit_segments(w);
    ok = ok && take_lock(w, err) && segment_list_load(&list, dir, err) &&
         (list.count ? open_existing(w, &list, err) : open_new(w, err));
    segment_list_release(&list);
    if (!ok) {
        spool_writer_close(w);
        return false;
    }
    recount(w);
    *writer = w;
    return true;
}

void spool_writer_close(struct spool_writer *w)
{
    if (!w)
        return;
    if (w->fd >= 0)
        close(w->fd);
    if (w->lock_fd >= 0)
        close(w->lock_fd);
    known_release(w);
    buf_release(&w->out);
    free(w->dir);
    free(w->identity);
    free(w);
}

struct spool_position spool_end(const struct spool_writer *w)
{
    return w->end;
}

struct spool_position spool_synced(const struct spool_writer *w)
{
    return w->synced;
}

int64_t spool_changes(const struct spool_writer *w)
{
    return (int64_t)w->end_changes;
}

bool spool_in_transaction(const struct spool_writer *w)
{
    return w->open_commit_lsn != 0;
}

int64_t spool_unsynced_bytes(const struct spool_writer *w)
{
    uint64_t safe = w->synced.segment == w->number ? w->synced.offset : w->preamble;

    return (int64_t)(w->written + w->out.len - safe);
}
