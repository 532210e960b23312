#include "ui/session.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "control/server.h"
#include "control/socket.h"

#define EVENTS_KEPT 500

double session_num(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

const char *session_text(const cJSON *object, const char *key)
{
    const char *text = json_str(object, key);

    return text ? text : "";
}

const cJSON *session_output(const struct session *session)
{
    return json_get(json_get(session->view.status, "properties"), "output");
}

bool session_is(const cJSON *item, const char *type)
{
    return strcmp(session_text(item, "resultType"), type) == 0;
}

const cJSON *session_database(const struct session *session, int n)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, session_output(session))
    {
        if (session_is(item, "DatabaseLevelOutput") && n-- == 0)
            return item;
    }
    return NULL;
}

const cJSON *session_migration(const struct session *session)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, session_output(session))
    {
        if (session_is(item, "MigrationLevelOutput"))
            return item;
    }
    return NULL;
}

static void keep_events(struct session *session, const cJSON *events)
{
    const cJSON *event;

    cJSON_ArrayForEach(event, events)
    {
        cJSON_AddItemToArray(session->events, cJSON_Duplicate(event, true));
        if (cJSON_GetArraySize(session->events) > EVENTS_KEPT)
            cJSON_DeleteItemFromArray(session->events, 0);
    }
}

static void take_status(struct session *session, cJSON *status)
{
    control_view_set(&session->view, status);
    cJSON_Delete(session->events);
    session->events = cJSON_CreateArray();
    keep_events(session, json_get(json_get(status, "properties"), "events"));
}

static void end_command(struct session *session, const char *said)
{
    free(session->said);
    session->said = said && session->command ? xasprintf("%s: %s", session->command, said) : NULL;
    str_replace(&session->command, NULL);
}

void session_take(struct session *session, const cJSON *message)
{
    const char *type = session_text(message, "type");

    if (strcmp(type, "hello") == 0) {
        session->has_control = json_bool(message, "control", false);
        str_replace(&session->controller, json_str(message, "controller"));
    } else if (strcmp(type, "observer") == 0) {
        session->has_control = false;
        str_replace(&session->controller, json_str(message, "controller"));
    } else if (strcmp(type, "snapshot") == 0) {
        take_status(session, cJSON_Duplicate(json_get(message, "status"), true));
    } else if (strcmp(type, "part") == 0 && session->view.status) {
        control_view_merge(&session->view, message);
    } else if (strcmp(type, "delta") == 0 && session->view.status) {
        control_view_merge(&session->view, message);
        keep_events(session, json_get(message, "events"));
    } else if (strcmp(type, "done") == 0) {
        end_command(session, "the engine does it now");
    } else if (strcmp(type, "error") == 0) {
        err_clear(&session->answer);
        err_from_json(&session->answer, json_get(message, "error"));
        end_command(session, NULL);
    }
}

static void detach(struct session *session)
{
    channel_close(&session->channel);
    session->live = false;
    session->has_control = false;
    if (session->command)
        err_set(&session->answer, ERR_NOT_FOUND, "the engine ended before it answered \"%s\"", session->command);
    str_replace(&session->command, NULL);
    str_replace(&session->said, NULL); /* it has done it */
}

static bool read_stored(struct session *session)
{
    char *path = xasprintf("%s/status.json", session->dir);
    struct buf text = BUF_INIT;
    cJSON *status = file_read(path, &text, NULL) ? cJSON_Parse(text.data) : NULL;

    if (status)
        take_status(session, status);
    buf_release(&text);
    free(path);
    return status != NULL;
}

void session_ask_control(struct session *session, bool take)
{
    cJSON *hello = json_message("hello");

    json_add_num(hello, "version", CONTROL_VERSION);
    json_add_str(hello, "client", session->client);
    json_add_bool(hello, "control", true);
    json_add_bool(hello, "take", take);
    channel_queue(&session->channel, hello);
}

static void subscribe_to(struct session *session)
{
    cJSON *subscribe = json_message("subscribe");

    json_add_bool(subscribe, "tables", true);
    channel_queue(&session->channel, subscribe);
}

