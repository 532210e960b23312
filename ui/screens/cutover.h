/* Screen 7, cut over: every step from the first to the last, before it begins with what it will do and how it is undone, then with
 * its state and time; and for how long nobody can write. */
#ifndef PGC_UI_SCREENS_CUTOVER_H
#define PGC_UI_SCREENS_CUTOVER_H

#include "ui/screens/dashboard.h"

extern const struct key_help cutover_keys[];

void pane_cutover(struct dashboard *d, struct canvas *canvas, int row, int rows);
/* Keys that mean something in this pane alone. */
bool cutover_key(struct dashboard *d, int key);

#endif
