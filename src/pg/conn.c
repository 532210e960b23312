/* How it works: every statement is sent asynchronously and waited for with poll() on the socket and on
 * stop_fd(), so that a deadline or a stop request is always heard. On either, the statement is
 * cancelled on the server, and the connection read until it is idle or, failing that, closed. */
#include "pg/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pg/recording.h"

#define CONNECT_TIMEOUT_MS 15000
#define CANCEL_GRACE_MS 5000

const char *side_name(enum conn_side side)
{
    return side == SIDE_SOURCE ? "source" : "target";
}

bool conn_is_open(const struct conn *c)
{
    return c->pg && PQstatus(c->pg) == CONNECTION_OK;
}

void conn_close(struct conn *c)
{
    if (PQtransactionStatus(c->pg) != PQTRANS_IDLE)
        recording_rolled_back(c); /* what is open ends with the connection */
    if (c->pg)
        PQfinish(c->pg);
    free(c->label);
    *c = (struct conn)CONN_INIT;
}

/* --- errors --- */

struct sqlstate_hint {
    const char *sqlstate; /* a prefix */
    const char *hint;
};

static const struct sqlstate_hint connect_hints[] = {
    {"28P01", "Check user and password (plan, passfile or prompt)."},
    {"28000", "Add a line for this user, database and address to pg_hba.conf and reload, or check the "
              "role's LOGIN and REPLICATION attributes."},
    {"3D000", "Check the database name, or create the database."},
    {"53300", "Raise max_connections, or lower load.jobs."},
    {"57P03", "The server is starting up or shutting down: try again."},
    {NULL, NULL},
};

bool sqlstate_is_retryable(const char *sqlstate)
{
    static const char *const prefixes[] = {"08",    "40",    "53",    "57P01", "57P02", "57P03",
                                           "57P05", "55006", "55P03", "57014", "25P03", NULL};

    for (const char *const *p = prefixes; *p; p++)
        if (sqlstate[0] && strncmp(sqlstate, *p, strlen(*p)) == 0)
            return true;
    return false;
}

static char *trimmed(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
        len--;
    return xstrndup(text ? text : "", len);
}

static void add_detail_line(struct buf *detail, const char *label, const char *text)
{
    if (!text || !*text)
        return;
    if (detail->len)
        buf_addch(detail, '\n');
    buf_addf(detail, "%s%s", label, text);
}

static void describe(struct err *err, const PGresult *res, const char *sql)
{
    struct buf detail = BUF_INIT;
    const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;

    add_detail_line(&detail, "", res ? PQresultErrorField(res, PG_DIAG_MESSAGE_DETAIL) : NULL);
    add_detail_line(&detail, "Context: ", res ? PQresultErrorField(res, PG_DIAG_CONTEXT) : NULL);
    if (sql) {
        char *shortened = xasprintf("%.400s%s", sql, strlen(sql) > 400 ? " ..." : "");
        add_detail_line(&detail, "Statement: ", shortened);
        free(shortened);
    }
    if (detail.len)
        err_detail(err, "%s", detail.data);
    if (hint)
        err_hint(err, "%s", hint);
    buf_release(&detail);
}

/* A session that the server ends says so before libpq sees the socket close. */
static bool is_fatal(const PGresult *res)
{
    const char *severity = res ? PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED) : NULL;

    return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

void conn_error(struct conn *c, const PGresult *res, const char *sql, struct err *err)
{
    const char *primary = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
    bool lost = PQstatus(c->pg) != CONNECTION_OK || is_fatal(res);

    if (!err)
        return;
    if (primary) {
        err_set(err, lost ? ERR_CONNECTION : ERR_SERVER, "%s: %s", c->label, primary);
    } else {
        char *message = trimmed(res ? PQresultErrorMessage(res) : PQerrorMessage(c->pg));
        err_set(err, lost ? ERR_CONNECTION : ERR_SERVER, "%s: %s", c->label,
                *message ? message : "the connection was lost");
        free(message);
    }
    if (sqlstate)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
    else if (lost)
        snprintf(err->sqlstate, sizeof err->sqlstate, "08006");
    err->retryable = lost || sqlstate_is_retryable(err->sqlstate);
    describe(err, res, sql);
}

