#include "ui/screens/help.h"

#include <string.h>

#include "ui/terminal.h"

static bool is_shown(const struct help *help, const struct key_help *key)
{
    return !help->search[0] || strcasestr(key->help, help->search) || strcasestr(key->key, help->search);
}

void help_draw(struct help *help, struct canvas *c)
{
    int row = 3;
    int skip = help->top;

    canvas_clear(c);
    canvas_role(c, 0, 0, c->cols, ROLE_TITLE);
    canvas_put(c, 0, 1, -1, ROLE_TITLE, "Keys of this screen");
    c->cursor_row = 1;
    c->cursor_col = 8 + canvas_put(c, 1, 1, -1, ROLE_DIM, "Search:") - 7 + 1;
    c->cursor_col += canvas_put(c, 1, 9, -1, ROLE_INPUT, help->search) - 1;
    for (const struct key_help *key = help->keys; key->key && row < c->rows - 1; key++) {
        if (!is_shown(help, key) || skip-- > 0)
            continue;
        canvas_put(c, row, 1, 8, ROLE_KEY, key->key);
        row += canvas_wrap(c, row, 10, c->cols - 11, c->rows - 1 - row, ROLE_TEXT, key->help);
    }
    canvas_put(c, c->rows - 1, 1, -1, ROLE_DIM, "Type to search; arrow keys scroll; Esc goes back.");
}

bool help_key(struct help *help, int key)
{
    size_t len = strlen(help->search);

    if (key == KEY_ARROW_DOWN || key == KEY_ARROW_UP) {
        help->top += key == KEY_ARROW_DOWN ? 1 : help->top > 0 ? -1 : 0;
        return true;
    }
    if (key == KEY_ERASE && len)
        help->search[len - 1] = '\0';
    else if (key >= ' ' && key < 127 && len + 1 < sizeof help->search && !(key == '/' && !len))
        help->search[len] = (char)key; /* the rest is zeros */
    else if (key != '/')
        return key == KEY_ERASE;
    help->search[sizeof help->search - 1] = '\0';
    if (key != KEY_ERASE && len + 1 < sizeof help->search)
        help->search[len + 1] = '\0';
    help->top = 0;
    return true;
}
