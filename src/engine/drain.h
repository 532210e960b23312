/* What the cutover waits for: everything before a position being applied. */
#ifndef PGC_ENGINE_DRAIN_H
#define PGC_ENGINE_DRAIN_H

#include "engine/supervisor.h"

/* "drain" of the worker cutover or rehearse: it is told "drained" once the stream has passed the position. */
void drain_on_wanted(struct supervisor *s, struct worker *w, const cJSON *message);
/* The stream has moved: tells the worker, or writes into the cutover's step that runs what is left, in bytes of WAL and, as soon as the
 * speed is known, seconds. */
void drain_moved(struct supervisor *s, struct pipeline *p);

#endif
