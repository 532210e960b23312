/* The way back: before a cutover opens the target, a second migration is armed that streams what will be written on the
 * target to the source, which is as the target is at that moment. It is a migration like any other, with source and target
 * exchanged and nothing to load (sync.mode sync-only): it has its own engine, status, report, and end. "pgcutover fallback"
 * cuts it over, which opens the source again. */
#ifndef PGC_ENGINE_FALLBACK_H
#define PGC_ENGINE_FALLBACK_H

#include "engine/worker.h"

/* What the migration is called that is the way back of one database: "shop-back", or, of a plan with several databases,
 * "shop-back-2". Owned. */
char *fallback_name(const struct migration *m, const struct pipeline *p);

/* Before writes are stopped: could it be armed? ERR_PREREQUISITE with what the checks found on the exchanged servers.
 * Changes nothing. */
bool fallback_check(struct work *work, struct err *err);

/* Inside of the freeze, with both sides equal and nothing writing: starts the migration and waits until its slot is there.
 * Known to the journal ("fallback") before. On error it is given up by whoever thaws. */
bool fallback_arm(struct work *work, const char *name, struct err *err);

/* Cancels a way back that was armed, and forgets it. One that was taken is left as it is. One that is not there is success. */
bool fallback_give_up(struct work *work, const char *name, struct err *err);

/* Where this migration is the way back of another: its target, the other's source, is writable again. target: CONN_PLAIN. */
bool fallback_reopen(struct work *work, struct conn *target, struct err *err);

#endif
