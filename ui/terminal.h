/* The terminal, by curses: the only file that knows it.
 *
 * Whatever ends the program, the terminal is left as it was: terminal_stop() does it, and for a crash the bytes and
 * the settings that do it are made ready at the start, so that the handler calls nothing but write() and
 * tcsetattr(). */
#ifndef PGC_UI_TERMINAL_H
#define PGC_UI_TERMINAL_H

#include "ui/canvas.h"

enum key { /* beside characters */
    KEY_NOTHING = 0, KEY_TAB = 9, KEY_RETURN = 10, KEY_ESCAPE = 27,
    KEYS_AT = 0x110000, KEY_ARROW_UP, KEY_ARROW_DOWN, KEY_ARROW_LEFT, KEY_ARROW_RIGHT, KEY_PAGE_UP, KEY_PAGE_DOWN,
    KEY_FIRST, KEY_LAST, KEY_ERASE, KEY_DELETE, KEY_CLEAR_LINE, KEY_TAB_BACK, KEY_TEST, KEY_CLICK, KEY_MORE, KEY_DATABASES, KEY_HELP, KEY_REDRAW, KEY_INTERRUPT, KEY_RESIZED,
};

/* False, with ERR_USAGE, where this is no terminal that can be drawn on. */
bool terminal_start(const struct theme *theme, bool no_colour, struct err *err);
/* Another theme from the next drawing on; without colours it changes nothing. */
void terminal_theme(const struct theme *theme);
/* The window's title, where the terminal has one; it gets its own back at the end. */
void terminal_title(const char *text);
/* Takes the mouse, from copy and paste, until the end. */
void terminal_take_mouse(void);
/* Where the last KEY_CLICK was. */
void terminal_click(int *row, int *col);
void terminal_stop(void);
bool terminal_is_utf8(void);
void terminal_size(int *rows, int *cols);
/* Makes the screen what the canvas is; only what differs is sent. */
void terminal_show(const struct canvas *canvas);
/* Forgets what the screen is thought to be. */
void terminal_redraw(void);
/* Hands the terminal to the user's editor ($VISUAL, $EDITOR, vi) for a file, and takes it back; meanwhile() is called five times a
 * second. False with err when the editor could not be run, or says that it failed. */
bool terminal_edit(const char *path, void (*meanwhile)(void *arg), void *arg, struct err *err);
/* The next key, KEY_NOTHING when there is none. Does not wait. */
int terminal_key(void);

#endif
