#include "control/client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
            err_from_json(err, json_get(answer, "error"));
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

cJSON *control_status(struct control *control, struct err *err)
{
    cJSON *answer = control_ask(control, json_message("status"), err);
    cJSON *status = answer ? cJSON_DetachItemFromObjectCaseSensitive(answer, "status") : NULL;

    cJSON_Delete(answer);
    return status;
}

static void put(cJSON *output, const cJSON *item)
{
    const char *id = json_str(item, "id");
    int index = 0;
    cJSON *old;

    cJSON_ArrayForEach(old, output)
    {
        const char *old_id = json_str(old, "id");
        if (id && old_id && strcmp(id, old_id) == 0) {
            cJSON_ReplaceItemInArray(output, index, cJSON_Duplicate(item, true));
            return;
        }
        index++;
    }
    cJSON_AddItemToArray(output, cJSON_Duplicate(item, true));
}

void control_merge(cJSON *status, const cJSON *delta)
{
    static const char *const whole[] = {"state", "errors", "events"};
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(status, "properties");
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(delta, "output"))
        put(cJSON_GetObjectItemCaseSensitive(properties, "output"), item);
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) {
        item = json_get(delta, whole[i]);
        if (item)
            cJSON_ReplaceItemInObjectCaseSensitive(properties, whole[i],
                                                   cJSON_Duplicate(item, true));
    }
}
