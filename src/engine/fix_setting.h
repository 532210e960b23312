/* ALTER SYSTEM, and what postgresql.auto.conf had before. */
#ifndef PGC_ENGINE_FIX_SETTING_H
#define PGC_ENGINE_FIX_SETTING_H

#include "pg/conn.h"

/* Does the statement set something with ALTER SYSTEM? Then *name is the setting (owned), and *value what it is to be as the
 * file will have it (owned; NULL: it is reset, or written in a way that is not ours). */
bool fix_setting_parse(const char *statement, char **name, char **value);

/* What the file has now: *value owned, NULL where it has nothing. False: it may not be looked at (err has why). */
bool fix_setting_auto(struct conn *c, const char *name, char **value, struct err *err);

/* The statement that brings back what the file has now, so that nothing is left in it that was not there. NULL: it may not be
 * looked at. Owned. */
char *fix_setting_undo(struct conn *c, const char *name);

#endif
