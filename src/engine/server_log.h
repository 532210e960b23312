/* The last lines of a server's log, where it does not come up again: after a fix that wants a restart it is known where the log
 * is, and the server runs on this host or on the plan's SSH server (host.h). */
#ifndef PGC_ENGINE_SERVER_LOG_H
#define PGC_ENGINE_SERVER_LOG_H

#include <cjson/cJSON.h>

#include "pg/conn.h"
#include "plan/plan.h"

/* While the server runs: adds "logFile" to an entry of the store (fix_store.h), where it can be found out. c may be a role that may
 * not: then nothing is added. */
void server_log_note(cJSON *entry, const struct plan *plan, enum conn_side side, struct conn *c);

/* The end of the log that was noted last for that side; NULL: none is known, or it cannot be read. show (may be NULL) is told the
 * command before it is run. Owned. */
char *server_log_end(const char *state_dir, const struct plan *plan, enum conn_side side,
                     void (*show)(void *arg, const char *host, const char *command), void *arg);

#endif
