/* libFuzzer: the control protocol. The first byte chooses the side that gets the rest: the engine's
 * (a client that says anything) or a client's (an engine that answers anything). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "base/loop.h"
#include "control/client.h"
#include "control/server.h"
#include "control/socket.h"
#include "scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static cJSON *make_status(void *arg)
{
    (void)arg;
    return cJSON_Parse("{\"properties\":{\"state\":\"Running\",\"errors\":[],\"events\":[],"
                       "\"output\":[{\"id\":\"db|d\",\"latency\":1},{\"id\":\"or|d|s|t\"}]}}");
}

static cJSON *make_part(void *arg, uint64_t *cursor)
{
    (void)arg;
    return (*cursor)++ < 3 ? cJSON_CreateArray() : NULL;
}

static cJSON *make_delta(void *arg, uint64_t *version, uint64_t *events, bool tables)
{
    (void)arg;
    (void)tables;
    *events = ++*version;
    return *version % 3 ? cJSON_CreateObject() : NULL;
}

static bool do_command(void *arg, const char *command, const cJSON *request, cJSON *answer,
                       struct err *err)
{
    (void)arg;
    if (strcmp(command, "pause") != 0) {
        err_set(err, ERR_USAGE, "no command \"%s\"", command);
        return false;
    }
    json_add_str(answer, "databaseName", json_str(request, "databaseName"));
    return true;
}

static void on_tick(void *arg)
{
    (void)arg;
}

/* Everything is sent, then the client leaves while an answer may be on its way. */
static void to_server(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static const struct server_calls calls = {make_status, make_part, make_delta, do_command, NULL};

    if (!loop) {
        loop = loop_new();
        loop_every(loop, 1, on_tick, NULL); /* no turn waits for long */
    }
    struct server *server = server_open(loop, scratch(), &calls, NULL);
    int fd = server ? control_connect(scratch(), NULL) : -1;
    if (fd < 0)
        abort();
    loop_turn(loop);
    if (size && send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        abort();
    loop_turn(loop);
    server_publish(server);
    close(fd);
    loop_turn(loop);
    server_close(server);
}

static void use_view(cJSON *status, const uint8_t *data, size_t size)
{
    struct control_view view = {0};
    cJSON *delta = cJSON_ParseWithLength((const char *)data, size);

    control_view_set(&view, status);
    control_view_merge(&view, delta);
    control_view_merge(&view, delta);
    control_view_find(&view, "db|d");
    control_view_set(&view, NULL);
    cJSON_Delete(delta);
}

static void to_client(const uint8_t *data, size_t size)
{
    struct control control = {.channel = CHANNEL_INIT};
    struct err err = ERR_INIT;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        abort();
    channel_open(&control.channel, fds[0]);
    if (size && send(fds[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        abort();
    shutdown(fds[1], SHUT_WR);
    cJSON *status = control_status(&control, size & 1, &err);
    if (!status && (err.code == ERR_NONE || !err.message))
        abort();
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL;
    use_view(status ? status : make_status(NULL), line ? line + 1 : data,
             line ? (size_t)(data + size - line - 1) : size);
    close(fds[1]);
    control_close(&control);
    err_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || size > 65536)
        return 0;
    if (data[0] % 2)
        to_server(data + 1, size - 1);
    else
        to_client(data + 1, size - 1);
    return 0;
}
