/* A primary key or unique constraint in two steps: its index, which several sessions can build next to each
 * other, and the constraint on that index, which takes a moment. */
#ifndef PGC_SCHEMA_CONSTRAINT_H
#define PGC_SCHEMA_CONSTRAINT_H

#include <stdbool.h>

#include "base/buf.h"

/* Splits pg_dump's "ALTER TABLE ONLY t ADD CONSTRAINT c PRIMARY KEY (...) ...;" into CREATE UNIQUE INDEX
 * and ALTER TABLE ... USING INDEX, appended to index and constraint; what follows the statement (CLUSTER
 * ON, REPLICA IDENTITY) goes with the constraint. False, with nothing appended, where the constraint is of another
 * kind, or says what CREATE INDEX cannot (WITHOUT OVERLAPS). */
bool constraint_split(const char *statement, struct buf *index, struct buf *constraint);

#endif
