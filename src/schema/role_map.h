/* Roles of the source that others stand for on the target: in owners, grants, default privileges, policies, user mappings. */
#ifndef PGC_SCHEMA_ROLE_MAP_H
#define PGC_SCHEMA_ROLE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"

struct schema_role {
    const char *from, *to; /* names as they are, without quotes; borrowed */
};

struct schema_role_map {
    const struct schema_role *items;
    size_t count;
};

#define SCHEMA_ROLE_MAP_INIT {0}

/* The name on the target: name itself where the map (which may be NULL) does not have it. Borrowed. */
const char *role_map_name(const struct schema_role_map *map, const char *name);
/* Appends a text of pg_dump's, with the roles that stand where only a role may stand replaced: never what is in strings, bodies,
 * comments or other names. */
void role_map_apply(const struct schema_role_map *map, const char *text, struct buf *out);
/* Appends those that should stand for others and do not exist on the target, quoted where SQL needs it. */
bool role_map_missing(const struct schema_role_map *map, struct conn *target, struct buf *names, struct err *err);

#endif
