/* Applying the stored objects to the target.
 *
 * Each object's statement commits together with its state in pgcutover.objects, so that a run which was
 * cut off at any instant goes on exactly where it was. What fails gets the state 'failed' with SQLSTATE
 * and message; what depends on it is left 'pending'; the rest is applied; then the function returns an
 * error that lists the failures (type, name, message, SQLSTATE, line of the statement). The next run
 * tries pending and failed objects again. A lost connection or a stop request ends a run at once and
 * marks nothing. The connections must be idle, outside a transaction. */
#ifndef PGC_SCHEMA_APPLY_H
#define PGC_SCHEMA_APPLY_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_progress {
    void (*report)(void *arg, int done, int total, const char *object);
    void *arg;
};

/* phase: "pre", "after" (the operator's own statements, with the settings that the role has), "index", "post" or "held"; foreign keys have a way of their own (foreign_key.h). "index" is what the tables' own jobs leave: partitioned
 * tables' indexes and their attaching, those of materialized views. progress may be NULL. */
bool schema_apply_phase(struct conn *target, const char *phase,
                        const struct schema_progress *progress, struct err *err);

/* Indexes, keys and statistics objects of one loaded table (OID on the source, in pgcutover.tables);
 * then ANALYZE, then pgcutover.tables.indexed. */
bool schema_index_table(struct conn *target, const char *source_oid, struct err *err);

/* The same for several small tables in one transaction, all or none; on a refusal nothing is marked: then
 * each by itself. oids_array: "{1,2}". */
bool schema_index_tables(struct conn *target, const char *oids_array, struct err *err);

/* Builds one index of a table that nobody builds yet, or the index of a key, next to others who do the same;
 * success too when there is none. schema_index_table() does the rest afterwards. */
bool schema_build_index(struct conn *target, const char *source_oid, struct err *err);

#endif