bool session_open(struct session *session, const char *state_dir, const char *name, struct err *err)
{
    *session = (struct session){.channel = CHANNEL_INIT, .name = xstrdup(name), .events = cJSON_CreateArray()};
    session->dir = xasprintf("%s/%s", state_dir, name);
    session->client = xasprintf("the screen of process %d", (int)getpid());
    int fd = control_connect(session->dir, err);
    session->live = fd >= 0;
    if (session->live) {
        channel_open(&session->channel, fd);
        session_ask_control(session, false);
        subscribe_to(session);
    }
    if (read_stored(session) || session->live) {
        err_clear(err);
        return true;
    }
    err_clear(err);
    err_set(err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\", or its engine has not said anything yet", name,
            state_dir);
    err_hint(err, "\"pgcutover status\" lists what is there.");
    session_close(session);
    return false;
}

void session_close(struct session *session)
{
    channel_close(&session->channel);
    control_view_set(&session->view, NULL);
    cJSON_Delete(session->events);
    err_clear(&session->answer);
    free(session->controller);
    free(session->command);
    free(session->said);
    free(session->client);
    free(session->name);
    free(session->dir);
    *session = (struct session){.channel = CHANNEL_INIT};
}

short session_events(const struct session *session)
{
    return channel_has_output(&session->channel) ? POLLIN | POLLOUT : POLLIN;
}

void session_serve(struct session *session)
{
    bool bad = false;
    cJSON *message;

    if (!session->live)
        return;
    bool alive = channel_write(&session->channel) && channel_read(&session->channel);
    while ((message = channel_next(&session->channel, &bad))) {
        session_take(session, message);
        cJSON_Delete(message);
    }
    if (alive && !bad)
        return;
    detach(session);
    read_stored(session); /* its last word */
}

static cJSON *request_for(const char *command, const char *database)
{
    cJSON *request = json_message("command");

    json_add_str(request, "command", command);
    if (database)
        json_add_str(request, "databaseName", database);
    return request;
}

/* request is taken. */
static void send_request(struct session *session, const char *command, cJSON *request)
{
    err_clear(&session->answer);
    str_replace(&session->said, NULL);
    str_replace(&session->command, command);
    channel_queue(&session->channel, request);
}

void session_command(struct session *session, const char *command, const char *database)
{
    send_request(session, command, request_for(command, database));
}

void session_command_confirmed(struct session *session, const char *command, const char *database, const char *word)
{
    cJSON *request = request_for(command, database);

    json_add_str(request, "confirm", word);
    send_request(session, command, request);
}

void session_command_table(struct session *session, const char *command, const char *database, const char *table)
{
    cJSON *request = request_for(command, database);

    cJSON_AddItemToArray(cJSON_AddArrayToObject(request, "tables"), cJSON_CreateString(table));
    send_request(session, command, request);
}

void session_decide(struct session *session, const char *database, const char *object, const char *sql, bool skip)
{
    cJSON *request = request_for("decide", database);

    json_add_str(request, "object", object);
    if (sql)
        json_add_str(request, "sql", sql);
    else if (skip)
        json_add_bool(request, "skip", true);
    send_request(session, "decide", request);
}

static void push(double *values, int count, double value)
{
    if (count == SESSION_SAMPLES)
        memmove(values, values + 1, (SESSION_SAMPLES - 1) * sizeof *values);
    values[count == SESSION_SAMPLES ? count - 1 : count] = value;
}

void session_sample(struct session *session, const cJSON *database, int64_t now_ms)
{
    double applied = session_num(database, "appliedChanges");
    double bytes = session_num(database, "fullLoadBytes");
    double seconds = (double)(now_ms - session->sampled_ms) / 1000;

    if (session->sampled_ms && seconds > 0) {
        double rate = (applied - session->last_applied) / seconds;
        double load = (bytes - session->last_bytes) / seconds;
        push(session->rate, session->samples, rate > 0 ? rate : 0);
        push(session->lag, session->samples, session_num(database, "latency"));
        session->samples += session->samples < SESSION_SAMPLES;
        load = load > 0 ? load : 0;
        session->load_rate = session->load_rate > 0 ? 0.7 * session->load_rate + 0.3 * load : load;
    }
    session->sampled_ms = now_ms;
    session->last_applied = applied;
    session->last_bytes = bytes;
}
