/* How it works: the tables that the filter lets through are gathered after each change of the session (a walk over
 * all of them, no search), and only the rows on the screen are looked at when it is drawn. */
#include "ui/screens/dashboard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "ui/screens/cutover.h"
#include "ui/screens/finish.h"
#include "ui/screens/frame.h"
#include "ui/screens/panes.h"
#include "ui/screens/statements.h"
#include "ui/terminal.h"

static const struct key_help common_keys[] = {
    {"c", "cut over", "Asks for the target database's name, and cuts over. Refused, with the reason, while the migration is not ready."},
    {"p", "pause", "Stops all work; slot and place are kept, and the source keeps WAL meanwhile."},
    {"r", "resume", "Goes on after a pause, and tries what stopped (the migration or a table) once more."},
    {"Enter", "table", "Shows everything about the table under the cursor, with its error."},
    {"g", "lag", "Shows why the target is behind, positions, and what the slot keeps."},
    {"s", NULL, "Shows every step of the cutover: what it will do and how it is undone, then its state and time; there it is undone, too."},
    {"S", NULL, "Shows the statements of the schema that the target refused: each is edited, left out or tried again there."},
    {"v", NULL, "Shows what comparing source and target gave, for each table."},
    {"V", NULL, "Compares source and target, all tables, as of one position, while changes are streamed. Nothing stops."},
    {"f", NULL, "Shows what came of it, what is left on the servers, and the last steps: w writes the report (T as text, J as JSON), D deletes the migration, B "
                "goes back to the source. D and B ask for the target database's name."},
    {"t", NULL, "Rehearses the cutover: everything but stopping writes and opening the target, and says how long it takes."},
    {"R", NULL, "Loads the table under the cursor again. Asks by wanting the key a second time."},
    {"l", NULL, "Shows the last events, newest at the end."},
    {"L", NULL, "Shows the engine's log: every line, with what an error says beyond its message; / filters, w shows warnings and errors alone."},
    {"e", NULL, "Shows the last error whole, with its detail and hint."},
    {"/", "filter", "Shows only tables whose name holds the text. Enter keeps it, Esc takes it away."},
    {"E", NULL, "Shows only tables with an error, or all again."},
    {"d", NULL, "Shows the next database of the migration."},
    {"x", NULL, "Takes control over from the client that has it. That one is told, and observes from then on."},
    {"X", NULL, "Cancels: stops, and undoes what was made on the source. Asks for the target database's name."},
    {"j k", NULL, "Down and up; also the arrow keys, PgUp, PgDn, Home and End."},
    {"Esc", NULL, "Back: from a detail to the tables, from the tables to the list of migrations."},
    {"Ctrl-L", NULL, "Draws the screen anew."},
    {"?", "help", "This help. / searches in it."},
    {"q", "leave", "Leaves; the engine goes on."},
    {NULL, NULL, NULL},
};

const struct key_help *dashboard_keys(const struct dashboard *d)
{
    if (d->pane == PANE_CUTOVER)
        return cutover_keys;
    if (d->pane == PANE_LOG)
        return log_keys;
    return d->pane == PANE_STATEMENTS ? statements_keys : common_keys;
}

void dashboard_release(struct dashboard *d)
{
    free(d->tables);
    cJSON_Delete(d->left);
    log_release(&d->log);
    *d = (struct dashboard){0};
}

void dashboard_tick(struct dashboard *d)
{
    char *path = d->pane == PANE_LOG ? xasprintf("%s/log.jsonl", d->session->dir ? d->session->dir : ".") : NULL;

    if (path)
        log_read(&d->log, path);
    free(path);
}

const cJSON *dashboard_database(const struct dashboard *d)
{
    return session_database(d->session, d->database);
}

struct verified_counts dashboard_verified(const struct dashboard *d)
{
    struct verified_counts n = {0, 0, 0};

    for (int i = 0; i < d->count; i++) {
        const char *state = session_text(d->tables[i], "verifyState");
        if (strncmp(state, "equal", 5) == 0)
            n.equal++;
        else if (strcmp(state, "different") == 0)
            n.different++;
        else
            n.others++;
    }
    return n;
}

static bool has_error(const cJSON *table)
{
    return cJSON_IsObject(json_get(table, "lastError")) || strcmp(session_text(table, "state"), "ERROR") == 0;
}

static bool is_shown(const struct dashboard *d, const cJSON *table)
{
    return (!d->filter[0] || strcasestr(session_text(table, "tableName"), d->filter)) &&
           (!d->errors_only || has_error(table));
}

