#include "ui/screens/checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "ui/said.h"
#include "ui/terminal.h"

#define AGAIN_MS 5000

const struct key_help checks_keys[] = {
    {"r", "recheck", "Makes the checks again: after something was mended on a server."},
    {"f", "fix", "Mends what is selected: shows the statements first, and runs them when \"y\" says so. It never restarts a server."},
    {"w", "write", "Writes all fixes as NAME-fixes.sql into the present directory, a script for psql on each side; the checks are made again for it."},
    {"v", "waive", "Waives what must be mended, by the id of its check: it is no obstacle then, is shown as waived, and stands so in the report. v once more takes that back."},
    {"a", "all", "Shows what is just told, too, or only what needs somebody."},
    {"j k", NULL, "Down and up; also the arrow keys, PgUp, PgDn, Home and End. Below stands why it matters, and what mends it."},
    {"Enter", "next", "Goes on. Refused while something is open that must be mended."},
    {"Esc", "back", "Back to the connections."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the plan is kept as a draft."},
    {NULL, NULL, NULL},
};

void checks_release(struct checks *screen)
{
    cJSON_Delete(screen->findings);
    free(screen->error);
    mend_release(&screen->mend);
    *screen = (struct checks){0};
}

void checks_running(struct checks *screen, int64_t now_ms)
{
    screen->running = true;
    screen->since_ms = now_ms;
}

static const cJSON *find(const struct checks *screen, const char *id)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, screen->findings)
    {
        const char *is = json_str(item, "id");
        if (is && strcmp(is, id) == 0)
            return item;
    }
    return NULL;
}

void checks_answer(struct checks *screen, const char *text)
{
    cJSON *json = cJSON_Parse(text);
    time_t now = time(NULL);
    struct tm tm;

    cJSON_Delete(screen->findings);
    free(screen->error);
    *screen = (struct checks){.all = screen->all, .selected = screen->selected, .top = screen->top, .mend = screen->mend,
                              .again_ms = screen->again_ms};
    strftime(screen->taken, sizeof screen->taken, "%H:%M:%S", localtime_r(&now, &tm));
    if (cJSON_IsArray(json)) {
        screen->findings = json;
        if (screen->mend.waits_for && !find(screen, screen->mend.waits_for)) {
            free(screen->mend.waits_for);
            screen->mend.waits_for = NULL;
        }
        return;
    }
    screen->error = said_error(json_get(json, "error"), "The checks gave no answer.");
    cJSON_Delete(json);
}

/* What is waived is shown with the warnings: it is known, and no obstacle. */
static char severity(const cJSON *finding)
{
    const char *text = json_str(finding, "severity");

    return !text ? 'I' : *text == 'F' && json_bool(finding, "waived", false) ? 'W' : *text;
}

static int count_of(const struct checks *screen, char which)
{
    const cJSON *item;
    int count = 0;

    cJSON_ArrayForEach(item, screen->findings)
        count += severity(item) == which;
    return count;
}

int checks_failures(const struct checks *screen)
{
    return screen->findings && !screen->running ? count_of(screen, 'F') : -1;
}

/* The n-th of those that are shown: what must be mended first, then warnings, then the rest. */
static const cJSON *shown(const struct checks *screen, int n)
{
    static const char order[] = "FWI";
    const cJSON *item;

    for (const char *which = order; *which; which++) {
        if (*which == 'I' && !screen->all)
            return NULL;
        cJSON_ArrayForEach(item, screen->findings)
            if (severity(item) == *which && n-- == 0)
                return item;
    }
    return NULL;
}

const char *checks_waivable(const struct checks *screen)
{
    const cJSON *item = screen->running ? NULL : shown(screen, screen->selected);
    const char *raw = json_str(item, "severity");

    return raw && *raw == 'F' ? json_str(item, "id") : NULL;
}

void checks_waive(struct checks *screen, const char *id, bool waived)
{
    const cJSON *under = shown(screen, screen->selected);
    cJSON *item;

    cJSON_ArrayForEach(item, screen->findings)
    {
        if (!json_str(item, "id") || strcmp(json_str(item, "id"), id) != 0)
            continue;
        cJSON_DeleteItemFromObjectCaseSensitive(item, "waived");
        json_add_bool(item, "waived", waived);
    }
    for (int i = 0; shown(screen, i); i++)
        if (shown(screen, i) == under)
            screen->selected = i;
}

static int count_shown(const struct checks *screen)
{
    return count_of(screen, 'F') + count_of(screen, 'W') + (screen->all ? count_of(screen, 'I') : 0);
}

const cJSON *checks_selected(const struct checks *screen)
{
    return screen->findings && !screen->running ? shown(screen, screen->selected) : NULL;
}

bool checks_are_due(struct checks *screen, int64_t now_ms)
{
    if (!screen->mend.waits_for || screen->mend.state != MEND_NONE || screen->running || now_ms - screen->again_ms < AGAIN_MS)
        return false;
    screen->again_ms = now_ms;
    return true;
}

