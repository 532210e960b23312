/* Tables that are copied while nobody writes: those without a key, unlogged ones. */
#ifndef PGC_CUTOVER_TABLES_H
#define PGC_CUTOVER_TABLES_H

#include "load/copy_table.h"

/* Called after each table that was copied; index is its place among the jobs. */
struct tables_progress {
    void (*copied)(void *arg, size_t index, const struct copy_result *result);
    void *arg;
};

/* Copies each table as copy_table() does, under one snapshot of its own. *copied (may be NULL) is how many are
 * done; on error these stay, committed, and the rest is as before: call again. */
bool at_cutover_tables(struct conn *src, struct conn *dst, const struct copy_job *jobs, size_t count,
                       const struct tables_progress *progress, size_t *copied, struct err *err);

#endif
