#include "ui/screens/migrations.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "control/socket.h"
#include "ui/screens/frame.h"
#include "ui/terminal.h"

const struct key_help migrations_keys[] = {
    {"Enter", "open", "Opens the dashboard of the migration under the cursor."},
    {"n", "new", "Opens the wizard, which makes a plan and starts it; it goes on with the draft that was left last."},
    {"d", "delete", "Forgets the migration under the cursor, when it has ended: all that is left of it on the servers is taken back. Asks for the "
                    "target database's name."},
    {"t", "theme", "The next theme of colours, for as long as this program runs; --theme NAME chooses one at its start."},
    {"j k", NULL, "Down and up; also the arrow keys, Home and End."},
    {"?", "help", "This help. / searches in it."},
    {"q", "leave", "Leaves. Engines go on."},
    {NULL, NULL, NULL},
};

void migrations_release(struct migrations *list)
{
    for (int i = 0; i < list->count; i++) {
        free(list->lines[i].name);
        free(list->lines[i].between);
        free(list->lines[i].state);
        free(list->lines[i].targets);
    }
    free(list->lines);
    list->lines = NULL;
    list->count = 0;
}

static bool answers(const char *dir)
{
    int fd = control_connect(dir, NULL);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* It has ended when each of its databases has. */
static void add_target(struct migration_line *line, const cJSON *database)
{
    const char *phase = session_text(database, "phase");
    bool ended = strcmp(phase, "done") == 0 || strcmp(phase, "cancelled") == 0 || strcmp(phase, "failed") == 0;
    char *before = line->targets;

    line->ended = ended && (line->ended || !before);
    line->targets = xasprintf("%s%s%s", before ? before : "", before ? " " : "", session_text(database, "targetDatabaseName"));
    free(before);
}

static void take_status(struct migration_line *line, const cJSON *status)
{
    const cJSON *item;
    const char *source = "";
    const char *target = "";
    const char *from = "", *to = ""; /* the first database */

    cJSON_ArrayForEach(item, json_get(json_get(status, "properties"), "output"))
    {
        const char *type = session_text(item, "resultType");
        if (strcmp(type, "MigrationLevelOutput") == 0) {
            source = session_text(item, "sourceServer");
            target = session_text(item, "targetServer");
        }
        if (strcmp(type, "DatabaseLevelOutput") != 0)
            continue;
        add_target(line, item);
        if (line->state)
            continue;
        from = session_text(item, "databaseName");
        to = session_text(item, "targetDatabaseName");
        const char *hold = json_str(item, "hold");
        const char *state = session_text(item, "migrationState");
        line->state = xstrdup(hold ? hold : strcmp(state, "READY_TO_COMPLETE") == 0 ? "ready to cut over" : session_text(item, "phase"));
        line->lag = session_num(item, "latency");
        clock_parse_iso(session_text(item, "startedOn"), &line->since_us);
    }
    line->between = xasprintf("%s%s%s -> %s%s%s", source, *from ? "/" : "", from, target, *to ? "/" : "", to);
}

static void add(struct migrations *list, const char *dir, const char *name, size_t *cap)
{
    struct migration_line line = {.name = xstrdup(name), .live = answers(dir)};
    char *path = xasprintf("%s/status.json", dir);
    struct buf text = BUF_INIT;
    cJSON *status = file_read(path, &text, NULL) ? cJSON_Parse(text.data) : NULL;

    take_status(&line, status);
    if (!line.state)
        line.state = xstrdup("nothing said yet");
    list->lines = xgrow(list->lines, (size_t)list->count, cap, sizeof *list->lines);
    list->lines[list->count++] = line;
    cJSON_Delete(status);
    buf_release(&text);
    free(path);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct migration_line *)a)->name, ((const struct migration_line *)b)->name);
}

void migrations_read(struct migrations *list, const char *state_dir)
{
    char *selected = xstrdup(migrations_selected(list));
    DIR *dir = opendir(state_dir);
    struct dirent *entry;
    size_t cap = 0;

    migrations_release(list);
    while (dir && (entry = readdir(dir))) {
        char *path = xasprintf("%s/%s", state_dir, entry->d_name);
        char *identity = xasprintf("%s/migration.json", path);
        if (entry->d_name[0] != '.' && file_exists(identity))
            add(list, path, entry->d_name, &cap);
        free(identity);
        free(path);
    }
    if (dir)
        closedir(dir);
    if (list->count)
        qsort(list->lines, (size_t)list->count, sizeof *list->lines, by_name);
    for (int i = 0; selected && i < list->count; i++)
        if (strcmp(list->lines[i].name, selected) == 0)
            list->selected = i;
    if (list->selected >= list->count)
        list->selected = list->count ? list->count - 1 : 0;
    free(selected);
}

const char *migrations_selected(const struct migrations *list)
{
    return list->selected < list->count ? list->lines[list->selected].name : NULL;
}

/* "2d 03h", "4h 12m", "3m": how long ago. */
static void since(int64_t from_us, int64_t now_us, char *out, size_t size)
{
    long long minutes = from_us && now_us > from_us ? (now_us - from_us) / 60000000 : 0;

    if (!from_us)
        *out = '\0';
    else if (minutes >= 24 * 60)
        snprintf(out, size, "%lldd %02lldh", minutes / (24 * 60), minutes / 60 % 24);
    else if (minutes >= 60)
        snprintf(out, size, "%lldh %02lldm", minutes / 60, minutes % 60);
    else
        snprintf(out, size, "%lldm", minutes);
}

