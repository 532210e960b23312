#include "ui/screens/statements.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "ui/terminal.h"

const struct key_help statements_keys[] = {
    {"e", "edit", "Opens the statement in your editor ($VISUAL, $EDITOR, or vi). What is saved runs instead of it."},
    {"s", "skip", "Leaves the statement out. What depends on it fails then, and is decided on in the same way."},
    {"u", "undo", "Takes the decision back: what the plan says counts again."},
    {"R", "retry all", "Goes on: what is decided is done, all else that failed is tried again."},
    {"v", "view SQL", "Shows the statement whole; again: the list."},
    {"w", "write script", "Writes all that failed as NAME-failed.sql into the present directory, each with why it failed."},
    {"j k", NULL, "Down and up; also the arrow keys, PgUp and PgDn."},
    {"S", NULL, "Back to the tables; so does Esc."},
    {"?", "help", "This help."},
    {NULL, NULL, NULL},
};

static const cJSON *list_of(const struct dashboard *d)
{
    return json_get(dashboard_database(d), "schemaDecisions");
}

static const cJSON *selected(const struct dashboard *d)
{
    return cJSON_GetArrayItem(list_of(d), d->statement);
}

static bool has_failed(const cJSON *item)
{
    return strcmp(session_text(item, "state"), "failed") == 0;
}

/* What was decided on it since; NULL: nothing. */
static const cJSON *decided_on(const struct dashboard *d, const cJSON *statement)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(dashboard_database(d), "schemaDecided"))
        if (strcmp(session_text(item, "object"), session_text(statement, "object")) == 0)
            return json_str(item, "sql") || json_bool(item, "skip", false) ? item : NULL;
    return NULL;
}

int statements_open(const struct dashboard *d)
{
    const cJSON *item;
    int count = 0;

    cJSON_ArrayForEach(item, list_of(d))
        count += has_failed(item) && !decided_on(d, item);
    return count;
}

/* --- drawing --- */

/* In words what becomes of it. */
static const char *fate_of(const struct dashboard *d, const cJSON *item)
{
    const cJSON *decided = has_failed(item) ? decided_on(d, item) : NULL;
    const char *decision = session_text(item, "decision");

    if (decided)
        return json_str(decided, "sql") ? "edited: R tries it" : "left out: R goes on";
    if (has_failed(item))
        return *decision ? "failed, edited" : "failed";
    if (strcmp(decision, "edit") == 0)
        return strcmp(session_text(item, "state"), "applied") == 0 ? "edited, applied" : "edited";
    return strcmp(session_text(item, "state"), "skipped") == 0 ? "left out" : session_text(item, "state");
}

static void draw_item(const struct dashboard *d, const cJSON *item, struct canvas *c, int row, bool is_selected)
{
    bool open = has_failed(item) && !decided_on(d, item);
    bool applied = strcmp(session_text(item, "state"), "applied") == 0;
    enum role role = open ? ROLE_ERROR : applied ? ROLE_OK : ROLE_WARNING;

    canvas_put(c, row, 0, 1, ROLE_KEY, is_selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 2, 2, role, open ? c->glyphs->error : applied ? c->glyphs->ok : c->glyphs->warning);
    canvas_put(c, row, 5, c->cols - 27, is_selected ? ROLE_SELECTED : ROLE_TEXT, session_text(item, "object"));
    canvas_put(c, row, c->cols - 21, 20, role, fate_of(d, item));
}

/* Lines of SQL as they are, cut at the edge. Returns the rows taken. */
static int draw_sql(struct canvas *c, int row, int end, const char *sql, int skip)
{
    int first = row;

    while (*sql && row < end) {
        size_t len = strcspn(sql, "\n");
        char *line = xstrndup(sql, len);
        for (char *at = line; *at; at++)
            *at = *at == '\t' ? ' ' : *at;
        if (skip-- <= 0)
            canvas_put(c, row++, 2, c->cols - 3, ROLE_TEXT, line);
        free(line);
        sql += len + (sql[len] == '\n');
    }
    return row - first;
}

static const char *sql_of(const struct dashboard *d, const cJSON *item)
{
    const char *sql = json_str(decided_on(d, item), "sql");

    return sql ? sql : session_text(item, "statement");
}

static void draw_details(const struct dashboard *d, const cJSON *item, struct canvas *c, int row, int end)
{
    const char *state = session_text(item, "sqlstate");
    char *why = xasprintf("%s%s%s%s", session_text(item, "message"), *state ? " (" : "", state, *state ? ")" : "");

    canvas_line(c, row++, session_text(item, "object"));
    if (row < end)
        row += canvas_wrap(c, row, 2, c->cols - 3, end - row, has_failed(item) ? ROLE_ERROR : ROLE_TEXT, why);
    draw_sql(c, row, end, sql_of(d, item), 0);
    free(why);
}

