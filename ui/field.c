#include "ui/field.h"

#include <stdio.h>
#include <string.h>

#include "ui/terminal.h"

void field_set(struct field *field, const char *text)
{
    snprintf(field->text, sizeof field->text, "%s", text ? text : "");
    field->cursor = strlen(field->text);
}

void field_wipe(struct field *field)
{
    explicit_bzero(field->text, sizeof field->text);
    field->cursor = 0;
}

static bool is_inside(char c)
{
    return (c & 0xc0) == 0x80;
}

static size_t before(const struct field *field, size_t at)
{
    while (at && is_inside(field->text[--at]))
        ;
    return at;
}

static size_t behind(const struct field *field, size_t at)
{
    if (field->text[at])
        at++;
    while (is_inside(field->text[at]))
        at++;
    return at;
}

static void cut(struct field *field, size_t from, size_t to)
{
    memmove(field->text + from, field->text + to, strlen(field->text + to) + 1);
    field->cursor = from;
}

static size_t encode(char *out, int c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void insert(struct field *field, int key)
{
    char utf8[4];
    size_t len = strlen(field->text), more = encode(utf8, key);

    if (len + more >= sizeof field->text)
        return;
    memmove(field->text + field->cursor + more, field->text + field->cursor, len - field->cursor + 1);
    memcpy(field->text + field->cursor, utf8, more);
    field->cursor += more;
}

bool field_key(struct field *field, int key)
{
    switch (key) {
    case KEY_ERASE: cut(field, before(field, field->cursor), field->cursor); return true;
    case KEY_DELETE: cut(field, field->cursor, behind(field, field->cursor)); return true;
    case KEY_CLEAR_LINE: cut(field, 0, strlen(field->text)); return true;
    case KEY_ARROW_LEFT: field->cursor = before(field, field->cursor); return true;
    case KEY_ARROW_RIGHT: field->cursor = behind(field, field->cursor); return true;
    case KEY_FIRST: field->cursor = 0; return true;
    case KEY_LAST: field->cursor = strlen(field->text); return true;
    default: break;
    }
    if (key < ' ' || key >= KEYS_AT)
        return false;
    insert(field, key);
    return true;
}

static int characters(const char *text, size_t len)
{
    int count = 0;

    for (size_t i = 0; i < len; i++)
        count += !is_inside(text[i]);
    return count;
}

/* Dots, as many as characters; a letter where there are none. */
static void hide(const struct field *field, char *out, size_t size, const struct canvas *c, size_t *cursor)
{
    const char *dot = c->glyphs->ascii ? "*" : "•";
    int count = characters(field->text, strlen(field->text));
    size_t used = 0;

    *cursor = (size_t)characters(field->text, field->cursor) * strlen(dot);
    for (int i = 0; i < count && used + strlen(dot) < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s", dot);
    out[used] = '\0';
}

void field_draw(const struct field *field, struct canvas *c, int row, int col, int width, bool focus)
{
    char shown[FIELD_SIZE * 3];
    size_t cursor = field->cursor, from = 0;

    if (field->secret)
        hide(field, shown, sizeof shown, c, &cursor);
    else
        snprintf(shown, sizeof shown, "%s", field->text);
    char behind_cursor = shown[cursor];
    shown[cursor] = '\0';
    while (canvas_width(c, shown + from) >= width) {
        from++;
        while (is_inside(shown[from]))
            from++;
    }
    int at = canvas_width(c, shown + from);
    shown[cursor] = behind_cursor;
    canvas_role(c, row, col, width, ROLE_INPUT);
    canvas_put(c, row, col, width, ROLE_INPUT, shown + from);
    if (!focus)
        return;
    c->cursor_row = row;
    c->cursor_col = col + at;
}
