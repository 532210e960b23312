/* Screen 4, tables: which tables are moved, under which names, with which rows. */
#ifndef PGC_UI_SCREENS_PICKER_H
#define PGC_UI_SCREENS_PICKER_H

#include "ui/canvas.h"
#include "ui/draft.h"
#include "ui/field.h"
#include "ui/keys.h"

struct pick {
    const cJSON *table; /* borrowed from picker.tables */
    const char *database; /* borrowed from it, too */
    char *name;         /* owned: as a pattern of the plan */
    double bytes, rows; /* estimated */
    char *to, *where;   /* owned; NULL: as on the source, all rows */
    char *columns;      /* owned: "a, b" those alone, "-a, -b" all but these; NULL: all */
    bool on;
};

enum picker_order { BY_NAME, BY_SIZE, BY_ROWS };

struct picker {
    cJSON *tables;      /* owned; NULL: not read yet, or failed */
    char *error;        /* owned */
    bool running;
    int64_t since_ms;
    struct pick *picks; /* owned */
    int count;
    const char *database; /* the one that is shown, borrowed from tables; of the first table at first */
    int *shown;         /* owned: indexes of its picks that the filter lets through */
    int shown_count;
    int selected, top;
    enum picker_order order;
    bool changed;       /* what the plan says is another choice by now */
    char editing;       /* '/', 'm' (name), 'w' (rows), 'c' (columns); 0: nothing is typed */
    struct field filter, input;
};

extern const struct key_help picker_keys[];

void picker_release(struct picker *screen);
void picker_running(struct picker *screen, int64_t now_ms);
/* The JSON text of "pgcutover tables --json": picked is what the draft says. */
void picker_answer(struct picker *screen, const struct draft *draft, const char *text);
/* What was changed goes into the plan, for each database: what is left out, or, where that is most, what is picked; names and
 * rows. */
void picker_store(const struct picker *screen, struct draft *draft);
/* Tables picked, of the database (NULL: of all). */
int picker_count(const struct picker *screen, const char *database);
/* A database of which none is picked; NULL: of each there is one. Borrowed. */
const char *picker_without(const struct picker *screen);

void picker_draw(struct picker *screen, struct canvas *canvas, int row, int rows, int64_t now_ms);
bool picker_key(struct picker *screen, int key);

#endif
