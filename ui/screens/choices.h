/* Screen 3, schema: how the target gets its schema, and how the rows and changes are brought over. Each line is a
 * key of the plan with the values that this version offers; what it does in one way only is said as such. */
#ifndef PGC_UI_SCREENS_CHOICES_H
#define PGC_UI_SCREENS_CHOICES_H

#include "ui/canvas.h"
#include "ui/draft.h"
#include "ui/keys.h"

struct choices {
    int selected;
};

extern const struct key_help choices_keys[];

void choices_draw(const struct choices *screen, struct draft *draft, struct canvas *canvas, int row, int rows);
/* Changes the plan. */
bool choices_key(struct choices *screen, struct draft *draft, int key);

#endif
