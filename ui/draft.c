#include "ui/draft.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/xalloc.h"
#include "ui/address.h"

const char *draft_side_name(enum side side)
{
    return side == SOURCE ? "source" : "target";
}

static cJSON *parse_file(const char *path, struct err *err)
{
    struct buf text = BUF_INIT;
    cJSON *json = NULL;

    if (file_read(path, &text, err)) {
        if (text.data)
            cJSON_Minify(text.data); /* takes comments out, too */
        json = cJSON_Parse(text.data ? text.data : "");
        if (!cJSON_IsObject(json)) {
            err_set(err, ERR_USAGE, "\"%s\" is no plan: it holds no JSON object", path);
            cJSON_Delete(json);
            json = NULL;
        }
        if (text.data)
            explicit_bzero(text.data, text.len);
    }
    buf_release(&text);
    return json;
}

static const struct {
    const char *section; /* of the endpoint; NULL: the endpoint itself */
    const char *key;
} secret_keys[SECRETS] = {{NULL, "password"}, {"ssh", "password"}, {"ssh", "passphrase"}};

/* The object of a plan that has the secret; NULL: there is none. */
static cJSON *home_of(cJSON *plan, enum side side, enum draft_secret which)
{
    cJSON *endpoint = cJSON_GetObjectItemCaseSensitive(plan, draft_side_name(side));

    return secret_keys[which].section ? cJSON_GetObjectItemCaseSensitive(endpoint, secret_keys[which].section) : endpoint;
}

static void take_secret(struct draft *draft, enum side side, enum draft_secret which)
{
    cJSON *home = home_of(draft->plan, side, which);
    const cJSON *secret = json_get(home, secret_keys[which].key);

    if (cJSON_IsString(secret)) {
        draft_set_secret(draft, side, which, secret->valuestring);
        explicit_bzero(secret->valuestring, strlen(secret->valuestring));
    }
    cJSON_DeleteItemFromObjectCaseSensitive(home, secret_keys[which].key);
}

/* Secrets have their place beside the plan. */
static void take_secrets(struct draft *draft)
{
    for (int side = 0; side < SIDES; side++) {
        const cJSON *uri = json_get(cJSON_GetObjectItemCaseSensitive(draft->plan, draft_side_name((enum side)side)), "uri");
        char *password = cJSON_IsString(uri) ? address_take_password(uri->valuestring) : NULL;
        if (password)
            draft_set_secret(draft, (enum side)side, SECRET_PASSWORD, password);
        secret_free_string(password);
        for (int which = 0; which < SECRETS; which++)
            take_secret(draft, (enum side)side, (enum draft_secret)which);
    }
}

void draft_open(struct draft *draft, const char *state_dir)
{
    *draft = (struct draft){.path = xasprintf("%s/.draft.json", state_dir)};
    draft->plan = parse_file(draft->path, NULL);
    if (!draft->plan)
        draft->plan = cJSON_CreateObject();
    take_secrets(draft);
}

bool draft_take_plan(struct draft *draft, const char *path, struct err *err)
{
    cJSON *plan = parse_file(path, err);

    if (!plan)
        return false;
    cJSON_Delete(draft->plan);
    draft->plan = plan;
    take_secrets(draft);
    return true;
}

void draft_release(struct draft *draft)
{
    for (int side = 0; side < SIDES; side++)
        for (int which = 0; which < SECRETS; which++)
            secret_free_string(draft->secrets[side][which]);
    cJSON_Delete(draft->plan);
    free(draft->path);
    *draft = (struct draft){0};
}

bool draft_store(const struct draft *draft, struct err *err)
{
    char *dir = xstrdup(draft->path);
    char *text = draft_plan_text(draft, false);

    *strrchr(dir, '/') = '\0';
    bool ok = dir_make_private(dir, err) && file_write_atomic(draft->path, text, strlen(text), err);
    free(text);
    free(dir);
    return ok;
}

void draft_forget(struct draft *draft)
{
    unlink(draft->path);
}

/* "source.ssh" is the object "ssh" in "source". */
static cJSON *section_of(const struct draft *draft, const char *section)
{
    const char *dot = section ? strchr(section, '.') : NULL;

    if (!section)
        return draft->plan;
    if (!dot)
        return cJSON_GetObjectItemCaseSensitive(draft->plan, section);
    char *outer = xstrndup(section, (size_t)(dot - section));
    cJSON *object = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(draft->plan, outer), dot + 1);
    free(outer);
    return object;
}

