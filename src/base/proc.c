#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

char *proc_find(const char *name)
{
    const char *path = getenv("PATH");
    char *dirs = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *state = NULL;
    char *found = NULL;

    for (char *dir = strtok_r(dirs, ":", &state); dir && !found; dir = strtok_r(NULL, ":", &state)) {
        char *candidate = xasprintf("%s/%s", dir, name);
        if (access(candidate, X_OK) == 0)
            found = candidate;
        else
            free(candidate);
    }
    free(dirs);
    return found;
}

void proc_die_with_parent(int parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

void proc_close_fds_except(const int *keep, int count)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *entry;

    if (!dir)
        return;
    while ((entry = readdir(dir))) {
        int fd = atoi(entry->d_name);
        bool kept = fd <= 2 || fd == dirfd(dir);
        for (int i = 0; i < count && !kept; i++)
            kept = keep[i] == fd;
        if (!kept)
            close(fd);
    }
    closedir(dir);
}

static void become(const struct proc_run *run)
{
    if (run->uid && (setgroups(0, NULL) < 0 || setgid(run->gid) < 0 || setuid(run->uid) < 0 ||
                     chdir("/") < 0)) {
        dprintf(2, "could not become user %d: %s\n", (int)run->uid, strerror(errno));
        _exit(127);
    }
}

/* In the child: only async-signal-safe calls would be needed if threads existed; none do. */
static void child_exec(const struct proc_run *run, int out_fd, int err_fd, int parent,
                       int death_signal)
{
    int null_fd = open("/dev/null", O_RDWR);

    dup2(null_fd, 0);
    dup2(out_fd >= 0 ? out_fd : null_fd, 1);
    dup2(err_fd >= 0 ? err_fd : null_fd, 2);
    become(run);
    /* Another user's process forgets it: prctl(2). */
    prctl(PR_SET_PDEATHSIG, death_signal);
    if (getppid() != parent)
        _exit(127);
    proc_close_fds_except(NULL, 0);
    signal(SIGPIPE, SIG_DFL);
    for (const char *const *pair = run->setenv; pair && *pair; pair++)
        putenv(xstrdup(*pair));
    execvp(run->argv[0], (char *const *)run->argv);
    dprintf(2, "could not run \"%s\": %s\n", run->argv[0], strerror(errno));
    _exit(127);
}

#define LOOK_MS 200       /* how soon it is noticed that the program has ended */
#define AFTER_EXIT_MS 100 /* for what others may still write */

static bool drain_fd(int *fd, struct buf *into)
{
    char *room = buf_room(into, 65536);
    ssize_t got = read(*fd, room, 65536);

    if (got > 0) {
        into->len += (size_t)got;
        into->data[into->len] = '\0';
        return true;
    }
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    close(*fd);
    *fd = -1;
    return false;
}

static bool has_exited(pid_t pid)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

/* Reads both pipes until they close, the deadline passes or a stop is requested; or the program has ended, and what it has started
 * keeps them open without a word. */
static void collect(const struct proc_run *run, pid_t pid, int fds[2], int64_t deadline_ms, struct err *err)
{
    while (fds[0] >= 0 || fds[1] >= 0) {
        bool exited = has_exited(pid); /* before the look, which finds all that it has written */
        struct pollfd pfds[3] = {{.fd = fds[0], .events = POLLIN},
                                 {.fd = fds[1], .events = POLLIN},
                                 {.fd = stop_fd(), .events = POLLIN}};
        int64_t left = deadline_ms ? deadline_ms - clock_mono_ms() : -1;
        if (stop_check(err))
            return;
        if (deadline_ms && left <= 0) {
            err_set(err, ERR_TIMEOUT, "\"%s\" did not end within %d s", run->argv[0],
                    run->timeout_ms / 1000);
            return;
        }
        int wait_ms = exited ? AFTER_EXIT_MS : LOOK_MS;
        if (poll(pfds, 3, left >= 0 && left < wait_ms ? (int)left : wait_ms) == 0 && exited)
            return;
        if (fds[0] >= 0 && pfds[0].revents)
            drain_fd(&fds[0], run->out);
        if (fds[1] >= 0 && pfds[1].revents)
            drain_fd(&fds[1], run->errors);
    }
}

