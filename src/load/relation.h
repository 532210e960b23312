/* What the catalog of either side says of the tables to copy, read for many at once. */
#ifndef PGC_LOAD_RELATION_H
#define PGC_LOAD_RELATION_H

#include <stdint.h>

#include "pg/conn.h"

struct relation_key {
    const char *oid; /* text; NULL: found by its name */
    const char *schema;
    const char *name;
    const char *columns; /* text[] literal: only these; NULL: all */
};

struct column {
    char *name; /* owned */
    uint32_t type;
    bool generated;
};

struct relation {
    char kind;         /* pg_class.relkind; '\0': there is none */
    bool referenced;   /* by another table's foreign key */
    bool same_name;    /* the key's name still means it */
    bool same_storage; /* neither rewritten nor truncated since the transaction's snapshot */
    bool has_pages;
    uint32_t filenode; /* as the snapshot has it */
    struct column *columns; /* owned */
    size_t count, cap;
};

/* Fills relations[0..count]; they must be empty ({0}). One that does not exist has the kind '\0'. */
bool relations_read(struct conn *c, const struct relation_key *keys, size_t count,
                    struct relation *relations, struct err *err);
void relation_release(struct relation *relation);

#endif
