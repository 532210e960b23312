#include "engine/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/record.h"
#include "base/stop.h"
#include "engine/limit_pipe.h"

#define ANSWER_TIMEOUT_MS 60000
#define STOP_GRACE_MS 30000

static const struct worker_kind *find_kind(const char *name)
{
    const struct worker_kind *kind = worker_kinds;

    while (kind->name && strcmp(kind->name, name) != 0)
        kind++;
    return kind->name ? kind : NULL;
}

/* The worker's whole life. Its last word is "done" or "failed". */
static void run(struct work *work, work_fn *fn)
{
    struct err err = ERR_INIT;
    bool ok = fn(work, &err);

    if (ok) {
        work_send(work, json_message("done"));
    } else {
        cJSON *message = json_message("failed");
        log_err(err.code == ERR_STOPPED ? LOG_INFO : LOG_ERROR, &err);
        cJSON_AddItemToObject(message, "error", err_to_json(&err));
        work_send(work, message);
    }
    err_clear(&err);
    /* Not exit(): what the supervisor registered or buffered is not this process's to flush. */
    _exit(ok ? 0 : 1);
}

static void become_worker(const struct migration *m, struct pipeline *pipeline,
                          const struct worker_kind *kind, int fd, int parent)
{
    struct work work = {.m = m, .p = pipeline, .kind = kind->name};
    char title[16];
    char component[64];

    proc_die_with_parent(parent);
    /* The log's descriptor stays: log.c holds it. */
    int keep[] = {fd, log_descriptor(), record_descriptor(), pipeline->limit_pipe[0], pipeline->limit_pipe[1]};
    proc_close_fds_except(keep, sizeof keep / sizeof *keep);
    snprintf(title, sizeof title, "pgc-%s", kind->name);
    prctl(PR_SET_NAME, title);
    snprintf(component, sizeof component, "%s:%.40s", kind->name, pipeline->name);
    log_component(component);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGHUP, SIG_IGN);
    stop_catch_signals(false);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    channel_open(&work.channel, fd);
    run(&work, kind->run);
}

struct worker *worker_start(const struct migration *m, struct pipeline *pipeline, const char *name,
                            struct err *err)
{
    const struct worker_kind *kind = find_kind(name);
    int fds[2];

    if (!kind) {
        err_set(err, ERR_INTERNAL, "unknown worker \"%s\"", name);
        return NULL;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        err_errno(err, "could not make a socket pair for worker \"%s\"", name);
        return NULL;
    }
    if (pipeline->limit_pipe[0] < 0)
        limit_pipe_open(pipeline->limit_pipe);
    int parent = getpid();
    sigset_t stops, before;
    sigemptyset(&stops);
    sigaddset(&stops, SIGTERM);
    sigaddset(&stops, SIGINT);
    /* A request to stop that comes before the worker can hear waits for it. */
    sigprocmask(SIG_BLOCK, &stops, &before);
    pid_t pid = fork();
    if (pid == 0)
        become_worker(m, pipeline, kind, fds[1], parent);
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(fds[1]);
    if (pid < 0) {
        err_errno(err, "could not start worker \"%s\"", name);
        close(fds[0]);
        return NULL;
    }
    struct worker *worker = xcalloc(1, sizeof *worker);
    *worker = (struct worker){.kind = kind, .pid = pid, .pipeline = pipeline,
                              .started_ms = clock_mono_ms()};
    channel_open(&worker->channel, fds[0]);
    return worker;
}

void worker_stop(struct worker *worker)
{
    if (!worker->stopping) {
        worker->stop_ms = clock_mono_ms();
        kill(worker->pid, SIGTERM);
    } else if (clock_mono_ms() > worker->stop_ms + STOP_GRACE_MS) {
        kill(worker->pid, SIGKILL);
    }
    worker->stopping = true;
}

void worker_table_done(struct worker *worker, struct table *table)
{
    for (struct table **at = &worker->table; *at; at = &(*at)->next_of_job) {
        if (*at == table) {
            *at = table->next_of_job;
            table->next_of_job = NULL;
            return;
        }
    }
}

