/* The screens: what the program hands the terminal over to. */
#ifndef PGC_UI_UI_H
#define PGC_UI_UI_H

#include "base/err.h"

struct ui_options {
    const char *state_dir;
    const char *name;    /* the migration to open; NULL: the list of them, or the wizard where there is none */
    const char *plan;    /* a plan's file to open in the wizard; NULL: none */
    const char *theme;   /* NULL: default */
    bool mouse;          /* clicks and the wheel are taken */
    const char *program; /* this program, for the commands that it runs beside the screen */
};

/* Shows the screens until the user leaves. Returns an exit code; with err set where there was nothing to show. */
int ui_run(const struct ui_options *options, struct err *err);
/* The same questions and the same actions line by line: for screen readers, serial consoles and terminals that cannot be
 * drawn on. */
int ui_plain(const struct ui_options *options, struct err *err);
/* Reads a theme file and says on stdout that it is one; else err. */
bool ui_check_theme(const char *path, struct err *err);

#endif
