#include "ui/screens/choices.h"

#include <string.h>

#include "base/json.h"
#include "ui/terminal.h"

const struct key_help choices_keys[] = {
    {"Space", "change", "The next value of the line under the cursor."},
    {"j k", NULL, "Down and up; also the arrow keys."},
    {"Enter", "next", "Goes on to the tables."},
    {"Esc", "back", "Back to the checks."},
    {"?", "help", "This help."},
    {"q", "leave", "Leaves; the plan is kept as a draft."},
    {NULL, NULL, NULL},
};

const struct choice choices[] = {
    {"Schema", "schema", "mode", {"copy", "existing"},
     {"It is copied from the source, by pg_dump; indexes, keys and triggers come after each table's rows.",
      "It is there already: it is compared with the source, and what is in the way of the load is put back at the end."}},
    {"Roles", "schema", "roles", {"yes", "no"},
     {"Roles that own something on the source and are missing on the target are made there, without passwords.",
      "Roles are not made: owners and grants must be there."}},
    {"Foreign keys", "schema", "foreignKeys", {"defer", "disable"},
     {"They are added and validated before the cutover; where they are there, they do not act.",
      "They are away until the target is opened, and validated then: that is downtime. For a target's role that may not become replica."}},
    {"Triggers", "schema", "triggers", {"replica", "disable"},
     {"They do not fire for what is brought over.", "None is in force until the target is opened. For a target's role that may not become replica."}},
    {"Enums", "schema", "enums", {"keep", "text"},
     {"Columns of enums and domains have their types all along.",
      "They are text until the cutover, so that no label is missing meanwhile; the tables are written anew then, before writes stop."}},
    {"Indexes", "schema", "indexes", {"after-load", "rebuild"},
     {"Secondary indexes are built after each table's load; on a target that has its schema those that are there stay.",
      "Those of a target that has its schema are dropped before the load, and built again after it. Only where it is there already."}},
    {"Refused statements", "schema", "onError", {"stop", "skip-and-report"},
     {"Where the target refuses one, the migration stands still, and S on its dashboard decides: edit, skip, retry.",
      "They are left out, with what depends on them, and reported. Tables and sequences never are."}},
    {"Rows on the target", "load", "prepare", {"refuse", "truncate"},
     {"Tables of the target that hold rows stop the migration before it begins.",
      "Tables of the target that hold rows are EMPTIED. The target database's name is asked for before."}},
    {"Tables without key", "databases", "keylessTables", {"refuse", "full", "at-cutover"},
     {"Tables without a primary key or replica identity are refused.",
      "They get REPLICA IDENTITY FULL on the source until the end: their UPDATEs and DELETEs write more WAL.",
      "They are copied, and copied again while writes are stopped."}},
    {"Schema changes", "sync", "ddl", {"apply", "stop"},
     {"Changes of tables on the source, while the migration runs, are followed on the target.",
      "A schema change on the source stops its table."}},
    {"Misfitting changes", "sync", "onConflict", {"stop-table", "skip-and-record", "upsert"},
     {"A change that does not fit the target's rows stops its table; the others go on.",
      "It is left out and recorded in pgcutover.conflicts.", "It is made to fit, and recorded."}},
    {"Stop writes by", "cutover", "stopWrites", {"read-only", "operator", "lock"},
     {"At the cutover the source database becomes read-only, and other sessions are ended.",
      "You stop the applications; the cutover asks whether that is done.",
      "Its tables are locked: sessions stay, writers wait, and are ended when the target is open."}},
    {"Cut over", "cutover", "when", {"manual", "ready"},
     {"When you say so, on the dashboard.", "By itself, as soon as the target is up to date."}},
    {"Verify", "verify", "when", {"before-cutover", "continuous", "never"},
     {"Every table is compared, by checksum, while writes are stopped.",
      "Also before, again and again: what is known to be equal shortens the downtime.", "Nothing is compared. Exit code 0 then does not mean that the data are equal."}},
    {NULL, NULL, NULL, {NULL}, {NULL}},
};

