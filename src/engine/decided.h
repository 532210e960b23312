/* Decisions on statements of the schema that were made while the migration runs, over what the plan's file says: the command
 * "decide". They are kept in DIR/decided.json, and count from the next "resume" on. */
#ifndef PGC_ENGINE_DECIDED_H
#define PGC_ENGINE_DECIDED_H

#include "engine/supervisor.h"

/* Reads them into m->decided, once; none where there is no such file. */
bool decided_load(struct migration *m, struct err *err);
/* Puts them over a plan's. */
void decided_apply(const struct migration *m, struct plan *plan);
/* {"command": "decide", "databaseName", "object", "sql" or "skip": true}; with neither it is what the plan says again. ERR_USAGE:
 * the target has refused no such statement, or there is no such database. Nothing is changed then. */
bool decided_command(struct supervisor *s, const cJSON *request, struct err *err);

#endif
