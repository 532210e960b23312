/* The engine's SSH tunnels: one process an endpoint that has an SSH server, started before any other worker, and again
 * when it ends; the local port stays the same for as long as the engine lives. */
#ifndef PGC_ENGINE_TUNNELS_H
#define PGC_ENGINE_TUNNELS_H

#include "pg/conn.h"
#include "plan/plan.h"
#include "ssh/tunnel_process.h"

struct supervisor;

struct engine_tunnel {
    struct tunnel_process process;
    bool is_watched;
    int pause_ms;        /* before it is started again */
    int64_t start_at_ms; /* monotonic; 0: it runs, or there is none */
    struct err failure;  /* of a login that was refused: what needs the tunnel is stopped with it */
};

#define ENGINE_TUNNEL_INIT {.process = TUNNEL_PROCESS_INIT}

/* How to log in, as the plan says. Borrows from ssh. */
struct ssh_login tunnels_login(const struct plan_ssh *ssh);
/* Starts the process of one side's tunnel and sets the plan's tunnel_port; nothing is waited for. once: a login that fails
 * ends it whatever the reason. */
bool tunnels_open(struct tunnel_process *process, struct plan *plan, enum conn_side side, bool once, struct err *err);

/* Listens for both sides, so that workers know the ports, and starts the processes. */
bool tunnels_start(struct supervisor *s, struct err *err);
/* Starts again what ended; stops the pipelines whose tunnel cannot be had. To be called every turn. */
void tunnels_turn(struct supervisor *s);
void tunnels_stop(struct supervisor *s);

#endif
