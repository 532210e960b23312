#include "ui/screens/review.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"
#include "ui/terminal.h"

const struct key_help review_keys[] = {
    {"Enter", "start", "Starts the migration: its engine runs on its own from then on, and the dashboard is shown."},
    {"w", "write the plan", "Writes the plan as NAME.json into the present directory: \"pgcutover --batch NAME.json\" does the same. Without passwords."},
    {"p", "plan", "Shows the plan's text, or what it would do."},
    {"j k", NULL, "Scrolls; also the arrow keys, PgUp and PgDn."},
    {"Esc", "back", "Back to the tables."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the plan is kept as a draft."},
    {NULL, NULL, NULL},
};

void review_release(struct review *screen)
{
    free(screen->text);
    *screen = (struct review){0};
}

void review_running(struct review *screen, int64_t now_ms)
{
    screen->running = true;
    screen->since_ms = now_ms;
}

void review_answer(struct review *screen, const char *text, bool ok)
{
    cJSON *json = ok ? NULL : cJSON_Parse(text);
    const char *message = json_str(json_get(json, "error"), "message");
    const char *hint = json_str(json_get(json, "error"), "hint");

    free(screen->text);
    screen->text = message ? xasprintf("%s%s%s", message, hint ? "\n" : "", hint ? hint : "") : xstrdup(text);
    screen->failed = !ok;
    screen->running = false;
    cJSON_Delete(json);
}

/* One line of a text, with blanks for tabs (two where they indent); moves *at behind it. False at the end. */
static bool next_line(const char **at, char *line, size_t size)
{
    size_t len = strcspn(*at, "\n");
    size_t indent = strspn(*at, "\t");
    size_t used = 0;

    if (!**at)
        return false;
    for (size_t i = 0; i < len && used + 2 < size; i++) {
        line[used++] = (*at)[i] == '\t' ? ' ' : (*at)[i];
        if (i < indent)
            line[used++] = ' ';
    }
    line[used] = '\0';
    *at += len + ((*at)[len] == '\n');
    return true;
}

static void draw_lines(struct review *screen, const char *text, struct canvas *c, int row, int rows, enum role role)
{
    char line[1024];
    int skip = screen->top;
    int end = row + rows;

    while (row < end && next_line(&text, line, sizeof line)) {
        if (skip-- > 0)
            continue;
        int indent = (int)strspn(line, " \t");
        row += canvas_wrap(c, row, 1 + indent, c->cols - 2 - indent, end - row, role, line + indent);
        row += !line[indent];
    }
    if (*text)
        canvas_right(c, end - 1, c->cols - 8, 7, ROLE_DIM, "more: j");
}

void review_draw(struct review *screen, const struct draft *draft, struct canvas *c, int row, int rows, int64_t now_ms)
{
    c->cursor_row = row;
    if (screen->running || screen->starting) {
        canvas_putf(c, row, 1, -1, ROLE_BUSY, "%s %s, %lld s", c->glyphs->busy,
                    screen->starting ? "the engine is being started" : "asking both servers what would be done",
                    (long long)((now_ms - screen->since_ms) / 1000));
        row++;
        rows--;
    }
    char *plan = screen->plan ? draft_plan_text(draft, false) : NULL;
    const char *text = plan ? plan : screen->text;
    if (text)
        draw_lines(screen, text, c, row, rows - 1, screen->failed && !plan ? ROLE_ERROR : ROLE_TEXT);
    free(plan);
    if (!screen->confirming)
        return;
    int col = 2 + canvas_put(c, row + rows - 1, 1, -1, ROLE_WARNING, draft_database_count(draft) > 1 ? "Tables of the target are emptied. Its databases, in the plan's order:"
                                                                                                         : "Tables of the target are emptied. Its database's name:");
    field_draw(&screen->word, c, row + rows - 1, col, c->cols - col - 1, true);
}

bool review_key(struct review *screen, int key)
{
    if (screen->confirming) {
        if (key == KEY_ESCAPE)
            screen->confirming = false;
        else if (key == KEY_RETURN)
            return false;
        else
            field_key(&screen->word, key);
        return true;
    }
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: screen->top++; return true;
    case 'k': case KEY_ARROW_UP: screen->top -= screen->top > 0; return true;
    case KEY_PAGE_DOWN: screen->top += 15; return true;
    case KEY_PAGE_UP: screen->top = screen->top > 15 ? screen->top - 15 : 0; return true;
    case KEY_FIRST: screen->top = 0; return true;
    case 'p': screen->plan = !screen->plan; screen->top = 0; return true;
    default: return false;
    }
}

bool review_write_plan(const struct draft *draft, char *said, size_t size)
{
    struct err err = ERR_INIT;
    const char *name = draft_text(draft, NULL, "name");
    char *path = xasprintf("%s.json", *name ? name : "plan");
    char *text = draft_plan_text(draft, false);
    struct buf out = BUF_INIT;

    buf_addf(&out, "%s\n", text);
    bool exists = file_exists(path);
    bool ok = !exists && file_write_atomic(path, out.data, out.len, &err);
    if (ok)
        snprintf(said, size, "Written: \"pgcutover --batch %s\" does the same.", path);
    else
        snprintf(said, size, "%s%s", exists ? path : err.message, exists ? " is there already: nothing was written." : "");
    err_clear(&err);
    buf_release(&out);
    free(text);
    free(path);
    return ok;
}
