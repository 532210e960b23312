/* One table that is being compared: what is asked of the two servers, and what has come back so far.
 *
 * A large heap is read in pieces, ranges of pages, so that several pairs of connections can share one table, a rate
 * is kept between them, and no statement takes hours. Checksums are sums, so each side is cut by its own pages:
 * a row need not lie in the same piece on both. From PostgreSQL 14 on a range of pages is read without reading the rest; a
 * table of a server before that, or of another kind, is one piece.
 *
 * A snapshot shows nothing of a table that was truncated or rewritten after it, and one that was clustered has its rows in
 * other pages: so each piece looks, with the table locked by its own statement, whether the storage is still the one
 * of the snapshot. */
#ifndef PGC_VERIFY_PIECES_H
#define PGC_VERIFY_PIECES_H

#include "verify/comparison.h"

/* An exact sum of many 64-bit hashes, beyond 64 bits: high * 10^18 + low, both of one sign. */
struct checksum {
    int64_t high, low;
};

/* text: a whole number as the server prints it; false when it is none or too large. */
bool checksum_add(struct checksum *sum, const char *text);
void checksum_print(const struct checksum *sum, char text[VERIFY_SUM_SIZE]);

struct verify_pieces {
    struct comparison cmp;       /* columns and forms, as of the first transaction; its connections are not used later */
    struct verify_result result; /* complete once `left` is 0 */
    char *sql[2];                /* owned: source, target; NULL: there is nothing to ask. Without what each piece adds */
    int64_t pages[2];            /* of the two sides */
    int count, begun, left;
    struct checksum sums[2];
};

/* Opens a transaction on both sides (under the job's snapshots), which stay open, reads the columns, and decides on the pieces.
 * piece_bytes: about so much of job->bytes each, 0: one piece. On error it is to be ended all the same. Storage does not
 * move. */
bool verify_pieces_begin(struct verify_pieces *pieces, struct conn *src, struct conn *dst, const struct verify_job *job,
                         int64_t piece_bytes, struct err *err);
/* The statement of one piece on one side (0: source); owned by the caller. */
char *verify_pieces_sql(const struct verify_pieces *pieces, int side, int number);
/* Takes one piece's answers in, texts of the two servers. */
bool verify_pieces_add(struct verify_pieces *pieces, const char *const rows[2], const char *const sums[2], struct err *err);
void verify_pieces_end(struct verify_pieces *pieces);

#endif
