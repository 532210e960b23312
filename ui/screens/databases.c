#include "ui/screens/databases.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "ui/terminal.h"

const struct key_help databases_keys[] = {
    {"Space", "toggle", "Picks the database under the cursor, or leaves it out."},
    {"a", "all", "Picks all of them."},
    {"A", "none", "Leaves all of them out."},
    {"m", "name", "The database's name on the target; empty: as on the source."},
    {"j k", NULL, "Down and up; also the arrow keys, Home and End."},
    {"Enter", "take these", "Takes what is picked into the plan. The first of them is the one in the form."},
    {"Esc", "back", "Back to the form; the plan stays as it was."},
    {"?", "help", "This help."},
    {NULL, NULL, NULL},
};

static void release_picks(struct databases *screen)
{
    for (int i = 0; i < screen->count; i++) {
        free(screen->picks[i].name);
        free(screen->picks[i].to);
    }
    free(screen->picks);
    screen->picks = NULL;
    screen->count = 0;
}

void databases_release(struct databases *screen)
{
    release_picks(screen);
    cJSON_Delete(screen->known);
    *screen = (struct databases){0};
}

void databases_know(struct databases *screen, const cJSON *list)
{
    cJSON_Delete(screen->known);
    screen->known = list ? cJSON_Duplicate(list, true) : NULL;
}

static struct database_pick *find(struct databases *screen, const char *name)
{
    for (int i = 0; i < screen->count; i++)
        if (strcmp(screen->picks[i].name, name) == 0)
            return &screen->picks[i];
    return NULL;
}

static void add_known(struct databases *screen)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, screen->known)
    {
        const cJSON *bytes = json_get(item, "bytes");
        if (json_str(item, "name"))
            screen->picks[screen->count++] = (struct database_pick){.name = xstrdup(json_str(item, "name")),
                                                                    .bytes = cJSON_IsNumber(bytes) ? bytes->valuedouble : -1};
    }
}

void databases_pick(struct databases *screen, const char *name, const char *to)
{
    struct database_pick *pick = find(screen, name);

    if (!pick) {
        pick = &screen->picks[screen->count++];
        *pick = (struct database_pick){.name = xstrdup(name), .bytes = -1, .missing = true};
    }
    pick->on = true;
    str_replace(&pick->to, to && strcmp(to, name) != 0 ? to : NULL);
}

static void pick_planned(struct databases *screen, const cJSON *database)
{
    char *name = draft_database_name(database);

    if (name)
        databases_pick(screen, name, json_str(database, "target_database_name"));
    free(name);
}

void databases_open(struct databases *screen, const struct draft *draft)
{
    const cJSON *planned = json_get(draft->plan, "databases");
    const cJSON *item;

    release_picks(screen);
    screen->picks = xcalloc((size_t)(cJSON_GetArraySize(screen->known) + cJSON_GetArraySize(planned)) + 1, sizeof *screen->picks);
    add_known(screen);
    cJSON_ArrayForEach(item, planned) pick_planned(screen, item);
    screen->open = true;
    screen->wanted = screen->naming = false;
    screen->selected = screen->top = 0;
    while (screen->selected < screen->count && !screen->picks[screen->selected].on)
        screen->selected++;
    if (screen->selected >= screen->count)
        screen->selected = 0;
}

/* --- into the plan --- */

/* Takes the object of that database out of the old list, or makes one that says of tables without a key what the others do. */
static cJSON *take_object(cJSON *old, const struct database_pick *pick, const char *keyless)
{
    cJSON *item;

    cJSON_ArrayForEach(item, old)
    {
        char *name = draft_database_name(item);
        bool same = name && strcmp(name, pick->name) == 0;
        free(name);
        if (same)
            return cJSON_DetachItemViaPointer(old, item);
    }
    item = cJSON_CreateObject();
    json_add_str(item, "name", pick->name);
    if (keyless)
        json_add_str(item, "keylessTables", keyless);
    return item;
}

bool databases_store(const struct databases *screen, struct draft *draft)
{
    bool some = false;

    for (int i = 0; i < screen->count; i++)
        some = some || screen->picks[i].on;
    if (!some)
        return false;
    cJSON *old = cJSON_DetachItemFromObjectCaseSensitive(draft->plan, "databases");
    char *keyless = xstrdup(json_str(cJSON_GetArrayItem(old, 0), "keylessTables"));
    cJSON *list = cJSON_AddArrayToObject(draft->plan, "databases");
    for (int i = 0; i < screen->count; i++) {
        const struct database_pick *pick = &screen->picks[i];
        if (!pick->on)
            continue;
        cJSON *item = take_object(old, pick, keyless);
        cJSON_DeleteItemFromObjectCaseSensitive(item, "target_database_name");
        json_add_str(item, "target_database_name", pick->to ? pick->to : pick->name);
        cJSON_AddItemToArray(list, item);
    }
    free(keyless);
    cJSON_Delete(old);
    return true;
}

