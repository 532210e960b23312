#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "control/client.h"
#include "control/server.h"
#include "control/socket.h"

/* A server in a child process: a status that counts its commands. */
static char dir[64];
static uint64_t commands;

static cJSON *give_status(void *arg)
{
    cJSON *status = cJSON_CreateObject();
    cJSON *properties = cJSON_AddObjectToObject(status, "properties");

    (void)arg;
    cJSON_AddArrayToObject(properties, "output");
    json_add_num(properties, "state", (double)commands);
    return status;
}

#define PARTS 300
#define PART_TEXT_BYTES 10000 /* all of them together are more than a socket takes at once */

static cJSON *give_part(void *arg, uint64_t *cursor)
{
    static char text[PART_TEXT_BYTES];
    cJSON *part;
    char id[16];

    (void)arg;
    if (*cursor == PARTS)
        return NULL;
    memset(text, 'x', sizeof text - 1);
    part = cJSON_CreateArray();
    cJSON *item = cJSON_CreateObject();
    snprintf(id, sizeof id, "or|%d", (int)(*cursor)++);
    json_add_str(item, "id", id);
    json_add_str(item, "text", text);
    cJSON_AddItemToArray(part, item);
    return part;
}

static cJSON *give_delta(void *arg, uint64_t *version, uint64_t *events, bool tables)
{
    cJSON *delta = NULL;

    (void)arg;
    (void)tables;
    (void)events;
    if (*version != commands) {
        delta = cJSON_CreateObject();
        cJSON *output = cJSON_AddArrayToObject(delta, "output");
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "id", "db|x");
        json_add_num(item, "commands", (double)commands);
        cJSON_AddItemToArray(output, item);
    }
    *version = commands;
    return delta;
}

static bool on_command(void *arg, const char *command, const cJSON *request, cJSON *answer,
                       struct err *err)
{
    (void)arg;
    (void)request;
    (void)answer;
    if (strcmp(command, "refuse") == 0) {
        err_set(err, ERR_USAGE, "not now");
        return false;
    }
    commands++;
    return true;
}

static void on_tick(void *arg)
{
    server_publish(*(struct server **)arg);
}

static pid_t start_server(void)
{
    pid_t pid = fork();

    if (pid != 0)
        return pid;
    struct server_calls calls = {give_status, give_part, give_delta, on_command, NULL};
    struct err err = ERR_INIT;
    struct loop *loop = loop_new();
    struct server *server = server_open(loop, dir, &calls, &err);
    if (!server)
        _exit(1);
    loop_every(loop, 10, on_tick, &server);
    for (;;)
        loop_turn(loop);
}

static bool open_client(struct control *control, bool ask_control)
{
    struct err err = ERR_INIT;
    bool ok = false;

    for (int64_t until = clock_mono_ms() + 5000; !ok && clock_mono_ms() < until;) {
        err_clear(&err);
        ok = control_open(control, dir, "unit", ask_control, &err);
    }
    err_clear(&err);
    return ok;
}

static void test_commands(void)
{
    struct control control;
    struct err err = ERR_INIT;

    CHECK_TRUE(open_client(&control, false));
    CHECK_TRUE(!control.has_control && !control.controller);
    CHECK_TRUE(control_command(&control, "go", NULL, &err));
    CHECK_TRUE(!control_command(&control, "refuse", NULL, &err));
    CHECK_INT(err.code, ERR_USAGE);
    CHECK_STR(err.message, "not now");
    cJSON *status = control_status(&control, false, &err);
    CHECK_INT(json_i64(json_get(status, "properties"), "state", -1), 1);
    CHECK_INT(cJSON_GetArraySize(json_get(json_get(status, "properties"), "output")), 0);
    cJSON_Delete(status);
    status = control_status(&control, true, &err);
    const cJSON *output = json_get(json_get(status, "properties"), "output");
    CHECK_INT(cJSON_GetArraySize(output), PARTS);
    CHECK_STR(json_str(cJSON_GetArrayItem(output, PARTS - 1), "id"), "or|299");
    cJSON_Delete(status);
    CHECK_TRUE(control_command(&control, "go", NULL, &err)); /* nothing of the parts is left over */
    control_close(&control);
    err_clear(&err);
}

