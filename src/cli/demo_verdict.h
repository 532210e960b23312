/* The verdict of `pgcutover demo`, by plain SQL: without what the program itself compares with. */
#ifndef PGC_CLI_DEMO_VERDICT_H
#define PGC_CLI_DEMO_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "pg/conn.h"

struct demo_verdict {
    size_t tables, views, sequences; /* with data: partitions count, their parents do not; views are
                                        the materialized ones */
    size_t objects;                  /* columns, indexes, constraints, triggers, ... */
    int64_t rows;                    /* on the source */
    cJSON *differences;              /* owned array of texts; empty: equal */
    cJSON *leftovers;                /* owned array of texts; empty: nothing is left */
};

void demo_verdict_init(struct demo_verdict *verdict);
void demo_verdict_release(struct demo_verdict *verdict);

/* Compares rows, sequences and definitions; nobody may be writing. The source's materialized views
 * are refreshed first, as the cutover does with the target's. An error is one of a server:
 * differences are none. */
bool demo_verdict_compare(struct demo_verdict *verdict, struct conn *source, struct conn *target,
                          struct err *err);

/* What a migration left on either server. A session is listed for a moment after its client is gone:
 * there are timeout_ms for everything to vanish. */
bool demo_verdict_leftovers(struct demo_verdict *verdict, struct conn *source, struct conn *target,
                            int timeout_ms, struct err *err);

#endif
