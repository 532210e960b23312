/* host-disk: what is free where the servers keep their data and their WAL, and whether that lasts. Looked at where the server
 * runs on this host, or on the plan's SSH server ("df -Pk", which is told first); elsewhere nobody can tell. */
#ifndef PGC_ENGINE_HOST_DISK_H
#define PGC_ENGINE_HOST_DISK_H

#include "engine/preflight.h"

struct disk_free {
    int64_t data, wal; /* bytes, -1: not known */
};

/* Of what df -P says of two directories, one a line. */
bool disk_free_parse(const char *said, struct disk_free *disk);

/* What is to be said of a side, with the severity; NULL: nothing. bytes: of the rows; existing: tables may be emptied first. Owned. */
char *disk_judge_target(const struct disk_free *disk, int64_t bytes, bool existing, char *severity);
char *disk_judge_source(const struct disk_free *disk, const struct check_measured *measured, int64_t bytes, char *severity);

/* Adds the findings of both sides. False only where a stop is requested. */
bool host_disk_check(struct preflight *pre, const struct plan *plan, struct err *err);

#endif
