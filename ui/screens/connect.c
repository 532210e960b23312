/* How it works: the fields stand in one order, and those that would have no effect are left out of it. What is typed makes the side
 * untried; an answer that comes later is of what was there before. */
#include "ui/screens/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/units.h"
#include "ui/address.h"
#include "ui/said.h"
#include "ui/terminal.h"

const struct key_help connect_keys[] = {
    {"Tab", "next field", "The next field; Shift-Tab and the arrow keys go back and forth, too."},
    {"Space", NULL, "In the fields TLS and SSH login: the next of its values. An empty TLS leaves it to the server and libpq's own settings."},
    {"F5", "try", "Tries both servers (also Ctrl-T). Nothing is changed on either."},
    {"Enter", "next", "Tries both servers, and goes on to the checks when they answer."},
    {"F2", "databases", "Lists the source's databases, to migrate several at once (also Ctrl-D). Tries the source first where it has not answered."},
    {"Ctrl-E", NULL, "Shows what both servers said, whole, with details and hints."},
    {"Ctrl-U", NULL, "Empties the field."},
    {"SSH", NULL, "[USER@]HOST[:PORT] of the SSH server through which the database server is reached, or a Host of ~/.ssh/config; host and "
                  "port above are then as that server knows them. Empty: the server is reached directly. A key that is not known is asked "
                  "about; one that has changed is refused."},
    {"login", NULL, "SSH login: the agent's keys and the usual files are always tried; a key file goes before them, a password comes after."},
    {"Esc", "back", "Back to the list of migrations. What is typed is kept, but for passwords."},
    {"F1", "help", "This help."},
    {NULL, NULL, NULL},
};

enum row_kind { ROW_TEXT, ROW_NUMBER, ROW_SECRET, ROW_ADDRESS, ROW_LOGIN };

/* How a field stands in the plan. */
static const struct {
    enum row_kind kind;
    bool ssh;                  /* in the object "ssh" */
    const char *key;
    enum draft_secret secret;  /* ROW_SECRET */
} places[FIELDS] = {
    [FIELD_URI] = {ROW_TEXT, false, "uri", 0},
    [FIELD_HOST] = {ROW_TEXT, false, "serverName", 0},
    [FIELD_PORT] = {ROW_NUMBER, false, "port", 0},
    [FIELD_DATABASE] = {ROW_TEXT, false, "databaseName", 0},
    [FIELD_USER] = {ROW_TEXT, false, "userName", 0},
    [FIELD_PASSWORD] = {ROW_SECRET, false, NULL, SECRET_PASSWORD},
    [FIELD_TLS] = {ROW_TEXT, false, "sslMode", 0},
    [FIELD_CA] = {ROW_TEXT, false, "sslRootCert", 0},
    [FIELD_SSH] = {ROW_ADDRESS, true, NULL, 0},
    [FIELD_SSH_LOGIN] = {ROW_LOGIN, true, NULL, 0},
    [FIELD_SSH_KEY] = {ROW_TEXT, true, "identityFile", 0},
    [FIELD_SSH_PASSPHRASE] = {ROW_SECRET, true, NULL, SECRET_SSH_PASSPHRASE},
    [FIELD_SSH_PASSWORD] = {ROW_SECRET, true, NULL, SECRET_SSH_PASSWORD},
    [FIELD_SSH_JUMP] = {ROW_TEXT, true, "jumpHost", 0},
};

static const char *const tls_modes[] = {"", "disable", "allow", "prefer", "require", "verify-ca", "verify-full", NULL};

#define LOGIN_USUAL "agent, usual keys"
#define LOGIN_KEY "key file"
#define LOGIN_PASSWORD "password"
static const char *const logins[] = {LOGIN_USUAL, LOGIN_KEY, LOGIN_PASSWORD, NULL};

static const char *const trust_keys[HOPS] = {"hostKeyFingerprint", "jumpHostKeyFingerprint"};

static bool login_is(const struct connect_side *s, const char *login)
{
    return strcmp(s->fields[FIELD_SSH_LOGIN].text, login) == 0;
}

