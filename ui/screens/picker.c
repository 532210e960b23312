#include "ui/screens/picker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/units.h"
#include "ui/said.h"
#include "ui/terminal.h"

const struct key_help picker_keys[] = {
    {"Space", "toggle", "Picks the table under the cursor, or leaves it out."},
    {"a", "all", "Picks all tables that are shown."},
    {"A", "none", "Leaves out all tables that are shown."},
    {"/", "filter", "Shows only tables whose name holds the text. Enter keeps it, Esc takes it away."},
    {"s", "sort", "By name, by size, by rows."},
    {"d", NULL, "Shows the tables of the next database of the plan."},
    {"m", "name", "The table's name on the target, with its schema; empty: as on the source."},
    {"w", "rows", "A condition on the table's columns: only rows for which it is true are moved."},
    {"c", NULL, "The columns that are moved, with commas between; with - before each, all but these: the others keep their defaults."},
    {"j k", NULL, "Down and up; also the arrow keys, PgUp, PgDn, Home and End."},
    {"Enter", "next", "Goes on to the review."},
    {"Esc", "back", "Back to the schema."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the plan is kept as a draft."},
    {NULL, NULL, NULL},
};

void picker_release(struct picker *screen)
{
    for (int i = 0; i < screen->count; i++) {
        free(screen->picks[i].name);
        free(screen->picks[i].to);
        free(screen->picks[i].where);
        free(screen->picks[i].columns);
    }
    free(screen->picks);
    free(screen->shown);
    free(screen->error);
    cJSON_Delete(screen->tables);
    *screen = (struct picker){0};
}

void picker_running(struct picker *screen, int64_t now_ms)
{
    screen->running = true;
    screen->since_ms = now_ms;
}

static double number(const cJSON *table, const char *key)
{
    const cJSON *item = json_get(table, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pick *)a)->name, ((const struct pick *)b)->name);
}

static int compare(double left, double right, const void *a, const void *b)
{
    return left > right ? -1 : left < right ? 1 : by_name(a, b);
}

static int by_size(const void *a, const void *b)
{
    return compare(((const struct pick *)a)->bytes, ((const struct pick *)b)->bytes, a, b);
}

static int by_rows(const void *a, const void *b)
{
    return compare(((const struct pick *)a)->rows, ((const struct pick *)b)->rows, a, b);
}

static bool is_of(const struct pick *pick, const char *database)
{
    return !database || !pick->database || strcmp(pick->database, database) == 0;
}

static void look(struct picker *screen)
{
    static int (*const orders[])(const void *, const void *) = {by_name, by_size, by_rows};

    if (screen->count)
        qsort(screen->picks, (size_t)screen->count, sizeof *screen->picks, orders[screen->order]);
    screen->shown_count = 0;
    for (int i = 0; i < screen->count; i++)
        if (is_of(&screen->picks[i], screen->database) &&
            (!screen->filter.text[0] || strcasestr(screen->picks[i].name, screen->filter.text)))
            screen->shown[screen->shown_count++] = i;
    if (screen->selected >= screen->shown_count)
        screen->selected = screen->shown_count ? screen->shown_count - 1 : 0;
}

/* A mapping's lists of columns as they are typed; owned, NULL: it has none. */
static char *columns_text(const cJSON *mapping)
{
    const cJSON *some = json_get(mapping, "columns"), *item;
    const cJSON *list = some ? some : json_get(mapping, "excludedColumns");
    struct buf out = BUF_INIT;

    cJSON_ArrayForEach(item, list)
        if (cJSON_IsString(item))
            buf_addf(&out, "%s%s%s", out.len ? ", " : "", some ? "" : "-", item->valuestring);
    return out.len ? buf_take(&out) : NULL;
}

/* The reverse: one without "-" in front makes it a list of those that come. Names in double quotes may hold commas. */
static void add_columns(cJSON *mapping, const char *text)
{
    bool some = text[strspn(text, " ")] != '-';
    cJSON *list = cJSON_AddArrayToObject(mapping, some ? "columns" : "excludedColumns");

    while (*text) {
        text += strspn(text, " ,");
        text += !some && *text == '-';
        bool quoted = false;
        size_t len = 0;
        for (; text[len] && (quoted || text[len] != ','); len++)
            quoted ^= text[len] == '"';
        size_t end = len;
        while (end && text[end - 1] == ' ')
            end--;
        char *name = xstrndup(text, end);
        if (*name)
            cJSON_AddItemToArray(list, cJSON_CreateString(name));
        free(name);
        text += len;
    }
}

