/* The spool's writer. How it works:
 *
 * Records gather in memory (`out`) and are written at the end of the current segment when there are
 * enough of them or when they are to be synced. A boundary is a place outside transactions: behind a
 * commit, a mark, or a message outside transactions. `end` is the last boundary appended, `readable` the last
 * one that was written: up to it readers may read. `synced` is the last one that is durable, and only its LSN
 * may be confirmed. What was written outlives this process, not the machine: then readers may have been further
 * than the spool goes, and what they have done with comes again from the source.
 *
 * The next segment is begun when the current one is large enough, if need be inside a transaction:
 * the current one is synced first, so damage in any but the last segment is never a torn write. A new
 * segment is made under another name, synced and renamed, so that it is whole or not there.
 *
 * Opening after a crash looks for the last boundary from the last segment backwards, and cuts off what
 * is behind it. What the slot has confirmed is compared before anything is cut.
 *
 * A transaction that comes before its commit (Stream Start and so on, protocol version 2) gathers in a file of its
 * own (streamed.h); at its commit one record for it is appended, which is a boundary.
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

#include "base/clock.h"
#include "base/files.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "cdc/segment.h"
#include "cdc/streamed.h"

#define WRITE_BYTES (256 << 10)
#define RECOUNT_MS 500
#define AHEAD_BYTES (4 << 20)

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
    uint64_t files;    /* bytes of the transactions' own files that go with it */
    struct buf out;    /* records that come behind `written` */
    struct spool_position end;
    struct spool_position readable;
    struct spool_position synced;
    struct spool_position ahead; /* inside the transaction being received; segment 0: nowhere */
    uint64_t changes;       /* appended since the spool began */
    uint64_t end_changes;   /* ... up to `end` */
    uint64_t ahead_changes; /* ... up to `ahead` */
    lsn_t open_commit_lsn; /* of the transaction being received, or 0 */
    uint64_t open_size;    /* its bytes so far */
    uint64_t open_segment; /* where it began */
    struct known *known;
    struct streamed *streams;    /* transactions that have not committed yet, by XID */
    struct streamed *part;       /* the one of which a part is being received, or NULL */
    struct streamed *committing; /* one whose commit waits for room; in no table any more */
    int64_t open_bytes;          /* of all these */
    bool disk_full;
    bool streamed_full;  /* the same for a transaction's own file */
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
    bool ok = fd >= 0 && segment_write_at(fd, content->data, content->len, 0) && fsync(fd) == 0 &&
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
        w->files = 0;
        /* A reader's place at the end of the old segment and here is the same. */
        if (!w->open_commit_lsn)
            w->end = (struct spool_position){number, content.len, w->end.lsn};
        w->readable = w->synced = w->end;
    }
    free(path);
    buf_release(&content);
    return ok;
}

/* Writing */

/* What has come of a large transaction need not wait for the rest. */
static void look_ahead(struct spool_writer *w)
{
    if (!w->open_commit_lsn || w->open_size < AHEAD_BYTES)
        return;
    w->ahead = (struct spool_position){w->number, w->written, w->end.lsn};
    w->ahead_changes = w->changes;
}