void worker_end(struct worker *worker, int grace_ms, struct err *error)
{
    int64_t until = clock_mono_ms() + grace_ms;
    int status = 0;
    pid_t got;

    while ((got = waitpid(worker->pid, &status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
        if (clock_mono_ms() > until)
            kill(worker->pid, SIGKILL);
        usleep(1000);
    }
    if (err_is_set(&worker->error)) {
        err_move(error, &worker->error);
    } else if (!worker->done && error) {
        if (WIFSIGNALED(status))
            err_set(error, ERR_INTERNAL, "worker \"%s\" was ended by signal %d", worker->kind->name,
                    WTERMSIG(status));
        else
            err_set(error, ERR_INTERNAL, "worker \"%s\" ended with status %d without a word",
                    worker->kind->name, WEXITSTATUS(status));
        error->retryable = true;
    }
    channel_close(&worker->channel);
}

void worker_free(struct worker *worker)
{
    err_clear(&worker->error);
    free(worker);
}

void work_send(struct work *work, cJSON *message)
{
    struct err err = ERR_INIT;

    channel_queue(&work->channel, message);
    while (channel_has_output(&work->channel)) {
        if (!channel_write(&work->channel))
            _exit(1); /* no supervisor, no work */
        if (channel_has_output(&work->channel))
            usleep(500);
    }
    err_clear(&err);
}

cJSON *work_receive(struct work *work, int timeout_ms, struct err *err)
{
    struct err own = ERR_INIT;
    cJSON *message = channel_receive(&work->channel, timeout_ms, &own);

    if (!message && own.code == ERR_NOT_FOUND)
        _exit(1);
    if (own.code == ERR_STOPPED)
        err_move(err, &own);
    err_clear(&own);
    return message;
}

void work_phase(struct work *work, const char *text, int64_t done, int64_t total)
{
    cJSON *message = json_message("phase");

    json_add_str(message, "text", text);
    json_add_i64(message, "done", done);
    json_add_i64(message, "total", total);
    work_send(work, message);
}

void work_event(struct work *work, const char *level, const char *fmt, ...)
{
    cJSON *message = json_message("event");
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    json_add_str(message, "level", level);
    json_add_str(message, "text", text);
    free(text);
    work_send(work, message);
}

/* Sends a request and waits for "ack" or "failed"; workers ask one thing at a time. */
static bool ask(struct work *work, cJSON *request, int *seq, struct err *err)
{
    work_send(work, request);
    cJSON *answer = work_receive(work, ANSWER_TIMEOUT_MS, err);
    const char *type = answer ? json_str(answer, "type") : NULL;
    bool ok = type && strcmp(type, "ack") == 0;

    if (ok && seq)
        *seq = (int)json_i64(answer, "seq", 0);
    if (type && strcmp(type, "failed") == 0)
        err_from_json(err, json_get(answer, "error"));
    else if (!ok && !err_is_set(err))
        err_set(err, ERR_INTERNAL, "the supervisor did not answer");
    cJSON_Delete(answer);
    return ok;
}

bool work_made(struct work *work, enum conn_side side, const char *kind, const char *schema,
               const char *name, const char *previous, int *seq, struct err *err)
{
    cJSON *request = json_message("made");

    json_add_str(request, "side", side_name(side));
    json_add_str(request, "kind", kind);
    json_add_str(request, "schema", schema);
    json_add_str(request, "name", name);
    json_add_str(request, "previous", previous);
    return ask(work, request, seq, err);
}

bool work_gone(struct work *work, int seq, struct err *err)
{
    cJSON *request = json_message("gone");

    json_add_i64(request, "seq", seq);
    return ask(work, request, NULL, err);
}

bool work_conninfo(const struct work *work, enum conn_side side, struct conninfo *info,
                   struct err *err)
{
    const struct plan *plan = &work->m->plan;
    bool source = side == SIDE_SOURCE;

    return plan_conninfo(source ? &plan->source : &plan->target,
                         source ? work->p->name : work->p->target_name, info, err);
}

bool work_connect(struct work *work, struct conn *c, enum conn_side side, enum conn_profile profile,
                  struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn_options options = {.side = side, .profile = profile, .role = work->kind};
    bool ok = work_conninfo(work, side, &info, err) && conn_open(c, &info, &options, err);

    conninfo_release(&info);
    return ok;
}
