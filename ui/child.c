#include "ui/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/proc.h"

#define END_MS 2000

static void run(const char *const *argv, int input, int fd)
{
    static const int signals[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    int nothing = open("/dev/null", O_RDWR);

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_DFL);
    setsid();
    dup2(input < 0 ? nothing : input, 0);
    dup2(fd, 1);
    dup2(input < 0 ? fd : nothing, 2);
    proc_close_fds_except(NULL, 0);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

/* A file that is nowhere. -1 with err. */
static int in_memory(const char *text, struct err *err)
{
    int fd = memfd_create("pgcutover", MFD_CLOEXEC);

    if (fd >= 0 && fd_write_all(fd, text, strlen(text), NULL) && lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    err_errno(err, "could not keep %zu bytes in memory", strlen(text));
    if (fd >= 0)
        close(fd);
    return -1;
}

bool child_start(struct child *child, const char *const *argv, const char *input, struct err *err)
{
    int fds[2], in = -1;

    child_release(child);
    if (input && (in = in_memory(input, err)) < 0)
        return false;
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        err_errno(err, "could not make a pipe");
        if (in >= 0)
            close(in);
        return false;
    }
    child->pid = fork();
    if (child->pid == 0)
        run(argv, in, fds[1]);
    close(fds[1]);
    if (in >= 0)
        close(in);
    if (child->pid < 0) {
        err_errno(err, "could not start \"%s\"", argv[0]);
        close(fds[0]);
        child->pid = 0;
        return false;
    }
    child->fd = fds[0];
    child->started_ms = clock_mono_ms();
    return true;
}

int child_run(const char *const *argv, const char *input, struct err *err)
{
    int in = input ? in_memory(input, err) : -1;
    int status = 0;

    if (input && in < 0)
        return -1;
    void (*before)(int) = signal(SIGINT, SIG_IGN); /* Ctrl-C ends the command, not this program */
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        if (in >= 0)
            dup2(in, 0);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (in >= 0)
        close(in);
    if (pid < 0)
        err_errno(err, "could not start \"%s\"", argv[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    signal(SIGINT, before);
    if (pid < 0)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

bool child_serve(struct child *child)
{
    for (;;) {
        ssize_t got = read(child->fd, buf_room(&child->words, 4096), 4096);
        if (got > 0) {
            child->words.len += (size_t)got;
            child->words.data[child->words.len] = '\0';
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return false;
        break;
    }
    /* Its end of the pipe is closed: it is as good as gone. */
    child->status = proc_end(child->pid, 0, END_MS);
    close(child->fd);
    child->pid = 0;
    return true;
}

void child_release(struct child *child)
{
    if (child->pid) {
        proc_end(child->pid, SIGTERM, END_MS);
        close(child->fd);
    }
    buf_release(&child->words);
    *child = (struct child){0};
}