static void draw_line(const struct migration_line *line, struct canvas *c, int row, bool selected, int64_t now_us)
{
    char age[24];
    bool ended = strcmp(line->state, "done") == 0 || strcmp(line->state, "cancelled") == 0;
    bool wrong = strcmp(line->state, "failed") == 0 || strcmp(line->state, "stopped") == 0;
    bool ready = strcmp(line->state, "ready to cut over") == 0 || strcmp(line->state, "done") == 0;
    bool dead = !line->live && !ended && !wrong;
    const char *glyph = dead || wrong ? c->glyphs->error : ready ? c->glyphs->ok : c->glyphs->busy;
    enum role role = dead || wrong ? ROLE_ERROR : ready ? ROLE_OK : ROLE_BUSY;
    int middle = c->cols - 60;

    if (selected)
        canvas_put(c, row, 0, 1, ROLE_KEY, c->glyphs->selected);
    canvas_put(c, row, 1, 14, selected ? ROLE_SELECTED : ROLE_TEXT, line->name);
    canvas_put(c, row, 16, middle, ROLE_TEXT, line->between);
    canvas_putf(c, row, 17 + middle, 25, role, "%s %s%s", glyph, line->state, dead ? ", no engine" : "");
    canvas_putf(c, row, 43 + middle, 8, ROLE_TEXT, "%6.1f s", line->lag);
    since(line->since_us, now_us, age, sizeof age);
    canvas_right(c, row, 51 + middle, 8, ROLE_TEXT, age);
}

static void draw_foot(struct migrations *list, struct canvas *c, int row)
{
    if (!list->confirming) {
        canvas_put(c, row, 1, -1, list->is_error ? ROLE_ERROR : ROLE_TEXT, list->message);
        return;
    }
    int col = 2 + canvas_putf(c, row, 1, c->cols - 12, ROLE_WARNING, "Delete \"%s\"? Type the target database's name, \"%s\":",
                              list->lines[list->selected].name, list->lines[list->selected].targets);
    field_draw(&list->word, c, row, col, c->cols - col - 1, true);
}

void migrations_draw(struct migrations *list, struct canvas *c, int64_t now_us)
{
    int rows = c->rows - 4;

    canvas_clear(c);
    canvas_role(c, 0, 0, c->cols, ROLE_TITLE);
    canvas_put(c, 0, 0, -1, ROLE_TITLE, " pgcutover");
    char *right = xasprintf("%d migration%s ", list->count, list->count == 1 ? "" : "s");
    canvas_right(c, 0, c->cols - 20, 20, ROLE_TITLE, right);
    free(right);
    canvas_put(c, 1, 1, -1, ROLE_HEADER, "Name");
    canvas_put(c, 1, 16, -1, ROLE_HEADER, "Source -> target");
    canvas_put(c, 1, c->cols - 43, -1, ROLE_HEADER, "State");
    canvas_put(c, 1, c->cols - 14, -1, ROLE_HEADER, "Lag    Since");
    if (list->selected < list->top)
        list->top = list->selected;
    if (list->selected >= list->top + rows)
        list->top = list->selected - rows + 1;
    for (int i = 0; i < rows && list->top + i < list->count; i++)
        draw_line(&list->lines[list->top + i], c, 2 + i, list->top + i == list->selected, now_us);
    if (!list->count)
        canvas_wrap(c, 3, 1, c->cols - 2, 4, ROLE_TEXT, "There are no migrations yet: \"n\" makes a new one. "
                    "A plan (man pgcutover-plan) that is started with \"pgcutover --batch PLAN --detach\" is shown here, too.");
    c->cursor_row = list->count ? 2 + list->selected - list->top : c->rows - 1;
    draw_foot(list, c, c->rows - 2);
    keys_draw(migrations_keys, c, c->rows - 1);
}

void migrations_say(struct migrations *list, bool is_error, const char *text)
{
    snprintf(list->message, sizeof list->message, "%s", text);
    list->is_error = is_error;
}

static void ask_to_delete(struct migrations *list)
{
    const struct migration_line *line = list->selected < list->count ? &list->lines[list->selected] : NULL;

    if (!line)
        return;
    if (!line->ended || !line->targets) {
        char *text = xasprintf("\"%s\" has not ended (%s): Enter opens it, c cuts over there, X cancels.", line->name, line->state);
        migrations_say(list, true, text);
        free(text);
        return;
    }
    field_set(&list->word, "");
    list->confirming = true;
}

static void word_key(struct migrations *list, int key)
{
    if (key != KEY_RETURN && key != KEY_ESCAPE) {
        field_key(&list->word, key);
        return;
    }
    list->confirming = false;
    if (key == KEY_ESCAPE)
        migrations_say(list, false, "Nothing was done.");
    else if (strcmp(list->word.text, list->lines[list->selected].targets) == 0)
        list->asked = "delete";
    else
        migrations_say(list, true, "That is not the target database's name. Nothing was done.");
}

bool migrations_key(struct migrations *list, int key)
{
    int last = list->count ? list->count - 1 : 0;

    list->message[0] = '\0';
    if (list->confirming) {
        word_key(list, key);
        return true;
    }
    switch (key) {
    case 'd': ask_to_delete(list); return true;
    case 'j': case KEY_ARROW_DOWN: list->selected += list->selected < last; return true;
    case 'k': case KEY_ARROW_UP: list->selected -= list->selected > 0; return true;
    case KEY_FIRST: list->selected = 0; return true;
    case 'G': case KEY_LAST: list->selected = last; return true;
    default: return false;
    }
}
