/* Screen 0: the migrations of the state directory. */
#ifndef PGC_UI_SCREENS_MIGRATIONS_H
#define PGC_UI_SCREENS_MIGRATIONS_H

#include "ui/canvas.h"
#include "ui/field.h"
#include "ui/keys.h"
#include "ui/session.h"

struct migration_line {
    char *name, *between, *state; /* owned */
    char *targets;                /* owned: the target's databases, blanks between; NULL: not known */
    bool ended;
    int64_t since_us;             /* when it was started; 0: not known */
    double lag;
    bool live;
};

struct migrations {
    struct migration_line *lines; /* owned */
    int count, selected, top;
    char message[256];
    bool is_error;
    bool confirming;              /* the name of the target's database is being typed: "delete" */
    struct field word;
    const char *asked;            /* static: "delete" for who shows the list; NULL: nothing */
};

extern const struct key_help migrations_keys[];

/* Reads the list anew: what each stored last, and whether its engine runs. The selection stays on its name. */
void migrations_read(struct migrations *list, const char *state_dir);
void migrations_release(struct migrations *list);
void migrations_draw(struct migrations *list, struct canvas *canvas, int64_t now_us);
/* False: the key means nothing here. */
bool migrations_key(struct migrations *list, int key);
/* Says something in the message line. */
void migrations_say(struct migrations *list, bool is_error, const char *text);
/* The name under the cursor, NULL: none. Borrowed. */
const char *migrations_selected(const struct migrations *list);

#endif
