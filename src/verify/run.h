/* One table being compared on one pair of connections: begun, then stepped while others are under way, and ended. */
#ifndef PGC_VERIFY_RUN_H
#define PGC_VERIFY_RUN_H

#include "verify/comparison.h"

struct verify_run {
    struct comparison cmp;
    struct verify_result result; /* complete once verify_run_finish() has returned true; owned */
    char *from_sql, *to_sql;     /* owned; NULL: there is nothing to wait for */
};

/* Opens a transaction on both sides (under the job's snapshots), reads the columns, and sends the two statements. Waits
 * for the catalogs alone. On error the run is to be ended all the same. run is borrowed storage that does not move. */
bool verify_run_begin(struct verify_run *run, struct conn *src, struct conn *dst, const struct verify_job *job,
                      struct err *err);
/* Takes in what has come: is there an answer of both servers, or an end to one of the connections? Does not wait. */
bool verify_run_is_over(struct verify_run *run);
/* Reads the answers, waiting for them where they are not there. */
bool verify_run_finish(struct verify_run *run, struct err *err);
/* Ends both transactions, cancelling what runs, and releases all but the connections; the result too. */
void verify_run_end(struct verify_run *run);

#endif