/* --- waiting --- */

int conn_wait(struct conn *c, bool for_write, int timeout_ms, int extra_fd, struct err *err)
{
    int64_t until = timeout_ms >= 0 ? clock_mono_ms() + timeout_ms : -1;

    for (;;) {
        struct pollfd pfds[3] = {
            {.fd = PQsocket(c->pg), .events = (short)(for_write ? POLLIN | POLLOUT : POLLIN)},
            {.fd = stop_fd(), .events = POLLIN},
            {.fd = extra_fd, .events = POLLIN},
        };
        int64_t left = until >= 0 ? until - clock_mono_ms() : -1;
        if (stop_check(err))
            return -1;
        int n = poll(pfds, 3, until < 0 ? -1 : left > 0 ? (int)left : 0);
        if (n < 0 && errno != EINTR) {
            err_errno(err, "%s: could not wait for the server", c->label);
            return -1;
        }
        if (n > 0 && (pfds[0].revents || pfds[2].revents))
            return 1;
        if (until >= 0 && clock_mono_ms() >= until)
            return 0;
    }
}

void conn_cancel(struct conn *c)
{
    char message[256];
    PGcancel *cancel = c->pg ? PQgetCancel(c->pg) : NULL;

    if (!cancel)
        return;
    PQcancel(cancel, message, sizeof message);
    PQfreeCancel(cancel);
}

/* Cancels and reads until the connection is idle; what does not become idle is closed for good. */
static void abandon(struct conn *c)
{
    int64_t until = clock_mono_ms() + CANCEL_GRACE_MS;

    conn_cancel(c);
    while (clock_mono_ms() < until) {
        struct pollfd pfd = {.fd = PQsocket(c->pg), .events = POLLIN};
        if (!PQisBusy(c->pg)) {
            PGresult *res = PQgetResult(c->pg);
            ExecStatusType status = PQresultStatus(res);
            PQclear(res);
            if (!res)
                return;
            if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH)
                break;
            continue;
        }
        poll(&pfd, 1, (int)(until - clock_mono_ms()));
        if (!PQconsumeInput(c->pg))
            break;
    }
    PQfinish(c->pg);
    c->pg = NULL;
}

static void set_lost(struct conn *c, struct err *err)
{
    err_set(err, ERR_CONNECTION, "%s: the connection was lost", c->label);
    if (err) {
        snprintf(err->sqlstate, sizeof err->sqlstate, "08003");
        err->retryable = true;
    }
}

bool conn_flush(struct conn *c, struct err *err)
{
    int left;

    while ((left = PQflush(c->pg)) > 0) {
        int ready = conn_wait(c, true, c->timeout_ms ? c->timeout_ms : -1, -1, err);
        if (ready < 0)
            return false;
        if (ready == 0) {
            err_set(err, ERR_TIMEOUT, "%s: could not send within %d ms", c->label, c->timeout_ms);
            if (err)
                err->retryable = true;
            return false;
        }
        if (!PQconsumeInput(c->pg)) {
            conn_error(c, NULL, NULL, err);
            return false;
        }
    }
    if (left < 0)
        conn_error(c, NULL, NULL, err);
    return left == 0;
}

bool conn_next_result(struct conn *c, PGresult **res, struct err *err)
{
    int64_t until = c->timeout_ms ? clock_mono_ms() + c->timeout_ms : 0;

    if (c->until_ms && (!until || c->until_ms < until))
        until = c->until_ms;
    *res = NULL;
    if (!c->pg) {
        set_lost(c, err);
        return false;
    }
    while (PQisBusy(c->pg)) {
        int64_t left = until ? until - clock_mono_ms() : -1;
        int ready = until && left <= 0 ? 0 : conn_wait(c, false, (int)left, -1, err);
        if (ready == 0) {
            if (until == c->until_ms)
                err_set(err, ERR_TIMEOUT, "%s: no answer in time", c->label);
            else
                err_set(err, ERR_TIMEOUT, "%s: no answer within %d ms", c->label, c->timeout_ms);
            if (err)
                err->retryable = true;
        }
        if (ready <= 0) {
            abandon(c);
            return false;
        }
        if (!PQconsumeInput(c->pg)) {
            conn_error(c, NULL, NULL, err);
            return false;
        }
    }
    *res = PQgetResult(c->pg);
    return true;
}

