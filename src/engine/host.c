#include "engine/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "engine/tunnels.h"
#include "ssh/exec.h"
#include "ssh/login.h"

#define COMMAND_TIMEOUT_MS 30000

static bool is_loopback(const char *host)
{
    return !host || *host == '/' || strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

/* The tunnel has to end at the SSH server itself: a bastion's files are not the server's. */
static bool open_ssh(struct host *host, const struct plan_endpoint *endpoint, struct err *err)
{
    struct ssh_login login = tunnels_login(&endpoint->ssh);
    struct ssh_trouble trouble = {0};
    char *end = NULL;

    if (!plan_tunnel_end(endpoint, &end, &host->port, err))
        return false;
    bool ok = is_loopback(end) || strcmp(end, endpoint->ssh.host) == 0;
    if (ok) {
        host->session = ssh_login(&login, &trouble, err);
        ok = host->session != NULL;
    } else {
        err_set(err, ERR_USAGE, "\"%s\" is not the host of the server, which is \"%s\"", endpoint->ssh.host, end);
        err_hint(err, "Name that host in \"ssh.host\", the other one as \"jumpHost\", and \"localhost\" as \"serverName\".");
    }
    ssh_trouble_release(&trouble);
    host->name = xstrdup(endpoint->ssh.host);
    free(end);
    return ok;
}

static bool open_here(struct host *host, const struct plan_endpoint *endpoint, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    bool ok = plan_conninfo(endpoint, NULL, &info, err);
    const char *name = conninfo_get(&info, "host"), *port = conninfo_get(&info, "port");

    if (ok && !is_loopback(name)) {
        err_set(err, ERR_USAGE, "the server is on another host, \"%s\"", name);
        err_hint(err, "With \"ssh\" in the plan's endpoint this program can log in there.");
        ok = false;
    }
    host->name = xstrdup("this host");
    host->socket_dir = name && *name == '/' ? xstrdup(name) : NULL;
    host->port = port ? atoi(port) : 5432;
    conninfo_release(&info);
    return ok;
}

bool host_open(struct host *host, const struct plan *plan, enum conn_side side, struct err *err)
{
    const struct plan_endpoint *endpoint = side == SIDE_SOURCE ? &plan->source : &plan->target;

    if (endpoint->ssh.host ? open_ssh(host, endpoint, err) : open_here(host, endpoint, err))
        return true;
    host_close(host);
    return false;
}

void host_close(struct host *host)
{
    ssh_session_close(host->session);
    free(host->name);
    free(host->socket_dir);
    host->session = NULL;
    host->name = host->socket_dir = NULL;
}

char *host_quote(const char *text)
{
    struct buf out = BUF_INIT;

    buf_addch(&out, '\'');
    for (; *text; text++)
        if (*text == '\'')
            buf_addstr(&out, "'\\''");
        else
            buf_addch(&out, *text);
    buf_addch(&out, '\'');
    return buf_take(&out);
}

static bool run_there(struct host *host, const char *command, struct buf *out, struct err *err)
{
    struct buf errors = BUF_INIT;
    int status = 0;
    bool ok = ssh_exec(host->session, command, out, &errors, &status, COMMAND_TIMEOUT_MS, err);

    if (ok && status != 0) {
        err_set(err, ERR_IO, "%s: a command failed, exit code %d", host->name, status);
        err_detail(err, "%s\nCommand: %s", errors.len ? errors.data : "It said nothing.", command);
        ok = false;
    }
    buf_release(&errors);
    return ok;
}

static bool run_here(const char *command, struct buf *out, struct err *err)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct buf errors = BUF_INIT;
    struct proc_run run = {.argv = argv, .out = out, .errors = &errors, .timeout_ms = COMMAND_TIMEOUT_MS};
    bool ok = proc_run(&run, err);

    if (!ok && err && err->code == ERR_IO)
        err_detail(err, "%s\nCommand: %s", errors.len ? errors.data : "It said nothing.", command);
    buf_release(&errors);
    return ok;
}

bool host_run(struct host *host, const char *command, struct buf *out, struct err *err)
{
    struct buf unwanted = BUF_INIT;

    if (host->show)
        host->show(host->arg, host->name, command);
    if (!out)
        out = &unwanted;
    bool ok = host->session ? run_there(host, command, out, err) : run_here(command, out, err);
    buf_addstr(out, "");
    buf_release(&unwanted);
    return ok;
}

bool host_runf(struct host *host, struct buf *out, struct err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *command = xvasprintf(fmt, args);
    va_end(args);
    bool ok = host_run(host, command, out, err);
    free(command);
    return ok;
}

bool host_sql(struct host *host, const char *sql, char **value, struct err *err)
{
    struct buf out = BUF_INIT;
    char *quoted = host_quote(sql), *dir = host->socket_dir ? host_quote(host->socket_dir) : NULL;
    bool ok = host_runf(host, &out, err, "psql -X -w -A -t -q -v ON_ERROR_STOP=1%s%s -p %d -d postgres -c %s", dir ? " -h " : "",
                        dir ? dir : "", host->port, quoted);

    while (out.len && out.data[out.len - 1] == '\n')
        out.data[--out.len] = '\0';
    *value = ok ? buf_take(&out) : NULL;
    buf_release(&out);
    free(quoted);
    free(dir);
    return ok;
}
