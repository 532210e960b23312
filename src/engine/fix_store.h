/* What the operator had mended on the servers ("pgcutover check --fix"), with what takes each back: written and synced
 * before the act, like the journal, but beside the migrations: it is there before the migration begins, and outlives one
 * that failed at the next check.
 *
 * STATE/.fixes/NAME.json: an array of {"seq","id","side","databaseName","migrated","role","statements","undo","reload","lasts","right",
 * "time"}, "hba" where it is about pg_hba.conf, "logFile" where a restart is to follow; statements and undo have one statement a line. The file is gone with its last entry. */
#ifndef PGC_ENGINE_FIX_STORE_H
#define PGC_ENGINE_FIX_STORE_H

#include <cjson/cJSON.h>

#include "base/err.h"

/* All entries of a migration, oldest first; empty where there is none. NULL with ERR_IO, or ERR_PROTOCOL where the file is
 * damaged. Owned. */
cJSON *fix_store_read(const char *state_dir, const char *name, struct err *err);
/* Adds an entry (taken) and gives it a number. Durable when it returns true. */
bool fix_store_add(const char *state_dir, const char *name, cJSON *entry, int *seq, struct err *err);
/* Durable when it returns true; one that is not there is no error. */
bool fix_store_remove(const char *state_dir, const char *name, int seq, struct err *err);
bool fix_store_is_empty(const char *state_dir, const char *name);

#endif
