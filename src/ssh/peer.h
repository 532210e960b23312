/* Who is at the other end of a loopback connection? */
#ifndef PGC_SSH_PEER_H
#define PGC_SSH_PEER_H

#include <stdbool.h>
#include <sys/types.h>

/* The user that owns the other end of an accepted connection from 127.0.0.1, as /proc/net/tcp has it (proc(5)).
 * False when that end is not of this host, or gone already. */
bool peer_uid(int fd, uid_t *uid);

/* The same from the text of such a table, ports in host order and addresses as the table prints them: local is
 * the side that is asked about. */
bool peer_uid_in(const char *table, unsigned local_address, int local_port, unsigned remote_address, int remote_port,
                 uid_t *uid);

#endif
