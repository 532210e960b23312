/* The target's database and the state schema in it. */
#ifndef PGC_SCHEMA_TARGET_H
#define PGC_SCHEMA_TARGET_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"

/* Asks through the database postgres, then template1 where that one is closed to us. */
bool schema_target_database_exists(const struct conninfo *target, const char *db, bool *exists,
                                   struct err *err);

/* Makes the database with encoding, locale and locale provider of the one that source is in, from
 * template0. On error nothing is left behind; a database of that name is an error. */
bool schema_target_database_create(struct conn *source, const struct conninfo *target,
                                   const char *db, struct err *err);

/* Did nobody make anything in the database? Members of extensions, empty schemas and pgcutover do
 * not count. what: "table app.customer, type app.mood, ..." is appended, at most ten. */
bool schema_target_is_empty(struct conn *target, struct buf *what, bool *empty, struct err *err);

/* Makes the schema pgcutover with its tables, in one transaction. */
bool schema_state_create(struct conn *target, struct err *err);
bool schema_state_exists(struct conn *target, bool *exists, struct err *err);
/* Drops it and everything in it; that it is not there is no error. */
bool schema_state_drop(struct conn *target, struct err *err);

#endif
