/* Two databases' schemas, object by object, as pg_dump has them. */
#ifndef PGC_SCHEMA_DIFF_H
#define PGC_SCHEMA_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "schema/dump.h"
#include "schema/names.h"

enum schema_difference_kind { DIFFERENCE_MISSING, DIFFERENCE_EXTRA, DIFFERENCE_TEXT };

struct schema_difference {
    enum schema_difference_kind kind; /* MISSING: on the second one; EXTRA: there alone */
    char *object;                     /* owned, like the rest: "TYPE schema.name" */
    char *first, *second;             /* the texts; NULL: it is not there */
};

struct schema_differences {
    struct schema_difference *items;
    size_t count, cap;
    size_t same; /* objects that both have */
};

#define SCHEMA_DIFFERENCES_INIT {0}

/* Dumps both, one after the other, and compares. The order of objects does not count; the state schema and the log of schema
 * changes are nobody's. Where the servers are of two majors, what differs only in how they print it (parentheses, white space, how
 * columns are qualified) is the same. renames: names of the first that the second has otherwise; NULL: none. Release in any case. */
bool schema_diff(const struct schema_dump *first, const struct schema_dump *second, const struct schema_renames *renames,
                 struct schema_differences *differences, struct err *err);
/* The same by what the catalogs say, which is less (no owners, privileges, comments): for a server that is newer than any pg_dump. */
bool schema_diff_catalogs(struct conn *first, struct conn *second, const struct schema_renames *renames,
                          struct schema_differences *differences, struct err *err);
void schema_differences_release(struct schema_differences *differences);

#endif
