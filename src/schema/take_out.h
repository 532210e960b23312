/* A target whose schema somebody else made: what stands in the way of rows and changes is taken out, and put back exactly. */
#ifndef PGC_SCHEMA_TAKE_OUT_H
#define PGC_SCHEMA_TAKE_OUT_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_way {
    /* Before each act: kind is "trigger", "rule" or "index"; back is the statement that puts it back. False ends it. */
    bool (*before)(void *arg, const char *kind, const char *name, const char *back, struct err *err);
    void *arg;
    bool indexes; /* those too that the load and the stream do without; they become objects of their tables' own jobs */
};

/* Takes them out, of the tables in pgcutover.tables; *count (may be NULL) is how many. May be run again. */
bool schema_take_out(struct conn *target, const struct schema_way *way, int *count, struct err *err);

enum schema_put_back { PUT_BACK, PUT_WAS_THERE, PUT_TABLE_GONE };

/* Runs a statement that puts back. */
bool schema_put_back(struct conn *target, const char *statement, enum schema_put_back *how, struct err *err);

#endif
