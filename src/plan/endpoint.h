/* One end of a migration: what its keys mean together. */
#ifndef PGC_PLAN_ENDPOINT_H
#define PGC_PLAN_ENDPOINT_H

#include <stdbool.h>

#include "base/err.h"
#include "plan/plan.h"

/* False for text that libpq would take for a whole connection string where a name belongs. */
bool endpoint_database_is_name(const char *text);

/* Checks the uri, moves the password in it to the secret (a password key goes before it) and
 * takes it out of the uri; fills in the defaults of port and database. ERR_USAGE does not repeat
 * the uri: it may hold a password. */
bool endpoint_finish(struct plan_endpoint *endpoint, struct err *err);

/* The database that was given, by key or uri. NULL where none was. Owned. */
char *endpoint_database(const struct plan_endpoint *endpoint);

void endpoint_release(struct plan_endpoint *endpoint);

#endif
