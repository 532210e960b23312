/* The log of a migration's engine and workers: its last lines, read as they come. */
#ifndef PGC_UI_SCREENS_LOG_H
#define PGC_UI_SCREENS_LOG_H

#include <sys/types.h>

#include "ui/canvas.h"
#include "ui/field.h"
#include "ui/keys.h"

struct log_line {
    char time[16];                             /* of this host's clock */
    char *level, *component, *message, *detail; /* owned; detail: SQLSTATE, detail and hint, "" none */
};

struct logview {
    struct log_line *lines; /* owned: the last of them, oldest first */
    int count, cap;
    off_t read_to;          /* the file up to there */
    bool begun;
    char *rest;             /* owned: a line of which the end is missing */
    int selected;           /* of those that are shown */
    bool moved;             /* by a key: else the newest is selected */
    bool warnings;          /* warnings and errors alone */
    bool filtering;         /* keys go into the filter */
    struct field filter;
};

extern const struct key_help log_keys[];

/* Takes what the file has got since the last time; of one that is large, the last part. A file that is not there says nothing. */
void log_read(struct logview *view, const char *path);
void log_release(struct logview *view);
void log_draw(struct logview *view, struct canvas *canvas, int row, int rows);
/* False: the key means nothing here. */
bool log_key(struct logview *view, int key);

#endif
