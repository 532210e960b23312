#include "ui/draft.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/secret.h"
#include "base/xalloc.h"

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

/* Passwords have their place beside the plan. */
static void take_passwords(struct draft *draft)
{
    for (int side = 0; side < SIDES; side++) {
        cJSON *endpoint = cJSON_GetObjectItemCaseSensitive(draft->plan, draft_side_name((enum side)side));
        cJSON *password = cJSON_GetObjectItemCaseSensitive(endpoint, "password");
        if (cJSON_IsString(password)) {
            draft_set_password(draft, (enum side)side, password->valuestring);
            explicit_bzero(password->valuestring, strlen(password->valuestring));
        }
        cJSON_DeleteItemFromObjectCaseSensitive(endpoint, "password");
    }
}

void draft_open(struct draft *draft, const char *state_dir)
{
    *draft = (struct draft){.path = xasprintf("%s/.draft.json", state_dir)};
    draft->plan = parse_file(draft->path, NULL);
    if (!draft->plan)
        draft->plan = cJSON_CreateObject();
    take_passwords(draft);
}

bool draft_take_plan(struct draft *draft, const char *path, struct err *err)
{
    cJSON *plan = parse_file(path, err);

    if (!plan)
        return false;
    cJSON_Delete(draft->plan);
    draft->plan = plan;
    take_passwords(draft);
    return true;
}

void draft_release(struct draft *draft)
{
    for (int side = 0; side < SIDES; side++)
        secret_free_string(draft->passwords[side]);
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

static cJSON *section_of(const struct draft *draft, const char *section)
{
    return section ? cJSON_GetObjectItemCaseSensitive(draft->plan, section) : draft->plan;
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

static cJSON *make_section(struct draft *draft, const char *section)
{
    cJSON *object = section_of(draft, section);

    if (cJSON_IsObject(object))
        return object;
    cJSON_DeleteItemFromObjectCaseSensitive(draft->plan, section);
    return cJSON_AddObjectToObject(draft->plan, section);
}

void draft_set(struct draft *draft, const char *section, const char *key, const char *text)
{
    if (!*text && !section_of(draft, section))
        return;
    cJSON *object = make_section(draft, section);
    cJSON_DeleteItemFromObjectCaseSensitive(object, key);
    if (*text)
        cJSON_AddStringToObject(object, key, text);
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

void draft_set_password(struct draft *draft, enum side side, const char *password)
{
    secret_free_string(draft->passwords[side]);
    draft->passwords[side] = *password ? xstrdup(password) : NULL;
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

void draft_name_database(struct draft *draft, enum side side, const char *name)
{
    static const char *const keys[SIDES] = {"name", "target_database_name"};

    if (!name || !*name)
        return;
    cJSON *database = draft_database(draft);
    cJSON_DeleteItemFromObjectCaseSensitive(database, keys[side]);
    cJSON_AddStringToObject(database, keys[side], name);
}

static void wipe_passwords(cJSON *plan)
{
    for (int side = 0; side < SIDES; side++) {
        const char *copy = json_str(cJSON_GetObjectItemCaseSensitive(plan, draft_side_name((enum side)side)), "password");
        if (copy)
            explicit_bzero((char *)copy, strlen(copy));
    }
}

char *draft_plan_text(const struct draft *draft, bool with_passwords)
{
    cJSON *plan = cJSON_Duplicate(draft->plan, true);

    for (int side = 0; with_passwords && side < SIDES; side++) {
        cJSON *endpoint = cJSON_GetObjectItemCaseSensitive(plan, draft_side_name((enum side)side));
        if (endpoint && draft->passwords[side])
            cJSON_AddStringToObject(endpoint, "password", draft->passwords[side]);
    }
    char *text = cJSON_Print(plan);
    wipe_passwords(plan);
    cJSON_Delete(plan);
    return text;
}

char *draft_server_text(const struct draft *draft, enum side side)
{
    const cJSON *endpoint = json_get(draft->plan, draft_side_name(side));
    cJSON *plan = cJSON_CreateObject();

    json_add_str(plan, "name", "connect");
    for (int i = 0; i < SIDES; i++) {
        cJSON *copy = endpoint ? cJSON_Duplicate(endpoint, true) : cJSON_CreateObject();
        if (draft->passwords[side])
            cJSON_AddStringToObject(copy, "password", draft->passwords[side]);
        cJSON_AddItemToObject(plan, draft_side_name((enum side)i), copy);
    }
    char *text = cJSON_Print(plan);
    wipe_passwords(plan);
    cJSON_Delete(plan);
    return text;
}
