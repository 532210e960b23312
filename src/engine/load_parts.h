/* Tables that are copied in parts, by several workers (part of the scheduler of the load; load/parts.h says how a
 * table is cut). All parts of one are read under the same snapshot: when that is lost before the last one is copied, the
 * table begins anew. */
#ifndef PGC_ENGINE_LOAD_PARTS_H
#define PGC_ENGINE_LOAD_PARTS_H

#include "engine/supervisor.h"

/* Is the table so large that others would have nothing to do while one worker copies it? */
bool parts_are_wanted(const struct supervisor *s, const struct pipeline *p, const struct table *table);
/* Gives a worker the job to empty the table and cut it. */
void parts_cut_by(struct supervisor *s, struct worker *w, struct table *table);
/* It was cut; 1: it is to be copied whole. False: the worker's job was another one. */
bool parts_were_cut(struct supervisor *s, struct worker *w, struct table *table, int count);

/* A table with a part that nobody copies yet, or NULL; how many such parts there are. */
struct table *parts_next(const struct pipeline *p);
size_t parts_waiting(const struct pipeline *p);
void parts_give(struct supervisor *s, struct worker *w, struct table *table);
/* What the worker has copied of its part so far. */
void parts_progress(struct supervisor *s, struct worker *w, struct table *table, int64_t rows, int64_t bytes);
/* Its part is there. True when it was the last one. */
bool parts_copied(struct supervisor *s, struct worker *w, struct table *table, int64_t rows, int64_t bytes, bool last);

/* The worker is gone, or has failed: its part waits again. False: it had none. */
bool parts_put_back(struct supervisor *s, struct worker *w);
/* The table is not copied in parts any more: workers that are at it are stopped. */
void parts_give_up(struct supervisor *s, struct pipeline *p, struct table *table);

#endif