static const char *last_lines(const struct buf *text)
{
    const char *at = text->data + text->len;

    for (int lines = 0; at > text->data; at--)
        if (at[-1] == '\n' && ++lines > 6)
            break;
    return at;
}

static bool judge(const struct proc_run *run, int status, struct err *err)
{
    if (err_is_set(err))
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status))
        err_set(err, ERR_IO, "\"%s\" was ended by signal %d", run->argv[0], WTERMSIG(status));
    else
        err_set(err, ERR_IO, "\"%s\" failed with exit status %d", run->argv[0], WEXITSTATUS(status));
    if (run->errors && run->errors->len)
        err_detail(err, "%s", last_lines(run->errors));
    return false;
}

static int reap(pid_t pid, const struct proc_run *run, int64_t deadline_ms, struct err *err)
{
    int status = 0;
    int64_t kill_at = 0;

    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return status;
        int64_t now = clock_mono_ms();
        if (!err_is_set(err) && deadline_ms && now > deadline_ms)
            err_set(err, ERR_TIMEOUT, "\"%s\" did not end in time", run->argv[0]);
        if (!err_is_set(err))
            stop_check(err);
        if (err_is_set(err) && !kill_at) {
            kill(pid, SIGTERM);
            kill_at = now + 5000;
        } else if (kill_at && now > kill_at) {
            kill(pid, SIGKILL);
        }
        usleep(2000);
    }
}

bool proc_run(const struct proc_run *run, struct err *err)
{
    int out[2] = {-1, -1};
    int errors[2] = {-1, -1};
    int64_t deadline = run->timeout_ms ? clock_mono_ms() + run->timeout_ms : 0;
    struct err own = ERR_INIT;
    bool ok = false;

    if (run->out_path && !run->out)
        out[1] = open(run->out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if ((run->out_path && !run->out && out[1] < 0) || (run->out && pipe2(out, O_CLOEXEC) < 0) ||
        (run->errors && pipe2(errors, O_CLOEXEC) < 0)) {
        err_errno(err, "could not prepare to run \"%s\"", run->argv[0]);
        goto out;
    }
    int parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        child_exec(run, out[1], errors[1], parent, SIGKILL);
    if (pid < 0) {
        err_errno(err, "could not start \"%s\"", run->argv[0]);
        goto out;
    }
    for (int i = 0; i < 2; i++) {
        int *fd = i ? &errors[1] : &out[1];
        if (*fd >= 0)
            close(*fd);
        *fd = -1;
    }
    int reading[2] = {out[0], errors[0]};
    out[0] = errors[0] = -1;
    collect(run, pid, reading, deadline, &own);
    int status = reap(pid, run, deadline, &own);
    for (int i = 0; i < 2; i++)
        if (reading[i] >= 0)
            close(reading[i]);
    ok = judge(run, status, &own);
    if (!ok)
        err_move(err, &own);
out:
    err_clear(&own);
    for (int i = 0; i < 2; i++) {
        if (out[i] >= 0)
            close(out[i]);
        if (errors[i] >= 0)
            close(errors[i]);
    }
    return ok;
}

bool proc_start(const struct proc_run *run, int death_signal, int *pid, struct err *err)
{
    int parent = getpid();
    int fd = -1;

    if (run->out_path) {
        fd = open(run->out_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0) {
            err_errno(err, "could not open \"%s\"", run->out_path);
            return false;
        }
    }
    *pid = fork();
    if (*pid == 0) {
        setsid();
        child_exec(run, fd, fd, parent, death_signal);
    }
    if (*pid < 0)
        err_errno(err, "could not start \"%s\"", run->argv[0]);
    if (fd >= 0)
        close(fd);
    return *pid > 0;
}

bool proc_has_ended(int pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

int proc_end(int pid, int signo, int grace_ms)
{
    int64_t until = clock_mono_ms() + grace_ms;
    int status = 0;

    if (signo)
        kill(pid, signo);
    for (;;) {
        pid_t got = waitpid(pid, &status, WNOHANG);
        if (got == pid || (got < 0 && errno != EINTR))
            return status;
        if (clock_mono_ms() >= until) {
            kill(pid, SIGKILL);
            until = INT64_MAX;
        }
        usleep(5000);
    }
}