static void draw_one(const cJSON *item, struct canvas *c, int row, bool selected)
{
    const struct glyphs *g = c->glyphs;
    char which = severity(item);
    const char *needs = json_bool(item, "waived", false) ? "waived" : json_str(item, "needs");
    enum role role = which == 'F' ? ROLE_ERROR : which == 'W' ? ROLE_WARNING : ROLE_DIM;

    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? g->selected : " ");
    canvas_put(c, row, 2, 2, role, which == 'F' ? g->error : which == 'W' ? g->warning : "i");
    canvas_put(c, row, 5, c->cols - 24, selected ? ROLE_SELECTED : ROLE_TEXT, json_str(item, "message"));
    canvas_put(c, row, c->cols - 17, 7, ROLE_DIM, json_str(item, "side"));
    if (needs && strcmp(needs, "none") != 0)
        canvas_put(c, row, c->cols - 9, 8, ROLE_DIM, needs);
}

static int draw_text(struct canvas *c, int row, int rows, const char *label, const char *text)
{
    if (!text || rows < 1)
        return 0;
    canvas_put(c, row, 2, 5, ROLE_DIM, label);
    return canvas_wrap(c, row, 8, c->cols - 9, rows, ROLE_TEXT, text);
}

static void draw_details(const cJSON *item, struct canvas *c, int row, int rows)
{
    int end = row + rows;

    const char *database = json_str(item, "databaseName");
    char title[128];

    snprintf(title, sizeof title, "%s%s%s", json_str(item, "id") ? json_str(item, "id") : "", database ? ", database " : "", database ? database : "");
    canvas_line(c, row++, title);
    row += draw_text(c, row, end - row, "found", json_str(item, "message"));
    row += draw_text(c, row, end - row, "why", json_str(item, "why"));
    row += draw_text(c, row, end - row, "fix", json_str(item, "fix"));
    draw_text(c, row, end - row, "undo", json_str(item, "undo"));
}

static void draw_counts(const struct checks *screen, struct canvas *c, int row)
{
    const cJSON *item;
    int waived = 0, warnings = count_of(screen, 'W');
    char text[32] = "";

    cJSON_ArrayForEach(item, screen->findings)
        waived += severity(item) == 'W' && json_bool(item, "waived", false);
    warnings -= waived;
    if (waived)
        snprintf(text, sizeof text, "%d waived, ", waived);
    canvas_putf(c, row, 1, -1, ROLE_TEXT, "%d must be mended, %s%d warning%s, %d told", count_of(screen, 'F'), text, warnings,
                warnings == 1 ? "" : "s", count_of(screen, 'I'));
}

static void draw_head(const struct checks *screen, struct canvas *c, int row, int64_t now_ms)
{
    if (screen->running)
        canvas_putf(c, row, 1, -1, ROLE_BUSY, "%s checking, %lld s", c->glyphs->busy, (long long)((now_ms - screen->since_ms) / 1000));
    else if (screen->findings)
        draw_counts(screen, c, row);
    if (!screen->running && *screen->taken)
        canvas_right(c, row, c->cols - 20, 19, ROLE_DIM, screen->taken);
}

void checks_draw(struct checks *screen, struct canvas *c, int row, int rows, int64_t now_ms)
{
    int list = rows / 2 - 1;
    int count = count_shown(screen);

    draw_head(screen, c, row, now_ms);
    c->cursor_row = row;
    if (screen->error)
        canvas_wrap(c, row + 2, 1, c->cols - 2, rows - 2, ROLE_ERROR, screen->error);
    if (!screen->findings)
        return;
    if (screen->selected >= count)
        screen->selected = count ? count - 1 : 0;
    if (screen->selected < screen->top)
        screen->top = screen->selected;
    if (screen->selected >= screen->top + list)
        screen->top = screen->selected - list + 1;
    for (int i = 0; i < list && screen->top + i < count; i++)
        draw_one(shown(screen, screen->top + i), c, row + 1 + i, screen->top + i == screen->selected);
    c->cursor_row = row + 1 + screen->selected - screen->top;
    if (screen->mend.state != MEND_NONE)
        mend_draw(&screen->mend, c, row + 1 + list, rows - 1 - list);
    else if (count)
        draw_details(shown(screen, screen->selected), c, row + 1 + list, rows - 1 - list);
    else
        canvas_putf(c, row + 2, 1, -1, ROLE_OK, "%s Nothing needs to be mended.%s", c->glyphs->ok,
                    count_of(screen, 'I') ? " \"a\" shows what is told." : "");
}

bool checks_key(struct checks *screen, int key)
{
    int last = count_shown(screen) - 1;

    switch (key) {
    case 'j': case KEY_ARROW_DOWN: screen->selected += screen->selected < last; return true;
    case 'k': case KEY_ARROW_UP: screen->selected -= screen->selected > 0; return true;
    case KEY_PAGE_DOWN: screen->selected = screen->selected + 8 < last ? screen->selected + 8 : last < 0 ? 0 : last; return true;
    case KEY_PAGE_UP: screen->selected = screen->selected > 8 ? screen->selected - 8 : 0; return true;
    case KEY_FIRST: screen->selected = 0; return true;
    case 'G': case KEY_LAST: screen->selected = last < 0 ? 0 : last; return true;
    case 'a': screen->all = !screen->all; return true;
    default: return false;
    }
}
