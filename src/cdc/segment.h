/* Segment files of the spool: their format, and reading one from its start. Used by spool.c (writer)
 * and spool_reader.c only.
 *
 * A file is a run of records: crc (4 bytes), length of the payload (4), LSN (8), type (1), payload;
 * numbers in network byte order, the CRC (zlib's) over all that follows it. The first record is the
 * header ('h'); then every Relation and Type message known so far ('d'), so that a reader may start
 * here; then what the source sent. A file appears under its name with header and 'd' records synced. */
#ifndef PGC_CDC_SEGMENT_H
#define PGC_CDC_SEGMENT_H

#include "base/buf.h"
#include "cdc/spool.h"

#define SEGMENT_RECORD_BYTES 17

enum segment_type { SEGMENT_HEADER = 'h', SEGMENT_KNOWN = 'd' };

struct segment_header {
    uint64_t number;
    lsn_t start_lsn;       /* the last boundary before this segment */
    lsn_t open_commit_lsn; /* commit LSN of the transaction that the segment begins inside of, or 0 */
    uint64_t changes;      /* row changes in all segments before it, since the spool began */
    uint32_t known;        /* 'd' records that follow */
};

struct segment_list {
    uint64_t *numbers; /* owned, ascending */
    size_t count;
    size_t cap;
};

struct segment_file {
    int fd; /* owned, -1 when closed */
    char *path;
    struct segment_header header;
    uint64_t offset; /* of the next record */
    uint64_t first;  /* offset behind the header record */
    struct buf in;   /* read ahead */
    size_t at;       /* where the next record starts in it */
    char *borrowed;  /* the byte behind the payload given out last, which may be overwritten... */
    char saved;      /* ... and what it was */
};

#define SEGMENT_FILE_INIT {.fd = -1}

char *segment_path(const char *dir, uint64_t number);
/* A directory that does not exist has no segments. */
bool segment_list_load(struct segment_list *list, const char *dir, struct err *err);
void segment_list_release(struct segment_list *list);
/* ERR_PROTOCOL when a number is missing between the first and the last. */
bool segment_list_check(const struct segment_list *list, const char *dir, struct err *err);

/* A number in network byte order. */
uint64_t segment_int(const char *at, size_t size);
void segment_add_record(struct buf *out, char type, lsn_t lsn, const char *data, size_t len);
/* The same with a payload of one byte more: kind, then data. */
void segment_add_message(struct buf *out, lsn_t lsn, char kind, const char *data, size_t len);
void segment_add_header(struct buf *out, const struct segment_header *header, const char *identity);

/* Opens a segment and reads its header. identity NULL: not compared. */
bool segment_open(struct segment_file *file, const char *dir, uint64_t number, const char *identity,
                  struct err *err);
/* The same of any file of records: path is taken, number what its header must say. */
bool segment_open_path(struct segment_file *file, char *path, uint64_t number, const char *identity,
                       struct err *err);
void segment_close(struct segment_file *file);
/* The next record that ends at or before limit: 1; 0: offset is limit; -1 with err (ERR_PROTOCOL:
 * torn or damaged at file->offset). record->type may be one of enum segment_type. */
int segment_next(struct segment_file *file, uint64_t limit, struct spool_record *record,
                 struct err *err);
/* Size of the file, 0 when unknown. */
uint64_t segment_size(const struct segment_file *file);
/* Can everything after from_lsn be read from the start of this segment on? */
bool segment_serves(const struct segment_header *header, lsn_t from_lsn);

/* What a message is, without decoding it; those of streamed transactions, protocol version 2, too:
 * 'S' Stream Start, 'E' Stream Stop, 'c' Stream Commit, 'A' Stream Abort. */
struct segment_peek {
    char kind;        /* its first byte; 0 for an empty one */
    lsn_t commit_lsn; /* 'B': final LSN, 'C', 'c': start of the commit record, 'M': its LSN */
    lsn_t end_lsn;    /* 'C', 'c' */
    int64_t commit_us; /* 'B', 'C', 'c': since 1970 */
    uint32_t oid;     /* 'R', 'Y' */
    bool outside;     /* 'M': not part of a transaction */
    uint32_t xid;     /* 'S', 'c', 'A': of the transaction */
    uint32_t subxid;  /* 'A': what was rolled back, the transaction's XID when it is the whole */
    bool first;       /* 'S': the first part of the transaction */
};

/* Is it an INSERT, UPDATE, DELETE or TRUNCATE? */
bool segment_is_change(char kind);

/* False when it is too short for its kind. */
bool segment_peek(const char *data, size_t len, struct segment_peek *peek);

/* Writes all of data at offset. False with errno. */
bool segment_write_at(int fd, const char *data, size_t len, uint64_t offset);

/* Says that changes are gone for good, and the ways out, in detail and hint. */
void segment_explain_loss(struct err *err);

#endif
