/* What was changed on a server, into the record (base/record.h). */
#ifndef PGC_PG_RECORDING_H
#define PGC_PG_RECORDING_H

#include "pg/conn.h"

/* A statement has ended: where it changes the server (pg/statement.h), a line {"kind":"statement","side","server",
 * "session","sql","us","sqlstate"} is written. conn_exec() and what is made of it do so by themselves; this is for those who
 * send their statements themselves. began_us: clock_mono_us() when it was sent; res: its last result, may be NULL; sqlstate:
 * NULL when it succeeded. */
void recording_note(struct conn *c, const char *sql, int count, const char *const *values, int64_t began_us,
                    const PGresult *res, const char *sqlstate);

/* The open transaction does not come to pass: {"kind":"rolled-back","session","count"}, the last count lines of that
 * session, where there are any. */
void recording_rolled_back(struct conn *c);

#endif
