/* The record: what a migration did that its report tells, one JSON object a line {"time","kind","by",...}.
 *
 * One record a process, inherited over fork; lines are written whole (O_APPEND), so that processes share the file.
 * It is evidence for people, not state: nothing is decided by it (the journal is for that), and a line that cannot be
 * written stops nothing. Never pass a secret. Without record_open() nothing is written. */
#ifndef PGC_BASE_RECORD_H
#define PGC_BASE_RECORD_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/err.h"

/* Appends to path (created 0600) from now on. ERR_IO. */
bool record_open(const char *path, struct err *err);
bool record_is_open(void);
/* The descriptor, -1 when none is open: what closes descriptors must leave it. Borrowed. */
int record_descriptor(void);
/* Adds a line; fields is taken. The first line that cannot be written is logged. */
void record_add(const char *kind, cJSON *fields);

#endif
