#include "ui/screens/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "ui/terminal.h"

#define LINES_KEPT 5000
#define FIRST_BYTES (1 << 20) /* of the end of a log that is opened */
#define TURN_BYTES (1 << 20)  /* a second */
#define DETAIL_ROWS 6

const struct key_help log_keys[] = {
    {"j k", "move", "Down and up; also the arrow keys, PgUp, PgDn, Home and End. At the end it follows what comes."},
    {"/", "filter", "Shows only lines that hold the text. Enter keeps it, Esc takes it away."},
    {"w", "warnings", "Shows warnings and errors alone, or all again."},
    {"L", "tables", "Back to the tables; so does Esc."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the engine goes on."},
    {NULL, NULL, NULL},
};

static void release_line(struct log_line *line)
{
    free(line->level);
    free(line->component);
    free(line->message);
    free(line->detail);
}

void log_release(struct logview *view)
{
    for (int i = 0; i < view->count; i++)
        release_line(&view->lines[i]);
    free(view->lines);
    free(view->rest);
    *view = (struct logview){0};
}

/* --- reading --- */

static char *detail_of(const cJSON *json)
{
    static const char *const keys[] = {"sqlstate", "detail", "hint"};
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *text = json_str(json, keys[i]);
        if (text && *text)
            buf_addf(&out, "%s%s%s", out.len ? " " : "", i == 0 ? "SQLSTATE " : "", text);
    }
    return buf_take(&out);
}

static char *copy_of(const cJSON *json, const char *key)
{
    const char *text = json_str(json, key);

    return xstrdup(text ? text : "");
}

static void drop_oldest(struct logview *view)
{
    int drop = LINES_KEPT / 10;

    for (int i = 0; i < drop; i++)
        release_line(&view->lines[i]);
    memmove(view->lines, view->lines + drop, (size_t)(view->count - drop) * sizeof *view->lines);
    view->count -= drop;
    view->selected = view->selected > drop ? view->selected - drop : 0;
}

static void take_line(struct logview *view, const char *text)
{
    cJSON *json = cJSON_Parse(text);
    int64_t us;

    if (!cJSON_IsObject(json)) {
        cJSON_Delete(json);
        return;
    }
    if (view->count == LINES_KEPT)
        drop_oldest(view);
    if (view->count == view->cap) {
        view->cap = view->cap ? 2 * view->cap : 256;
        view->lines = xrealloc(view->lines, (size_t)view->cap * sizeof *view->lines);
    }
    struct log_line *line = &view->lines[view->count++];
    *line = (struct log_line){.level = copy_of(json, "level"), .component = copy_of(json, "component"), .message = copy_of(json, "message"), .detail = detail_of(json)};
    const char *time = json_str(json, "time");
    if (time && clock_parse_iso(time, &us))
        clock_hms(us, line->time);
    cJSON_Delete(json);
}

/* Whole lines are taken; what is left of the last waits for its end. */
static void take_bytes(struct logview *view, const char *bytes, size_t len)
{
    struct buf all = BUF_INIT;
    char *at, *end;

    if (view->rest)
        buf_addstr(&all, view->rest);
    buf_add(&all, bytes, len);
    for (at = all.data; (end = strchr(at, '\n')); at = end + 1) {
        *end = '\0';
        take_line(view, at);
    }
    free(view->rest);
    view->rest = xstrdup(at);
    buf_release(&all);
}

void log_read(struct logview *view, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_size < view->read_to)
        view->read_to = 0; /* another file */
    if (!view->begun && st.st_size > FIRST_BYTES)
        view->read_to = st.st_size - FIRST_BYTES;
    view->begun = true;
    char *bytes = xmalloc(TURN_BYTES);
    ssize_t got = pread(fd, bytes, TURN_BYTES, view->read_to);
    close(fd);
    if (got > 0) {
        take_bytes(view, bytes, (size_t)got);
        view->read_to += got;
    }
    free(bytes);
}

/* --- drawing --- */

static bool is_shown(const struct logview *view, const struct log_line *line)
{
    const char *filter = view->filter.text;
    bool calm = strcmp(line->level, "info") == 0 || strcmp(line->level, "debug") == 0;

    return (!view->warnings || !calm) && (!*filter || strcasestr(line->message, filter) || strcasestr(line->component, filter) ||
                                          strcasestr(line->detail, filter));
}

