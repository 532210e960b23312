/* The spool: what the source has sent and we have confirmed, durable until it is applied.
 *
 * A directory of append-only segment files, one writer (the receiver) and any number of readers. The
 * writer tells readers how far they may read (a boundary: the end of a commit or mark, written; or a place inside
 * of a large transaction). What is written may be taken back in two cases: the machine ends before it is synced, or syncing fails, after which the writer
 * must be closed; a writer that is opened then ends before what readers were told, and they must be opened again. */
#ifndef PGC_CDC_SPOOL_H
#define PGC_CDC_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/lsn.h"

#define SPOOL_SEGMENT_BYTES (INT64_C(64) << 20)

/* A place between two records. Written by the writer, at boundaries only: every transaction whose
 * commit ends at or before lsn lies before it, none that commits later. */
struct spool_position {
    uint64_t segment;
    uint64_t offset;
    lsn_t lsn;
};

struct spool_options {
    int64_t segment_bytes; /* 0: SPOOL_SEGMENT_BYTES; at most an eighth of the limit or the disk's room */
    int64_t limit_bytes;   /* 0: none but the disk */
    /* Where a directory without segments begins: the slot's consistent LSN. LSN_INVALID: such a
     * directory is refused as lost. */
    lsn_t start_lsn;
    /* What the slot has confirmed; a spool that ends before it has lost changes and is refused. */
    lsn_t confirmed_lsn;
};

enum spool_type {
    SPOOL_MESSAGE = 'w', /* one pgoutput message */
    SPOOL_MARK = 'p',    /* everything before its LSN has been received */
};

struct spool_record {
    enum spool_type type;
    lsn_t lsn;  /* as the server gave it (0 for Relation and the like, and in streamed transactions); of a
                 * mark: its position */
    char *data; /* writable, with one writable byte behind it; good until the next call */
    size_t len;
};

struct spool_writer;

/* Opens or makes the directory (0700), locks it, and cuts a half-received transaction off its end:
 * the server sends it again from spool_end(). identity: text that names the migration; a directory of
 * another one is refused. ERR_PREREQUISITE when changes are missing that the source no longer sends
 * (nothing is changed then), ERR_PROTOCOL for damage, ERR_IO; retryable when another process holds
 * the lock. *writer is owned by the caller, NULL on error. */
bool spool_writer_open(const char *dir, const char *identity, const struct spool_options *options,
                       struct spool_writer **writer, struct err *err);
/* Forgets what was not synced. NULL is fine. */
void spool_writer_close(struct spool_writer *writer);

/* Appends one pgoutput message of protocol version 1 or 2 (streamed transactions: readers get those at their
 * commit, as any other, once everything before it). A full disk or limit is no error here: the message is
 * kept in memory and spool_is_full() tells to bring no more. ERR_PROTOCOL: a transaction that begins before what is
 * held, or messages out of order; ERR_IO. After an error the writer must be closed. */
bool spool_append(struct spool_writer *writer, lsn_t lsn, const char *message, size_t len,
                  struct err *err);
/* Appends a mark, outside transactions only: everything before lsn has been received. */
bool spool_mark(struct spool_writer *writer, lsn_t lsn, struct err *err);
/* Makes everything appended readable. True with spool_readable() unmoved while there is no room. */
bool spool_write(struct spool_writer *writer, struct err *err);
/* Makes everything appended durable, and readable. True with spool_synced() unmoved while there is no room.
 * On error what was not synced is gone and the writer must be closed. */
bool spool_sync(struct spool_writer *writer, struct err *err);

/* No more messages now: the last write found no room (spool_sync() tries again), or the limit is
 * reached. Inside a transaction the limit does not count once only that transaction is left in the
 * spool, since nothing could ever make room for the rest of it. */
bool spool_is_full(struct spool_writer *writer);
/* "no space left on the disk", "its limit of 50.0 GB is reached"; "" when it is not full. */
const char *spool_full_reason(struct spool_writer *writer, char *out, size_t size);

/* The last boundary appended / written, up to which readers may read / made durable: the LSN of that one may be
 * confirmed. */
struct spool_position spool_end(const struct spool_writer *writer);
struct spool_position spool_readable(const struct spool_writer *writer);
struct spool_position spool_synced(const struct spool_writer *writer);
/* Inside a transaction that is large already: how far readers may read of what is written of it, and the row changes
 * before that place since the spool began. Its LSN is that of spool_end(). False: no further than
 * spool_readable(). The end of the transaction may never come here, or another beginning of it after a new start:
 * whoever read ahead of a commit then begins again where it is told to. */
bool spool_ahead(const struct spool_writer *writer, struct spool_position *ahead, int64_t *changes);
/* Row changes (INSERT, UPDATE, DELETE, TRUNCATE) before spool_end() since the spool began, dropped ones too. */
int64_t spool_changes(const struct spool_writer *writer);
/* Bytes of transactions that were received in part and have not committed yet. */
int64_t spool_open_bytes(const struct spool_writer *writer);
/* Inside a transaction, or a part of one that is sent before its commit. */
bool spool_in_transaction(const struct spool_writer *writer);
/* Bytes appended and not yet durable. */
int64_t spool_unsynced_bytes(const struct spool_writer *writer);

struct spool_reader;

/* Starts at the last segment from which everything after from_lsn (the end of a commit that was
 * applied, or the start) can be read. Transactions that commit before from_lsn are left out, but for
 * their Relation and Type messages, which are delivered always. ERR_PREREQUISITE when the spool
 * begins after from_lsn, has no segment, or is another migration's; ERR_PROTOCOL when segments are
 * missing between others. */
bool spool_reader_open(const char *dir, const char *identity, lsn_t from_lsn,
                       struct spool_reader **reader, struct err *err);
/* 1: *record is the next one before limit; 0: none yet; -1: error, ERR_PROTOCOL for a damaged or
 * missing record. A Relation or Type message may come outside transactions. */
int spool_reader_next(struct spool_reader *reader, const struct spool_position *limit,
                      struct spool_record *record, struct err *err);
void spool_reader_close(struct spool_reader *reader);
/* How many row changes a reader from from_lsn gets up to limit. Reads no more than two segments for it. */
bool spool_count(const char *dir, const char *identity, lsn_t from_lsn,
                 const struct spool_position *limit, int64_t *count, struct err *err);

/* Deletes the segments that nobody needs who starts at lsn or later. The last one stays. */
bool spool_drop_before(const char *dir, lsn_t lsn, struct err *err);
/* Size of all files, 0 when there is no such directory. */
int64_t spool_bytes(const char *dir);

#endif
