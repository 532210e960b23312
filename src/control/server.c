#include "control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "control/socket.h"

/* A client that does not read is dropped rather than kept in memory. */
#define CLIENT_BACKLOG_BYTES (256u << 20)
#define PART_BACKLOG_BYTES (64u << 10) /* with less than this unsent the next part is made */

struct client {
    struct server *server;
    struct channel channel;
    char *name;
    bool greeted;
    bool subscribed;
    bool tables;     /* wants them in deltas */
    bool parts_left; /* of a status that is being sent */
    bool gone;
    uint64_t version;
    uint64_t events;
    uint64_t cursor; /* of the parts */
    struct client *next;
};

struct server {
    struct loop *loop;
    int fd;
    char *path;
    struct server_calls calls;
    struct client *clients;
    struct client *controller; /* borrowed, NULL nobody */
};

static void on_client(void *arg, short revents);

static void watch(struct client *client)
{
    bool output = channel_has_output(&client->channel) || client->parts_left;
    short events = output ? POLLIN | POLLOUT : POLLIN;

    loop_watch(client->server->loop, client->channel.fd, events, on_client, client);
}

static void send_to(struct client *client, cJSON *message)
{
    channel_queue(&client->channel, message);
    if (client->channel.out.len > CLIENT_BACKLOG_BYTES)
        client->gone = true;
    if (client->channel.fd >= 0)
        watch(client);
}

static void send_error(struct client *client, struct err *err)
{
    cJSON *message = json_message("error");

    cJSON_AddItemToObject(message, "error", err_to_json(err));
    send_to(client, message);
    err_clear(err);
}

static void drop(struct client *client)
{
    struct server *server = client->server;

    for (struct client **at = &server->clients; *at; at = &(*at)->next) {
        if (*at == client) {
            *at = client->next;
            break;
        }
    }
    if (server->controller == client)
        server->controller = NULL;
    loop_unwatch(server->loop, client->channel.fd);
    channel_close(&client->channel);
    free(client->name);
    free(client);
}

static void take_control(struct client *client, bool take)
{
    struct server *server = client->server;

    if (server->controller && server->controller != client && take) {
        cJSON *message = json_message("observer");
        json_add_str(message, "controller", client->name);
        send_to(server->controller, message);
        server->controller = NULL;
    }
    if (!server->controller)
        server->controller = client;
}

static void on_hello(struct client *client, const cJSON *message)
{
    struct server *server = client->server;
    struct err err = ERR_INIT;

    if (json_i64(message, "version", 0) != CONTROL_VERSION) {
        err_set(&err, ERR_PROTOCOL, "the engine speaks control protocol %d, this program %lld",
                CONTROL_VERSION, (long long)json_i64(message, "version", 0));
        err_hint(&err, "Use the program that started the engine.");
        send_error(client, &err);
        client->gone = true;
        return;
    }
    str_replace(&client->name, json_str(message, "client"));
    client->greeted = true;
    if (json_bool(message, "control", false))
        take_control(client, json_bool(message, "take", false));
    cJSON *answer = json_message("hello");
    json_add_num(answer, "version", CONTROL_VERSION);
    json_add_num(answer, "pid", getpid());
    json_add_bool(answer, "control", server->controller == client);
    json_add_str(answer, "controller", server->controller ? server->controller->name : NULL);
    send_to(client, answer);
}

static void on_command(struct client *client, const cJSON *message)
{
    struct server *server = client->server;
    const char *command = json_str(message, "command");
    struct err err = ERR_INIT;

    if (server->controller && server->controller != client) {
        err_set(&err, ERR_USAGE, "the migration is controlled by %s",
                server->controller->name ? server->controller->name : "another client");
        err_hint(&err, "Leave it there, or take control over.");
        send_error(client, &err);
        return;
    }
    cJSON *answer = json_message("done");
    if (server->calls.command(server->calls.arg, command ? command : "", message, answer, &err)) {
        send_to(client, answer);
    } else {
        cJSON_Delete(answer);
        send_error(client, &err);
    }
}

static void send_status(struct client *client, const char *type, bool tables)
{
    cJSON *message = json_message(type);

    cJSON_AddItemToObject(message, "status", client->server->calls.status(client->server->calls.arg));
    json_add_bool(message, "more", tables);
    client->parts_left = tables;
    client->cursor = 0;
    send_to(client, message);
}

