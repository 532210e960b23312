#include "ssh/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/files.h"

/* States of include/net/tcp_states.h in which a process holds the socket; others show uid 0 for nobody. */
#define STATE_ESTABLISHED 1
#define STATE_FIN_WAIT1 4
#define STATE_CLOSE_WAIT 8

static bool is_held(unsigned state, unsigned long inode)
{
    return inode && (state == STATE_ESTABLISHED || state == STATE_CLOSE_WAIT || state == STATE_FIN_WAIT1);
}

bool peer_uid_in(const char *table, unsigned local_address, int local_port, unsigned remote_address, int remote_port,
                 uid_t *uid)
{
    for (const char *line = strchr(table, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        unsigned from, to, from_port, to_port, state, owner;
        unsigned long inode;
        int got = sscanf(line + 1, " %*u: %x:%x %x:%x %x %*x:%*x %*x:%*x %*x %u %*u %lu", &from, &from_port, &to, &to_port,
                         &state, &owner, &inode);
        if (got == 7 && from == local_address && (int)from_port == local_port && to == remote_address &&
            (int)to_port == remote_port && is_held(state, inode)) {
            *uid = (uid_t)owner;
            return true;
        }
    }
    return false;
}

bool peer_uid(int fd, uid_t *uid)
{
    struct sockaddr_in here = {0}, there = {0};
    socklen_t here_len = sizeof here, there_len = sizeof there;
    struct buf table = BUF_INIT;

    if (getsockname(fd, (struct sockaddr *)&here, &here_len) < 0 ||
        getpeername(fd, (struct sockaddr *)&there, &there_len) < 0 || there.sin_family != AF_INET)
        return false;
    bool ok = file_read("/proc/net/tcp", &table, NULL) && table.data &&
              peer_uid_in(table.data, there.sin_addr.s_addr, ntohs(there.sin_port), here.sin_addr.s_addr,
                          ntohs(here.sin_port), uid);
    buf_release(&table);
    return ok;
}