/* What the plan's mappings say of a table. */
static void take_mapping(struct pick *pick, const struct draft *draft)
{
    const cJSON *mappings = json_get(draft_find_database(draft, pick->database), "tableMappings");
    const cJSON *item;

    cJSON_ArrayForEach(item, mappings)
    {
        const char *name = json_str(item, "table");
        if (!name || strcmp(name, pick->name) != 0)
            continue;
        pick->to = json_str(item, "to") ? xstrdup(json_str(item, "to")) : NULL;
        pick->where = json_str(item, "where") ? xstrdup(json_str(item, "where")) : NULL;
        pick->columns = columns_text(item);
    }
}

static void take_tables(struct picker *screen, const struct draft *draft)
{
    const cJSON *item;

    screen->count = cJSON_GetArraySize(screen->tables);
    screen->picks = xcalloc((size_t)screen->count + 1, sizeof *screen->picks);
    screen->shown = xcalloc((size_t)screen->count + 1, sizeof *screen->shown);
    screen->count = 0;
    cJSON_ArrayForEach(item, screen->tables)
    {
        struct pick *pick = &screen->picks[screen->count++];
        *pick = (struct pick){.table = item, .name = xstrdup(json_str(item, "name")), .on = json_bool(item, "picked", false),
                              .bytes = number(item, "bytes"), .rows = number(item, "estimatedRows"),
                              .database = json_str(item, "databaseName")};
        take_mapping(pick, draft);
    }
    screen->database = screen->count ? screen->picks[0].database : NULL;
    look(screen);
}

void picker_answer(struct picker *screen, const struct draft *draft, const char *text)
{
    cJSON *json = cJSON_Parse(text);

    picker_release(screen);
    if (cJSON_IsArray(json)) {
        screen->tables = json;
        take_tables(screen, draft);
        return;
    }
    screen->error = said_error(json_get(json, "error"), "The tables could not be read.");
    cJSON_Delete(json);
}

int picker_count(const struct picker *screen, const char *database)
{
    int count = 0;

    for (int i = 0; i < screen->count; i++)
        count += screen->picks[i].on && is_of(&screen->picks[i], database);
    return count;
}

/* The database that comes after this one, in the order of the plan; NULL: this was the last. */
static const char *next_database(const struct picker *screen, const char *database)
{
    const cJSON *item;
    bool seen = !database;

    cJSON_ArrayForEach(item, screen->tables)
    {
        const char *name = json_str(item, "databaseName");
        if (seen && name && (!database || strcmp(name, database) != 0))
            return name;
        seen = seen || (name && strcmp(name, database) == 0);
    }
    return NULL;
}

const char *picker_without(const struct picker *screen)
{
    const char *database = next_database(screen, NULL);

    while (database && picker_count(screen, database))
        database = next_database(screen, database);
    return database;
}

static void store_mappings(const struct picker *screen, const char *name, cJSON *database)
{
    cJSON *mappings = cJSON_CreateArray();

    for (int i = 0; i < screen->count; i++) {
        const struct pick *pick = &screen->picks[i];
        if (!pick->on || !is_of(pick, name) || (!pick->to && !pick->where && !pick->columns))
            continue;
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "table", pick->name);
        if (pick->to)
            json_add_str(item, "to", pick->to);
        if (pick->where)
            json_add_str(item, "where", pick->where);
        if (pick->columns)
            add_columns(item, pick->columns);
        cJSON_AddItemToArray(mappings, item);
    }
    cJSON_DeleteItemFromObjectCaseSensitive(database, "tableMappings");
    if (cJSON_GetArraySize(mappings))
        cJSON_AddItemToObject(database, "tableMappings", mappings);
    else
        cJSON_Delete(mappings);
}

/* All but a few are all that come, too; a few are just these. An empty list would mean all. */
static void store_database(const struct picker *screen, const char *name, cJSON *database)
{
    int picked = picker_count(screen, name), count = 0;

    for (int i = 0; i < screen->count; i++)
        count += is_of(&screen->picks[i], name);
    bool name_picked = picked && picked * 2 < count;
    cJSON_DeleteItemFromObjectCaseSensitive(database, "selectedTables");
    cJSON_DeleteItemFromObjectCaseSensitive(database, "excludedTables");
    store_mappings(screen, name, database);
    if (picked == count)
        return;
    cJSON *list = cJSON_AddArrayToObject(database, name_picked ? "selectedTables" : "excludedTables");
    for (int i = 0; i < screen->count; i++)
        if (is_of(&screen->picks[i], name) && screen->picks[i].on == name_picked)
            cJSON_AddItemToArray(list, cJSON_CreateString(screen->picks[i].name));
}

