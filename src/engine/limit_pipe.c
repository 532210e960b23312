#include "engine/limit_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void limit_pipe_open(int fds[2])
{
    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        fds[0] = fds[1] = -1;
}

void limit_pipe_close(int fds[2])
{
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
        fds[i] = -1;
    }
}

/* No more than PIPE_BUF: a note goes in whole, or not at all. */
bool limit_pipe_tell(int fd, const struct limit_note *note)
{
    ssize_t got;

    do
        got = write(fd, note, sizeof *note);
    while (got < 0 && errno == EINTR);
    return got == (ssize_t)sizeof *note;
}

bool limit_pipe_take(int fd, struct limit_note *note)
{
    struct limit_note notes[64];
    bool found = false;
    ssize_t got;

    while (fd >= 0 && (got = read(fd, notes, sizeof notes)) >= (ssize_t)sizeof *notes) {
        memcpy(note, &notes[(size_t)got / sizeof *notes - 1], sizeof *note);
        found = true;
        if (got < (ssize_t)sizeof notes)
            break;
    }
    return found;
}
