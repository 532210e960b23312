#include "base/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"

static volatile sig_atomic_t requested;
static int pipe_fds[2] = {-1, -1};

static void on_signal(int signo)
{
    int saved = errno;

    requested = signo;
    if (pipe_fds[1] >= 0 && write(pipe_fds[1], "x", 1) < 0) {
        /* A full pipe is readable: nothing is missing. */
    }
    errno = saved;
}

void stop_catch_signals(bool hangup)
{
    struct sigaction action = {.sa_handler = on_signal};

    for (int i = 0; i < 2; i++) {
        if (pipe_fds[i] >= 0)
            close(pipe_fds[i]);
        pipe_fds[i] = -1;
    }
    requested = 0;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        pipe_fds[0] = pipe_fds[1] = -1;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (hangup)
        sigaction(SIGHUP, &action, NULL);
}

bool stop_requested(void)
{
    return requested != 0;
}

int stop_signal(void)
{
    return requested;
}

int stop_fd(void)
{
    return pipe_fds[0];
}

bool stop_check(struct err *err)
{
    if (!requested)
        return false;
    err_set(err, ERR_STOPPED, "stopped on request");
    return true;
}

bool stop_sleep(int timeout_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;

    while (!stop_check(err)) {
        int64_t left = until - clock_mono_ms();
        struct pollfd pfd = {.fd = pipe_fds[0], .events = POLLIN};
        if (left <= 0)
            return true;
        poll(&pfd, 1, (int)left);
    }
    return false;
}
