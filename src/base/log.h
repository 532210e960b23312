/* The log: one JSON object a line {"time","level","pid","component","message",...}.
 *
 * One log a process, inherited over fork; lines are written whole (O_APPEND), so that processes can
 * share the file. Never pass a secret. Without log_open() nothing is written. */
#ifndef PGC_BASE_LOG_H
#define PGC_BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Appends to path (created 0600) from now on. */
bool log_open(const char *path, enum log_level least, struct err *err);
/* "debug", "info", "warning", "error"; false when the text is none. */
bool log_level_parse(const char *text, enum log_level *level);
/* Names the part of the program that this process is, as "engine", "copy-1"; copied. */
void log_component(const char *component);
/* That name. Borrowed. */
const char *log_name_of_process(void);

/* The log's descriptor, -1 when none is open: what closes descriptors must leave it. Borrowed. */
int log_descriptor(void);

void log_msg(enum log_level level, const char *fmt, ...) PGC_PRINTF(2, 3);
/* Logs an error with its sqlstate, detail and hint. */
void log_err(enum log_level level, const struct err *err);

#endif