#define CHOICES ((int)(sizeof choices / sizeof *choices) - 1)

static cJSON *home(struct draft *draft, const struct choice *choice)
{
    if (strcmp(choice->section, "databases") == 0)
        return draft_database(draft);
    return cJSON_GetObjectItemCaseSensitive(draft->plan, choice->section);
}

int choice_value(struct draft *draft, const struct choice *choice)
{
    const cJSON *item = json_get(home(draft, choice), choice->key);
    const char *text = cJSON_IsBool(item) ? cJSON_IsTrue(item) ? "yes" : "no" : cJSON_IsString(item) ? item->valuestring : "";

    for (int i = 0; i < CHOICE_VALUES && choice->values[i]; i++)
        if (strcmp(choice->values[i], text) == 0)
            return i;
    return 0;
}

void choice_set(struct draft *draft, const struct choice *choice, int index)
{
    const char *value = choice->values[index];

    if (strcmp(choice->section, "databases") == 0) {
        cJSON *database = draft_database(draft);
        for (; database; database = database->next) {
            cJSON_DeleteItemFromObjectCaseSensitive(database, choice->key);
            cJSON_AddStringToObject(database, choice->key, value);
        }
    } else if (strcmp(choice->values[0], "yes") == 0) {
        draft_set_bool(draft, choice->section, choice->key, strcmp(value, "yes") == 0);
    } else {
        draft_set(draft, choice->section, choice->key, value);
    }
}

static void draw_choice(const struct choice *choice, int value, struct canvas *c, int row, bool selected)
{
    int col = 22;

    canvas_put(c, row, 0, 1, ROLE_KEY, selected ? c->glyphs->selected : " ");
    canvas_put(c, row, 2, 20, selected ? ROLE_SELECTED : ROLE_TEXT, choice->label);
    for (int i = 0; i < CHOICE_VALUES && choice->values[i]; i++) {
        col += canvas_put(c, row, col, -1, i == value ? ROLE_KEY : ROLE_DIM, i == value ? "(*) " : "( ) ");
        col += canvas_put(c, row, col, -1, i == value ? ROLE_TEXT : ROLE_DIM, choice->values[i]) + 3;
    }
}

void choices_draw(const struct choices *screen, struct draft *draft, struct canvas *c, int row, int rows)
{
    int end = row + rows;
    const struct choice *choice = &choices[screen->selected];

    for (int i = 0; i < CHOICES && row < end; i++, row++)
        draw_choice(&choices[i], choice_value(draft, &choices[i]), c, row, i == screen->selected);
    c->cursor_row = row - CHOICES + screen->selected;
    canvas_line(c, row++, choice->label);
    canvas_wrap(c, row, 2, c->cols - 4, end - row, ROLE_TEXT, choice->meanings[choice_value(draft, choice)]);
}

bool choices_key(struct choices *screen, struct draft *draft, int key)
{
    const struct choice *choice = &choices[screen->selected];
    int value = choice_value(draft, choice);

    switch (key) {
    case 'j': case KEY_ARROW_DOWN: case KEY_TAB: screen->selected += screen->selected < CHOICES - 1; return true;
    case 'k': case KEY_ARROW_UP: case KEY_TAB_BACK: screen->selected -= screen->selected > 0; return true;
    case KEY_FIRST: screen->selected = 0; return true;
    case KEY_LAST: screen->selected = CHOICES - 1; return true;
    case ' ': case KEY_ARROW_RIGHT:
        choice_set(draft, choice, value + 1 < CHOICE_VALUES && choice->values[value + 1] ? value + 1 : 0);
        return true;
    case KEY_ARROW_LEFT:
        choice_set(draft, choice, value ? value - 1 : 0);
        return true;
    default: return false;
    }
}