bool connect_shows(const struct connect_side *s, enum connect_field field)
{
    switch (field) {
    case FIELD_SSH_LOGIN:
    case FIELD_SSH_JUMP: return s->fields[FIELD_SSH].text[0];
    case FIELD_SSH_KEY: return s->fields[FIELD_SSH].text[0] && login_is(s, LOGIN_KEY);
    case FIELD_SSH_PASSPHRASE: return s->fields[FIELD_SSH].text[0] && !login_is(s, LOGIN_PASSWORD);
    case FIELD_SSH_PASSWORD: return s->fields[FIELD_SSH].text[0] && login_is(s, LOGIN_PASSWORD);
    default: return true;
    }
}

/* --- between the form and the plan --- */

/* The section of the plan that a side's keys are in: "source", "source.ssh". */
static const char *section_of(enum side side, bool ssh)
{
    static const char *const sections[SIDES][2] = {{"source", "source.ssh"}, {"target", "target.ssh"}};

    return sections[side][ssh];
}

static void fill_address(struct field *field, const struct draft *draft, const char *section)
{
    char *user = xstrdup(draft_text(draft, section, "user"));
    char *port = xstrdup(draft_text(draft, section, "port"));
    char *text = address_join(user, draft_text(draft, section, "host"), port);

    field_set(field, text);
    free(text);
    free(port);
    free(user);
}

const char *connect_login(const struct connect_side *s)
{
    if (s->fields[FIELD_SSH_KEY].text[0])
        return LOGIN_KEY;
    return s->fields[FIELD_SSH_PASSWORD].text[0] ? LOGIN_PASSWORD : LOGIN_USUAL;
}

static void fill_side(struct connect_side *s, enum side side, const struct draft *draft)
{
    for (int i = 0; i < FIELDS; i++) {
        const char *section = section_of(side, places[i].ssh);
        if (places[i].kind == ROW_ADDRESS)
            fill_address(&s->fields[i], draft, section);
        else if (places[i].kind == ROW_SECRET)
            field_set(&s->fields[i], draft->secrets[side][places[i].secret]);
        else if (places[i].kind != ROW_LOGIN)
            field_set(&s->fields[i], draft_text(draft, section, places[i].key));
        s->fields[i].secret = places[i].kind == ROW_SECRET;
    }
    field_set(&s->fields[FIELD_SSH_LOGIN], connect_login(s));
    for (int hop = 0; hop < HOPS; hop++)
        snprintf(s->trusted[hop], sizeof s->trusted[hop], "%s", draft_text(draft, section_of(side, true), trust_keys[hop]));
    s->state = UNTRIED;
}

void connect_fill(struct connect *screen, const struct draft *draft)
{
    field_set(&screen->name, draft_text(draft, NULL, "name"));
    for (int side = 0; side < SIDES; side++)
        fill_side(&screen->sides[side], (enum side)side, draft);
}

/* Where the plan lists its databases, they are those of the form. */
static void store_names(const struct connect *screen, struct draft *draft)
{
    for (int side = 0; side < SIDES && json_get(draft->plan, "databases"); side++)
        draft_name_database(draft, (enum side)side, screen->sides[side].fields[FIELD_DATABASE].text);
}

static void store_address(struct draft *draft, const char *section, const char *text)
{
    struct address address;

    address_split(&address, text);
    draft_set(draft, section, "host", address.host);
    draft_set_number(draft, section, "port", address.port ? address.port : "");
    draft_set(draft, section, "user", address.user ? address.user : "");
    address_release(&address);
}

/* A connection string as it may be stored: of one that is being typed, without what may become a password. */
static void store_uri(struct draft *draft, enum side side, const char *text, bool being_typed)
{
    char *uri = xstrdup(text);
    char *password = address_take_password(uri);
    const char *unfinished = being_typed ? address_unfinished(uri) : NULL;

    if (unfinished)
        uri[unfinished - uri] = '\0';
    draft_set(draft, draft_side_name(side), "uri", uri);
    secret_free_string(password);
    secret_free_string(uri);
}

