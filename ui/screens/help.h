/* The help of the screen in front: its table of keys, searched as one types. */
#ifndef PGC_UI_SCREENS_HELP_H
#define PGC_UI_SCREENS_HELP_H

#include "ui/canvas.h"
#include "ui/keys.h"

struct help {
    const struct key_help *keys;
    char search[64];
    int top;
};

void help_draw(struct help *help, struct canvas *canvas);
/* False: the key leaves the help. */
bool help_key(struct help *help, int key);

#endif
