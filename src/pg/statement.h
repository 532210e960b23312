/* What a text of SQL statements does, as far as its words tell: for the record of what was changed on a server. */
#ifndef PGC_PG_STATEMENT_H
#define PGC_PG_STATEMENT_H

#include <stdbool.h>

/* Does any of its statements change a server, other than rows: definitions, privileges, settings, slots, sequences,
 * large objects, sessions that are ended, tables that are emptied or analyzed? Rows (INSERT, UPDATE, DELETE, COPY) are
 * told by counters, and temporary objects and a session's own settings by nothing. Understands quotes, dollar quotes and
 * comments (PostgreSQL documentation, "Lexical Structure"). */
bool statement_changes_server(const char *sql);

/* The same text with "***" for the string behind each PASSWORD, whatever its case (roles, user mappings), and for strings with
 * "password=" in them (subscriptions). Owned. */
char *statement_without_secrets(const char *sql);

#endif
