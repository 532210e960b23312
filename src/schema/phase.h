/* When an object of a dump is applied. */
#ifndef PGC_SCHEMA_PHASE_H
#define PGC_SCHEMA_PHASE_H

#include <stdbool.h>
#include <stddef.h>

/* In order: an object never comes in an earlier phase than what it depends on. */
enum schema_phase {
    PHASE_PRE,         /* before any data */
    PHASE_INDEX,       /* after a table's load */
    PHASE_FOREIGN_KEY, /* after all tables' indexes */
    PHASE_POST,        /* triggers, rules, views that need keys, privileges */
    PHASE_HELD,        /* what would act on the changes that are still applied: in the cutover's freeze */
    PHASE_HELD_KEY,    /* foreign keys that would: behind all else */
};

/* As in pgcutover.objects: "pre", "index", "foreign-key", "post", "held", "held-key". */
const char *schema_phase_name(enum schema_phase phase);

/* The earliest phase of an object by itself. post: of pg_dump's post-data section; flag: pg_trigger's
 * tgenabled or pg_rewrite's ev_enabled, '\0' when unknown. */
enum schema_phase schema_phase_of(const char *type, bool post, char flag);

/* Comments, security labels: they go with what they are about. */
bool schema_type_follows(const char *type);

#endif
