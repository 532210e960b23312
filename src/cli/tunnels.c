/* Tunnels while a command runs: opened before the first connection, with what is missing asked for on the terminal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "cli/cli.h"
#include "engine/tunnels.h"

#define UP_TIMEOUT_MS 90000
#define TRIES 6

/* The fingerprint goes into the plan as it is in memory, so that the engine knows it, too. */
static bool trust_key(struct plan *plan, enum conn_side side, const struct ssh_trouble *trouble, const struct err *why)
{
    struct plan_endpoint *endpoint = side == SIDE_SOURCE ? &plan->source : &plan->target;
    bool jump = trouble->want == SSH_WANT_JUMP_HOST_KEY;
    char *question = xasprintf("%s.\nIt shows the key %s. Is that the right one", why->message, trouble->fingerprint);
    bool ok = cli_ask_yes(question);

    free(question);
    if (ok)
        plan_trust_host_key(plan, endpoint, jump, trouble->fingerprint);
    return ok;
}

static bool ask_into(struct secret *secret, const char *what, const struct plan_ssh *ssh)
{
    char *question = xasprintf("%s of SSH server %s", what, ssh->host);
    char *answer = NULL;
    bool ok = cli_ask_secret(question, &answer);

    free(question);
    if (ok)
        secret_set(secret, answer);
    secret_free_string(answer);
    return ok;
}

static bool help(const struct options *o, struct plan *plan, enum conn_side side, const struct ssh_trouble *trouble,
                 const struct err *why)
{
    struct plan_ssh *ssh = side == SIDE_SOURCE ? &plan->source.ssh : &plan->target.ssh;

    if (o->yes)
        return false;
    switch (trouble->want) {
    case SSH_WANT_HOST_KEY:
    case SSH_WANT_JUMP_HOST_KEY:
        return trust_key(plan, side, trouble, why);
    case SSH_WANT_PASSWORD:
        return ask_into(&ssh->password, "Password for the user", ssh);
    case SSH_WANT_PASSPHRASE:
        return ask_into(&ssh->passphrase, "Passphrase of the key for the user", ssh);
    default:
        return false;
    }
}

static bool open_side(const struct options *o, struct plan *plan, struct cli_tunnels *tunnels, enum conn_side side, struct err *err)
{
    struct tunnel_process *process = &tunnels->sides[side];
    bool up = false;

    ssh_trouble_release(&tunnels->trouble);
    for (int tries = 0; !up && tries < TRIES; tries++) {
        struct err why = ERR_INIT;
        up = tunnels_open(process, plan, side, true, &why) && tunnel_process_wait(process, UP_TIMEOUT_MS, &tunnels->trouble, &why);
        bool again = !up && help(o, plan, side, &tunnels->trouble, &why);
        if (!up && (!again || tries == TRIES - 1)) {
            err_move(err, &why);
            err_wrap(err, "%s", side_name(side));
            break;
        }
        err_clear(&why);
    }
    return up;
}

bool cli_open_tunnel(const struct options *options, struct plan *plan, struct cli_tunnels *tunnels, enum conn_side side,
                     struct err *err)
{
    const struct plan_ssh *ssh = side == SIDE_SOURCE ? &plan->source.ssh : &plan->target.ssh;

    return !ssh->host || open_side(options, plan, tunnels, side, err);
}

bool cli_open_tunnels(const struct options *options, struct plan *plan, struct cli_tunnels *tunnels, struct err *err)
{
    return cli_open_tunnel(options, plan, tunnels, SIDE_SOURCE, err) &&
           cli_open_tunnel(options, plan, tunnels, SIDE_TARGET, err);
}

void cli_close_tunnels(struct plan *plan, struct cli_tunnels *tunnels)
{
    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++)
        tunnel_process_release(&tunnels->sides[side]);
    ssh_trouble_release(&tunnels->trouble);
    plan->source.ssh.tunnel_port = plan->target.ssh.tunnel_port = 0;
}
