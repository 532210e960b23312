/* COPY streams. One row (CopyData message) at a time, memory bounded by the largest row. */
#ifndef PGC_PG_COPY_H
#define PGC_PG_COPY_H

#include "pg/conn.h"

/* Starts "COPY ... TO STDOUT"; false when the server refuses it. */
bool copy_out_begin(struct conn *c, const char *sql, struct err *err);
/* 1: *data (free with PQfreemem) and *len hold the next message; 0: the stream has ended and the
 * server confirmed it; -1: error. */
int copy_out_next(struct conn *c, char **data, int *len, struct err *err);

/* Starts "COPY ... FROM STDIN". */
bool copy_in_begin(struct conn *c, const char *sql, struct err *err);
bool copy_in_put(struct conn *c, const char *data, int len, struct err *err);
/* Ends the stream and reads the result; *rows is what the server says it stored. */
bool copy_in_end(struct conn *c, int64_t *rows, struct err *err);
/* Gives the stream up: the server rolls it back. */
void copy_in_abort(struct conn *c, const char *why);

#endif
