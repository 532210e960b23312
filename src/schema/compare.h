/* A target whose schema somebody else made: do its tables take what the source's bring? */
#ifndef PGC_SCHEMA_COMPARE_H
#define PGC_SCHEMA_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_table_pair {
    const char *source_oid; /* all borrowed */
    const char *target_schema;
    const char *target_table;
    const char *columns;    /* text[] literal: those that the source brings; NULL: all */
};

/* One ERR_PREREQUISITE with a line for each: table missing, column missing, column of another type,
 * column of the target alone that must be given a value. Changes nothing. */
bool schema_compare_tables(struct conn *source, struct conn *target,
                           const struct schema_table_pair *pairs, size_t count, struct err *err);

#endif
