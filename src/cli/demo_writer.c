/* How it works: each writer is a process that sends one round of sql_demo_workload after the other
 * with plain libpq, as an application would: the program's own sessions are spared by the cutover,
 * this one must not be. It ends when the server cuts it off, and reports {"rounds","error"} into a
 * pipe. */
#include "cli/demo_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/proc.h"
#include "base/stop.h"
#include "demo/sql.h"

#define PAUSE_MS 10 /* between rounds: the machine is also wanted for two servers and a migration */

/* --- the writer's process --- */

/* The cutover ends sessions (57P01) and lets later transactions read only (25006). */
static bool is_cut_off(const PGconn *pg, const PGresult *res)
{
    const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

    return PQstatus(pg) != CONNECTION_OK ||
           (sqlstate && (strcmp(sqlstate, "57P01") == 0 || strcmp(sqlstate, "25006") == 0));
}

static char *write_rounds(PGconn *pg, int64_t *rounds)
{
    char *error = NULL;

    if (PQstatus(pg) != CONNECTION_OK)
        return xstrdup(PQerrorMessage(pg));
    while (!error && stop_sleep(PAUSE_MS, NULL)) {
        PGresult *res = PQexec(pg, sql_demo_workload);
        ExecStatusType status = PQresultStatus(res);
        bool good = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
        bool cut_off = !good && is_cut_off(pg, res);
        if (!good && !cut_off)
            error = xstrdup(PQerrorMessage(pg));
        PQclear(res);
        if (cut_off)
            break;
        *rounds += good;
    }
    return error;
}

/* What servers say beside errors, as "terminating connection", is not for the user's terminal. */
static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static void run_writer(const char *const *values, int fd, int parent)
{
    static const char *const keys[] = {"host", "dbname", "user", "application_name", NULL};
    struct err err = ERR_INIT;
    int64_t rounds = 0;

    proc_die_with_parent(parent);
    proc_close_fds_except(&fd, 1);
    prctl(PR_SET_NAME, "pgc-demo-writer");
    stop_catch_signals(true);
    PGconn *pg = PQconnectdbParams(keys, values, 0);
    PQsetNoticeProcessor(pg, ignore_notice, NULL);
    char *error = write_rounds(pg, &rounds);
    PQfinish(pg);
    cJSON *report = cJSON_CreateObject();
    json_add_i64(report, "rounds", rounds);
    json_add_str(report, "error", error);
    char *line = json_line(report);
    bool told = fd_write_all(fd, line, strlen(line), &err);
    _exit(told ? 0 : 1);
}

/* --- its parent --- */

bool demo_writers_start(struct demo_writers *writers, const char *host, const char *database,
                        const char *user, struct err *err)
{
    const char *values[] = {host, database, user, "lantern-video", NULL};

    for (int i = 0; i < DEMO_WRITER_COUNT; i++) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0) {
            err_errno(err, "could not start the workload");
            return false;
        }
        int parent = getpid();
        int pid = fork();
        if (pid == 0)
            run_writer(values, fds[1], parent);
        close(fds[1]);
        if (pid < 0) {
            err_errno(err, "could not start the workload");
            close(fds[0]);
            return false;
        }
        writers->each[i].pid = pid;
        writers->each[i].fd = fds[0];
    }
    return true;
}

/* The pipe's end is the process's. False when there is no report in time. */
static bool read_report(int fd, int64_t until_ms, struct buf *text, struct err *err)
{
    for (;;) {
        struct pollfd pfds[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd(), .events = POLLIN}};
        int64_t left = until_ms - clock_mono_ms();
        if (stop_check(err))
            return false;
        if (left <= 0) {
            err_set(err, ERR_TIMEOUT, "the workload still writes to the source");
            return false;
        }
        if (poll(pfds, 2, (int)left) <= 0 || !pfds[0].revents)
            continue;
        ssize_t got = read(fd, buf_room(text, 4096), 4096);
        if (got <= 0)
            return true;
        text->len += (size_t)got;
        text->data[text->len] = '\0';
    }
}

static bool judge_report(const struct buf *text, int64_t *rounds, struct err *err)
{
    cJSON *report = text->len ? cJSON_Parse(text->data) : NULL;
    const char *error = json_str(report, "error");
    int64_t count = json_i64(report, "rounds", 0);

    *rounds += count;
    if (!report)
        err_set(err, ERR_INTERNAL, "the workload ended without a word");
    else if (error)
        err_set(err, ERR_SERVER, "the workload failed: %.*s", (int)strcspn(error, "\n"), error);
    else if (!count)
        err_set(err, ERR_SERVER, "the workload did nothing");
    bool ok = report && !error && count;
    cJSON_Delete(report);
    return ok;
}

bool demo_writers_join(struct demo_writers *writers, int timeout_ms, int64_t *rounds,
                       struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    bool ok = true;

    *rounds = 0;
    for (int i = 0; ok && i < DEMO_WRITER_COUNT; i++) {
        struct buf text = BUF_INIT;
        ok = read_report(writers->each[i].fd, until, &text, err) &&
             judge_report(&text, rounds, err);
        buf_release(&text);
    }
    demo_writers_end(writers);
    return ok;
}

void demo_writers_end(struct demo_writers *writers)
{
    for (int i = 0; i < DEMO_WRITER_COUNT; i++) {
        if (writers->each[i].pid <= 0)
            continue;
        proc_end(writers->each[i].pid, SIGTERM, 2000);
        close(writers->each[i].fd);
        writers->each[i].pid = 0;
    }
}
