/* Screen 3, schema: how the target gets its schema, and how the rows and changes are brought over. Each line is a
 * key of the plan with the values that this version offers; what it does in one way only is said as such. */
#ifndef PGC_UI_SCREENS_CHOICES_H
#define PGC_UI_SCREENS_CHOICES_H

#include "ui/canvas.h"
#include "ui/draft.h"
#include "ui/keys.h"

#define CHOICE_VALUES 4

struct choice {
    const char *label;
    const char *section, *key;           /* section "databases": of each of them */
    const char *values[CHOICE_VALUES];   /* the first is the default; "yes" and "no": true and false */
    const char *meanings[CHOICE_VALUES];
};

extern const struct choice choices[]; /* the last has no label */

/* The index of the value that the plan has. */
int choice_value(struct draft *draft, const struct choice *choice);
void choice_set(struct draft *draft, const struct choice *choice, int value);

struct choices {
    int selected;
};

extern const struct key_help choices_keys[];

void choices_draw(const struct choices *screen, struct draft *draft, struct canvas *canvas, int row, int rows);
/* Changes the plan. */
bool choices_key(struct choices *screen, struct draft *draft, int key);

#endif
