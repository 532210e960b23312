/* The schemas of both sides, compared: schema --compare, and by itself when a target has been opened. */
#ifndef PGC_ENGINE_COMPARE_H
#define PGC_ENGINE_COMPARE_H

#include "engine/worker.h"
#include "plan/plan.h"
#include "schema/diff.h"

struct schema_comparison {
    struct schema_differences differences;
    struct schema_renames renames; /* as the plan has them */
    bool by_catalogs;              /* no pg_dump here reads both */
};

#define SCHEMA_COMPARISON_INIT {SCHEMA_DIFFERENCES_INIT, SCHEMA_RENAMES_INIT, false}

/* Compares by one pg_dump of both sides, so that a text differs only where the definition does; by the catalogs where there is none
 * that is new enough. Names that the plan's mappings and roles give are taken for what they stand for; but where a target is not opened
 * yet, and renamed is false, tables that are copied have their own names still. work_dir: for pg_dump's files. Changes nothing. Release
 * in any case. */
bool compare_schemas(const struct plan *plan, const struct plan_database *database, struct conn *source, struct conn *target, bool renamed,
                     const char *work_dir, struct schema_comparison *comparison, struct err *err);
void schema_comparison_release(struct schema_comparison *comparison);

/* Why it differs, as far as the plan says: "edit", "skip", "map" (a schema that tableMappings need); NULL: it does not. */
const char *compare_decision(const struct schema_comparison *comparison, const struct plan *plan, const char *database,
                             const struct schema_difference *difference);

/* The target is open: compares, and tells the supervisor, for status and report. What goes wrong with it is told, and no error. */
void work_compare_schemas(struct work *work);

#endif
