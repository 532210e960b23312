/* The source's schema, from its pg_dump into pgcutover.objects of the target. */
#ifndef PGC_SCHEMA_DUMP_H
#define PGC_SCHEMA_DUMP_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"
#include "schema/tools.h"

struct schema_dump {
    struct conn *source;                /* open on the database; borrowed, as the rest */
    const struct conninfo *source_info; /* for pg_dump, with the same dbname */
    const struct schema_tools *tools;
    struct conn *target;                /* has the schema pgcutover */
    const char *work_dir;               /* for two files, which are gone afterwards */
    const char *const *tables;          /* quoted names, ended by NULL: only these; NULL: everything */
};

/* Dumps, splits, classifies and stores all objects in one transaction on the target. Does nothing
 * when objects are stored already. *count (may be NULL) is how many there are. On error nothing is
 * stored. With tables, what belongs to these is added behind what is stored: the caller knows that it
 * is not there yet. */
bool schema_dump_store(const struct schema_dump *dump, int *count, struct err *err);

#endif
