/* The control socket's place: DIR/control.sock. Paths of sockets end at 108 bytes, so both sides
 * change into the directory for the moment of bind or connect. */
#ifndef PGC_CONTROL_SOCKET_H
#define PGC_CONTROL_SOCKET_H

#include "base/err.h"

#define CONTROL_SOCKET "control.sock"

/* A listening socket, mode 0600; -1 with err set. An old socket there is replaced. */
int control_listen(const char *dir, struct err *err);
/* A connected socket; -1 with ERR_NOT_FOUND when nobody listens. */
int control_connect(const char *dir, struct err *err);

#endif
