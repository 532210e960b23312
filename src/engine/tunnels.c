#include "engine/tunnels.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/pipeline.h"
#include "engine/supervisor.h"

#define PAUSE_MIN_MS 500
#define PAUSE_MAX_MS 30000

static struct plan_endpoint *endpoint_of(struct plan *plan, enum conn_side side)
{
    return side == SIDE_SOURCE ? &plan->source : &plan->target;
}

struct ssh_login tunnels_login(const struct plan_ssh *ssh)
{
    return (struct ssh_login){.host = ssh->host, .port = ssh->port, .user = ssh->user, .identity_file = ssh->identity_file,
                              .known_hosts = ssh->known_hosts, .fingerprint = ssh->fingerprint, .jump = ssh->jump,
                              .jump_fingerprint = ssh->jump_fingerprint, .password = ssh->password.text,
                              .passphrase = ssh->passphrase.text};
}

bool tunnels_open(struct tunnel_process *process, struct plan *plan, enum conn_side side, bool once, struct err *err)
{
    struct plan_endpoint *endpoint = endpoint_of(plan, side);
    struct plan_ssh *ssh = &endpoint->ssh;
    struct tunnel_options options = {
        .login = tunnels_login(ssh),
        .once = once,
    };
    char *host = NULL;
    bool ok = plan_tunnel_end(endpoint, &host, &options.port, err);

    options.host = host;
    ok = ok && tunnel_process_start(process, &options, err);
    if (ok)
        ssh->tunnel_port = process->port;
    free(host);
    return ok;
}

/* --- the engine's --- */

struct watched_tunnel {
    struct supervisor *s;
    struct engine_tunnel *tunnel;
};

static enum conn_side side_of(const struct supervisor *s, const struct engine_tunnel *tunnel)
{
    return tunnel == &s->tunnels[SIDE_SOURCE] ? SIDE_SOURCE : SIDE_TARGET;
}

static void start_later(struct engine_tunnel *tunnel)
{
    tunnel->start_at_ms = clock_mono_ms() + tunnel->pause_ms;
    tunnel->pause_ms = tunnel->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : tunnel->pause_ms * 2;
}

static void tell(struct supervisor *s, struct engine_tunnel *tunnel, const cJSON *message)
{
    enum conn_side side = side_of(s, tunnel);
    const char *name = side_name(side);
    const char *type = json_str(message, "type");
    const char *why = json_str(json_get(message, "error"), "message");

    if (!type)
        return;
    if (strcmp(type, "up") == 0) {
        tunnel->pause_ms = PAUSE_MIN_MS;
        migration_event(s->m, "info", "the SSH tunnel to the %s is open, through \"%s\"", name,
                        endpoint_of(&s->m->plan, side)->ssh.host);
    } else if (strcmp(type, "failed") == 0) {
        err_from_json(&tunnel->failure, json_get(message, "error"));
        migration_event(s->m, "error", "the SSH tunnel to the %s failed: %s", name, why ? why : "");
    } else {
        migration_event(s->m, "warning", "the SSH tunnel to the %s%s: %s", name,
                        strcmp(type, "lost") == 0 ? " was lost, and is tried again" : "", why ? why : "");
    }
}

static void on_tunnel(void *arg, short revents)
{
    struct watched_tunnel *watched = arg;
    struct supervisor *s = watched->s;
    struct engine_tunnel *tunnel = watched->tunnel;
    int fd = tunnel->process.channel.fd;
    cJSON *message;

    (void)revents;
    bool alive = channel_read(&tunnel->process.channel);
    while ((message = channel_next(&tunnel->process.channel, NULL))) {
        tell(s, tunnel, message);
        cJSON_Delete(message);
    }
    if (alive)
        return;
    loop_unwatch(s->loop, fd);
    tunnel->is_watched = false;
    tunnel_process_stop(&tunnel->process);
    if (!err_is_set(&tunnel->failure))
        migration_event(s->m, "warning", "the SSH tunnel's process of the %s ended; it is started again",
                        side_name(side_of(s, tunnel)));
    start_later(tunnel);
    free(watched);
}

static bool start(struct supervisor *s, struct engine_tunnel *tunnel, struct err *err)
{
    enum conn_side side = side_of(s, tunnel);

    if (!tunnels_open(&tunnel->process, &s->m->plan, side, false, err))
        return false;
    struct watched_tunnel *watched = xmalloc(sizeof *watched);
    *watched = (struct watched_tunnel){.s = s, .tunnel = tunnel};
    loop_watch(s->loop, tunnel->process.channel.fd, POLLIN, on_tunnel, watched);
    tunnel->is_watched = true;
    tunnel->start_at_ms = 0;
    log_msg(LOG_DEBUG, "the tunnel of the %s is process %d, port %d", side_name(side), (int)tunnel->process.pid,
            tunnel->process.port);
    return true;
}

bool tunnels_start(struct supervisor *s, struct err *err)
{
    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++) {
        struct engine_tunnel *tunnel = &s->tunnels[side];
        *tunnel = (struct engine_tunnel)ENGINE_TUNNEL_INIT;
        tunnel->pause_ms = PAUSE_MIN_MS;
    }
    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++)
        if (endpoint_of(&s->m->plan, (enum conn_side)side)->ssh.host && !start(s, &s->tunnels[side], err))
            return false;
    return true;
}

/* A login that is refused needs somebody: every database is stopped with the reason. True when one of them goes on, as after
 * "resume": then the login is tried again. */
static bool stop_pipelines(struct supervisor *s, struct engine_tunnel *tunnel)
{
    bool fresh = err_is_set(&tunnel->failure);
    bool wanted = false;

    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if (fresh && !pipeline_has_ended(p) && p->hold == HOLD_NONE) {
            cJSON *json = err_to_json(&tunnel->failure);
            struct err copy = ERR_INIT;
            err_from_json(&copy, json);
            cJSON_Delete(json);
            pipeline_stop(s, p, &copy);
        }
        wanted |= !fresh && !pipeline_has_ended(p) && p->hold == HOLD_NONE;
    }
    err_clear(&tunnel->failure);
    return wanted;
}

void tunnels_turn(struct supervisor *s)
{
    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++) {
        struct engine_tunnel *tunnel = &s->tunnels[side];
        struct err err = ERR_INIT;
        if (!endpoint_of(&s->m->plan, (enum conn_side)side)->ssh.host || tunnel->process.pid)
            continue;
        bool wanted = stop_pipelines(s, tunnel);
        if (!wanted || clock_mono_ms() < tunnel->start_at_ms)
            continue;
        if (!start(s, tunnel, &err)) {
            log_err(LOG_ERROR, &err);
            start_later(tunnel);
        }
        err_clear(&err);
    }
}

void tunnels_stop(struct supervisor *s)
{
    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++) {
        err_clear(&s->tunnels[side].failure);
        tunnel_process_release(&s->tunnels[side].process);
    }
}
