/* One command on the far end of an SSH session (RFC 4254, 6.5), run by the login shell of its account. */
#ifndef PGC_SSH_EXEC_H
#define PGC_SSH_EXEC_H

#include "ssh/session.h"

/* Runs it to its end; standard input is empty. What it says is added to out and errors, at most SSH_EXEC_BYTES of each; *status
 * is its exit status (-1: it was ended by a signal). False when the session was lost, refused it, or the deadline passed: then
 * the command may still run there. */
#define SSH_EXEC_BYTES (4u << 20)
bool ssh_exec(struct ssh_session *session, const char *command, struct buf *out, struct buf *errors, int *status, int timeout_ms,
              struct err *err);

#endif
