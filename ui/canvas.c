#include "ui/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

const struct glyphs glyphs_utf8 = {
    .ok = "✓", .warning = "!", .error = "✗", .busy = "⟳", .arrow = "→", .ellipsis = "…", .line = "─",
    .selected = ">", .rest = "░",
    .bar = {"▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"},
    .chart = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"},
};

const struct glyphs glyphs_ascii = {
    .ascii = true,
    .ok = "ok", .warning = "!", .error = "X", .busy = "~", .arrow = "->", .ellipsis = ">", .line = "-",
    .selected = ">", .rest = ".",
    .bar = {"", "", "", "", "", "", "", "#"}, /* less than a whole cell is none */
    .chart = {"_", "_", ".", ".", "-", "-", "^", "^"},
};

void canvas_init(struct canvas *canvas, int rows, int cols, const struct glyphs *glyphs)
{
    *canvas = (struct canvas){.rows = rows, .cols = cols, .glyphs = glyphs};
    canvas->cells = xcalloc((size_t)rows * (size_t)cols, sizeof *canvas->cells);
    canvas_clear(canvas);
}

void canvas_release(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

void canvas_clear(struct canvas *canvas)
{
    for (int i = 0; i < canvas->rows * canvas->cols; i++)
        canvas->cells[i] = (struct cell){.text = {L' '}, .role = ROLE_TEXT};
    canvas->cursor_row = canvas->rows - 1;
    canvas->cursor_col = 0;
}

struct cell *canvas_at(const struct canvas *canvas, int row, int col)
{
    if (row < 0 || row >= canvas->rows || col < 0 || col >= canvas->cols)
        return NULL;
    return &canvas->cells[row * canvas->cols + col];
}

/* --- characters --- */

/* The next character of UTF-8 text; bytes that are none are taken one by one as "?". */
static wchar_t next_char(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    int more = *s < 0x80 ? 0 : *s >= 0xf0 && *s < 0xf5 ? 3 : *s >= 0xe0 ? 2 : *s >= 0xc2 ? 1 : -1;
    uint32_t code = more <= 0 ? *s : *s & (0x3fU >> more);

    ++*text;
    if (more < 0 || *s >= 0xf5)
        return L'?';
    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return L'?';
        code = code << 6 | (s[i] & 0x3fU);
    }
    *text += more;
    return (wchar_t)code;
}

/* As it is drawn, and its columns: 0 for what combines with the one before. */
static wchar_t shown_char(const struct canvas *canvas, const char **text, int *width)
{
    wchar_t ch = next_char(text);

    *width = canvas->glyphs->ascii && ch > 0x7e ? -1 : wcwidth(ch);
    if (*width >= 0)
        return ch;
    *width = 1;
    return L'?';
}

int canvas_width(const struct canvas *canvas, const char *text)
{
    int sum = 0;
    int width;

    while (*text) {
        shown_char(canvas, &text, &width);
        sum += width;
    }
    return sum;
}

static void combine(struct canvas *canvas, int row, int col, wchar_t ch)
{
    struct cell *cell = canvas_at(canvas, row, col - 1);

    if (cell && !cell->text[0])
        cell--; /* the wide one */
    size_t len = cell ? wcslen(cell->text) : CELL_CHARS;
    if (len < CELL_CHARS)
        cell->text[len] = ch;
}

/* Writes what fits into width columns; no ellipsis. */
static int put_plain(struct canvas *canvas, int row, int col, int width, enum role role, const char *text)
{
    int used = 0;
    int wide;

    while (*text) {
        wchar_t ch = shown_char(canvas, &text, &wide);
        if (used + wide > width)
            break;
        if (!wide && used) {
            combine(canvas, row, col + used, ch);
            continue;
        }
        for (int i = 0; i < wide; i++)
            *canvas_at(canvas, row, col + used + i) = (struct cell){.text = {i ? L'\0' : ch}, .role = role};
        used += wide;
    }
    return used;
}

int canvas_put(struct canvas *canvas, int row, int col, int width, enum role role, const char *text)
{
    if (!canvas_at(canvas, row, col))
        return 0;
    if (width < 0 || width > canvas->cols - col)
        width = canvas->cols - col;
    if (canvas_width(canvas, text) <= width)
        return put_plain(canvas, row, col, width, role, text);
    int used = width > 0 ? put_plain(canvas, row, col, width - 1, role, text) : 0;
    return used + (width > 0 ? put_plain(canvas, row, col + used, 1, role, canvas->glyphs->ellipsis) : 0);
}

int canvas_putf(struct canvas *canvas, int row, int col, int width, enum role role, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    int used = canvas_put(canvas, row, col, width, role, text);
    free(text);
    return used;
}