static void draw_counts(const struct dashboard *d, struct canvas *c, int row)
{
    const cJSON *counts = json_get(dashboard_database(d), "schemaStatements");

    canvas_putf(c, row, 1, -1, ROLE_HEADER, "Schema: %.0f failed, %.0f left out, %.0f applied, %.0f held back, %.0f to come",
                session_num(counts, "failed"), session_num(counts, "skipped"), session_num(counts, "applied"), session_num(counts, "held"),
                session_num(counts, "pending"));
}

void pane_statements(struct dashboard *d, struct canvas *c, int row, int rows)
{
    int count = cJSON_GetArraySize(list_of(d)), end = row + rows;
    int list = rows / 2 - 1;
    int top = d->statement - list + 1;

    if (d->statement >= count)
        d->statement = count ? count - 1 : 0;
    const cJSON *item = cJSON_GetArrayItem(list_of(d), top < 0 ? top = 0 : top);
    if (d->whole && count) {
        canvas_line(c, row, session_text(selected(d), "object"));
        draw_sql(c, row + 1, end, sql_of(d, selected(d)), d->scroll);
        c->cursor_row = row;
        return;
    }
    draw_counts(d, c, row);
    c->cursor_row = row + 1 + d->statement - top;
    for (int i = 0; i < list && item; i++, item = item->next)
        draw_item(d, item, c, row + 1 + i, top + i == d->statement);
    if (count)
        draw_details(d, selected(d), c, row + 1 + list, end);
    else
        canvas_put(c, row + 2, 1, -1, ROLE_OK, "The target has refused none of them, and nobody has decided on one.");
}

/* --- keys --- */

static void decide(struct dashboard *d, const char *sql, bool skip)
{
    session_decide(d->session, session_text(dashboard_database(d), "databaseName"), session_text(selected(d), "object"), sql, skip);
}

/* False, with a word, where nothing can be decided on. */
static bool is_decidable(struct dashboard *d)
{
    const cJSON *item = selected(d);

    if (!d->session->live)
        dashboard_say(d, true, "No engine runs: r starts it.");
    else if (!item)
        dashboard_say(d, true, "There is no statement to decide on.");
    else if (strcmp(session_text(item, "state"), "applied") == 0)
        dashboard_say(d, true, "It is applied already.");
    else
        return true;
    return false;
}

static void begin_to_edit(struct dashboard *d)
{
    if (!is_decidable(d))
        return;
    if (*sql_of(d, selected(d)))
        d->asked = "edit";
    else
        dashboard_say(d, true, "Its text is not here: give it another one in the plan (schema.edits).");
}

static void move(struct dashboard *d, int by)
{
    int count = cJSON_GetArraySize(list_of(d));
    int *at = d->whole ? &d->scroll : &d->statement;

    *at += by;
    if (!d->whole && *at >= count)
        *at = count - 1;
    if (*at < 0)
        *at = 0;
}

bool statements_key(struct dashboard *d, int key)
{
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: move(d, 1); return true;
    case 'k': case KEY_ARROW_UP: move(d, -1); return true;
    case KEY_PAGE_DOWN: move(d, 8); return true;
    case KEY_PAGE_UP: move(d, -8); return true;
    case 'v': d->whole = !d->whole; d->scroll = 0; return true;
    case 'e': begin_to_edit(d); return true;
    case 's': case 'u':
        if (is_decidable(d))
            decide(d, NULL, key == 's');
        return true;
    case 'R':
        if (d->session->live)
            session_command(d->session, "resume", json_str(dashboard_database(d), "databaseName"));
        else
            dashboard_say(d, true, "No engine runs: r starts it.");
        return true;
    case 'w': d->asked = "write failed"; return true;
    default: return false;
    }
}

/* --- texts --- */

char *statements_text(const struct dashboard *d)
{
    const char *sql = selected(d) ? sql_of(d, selected(d)) : "";

    return *sql ? xstrdup(sql) : NULL;
}

static char *trimmed(const char *text)
{
    size_t len = strlen(text);

    while (len && strchr(" \t\r\n;", text[len - 1]))
        len--;
    return xstrndup(text, len);
}

void statements_edited(struct dashboard *d, const char *before, const char *after)
{
    char *old = trimmed(before), *new = trimmed(after);

    if (!*new)
        dashboard_say(d, true, "Nothing is left of it: nothing was decided. s leaves a statement out.");
    else if (strcmp(old, new) == 0)
        dashboard_say(d, false, "It is as it was: nothing was decided.");
    else
        decide(d, new, false);
    free(old);
    free(new);
}

char *statements_script(const struct dashboard *d)
{
    struct buf out = BUF_INIT;
    const cJSON *item;

    cJSON_ArrayForEach(item, list_of(d))
    {
        if (!has_failed(item))
            continue;
        char *sql = trimmed(sql_of(d, item));
        char *why = xstrdup(session_text(item, "message"));
        for (char *at = why; *at; at++)
            *at = *at == '\n' || *at == '\r' ? ' ' : *at;
        buf_addf(&out, "-- %s: %s (%s)\n%s%s\n\n", session_text(item, "object"), why, session_text(item, "sqlstate"), sql, *sql ? ";" : "-- its text is not here");
        free(why);
        free(sql);
    }
    return buf_take(&out);
}
