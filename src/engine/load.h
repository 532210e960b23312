/* The scheduler of a full load: epochs, copy workers, index workers (part of the supervisor). */
#ifndef PGC_ENGINE_LOAD_H
#define PGC_ENGINE_LOAD_H

#include "engine/supervisor.h"

/* Starts what is missing and hands out jobs; lets the snapshot go when the last copy is made. */
void load_turn(struct supervisor *s, struct pipeline *p);
/* True when it was one of the loaders and has been dealt with; err is taken then. */
bool load_worker_ended(struct supervisor *s, struct worker *w, struct err *err);
/* Tables that failed are tried again. */
void load_retry_errors(struct supervisor *s, struct pipeline *p);

/* A new snapshot, and no stream to bring what was copied under an older one up to it: all begins anew. */
void load_under_new_snapshot(struct supervisor *s, struct pipeline *p);

/* Before there is a stream: a loaded table is to be loaded again. */
void load_queue(struct supervisor *s, struct pipeline *p, struct table *table);
/* A table that is out of the stream is to be loaded; call load_begin_anew() behind the last one. */
void load_again(struct supervisor *s, struct pipeline *p, struct table *table);
/* Workers that were started before know nothing of tables that came since: they go. */
void load_begin_anew(struct supervisor *s, struct pipeline *p);

/* A table leaves the migration: no list and no worker has it any more. */
void load_forget_table(struct supervisor *s, struct pipeline *p, struct table *table);

/* One of a large table's indexes is there. */
void load_index_built(struct supervisor *s, struct pipeline *p, struct table *table);
/* A table was cut into so many parts. */
void load_table_cut(struct supervisor *s, struct worker *w, struct table *table, int parts);
/* A table's rows are there: indexes next. */
void load_table_loaded(struct supervisor *s, struct pipeline *p, struct table *table);
void load_table_failed(struct supervisor *s, struct pipeline *p, struct table *table,
                       struct err *err);

#endif
