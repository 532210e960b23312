/* PgBouncer in front of the source: clients wait while it is paused, and come back to the target (PgBouncer's manual, "Admin
 * console"). */
#ifndef PGC_CUTOVER_BOUNCER_H
#define PGC_CUTOVER_BOUNCER_H

#include "pg/conn.h"

/* Opens the administration console. uri: with "pgbouncer" as database where it names none. The password comes from the URI,
 * PGPASSWORD or the passfile, as for any connection. */
bool bouncer_open(struct conn *c, const char *uri, struct err *err);

/* Waits until every transaction (in session pooling: every session) of that database is over and its connections to the
 * server are closed; who asks for one meanwhile waits. ERR_TIMEOUT after timeout_ms: it goes on waiting, until
 * bouncer_resume(). A database that is paused already is success. */
bool bouncer_pause(struct conn *c, const char *database, int timeout_ms, struct err *err);
/* One that is not paused is success. */
bool bouncer_resume(struct conn *c, const char *database, struct err *err);
/* Reads its configuration again. */
bool bouncer_reload(struct conn *c, struct err *err);
/* Does that database lead there, as it has it now? ERR_PREREQUISITE says where it does. */
bool bouncer_leads_to(struct conn *c, const char *database, const char *host, const char *port, const char *dbname,
                      struct err *err);

/* The configuration with the entry of that database leading elsewhere, all else of it and of the file as it was; NULL with
 * ERR_PREREQUISITE where it has no section "databases". Without an entry of its own (it may have one for all, "*") it gets one.
 * *before: its line, owned, NULL: none. Owned. */
char *bouncer_edit(const char *text, const char *database, const char *host, const char *port, const char *dbname,
                   char **before, struct err *err);
/* The same in the file, which keeps its mode and owner and is replaced at once. */
bool bouncer_edit_file(const char *path, const char *database, const char *host, const char *port, const char *dbname,
                       char **before, struct err *err);

#endif
