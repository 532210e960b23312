/* Screen 0: the migrations of the state directory. */
#ifndef PGC_UI_SCREENS_MIGRATIONS_H
#define PGC_UI_SCREENS_MIGRATIONS_H

#include "ui/canvas.h"
#include "ui/keys.h"
#include "ui/session.h"

struct migration_line {
    char *name, *between, *state; /* owned */
    double lag;
    bool live;
};

struct migrations {
    struct migration_line *lines; /* owned */
    int count, selected, top;
    char message[256];
};

extern const struct key_help migrations_keys[];

/* Reads the list anew: what each stored last, and whether its engine runs. The selection stays on its name. */
void migrations_read(struct migrations *list, const char *state_dir);
void migrations_release(struct migrations *list);
void migrations_draw(struct migrations *list, struct canvas *canvas);
/* False: the key means nothing here. */
bool migrations_key(struct migrations *list, int key);
/* The name under the cursor, NULL: none. Borrowed. */
const char *migrations_selected(const struct migrations *list);

#endif
