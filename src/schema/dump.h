/* The source's schema, from its pg_dump into pgcutover.objects of the target, or to somebody else. */
#ifndef PGC_SCHEMA_DUMP_H
#define PGC_SCHEMA_DUMP_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"
#include "schema/phase.h"
#include "schema/role_map.h"
#include "schema/script.h"
#include "schema/tools.h"

struct schema_dump {
    struct conn *source;                /* open on the database; borrowed, as the rest */
    const struct conninfo *source_info; /* for pg_dump, with the same dbname */
    const struct schema_tools *tools;
    struct conn *target;                /* has the schema pgcutover; not of schema_dump_visit() */
    const char *work_dir;               /* for two files, which are gone afterwards */
    const struct schema_role_map *role_map; /* NULL: all roles keep their names */
    bool hold_keys;                     /* foreign keys are of PHASE_HELD_KEY */
    bool hold_triggers;                 /* triggers, and rules on tables, are of PHASE_HELD whatever their state */
    const char *const *tables;          /* quoted names, ended by NULL: only these; NULL: everything */
};

/* Dumps, splits, classifies and stores all objects in one transaction on the target. Does nothing
 * when objects are stored already. *count (may be NULL) is how many there are. On error nothing is
 * stored. With tables, what belongs to these is added behind what is stored: the caller knows that it
 * is not there yet. */
bool schema_dump_store(const struct schema_dump *dump, int *count, struct err *err);

struct schema_visitor {
    void (*encoding)(void *arg, const char *name); /* that all texts are in: once, before the first object */
    bool (*object)(void *arg, const struct script_object *object, enum schema_phase phase, struct err *err);
    void *arg;
};

/* Dumps the same and hands every object over, in the dump's order, with the phase it is applied in. Stores nothing
 * and asks nothing of a target. */
bool schema_dump_visit(const struct schema_dump *dump, const struct schema_visitor *visitor, struct err *err);

#endif
