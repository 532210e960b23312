/* GENERATED ALWAYS identity columns, which refuse the values that the changes bring. */
#ifndef PGC_SCHEMA_IDENTITY_H
#define PGC_SCHEMA_IDENTITY_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

/* Makes those of all users' tables BY DEFAULT and remembers them in pgcutover.identity, a bounded
 * number a transaction. May be run again. */
bool schema_identity_relax(struct conn *target, struct err *err);
/* Makes exactly the remembered ones ALWAYS again and forgets them. May be run again. */
bool schema_identity_restore(struct conn *target, struct err *err);

#endif
