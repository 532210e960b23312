/* How it works: the engine says which steps there will be (cutoverOutline) and how those stand that have begun (cutoverSteps);
 * the list is the first with the second put in by name, so that a step is on the screen before it begins. */
#include "ui/screens/cutover.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "ui/screens/panes.h"
#include "ui/terminal.h"

#define DETAIL_ROWS 7

const struct key_help cutover_keys[] = {
    {"c", "cut over", "Asks for the target database's name, and cuts over. Refused, with the reason, while the migration is not ready."},
    {"t", "rehearse", "Does everything but stopping writes and opening the target, and says how long it takes."},
    {"u", "undo", "While the cutover runs, before its point of no return: undoes it, and the source goes on as before. Asks first."},
    {"B", "back", "After the cutover: back to the source without losing a row, where the plan has armed it (cutover.fallback). Asks for the name."},
    {"j k", NULL, "Down and up through the steps: below stands what the step does, how it is undone, and what came of it. 0: the one that runs."},
    {"s", "tables", "Back to the tables."},
    {"Esc", NULL, "Back to the tables; while the cutover runs it asks whether to undo it first."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the engine goes on, also with the cutover."},
    {NULL, NULL, NULL},
};

static const cJSON *outline_of(const struct dashboard *d)
{
    return json_get(dashboard_database(d), "cutoverOutline");
}

/* How it stands; NULL: it has not begun. */
static const cJSON *step_of(const struct dashboard *d, const char *name)
{
    const cJSON *step;

    cJSON_ArrayForEach(step, json_get(dashboard_database(d), "cutoverSteps"))
        if (strcmp(session_text(step, "name"), name) == 0)
            return step;
    return NULL;
}

bool dashboard_operator_stops(const struct dashboard *d)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, outline_of(d))
        if (json_bool(item, "byOperator", false))
            return true;
    return false;
}

static bool is_running(const struct dashboard *d)
{
    return strcmp(session_text(dashboard_database(d), "phase"), "cutting over") == 0;
}

/* The one that runs, failed, or was done last. */
static int present_step(const struct dashboard *d)
{
    const cJSON *item;
    int i = 0, at = 0;

    cJSON_ArrayForEach(item, outline_of(d))
    {
        const char *state = session_text(step_of(d, session_text(item, "name")), "state");
        if (strcmp(state, "running") == 0 || strcmp(state, "failed") == 0)
            return i;
        if (*state)
            at = i;
        i++;
    }
    return at;
}

/* --- drawing --- */

static struct look {
    const char *glyph;
    enum role role;
} look_of(const struct canvas *c, const char *state)
{
    if (strcmp(state, "done") == 0)
        return (struct look){c->glyphs->ok, ROLE_OK};
    if (strcmp(state, "failed") == 0)
        return (struct look){c->glyphs->error, ROLE_ERROR};
    return strcmp(state, "running") == 0 ? (struct look){c->glyphs->busy, ROLE_BUSY} : (struct look){" ", ROLE_DIM};
}

/* Seconds between two times of the engine's; the second may be missing: now. -1: none. */
static double took(const cJSON *step, int64_t now_us)
{
    int64_t from, to = now_us;

    if (!clock_parse_iso(session_text(step, "startedOn"), &from))
        return -1;
    clock_parse_iso(session_text(step, "endedOn"), &to);
    return to > from ? (double)(to - from) / 1e6 : 0;
}

static void draw_step(const struct dashboard *d, const cJSON *item, struct canvas *c, int row, bool selected)
{
    const cJSON *step = step_of(d, session_text(item, "name"));
    const char *state = session_text(step, "state");
    struct look look = look_of(c, state);
    double seconds = took(step, d->now_us);
    const char *said = session_text(step, "text");

    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 2, 2, look.role, look.glyph);
    canvas_put(c, row, 4, 28, selected ? ROLE_SELECTED : *state ? ROLE_TEXT : ROLE_DIM, session_text(item, "name"));
    if (seconds >= 0 && *state) {
        char text[32];
        snprintf(text, sizeof text, "%.1f s", seconds);
        canvas_right(c, row, 33, 8, look.role, text);
    }
    canvas_put(c, row, 43, c->cols - 44, *state ? ROLE_TEXT : ROLE_DIM, *said ? said : *state ? state : session_text(item, "does"));
}

/* For how long nobody can write, all along. */
static void draw_clock(const struct dashboard *d, struct canvas *c, int row)
{
    const cJSON *db = dashboard_database(d);
    int64_t from, to;
    bool stopped = clock_parse_iso(session_text(db, "writesStoppedOn"), &from);
    bool opened = clock_parse_iso(session_text(db, "targetOpenedOn"), &to);
    char at[32];

    if (stopped && opened)
        canvas_putf(c, row, 1, -1, ROLE_HEADER, "Writes were stopped for %.1f s.", session_num(db, "downtimeSeconds"));
    else if (stopped && (is_running(d) || strcmp(session_text(db, "phase"), "closing") == 0))
        canvas_putf(c, row, 1, -1, ROLE_WARNING, "%s Writes have been stopped for %.1f s.", c->glyphs->warning, (double)(d->now_us - from) / 1e6);
    else if (local_day_and_time(session_text(db, "cutoverSetFor"), at))
        canvas_putf(c, row, 1, -1, ROLE_HEADER, "Writes go on. It is set for %s, and begins by itself then.", at);
    else
        canvas_put(c, row, 1, -1, ROLE_HEADER, is_running(d) ? "Writes go on still." : "Writes go on.");
}

