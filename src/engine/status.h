/* The model as JSON: what `az dms project task show --expand output` prints, plus more
 * (interface.md, "Status"). */
#ifndef PGC_ENGINE_STATUS_H
#define PGC_ENGINE_STATUS_H

#include <cjson/cJSON.h>

#include "engine/model.h"

/* The whole status; owned by the caller. Of many thousands of tables: status_frame() and parts. */
cJSON *status_json(const struct migration *m);
/* The status without its tables; owned by the caller. */
cJSON *status_frame(const struct migration *m);
/* The next tables, at most `most`, as an array owned by the caller; NULL when there are no more. *cursor
 * begins at 0. Tables that are added or sorted anew meanwhile are in the next delta. */
cJSON *status_part(const struct migration *m, uint64_t *cursor, size_t most);
/* Writes the whole status to a file, as json_pretty_sorted() would, in place of what is there: no more than
 * one table of it is in memory at a time. On error the old file stays. */
bool status_store(const struct migration *m, const char *path, struct err *err);

/* {"state":…, "output":[objects changed since version `since`], "events":[newer than event number
 * `events_since`]}; owned by the caller. The migration-level object is always there, tables where they
 * are wanted. */
cJSON *status_delta(const struct migration *m, uint64_t since, uint64_t events_since, bool tables);

/* "Queued", "Running", "Canceled", "Succeeded", "Failed", "FailedInputValidation". */
const char *status_task_state(const struct migration *m);

#endif
