/* Roles that the source's database needs and the target lacks. */
#ifndef PGC_SCHEMA_ROLES_H
#define PGC_SCHEMA_ROLES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"
#include "schema/role_map.h"
#include "schema/tools.h"

/* In all of these roles that others stand for (map, may be NULL) are not needed. */

/* Appends the names, quoted where SQL needs it, with ", " between them. */
bool schema_missing_roles(struct conn *source, struct conn *target, const struct schema_role_map *map, struct buf *names,
                          struct err *err);

/* Makes the missing roles in one transaction, from pg_dumpall --roles-only: attributes, passwords where
 * the source lets us read them, settings, comments, and the memberships that one of them takes part
 * in. Attributes that only a superuser may give are left out where the target's role is none. made:
 * "name, name (no password), ..." is appended. Roles that exist are not touched; on error none is made. */
bool schema_roles_copy(struct conn *source, const struct conninfo *source_info,
                       const struct schema_tools *tools, struct conn *target,
                       const struct schema_role_map *map, struct buf *made, struct err *err);

/* Appends the statements that schema_roles_copy() would run, without passwords; "" when no role is missing. */
bool schema_roles_script(struct conn *source, const struct conninfo *source_info,
                         const struct schema_tools *tools, struct conn *target,
                         const struct schema_role_map *map, struct buf *sql, struct err *err);

#endif