static void keep_in_range(struct dashboard *d)
{
    if (d->selected >= d->count)
        d->selected = d->count - 1;
    if (d->selected < 0)
        d->selected = 0;
}

void dashboard_refresh(struct dashboard *d)
{
    const char *name = session_text(dashboard_database(d), "databaseName");
    const cJSON *item;

    d->count = d->total = 0;
    cJSON_ArrayForEach(item, session_output(d->session))
    {
        if (!session_is(item, "TableLevelOutput") || strcmp(session_text(item, "databaseName"), name) != 0)
            continue;
        d->total++;
        if (!is_shown(d, item))
            continue;
        if (d->count == d->cap)
            d->tables = xrealloc(d->tables, (size_t)(d->cap = d->cap ? 2 * d->cap : 256) * sizeof *d->tables);
        d->tables[d->count++] = item;
    }
    keep_in_range(d);
}

/* --- the tables --- */

struct look {
    const char *glyph;
    enum role role;
};

static void count_short(double value, char *out, size_t size)
{
    if (value < 1e6)
        units_count((int64_t)value, out, size);
    else
        snprintf(out, size, value < 1e7 ? "%.2f%s" : "%.1f%s", value < 1e9 ? value / 1e6 : value / 1e9, value < 1e9 ? "M" : "G");
}

static struct look table_look(const cJSON *t, const struct glyphs *g, const char **word)
{
    const char *phase = session_text(t, "loadPhase");
    const char *stream = session_text(t, "streamPhase");

    *word = *stream ? stream : phase;
    if (has_error(t))
        return (struct look){g->error, ROLE_ERROR};
    if (*stream)
        return (struct look){g->busy, ROLE_BUSY};
    if (strcmp(phase, "queued") == 0)
        return (struct look){" ", ROLE_DIM};
    if (strcmp(phase, "completed") != 0)
        return (struct look){g->busy, ROLE_BUSY};
    return (struct look){g->ok, ROLE_OK};
}

#define NUMBERS 38 /* columns behind the bar */

static void draw_numbers(const cJSON *t, struct canvas *c, int row, int col)
{
    static const struct {
        const char *key;
        int width;
    } columns[] = {{"fullLoadTotalRows", 8}, {"cdcInsertCounter", 8}, {"cdcUpdateCounter", 8}, {"cdcDeleteCounter", 8},
                   {"dataErrorsCount", 5}};
    char text[32];

    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        double value = session_num(t, columns[i].key);
        count_short(value, text, sizeof text);
        canvas_right(c, row, col, columns[i].width - 1, i == 4 && value > 0 ? ROLE_ERROR : ROLE_TEXT, text);
        col += columns[i].width;
    }
}

static void draw_table(const cJSON *t, struct canvas *c, int row, int bar, bool selected)
{
    double estimate = session_num(t, "estimatedBytes");
    double bytes = session_num(t, "fullLoadTotalVolumeBytes");
    const char *phase = session_text(t, "loadPhase");
    bool loaded = strcmp(phase, "completed") == 0 || strcmp(phase, "loaded") == 0 || strcmp(phase, "indexes") == 0;
    double part = loaded ? 1 : estimate > 0 ? bytes / estimate : 0;
    int numbers = c->cols - NUMBERS;
    int name = numbers - bar - 14;
    const char *word;
    struct look look = table_look(t, c->glyphs, &word);

    if (selected)
        canvas_put(c, row, 0, 1, ROLE_KEY, c->glyphs->selected);
    canvas_put(c, row, 1, name - 2, selected ? ROLE_SELECTED : ROLE_TEXT, session_text(t, "tableName"));
    canvas_putf(c, row, name, 13, look.role, "%s %s", look.glyph, word);
    if (bar)
        canvas_bar(c, row, name + 14, bar - 1, part > 1 ? 1 : part);
    draw_numbers(t, c, row, numbers);
}

static void draw_header(const struct dashboard *d, struct canvas *c, int row, int bar)
{
    int numbers = c->cols - NUMBERS;
    char *title = d->filter[0] || d->filtering || d->errors_only
                      ? xasprintf("Table  %d/%d %s%s%s", d->count, d->total, d->errors_only ? "errors " : "", "/", d->filter)
                      : xasprintf("Table  %d", d->total);

    canvas_put(c, row, 1, numbers - bar - 15, ROLE_HEADER, title);
    canvas_put(c, row, numbers - bar - 14, 13, ROLE_HEADER, "State");
    if (bar)
        canvas_put(c, row, numbers - bar, bar, ROLE_HEADER, "Loaded");
    canvas_put(c, row, numbers, -1, ROLE_HEADER, "   Rows  Insert  Update  Delete  Err");
    free(title);
}

