/* Files of JSON lines, as the engine leaves them. */
#ifndef PGC_REPORT_LINES_H
#define PGC_REPORT_LINES_H

#include <stdbool.h>

#include <cjson/cJSON.h>

/* Calls take for every line of dir/name in order; line may be kept by detaching what is in it, else it is borrowed. Empty
 * lines, and a last one that has no end, are passed over. Returns how many lines were damaged; a file that is not there has
 * none. */
int lines_read(const char *dir, const char *name, void (*take)(void *arg, cJSON *line), void *arg);

#endif
