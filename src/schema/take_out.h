/* A target whose schema somebody else made: what stands in the way of rows and changes is taken out, and put back exactly. */
#ifndef PGC_SCHEMA_TAKE_OUT_H
#define PGC_SCHEMA_TAKE_OUT_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_way {
    /* Before each act: kind is "trigger", "rule", "foreign-key" or "index"; back is the statement that puts it back. False ends it. */
    bool (*before)(void *arg, const char *kind, const char *name, const char *back, struct err *err);
    void *arg;
    bool indexes; /* those too that the load and the stream do without; they become objects of their tables' own jobs */
    bool keys;    /* foreign keys too; they become objects of the phase "held-key" */
    bool triggers; /* all triggers and rules that fire, and not only those that do in replica role */
};

/* Takes them out, of the tables in pgcutover.tables; *count (may be NULL) is how many. May be run again. */
bool schema_take_out(struct conn *target, const struct schema_way *way, int *count, struct err *err);

enum schema_put_back { PUT_BACK, PUT_WAS_THERE, PUT_TABLE_GONE, PUT_NOT_VALID };

/* Runs a statement that puts back. A foreign key whose rows do not fit is put back without validating it (PUT_NOT_VALID), where it
 * may be. */
bool schema_put_back(struct conn *target, const char *statement, enum schema_put_back *how, struct err *err);

/* The statements that put a foreign key back, but for the one that validates it; NULL: there is no such step. Owned. */
char *schema_without_validation(const char *statement);

#endif