static void draw_tables(struct dashboard *d, struct canvas *c, int row, int rows)
{
    int bar = c->cols > 100 ? 21 : 0;

    draw_header(d, c, row++, bar);
    rows--;
    if (d->selected < d->top)
        d->top = d->selected;
    if (d->selected >= d->top + rows)
        d->top = d->selected - rows + 1;
    for (int i = 0; i < rows && d->top + i < d->count; i++)
        draw_table(d->tables[d->top + i], c, row + i, bar, d->top + i == d->selected);
    if (!d->count)
        canvas_put(c, row, 1, -1, ROLE_DIM, d->total ? "No table fits the filter." : "The tables are not known yet.");
    c->cursor_row = row + d->selected - d->top;
}

/* --- the foot --- */

/* With the key that leads on, which no long message pushes off the row. */
static void draw_error(struct canvas *c, int row, const char *message, const char *key)
{
    int width = canvas_width(c, key);

    canvas_putf(c, row, 1, c->cols - width - 3, ROLE_ERROR, "%s %s", c->glyphs->error, message);
    canvas_put(c, row, c->cols - width - 1, width, ROLE_KEY, key);
}

static void draw_message(const struct dashboard *d, struct canvas *c, int row)
{
    const struct session *s = d->session;
    const cJSON *db = dashboard_database(d);
    const char *why = session_text(db, "notReadyBecause");
    const cJSON *error = json_get(db, "lastError");

    if (d->confirming) {
        bool cuts = strcmp(d->confirming, "cutover") == 0;
        const char *name = session_text(db, "targetDatabaseName");
        int col = cuts && dashboard_operator_stops(d)
                      ? canvas_putf(c, row, 1, -1, ROLE_WARNING, "Are all writers stopped? Then type the target database's name, \"%s\": ", name)
                      : canvas_putf(c, row, 1, -1, ROLE_WARNING, "Type the target database's name, \"%s\", to %s: ", name,
                                    cuts ? "cut over" : d->confirming);
        c->cursor_row = row;
        c->cursor_col = 1 + col + canvas_put(c, row, 1 + col, -1, ROLE_INPUT, d->word);
    } else if (d->message[0]) {
        canvas_put(c, row, 1, -1, d->is_error ? ROLE_ERROR : ROLE_TEXT, d->message);
    } else if (s->command) {
        canvas_putf(c, row, 1, -1, ROLE_BUSY, "%s %s: waiting for the engine's answer", c->glyphs->busy, s->command);
    } else if (err_is_set(&s->answer)) {
        draw_error(c, row, s->answer.message, "e: more");
    } else if (!s->live && strcmp(dashboard_state(d), "no engine") == 0) {
        canvas_putf(c, row, 1, -1, ROLE_ERROR, "No engine runs: the numbers are its last. r starts it again.");
    } else if (cJSON_IsObject(error)) {
        draw_error(c, row, session_text(error, "message"), statements_open(d) && d->pane != PANE_STATEMENTS ? "S: decide" : "e: more");
    } else if (*session_text(db, "lagCause")) {
        canvas_putf(c, row, 1, -1, ROLE_TEXT, "Behind, waiting for %s: %s", session_text(db, "lagCause"), session_text(db, "lagDetail"));
    } else if (s->said) {
        canvas_put(c, row, 1, -1, ROLE_OK, s->said);
    } else if (*why && s->live) {
        canvas_putf(c, row, 1, -1, ROLE_DIM, "Cannot be cut over yet: %s", why);
    }
}

static void draw_body(struct dashboard *d, struct canvas *c, int row, int rows)
{
    switch (d->pane) {
    case PANE_TABLE: pane_table(d, c, row, rows); break;
    case PANE_ERROR: pane_error(d, c, row, rows); break;
    case PANE_LAG: pane_lag(d, c, row, rows); break;
    case PANE_EVENTS: pane_events(d, c, row, rows); break;
    case PANE_CUTOVER: pane_cutover(d, c, row, rows); break;
    case PANE_VERIFY: pane_verify(d, c, row, rows); break;
    case PANE_FINISH: pane_finish(d, c, row, rows); break;
    case PANE_STATEMENTS: pane_statements(d, c, row, rows); break;
    case PANE_LOG: log_draw(&d->log, c, row, rows); break;
    default: draw_tables(d, c, row, rows); break;
    }
}