/* --- statements --- */

static bool is_copy(ExecStatusType status)
{
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

static bool is_good(ExecStatusType status)
{
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY ||
           is_copy(status);
}

/* Reads every result of what was sent; the last good one is returned, the first bad one is the error. */
static PGresult *collect(struct conn *c, const char *sql, struct err *err)
{
    PGresult *last = NULL;
    bool failed = false;

    if (!conn_flush(c, err))
        return NULL;
    for (;;) {
        PGresult *res;
        if (!conn_next_result(c, &res, failed ? NULL : err)) {
            failed = true;
            break;
        }
        if (!res)
            break;
        if (!failed && !is_good(PQresultStatus(res))) {
            conn_error(c, res, sql, err);
            failed = true;
        }
        PQclear(last);
        last = res;
        if (is_copy(PQresultStatus(res)))
            break;
    }
    if (!failed && !last)
        conn_error(c, NULL, sql, err);
    if (failed) {
        PQclear(last);
        return NULL;
    }
    return last;
}

static PGresult *collect_noted(struct conn *c, const char *sql, int count, const char *const *values, int64_t began_us,
                               struct err *err)
{
    struct err own = ERR_INIT;
    PGresult *res = collect(c, sql, &own);

    recording_note(c, sql, count, values, began_us, res, res ? NULL : own.sqlstate[0] ? own.sqlstate : "?????");
    if (err_is_set(&own))
        err_move(err, &own);
    return res;
}

static bool is_usable(struct conn *c, struct err *err)
{
    if (stop_check(err))
        return false;
    if (c->pg && PQstatus(c->pg) == CONNECTION_OK)
        return true;
    set_lost(c, err);
    return false;
}

PGresult *conn_exec(struct conn *c, const char *sql, struct err *err)
{
    if (!is_usable(c, err))
        return NULL;
    int64_t began_us = clock_mono_us();
    if (!PQsendQuery(c->pg, sql)) {
        conn_error(c, NULL, sql, err);
        return NULL;
    }
    return collect_noted(c, sql, 0, NULL, began_us, err);
}

PGresult *conn_exec_params(struct conn *c, const char *sql, int count, const char *const *values,
                           struct err *err)
{
    if (!is_usable(c, err))
        return NULL;
    int64_t began_us = clock_mono_us();
    if (!PQsendQueryParams(c->pg, sql, count, NULL, values, NULL, NULL, 0)) {
        conn_error(c, NULL, sql, err);
        return NULL;
    }
    return collect_noted(c, sql, count, values, began_us, err);
}

bool conn_command(struct conn *c, const char *sql, struct err *err)
{
    PGresult *res = conn_exec(c, sql, err);

    PQclear(res);
    return res != NULL;
}

bool conn_commandf(struct conn *c, struct err *err, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *sql = xvasprintf(fmt, args);
    va_end(args);
    bool ok = conn_command(c, sql, err);
    free(sql);
    return ok;
}

bool conn_command_params(struct conn *c, const char *sql, int count, const char *const *values,
                         struct err *err)
{
    PGresult *res = conn_exec_params(c, sql, count, values, err);

    PQclear(res);
    return res != NULL;
}

bool conn_scalar(struct conn *c, const char *sql, int count, const char *const *values,
                 char **value, struct err *err)
{
    PGresult *res = conn_exec_params(c, sql, count, values, err);

    *value = NULL;
    if (res && PQntuples(res) > 0 && !PQgetisnull(res, 0, 0))
        *value = xstrdup(PQgetvalue(res, 0, 0));
    PQclear(res);
    return res != NULL;
}

void conn_rollback(struct conn *c)
{
    if (conn_is_open(c) && PQtransactionStatus(c->pg) != PQTRANS_IDLE) {
        recording_rolled_back(c);
        PGresult *res = PQexec(c->pg, "ROLLBACK");
        PQclear(res);
    }
}

/* --- connecting --- */

static void add_connect_hint(const struct conn *c, struct err *err)
{
    for (const struct sqlstate_hint *h = connect_hints; h->sqlstate; h++)
        if (strncmp(err->sqlstate, h->sqlstate, strlen(h->sqlstate)) == 0)
            err_hint(err, "%s", h->hint);
    if (!err->hint && !err->sqlstate[0])
        err_hint(err, "Check host, port and firewall, and that the server listens there.");
    (void)c;
}

struct refusal {
    const char *words;    /* libpq gives no SQLSTATE for a refused connection: the server's words do */
    const char *sqlstate;
};

static const struct refusal refusals[] = {
    {"password authentication failed", "28P01"}, {"no password supplied", "28P01"},
    {"no pg_hba.conf entry", "28000"},           {"pg_hba.conf rejects", "28000"},
    {"is not permitted to log in", "28000"},
    {"must be superuser or replication role", "42501"},
    {"permission denied to start WAL sender", "42501"},
    {"authentication failed", "28000"},          {"role \"", "28000"},
    {"database \"", "3D000"},                    {"too many clients", "53300"},
    {"remaining connection slots", "53300"},     {"starting up", "57P03"},
    {"shutting down", "57P03"},                  {"certificate", "28000"},
};

static void connect_failed(struct conn *c, const char *why, struct err *err)
{
    char *message = trimmed(why ? why : PQerrorMessage(c->pg));

    err_set(err, ERR_CONNECTION, "%s: could not connect: %s", c->label, message);
    if (err) {
        err->retryable = true;
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals && !err->sqlstate[0]; i++)
            if (strstr(message, refusals[i].words))
                snprintf(err->sqlstate, sizeof err->sqlstate, "%s", refusals[i].sqlstate);
        if (strncmp(err->sqlstate, "28", 2) == 0 || strcmp(err->sqlstate, "3D000") == 0 ||
            strcmp(err->sqlstate, "42501") == 0)
            err->retryable = false;
        add_connect_hint(c, err);
        if (!err->sqlstate[0])
            snprintf(err->sqlstate, sizeof err->sqlstate, "08001");
    }
    free(message);
}

