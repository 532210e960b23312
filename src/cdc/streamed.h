/* Transactions that the source sends before they commit, each in a file of its own beside the segments.
 * Used by spool.c (writer) and spool_reader.c only.
 *
 * While such a transaction is open its file is "XID.stream" and nobody reads it. At its commit it is synced
 * and becomes "SEGMENT-OFFSET.txn", named after the place of the record in a segment ('x') that stands for
 * the whole transaction; then that record is written. So a file without its record is of no use to anybody,
 * and is dropped with its segment.
 *
 * A file has a segment's records: a header, whose number is the XID, and messages without the XID in them; the
 * record's LSN is the XID of the (sub)transaction that the message belongs to. Those of subtransactions
 * that were rolled back stay in the file, and the record 'x' lists them. */
#ifndef PGC_CDC_STREAMED_H
#define PGC_CDC_STREAMED_H

#include <uthash.h>

#include "base/buf.h"
#include "cdc/segment.h"

#define SEGMENT_STREAMED 'x'

/* The record that stands for a transaction. */
struct streamed_ref {
    uint32_t xid;
    lsn_t commit_lsn, end_lsn;
    int64_t commit_us;  /* since 1970 */
    uint64_t changes;   /* without those that were rolled back */
    uint64_t size;      /* of the file */
    uint64_t known_end; /* no Relation or Type message lies behind it */
    uint32_t *aborted;  /* owned, ascending: subtransactions that were rolled back */
    size_t aborted_count, aborted_cap;
};

void streamed_ref_release(struct streamed_ref *ref);
bool streamed_is_aborted(const struct streamed_ref *ref, lsn_t xid);
/* The payload of the record, and back (false: malformed; *ref has to be released all the same). */
void streamed_ref_write(const struct streamed_ref *ref, struct buf *out);
bool streamed_ref_parse(const char *data, size_t len, struct streamed_ref *ref);

/* One that is being received. */
struct streamed {
    struct streamed_ref ref; /* commit_lsn and what follows it only at the commit */
    const char *dir;         /* borrowed */
    const char *identity;    /* borrowed */
    bool empty;              /* no message so far: nothing in it is for us */
    int fd;                  /* -1 between its parts */
    uint64_t written, synced;
    struct buf out;          /* records that come behind `written` */
    struct streamed_known *known; /* its Relation and Type messages; owned */
    size_t known_count, known_cap;
    UT_hash_handle hh;
};

struct streamed_known {
    uint32_t xid;
    char *data; /* owned */
    size_t len;
};

struct streamed *streamed_new(const char *dir, const char *identity, uint32_t xid);
/* Also removes its file, if it still has one. */
void streamed_free(struct streamed *streamed);

/* Appends a message of (sub)transaction xid, in memory: its kind, and what follows kind and XID. */
void streamed_append(struct streamed *streamed, uint32_t xid, char kind, const char *rest, size_t len);
/* Bytes in file and memory. */
int64_t streamed_size(const struct streamed *streamed);
/* Of (sub)transaction xid nothing counts. */
void streamed_abort(struct streamed *streamed, uint32_t xid);
/* Writes what is in memory. No room: false with *no_room, and it stays there. */
bool streamed_flush(struct streamed *streamed, bool *no_room, struct err *err);
/* Closes the file until the next part comes; what could not be written stays in memory. */
void streamed_rest(struct streamed *streamed);
/* All is flushed: makes the file durable under its name for a record at (segment, offset). From then on it is
 * not this one's any more. *no_room as above. */
bool streamed_settle(struct streamed *streamed, uint64_t segment, uint64_t offset, bool *no_room,
                     struct err *err);

/* Opens the file of a record at (segment, offset). */
bool streamed_open(struct segment_file *file, const char *dir, uint64_t segment, uint64_t offset,
                   const char *identity, const struct streamed_ref *ref, struct err *err);

/* Removes open transactions' files, and those of records at `end` or behind it: what a crash has left. */
bool streamed_remove_rest(const char *dir, const struct spool_position *end, struct err *err);
/* Removes the files of all segments before this one. */
bool streamed_drop_before(const char *dir, uint64_t segment, struct err *err);
/* Bytes of all these files. */
int64_t streamed_bytes(const char *dir);

#endif
