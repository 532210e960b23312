#include "control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Changes into dir; returns a descriptor of where we were, -1 on error. */
static int enter(const char *dir)
{
    int back = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (back < 0)
        back = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (back >= 0 && chdir(dir) < 0) {
        close(back);
        return -1;
    }
    return back;
}

static void leave(int back)
{
    int saved = errno;

    if (fchdir(back) < 0)
        saved = errno;
    close(back);
    errno = saved;
}

static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET};

static int bind_here(int fd)
{
    mode_t mask = umask(0177);

    unlink(CONTROL_SOCKET);
    int result = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(mask);
    return result;
}

static int open_socket(const char *dir, bool server)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (server ? SOCK_NONBLOCK : 0), 0);
    int back = fd < 0 ? -1 : enter(dir);
    int result = -1;

    if (back >= 0) {
        result = server ? bind_here(fd)
                        : connect(fd, (const struct sockaddr *)&address, sizeof address);
        leave(back);
    }
    if (result == 0 && server)
        result = listen(fd, 16);
    if (result < 0 && fd >= 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        fd = -1;
    }
    return fd;
}

int control_listen(const char *dir, struct err *err)
{
    int fd = open_socket(dir, true);

    if (fd < 0)
        err_errno(err, "could not listen on \"%s/" CONTROL_SOCKET "\"", dir);
    return fd;
}

int control_connect(const char *dir, struct err *err)
{
    int fd = open_socket(dir, false);

    if (fd < 0)
        err_set(err, ERR_NOT_FOUND, "no engine answers at \"%s/" CONTROL_SOCKET "\": %s", dir,
                strerror(errno));
    return fd;
}