static void store_field(const struct connect_side *s, enum side side, enum connect_field field, struct draft *draft, bool focus)
{
    const char *section = section_of(side, places[field].ssh);
    const char *text = connect_shows(s, field) ? s->fields[field].text : "";

    if (field == FIELD_URI)
        store_uri(draft, side, text, focus);
    else if (places[field].kind == ROW_SECRET)
        draft_set_secret(draft, side, places[field].secret, text);
    else if (places[field].kind == ROW_ADDRESS)
        store_address(draft, section, text);
    else if (places[field].kind == ROW_NUMBER)
        draft_set_number(draft, section, places[field].key, text);
    else if (places[field].kind == ROW_TEXT)
        draft_set(draft, section, places[field].key, text);
}

void connect_store(const struct connect *screen, struct draft *draft)
{
    draft_set(draft, NULL, "name", screen->name.text);
    store_names(screen, draft);
    for (int side = 0; side < SIDES; side++) {
        const struct connect_side *s = &screen->sides[side];
        for (int i = 0; i < FIELDS; i++)
            store_field(s, (enum side)side, (enum connect_field)i, draft, screen->focus == 1 + side * FIELDS + i);
        for (int hop = 0; hop < HOPS; hop++)
            draft_set(draft, section_of((enum side)side, true), trust_keys[hop], s->fields[FIELD_SSH].text[0] ? s->trusted[hop] : "");
        if (!s->fields[FIELD_SSH].text[0]) /* "knownHosts" alone would be no way to anywhere */
            draft_drop(draft, section_of((enum side)side, true));
    }
}

void connect_settle(struct connect *screen)
{
    for (int side = 0; side < SIDES; side++) {
        struct connect_side *s = &screen->sides[side];
        char *password = address_take_password(s->fields[FIELD_URI].text);
        if (!password)
            continue;
        s->fields[FIELD_URI].cursor = strlen(s->fields[FIELD_URI].text);
        field_set(&s->fields[FIELD_PASSWORD], password);
        screen->password_moved = true;
        secret_free_string(password);
    }
}

void connect_set_database(struct connect *screen, enum side side, const char *name)
{
    struct connect_side *s = &screen->sides[side];

    if (!name || strcmp(s->fields[FIELD_DATABASE].text, name) == 0)
        return;
    field_set(&s->fields[FIELD_DATABASE], name);
    s->state = UNTRIED;
}

static void release_side(struct connect_side *s)
{
    for (int i = 0; i < FIELDS; i++)
        if (places[i].kind == ROW_SECRET || i == FIELD_URI)
            field_wipe(&s->fields[i]);
    free(s->words);
    free(s->detail);
}

void connect_release(struct connect *screen)
{
    for (int side = 0; side < SIDES; side++)
        release_side(&screen->sides[side]);
    *screen = (struct connect){0};
}

/* --- keys --- */

struct connect_side *connect_asking(struct connect *screen)
{
    for (int side = 0; side < SIDES; side++)
        if (screen->sides[side].shown[0])
            return &screen->sides[side];
    return NULL;
}

/* The whole word, as ssh wants it: a key that was meant for a field trusts nobody. */
static void answer_key(struct connect *screen, int key)
{
    struct connect_side *s = connect_asking(screen);

    if (key == KEY_RETURN && strcmp(screen->answer.text, "yes") == 0) {
        memcpy(s->trusted[s->asked], s->shown, sizeof s->shown);
        s->state = UNTRIED;
        screen->again = true;
    } else if (key != KEY_ESCAPE) {
        field_key(&screen->answer, key);
        return;
    }
    s->shown[0] = '\0';
    field_set(&screen->answer, "");
}

static struct field *focused(struct connect *screen, enum side *side, enum connect_field *which)
{
    int at = screen->focus - 1;

    *side = at < FIELDS ? SOURCE : TARGET;
    *which = (enum connect_field)(at < 0 ? FIELDS : at % FIELDS);
    return at < 0 ? &screen->name : &screen->sides[*side].fields[*which];
}

static void move_focus(struct connect *screen, int by)
{
    int count = 1 + SIDES * FIELDS;
    enum connect_field which;
    enum side side;

    connect_settle(screen);
    do {
        screen->focus = (screen->focus + by + count) % count;
        focused(screen, &side, &which);
    } while (screen->focus && !connect_shows(&screen->sides[side], which));
}