void picker_store(const struct picker *screen, struct draft *draft)
{
    if (!screen->changed)
        return;
    for (const char *name = next_database(screen, NULL); name; name = next_database(screen, name)) {
        cJSON *database = draft_find_database(draft, name);
        store_database(screen, name, database ? database : draft_database(draft));
    }
}

/* --- drawing --- */

static const char *note_of(const struct pick *pick)
{
    if (!json_bool(pick->table, "readable", true))
        return "no SELECT";
    if (json_bool(pick->table, "unlogged", false))
        return "unlogged";
    if (pick->to)
        return "renamed";
    return pick->where ? "some rows" : pick->columns ? "columns" : json_bool(pick->table, "partition", false) ? "partition" : "";
}

static void draw_pick(const struct pick *pick, struct canvas *c, int row, bool selected)
{
    const char *key = json_str(pick->table, "key");
    bool keyless = key && strcmp(key, "none") == 0;
    int name = c->cols - 52;
    char bytes[32], rows[32];

    units_bytes((int64_t)pick->bytes, bytes, sizeof bytes);
    units_count((int64_t)pick->rows, rows, sizeof rows);
    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 1, 3, pick->on ? ROLE_OK : ROLE_DIM, pick->on ? "[x]" : "[ ]");
    canvas_put(c, row, 5, name, selected ? ROLE_SELECTED : pick->on ? ROLE_TEXT : ROLE_DIM, pick->name);
    canvas_right(c, row, name + 6, 13, ROLE_TEXT, rows);
    canvas_right(c, row, name + 20, 10, ROLE_TEXT, bytes);
    canvas_put(c, row, name + 32, 9, keyless ? ROLE_WARNING : ROLE_TEXT, keyless ? "none !" : key ? key : "");
    canvas_put(c, row, name + 41, 10, ROLE_DIM, note_of(pick));
}

static void draw_head(const struct picker *screen, struct canvas *c, int row)
{
    static const char *const orders[] = {"name", "size", "rows"};
    bool several = next_database(screen, next_database(screen, NULL)) != NULL;
    double all = 0, on = 0;
    int count = 0;
    char sizes[2][32];

    for (int i = 0; i < screen->count; i++) {
        if (!is_of(&screen->picks[i], screen->database))
            continue;
        count++;
        all += screen->picks[i].bytes;
        on += screen->picks[i].on ? screen->picks[i].bytes : 0;
    }
    units_bytes((int64_t)on, sizes[0], sizeof sizes[0]);
    units_bytes((int64_t)all, sizes[1], sizeof sizes[1]);
    int col = several ? 3 + canvas_putf(c, row, 1, c->cols / 3, ROLE_HEADER, "%s (d: next)", screen->database) : 1;
    canvas_putf(c, row, col, -1, ROLE_TEXT, "%d of %d tables, %s of %s, by %s", picker_count(screen, screen->database), count, sizes[0], sizes[1],
                orders[screen->order]);
    if (screen->filter.text[0]) {
        char text[FIELD_SIZE + 64];
        snprintf(text, sizeof text, "filter %s: %d/%d", screen->filter.text, screen->shown_count, screen->count);
        canvas_right(c, row, c->cols - 31, 30, ROLE_WARNING, text);
    }
    int name = c->cols - 52;
    canvas_put(c, row + 1, 5, -1, ROLE_HEADER, "Table");
    canvas_right(c, row + 1, name + 6, 13, ROLE_HEADER, "Rows (est.)");
    canvas_right(c, row + 1, name + 20, 10, ROLE_HEADER, "Size");
    canvas_put(c, row + 1, name + 32, 9, ROLE_HEADER, "Key");
    canvas_put(c, row + 1, name + 41, 10, ROLE_HEADER, "Note");
}

static void draw_input(struct picker *screen, struct canvas *c, int row)
{
    const char *label = screen->editing == '/' ? "Filter" : screen->editing == 'm' ? "Name on the target" : screen->editing == 'c' ? "Columns" : "Rows where";
    int col = 2 + canvas_put(c, row, 1, -1, ROLE_KEY, label);

    field_draw(screen->editing == '/' ? &screen->filter : &screen->input, c, row, col, c->cols - col - 1, true);
}

