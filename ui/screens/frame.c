#include "ui/screens/frame.h"

#include <stddef.h>

void steps_draw(struct canvas *c, int row, enum frame_step present)
{
    static const char *const names[] = {"1 Connect", "2 Check", "3 Schema", "4 Tables", "5 Review", "6 Load & sync", "7 Cut over", "8 Verify"};
    int gap = c->cols < 90 ? 1 : 2;
    int col = 1;

    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        col += canvas_put(c, row, col, -1, i == (int)present ? ROLE_SELECTED : ROLE_DIM, names[i]) + gap;
}

/* Columns of one key with its label; 0: it does not fit any more, or is none of the line's. */
static int width_of(const struct key_help *key, const struct canvas *c, int col)
{
    int width = key->label ? canvas_width(c, key->key) + 1 + canvas_width(c, key->label) : 0;

    return col + width > c->cols ? 0 : width;
}

void keys_draw(const struct key_help *keys, struct canvas *c, int row)
{
    int col = 1;

    for (; keys->key; keys++) {
        int width = width_of(keys, c, col);
        if (keys->label && !width)
            return;
        if (!width)
            continue;
        int at = col + canvas_put(c, row, col, -1, ROLE_KEY, keys->key) + 1;
        canvas_put(c, row, at, -1, ROLE_TEXT, keys->label);
        col += width + 2;
    }
}

const char *keys_at(const struct key_help *keys, const struct canvas *c, int col)
{
    int at = 1;

    for (; keys->key; keys++) {
        int width = width_of(keys, c, at);
        if (keys->label && !width)
            return NULL;
        if (width && col >= at && col < at + width)
            return keys->key;
        at += width ? width + 2 : 0;
    }
    return NULL;
}