static void next_value(struct field *field, const char *const *values)
{
    size_t at = 0;

    for (size_t i = 0; values[i]; i++)
        if (strcmp(values[i], field->text) == 0)
            at = i + 1;
    field_set(field, values[values[at] ? at : 0]);
}

/* A key that was trusted belongs to the host that showed it. */
static void changed(struct connect_side *s, enum connect_field which)
{
    s->state = UNTRIED;
    s->shown[0] = '\0';
    if (which == FIELD_SSH)
        s->trusted[HOP_SERVER][0] = '\0';
    if (which == FIELD_SSH_JUMP)
        s->trusted[HOP_JUMP][0] = '\0';
}

static bool edit_key(struct connect *screen, int key)
{
    enum connect_field which;
    enum side side;
    struct field *field = focused(screen, &side, &which);
    char before[FIELD_SIZE];
    bool taken = true;

    memcpy(before, field->text, sizeof before);
    if (which == FIELD_TLS && key == ' ')
        next_value(field, tls_modes);
    else if (which == FIELD_SSH_LOGIN)
        key == ' ' ? next_value(field, logins) : (void)(taken = key >= ' ' && key < KEYS_AT);
    else
        taken = field_key(field, key);
    if (screen->focus && strcmp(before, field->text) != 0)
        changed(&screen->sides[side], which);
    explicit_bzero(before, sizeof before);
    return taken;
}

bool connect_key(struct connect *screen, int key)
{
    if (screen->telling) {
        screen->telling = false;
        return true;
    }
    if (connect_asking(screen)) {
        answer_key(screen, key);
        return true;
    }
    switch (key) {
    case KEY_TAB: case KEY_ARROW_DOWN: move_focus(screen, 1); return true;
    case KEY_TAB_BACK: case KEY_ARROW_UP: move_focus(screen, -1); return true;
    case KEY_MORE: screen->telling = true; return true;
    default: return edit_key(screen, key);
    }
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

/* Something that a person could say would let the next try in: asks about a host key, shows the field for a password. */
static void take_wish(struct connect_side *s, const cJSON *answer)
{
    const char *wants = json_str(answer, "wants") ? json_str(answer, "wants") : "";
    const char *fingerprint = json_str(answer, "fingerprint");

    if (fingerprint && (strcmp(wants, "host-key") == 0 || strcmp(wants, "jump-host-key") == 0)) {
        snprintf(s->shown, sizeof s->shown, "%s", fingerprint);
        s->asked = *wants == 'j' ? HOP_JUMP : HOP_SERVER;
    }
    if (strcmp(wants, "ssh-password") == 0)
        field_set(&s->fields[FIELD_SSH_LOGIN], LOGIN_PASSWORD);
}

void connect_answer(struct connect *screen, enum side side, const char *text)
{
    struct connect_side *s = &screen->sides[side];
    cJSON *json = cJSON_Parse(text);
    const cJSON *answer = cJSON_IsArray(json) ? cJSON_GetArrayItem(json, 0) : json;
    const cJSON *error = json_get(answer, "error");
    bool ok = json_bool(answer, "ok", false);

    if (s->state != TRYING) { /* changed meanwhile */
        cJSON_Delete(json);
        return;
    }
    free(s->words);
    s->words = ok ? server_text(answer) : said_error(error, "The command gave no answer.");
    str_replace(&s->detail, ok ? NULL : json_str(error, "detail"));
    s->state = ok ? ANSWERED : REFUSED;
    take_wish(s, answer);
    cJSON_Delete(json);
}

void connect_nameless(struct connect *screen, enum side side)
{
    struct connect_side *s = &screen->sides[side];

    const char *end = strstr(s->words, " Database "); /* of "postgres" there is nothing to say */
    char *whole = xasprintf("%.*s Which database is meant? %s", end ? (int)(end - s->words) : 0, s->words,
                            side == SOURCE ? "F2 lists those that it has." : "Type its name above.");

    free(s->words);
    s->words = whole;
    s->state = REFUSED;
}

bool connect_is_done(const struct connect *screen)
{
    return screen->sides[SOURCE].state == ANSWERED && screen->sides[TARGET].state == ANSWERED;
}