const char *draft_text(const struct draft *draft, const char *section, const char *key)
{
    const cJSON *item = json_get(section_of(draft, section), key);
    static char number[24];

    if (cJSON_IsNumber(item)) {
        snprintf(number, sizeof number, "%.0f", item->valuedouble);
        return number;
    }
    return cJSON_IsString(item) ? item->valuestring : "";
}

static cJSON *make_object(cJSON *parent, const char *name)
{
    cJSON *object = cJSON_GetObjectItemCaseSensitive(parent, name);

    if (cJSON_IsObject(object))
        return object;
    cJSON_DeleteItemFromObjectCaseSensitive(parent, name);
    return cJSON_AddObjectToObject(parent, name);
}

static cJSON *make_section(struct draft *draft, const char *section)
{
    const char *dot = section ? strchr(section, '.') : NULL;

    if (!section)
        return draft->plan;
    if (!dot)
        return make_object(draft->plan, section);
    char *outer = xstrndup(section, (size_t)(dot - section));
    cJSON *object = make_object(make_object(draft->plan, outer), dot + 1);
    free(outer);
    return object;
}

void draft_drop(struct draft *draft, const char *section)
{
    const char *dot = strchr(section, '.');

    if (!dot) {
        cJSON_DeleteItemFromObjectCaseSensitive(draft->plan, section);
        return;
    }
    char *outer = xstrndup(section, (size_t)(dot - section));
    cJSON_DeleteItemFromObjectCaseSensitive(cJSON_GetObjectItemCaseSensitive(draft->plan, outer), dot + 1);
    free(outer);
}

void draft_set(struct draft *draft, const char *section, const char *key, const char *text)
{
    if (!*text && !section_of(draft, section))
        return;
    cJSON *object = make_section(draft, section);
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    if (*text)
        cJSON_AddStringToObject(object, key, text);
    else if (section && strchr(section, '.') && !cJSON_GetArraySize(object))
        draft_drop(draft, section);
}

void draft_set_number(struct draft *draft, const char *section, const char *key, const char *text)
{
    if (!*text || text[strspn(text, "0123456789")]) {
        draft_set(draft, section, key, text);
        return;
    }
    cJSON *object = make_section(draft, section);
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    cJSON_AddNumberToObject(object, key, strtod(text, NULL));
}

void draft_set_bool(struct draft *draft, const char *section, const char *key, bool value)
{
    cJSON *object = make_section(draft, section);

    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    cJSON_AddBoolToObject(object, key, value);
}

bool draft_bool(const struct draft *draft, const char *section, const char *key, bool otherwise)
{
    return json_bool(section_of(draft, section), key, otherwise);
}

void draft_set_secret(struct draft *draft, enum side side, enum draft_secret which, const char *text)
{
    secret_free_string(draft->secrets[side][which]);
    draft->secrets[side][which] = *text ? xstrdup(text) : NULL;
}

bool draft_waive(struct draft *draft, const char *id)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(draft->plan, "waive");
    cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (!cJSON_IsString(item) || strcmp(item->valuestring, id) != 0)
            continue;
        cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
        if (!cJSON_GetArraySize(list))
            cJSON_DeleteItemFromObjectCaseSensitive(draft->plan, "waive");
        return false;
    }
    if (!cJSON_IsArray(list)) {
        cJSON_DeleteItemFromObjectCaseSensitive(draft->plan, "waive");
        list = cJSON_AddArrayToObject(draft->plan, "waive");
    }
    cJSON_AddItemToArray(list, cJSON_CreateString(id));
    return true;
}

cJSON *draft_database(struct draft *draft)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(draft->plan, "databases");
    cJSON *first = cJSON_GetArrayItem(list, 0);

    if (cJSON_IsObject(first))
        return first;
    cJSON_DeleteItemFromObjectCaseSensitive(draft->plan, "databases");
    list = cJSON_AddArrayToObject(draft->plan, "databases");
    first = cJSON_CreateObject();
    cJSON_AddItemToArray(list, first);
    return first;
}

int draft_database_count(const struct draft *draft)
{
    return cJSON_GetArraySize(json_get(draft->plan, "databases"));
}

