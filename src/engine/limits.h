/* What an operator may change while a migration runs: jobs, rate, the WAL that the source may keep. They are keys
 * of the plan, in the engine's copy of it, which is written back: so they outlive the engine. */
#ifndef PGC_ENGINE_LIMITS_H
#define PGC_ENGINE_LIMITS_H

#include <cjson/cJSON.h>

#include "engine/supervisor.h"

/* {"loadJobs","syncJobs","bytesPerSecond","sourceSlotWal"} of a plan; what is not limited is null. Owned. */
cJSON *limits_json(const struct plan *plan);

/* Sets what the request names (as text, as in the plan; "none": back to the default), all or nothing, and
 * answers with what is in force. ERR_USAGE with the plan's own words; ERR_IO when the plan cannot be
 * written: nothing is changed then. */
bool limits_command(struct supervisor *s, const cJSON *request, cJSON *answer, struct err *err);

#endif
