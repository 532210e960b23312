/* Which rows of two tables differ, side by side. */
#ifndef PGC_VERIFY_ROWS_H
#define PGC_VERIFY_ROWS_H

#include <cjson/cJSON.h>

#include "verify/verify.h"

#define VERIFY_ROWS_SHOWN 20

struct verify_rows {
    bool comparable;    /* false: something of the rows cannot be compared as text: nothing is known */
    bool all;           /* false: more differ than were looked at: the numbers are of those */
    int64_t different, missing, extra; /* other contents; not on the target; on the target only. Without a key a row
                                        * that was changed is one that is missing and one that is extra */
    cJSON *shown;       /* owned: the first VERIFY_ROWS_SHOWN, each {"key", "source", "target"}: objects of a column each, as
                         * text, long values cut; source or target null where there is none, of rows that are
                         * on both sides only the columns that differ */
    char *keys;         /* owned: an SQL condition, right on either side, of the keys of all rows that differ; NULL: no key, or
                         * not all */
};

/* rows_hint: about how many rows there are. Reads each side three times at most. Connections as of verify_table(). */
bool verify_rows(struct conn *src, struct conn *dst, const struct verify_job *job, int64_t rows_hint,
                 struct verify_rows *rows, struct err *err);
void verify_rows_release(struct verify_rows *rows);

#endif