/* --- drawing --- */

static void draw_pick(const struct database_pick *pick, struct canvas *c, int row, bool selected)
{
    int name = (c->cols - 24) / 2;
    char bytes[32] = "";

    if (pick->bytes >= 0)
        units_bytes((int64_t)pick->bytes, bytes, sizeof bytes);
    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 1, 3, pick->on ? ROLE_OK : ROLE_DIM, pick->on ? "[x]" : "[ ]");
    canvas_put(c, row, 5, name - 1, selected ? ROLE_SELECTED : pick->on ? ROLE_TEXT : ROLE_DIM, pick->name);
    canvas_put(c, row, 5 + name, name - 1, pick->on ? ROLE_TEXT : ROLE_DIM, pick->to ? pick->to : pick->name);
    if (pick->missing)
        canvas_right(c, row, c->cols - 17, 16, ROLE_WARNING, "not on the source");
    else
        canvas_right(c, row, c->cols - 15, 14, ROLE_TEXT, bytes);
}

static void draw_head(const struct databases *screen, struct canvas *c, int row)
{
    int picked = 0, name = (c->cols - 24) / 2;
    double bytes = 0;
    char size[32];

    for (int i = 0; i < screen->count; i++) {
        picked += screen->picks[i].on;
        bytes += screen->picks[i].on && screen->picks[i].bytes > 0 ? screen->picks[i].bytes : 0;
    }
    units_bytes((int64_t)bytes, size, sizeof size);
    canvas_putf(c, row, 1, -1, ROLE_TEXT, "%d of %d databases of the source, %s", picked, screen->count, size);
    canvas_put(c, row + 1, 5, -1, ROLE_HEADER, "Database");
    canvas_put(c, row + 1, 5 + name, -1, ROLE_HEADER, "On the target");
    canvas_right(c, row + 1, c->cols - 15, 14, ROLE_HEADER, "Size");
}

void databases_draw(struct databases *screen, struct canvas *c, int row, int rows)
{
    int list = rows - 3;

    draw_head(screen, c, row);
    if (screen->selected < screen->top)
        screen->top = screen->selected;
    if (screen->selected >= screen->top + list)
        screen->top = screen->selected - list + 1;
    for (int i = 0; i < list && screen->top + i < screen->count; i++)
        draw_pick(&screen->picks[screen->top + i], c, row + 2 + i, screen->top + i == screen->selected);
    c->cursor_row = row + 2 + screen->selected - screen->top;
    if (!screen->naming)
        return;
    int col = 2 + canvas_put(c, row + rows - 1, 1, -1, ROLE_KEY, "Name on the target");
    field_draw(&screen->input, c, row + rows - 1, col, c->cols - col - 1, true);
}

/* --- keys --- */

static void name_key(struct databases *screen, int key)
{
    struct database_pick *pick = &screen->picks[screen->selected];

    if (key == KEY_RETURN) {
        bool same = !screen->input.text[0] || strcmp(screen->input.text, pick->name) == 0;
        str_replace(&pick->to, same ? NULL : screen->input.text);
        pick->on = true;
    } else if (key != KEY_ESCAPE) {
        field_key(&screen->input, key);
        return;
    }
    screen->naming = false;
}

static void set_all(struct databases *screen, bool on)
{
    for (int i = 0; i < screen->count; i++)
        screen->picks[i].on = on && !screen->picks[i].missing;
}

bool databases_key(struct databases *screen, int key)
{
    int last = screen->count ? screen->count - 1 : 0;

    if (screen->naming) {
        name_key(screen, key);
        return true;
    }
    if (key == KEY_RETURN || key == KEY_ESCAPE)
        return false;
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: screen->selected += screen->selected < last; break;
    case 'k': case KEY_ARROW_UP: screen->selected -= screen->selected > 0; break;
    case 'g': case KEY_FIRST: screen->selected = 0; break;
    case 'G': case KEY_LAST: screen->selected = last; break;
    case 'a': case 'A': set_all(screen, key == 'a'); break;
    case ' ':
        if (screen->count)
            screen->picks[screen->selected].on ^= true;
        break;
    case 'm':
        screen->naming = screen->count > 0;
        if (screen->naming)
            field_set(&screen->input, screen->picks[screen->selected].to);
        break;
    default: break; /* nothing else while it is open */
    }
    return true;
}