static bool poll_connection(struct conn *c, int timeout_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;

    while (state != PGRES_POLLING_OK) {
        int64_t left = until - clock_mono_ms();
        struct pollfd pfds[2] = {
            {.fd = PQsocket(c->pg),
             .events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT},
            {.fd = stop_fd(), .events = POLLIN},
        };
        if (stop_check(err))
            return false;
        if (left <= 0) {
            char *why = xasprintf("no answer within %d s", timeout_ms / 1000);
            connect_failed(c, why, err);
            free(why);
            return false;
        }
        if (poll(pfds, 2, (int)left) <= 0 || !pfds[0].revents)
            continue;
        state = PQconnectPoll(c->pg);
        if (state == PGRES_POLLING_FAILED) {
            connect_failed(c, NULL, err);
            return false;
        }
    }
    return true;
}

static const char *const plain_settings =
    "SELECT pg_catalog.set_config('search_path', '', false);"
    "SET client_min_messages = warning; SET default_transaction_read_only = off;"
    "SET standard_conforming_strings = on;";

static const char *const text_settings =
    "SET extra_float_digits = 3; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';"
    "SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET xmloption = 'content';"
    "SET lc_monetary = 'C';";

/* A server that holds locks, a snapshot or a slot for us learns of a connection that was lost without a word
 * as soon as we do; without TCP the settings are taken and mean nothing. Who sends us a stream may have to wait
 * for us longer than that: while the spool is full (receive.c ends a dead one), or while the other end of a COPY
 * waits. */
