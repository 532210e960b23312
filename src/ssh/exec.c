#include "ssh/exec.h"

#include "base/clock.h"

#define CHUNK_BYTES 16384

/* LIBSSH2_ERROR_EAGAIN until it is done; true to try again. */
static bool again(struct ssh_session *session, int rc, int64_t until_ms, struct err *err)
{
    return rc == LIBSSH2_ERROR_EAGAIN && ssh_session_wait(session, until_ms, err);
}

static LIBSSH2_CHANNEL *start(struct ssh_session *session, const char *command, int64_t until_ms, struct err *err)
{
    LIBSSH2_CHANNEL *channel;
    int rc;

    while (!(channel = libssh2_channel_open_session(session->raw)))
        if (!again(session, libssh2_session_last_errno(session->raw), until_ms, err)) {
            if (!err_is_set(err))
                ssh_session_error(session, "it gives no session", err);
            return NULL;
        }
    while ((rc = libssh2_channel_exec(channel, command)) != 0)
        if (!again(session, rc, until_ms, err)) {
            if (!err_is_set(err))
                ssh_session_error(session, "it does not run commands", err);
            libssh2_channel_free(channel);
            return NULL;
        }
    return channel;
}

/* Reads what is there; false when the session is broken. */
static bool pull(LIBSSH2_CHANNEL *channel, int stream, struct buf *out)
{
    for (;;) {
        ssize_t got = libssh2_channel_read_ex(channel, stream, buf_room(out, CHUNK_BYTES), CHUNK_BYTES);
        if (got <= 0)
            return got == 0 || got == LIBSSH2_ERROR_EAGAIN;
        if (out->len + (size_t)got <= SSH_EXEC_BYTES)
            out->len += (size_t)got;
        out->data[out->len] = '\0';
    }
}

bool ssh_exec(struct ssh_session *session, const char *command, struct buf *out, struct buf *errors, int *status, int timeout_ms,
              struct err *err)
{
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    LIBSSH2_CHANNEL *channel = start(session, command, until_ms, err);
    char *signal = NULL;
    bool ok = channel != NULL;
    int rc;

    while (ok) {
        ok = pull(channel, 0, out) && pull(channel, SSH_EXTENDED_DATA_STDERR, errors);
        if (!ok)
            ssh_session_error(session, "the command's answer could not be read", err);
        else if (libssh2_channel_eof(channel))
            break;
        else
            ok = ssh_session_wait(session, until_ms, err);
    }
    while (ok && (rc = libssh2_channel_close(channel)) != 0)
        ok = again(session, rc, until_ms, err);
    while (ok && (rc = libssh2_channel_wait_closed(channel)) != 0)
        ok = again(session, rc, until_ms, err);
    if (ok) {
        libssh2_channel_get_exit_signal(channel, &signal, NULL, NULL, NULL, NULL, NULL);
        *status = signal ? -1 : libssh2_channel_get_exit_status(channel);
        if (signal)
            libssh2_free(session->raw, signal);
    }
    if (!ok && !err_is_set(err))
        ssh_session_error(session, "the command did not end as it should", err);
    if (channel)
        libssh2_channel_free(channel);
    ssh_session_flush(session);
    return ok;
}