void dashboard_draw(struct dashboard *d, struct canvas *c)
{
    int events = d->pane == PANE_TABLES ? (c->rows < 30 ? 3 : c->rows / 5) : 0;
    int body = c->rows - DASHBOARD_HEAD - 2 - (events ? events + 1 : 0);

    canvas_clear(c);
    dashboard_head(d, c);
    draw_body(d, c, DASHBOARD_HEAD, body);
    if (events) {
        canvas_line(c, DASHBOARD_HEAD + body, "events");
        pane_events(d, c, DASHBOARD_HEAD + 1 + body, events);
    }
    draw_message(d, c, c->rows - 2);
    keys_draw(dashboard_keys(d), c, c->rows - 1);
}

/* --- keys --- */

void dashboard_say(struct dashboard *d, bool is_error, const char *text)
{
    snprintf(d->message, sizeof d->message, "%s", text);
    d->is_error = is_error;
}

static bool edit(char *text, size_t size, int key)
{
    size_t len = strlen(text);

    if (key == KEY_ERASE && len) {
        while (len && (text[len - 1] & 0xc0) == 0x80)
            text[--len] = '\0';
        if (len)
            text[--len] = '\0';
        return true;
    }
    if (key < ' ' || key >= KEYS_AT)
        return key == KEY_ERASE;
    char utf8[5] = {(char)key};
    if (key >= 0x80)
        snprintf(utf8, sizeof utf8, "%lc", (wint_t)key);
    if (len + strlen(utf8) < size)
        strcat(text, utf8);
    return true;
}

static void key_filter(struct dashboard *d, int key)
{
    if (key == KEY_ESCAPE)
        d->filter[0] = '\0';
    if (key == KEY_ESCAPE || key == KEY_RETURN)
        d->filtering = false;
    else
        edit(d->filter, sizeof d->filter, key);
    dashboard_refresh(d);
}

static void show_cutover(struct dashboard *d)
{
    d->pane = PANE_CUTOVER;
    d->step_chosen = false;
}

static void key_confirm(struct dashboard *d, int key)
{
    const cJSON *db = dashboard_database(d);

    if (key == KEY_ESCAPE) {
        dashboard_say(d, false, "Nothing was done.");
        d->confirming = NULL;
    } else if (key != KEY_RETURN) {
        edit(d->word, sizeof d->word, key);
    } else if (strcmp(d->word, session_text(db, "targetDatabaseName")) != 0) {
        dashboard_say(d, true, "That is not the target database's name. Nothing was done.");
        d->confirming = NULL;
    } else if (strcmp(d->confirming, "delete") == 0 || strcmp(d->confirming, "fallback") == 0) {
        d->asked = d->confirming;
        d->confirming = NULL;
    } else {
        session_command_confirmed(d->session, d->confirming, session_text(db, "databaseName"), d->word);
        if (strcmp(d->confirming, "cutover") == 0)
            show_cutover(d);
        d->confirming = NULL;
    }
}

static void move_by(struct dashboard *d, int rows)
{
    if (d->pane != PANE_TABLES) {
        d->scroll = d->scroll + rows < 0 ? 0 : d->scroll + rows;
        return;
    }
    d->selected += rows;
    keep_in_range(d);
}

static bool key_move(struct dashboard *d, int key)
{
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: move_by(d, 1); return true;
    case 'k': case KEY_ARROW_UP: move_by(d, -1); return true;
    case KEY_PAGE_DOWN: move_by(d, 10); return true;
    case KEY_PAGE_UP: move_by(d, -10); return true;
    case KEY_FIRST: move_by(d, -1000000); return true;
    case 'G': case KEY_LAST: if (d->pane == PANE_TABLES) move_by(d, 1000000); return true;
    default: return false;
    }
}

static bool key_pane(struct dashboard *d, int key)
{
    static const struct {
        int key;
        enum pane pane;
    } panes[] = {{'g', PANE_LAG}, {'s', PANE_CUTOVER}, {'l', PANE_EVENTS}, {'e', PANE_ERROR}, {'v', PANE_VERIFY}, {'f', PANE_FINISH}, {'S', PANE_STATEMENTS}, {'L', PANE_LOG}, {KEY_RETURN, PANE_TABLE}};

    for (size_t i = 0; i < sizeof panes / sizeof *panes; i++) {
        if (panes[i].key != key)
            continue;
        if (d->pane == panes[i].pane)
            d->pane = PANE_TABLES;
        else if (key != KEY_RETURN || (d->pane == PANE_TABLES && d->count))
            d->pane = panes[i].pane;
        d->scroll = 0;
        d->whole = d->step_chosen = d->undoing = false;
        if (d->pane == PANE_FINISH)
            d->asked = "left";
        dashboard_tick(d);
        return true;
    }
    if (key != KEY_ESCAPE || d->pane == PANE_TABLES)
        return false;
    d->pane = PANE_TABLES;
    return true;
}

