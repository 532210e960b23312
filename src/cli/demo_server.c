/* How it works: the postmaster is a direct child of the demonstration, not one of pg_ctl's: so its
 * process id is known from the first moment, however early the demonstration is interrupted, and
 * the kernel ends it when the demonstration dies by a signal that nobody can catch. */
#include "cli/demo_server.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/proc.h"
#include "base/stop.h"
#include "schema/tools.h"

#define LEAST_MAJOR 12 /* of the sample data */
#define START_TIMEOUT_MS 60000
#define STOP_GRACE_MS 10000

/* --- programs --- */

static int version_in(const char *dir)
{
    char *initdb = xasprintf("%s/initdb", dir);
    char *postgres = xasprintf("%s/postgres", dir);
    const char *const argv[] = {postgres, "--version", NULL};
    struct buf out = BUF_INIT;
    struct proc_run run = {.argv = argv, .out = &out, .timeout_ms = 20000};
    int major = 0;

    if (access(initdb, X_OK) == 0 && access(postgres, X_OK) == 0 && proc_run(&run, NULL) &&
        out.data)
        major = schema_tools_parse_version(out.data);
    buf_release(&out);
    free(initdb);
    free(postgres);
    return major;
}

static void consider(struct demo_programs *programs, const char *dir)
{
    int major = version_in(dir);

    if (major <= programs->major)
        return;
    free(programs->dir);
    programs->dir = xstrdup(dir);
    programs->major = major;
}

/* PATH may hold a link into a directory of a package. */
static void consider_path(struct demo_programs *programs)
{
    char *found = proc_find("initdb");
    char *real = found ? realpath(found, NULL) : NULL;

    if (real) {
        *strrchr(real, '/') = '\0';
        consider(programs, real);
    }
    free(real);
    free(found);
}

static bool choose_user(struct demo_programs *programs, struct err *err)
{
    static const char *const names[] = {"postgres", "nobody"};

    for (size_t i = 0; i < 2 && geteuid() == 0; i++) {
        const struct passwd *user = getpwnam(names[i]);
        if (!user || user->pw_uid == 0)
            continue;
        programs->uid = user->pw_uid;
        programs->gid = user->pw_gid;
        return true;
    }
    if (geteuid() != 0)
        return true;
    err_set(err, ERR_PREREQUISITE, "there is no user \"postgres\" or \"nobody\" to run servers as");
    err_hint(err, "PostgreSQL does not run as root: run this as an ordinary user.");
    return false;
}