static bool set_keepalives(struct conn *c, enum conn_profile profile, struct err *err)
{
    static const char *const user_timeouts[] = {
        [CONN_PLAIN] = "SET tcp_user_timeout = '1min'", [CONN_WRITER] = "SET tcp_user_timeout = '1min'",
        [CONN_READER] = "SET tcp_user_timeout = '5min'", [CONN_REPLICATION] = "", [CONN_BOUNCER] = "",
    };

    return conn_command(c, "SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 5;"
                           "SET tcp_keepalives_count = 6;", err) &&
           (c->version < 120000 || conn_command(c, user_timeouts[profile], err));
}

/* Time limits that a role or database brings along, by the version that knows them first. A WAL sender
 * that holds an exported snapshot is idle in a transaction like anybody else. And what costs more than it
 * brings: compiling queries of the catalog, seconds in a database with many tables. */
static const struct time_limit {
    const char *off;
    int min_version;
} time_limits[] = {
    {"SET statement_timeout = 0; SET lock_timeout = 0;", 0},
    {"SET idle_in_transaction_session_timeout = 0;", 90600},
    {"SET jit = off;", 110000},
    {"SET idle_session_timeout = 0;", 140000},
    {"SET transaction_timeout = 0;", 170000},
};

static bool lift_time_limits(struct conn *c, struct err *err)
{
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < sizeof time_limits / sizeof *time_limits; i++)
        if (c->version >= time_limits[i].min_version)
            buf_addstr(&sql, time_limits[i].off);
    bool ok = conn_command(c, sql.data, err);
    buf_release(&sql);
    return ok;
}

/* Writers run with triggers, rules and foreign keys inert where the role may say so. */
static bool set_replica_role(struct conn *c, struct err *err)
{
    struct err refused = ERR_INIT;

    c->replica_role = conn_command(c, "SET session_replication_role = replica", &refused);
    if (!c->replica_role && strcmp(refused.sqlstate, "42501") != 0) {
        err_move(err, &refused);
        return false;
    }
    err_clear(&refused);
    return true;
}

/* A stream's values are made by the walsender's session: its text must be pinned as a reader's is. */
static bool set_stream(struct conn *c, struct err *err)
{
    return conn_command(c, text_settings, err) &&
           (c->version < 120000 || conn_command(c, "SET wal_sender_timeout = 0", err));
}

/* Between two databases of one encoding UTF8 carries everything; SQL_ASCII has no encoding to
 * convert from, its bytes must pass as they are. */
static bool set_encoding(struct conn *c, struct err *err)
{
    const char *encoding = PQparameterStatus(c->pg, "server_encoding");

    return !encoding || strcmp(encoding, "SQL_ASCII") != 0 ||
           conn_command(c, "SET client_encoding = 'SQL_ASCII'", err);
}

static bool set_session(struct conn *c, enum conn_profile profile, struct err *err)
{
    if (profile == CONN_BOUNCER || (profile == CONN_REPLICATION && c->version < 100000))
        return true;
    if (!set_encoding(c, err) || !lift_time_limits(c, err) || !set_keepalives(c, profile, err))
        return false;
    if (profile == CONN_REPLICATION)
        return set_stream(c, err);
    if (!conn_command(c, plain_settings, err))
        return false;
    if (c->version >= 140000 &&
        !conn_command(c, "SET client_connection_check_interval = '5s'", NULL))
        log_msg(LOG_DEBUG, "%s: client_connection_check_interval is not supported", c->label);
    if (profile == CONN_PLAIN)
        return true;
    if (!conn_command(c, text_settings, err))
        return false;
    if (profile == CONN_READER)
        return conn_command(c, "SET row_security = off", err);
    return set_replica_role(c, err);
}

static void notice(void *arg, const PGresult *res)
{
    const struct conn *c = arg;

    log_msg(LOG_DEBUG, "%s: notice: %s", c->label,
            PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)
                ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : "");
}

static void make_label(struct conn *c, const struct conninfo *info)
{
    char *where = conninfo_label(info);

    c->label = xasprintf("%s %s", side_name(c->side), where);
    free(where);
}

/* Before 10 a WAL sender takes no SET: what set_session() does for later ones goes with the start of the connection.
 * The empty search_path has test_decoding write types with their schema. */
