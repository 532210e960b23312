/* One line of text that is typed: a field of a form, a filter, a word of confirmation. */
#ifndef PGC_UI_FIELD_H
#define PGC_UI_FIELD_H

#include "ui/canvas.h"

#define FIELD_SIZE 512

struct field {
    char text[FIELD_SIZE]; /* UTF-8 */
    size_t cursor;         /* in bytes, at the beginning of a character */
    bool secret;           /* shown as dots */
};

void field_set(struct field *field, const char *text);
/* False: the key is none that edits. */
bool field_key(struct field *field, int key);
/* Draws it with the part around the cursor in sight; puts the hardware cursor there when it has the focus. */
void field_draw(const struct field *field, struct canvas *canvas, int row, int col, int width, bool focus);
void field_wipe(struct field *field);

#endif
