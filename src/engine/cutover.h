/* What the files of the cutover share: work_cutover.c has the steps up to the target's opening, cutover_verify.c the
 * comparison, cutover_rehearse.c a try without the freeze, work_close.c what follows. */
#ifndef PGC_ENGINE_CUTOVER_H
#define PGC_ENGINE_CUTOVER_H

#include "engine/works.h"
#include "load/sequences.h"

struct cutover {
    struct work *work;
    struct conn source;  /* CONN_READER */
    struct conn target;  /* CONN_WRITER */
    struct conn reader;  /* CONN_READER on the target, for verification */
    lsn_t fence;
    lsn_t last_change;
    struct sequence_list on_target;
    struct sequence_filter filter;
    char *relations;     /* owned: which tables the source had when they were looked at last (cutover_relations.sql) */
    struct table *late;  /* owned array: tables outside of the stream, where the model has none; NULL: the model's */
    size_t late_count;
    bool rehearses;      /* writes have not been stopped: differences are no error */
    char *said;          /* what the step that just ended says for itself; owned */
};

struct cutover_step {
    const char *name;
    bool (*act)(struct cutover *c, struct err *err);
    bool is_rehearsed;   /* it can be done before writes are stopped, and leaves less to do then */
    bool (*is_wanted)(const struct plan *plan); /* NULL: always */
};

/* Of a migration that streams, in order; ended by a NULL name. */
extern const struct cutover_step cutover_steps[];
/* Of a copy without a stream (sync.mode load-only). */
extern const struct cutover_step cutover_copy_steps[];

/* What a plan's cutover will do: [{"name", "does", "undo", "final"}], undo null where there is nothing to undo, final behind the
 * point of no return. Owned. */
cJSON *cutover_outline(const struct plan *plan);

/* Its three connections. Close them in any case. */
bool cutover_open(struct cutover *c, struct err *err);
void cutover_close(struct cutover *c);

/* What a step says for itself when it is done; in one line. */
void cutover_say(struct cutover *c, const char *fmt, ...) PGC_PRINTF(2, 3);

/* The steps "verify" of a migration that streams, and of a copy without a stream. */
bool cutover_verify(struct cutover *c, struct err *err);
bool cutover_verify_copy(struct cutover *c, struct err *err);

/* Does every step that can be done without stopping writes, measures them, and says what the cutover would take. False with
 * ERR_TIMEOUT when that is more than the plan's cutover.maxDowntime: nothing is frozen then. */
bool cutover_rehearse(struct cutover *c, struct err *err);

/* Brings tables that no stream carries up to date, by difference. */
bool cutover_late_tables(struct cutover *c, struct err *err);
/* Behind the point of no return, before the opening: was the target restarted since cutover_late_tables(), so that unlogged tables
 * may be empty? Then they are brought over once more, from the source that is frozen still. May be done again. */
bool cutover_mend_late_tables(struct work *work, struct conn *target, struct err *err);

/* Is every table of the source that the plan picks in the target's state? With the stream drained. ERR_PREREQUISITE names those that
 * are not. Quick where no table came or went since the last look. */
bool cutover_knows_all_tables(struct cutover *c, struct err *err);

/* Foreign keys that are held back until the target is opened: do the rows fit them? With the stream drained. */
bool cutover_orphans(struct cutover *c, struct err *err);
bool cutover_wants_orphans(const struct plan *plan);

/* Columns that are text for the time being are of their types again; enums get the labels that only the source's have. For good:
 * what changes come later go into these types. */
bool cutover_types(struct cutover *c, struct err *err);
bool cutover_wants_types(const struct plan *plan);

/* What PgBouncer calls the database; borrowed. */
const char *cutover_bouncer_database(const struct work *work);

/* Runs a hook of the plan (NULL: none) by /bin/sh, and says what it printed last. timeout_ms: then it is ended. */
bool cutover_hook(struct work *work, const char *command, int timeout_ms, char **last_line, struct err *err);

#endif
