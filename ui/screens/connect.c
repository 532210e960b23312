#include "ui/screens/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "ui/terminal.h"

#define LABEL 10

const struct key_help connect_keys[] = {
    {"Tab", "next field", "The next field; Shift-Tab and the arrow keys go back and forth, too."},
    {"Space", NULL, "In the field TLS: the next of its values. Empty leaves it to the server and libpq's own settings."},
    {"F5", "try", "Tries both servers (also Ctrl-T). Nothing is changed on either."},
    {"Enter", "next", "Tries both servers, and goes on to the checks when they answer."},
    {"Ctrl-U", NULL, "Empties the field."},
    {"Esc", "back", "Back to the list of migrations. What is typed is kept, but for passwords."},
    {"F1", "help", "This help."},
    {NULL, NULL, NULL},
};

static const struct {
    const char *label, *key;
} rows_of[FIELDS] = {
    {"URI", "uri"}, {"Host", "serverName"}, {"Port", "port"}, {"Database", "databaseName"}, {"User", "userName"},
    {"Password", NULL}, {"TLS", "sslMode"}, {"CA file", "sslRootCert"},
};

static const char *const tls_modes[] = {"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

void connect_fill(struct connect *screen, const struct draft *draft)
{
    field_set(&screen->name, draft_text(draft, NULL, "name"));
    for (int side = 0; side < SIDES; side++) {
        struct connect_side *s = &screen->sides[side];
        for (int i = 0; i < FIELDS; i++)
            field_set(&s->fields[i], rows_of[i].key ? draft_text(draft, draft_side_name((enum side)side), rows_of[i].key)
                                                    : draft->passwords[side]);
        s->fields[FIELD_PASSWORD].secret = true;
        s->state = UNTRIED;
    }
}

/* Where the plan lists its databases, they are those of the form. */
static void store_names(const struct connect *screen, struct draft *draft)
{
    for (int side = 0; side < SIDES && json_get(draft->plan, "databases"); side++)
        draft_name_database(draft, (enum side)side, screen->sides[side].fields[FIELD_DATABASE].text);
}

void connect_store(const struct connect *screen, struct draft *draft)
{
    draft_set(draft, NULL, "name", screen->name.text);
    store_names(screen, draft);
    for (int side = 0; side < SIDES; side++) {
        for (int i = 0; i < FIELDS; i++) {
            const char *text = screen->sides[side].fields[i].text;
            if (i == FIELD_PASSWORD)
                draft_set_password(draft, (enum side)side, text);
            else if (i == FIELD_PORT)
                draft_set_number(draft, draft_side_name((enum side)side), rows_of[i].key, text);
            else
                draft_set(draft, draft_side_name((enum side)side), rows_of[i].key, text);
        }
    }
}

void connect_release(struct connect *screen)
{
    for (int side = 0; side < SIDES; side++) {
        field_wipe(&screen->sides[side].fields[FIELD_PASSWORD]);
        free(screen->sides[side].words);
    }
    *screen = (struct connect){0};
}

/* --- drawing --- */

static void draw_result(const struct connect_side *s, struct canvas *c, int row, int col, int width, int rows, int64_t now_ms)
{
    const struct glyphs *g = c->glyphs;
    char text[64];

    switch (s->state) {
    case TRYING:
        canvas_put(c, row, col, 2, ROLE_BUSY, g->busy);
        snprintf(text, sizeof text, "connecting, %lld s", (long long)((now_ms - s->since_ms) / 1000));
        canvas_put(c, row, col + 3, width - 3, ROLE_BUSY, text);
        break;
    case ANSWERED:
        canvas_put(c, row, col, 2, ROLE_OK, g->ok);
        canvas_wrap(c, row, col + 3, width - 3, rows, ROLE_TEXT, s->words);
        break;
    case REFUSED:
        canvas_put(c, row, col, 2, ROLE_ERROR, g->error);
        canvas_wrap(c, row, col + 3, width - 3, rows, ROLE_TEXT, s->words);
        break;
    default: canvas_put(c, row, col, width, ROLE_DIM, "not tried yet"); break;
    }
}

static void draw_side(const struct connect *screen, enum side side, struct canvas *c, int row, int rows, int col, int width,
                      int64_t now_ms)
{
    const struct connect_side *s = &screen->sides[side];

    canvas_put(c, row, col, width, ROLE_HEADER, side == SOURCE ? "Source" : "Target");
    for (int i = 0; i < FIELDS; i++) {
        bool focus = screen->focus == 1 + (int)side * FIELDS + i;
        canvas_put(c, row + 1 + i, col, LABEL - 1, focus ? ROLE_KEY : ROLE_TEXT, rows_of[i].label);
        field_draw(&s->fields[i], c, row + 1 + i, col + LABEL, width - LABEL, focus);
    }
    draw_result(s, c, row + 2 + FIELDS, col, width, rows - 2 - FIELDS, now_ms);
}

void connect_draw(const struct connect *screen, struct canvas *c, int row, int rows, int64_t now_ms)
{
    int width = (c->cols - 4) / 2;

    canvas_put(c, row, 1, -1, screen->focus == 0 ? ROLE_KEY : ROLE_TEXT, "Migration");
    field_draw(&screen->name, c, row, 1 + LABEL, width - LABEL, screen->focus == 0);
    draw_side(screen, SOURCE, c, row + 2, rows - 2, 1, width, now_ms);
    draw_side(screen, TARGET, c, row + 2, rows - 2, 3 + width, width, now_ms);
}

/* --- keys --- */

static struct field *focused(struct connect *screen, enum side *side)
{
    int at = screen->focus - 1;

    *side = at < FIELDS ? SOURCE : TARGET;
    return at < 0 ? &screen->name : &screen->sides[*side].fields[at % FIELDS];
}

static void next_mode(struct field *field)
{
    size_t count = sizeof tls_modes / sizeof *tls_modes;
    size_t at = 0;

    for (size_t i = 0; i < count; i++)
        if (strcmp(tls_modes[i], field->text) == 0)
            at = i;
    field_set(field, tls_modes[(at + 1) % count]);
}

bool connect_key(struct connect *screen, int key)
{
    int count = 1 + SIDES * FIELDS;
    enum side side;

    if (key == KEY_TAB || key == KEY_ARROW_DOWN) {
        screen->focus = (screen->focus + 1) % count;
        return true;
    }
    if (key == KEY_TAB_BACK || key == KEY_ARROW_UP) {
        screen->focus = (screen->focus + count - 1) % count;
        return true;
    }
    struct field *field = focused(screen, &side);
    char before[FIELD_SIZE];
    memcpy(before, field->text, sizeof before);
    bool taken = true;
    if (screen->focus && field == &screen->sides[side].fields[FIELD_TLS] && key == ' ')
        next_mode(field);
    else
        taken = field_key(field, key);
    if (screen->focus && strcmp(before, field->text) != 0)
        screen->sides[side].state = UNTRIED;
    explicit_bzero(before, sizeof before);
    return taken;
}

/* --- answers --- */

void connect_trying(struct connect *screen, enum side side, int64_t now_ms)
{
    screen->sides[side].state = TRYING;
    screen->sides[side].since_ms = now_ms;
}

static char *server_text(const cJSON *answer)
{
    const char *name = json_str(answer, "databaseName");
    const char *tls = json_str(answer, "tls");
    const cJSON *item;
    char bytes[32] = "";

    cJSON_ArrayForEach(item, json_get(answer, "databases"))
        if (name && json_str(item, "name") && strcmp(json_str(item, "name"), name) == 0 && cJSON_IsNumber(json_get(item, "bytes")))
            units_bytes((int64_t)json_get(item, "bytes")->valuedouble, bytes, sizeof bytes);
    const cJSON *trip = json_get(answer, "roundTripMs");
    const char *version = json_str(answer, "version") ? json_str(answer, "version") : "?";
    return xasprintf("PostgreSQL %.*s as %s, %.1f ms%s%s. Database %s%s%s%s.", (int)strcspn(version, " "), version,
                     json_str(answer, "user"), trip ? trip->valuedouble : 0, tls ? ", " : ", no TLS", tls ? tls : "",
                     name ? name : "", *bytes ? ", " : "", bytes,
                     json_bool(answer, "databaseExists", true) ? "" : " is not there yet: it will be created");
}

static char *refusal_text(const cJSON *error)
{
    const char *message = json_str(error, "message"), *hint = json_str(error, "hint");

    return xasprintf("%s%s%s", message ? message : "The command gave no answer.", hint ? " " : "", hint ? hint : "");
}

void connect_answer(struct connect *screen, enum side side, const char *text)
{
    struct connect_side *s = &screen->sides[side];
    cJSON *json = cJSON_Parse(text);
    const cJSON *answer = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, 0) : json;
    bool ok = json_bool(answer, "ok", false);

    if (s->state != TRYING) { /* changed meanwhile */
        cJSON_Delete(json);
        return;
    }
    free(s->words);
    s->words = ok ? server_text(answer) : refusal_text(json_get(answer, "error"));
    s->state = ok ? ANSWERED : REFUSED;
    cJSON_Delete(json);
}

bool connect_is_done(const struct connect *screen)
{
    return screen->sides[SOURCE].state == ANSWERED && screen->sides[TARGET].state == ANSWERED;
}