static void test_one_controls(void)
{
    struct control first;
    struct control second;
    struct err err = ERR_INIT;

    CHECK_TRUE(open_client(&first, true));
    CHECK_TRUE(first.has_control);
    CHECK_TRUE(open_client(&second, true));
    CHECK_TRUE(!second.has_control);
    CHECK_STR(second.controller, "unit");
    CHECK_TRUE(!control_command(&second, "go", NULL, &err));
    CHECK_CONTAINS(err.message, "controlled by unit");
    CHECK_TRUE(control_command(&first, "go", NULL, &err));
    control_close(&second);
    /* Taking over is explicit, and told to the one who had it. */
    int fd = control_connect(dir, &err);
    struct channel third;
    channel_open(&third, fd);
    cJSON *hello = json_message("hello");
    json_add_num(hello, "version", CONTROL_VERSION);
    json_add_str(hello, "client", "other");
    json_add_bool(hello, "control", true);
    json_add_bool(hello, "take", true);
    CHECK_TRUE(channel_send(&third, hello, &err));
    cJSON *answer = channel_receive(&third, 5000, &err);
    CHECK_TRUE(json_bool(answer, "control", false));
    cJSON_Delete(answer);
    answer = channel_receive(&first.channel, 5000, &err);
    CHECK_STR(json_str(answer, "type"), "observer");
    CHECK_STR(json_str(answer, "controller"), "other");
    cJSON_Delete(answer);
    channel_close(&third);
    control_close(&first);
    err_clear(&err);
}

static void test_subscription(void)
{
    struct control watcher;
    struct control actor;
    struct err err = ERR_INIT;

    CHECK_TRUE(open_client(&watcher, false));
    CHECK_TRUE(channel_send(&watcher.channel, json_message("subscribe"), &err));
    cJSON *snapshot = channel_receive(&watcher.channel, 5000, &err);
    CHECK_STR(json_str(snapshot, "type"), "snapshot");
    struct control_view view = {NULL, NULL};
    control_view_set(&view, cJSON_DetachItemFromObject(snapshot, "status"));
    cJSON_Delete(snapshot);
    CHECK_TRUE(open_client(&actor, false));
    CHECK_TRUE(control_command(&actor, "go", NULL, &err));
    cJSON *delta = channel_receive(&watcher.channel, 5000, &err);
    CHECK_STR(json_str(delta, "type"), "delta");
    control_view_merge(&view, delta);
    control_view_merge(&view, delta);
    const cJSON *output = json_get(json_get(view.status, "properties"), "output");
    CHECK_INT(cJSON_GetArraySize(output), 1);
    CHECK_TRUE(json_i64(cJSON_GetArrayItem(output, 0), "commands", 0) > 0);
    cJSON_Delete(delta);
    control_view_set(&view, NULL);
    control_close(&actor);
    control_close(&watcher);
    err_clear(&err);
}

/* Sends text and tells whether the server hangs up. */
static bool hangs_up_on(const char *text)
{
    struct err err = ERR_INIT;
    struct channel channel;

    channel_open(&channel, control_connect(dir, &err));
    if (write(channel.fd, text, strlen(text)) < 0)
        return false;
    cJSON *answer;
    while ((answer = channel_receive(&channel, 5000, &err)))
        cJSON_Delete(answer);
    bool hung_up = err.code == ERR_NOT_FOUND;
    channel_close(&channel);
    err_clear(&err);
    return hung_up;
}

static void test_bad_clients(void)
{
    struct control control;

    CHECK_TRUE(hangs_up_on("this is no JSON\n"));
    CHECK_TRUE(hangs_up_on("{\"type\":\"status\"}\n")); /* no hello */
    CHECK_TRUE(hangs_up_on("{\"type\":\"hello\",\"version\":99}\n"));
    CHECK_TRUE(hangs_up_on("[]\n"));
    /* And it still serves others. */
    CHECK_TRUE(open_client(&control, false));
    control_close(&control);
}

static void test_socket(void)
{
    struct stat st;
    struct err err = ERR_INIT;
    char *path = xasprintf("%s/" CONTROL_SOCKET, dir);

    CHECK_TRUE(stat(path, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(control_connect("/nonexistent", &err), -1);
    CHECK_INT(err.code, ERR_NOT_FOUND);
    free(path);
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"commands", test_commands},         {"one controls", test_one_controls},
        {"subscription", test_subscription}, {"bad clients", test_bad_clients},
        {"socket", test_socket},             {NULL, NULL},
    };
    strcpy(dir, "/tmp/pgc-unit.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    signal(SIGPIPE, SIG_IGN);
    pid_t server = start_server();
    int status = unit_main("control", tests);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    dir_remove(dir, NULL);
    return status;
}