static int label(struct canvas *c, int row, int end, const char *name, enum role role, const char *text)
{
    if (row >= end || !*text)
        return row;
    canvas_put(c, row, 2, 6, ROLE_DIM, name);
    int used = canvas_wrap(c, row, 9, c->cols - 10, end - row, role, text);
    return row + (used ? used : 1);
}

static void draw_details(const struct dashboard *d, const cJSON *item, struct canvas *c, int row, int end)
{
    const cJSON *step = step_of(d, session_text(item, "name"));
    bool failed = strcmp(session_text(step, "state"), "failed") == 0;

    canvas_line(c, row++, session_text(item, "name"));
    row = label(c, row, end, "does", ROLE_TEXT, session_text(item, "does"));
    row = label(c, row, end, "undo", ROLE_TEXT, json_str(item, "undo") ? json_str(item, "undo") : "There is nothing to undo.");
    label(c, row, end, failed ? "failed" : "said", failed ? ROLE_ERROR : ROLE_TEXT, session_text(step, "text"));
}

/* Rows of the list: each step one, and one where the point of no return is. */
static int final_at(const struct dashboard *d)
{
    const cJSON *item;
    int i = 0;

    cJSON_ArrayForEach(item, outline_of(d))
    {
        if (json_bool(item, "final", false))
            return i;
        i++;
    }
    return i;
}

static void draw_list(const struct dashboard *d, struct canvas *c, int row, int rows, int selected)
{
    int count = cJSON_GetArraySize(outline_of(d)), final = final_at(d);
    int here = selected + (selected >= final); /* as a row */
    int top = here >= rows ? here - rows + 1 : 0;
    const cJSON *item;

    if (top + rows > count + 1)
        top = count + 1 - rows > 0 ? count + 1 - rows : 0;
    c->cursor_row = row + here - top;
    item = cJSON_GetArrayItem(outline_of(d), top > final ? top - 1 : top);
    for (int i = 0; i < rows && (item || top + i == final); i++) {
        if (top + i == final) {
            canvas_line(c, row + i, "the point of no return");
            continue;
        }
        draw_step(d, item, c, row + i, top + i == here);
        item = item->next;
    }
}

/* A rehearsal that was asked for is no step of the cutover. Returns the rows taken. */
static int draw_rehearsal(const struct dashboard *d, struct canvas *c, int row)
{
    const cJSON *step = step_of(d, "rehearse"), *item;
    const char *state = session_text(step, "state"), *said = session_text(step, "text");

    cJSON_ArrayForEach(item, outline_of(d))
        if (strcmp(session_text(item, "name"), "rehearse") == 0)
            return 0;
    if (!*state)
        return 0;
    canvas_putf(c, row, 1, -1, look_of(c, state).role, "Rehearsed: %s", *said ? said : state);
    return 1;
}

void pane_cutover(struct dashboard *d, struct canvas *c, int row, int rows)
{
    int count = cJSON_GetArraySize(outline_of(d)), end = row + rows;
    const char *why = session_text(dashboard_database(d), "notReadyBecause");

    if (!d->step_chosen)
        d->step = present_step(d);
    if (d->step >= count)
        d->step = count ? count - 1 : 0;
    draw_clock(d, c, row);
    if (*why && !is_running(d) && d->session->live)
        canvas_putf(c, row, 34, -1, ROLE_WARNING, "%s Not ready: %s", c->glyphs->warning, why);
    if (!count) {
        canvas_put(c, row + 2, 1, -1, ROLE_DIM, "The engine has not said which steps there will be.");
        return;
    }
    int above = 1 + draw_rehearsal(d, c, row + 1);
    draw_list(d, c, row + above, rows - above - DETAIL_ROWS, d->step);
    draw_details(d, cJSON_GetArrayItem(outline_of(d), d->step), c, end - DETAIL_ROWS, end);
}

/* --- keys --- */

static void move(struct dashboard *d, int by)
{
    int count = cJSON_GetArraySize(outline_of(d));

    d->step_chosen = true;
    d->step = d->step + by < 0 ? 0 : d->step + by >= count ? count - 1 : d->step + by;
}

static void ask_to_undo(struct dashboard *d)
{
    d->undoing = true;
    dashboard_say(d, false, "y undoes the cutover, and the source goes on as before. Any other key lets it run.");
}

static void answer(struct dashboard *d, int key)
{
    d->undoing = false;
    if (key == 'y')
        session_command(d->session, "abort", json_str(dashboard_database(d), "databaseName"));
    else if (key == KEY_ESCAPE)
        d->pane = PANE_TABLES;
}

bool cutover_key(struct dashboard *d, int key)
{
    if (d->undoing) {
        answer(d, key);
        return true;
    }
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: move(d, 1); return true;
    case 'k': case KEY_ARROW_UP: move(d, -1); return true;
    case KEY_PAGE_DOWN: move(d, 8); return true;
    case KEY_PAGE_UP: move(d, -8); return true;
    case '0': d->step_chosen = false; return true;
    case 'u':
        if (is_running(d))
            ask_to_undo(d);
        else
            dashboard_say(d, true, "No cutover runs that could be undone.");
        return true;
    case 'B': dashboard_ask_ended(d, "fallback"); return true;
    case KEY_ESCAPE:
        if (is_running(d))
            ask_to_undo(d);
        return is_running(d);
    default: return false;
    }
}
