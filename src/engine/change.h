/* Changing what is moved while changes are streamed: tables loaded again, added, removed.
 *
 * A change is one line of the journal ("asked") before anything is done for it, and is taken up again after a
 * crash. Two workers carry it out: "admit" (added tables only: checks, the table on the target, the
 * publication), with the stream going on; then, while no applier runs, "detach", which notes in the target's
 * state that the stream passes over these tables and needs the spool from here on. The rest is a load as
 * any other (load.c), and the applier's catch-up pass.
 *
 * Tables are removed by "withdraw" alone, while no applier runs: also from a load, where one that cannot be loaded would
 * keep all the others. Their rows on the target stay as they are. */
#ifndef PGC_ENGINE_CHANGE_H
#define PGC_ENGINE_CHANGE_H

#include "engine/supervisor.h"

bool change_is_command(const char *name);
/* "reload", "add", "remove": {"tables":[TEXT...],"databaseName":TEXT|null}; "change": how the last one stands, as
 * {"pending":BOOL,"error":{...}|null}. ERR_USAGE with the reason where it cannot be done. */
bool change_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer,
                    struct err *err);

/* From the journal's entry of the pipeline. */
void change_restore(struct pipeline *p, const cJSON *entry);
/* The worker of the change that is due in this state, NULL none. */
const char *change_worker(const struct pipeline *p);
/* That worker is done. */
void change_worker_done(struct supervisor *s, struct pipeline *p);
/* It failed for good: the change is given up, the stream goes on. err is taken. */
void change_give_up(struct supervisor *s, struct pipeline *p, struct err *err);

#endif
