/* The scheduler of a full load: epochs, copy workers, index workers (part of the supervisor). */
#ifndef PGC_ENGINE_LOAD_H
#define PGC_ENGINE_LOAD_H

#include "engine/supervisor.h"

/* Starts what is missing and hands out jobs; lets the snapshot go when the last copy is made. */
void load_turn(struct supervisor *s, struct pipeline *p);
/* True when it was one of the loaders and has been dealt with; err is taken then. */
bool load_worker_ended(struct supervisor *s, struct pipeline *p, const char *kind,
                       struct table *table, struct err *err);
/* Tables that failed are tried again. */
void load_retry_errors(struct supervisor *s, struct pipeline *p);

/* A table's rows are there: indexes next. */
void load_table_loaded(struct supervisor *s, struct pipeline *p, struct table *table);
void load_table_failed(struct supervisor *s, struct pipeline *p, struct table *table,
                       struct err *err);

#endif