static int count_shown(const struct logview *view)
{
    int count = 0;

    for (int i = 0; i < view->count; i++)
        count += is_shown(view, &view->lines[i]);
    return count;
}

static enum role role_of(const struct log_line *line)
{
    if (strcmp(line->level, "error") == 0)
        return ROLE_ERROR;
    return strcmp(line->level, "warning") == 0 ? ROLE_WARNING : strcmp(line->level, "debug") == 0 ? ROLE_DIM : ROLE_TEXT;
}

static void draw_line(const struct log_line *line, struct canvas *c, int row, bool selected)
{
    enum role role = role_of(line);
    const char *glyph = role == ROLE_ERROR ? c->glyphs->error : role == ROLE_WARNING ? c->glyphs->warning : " ";

    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 1, 8, ROLE_DIM, line->time);
    canvas_put(c, row, 10, 1, role, glyph);
    canvas_put(c, row, 12, 12, ROLE_DIM, line->component);
    canvas_put(c, row, 25, -1, selected ? ROLE_SELECTED : role, line->message);
}

static void draw_head(const struct logview *view, struct canvas *c, int row, int count)
{
    int col = 1 + canvas_putf(c, row, 1, -1, ROLE_HEADER, "Log: %d of %d lines%s", count, view->count, view->warnings ? ", warnings and errors" : "");

    if (view->filtering)
        field_draw(&view->filter, c, row, col + 2 + canvas_put(c, row, col + 1, -1, ROLE_KEY, "/"), 30, true);
    else if (view->filter.text[0])
        canvas_putf(c, row, col + 1, -1, ROLE_WARNING, "/%s", view->filter.text);
}

void log_draw(struct logview *view, struct canvas *c, int row, int rows)
{
    int count = count_shown(view), list = rows - 1 - DETAIL_ROWS, end = row + rows;
    const struct log_line *selected = NULL;

    if (!view->moved || view->selected >= count)
        view->selected = count ? count - 1 : 0;
    int top = view->selected - list + 1 > 0 ? view->selected - list + 1 : 0;
    for (int i = 0, at = 0; i < view->count && at < top + list; i++) {
        if (!is_shown(view, &view->lines[i]))
            continue;
        if (at == view->selected)
            selected = &view->lines[i];
        if (at >= top)
            draw_line(&view->lines[i], c, row + 1 + at - top, at == view->selected);
        at++;
    }
    c->cursor_row = row + 1 + view->selected - top;
    draw_head(view, c, row, count);
    row = end - DETAIL_ROWS;
    canvas_line(c, row++, selected ? selected->component : NULL);
    if (!selected)
        return;
    row += canvas_wrap(c, row, 2, c->cols - 3, end - row, role_of(selected), selected->message);
    if (row < end)
        canvas_wrap(c, row, 2, c->cols - 3, end - row, ROLE_TEXT, selected->detail);
}

/* --- keys --- */

static void move(struct logview *view, int by)
{
    int last = count_shown(view) - 1;

    view->selected += by;
    if (view->selected > last)
        view->selected = last;
    if (view->selected < 0)
        view->selected = 0;
    view->moved = view->selected < last;
}

static void filter_key(struct logview *view, int key)
{
    if (key == KEY_ESCAPE)
        field_set(&view->filter, "");
    if (key == KEY_ESCAPE || key == KEY_RETURN)
        view->filtering = false;
    else
        field_key(&view->filter, key);
    view->moved = false;
}

bool log_key(struct logview *view, int key)
{
    if (view->filtering) {
        filter_key(view, key);
        return true;
    }
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: move(view, 1); return true;
    case 'k': case KEY_ARROW_UP: move(view, -1); return true;
    case KEY_PAGE_DOWN: move(view, 10); return true;
    case KEY_PAGE_UP: move(view, -10); return true;
    case 'g': case KEY_FIRST: move(view, -LINES_KEPT); return true;
    case 'G': case KEY_LAST: move(view, LINES_KEPT); return true;
    case 'w': view->warnings = !view->warnings; view->moved = false; return true;
    case '/': view->filtering = true; return true;
    default: return false;
    }
}
