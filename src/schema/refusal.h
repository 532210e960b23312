/* What a server said when it refused a statement. */
#ifndef PGC_SCHEMA_REFUSAL_H
#define PGC_SCHEMA_REFUSAL_H

#include <stdbool.h>

#include <libpq-fe.h>

struct refusal {
    char sqlstate[6];
    char *message; /* owned */
    char *detail;  /* owned, may be NULL */
    long position; /* in characters of the whole text, from 1; 0 unknown */
};

/* Empty again, may be used further. */
void refusal_release(struct refusal *refusal);
/* Of a result that is an error; what was in it is released. */
void refusal_take(struct refusal *refusal, const PGresult *res);
/* A lock or another session was in the way: the same may succeed a moment later. */
bool refusal_may_pass(const struct refusal *refusal);
/* The server ends the session by it (class 57P0). */
bool refusal_ends_session(const struct refusal *refusal);
/* How long to wait before the statement is tried for the n-th time again (from 1), -1: it was tried enough. */
int refusal_pause_ms(int tries);

#endif
