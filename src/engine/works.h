/* What each kind of worker does (work_*.c), and what they share (work_common.c). */
#ifndef PGC_ENGINE_WORKS_H
#define PGC_ENGINE_WORKS_H

#include "check/check.h"
#include "engine/worker.h"

bool work_recall(struct work *work, struct err *err);
bool work_check(struct work *work, struct err *err);
/* Those that can go stale until this moment, before anything is done then: ERR_PREREQUISITE as the first time. */
bool work_check_again(struct work *work, enum check_moment moment, struct err *err);
bool work_schema(struct work *work, struct err *err);
bool work_epoch(struct work *work, struct err *err);
bool work_copy(struct work *work, struct err *err);
bool work_index(struct work *work, struct err *err);
bool work_receive_worker(struct work *work, struct err *err);
bool work_apply(struct work *work, struct err *err);
bool work_monitor(struct work *work, struct err *err);
bool work_watch(struct work *work, struct err *err);
bool work_finish(struct work *work, struct err *err);
bool work_verify(struct work *work, struct err *err);
bool work_cutover(struct work *work, struct err *err);
bool work_rehearse(struct work *work, struct err *err);
bool work_lock(struct work *work, struct err *err);
bool work_thaw(struct work *work, struct err *err);
bool work_close(struct work *work, struct err *err);
bool work_undo(struct work *work, struct err *err);

/* A worker that was killed leaves its last statements to a server process, which may end and commit them
 * meanwhile. Who changes the schema takes this lock first, and so waits for such a one: oid is a table's
 * on the source, for its indexes, or "0", for all else. The session's end lets it go too. */
bool work_lock_schema(struct conn *target, const char *oid, struct err *err);
void work_unlock_schema(struct conn *target, const char *oid);
/* Of many tables, as "{1,2}". shared: next to others who lock it so. All locks of the session are let go together. */
bool work_lock_tables(struct conn *target, const char *oids_array, bool shared, struct err *err);
void work_unlock_tables(struct conn *target);

struct schema_progress;
/* Adds and validates the foreign keys of a phase, on as many sessions as build indexes. */
bool work_foreign_keys(struct work *work, struct conn *source, struct conn *target, const char *phase,
                       const struct schema_progress *progress, struct err *err);
/* Those that are held back until the target is opened, now that it is; says so where there are any. */
bool work_held_keys(struct work *work, struct conn *target, struct err *err);

/* Memory and parallel workers of a session that builds indexes or validates keys: its share, beside load.jobs - 1 others. */
bool work_share_memory(const struct work *work, struct conn *target, struct err *err);

/* "dir/spool" of this pipeline; owned. */
char *work_spool_dir(const struct work *work);
/* The address, "host:port", of a connection; owned. */
char *work_server_name(struct conn *c);
/* The version as the server says it: "15.20"; owned. */
char *work_server_version(struct conn *c);
/* How many row changes the spool holds from a position to a limit. */
struct spool_position;
bool work_count_changes(const struct work *work, lsn_t from, const struct spool_position *limit,
                        int64_t *count, struct err *err);
/* A limit of the spool's readers as JSON and back: {"segment","offset","lsn","covers"}. */
cJSON *work_limit_json(const struct spool_position *position, lsn_t covers);
lsn_t work_json_lsn(const cJSON *object, const char *key);
void work_json_add_lsn(cJSON *object, const char *key, lsn_t lsn);

/* Tells how a step of the cutover stands: running, done or failed; text may be NULL. */
void work_step(struct work *work, const char *name, const char *state, const char *text);

/* Tables that are known to be equal: compared while changes were streamed, and neither the stream nor, as far as the
 * target's statistics tell, anybody else has written to them since. */
struct known_tables {
    const struct table **tables; /* owned, sorted by address */
    size_t count;
};
/* With the stream drained. On error the list is empty. */
bool work_known_equal(const struct work *work, struct conn *target, struct known_tables *known, struct err *err);
bool work_is_known(const struct known_tables *known, const struct table *table);

