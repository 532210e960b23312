/* What the checks measure of the source, to look ahead: how long the load takes, how much WAL the slot keeps meanwhile. */
#ifndef PGC_CHECK_AHEAD_H
#define PGC_CHECK_AHEAD_H

#include <stdbool.h>
#include <stdint.h>

struct check_measured {
    bool known;                             /* it was measured; else the checks do */
    int64_t source_trip_us, target_trip_us; /* a round trip, the shortest of a few */
    double copy_bps;                        /* bytes a second over one connection, 0: not measured */
    double wal_bps;                         /* that the source wrote meanwhile */
    char sample[160];                       /* of which table */
};

/* How long bytes take over that many connections, each as fast as the one that was measured; 0: not known. */
int64_t ahead_copy_us(const struct check_measured *measured, int64_t bytes, int connections);
/* The WAL that is written until then. */
int64_t ahead_wal_bytes(const struct check_measured *measured, int64_t us);

#endif
