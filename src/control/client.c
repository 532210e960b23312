#include "control/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "base/json.h"
#include "control/server.h"
#include "control/socket.h"

#define ANSWER_TIMEOUT_MS 30000

void control_close(struct control *control)
{
    channel_close(&control->channel);
    free(control->controller);
    *control = (struct control){.channel = CHANNEL_INIT};
}

bool control_open(struct control *control, const char *dir, const char *client, bool ask_control,
                  struct err *err)
{
    *control = (struct control){.channel = CHANNEL_INIT};
    int fd = control_connect(dir, err);
    if (fd < 0)
        return false;
    channel_open(&control->channel, fd);
    cJSON *hello = json_message("hello");
    json_add_num(hello, "version", CONTROL_VERSION);
    json_add_str(hello, "client", client);
    json_add_bool(hello, "control", ask_control);
    cJSON *answer = control_ask(control, hello, err);
    if (!answer) {
        control_close(control);
        return false;
    }
    control->engine_pid = (int)json_i64(answer, "pid", 0);
    control->has_control = json_bool(answer, "control", false);
    control->controller = xstrdup(json_str(answer, "controller"));
    cJSON_Delete(answer);
    return true;
}

static bool is_unasked(const char *type)
{
    return strcmp(type, "delta") == 0 || strcmp(type, "observer") == 0;
}

/* An engine's error without a code or words is an error still. */
static void take_error(const cJSON *json, struct err *err)
{
    struct err heard = ERR_INIT;

    err_from_json(&heard, json);
    if (heard.code == ERR_NONE || !heard.message)
        err_set(&heard, ERR_PROTOCOL, "the engine sent an error that says nothing");
    err_move(err, &heard);
}

cJSON *control_ask(struct control *control, cJSON *request, struct err *err)
{
    if (!channel_send(&control->channel, request, err))
        return NULL;
    for (;;) {
        cJSON *answer = channel_receive(&control->channel, ANSWER_TIMEOUT_MS, err);
        const char *type = answer ? json_str(answer, "type") : NULL;
        if (!answer)
            return NULL;
        if (type && strcmp(type, "error") == 0) {
            take_error(json_get(answer, "error"), err);
            cJSON_Delete(answer);
            return NULL;
        }
        if (type && !is_unasked(type))
            return answer;
        cJSON_Delete(answer);
    }
}

bool control_command(struct control *control, const char *command, const char *database,
                     struct err *err)
{
    cJSON *request = json_message("command");

    json_add_str(request, "command", command);
    if (database)
        json_add_str(request, "databaseName", database);
    cJSON *answer = control_ask(control, request, err);
    cJSON_Delete(answer);
    return answer != NULL;
}

/* The parts behind a status: their objects go into its output. */
static bool take_parts(struct control *control, cJSON *status, struct err *err)
{
    cJSON *output = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(status, "properties"), "output");

    for (bool more = true; more;) {
        cJSON *part = channel_receive(&control->channel, ANSWER_TIMEOUT_MS, err);
        cJSON *items = cJSON_GetObjectItemCaseSensitive(part, "output");
        if (!part)
            return false;
        more = json_bool(part, "more", false);
        for (cJSON *item = items ? items->child : NULL; item; item = items->child)
            cJSON_AddItemToArray(output, cJSON_DetachItemViaPointer(items, item));
        cJSON_Delete(part);
    }
    return true;
}

cJSON *control_status(struct control *control, bool tables, struct err *err)
{
    cJSON *request = json_message("status");

    json_add_bool(request, "tables", tables);
    cJSON *answer = control_ask(control, request, err);
    cJSON *status = answer ? cJSON_DetachItemFromObjectCaseSensitive(answer, "status") : NULL;
    bool more = json_bool(answer, "more", false);
    if (answer && !status)
        err_set(err, ERR_PROTOCOL, "the engine's answer holds no status");
    cJSON_Delete(answer);
    if (status && more && !take_parts(control, status, err)) {
        cJSON_Delete(status);
        status = NULL;
    }
    return status;
}

struct control_entry {
    char *id; /* owned */
    cJSON *item; /* borrowed: in the status */
    UT_hash_handle hh;
};

static cJSON *output_of(const struct control_view *view)
{
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(view->status, "properties");

    return cJSON_GetObjectItemCaseSensitive(properties, "output");
}

static void remember(struct control_view *view, cJSON *item)
{
    const char *id = json_str(item, "id");

    if (!id)
        return;
    struct control_entry *entry = xcalloc(1, sizeof *entry);
    entry->id = xstrdup(id);
    entry->item = item;
    HASH_ADD_KEYPTR(hh, view->by_id, entry->id, strlen(entry->id), entry);
}

void control_view_set(struct control_view *view, cJSON *status)
{
    struct control_entry *entry;
    struct control_entry *next;
    cJSON *item;

    HASH_ITER(hh, view->by_id, entry, next)
    {
        HASH_DEL(view->by_id, entry);
        free(entry->id);
        free(entry);
    }
    cJSON_Delete(view->status);
    view->status = status;
    cJSON_ArrayForEach(item, output_of(view)) remember(view, item);
}

const cJSON *control_view_find(const struct control_view *view, const char *id)
{
    struct control_entry *entry = NULL;

    if (id)
        HASH_FIND_STR(view->by_id, id, entry);
    return entry ? entry->item : NULL;
}

static void put(struct control_view *view, const cJSON *item)
{
    const char *id = json_str(item, "id");
    cJSON *copy = cJSON_Duplicate(item, true);
    struct control_entry *entry = NULL;

    if (id)
        HASH_FIND_STR(view->by_id, id, entry);
    if (entry) {
        cJSON_ReplaceItemViaPointer(output_of(view), entry->item, copy);
        entry->item = copy;
    } else {
        cJSON_AddItemToArray(output_of(view), copy);
        remember(view, copy);
    }
}

void control_view_merge(struct control_view *view, const cJSON *delta)
{
    static const char *const whole[] = {"state", "errors", "events"};
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(view->status, "properties");
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(delta, "output")) put(view, item);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        item = json_get(delta, whole[i]);
        if (item)
            cJSON_ReplaceItemInObjectCaseSensitive(properties, whole[i],
                                                   cJSON_Duplicate(item, true));
    }
}