static const char *const old_stream_options =
    "-c extra_float_digits=3 -c DateStyle=ISO,YMD -c IntervalStyle=postgres -c TimeZone=UTC"
    " -c bytea_output=hex -c xmloption=content -c lc_monetary=C -c search_path="
    " -c statement_timeout=0 -c lock_timeout=0"
    " -c tcp_keepalives_idle=20 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=6";

static void add_old_options(const struct conn *c, struct conninfo *info)
{
    const char *given = conninfo_get(info, "options");
    char *all = xasprintf("%s %s%s", given ? given : "", old_stream_options,
                          c->version >= 90600 ? " -c idle_in_transaction_session_timeout=0" : "");

    conninfo_set(info, "options", all);
    free(all);
}

static void start(struct conn *c, const struct conninfo *info, const struct conn_options *options)
{
    struct conninfo own = CONNINFO_INIT;
    char *application = xasprintf("pgcutover:%s", options->role);
    const char **keys = xcalloc(info->count + 12, sizeof *keys);
    const char **values = xcalloc(info->count + 12, sizeof *values);
    size_t n = 0;

    conninfo_copy(&own, info);
    conninfo_set(&own, "dbname", options->dbname ? options->dbname : conninfo_get(info, "dbname"));
    conninfo_set(&own, "application_name", application);
    conninfo_set(&own, "client_encoding", "UTF8");
    conninfo_set(&own, "keepalives_idle", "20");
    conninfo_set(&own, "keepalives_interval", "5");
    conninfo_set(&own, "keepalives_count", "6");
    /* Keepalives do not count while something that was sent is not acknowledged. The kernel counts a server that
     * takes nothing for so long among the lost, too: one that waits for a lock with our data before it. */
    conninfo_set(&own, "tcp_user_timeout", options->profile == CONN_WRITER ? "120000" : "60000");
    if (options->profile == CONN_REPLICATION)
        conninfo_set(&own, "replication", "database");
    if (options->profile == CONN_REPLICATION && c->version && c->version < 100000)
        add_old_options(c, &own);
    if (!c->label)
        make_label(c, &own);
    conninfo_enter_tunnel(&own);
    for (; n < own.count; n++) {
        keys[n] = own.keys[n];
        values[n] = own.values[n];
    }
    if (own.password.text && *own.password.text) {
        keys[n] = "password";
        values[n++] = own.password.text;
    }
    c->pg = PQconnectStartParams(keys, values, 0);
    free(keys);
    free(values);
    free(application);
    conninfo_release(&own);
}

/* c->version is what start() goes by: 0 the first time. */
static bool connect_once(struct conn *c, const struct conninfo *info,
                         const struct conn_options *options, struct err *err)
{
    int timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : CONNECT_TIMEOUT_MS;

    start(c, info, options);
    if (!c->pg) {
        err_set(err, ERR_INTERNAL, "%s: libpq could not start a connection", c->label);
        return false;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        connect_failed(c, NULL, err);
        return false;
    }
    PQsetNoticeReceiver(c->pg, notice, c);
    if (!poll_connection(c, timeout_ms, err))
        return false;
    PQsetnonblocking(c->pg, 1);
    c->version = PQserverVersion(c->pg);
    return true;
}

/* Which settings an old WAL sender knows is clear only when it has told its version. */
static bool connect_again(struct conn *c, const struct conninfo *info,
                          const struct conn_options *options, struct err *err)
{
    if (options->profile != CONN_REPLICATION || c->version >= 100000)
        return true;
    PQfinish(c->pg);
    c->pg = NULL;
    return connect_once(c, info, options, err);
}

bool conn_open(struct conn *c, const struct conninfo *info, const struct conn_options *options,
               struct err *err)
{
    *c = (struct conn)CONN_INIT;
    c->side = options->side;
    bool ok = connect_once(c, info, options, err) && connect_again(c, info, options, err);
    if (ok) {
        c->timeout_ms = 30000;
        ok = set_session(c, options->profile, err);
        c->timeout_ms = 0;
    }
    if (!ok)
        conn_close(c);
    return ok;
}
