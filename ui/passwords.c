#include "ui/passwords.h"

#include <string.h>

#include "base/json.h"
#include "base/secret.h"
#include "ui/terminal.h"

static const struct {
    const char *key, *words;
} kinds[SECRETS] = {{"password", "Password"}, {"sshPassword", "Password on the SSH server"}, {"sshPassphrase", "Passphrase of the SSH key"}};

void passwords_release(struct passwords *passwords)
{
    for (int side = 0; side < SIDES; side++)
        for (int which = 0; which < SECRETS; which++)
            secret_free_string(passwords->secrets[side][which]);
    field_wipe(&passwords->field);
    *passwords = (struct passwords){0};
}

static bool says(const char *text, const char *part)
{
    return text && strcasestr(text, part);
}

/* The SSH login's errors say what was tried; the server's have a SQLSTATE, libpq's own has not. */
static bool find_kind(const struct err *err, enum draft_secret *which)
{
    if (says(err->message, "SSH server")) {
        *which = says(err->detail, "passphrase") ? SECRET_SSH_PASSPHRASE : SECRET_SSH_PASSWORD;
        return says(err->message, "is not let in");
    }
    *which = SECRET_PASSWORD;
    return strcmp(err->sqlstate, "28P01") == 0 || says(err->message, "no password supplied") || says(err->message, "password authentication failed");
}

bool passwords_wanted(struct passwords *passwords, const struct err *err)
{
    bool source = err->message && strncmp(err->message, "source", 6) == 0;
    bool target = err->message && strncmp(err->message, "target", 6) == 0;

    if ((!source && !target) || !find_kind(err, &passwords->which))
        return false;
    passwords->side = source ? SOURCE : TARGET;
    passwords->asking = true;
    field_wipe(&passwords->field);
    passwords->field.secret = true;
    return true;
}

void passwords_draw(const struct passwords *passwords, struct canvas *c, int row)
{
    for (int col = 0; col < c->cols; col++)
        canvas_put(c, row, col, 1, ROLE_TEXT, " ");
    int col = 2 + canvas_putf(c, row, 1, -1, ROLE_WARNING, "%s, %s (Esc: not now):", kinds[passwords->which].words, draft_side_name(passwords->side));
    field_draw(&passwords->field, c, row, col, c->cols - col - 1, true);
}

enum passwords_answer passwords_key(struct passwords *passwords, int key)
{
    char **place = &passwords->secrets[passwords->side][passwords->which];

    if (key == KEY_ESCAPE) {
        passwords_release(passwords);
        return PASSWORDS_GIVEN_UP;
    }
    if (key != KEY_RETURN) {
        field_key(&passwords->field, key);
        return PASSWORDS_STAYS;
    }
    secret_free_string(*place);
    *place = xstrdup(passwords->field.text);
    field_wipe(&passwords->field);
    passwords->asking = false;
    return PASSWORDS_TYPED;
}

static void wipe(cJSON *json)
{
    for (cJSON *side = json->child; side; side = side->next)
        for (cJSON *item = side->child; item; item = item->next)
            if (item->valuestring)
                explicit_bzero(item->valuestring, strlen(item->valuestring));
}

char *passwords_text(const struct passwords *passwords)
{
    cJSON *json = cJSON_CreateObject();
    bool some = false;

    for (int side = 0; side < SIDES; side++) {
        cJSON *object = cJSON_AddObjectToObject(json, draft_side_name((enum side)side));
        for (int which = 0; which < SECRETS; which++) {
            const char *secret = passwords->secrets[side][which];
            if (secret)
                json_add_str(object, kinds[which].key, secret);
            some = some || secret;
        }
    }
    char *text = some ? cJSON_PrintUnformatted(json) : NULL;
    wipe(json);
    cJSON_Delete(json);
    return text;
}
