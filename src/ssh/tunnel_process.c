#include "ssh/tunnel_process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/stop.h"

#define STOP_GRACE_MS 2000

/* --- the process --- */

static void say(struct channel *channel, cJSON *message)
{
    struct err err = ERR_INIT;

    /* Nobody listens any more: then nobody needs the tunnel. */
    if (!channel_send(channel, message, &err) && err.code != ERR_STOPPED)
        _exit(1);
    err_clear(&err);
}

static void on_event(void *arg, enum tunnel_event event, const struct err *err)
{
    static const char *const types[] = {[TUNNEL_UP] = "up", [TUNNEL_LOST] = "lost", [TUNNEL_REFUSED] = "refused"};
    cJSON *message = json_message(types[event]);

    if (err) {
        log_err(LOG_WARNING, err);
        cJSON_AddItemToObject(message, "error", err_to_json(err));
    }
    say(arg, message);
}

static void become_tunnel(const struct tunnel_options *given, int fd, int parent)
{
    struct tunnel_options options = *given;
    struct ssh_trouble trouble = {0};
    struct channel channel;
    struct err err = ERR_INIT;
    sigset_t none;
    int keep[3] = {fd, options.listen_fd, log_descriptor()};

    proc_die_with_parent(parent);
    proc_close_fds_except(keep, 3);
    prctl(PR_SET_NAME, "pgc-tunnel");
    prctl(PR_SET_DUMPABLE, 0); /* it holds passwords */
    log_component("tunnel");
    signal(SIGCHLD, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    stop_catch_signals(false);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    channel_open(&channel, fd);
    options.report = on_event;
    options.arg = &channel;
    tunnel_serve(&options, &trouble, &err);
    if (err.code != ERR_STOPPED) {
        cJSON *message = json_message("failed");
        log_err(LOG_ERROR, &err);
        cJSON_AddItemToObject(message, "error", err_to_json(&err));
        json_add_num(message, "want", trouble.want);
        json_add_str(message, "fingerprint", trouble.fingerprint);
        say(&channel, message);
    }
    _exit(err.code == ERR_STOPPED ? 0 : 1);
}

/* --- its parent --- */

bool tunnel_process_start(struct tunnel_process *process, const struct tunnel_options *options, struct err *err)
{
    struct tunnel_options own = *options;
    int fds[2];

    if (process->listen_fd < 0 && (process->listen_fd = tunnel_listen(&process->port, err)) < 0)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        err_errno(err, "could not make a socket pair for the SSH tunnel");
        return false;
    }
    own.listen_fd = process->listen_fd;
    int parent = getpid();
    sigset_t stops, before;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    /* A request to stop that comes before the process can hear waits for it. */
    sigprocmask(SIG_BLOCK, &stops, &before);
    pid_t pid = fork();
    if (pid == 0)
        become_tunnel(&own, fds[1], parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fds[1]);
    if (pid < 0) {
        err_errno(err, "could not start the SSH tunnel");
        close(fds[0]);
        return false;
    }
    process->pid = pid;
    channel_open(&process->channel, fds[0]);
    return true;
}

void tunnel_process_failed(const cJSON *message, struct ssh_trouble *trouble, struct err *err)
{
    const char *fingerprint = json_str(message, "fingerprint");

    ssh_trouble_release(trouble);
    trouble->want = (enum ssh_want)json_i64(message, "want", SSH_WANT_NOTHING);
    trouble->fingerprint = fingerprint ? xstrdup(fingerprint) : NULL;
    err_from_json(err, json_get(message, "error"));
}

bool tunnel_process_wait(struct tunnel_process *process, int timeout_ms, struct ssh_trouble *trouble, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    const char *type = "";

    while (strcmp(type, "up") != 0 && strcmp(type, "failed") != 0) {
        int64_t left = until_ms - clock_mono_ms();
        cJSON *message = channel_receive(&process->channel, left > 0 ? (int)left : 0, err);
        if (!message) {
            if (err && err->code == ERR_NOT_FOUND)
                err_set(err, ERR_INTERNAL, "the SSH tunnel's process ended without a word");
            break;
        }
        const char *said = json_str(message, "type");
        type = said && strcmp(said, "up") == 0 ? "up" : said && strcmp(said, "failed") == 0 ? "failed" : "";
        if (strcmp(type, "failed") == 0)
            tunnel_process_failed(message, trouble, err);
        cJSON_Delete(message);
    }
    if (strcmp(type, "up") == 0)
        return true;
    tunnel_process_stop(process);
    return false;
}

void tunnel_process_stop(struct tunnel_process *process)
{
    if (process->pid)
        proc_end(process->pid, SIGTERM, STOP_GRACE_MS);
    process->pid = 0;
    channel_close(&process->channel);
}

void tunnel_process_release(struct tunnel_process *process)
{
    tunnel_process_stop(process);
    if (process->listen_fd >= 0)
        close(process->listen_fd);
    *process = (struct tunnel_process)TUNNEL_PROCESS_INIT;
}
