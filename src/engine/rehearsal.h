/* "cutover --rehearse" as the supervisor sees it: who asked for one, and what came of it (cutover_rehearse.c does it). */
#ifndef PGC_ENGINE_REHEARSAL_H
#define PGC_ENGINE_REHEARSAL_H

#include "engine/supervisor.h"

/* "rehearse" begins one, "rehearsal" tells how it stands. */
bool rehearsal_is_command(const char *name);
/* rehearse: {"databaseName" (may be missing: all)}; ERR_USAGE, with nothing begun, where a database is not ready to be cut
 * over. rehearsal: adds "pending" and "databases" to the answer: {"databaseName", "text", "error"}. */
bool rehearsal_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer, struct err *err);
bool rehearsal_is_wanted(const struct pipeline *p);
/* Starts its worker where it is wanted; gives it up where it can no longer be. */
void rehearsal_turn(struct supervisor *s, struct pipeline *p);
/* Of any worker that has ended: true when it was this one's; err is taken then. */
bool rehearsal_worker_ended(struct supervisor *s, struct worker *w, struct err *err);

#endif
