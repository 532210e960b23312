/* What every screen has around its body: the bar of steps, and the line of keys. */
#ifndef PGC_UI_SCREENS_FRAME_H
#define PGC_UI_SCREENS_FRAME_H

#include "ui/canvas.h"
#include "ui/keys.h"

enum frame_step { FRAME_CONNECT, FRAME_CHECK, FRAME_SCHEMA, FRAME_TABLES, FRAME_REVIEW, FRAME_SYNC, FRAME_CUTOVER, FRAME_VERIFY };

void steps_draw(struct canvas *canvas, int row, enum frame_step present);
void keys_draw(const struct key_help *keys, struct canvas *canvas, int row);
/* The key that stands in that column of the line of keys, as the table has it; NULL: none. */
const char *keys_at(const struct key_help *keys, const struct canvas *canvas, int col);

#endif
