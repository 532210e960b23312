/* Materialized views: no stream carries them, so they are filled on the target. */
#ifndef PGC_SCHEMA_MATVIEWS_H
#define PGC_SCHEMA_MATVIEWS_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"
#include "schema/apply.h"

/* Refreshes on the target each materialized view that is populated on the source, in dependency order;
 * one that needs another through a function is tried again after it. All are tried; ERR_SERVER lists
 * those that could not be filled. progress may be NULL. */
bool schema_matviews_refresh(struct conn *source, struct conn *target,
                             const struct schema_progress *progress, struct err *err);

#endif
