/* Themes: which colours and attributes each role has. A theme is a text file (themes/, pgcutover-theme(5)):
 *
 *   # a comment
 *   title = white on blue bold
 *
 * A role that is not named has the terminal's own colours. */
#ifndef PGC_UI_THEME_H
#define PGC_UI_THEME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum role {
    ROLE_TEXT, ROLE_TITLE, ROLE_DIM, ROLE_OK, ROLE_WARNING, ROLE_ERROR, ROLE_BUSY, ROLE_BAR, ROLE_REST,
    ROLE_CHART, ROLE_KEY, ROLE_SELECTED, ROLE_INPUT, ROLE_FRAME, ROLE_HEADER,
    ROLE_COUNT
};

enum theme_attribute { THEME_BOLD = 1, THEME_DIM = 2, THEME_REVERSE = 4, THEME_UNDERLINE = 8 };

#define COLOUR_DEFAULT (-1) /* the terminal's; else 0 to 7 as in ANSI, 8 to 15 the bright ones */

struct style {
    int foreground, background;
    unsigned attributes;
};

struct theme {
    struct style styles[ROLE_COUNT];
};

const char *role_name(enum role role);
char role_letter(enum role role); /* for tests: one a role, a blank for ROLE_TEXT */

/* ERR_USAGE "origin:line: what is wrong"; theme is then as it was. */
bool theme_parse(struct theme *theme, const char *text, const char *origin, struct err *err);
bool theme_read(struct theme *theme, const char *path, struct err *err);
/* The user's theme of that name ($XDG_CONFIG_HOME/pgcutover/themes/NAME.theme), else the program's own. */
bool theme_find(struct theme *theme, const char *name, struct err *err);

struct theme_builtin {
    const char *name;
    const char *text;
};

/* The files of themes/, by name; the last has none. */
extern const struct theme_builtin themes_builtin[];

#endif
