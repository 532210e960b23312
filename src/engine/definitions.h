/* Schema changes of the source that nothing tells of: where there is no log of them (sync.ddl "stop", or a role that may not make
 * event triggers), columns show when the next row comes, constraints and indexes never. So the definitions are read now and then,
 * and compared with those of the look before, which are kept on the target (pgcutover.definitions). A table that has
 * changed, and whose counterpart has not, is stopped with the statements for it, while the others go on; when it is stopped, the
 * new definition is kept: "resume" goes on with whatever the target has then. Names do not count: tables are known by their OIDs. */
#ifndef PGC_ENGINE_DEFINITIONS_H
#define PGC_ENGINE_DEFINITIONS_H

#include "engine/worker.h"

/* Is there anything to look for on this source? False with err: it could not be seen. */
bool definitions_are_wanted(struct work *work, struct conn *source, bool *wanted, struct err *err);
/* One look at all tables; those that are to be stopped are told to the supervisor ("table_lost" with "definition"). */
bool definitions_look(struct work *work, struct conn *source, struct conn *target, struct err *err);

#endif
