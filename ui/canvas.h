/* What screens draw into: rows of cells, each a character and the role it plays. Nothing here knows a
 * terminal: the terminal copies the cells to curses, tests copy them to text.
 *
 * Text comes as UTF-8. A wide character takes two cells; one that does not fit whole is left out, and text that
 * is cut ends in an ellipsis. Control characters and what is not UTF-8 become "?"; so does everything outside of
 * ASCII where the glyphs are ASCII. */
#ifndef PGC_UI_CANVAS_H
#define PGC_UI_CANVAS_H

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#include "base/xalloc.h"
#include "ui/theme.h"

#define CELL_CHARS 4 /* a character and what combines with it */

struct cell {
    wchar_t text[CELL_CHARS + 1]; /* empty: the right half of the wide one before it */
    enum role role;
};

struct glyphs {
    bool ascii;
    const char *ok, *warning, *error, *busy; /* states are told by these, never by colour alone */
    const char *arrow, *ellipsis, *line, *selected, *rest;
    const char *bar[8];   /* one to eight eighths of a cell */
    const char *chart[8]; /* heights */
};

extern const struct glyphs glyphs_utf8, glyphs_ascii;

struct canvas {
    int rows, cols;
    const struct glyphs *glyphs; /* borrowed */
    int cursor_row, cursor_col;  /* on the item in focus */
    struct cell *cells;          /* owned */
};

void canvas_init(struct canvas *canvas, int rows, int cols, const struct glyphs *glyphs);
void canvas_release(struct canvas *canvas);
/* Blank everywhere, of role ROLE_TEXT. */
void canvas_clear(struct canvas *canvas);
/* NULL outside of the canvas. */
struct cell *canvas_at(const struct canvas *canvas, int row, int col);

/* Columns that the text takes. */
int canvas_width(const struct canvas *canvas, const char *text);
/* Writes the text into at most `width` columns (negative: to the end of the row). Returns the columns taken. */
int canvas_put(struct canvas *canvas, int row, int col, int width, enum role role, const char *text);
int canvas_putf(struct canvas *canvas, int row, int col, int width, enum role role, const char *fmt, ...)
    PGC_PRINTF(6, 7);
/* The same, at the right end of the columns. */
void canvas_right(struct canvas *canvas, int row, int col, int width, enum role role, const char *text);
/* Gives cells a role, and leaves what stands in them. */
void canvas_role(struct canvas *canvas, int row, int col, int width, enum role role);
/* A line across the row, with a title in it (NULL: none). */
void canvas_line(struct canvas *canvas, int row, const char *title);
/* Writes the text in as many rows as it wants, at most `rows`, broken at blanks. Returns the rows taken. */
int canvas_wrap(struct canvas *canvas, int row, int col, int width, int rows, enum role role, const char *text);

/* A bar of `width` columns, `part` (0 to 1) of it filled to an eighth of a column. */
void canvas_bar(struct canvas *canvas, int row, int col, int width, double part);
/* The last `width` of the values as a row of heights, the highest of them full. */
void canvas_sparkline(struct canvas *canvas, int row, int col, int width, const double *values, int count);

/* The rows as text, blanks at their ends left off; roles: behind it the roles, a letter a cell. Owned. */
char *canvas_text(const struct canvas *canvas, bool roles);

#endif
