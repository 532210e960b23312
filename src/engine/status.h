/* The model as JSON: what `az dms project task show --expand output` prints, plus more
 * (interface.md, "Status"). */
#ifndef PGC_ENGINE_STATUS_H
#define PGC_ENGINE_STATUS_H

#include <cjson/cJSON.h>

#include "engine/model.h"

/* The whole status; owned by the caller. */
cJSON *status_json(const struct migration *m);

/* {"state":…, "output":[objects changed since version `since`], "events":[newer than event number
 * `events_since`]}; owned by the caller. The migration-level object is always there. */
cJSON *status_delta(const struct migration *m, uint64_t since, uint64_t events_since);

/* "Queued", "Running", "Canceled", "Succeeded", "Failed", "FailedInputValidation". */
const char *status_task_state(const struct migration *m);

#endif
