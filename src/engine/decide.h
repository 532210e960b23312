/* The plan's decisions on statements of the schema, on their way to the schema step; what became of them, on its way back. */
#ifndef PGC_ENGINE_DECIDE_H
#define PGC_ENGINE_DECIDE_H

#include "plan/plan.h"
#include "schema/decisions.h"
#include "schema/role_map.h"

struct work;

/* Those of one database; edits is the caller's to free, all else borrowed from the plan. */
struct schema_decisions decide_of(const struct plan *plan, const char *database, struct schema_edit **edits);

/* schema.roleMap; roles is the caller's to free, the names are the plan's. */
struct schema_role_map role_map_of(const struct plan *plan, struct schema_role **roles);

/* Are foreign keys, and triggers, kept from being there until the target is opened? */
bool holds_keys(const struct plan *plan);
bool holds_triggers(const struct plan *plan);

/* Stores schema.afterSchemaSql among the objects, where the plan has it. */
bool work_store_after_sql(struct work *work, struct conn *target, struct err *err);
/* Makes them those of the target's state; fits: an edit that names nothing is an error. */
bool work_decide(struct work *work, struct conn *target, bool fits, struct err *err);
/* Tells the supervisor how the statements stand; what goes wrong with it is logged. */
void work_tell_statements(struct work *work, struct conn *target);

#endif
