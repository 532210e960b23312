/* What the dashboard shows in place of its tables, and the rows of events. */
#ifndef PGC_UI_SCREENS_PANES_H
#define PGC_UI_SCREENS_PANES_H

#include "ui/screens/dashboard.h"

void pane_table(const struct dashboard *d, struct canvas *c, int row, int rows);
void pane_error(const struct dashboard *d, struct canvas *c, int row, int rows);
void pane_lag(const struct dashboard *d, struct canvas *c, int row, int rows);
void pane_events(const struct dashboard *d, struct canvas *c, int row, int rows);
/* What comparing gave, a table a row. */
void pane_verify(const struct dashboard *d, struct canvas *c, int row, int rows);
/* The local day and time of one of the engine's times; false and "" where it is none. */
bool local_day_and_time(const char *iso, char out[32]);

#endif