/* Is everything that the target's database holds of this migration? */
bool work_owns_target(const struct work *work);

struct verify_result;
/* A table was compared as of that position: into the record, for the report. */
void work_record_compared(const struct work *work, const struct table *table, lsn_t lsn, const struct verify_result *result);

/* Mode existing: takes triggers and rules that act in replica role, and where the plan says so all of them, foreign keys and secondary
 * indexes, of the target's tables out of the way; the journal has how each was before. In both modes: makes columns text, where the plan says so. source NULL:
 * none is. loaded: some have their rows, and so keep their indexes. May be run again. */
bool work_take_out(struct work *work, struct conn *source, struct conn *target, bool loaded, struct err *err);

/* It was equal earlier, and has not been written to until that position. */
void work_record_known(const struct work *work, const struct table *table, lsn_t lsn);

struct table_entry;
/* A picked table as "tables" messages have it. Owned. */
cJSON *work_entry_json(const struct table_entry *entry);
/* Writes tables of the model into the target's state; those that wanted (NULL: all) picks. */
bool work_add_tables(struct work *work, struct conn *target,
                     bool (*wanted)(const struct table *table), struct err *err);

bool work_admit(struct work *work, struct err *err);
bool work_detach(struct work *work, struct err *err);
bool work_withdraw(struct work *work, struct err *err);

struct copy_result;
/* Tells the supervisor that a table's rows are on the target; that a table failed (err is cleared). */
void work_report_copied(struct work *work, const struct table *table,
                        const struct copy_result *result, lsn_t epoch);
void work_report_failed(struct work *work, const struct table *table, struct err *err);
/* The tables of a job ("oids"), *count of them; the array is owned. */
const struct table **work_job_tables(struct work *work, const cJSON *message, size_t *count);

/* Makes the log of schema changes on the source where the plan wants it and the role may (*made). */
bool work_make_ddl_log(struct work *work, struct conn *source, bool *made, struct err *err);
/* Is it there? */
bool work_has_ddl_log(struct conn *source, const char *log, bool *has, struct err *err);
/* Keeps the definitions of all tables as they are where the stream begins. Retryable, with a new slot, when
 * the schema is changed meanwhile. */
bool work_begin_ddl_log(struct work *work, struct conn *source, const char *snapshot, struct err *err);
/* The same for a later epoch and the tables that are still to be copied. */
bool work_go_on_ddl_log(struct work *work, const char *snapshot, struct err *err);
/* Has a table of the source other columns or another name than its counterpart? A new epoch would mend it. */
bool work_was_altered(struct work *work, const struct table *table);
/* Tells the supervisor of the tables as the target knows them: added, renamed, of another mode; and of those
 * that are gone. */
bool work_tell_tables(struct work *work, struct conn *target, struct err *err);

struct repl_slot;
/* A new snapshot of the source and its position, by a slot that is gone with repl (CONN_REPLICATION), which is not to be
 * used otherwise while the snapshot is. ERR_TIMEOUT: transactions that write did not end within timeout_ms. Nothing is left
 * behind on error but, before 10, what the journal knows. */
bool work_make_snapshot(struct work *work, struct conn *repl, int timeout_ms, struct repl_slot *slot,
                        struct err *err);

/* Tells what "check --fix" did for this database, so that it stands in the migration's record. */
void work_tell_fixes(struct work *work);
/* Takes back what "check --fix" did for this database (all: for every one, but for rights, which deleting it still needs) and
 * what is not to stay. What cannot be is told, and
 * keeps nothing from ending. */
bool work_undo_fixes(struct work *work, bool all, struct err *err);

/* Undoes what the journal has for this pipeline, newest first. kinds: names separated by blanks, NULL:
 * all. Goes on after an error; the first one is reported. */
bool work_undo_kinds(struct work *work, const char *kinds, struct err *err);
/* The same, of one kind and one object alone; what the journal does not have is success. */
bool work_undo_object(struct work *work, const char *kind, const char *schema, const char *name, struct err *err);

#endif