/* Writes what has gathered. True too when there is no room: then it stays in memory. */
static bool write_out(struct spool_writer *w, struct err *err)
{
    if (!w->out.len)
        return true;
    if (segment_write_at(w->fd, w->out.data, w->out.len, w->written)) {
        w->written += w->out.len;
        w->disk_full = false;
        w->readable = w->end;
        buf_clear(&w->out);
        look_ahead(w);
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
    w->readable = w->synced;
    w->ahead.segment = 0;
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
    uint64_t filled = w->written + w->out.len - w->preamble + w->files;

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
    w->open_commit_lsn = w->ahead.segment = 0;
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

/* Transactions that come before their commit */

static bool refuse_xid(const struct spool_writer *w, const char *what, uint32_t xid, struct err *err)
{
    char end[LSN_TEXT_SIZE];

    err_set(err, ERR_PROTOCOL, "the source sent %s of transaction %" PRIu32 " out of order", what, xid);
    err_detail(err, "The spool holds everything before %s.", lsn_format(w->end.lsn, end));
    return false;
}

static struct streamed *find_stream(struct spool_writer *w, uint32_t xid)
{
    struct streamed *s;

    HASH_FIND(hh, w->streams, &xid, sizeof xid, s);
    return s;
}

/* True too when there is no room. */
static bool flush_stream(struct spool_writer *w, struct streamed *s, struct err *err)
{
    return streamed_flush(s, &w->streamed_full, err) || w->streamed_full;
}

static void drop_stream(struct spool_writer *w, struct streamed *s)
{
    w->open_bytes -= streamed_size(s);
    HASH_DEL(w->streams, s);
    streamed_free(s);
}

static bool begin_part(struct spool_writer *w, const struct segment_peek *peek, struct err *err)
{
    struct streamed *s = find_stream(w, peek->xid);

    if (w->open_commit_lsn || w->part || peek->first != !s)
        return refuse_xid(w, "a part", peek->xid, err);
    if (!s) {
        s = streamed_new(w->dir, w->identity, peek->xid);
        HASH_ADD(hh, w->streams, ref.xid, sizeof s->ref.xid, s);
        w->open_bytes += streamed_size(s);
    }
    w->part = s;
    return true;
}

static bool end_part(struct spool_writer *w, struct err *err)
{
    struct streamed *s = w->part;

    if (!s)
        return refuse_xid(w, "the end of a part", 0, err);
    w->part = NULL;
    bool ok = s->empty || flush_stream(w, s, err);
    streamed_rest(s);
    return ok;
}

/* Behind the kind stands the XID of the (sub)transaction, but for an Origin message. */
static bool add_to_part(struct spool_writer *w, const char *message, size_t len, struct err *err)
{
    struct streamed *s = w->part;
    bool origin = message[0] == 'O';
    int64_t before = streamed_size(s);

    if (!strchr("RYIUDTMO", message[0]) || (!origin && len < 5))
        return refuse_xid(w, "a message that is no change within a part", s->ref.xid, err);
    if (origin)
        streamed_append(s, s->ref.xid, 'O', message + 1, len - 1);
    else
        streamed_append(s, (uint32_t)segment_int(message + 1, 4), message[0], message + 5, len - 5);
    w->open_bytes += streamed_size(s) - before;
    return s->out.len < WRITE_BYTES || w->streamed_full || flush_stream(w, s, err);
}

static bool abort_stream(struct spool_writer *w, const struct segment_peek *peek, struct err *err)
{
    struct streamed *s = find_stream(w, peek->xid);

    if (w->open_commit_lsn || w->part)
        return refuse_xid(w, "a rollback", peek->xid, err);
    if (!s) /* nothing of it is here */
        return true;
    if (peek->subxid == peek->xid)
        drop_stream(w, s);
    else
        streamed_abort(s, peek->subxid);
    return true;
}

static void add_streamed(struct spool_writer *w, struct streamed *s)
{
    struct buf record = BUF_INIT;

    streamed_ref_write(&s->ref, &record);
    segment_add_record(&w->out, SEGMENT_STREAMED, s->ref.end_lsn, record.data, record.len);
    buf_release(&record);
    for (size_t i = 0; i < s->known_count; i++) {
        struct segment_peek peek;
        if (segment_peek(s->known[i].data, s->known[i].len, &peek))
            known_remember(w, &peek, s->known[i].data, s->known[i].len);
    }
    w->changes += s->ref.changes;
    w->files += s->ref.size;
    w->open_bytes -= (int64_t)s->ref.size;
    w->other_bytes += (int64_t)s->ref.size;
    set_boundary(w, s->ref.end_lsn);
}

/* Brings the commit that waits to its place. True too when there is no room for it: then it goes on waiting. */
static bool settle_stream(struct spool_writer *w, struct err *err)
{
    struct streamed *s = w->committing;

    if (!flush_stream(w, s, err))
        return false;
    if (w->streamed_full)
        return true;
    if (is_due(w, (uint64_t)w->options.segment_bytes) && !next_segment(w, err))
        return false;
    if (!streamed_settle(s, w->number, w->written + w->out.len, &w->streamed_full, err)) {
        w->failed = !w->streamed_full;
        return w->streamed_full;
    }
    add_streamed(w, s);
    w->committing = NULL;
    streamed_free(s);
    return true;
}

static bool commit_stream(struct spool_writer *w, const struct segment_peek *peek, struct err *err)
{
    struct streamed *s = find_stream(w, peek->xid);

    if (w->open_commit_lsn || w->part || !s || peek->commit_lsn < w->end.lsn ||
        peek->end_lsn <= peek->commit_lsn)
        return refuse_xid(w, "the commit", peek->xid, err);
    if (s->empty) { /* only its place counts */
        drop_stream(w, s);
        return spool_mark(w, peek->end_lsn, err);
    }
    s->ref.commit_lsn = peek->commit_lsn;
    s->ref.end_lsn = peek->end_lsn;
    s->ref.commit_us = peek->commit_us;
    HASH_DEL(w->streams, s);
    w->committing = s;
    return settle_stream(w, err);
}

/* There was no room for something of them: tries again. */
static bool retry_streams(struct spool_writer *w, struct err *err)
{
    w->streamed_full = false;
    for (struct streamed *s = w->streams; s && !w->streamed_full; s = s->hh.next) {
        if (!flush_stream(w, s, err))
            return false;
        if (s != w->part)
            streamed_rest(s);
    }
    return w->streamed_full || !w->committing || settle_stream(w, err);
}

int64_t spool_open_bytes(const struct spool_writer *w)
{
    return w->open_bytes;
}

static bool append_streamed(struct spool_writer *w, const struct segment_peek *peek, struct err *err)
{
    switch (peek->kind) {
    case 'S':
        return begin_part(w, peek, err);
    case 'E':
        return end_part(w, err);
    case 'A':
        return abort_stream(w, peek, err);
    default:
        return commit_stream(w, peek, err);
    }
}

static bool can_append(const struct spool_writer *w, struct err *err)
{
    if (w->committing)
        err_set(err, ERR_INTERNAL, "a message was given to a full spool");
    return !w->committing && check_failed(w, err);
}

bool spool_append(struct spool_writer *w, lsn_t lsn, const char *message, size_t len,
                  struct err *err)
{
    struct segment_peek peek;

    if (!can_append(w, err))
        return false;
    if (w->part && len && message[0] != 'E')
        return add_to_part(w, message, len, err);
    if (!segment_peek(message, len, &peek)) {
        err_set(err, ERR_PROTOCOL, "the source sent a change message that ends early");
        return false;
    }
    if (strchr("SEcA", peek.kind))
        return append_streamed(w, &peek, err);
    if (!check_order(w, &peek, err) || !add(w, SPOOL_MESSAGE, lsn, message, len, err))
        return false;
    w->changes += segment_is_change(peek.kind);
    w->open_size += len;
    if (peek.kind == 'B') {
        w->open_commit_lsn = peek.commit_lsn;
        w->open_segment = w->number;
        w->open_size = 0;
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
    if (spool_in_transaction(w))
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
        for (struct streamed *s = w->streams; s; s = s->hh.next)
            w->other_bytes -= (int64_t)s->written;
    }
    segment_list_release(&list);
}

/* Of what is over the limit, can enough be dropped by and by? Of open transactions nothing can. */
static bool is_over(const struct spool_writer *w)
{
    int64_t closed = (int64_t)(w->written + w->out.len) + w->other_bytes;
    int64_t limit = w->options.limit_bytes;

    return closed + w->open_bytes >= limit && closed >= (w->open_bytes ? limit / 4 : limit);
}

static bool is_over_limit(struct spool_writer *w)
{
    if (!w->options.limit_bytes || !is_over(w))
        return false;
    if (clock_mono_ms() - w->counted_ms >= RECOUNT_MS)
        recount(w);
    if (!is_over(w))
        return false;
    return !w->open_commit_lsn || w->oldest < w->open_segment;
}

bool spool_write(struct spool_writer *w, struct err *err)
{
    return check_failed(w, err) && write_out(w, err);
}

bool spool_sync(struct spool_writer *w, struct err *err)
{
    if (w->streamed_full && check_failed(w, NULL) && !retry_streams(w, err))
        return false;
    if (!sync_current(w, err))
        return false;
    /* At the limit the current segment can be dropped only once there is a next one. */
    return w->open_commit_lsn || !is_due(w, 0) || !is_over_limit(w) || next_segment(w, err);
}

bool spool_is_full(struct spool_writer *w)
{
    return w->disk_full || w->streamed_full || is_over_limit(w);
}

const char *spool_full_reason(struct spool_writer *w, char *out, size_t size)
{
    char bytes[32];

    out[0] = '\0';
    if (w->disk_full || w->streamed_full) {
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

/* The Relation and Type messages of a transaction that came before its commit. */
static bool scan_streamed(struct spool_writer *w, const struct segment_file *segment,
                          const struct streamed_ref *ref, uint64_t offset, struct err *err)
{
    struct segment_file file;
    struct spool_record record;
    struct segment_peek peek;
    int got = 0;

    if (!streamed_open(&file, w->dir, segment->header.number, offset, w->identity, ref, err))
        return false;
    while (file.offset < ref->known_end &&
           (got = segment_next(&file, ref->known_end, &record, err)) > 0)
        if (!streamed_is_aborted(ref, record.lsn) && segment_peek(record.data, record.len, &peek) &&
            (peek.kind == 'R' || peek.kind == 'Y'))
            known_remember(w, &peek, record.data, record.len);
    segment_close(&file);
    return got >= 0;
}

/* A record that stands for such a transaction: a boundary. */
static bool scan_ref(struct spool_writer *w, const struct segment_file *file,
                     const struct spool_record *record, lsn_t *lsn, struct err *err)
{
    struct streamed_ref ref;
    uint64_t offset = file->offset - SEGMENT_RECORD_BYTES - record->len;
    bool ok = streamed_ref_parse(record->data, record->len, &ref);

    if (!ok)
        err_set(err, ERR_PROTOCOL, "spool segment \"%s\" holds a malformed record at byte %" PRIu64,
                file->path, offset);
    ok = ok && scan_streamed(w, file, &ref, offset, err);
    if (ok) {
        w->changes += ref.changes;
        w->files += ref.size;
    }
    if (ok && *lsn < ref.end_lsn)
        *lsn = ref.end_lsn;
    streamed_ref_release(&ref);
    return ok;
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
    w->files = 0;
    if (limit == UINT64_MAX)
        limit = segment_size(&file);
    bool ok = scan_known(w, &file, limit, err);
    if (ok && !file.header.open_commit_lsn)
        *end = (struct spool_position){number, file.offset, lsn};
    while (ok && segment_next(&file, limit, &record, &torn) > 0) {
        struct segment_peek peek = {0};
        bool streamed = (int)record.type == SEGMENT_STREAMED;
        if (streamed && !scan_ref(w, &file, &record, &lsn, err)) {
            ok = false;
            break;
        }
        if (record.type == SPOOL_MESSAGE && segment_peek(record.data, record.len, &peek) &&
            (peek.kind == 'R' || peek.kind == 'Y'))
            known_remember(w, &peek, record.data, record.len);
        w->changes += segment_is_change(peek.kind);
        if (!streamed && !is_boundary(&record, &peek, &lsn))
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
    w->readable = w->synced = w->end;
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
         (list.count ? open_existing(w, &list, err) : open_new(w, err)) &&
         streamed_remove_rest(dir, &w->end, err);
    segment_list_release(&list);
    if (!ok) {
        spool_writer_close(w);
        return false;
    }
    recount(w);
    *writer = w;
    return true;
}

static void release_streams(struct spool_writer *w)
{
    while (w->streams)
        drop_stream(w, w->streams);
    streamed_free(w->committing);
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
    release_streams(w);
    buf_release(&w->out);
    free(w->dir);
    free(w->identity);
    free(w);
}

struct spool_position spool_end(const struct spool_writer *w)
{
    return w->end;
}

struct spool_position spool_readable(const struct spool_writer *w)
{
    return w->readable;
}

struct spool_position spool_synced(const struct spool_writer *w)
{
    return w->synced;
}

bool spool_ahead(const struct spool_writer *w, struct spool_position *ahead, int64_t *changes)
{
    *ahead = w->ahead;
    *changes = (int64_t)w->ahead_changes;
    return w->ahead.segment != 0;
}

int64_t spool_changes(const struct spool_writer *w)
{
    return (int64_t)w->end_changes;
}

bool spool_in_transaction(const struct spool_writer *w)
{
    return w->open_commit_lsn || w->part || w->committing;
}

int64_t spool_unsynced_bytes(const struct spool_writer *w)
{
    uint64_t safe = w->synced.segment == w->number ? w->synced.offset : w->preamble;

    return (int64_t)(w->written + w->out.len - safe);
}