/* One part a turn of the loop, and only when the client has read most of what came before. */
static void send_part(struct client *client)
{
    const struct server_calls *calls = &client->server->calls;

    if (!client->parts_left || client->gone || client->channel.out.len > PART_BACKLOG_BYTES)
        return;
    cJSON *part = calls->part(calls->arg, &client->cursor);
    cJSON *message = json_message("part");
    client->parts_left = part != NULL;
    cJSON_AddItemToObject(message, "output", part ? part : cJSON_CreateArray());
    json_add_bool(message, "more", client->parts_left);
    send_to(client, message);
}

static void serve(struct client *client, const cJSON *message)
{
    const char *type = json_str(message, "type");

    if (!type || (!client->greeted && strcmp(type, "hello") != 0)) {
        client->gone = true;
    } else if (strcmp(type, "hello") == 0) {
        on_hello(client, message);
    } else if (strcmp(type, "status") == 0) {
        send_status(client, "status", json_bool(message, "tables", false));
    } else if (strcmp(type, "subscribe") == 0) {
        /* The marks first: what changes while the snapshot is made is sent again. */
        cJSON *skipped = client->server->calls.delta(client->server->calls.arg, &client->version,
                                                     &client->events, false);
        cJSON_Delete(skipped);
        client->subscribed = true;
        client->tables = json_bool(message, "tables", false);
        send_status(client, "snapshot", client->tables);
    } else if (strcmp(type, "command") == 0) {
        on_command(client, message);
    } else {
        struct err err = ERR_INIT;
        err_set(&err, ERR_PROTOCOL, "unknown request \"%.40s\"", type);
        send_error(client, &err);
    }
}

static void on_client(void *arg, short revents)
{
    struct client *client = arg;
    bool bad = false;
    cJSON *message;

    if (revents & POLLOUT)
        client->gone = client->gone || !channel_write(&client->channel);
    send_part(client);
    bool alive = channel_read(&client->channel);
    int fd = client->channel.fd;
    while (!client->gone && (message = channel_next(&client->channel, &bad))) {
        serve(client, message);
        cJSON_Delete(message);
    }
    if (bad)
        loop_unwatch(client->server->loop, fd);
    if (!alive || bad || client->gone) {
        channel_write(&client->channel);
        drop(client);
    } else {
        watch(client);
    }
}

static bool is_same_user(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid == geteuid();
}

static void on_connection(void *arg, short revents)
{
    struct server *server = arg;
    int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)revents;
    if (fd < 0)
        return;
    if (!is_same_user(fd)) {
        log_msg(LOG_WARNING, "control socket: a connection of another user was refused");
        close(fd);
        return;
    }
    struct client *client = xcalloc(1, sizeof *client);
    client->server = server;
    channel_open(&client->channel, fd);
    client->next = server->clients;
    server->clients = client;
    watch(client);
}

struct server *server_open(struct loop *loop, const char *dir, const struct server_calls *calls,
                           struct err *err)
{
    struct server *server = xcalloc(1, sizeof *server);

    server->loop = loop;
    server->calls = *calls;
    server->path = xasprintf("%s/" CONTROL_SOCKET, dir);
    server->fd = control_listen(dir, err);
    if (server->fd < 0) {
        free(server->path);
        free(server);
        return NULL;
    }
    loop_watch(loop, server->fd, POLLIN, on_connection, server);
    return server;
}

void server_publish(struct server *server)
{
    for (struct client *client = server->clients; client; client = client->next) {
        if (!client->subscribed || client->parts_left || client->gone)
            continue;
        cJSON *delta = server->calls.delta(server->calls.arg, &client->version, &client->events, client->tables);
        if (!delta)
            continue;
        json_add_str(delta, "type", "delta");
        send_to(client, delta);
    }
}

void server_close(struct server *server)
{
    int64_t until = clock_mono_ms() + 2000;

    while (server->clients) {
        struct client *client = server->clients;
        while ((channel_has_output(&client->channel) || client->parts_left) && !client->gone &&
               clock_mono_ms() < until) {
            send_part(client);
            if (!channel_write(&client->channel))
                break;
            if (channel_has_output(&client->channel))
                usleep(1000);
        }
        drop(client);
    }
    loop_unwatch(server->loop, server->fd);
    close(server->fd);
    unlink(server->path);
    free(server->path);
    free(server);
}
