/* The databases of the source, to migrate several at once: a list over the form of screen 1. */
#ifndef PGC_UI_SCREENS_DATABASES_H
#define PGC_UI_SCREENS_DATABASES_H

#include "ui/canvas.h"
#include "ui/draft.h"
#include "ui/field.h"
#include "ui/keys.h"

struct database_pick {
    char *name;   /* owned */
    char *to;     /* owned: on the target; NULL: the same */
    double bytes; /* -1: not known */
    bool on;
    bool missing; /* the source does not have it */
};

struct databases {
    cJSON *known;      /* owned: what the source has, as "connect --json" says it; NULL: not asked */
    bool open;
    bool wanted;       /* to be opened when the source answers */
    struct database_pick *picks; /* owned */
    int count, selected, top;
    bool naming;       /* a name on the target is being typed */
    struct field input;
};

extern const struct key_help databases_keys[];

void databases_release(struct databases *screen);
/* The array "databases" of the source's answer; copied. */
void databases_know(struct databases *screen, const cJSON *list);
/* Shows them, with those picked that the plan has. */
void databases_open(struct databases *screen, const struct draft *draft);
/* Picks one, which need not be known, under a name on the target (NULL: its own). There must be room for it in picks. */
void databases_pick(struct databases *screen, const char *name, const char *to);
/* What is picked becomes the plan's list; what the plan says of a database that stays is kept. False: none is picked. */
bool databases_store(const struct databases *screen, struct draft *draft);

void databases_draw(struct databases *screen, struct canvas *canvas, int row, int rows);
/* False: the key leaves the list: Enter, which stores, or Esc. */
bool databases_key(struct databases *screen, int key);

#endif
