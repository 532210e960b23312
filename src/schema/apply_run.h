/* A run over the objects of one phase, for what applies them in its own way (inside the layer: apply.c, foreign_key.c). */
#ifndef PGC_SCHEMA_APPLY_RUN_H
#define PGC_SCHEMA_APPLY_RUN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"
#include "schema/apply.h"
#include "schema/refusal.h"

/* One row of schema_objects_next.sql; borrowed from the result. */
struct object {
    int dump_id;
    const char *position;
    const char *type;
    const char *name;
    const char *depends;
    const char *statement;
    const char *oid;
    bool built; /* a constraint whose index is there */
    bool edited; /* the statement is somebody's own */
};

struct bad_object;

struct run {
    struct conn *target;
    struct conn *source; /* foreign keys only, like the next */
    struct conn *const *targets; /* all that there are, the first is target */
    size_t target_count;
    const char *phase;
    const char *table; /* OID on the source, NULL: the whole phase */
    const struct schema_progress *progress;
    /* How due objects are applied; NULL: in one transaction, or each by itself where that does not go. */
    bool (*portion)(struct run *run, const struct object *objects, size_t count, struct err *err);
    int done, total;
    struct bad_object *bad; /* failed, or dependent on one that did */
    int failed, waiting;
    enum run_policy { POLICY_UNKNOWN, POLICY_STOP, POLICY_SKIP } policy; /* known from the first refusal on */
    struct buf waiters; /* names */
    bool retryable; /* all failures are */
    char sqlstate[6];
    struct buf failures;
};

/* Applies what is due of run->phase, in portions; what failed is then the error. */
bool run_phase(struct run *run, struct err *err);

/* The text of a transaction with the objects' statements; applied: their states go with it. */
void run_text_of(struct buf *text, const struct object *objects, size_t count, bool applied);
/* Runs one object's statement, again when a lock was in the way; applied: its state goes with it.
 * False with *refused: the server will not; without: lost connection, stop, deadline. */
bool run_statement(struct run *run, const struct object *object, bool applied, struct refusal *refusal,
                   bool *refused, struct err *err);
/* The same, with what is refused recorded. False: the run must end. Several objects: each by itself. */
bool run_object(struct run *run, const struct object *object, struct err *err);
bool run_singly(struct run *run, const struct object *objects, size_t count, struct err *err);
/* Records that an object was refused; the run goes on. */
bool run_failed(struct run *run, const struct object *object, const struct refusal *refusal, struct err *err);
bool run_set_state(struct conn *c, int dump_id, const char *state, const struct refusal *refusal, struct err *err);
void run_report(struct run *run, const struct object *last);

#endif
