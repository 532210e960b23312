/* Statements of the schema that the target refused, or that somebody decided on: what each says, and what becomes of it. */
#ifndef PGC_UI_SCREENS_STATEMENTS_H
#define PGC_UI_SCREENS_STATEMENTS_H

#include "ui/screens/dashboard.h"

extern const struct key_help statements_keys[];

/* How many the target has refused and nobody has decided on yet. */
int statements_open(const struct dashboard *d);
void pane_statements(struct dashboard *d, struct canvas *canvas, int row, int rows);
/* Keys that mean something in this pane alone. */
bool statements_key(struct dashboard *d, int key);

/* The text to edit of the statement under the cursor; owned, NULL: there is none. */
char *statements_text(const struct dashboard *d);
/* What came of editing it: the engine is told, unless nothing is left of it or nothing was changed. */
void statements_edited(struct dashboard *d, const char *before, const char *after);
/* All that failed, as a script, each with why; owned. */
char *statements_script(const struct dashboard *d);

#endif