static void confirm(struct dashboard *d, const char *command)
{
    const cJSON *db = dashboard_database(d);
    const char *why = session_text(db, "notReadyBecause");

    if (strcmp(command, "cutover") == 0 && strcmp(session_text(db, "migrationState"), "READY_TO_COMPLETE") != 0) {
        char *text = xasprintf("Cannot be cut over yet: %s", *why ? why : dashboard_state(d));
        dashboard_say(d, true, text);
        free(text);
        return;
    }
    d->word[0] = '\0';
    d->confirming = command;
}

static void add_quoted(struct buf *out, const char *name, size_t len)
{
    buf_addch(out, '"');
    for (size_t i = 0; i < len; i++) {
        if (name[i] == '"')
            buf_addch(out, '"');
        buf_addch(out, name[i]);
    }
    buf_addch(out, '"');
}

/* Its name as SQL writes it, from "or|DATABASE|SCHEMA|NAME", which alone tells the two parts apart; owned. */
static char *quoted_name(const cJSON *table)
{
    const char *at = session_text(table, "id");
    const char *schema = NULL, *name = NULL;
    struct buf out = BUF_INIT;

    for (int part = 0; at && part < 3; part++) {
        at = strchr(at, '|');
        at = at ? at + 1 : NULL;
        schema = part == 1 ? at : schema;
        name = part == 2 ? at : name;
    }
    if (!schema || !name)
        return xstrdup(session_text(table, "tableName"));
    add_quoted(&out, schema, (size_t)(name - 1 - schema));
    buf_addch(&out, '.');
    add_quoted(&out, name, strlen(name));
    return buf_take(&out);
}

/* Not the target database's name: nothing is lost by it but time. */
static void reload(struct dashboard *d, const char *database)
{
    const char *name = d->selected < d->count ? session_text(d->tables[d->selected], "tableName") : NULL;
    char *text;

    if (!name || d->pane != PANE_TABLES) {
        dashboard_say(d, true, "Put the cursor on a table first.");
        return;
    }
    if (d->reloads) {
        d->reloads = false;
        char *quoted = quoted_name(d->tables[d->selected]);
        session_command_table(d->session, "reload", database, quoted);
        free(quoted);
        return;
    }
    d->reloads = true;
    text = xasprintf("R once more: %s is emptied on the target and loaded again, while the others go on.", name);
    dashboard_say(d, false, text);
    free(text);
}

static bool key_act(struct dashboard *d, int key)
{
    const char *database = json_str(dashboard_database(d), "databaseName");

    if (!strchr("cprRtVxX", key) || !key || key > 'x')
        return false;
    if (!d->session->live) {
        dashboard_say(d, true, "No engine runs.");
        return key != 'r'; /* starting one is for who shows the screen */
    }
    switch (key) {
    case 'c': confirm(d, "cutover"); break;
    case 'X': confirm(d, "cancel"); break;
    case 'R': reload(d, database); break;
    case 't': session_command(d->session, "rehearse", database); show_cutover(d); break;
    case 'V': session_command(d->session, "verify", database); d->pane = PANE_VERIFY; break;
    case 'p': session_command(d->session, "pause", database); break;
    case 'r': session_command(d->session, "resume", database); break;
    default: session_ask_control(d->session, true); break;
    }
    return true;
}

bool dashboard_key(struct dashboard *d, int key)
{
    d->message[0] = '\0';
    if (d->confirming) {
        key_confirm(d, key);
        return true;
    }
    if (d->pane == PANE_LOG && log_key(&d->log, key))
        return true;
    if (d->filtering) {
        key_filter(d, key);
        return true;
    }
    if (key != 'R')
        d->reloads = false;
    if ((d->pane == PANE_FINISH && finish_key(d, key)) || (d->pane == PANE_STATEMENTS && statements_key(d, key)) ||
        (d->pane == PANE_CUTOVER && cutover_key(d, key)) || key_move(d, key) || key_pane(d, key) || key_act(d, key))
        return true;
    switch (key) {
    case '/': d->filtering = true; d->pane = PANE_TABLES; return true;
    case 'E': d->errors_only = !d->errors_only; break;
    case 'd': d->database = session_database(d->session, d->database + 1) ? d->database + 1 : 0; break;
    default: return false;
    }
    dashboard_refresh(d);
    return true;
}
