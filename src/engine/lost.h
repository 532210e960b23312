/* Tables of which the source's stream does not tell all (load/storage.h, definitions.h), as the monitor notices it.
 *
 * While changes are streamed the applier stops the table, as after any error of its own, and the others go on; it is loaded again when
 * somebody says so. Before that there is no stream whose place it could be stopped at, and nothing lost by loading it again: so it
 * is done at once. The new snapshot is of a later position, and changes from before it are left out. The monitor tells
 * again and again until the target's state says that the table is stopped or loaded anew: what is told at the wrong
 * moment is passed over. */
#ifndef PGC_ENGINE_LOST_H
#define PGC_ENGINE_LOST_H

#include "engine/supervisor.h"

/* {"oid","error"}; "definition" true: its definition alone has changed, which waits until changes are streamed. */
void lost_on_table(struct supervisor *s, struct worker *w, const cJSON *message);

#endif
