/* Screen 8, verify and finish: what came of the migration, the report, what is left on the servers, the way back. */
#ifndef PGC_UI_SCREENS_FINISH_H
#define PGC_UI_SCREENS_FINISH_H

#include "ui/screens/dashboard.h"

void pane_finish(const struct dashboard *d, struct canvas *c, int row, int rows);
/* Keys of this pane; false: not one of them. What is to be run beside the screen goes into d->asked. */
bool finish_key(struct dashboard *d, int key);

#endif
