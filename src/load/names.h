/* Lists of tables as SQL text: array literals, and the words for a lock that could not be had. */
#ifndef PGC_LOAD_NAMES_H
#define PGC_LOAD_NAMES_H

#include "base/buf.h"
#include "pg/conn.h"
#include "pg/ident.h"

/* A table's schema and name, unquoted. Borrowed. */
struct table_name {
    const char *schema;
    const char *name;
};

/* '{"\"a\".\"b\"",...}': the quoted names as a text[] literal (the value of a parameter, not SQL). */
void names_array_add(struct buf *out, const struct table_name *tables, size_t count);

struct lock_attempt {
    int timeout_ms; /* lock_timeout of each try */
    int tries;
    int pause_ms;   /* between tries, so that the application gets its turn */
    bool exclusive; /* the lock conflicts with every other lock */
};

/* Runs one statement in a transaction of its own under lock_timeout, again where the lock could not
 * be had. When all tries failed: ERR_TIMEOUT, retryable, who holds the locks in the detail. Nothing
 * of the statement is left behind on error. */
bool locked_command(struct conn *c, const char *sql, const char *names_array,
                    const struct lock_attempt *attempt, struct err *err);

/* Says who holds locks on these tables in err's detail, and what to do in its hint. The connection must
 * not be in a failed transaction. */
void lock_blockers(struct conn *c, const char *names_array, bool exclusive, struct err *err);

#endif
