/* One piece of a table being compared on one pair of connections: begun, then looked at while others are under way, and
 * ended. */
#ifndef PGC_VERIFY_RUN_H
#define PGC_VERIFY_RUN_H

#include "verify/pieces.h"

struct verify_run {
    struct verify_pieces *pieces; /* borrowed */
    struct side ends[2];          /* source, target: the connections, and names that are the pieces' */
    char *sql[2];                 /* owned; NULL: there is nothing to wait for */
    PGresult *rows[2];            /* owned, of the side that has been read */
};

/* Begins the next piece. For a table's first one verify_pieces_begin() has opened the transactions of this pair, for others they are
 * opened here, under the job's snapshots. Sends the two statements and does not wait for them. On error the run is to be
 * ended all the same. */
bool verify_run_begin(struct verify_run *run, struct verify_pieces *pieces, struct conn *src, struct conn *dst,
                      struct err *err);
/* Takes in what has come: is there an answer of both servers, or an end to one of the connections? Does not wait. */
bool verify_run_is_over(struct verify_run *run);
/* Reads the answers, waiting for them where they are not there, and adds them to the pieces. */
bool verify_run_finish(struct verify_run *run, struct err *err);
/* Ends both transactions, cancelling what runs. The pieces stay. */
void verify_run_end(struct verify_run *run);

#endif