char *draft_database_name(const cJSON *database)
{
    const char *name = json_str(database, "name");
    size_t len = name ? strlen(name) : 0;

    if (len < 2 || name[0] != '"' || name[len - 1] != '"')
        return xstrdup(name);
    struct buf plain = BUF_INIT;
    for (size_t i = 1; i + 1 < len; i++) {
        buf_addch(&plain, name[i]);
        i += name[i] == '"';
    }
    return buf_take(&plain);
}

cJSON *draft_find_database(const struct draft *draft, const char *name)
{
    cJSON *item;

    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(draft->plan, "databases"))
    {
        char *own = draft_database_name(item);
        bool same = own && name && strcmp(own, name) == 0;
        free(own);
        if (same)
            return item;
    }
    return NULL;
}

char *draft_target_names(const struct draft *draft)
{
    struct buf names = BUF_INIT;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(draft->plan, "databases"))
    {
        const char *to = json_str(item, "target_database_name");
        char *name = to ? xstrdup(to) : draft_database_name(item);
        buf_addf(&names, "%s%s", names.len ? " " : "", name ? name : "");
        free(name);
    }
    return buf_take(&names);
}

void draft_name_database(struct draft *draft, enum side side, const char *name)
{
    static const char *const keys[SIDES] = {"name", "target_database_name"};

    if (!name || !*name)
        return;
    cJSON *database = draft_database(draft);
    cJSON_DeleteItemFromObjectCaseSensitive(database, keys[side]);
    cJSON_AddStringToObject(database, keys[side], name);
}

/* Puts those of one side into a side of a plan, which may be another one. */
static void put_secrets(const struct draft *draft, enum side side, cJSON *plan, enum side into)
{
    for (int which = 0; which < SECRETS; which++) {
        cJSON *home = home_of(plan, into, (enum draft_secret)which);
        if (home && draft->secrets[side][which])
            cJSON_AddStringToObject(home, secret_keys[which].key, draft->secrets[side][which]);
    }
}

/* The plan's text; the secrets in it are wiped with it. */
static char *print_and_wipe(cJSON *plan)
{
    char *text = cJSON_Print(plan);

    for (int side = 0; side < SIDES; side++) {
        for (int which = 0; which < SECRETS; which++) {
            const char *copy = json_str(home_of(plan, (enum side)side, (enum draft_secret)which), secret_keys[which].key);
            if (copy)
                explicit_bzero((char *)copy, strlen(copy));
        }
    }
    cJSON_Delete(plan);
    return text;
}

char *draft_plan_text(const struct draft *draft, bool with_secrets)
{
    cJSON *plan = cJSON_Duplicate(draft->plan, true);

    for (int side = 0; with_secrets && side < SIDES; side++)
        put_secrets(draft, (enum side)side, plan, (enum side)side);
    return print_and_wipe(plan);
}

bool draft_names_database(const struct draft *draft, enum side side)
{
    const char *section = draft_side_name(side);

    return *draft_text(draft, section, "databaseName") || *draft_text(draft, section, "uri") ||
           (side == TARGET && *draft_text(draft, "source", "databaseName"));
}

/* The server is to be tried all the same. */
static void name_some_database(const struct draft *draft, enum side side, cJSON *endpoint)
{
    const char *source = draft_text(draft, "source", "databaseName");

    if (json_str(endpoint, "databaseName") || json_str(endpoint, "uri"))
        return;
    cJSON_DeleteItemFromObjectCaseSensitive(endpoint, "databaseName");
    json_add_str(endpoint, "databaseName", side == TARGET && *source ? source : "postgres");
}

char *draft_server_text(const struct draft *draft, enum side side)
{
    const cJSON *endpoint = json_get(draft->plan, draft_side_name(side));
    cJSON *plan = cJSON_CreateObject();

    json_add_str(plan, "name", "connect");
    for (int i = 0; i < SIDES; i++) {
        cJSON *copy = endpoint ? cJSON_Duplicate(endpoint, true) : cJSON_CreateObject();
        name_some_database(draft, side, copy);
        cJSON_AddItemToObject(plan, draft_side_name((enum side)i), copy);
        put_secrets(draft, side, plan, (enum side)i);
    }
    return print_and_wipe(plan);
}