void canvas_right(struct canvas *canvas, int row, int col, int width, enum role role, const char *text)
{
    int wanted = canvas_width(canvas, text);
    int shift = wanted < width ? width - wanted : 0;

    canvas_put(canvas, row, col + shift, width - shift, role, text);
}

void canvas_role(struct canvas *canvas, int row, int col, int width, enum role role)
{
    for (int i = 0; i < width; i++) {
        struct cell *cell = canvas_at(canvas, row, col + i);
        if (cell)
            cell->role = role;
    }
}

void canvas_line(struct canvas *canvas, int row, const char *title)
{
    for (int col = 0; col < canvas->cols; col++)
        put_plain(canvas, row, col, 1, ROLE_FRAME, canvas->glyphs->line);
    if (title)
        canvas_putf(canvas, row, 1, canvas->cols - 2, ROLE_FRAME, " %s ", title);
}

/* How many bytes of the text go into one row. */
static size_t row_bytes(const struct canvas *canvas, const char *text, int width)
{
    const char *at = text;
    const char *blank = NULL;
    int used = 0;
    int wide;

    while (*at && *at != '\n') {
        const char *before = at;
        if (*at == ' ')
            blank = at;
        shown_char(canvas, &at, &wide);
        used += wide;
        if (used > width)
            return (size_t)((blank && blank > text ? blank : before > text ? before : at) - text);
    }
    return (size_t)(at - text);
}

int canvas_wrap(struct canvas *canvas, int row, int col, int width, int rows, enum role role, const char *text)
{
    int used = 0;

    if (width < 1)
        return 0;
    while (*text && used < rows) {
        size_t bytes = row_bytes(canvas, text, width);
        char *line = used == rows - 1 ? xstrdup(text) : xstrndup(text, bytes);
        if (used == rows - 1)
            line[strcspn(line, "\n")] = '\0';
        canvas_put(canvas, row + used++, col, width, role, line);
        free(line);
        text += bytes;
        if (*text == ' ' || *text == '\n')
            text++;
    }
    return used;
}

/* --- charts --- */

void canvas_bar(struct canvas *canvas, int row, int col, int width, double part)
{
    int eighths = (int)(8 * width * (part < 0 ? 0 : part > 1 ? 1 : part));

    for (int i = 0; i < width; i++) {
        int here = eighths - 8 * i;
        const char *glyph = here >= 8 ? canvas->glyphs->bar[7] : here > 0 ? canvas->glyphs->bar[here - 1] : "";
        canvas_put(canvas, row, col + i, 1, here > 0 && *glyph ? ROLE_BAR : ROLE_REST,
                   *glyph ? glyph : canvas->glyphs->rest);
    }
}

void canvas_sparkline(struct canvas *canvas, int row, int col, int width, const double *values, int count)
{
    int first = count > width ? count - width : 0;
    double most = 0;

    for (int i = first; i < count; i++)
        most = values[i] > most ? values[i] : most;
    for (int i = first; i < count; i++) {
        int height = most > 0 ? (int)(values[i] / most * 7 + 0.5) : 0;
        canvas_put(canvas, row, col + i - first, 1, ROLE_CHART, canvas->glyphs->chart[height]);
    }
}

/* --- as text --- */

static void add_char(struct buf *out, wchar_t ch)
{
    uint32_t c = (uint32_t)ch;

    if (c < 0x80) {
        buf_addch(out, (char)c);
    } else if (c < 0x800) {
        buf_addch(out, (char)(0xc0 | c >> 6));
        buf_addch(out, (char)(0x80 | (c & 0x3f)));
    } else {
        if (c >= 0x10000)
            buf_addch(out, (char)(0xf0 | c >> 18));
        buf_addch(out, (char)(c >= 0x10000 ? 0x80 | (c >> 12 & 0x3f) : 0xe0 | c >> 12));
        buf_addch(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_addch(out, (char)(0x80 | (c & 0x3f)));
    }
}

static void end_row(struct buf *out, size_t start)
{
    while (out->len > start && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    buf_addch(out, '\n');
}

char *canvas_text(const struct canvas *canvas, bool roles)
{
    struct buf out = BUF_INIT;

    for (int row = 0; row < canvas->rows; row++) {
        size_t start = out.len;
        for (int col = 0; col < canvas->cols; col++)
            for (const wchar_t *ch = canvas_at(canvas, row, col)->text; *ch; ch++)
                add_char(&out, *ch);
        end_row(&out, start);
    }
    for (int row = 0; roles && row < canvas->rows; row++) {
        size_t start = out.len;
        for (int col = 0; col < canvas->cols; col++)
            buf_addch(&out, role_letter(canvas_at(canvas, row, col)->role));
        end_row(&out, start);
    }
    return buf_take(&out);
}