void picker_draw(struct picker *screen, struct canvas *c, int row, int rows, int64_t now_ms)
{
    int list = rows - 3;

    c->cursor_row = row;
    if (screen->running)
        canvas_putf(c, row, 1, -1, ROLE_BUSY, "%s reading the source's tables, %lld s", c->glyphs->busy,
                    (long long)((now_ms - screen->since_ms) / 1000));
    if (screen->error)
        canvas_wrap(c, row, 1, c->cols - 2, rows, ROLE_ERROR, screen->error);
    if (!screen->tables || screen->running)
        return;
    draw_head(screen, c, row);
    if (screen->selected < screen->top)
        screen->top = screen->selected;
    if (screen->selected >= screen->top + list)
        screen->top = screen->selected - list + 1;
    for (int i = 0; i < list && screen->top + i < screen->shown_count; i++)
        draw_pick(&screen->picks[screen->shown[screen->top + i]], c, row + 2 + i, screen->top + i == screen->selected);
    c->cursor_row = row + 2 + screen->selected - screen->top;
    if (screen->editing) {
        draw_input(screen, c, row + rows - 1);
    } else if (screen->shown_count) {
        const struct pick *pick = &screen->picks[screen->shown[screen->selected]];
        canvas_putf(c, row + rows - 1, 1, -1, ROLE_DIM, "%s%s%s%s%s%s", pick->to ? "on the target: " : "", pick->to ? pick->to : "",
                    pick->where ? "  rows where " : "", pick->where ? pick->where : "", pick->columns ? "  columns: " : "", pick->columns ? pick->columns : "");
    }
}

/* --- keys --- */

static char **text_of(struct pick *pick, char what)
{
    return what == 'm' ? &pick->to : what == 'c' ? &pick->columns : &pick->where;
}

static void end_editing(struct picker *screen, bool keep)
{
    char what = screen->editing;

    screen->editing = 0;
    if (what == '/') {
        if (!keep)
            field_set(&screen->filter, "");
        look(screen);
        return;
    }
    struct pick *pick = &screen->picks[screen->shown[screen->selected]];
    char **text = text_of(pick, what);
    if (!keep)
        return;
    free(*text);
    screen->changed = true;
    *text = screen->input.text[0] ? xstrdup(screen->input.text) : NULL;
}

static bool edit(struct picker *screen, int key)
{
    if (key == KEY_RETURN || key == KEY_ESCAPE) {
        end_editing(screen, key == KEY_RETURN);
        return true;
    }
    if (!field_key(screen->editing == '/' ? &screen->filter : &screen->input, key))
        return true; /* nothing else while one types */
    if (screen->editing == '/')
        look(screen);
    return true;
}

static void begin_editing(struct picker *screen, char what)
{
    if (what != '/' && !screen->shown_count)
        return;
    struct pick *pick = screen->shown_count ? &screen->picks[screen->shown[screen->selected]] : NULL;
    screen->editing = what;
    if (what != '/')
        field_set(&screen->input, *text_of(pick, what));
}

static void pick_shown(struct picker *screen, bool on)
{
    screen->changed = true;
    for (int i = 0; i < screen->shown_count; i++)
        screen->picks[screen->shown[i]].on = on;
}

static void move_by(struct picker *screen, int by)
{
    screen->selected += by;
    if (screen->selected >= screen->shown_count)
        screen->selected = screen->shown_count - 1;
    if (screen->selected < 0)
        screen->selected = 0;
}

bool picker_key(struct picker *screen, int key)
{
    if (!screen->tables || screen->running)
        return false;
    if (screen->editing)
        return edit(screen, key);
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: move_by(screen, 1); return true;
    case 'k': case KEY_ARROW_UP: move_by(screen, -1); return true;
    case KEY_PAGE_DOWN: move_by(screen, 15); return true;
    case KEY_PAGE_UP: move_by(screen, -15); return true;
    case 'g': case KEY_FIRST: screen->selected = 0; return true;
    case 'G': case KEY_LAST: move_by(screen, screen->shown_count); return true;
    case ' ':
        screen->changed = true;
        if (screen->shown_count)
            screen->picks[screen->shown[screen->selected]].on ^= true;
        return true;
    case 'a': pick_shown(screen, true); return true;
    case 'A': pick_shown(screen, false); return true;
    case 'd':
        screen->database = next_database(screen, screen->database);
        if (!screen->database)
            screen->database = next_database(screen, NULL);
        screen->selected = 0;
        look(screen);
        return true;
    case 's': screen->order = (screen->order + 1) % 3; look(screen); return true;
    case '/': case 'm': case 'w': case 'c': begin_editing(screen, (char)key); return true;
    default: return false;
    }
}
