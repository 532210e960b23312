/* Comparing while changes are streamed, as the supervisor sees it: who asked for it, the stop of the stream that it
 * needs, and what came of it. The work itself is work_verify.c. */
#ifndef PGC_ENGINE_VERIFICATION_H
#define PGC_ENGINE_VERIFICATION_H

#include "engine/supervisor.h"

/* "verify" begins one, "verification" tells how it stands. */
bool verification_is_command(const char *name);
/* verify: {"databaseName" (may be missing: all), "tables": [NAME or pattern...] (empty: all), "repair"}. ERR_USAGE while
 * it cannot be, with nothing begun anywhere. verification: adds "pending" and "databases" to the answer. */
bool verification_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer,
                          struct err *err);

/* Should its worker run now? */
bool verification_is_wanted(const struct pipeline *p);
/* Begins one by itself where the plan says so ("continuous") and it is time. */
void verification_turn(struct supervisor *s, struct pipeline *p);
/* Of any worker that has ended: true when it was this one's; err is taken then. */
bool verification_worker_ended(struct supervisor *s, struct worker *w, struct err *err);

/* Messages of the workers "verify" and "apply". */
void verification_on_begun(struct supervisor *s, struct worker *w, const cJSON *message);
void verification_on_halt(struct supervisor *s, struct worker *w, const cJSON *message);
void verification_on_halted(struct supervisor *s, struct worker *w, const cJSON *message);
void verification_on_verified(struct supervisor *s, struct worker *w, const cJSON *message);

/* "equal", "different", ... of a table that was compared; NULL: it was not. */
const char *verification_state_name(enum verified verified);

#endif
