/* A tunnel in a process of its own, so that nobody's work stands still while bytes go through, and its end is one failed
 * worker. It dies with the process that started it.
 *
 * Messages on the channel, one object each: {"type":"up"}, {"type":"lost","error":…}, {"type":"refused","error":…}, and at
 * the end {"type":"failed","error":…,"want":N,"fingerprint":…} (struct ssh_trouble). */
#ifndef PGC_SSH_TUNNEL_PROCESS_H
#define PGC_SSH_TUNNEL_PROCESS_H

#include <sys/types.h>

#include "base/channel.h"
#include "ssh/tunnel.h"

struct tunnel_process {
    int listen_fd; /* owned, -1: none; it outlives the process, so that the port stays the same */
    int port;
    pid_t pid;     /* 0: none runs */
    struct channel channel;
};

#define TUNNEL_PROCESS_INIT {.listen_fd = -1, .channel = CHANNEL_INIT}

/* Starts it; listens first where that was not done yet. options->listen_fd, report and arg are filled in here. */
bool tunnel_process_start(struct tunnel_process *process, const struct tunnel_options *options, struct err *err);
/* Waits until the tunnel is up. False with err (and trouble) when it is not to be had; the process is ended then. Events
 * that are no end are passed over. */
bool tunnel_process_wait(struct tunnel_process *process, int timeout_ms, struct ssh_trouble *trouble, struct err *err);
/* What {"type":"failed"} says. */
void tunnel_process_failed(const cJSON *message, struct ssh_trouble *trouble, struct err *err);
/* Ends the process; the port stays. */
void tunnel_process_stop(struct tunnel_process *process);
void tunnel_process_release(struct tunnel_process *process);

#endif