bool demo_programs_find(struct demo_programs *programs, struct err *err)
{
    static const char *const patterns[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin"};

    *programs = (struct demo_programs){0};
    for (size_t i = 0; i < 2; i++) {
        glob_t dirs;
        if (glob(patterns[i], 0, NULL, &dirs) != 0)
            continue;
        for (size_t k = 0; k < dirs.gl_pathc; k++)
            consider(programs, dirs.gl_pathv[k]);
        globfree(&dirs);
    }
    consider_path(programs);
    if (stop_check(err))
        return false;
    if (!programs->dir)
        err_set(err, ERR_PREREQUISITE,
                "no PostgreSQL server programs (initdb, postgres) were found");
    else if (programs->major < LEAST_MAJOR)
        err_set(err, ERR_PREREQUISITE, "the newest PostgreSQL server here is version %d",
                programs->major);
    else
        return choose_user(programs, err);
    err_hint(err, "Install the server package of PostgreSQL %d or newer; no server needs to run. "
                  "/usr/lib/postgresql/*/bin, /usr/pgsql-*/bin and PATH were searched.",
             LEAST_MAJOR);
    return false;
}

void demo_programs_release(struct demo_programs *programs)
{
    free(programs->dir);
    *programs = (struct demo_programs){0};
}

/* --- one server --- */

static bool make_dir(struct demo_server *server, const struct demo_programs *programs,
                     struct err *err)
{
    struct sockaddr_un address;

    if (strlen(server->dir) + strlen("/.s.PGSQL.5432") >= sizeof address.sun_path) {
        err_set(err, ERR_USAGE, "\"%s\" is too long for the address of a Unix socket", server->dir);
        err_hint(err, "Set TMPDIR to a directory with a shorter name.");
        return false;
    }
    if (mkdir(server->dir, 0700) == 0 &&
        (!programs->uid || chown(server->dir, programs->uid, programs->gid) == 0))
        return true;
    err_errno(err, "could not make directory \"%s\"", server->dir);
    return false;
}

bool demo_server_make(struct demo_server *server, const struct demo_programs *programs,
                      const char *dir, struct err *err)
{
    server->dir = xasprintf("%s/%s", dir, side_name(server->side));
    char *program = xasprintf("%s/initdb", programs->dir);
    char *data = xasprintf("%s/data", server->dir);
    const char *const argv[] = {program, "-D", data, "-U", "postgres", "-A", "trust",
                                "-E", "UTF8", "--locale=C", "-N", NULL};
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct buf errors = BUF_INIT;
    struct proc_run run = {.argv = argv, .setenv = env, .errors = &errors, .timeout_ms = 120000,
                           .uid = programs->uid, .gid = programs->gid};
    bool ok = make_dir(server, programs, err) && proc_run(&run, err);

    if (!ok && programs->uid && err->code == ERR_IO)
        err_hint(err, "As root, servers run as user %d, who must be able to reach \"%s\".",
                 (int)programs->uid, dir);
    buf_release(&errors);
    free(data);
    free(program);
    return ok;
}

bool demo_server_has_ended(struct demo_server *server, struct err *err)
{
    int status = 0;

    if (server->pid <= 0 || !proc_has_ended(server->pid, &status))
        return false;
    server->pid = 0;
    if (WIFSIGNALED(status))
        err_set(err, ERR_IO, "the %s server was ended by signal %d", side_name(server->side),
                WTERMSIG(status));
    else
        err_set(err, ERR_IO, "the %s server ended with exit status %d", side_name(server->side),
                WEXITSTATUS(status));
    return true;
}

static bool wait_until_open(struct demo_server *server, struct err *err)
{
    int64_t until = clock_mono_ms() + START_TIMEOUT_MS;

    for (;;) {
        struct conn conn = CONN_INIT;
        if (demo_server_connect(server, "postgres", &conn, err)) {
            conn_close(&conn);
            return true;
        }
        if (err->code == ERR_STOPPED || clock_mono_ms() > until)
            return false;
        err_clear(err);
        if (demo_server_has_ended(server, err) || !stop_sleep(50, err))
            return false;
    }
}

bool demo_server_start(struct demo_server *server, const struct demo_programs *programs,
                       struct err *err)
{
    char *program = xasprintf("%s/postgres", programs->dir);
    char *data = xasprintf("%s/data", server->dir);
    char *log = xasprintf("%s/log", server->dir);
    /* A list: the quotes let the name hold commas and blanks. */
    char *sockets = xasprintf("unix_socket_directories=\"%s\"", server->dir);
    const char *const argv[] = {
        program, "-D", data, "-p", "5432", "-c", "listen_addresses=", "-c", sockets,
        "-c", "wal_level=logical", "-c", "max_connections=60", "-c", "max_wal_senders=20",
        "-c", "max_replication_slots=20", "-c", "shared_buffers=64MB", "-c", "fsync=off",
        "-c", "lc_messages=C", NULL};
    static const char *const env[] = {"LC_ALL=C", NULL};
    struct proc_run run = {.argv = argv, .setenv = env, .out_path = log,
                           .uid = programs->uid, .gid = programs->gid};
    bool ok = proc_start(&run, SIGQUIT, &server->pid, err) && wait_until_open(server, err);

    free(sockets);
    free(log);
    free(data);
    free(program);
    return ok;
}

bool demo_server_connect(const struct demo_server *server, const char *database, struct conn *conn,
                         struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn_options options = {.side = server->side, .profile = CONN_READER, .role = "demo"};

    conninfo_set(&info, "host", server->dir);
    conninfo_set(&info, "user", "postgres");
    conninfo_set(&info, "dbname", database);
    bool ok = conn_open(conn, &info, &options, err);
    conninfo_release(&info);
    return ok;
}

void demo_server_stop(struct demo_server *server)
{
    if (server->pid > 0)
        proc_end(server->pid, SIGQUIT, STOP_GRACE_MS);
    server->pid = 0;
}

char *demo_server_log_tail(const struct demo_server *server, int lines)
{
    char *path = xasprintf("%s/log", server->dir ? server->dir : "");
    struct buf text = BUF_INIT;
    char *tail = NULL;

    if (server->dir && file_read(path, &text, NULL) && text.len) {
        const char *at = text.data + text.len - 1;
        while (at > text.data && (at[-1] != '\n' || --lines > 0))
            at--;
        tail = xstrdup(at);
    }
    buf_release(&text);
    free(path);
    return tail;
}

void demo_server_release(struct demo_server *server)
{
    demo_server_stop(server);
    free(server->dir);
    server->dir = NULL;
}
