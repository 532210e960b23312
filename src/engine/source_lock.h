/* cutover.stopWrites "lock" as the supervisor sees it: a worker of its own ("lock") holds the source's tables from the moment
 * that the cutover asks for it until the target is open, or the cutover is undone. Its end before that undoes the cutover. */
#ifndef PGC_ENGINE_SOURCE_LOCK_H
#define PGC_ENGINE_SOURCE_LOCK_H

#include "engine/supervisor.h"

#define SOURCE_LOCK_WORKER "lock"

bool source_lock_is_wanted(const struct pipeline *p);
void source_lock_turn(struct supervisor *s, struct pipeline *p);
/* Of any worker that has ended: true when the locks were wanted still. err is then an error of the state's own worker, not
 * retryable. */
bool source_lock_worker_ended(struct worker *w, struct err *err);
/* An engine that starts while the target is being opened: the locks went with the one before. */
void source_lock_restore(const struct supervisor *s, const struct pipeline *p);

/* Messages: of "cutover" and "close", and of its own worker. */
void source_lock_on_wanted(struct supervisor *s, struct worker *w, const cJSON *message);
void source_lock_on_unwanted(struct supervisor *s, struct worker *w, const cJSON *message);
void source_lock_on_held(struct supervisor *s, struct worker *w, const cJSON *message);

#endif
