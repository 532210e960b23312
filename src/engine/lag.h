/* Why the target is behind, and how long the source can bear it: pure functions of what the workers told. */
#ifndef PGC_ENGINE_LAG_H
#define PGC_ENGINE_LAG_H

#include "base/buf.h"
#include "engine/model.h"

enum lag_cause {
    LAG_NONE,     /* the target is not behind, or nothing is known yet */
    LAG_DECODING, /* the source has not decoded that far */
    LAG_NETWORK,  /* it is on the way here */
    LAG_SPOOL,    /* received and not durable here: no room, or a transaction that did not end */
    LAG_LOCK,     /* the applier waits for a lock on the target */
    LAG_APPLY,    /* the target applies what is here */
};

/* "decoding" and so on, NULL for LAG_NONE. */
const char *lag_cause_name(enum lag_cause cause);

/* Where most of the bytes between source and target wait; text (may be NULL) gets a sentence for people,
 * with who holds things up where that is known. A lock comes first, whatever the bytes say. */
enum lag_cause lag_explain(const struct pipeline *p, int64_t now_us, struct buf *text);

/* WAL that the source writes a second, measured over the readings of the last minute; 0: unknown. */
int64_t lag_wal_rate(const struct pipeline *p);

/* What ends the slot first if nothing of it is confirmed any more. */
struct runway {
    int64_t left_bytes;    /* until then; -1: nothing limits it, or not known */
    int64_t left_s;        /* at the measured rate; -1: not known, or no WAL is written */
    const char *limit;     /* "limits.sourceSlotWal" or "max_slot_wal_keep_size"; NULL: none */
};

struct runway lag_runway(const struct pipeline *p, int64_t plan_limit_bytes);

#endif
