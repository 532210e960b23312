/* How it works: ALTER DATABASE takes effect for sessions that begin after it commits, so every session that
 * began before must go. A session that was starting at that moment shows up late in
 * pg_stat_activity, with its early backend_start: the list must be empty twice. */
#include "cutover/freeze.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define END_WAIT_MS 30000
#define LOOK_AGAIN_MS 250
#define NAMED_AT_MOST 10

/* --- the setting --- */

bool freeze_previous(struct conn *src, const char *database, char **previous, struct err *err)
{
    return conn_scalar(src, sql_cutover_read_only_setting, 1, &database, previous, err);
}

static PGresult *read_obstacles(struct conn *src, const char *database, struct err *err)
{
    return conn_exec_params(src, src->version >= 100000 ? sql_cutover_freeze_obstacles : sql_cutover_freeze_obstacles_pg96,
                            1, &database, err);
}

bool obstacles_list(struct conn *src, const char *database, struct buf *text, struct err *err)
{
    PGresult *res = read_obstacles(src, database, err);

    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(text, "%s\n", PQgetvalue(res, i, 0));
    PQclear(res);
    return res != NULL;
}

bool freeze_check(struct conn *src, const char *database, struct err *err)
{
    PGresult *res = read_obstacles(src, database, err);
    struct buf obstacles = BUF_INIT, help = BUF_INIT;
    int count = res ? PQntuples(res) : 0;

    for (int i = 0; i < count; i++) {
        buf_addf(&obstacles, "%s%s", i ? "\n" : "", PQgetvalue(res, i, 0));
        buf_addf(&help, "%s%s;", i ? "\n" : "", PQgetvalue(res, i, 1));
    }
    if (count) {
        err_set(err, ERR_PREREQUISITE, "%s: making database \"%s\" read-only would not stop all writes: %s",
                src->label, database, PQgetvalue(res, 0, 0));
        err_detail(err, "%s", obstacles.data);
        err_hint(err, "%s", help.data);
    }
    buf_release(&obstacles);
    buf_release(&help);
    PQclear(res);
    return res && !count;
}

/* ALTER DATABASE is a write itself: the session must not be read-only by the very setting. */
static bool alter_database(struct conn *src, const char *database, const char *action,
                           struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER DATABASE ");
    ident_add(&sql, database);
    buf_addf(&sql, " %s", action);
    bool ok = conn_command(src, "SET default_transaction_read_only = off", err) &&
              conn_command(src, sql.data, err);
    buf_release(&sql);
    return ok;
}

bool freeze_set(struct conn *src, const char *database, struct err *err)
{
    bool ok = freeze_check(src, database, err) &&
              alter_database(src, database, "SET default_transaction_read_only = on", err);

    if (!ok && err && strcmp(err->sqlstate, "42501") == 0)
        err_hint(err, "Only the owner may do this: GRANT the owner's role to the migrating role.");
    return ok;
}

bool freeze_undo(struct conn *src, const char *database, const char *previous, struct err *err)
{
    struct buf action = BUF_INIT;
    struct err failed = ERR_INIT;

    if (previous) {
        buf_addstr(&action, "SET default_transaction_read_only = ");
        literal_add(&action, previous);
    } else {
        buf_addstr(&action, "RESET default_transaction_read_only");
    }
    bool ok = alter_database(src, database, action.data, &failed);
    if (!ok && strcmp(failed.sqlstate, "3D000") == 0)
        ok = true;
    if (!ok)
        err_move(err, &failed);
    err_clear(&failed);
    buf_release(&action);
    return ok;
}

/* --- sessions --- */

enum { COL_PID, COL_SINCE, COL_USER, COL_LINE };

struct ending {
    struct conn *src;
    const char *database;
    char *before;      /* owned: sessions that began after this server time are left alone */
    struct buf *ended;
    char **seen;       /* owned: "pid since" of the sessions in ended */
    size_t seen_count, seen_cap;
};

static bool list_sessions(struct ending *ending, PGresult **res, struct err *err)
{
    const char *values[] = {ending->database, ending->before};

    *res = conn_exec_params(ending->src, ending->src->version >= 100000 ? sql_cutover_sessions
                                                                        : sql_cutover_sessions_pg96,
                            2, values, err);
    return *res != NULL;
}

static bool all_visible(struct ending *ending, const PGresult *sessions, struct err *err)
{
    for (int i = 0; i < PQntuples(sessions); i++) {
        if (!PQgetisnull(sessions, i, COL_SINCE))
            continue;
        err_set(err, ERR_PREREQUISITE, "%s: sessions of role \"%s\" cannot be seen", ending->src->label,
                PQgetvalue(sessions, i, COL_USER));
        err_hint(err, "GRANT pg_read_all_stats TO the migrating role.");
        return false;
    }
    return true;
}

static void note(struct ending *ending, const PGresult *sessions)
{
    for (int i = 0; i < PQntuples(sessions); i++) {
        char *key = xasprintf("%s %s", PQgetvalue(sessions, i, COL_PID), PQgetvalue(sessions, i, COL_SINCE));
        size_t k = 0;
        while (k < ending->seen_count && strcmp(ending->seen[k], key) != 0)
            k++;
        if (k < ending->seen_count) {
            free(key);
            continue;
        }
        ending->seen = xgrow(ending->seen, ending->seen_count, &ending->seen_cap, sizeof *ending->seen);
        ending->seen[ending->seen_count++] = key;
        buf_addf(ending->ended, "%s\n", PQgetvalue(sessions, i, COL_LINE));
    }
}

/* Sessions first..last-1, by one statement. */
static bool terminate(struct ending *ending, const PGresult *sessions, int first, int last,
                      struct err *err)
{
    struct buf pids = BUF_INIT, since = BUF_INIT;

    for (int i = first; i < last; i++) {
        buf_addf(&pids, "%s%s", i > first ? "," : "{", PQgetvalue(sessions, i, COL_PID));
        buf_addf(&since, "%s\"%s\"", i > first ? "," : "{", PQgetvalue(sessions, i, COL_SINCE));
    }
    buf_addch(&pids, '}');
    buf_addch(&since, '}');
    const char *values[] = {pids.data, since.data};
    bool ok = conn_command_params(ending->src, sql_cutover_terminate, 2, values, err);
    buf_release(&pids);
    buf_release(&since);
    return ok;
}

/* All at once; where one of them may not be ended, one by one, so that it is named. */
static bool terminate_all(struct ending *ending, const PGresult *sessions, struct err *err)
{
    struct err failed = ERR_INIT;
    struct buf refused = BUF_INIT;
    bool ok = terminate(ending, sessions, 0, PQntuples(sessions), &failed);

    if (!ok && strcmp(failed.sqlstate, "42501") != 0) {
        err_move(err, &failed);
        return false;
    }
    for (int i = 0; !ok && i < PQntuples(sessions); i++) {
        err_clear(&failed);
        if (!terminate(ending, sessions, i, i + 1, &failed))
            buf_addf(&refused, "%s: %s\n", PQgetvalue(sessions, i, COL_LINE), failed.message);
    }
    err_clear(&failed);
    if (refused.len) {
        err_set(err, ERR_PREREQUISITE, "%s: could not end all sessions of database \"%s\"",
                ending->src->label, ending->database);
        err_detail(err, "%s", refused.data);
        err_hint(err, "GRANT pg_signal_backend TO the migrating role; sessions of superusers are ended by a superuser.");
    }
    ok = !refused.len;
    buf_release(&refused);
    return ok;
}

static void name_remaining(struct ending *ending, const PGresult *sessions, struct err *err)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < PQntuples(sessions) && i < NAMED_AT_MOST; i++)
        buf_addf(&text, "%s%s", i ? "\n" : "", PQgetvalue(sessions, i, COL_LINE));
    err_set(err, ERR_TIMEOUT, "%s: %d session(s) of database \"%s\" did not end within %d s",
            ending->src->label, PQntuples(sessions), ending->database, END_WAIT_MS / 1000);
    err_detail(err, "%s", text.data);
    if (err)
        err->retryable = true;
    buf_release(&text);
}

/* One look. *left: how many sessions there were to end. */
static bool end_round(struct ending *ending, bool last, int *left, struct err *err)
{
    PGresult *sessions;
    bool ok = list_sessions(ending, &sessions, err);

    if (!ok)
        return false;
    *left = PQntuples(sessions);
    if (*left) {
        ok = all_visible(ending, sessions, err) && terminate_all(ending, sessions, err);
        note(ending, sessions);
        if (ok && last) {
            name_remaining(ending, sessions, err);
            ok = false;
        }
    }
    PQclear(sessions);
    return ok;
}

bool freeze_end_sessions(struct conn *src, const char *database, struct buf *ended, struct err *err)
{
    struct ending ending = {.src = src, .database = database, .ended = ended};
    int64_t until = clock_mono_ms() + END_WAIT_MS;
    int left = 1;
    bool ok = conn_scalar(src, "SELECT pg_catalog.clock_timestamp()", 0, NULL, &ending.before, err);

    for (int quiet = 0; ok && quiet < 2; quiet = left ? 0 : quiet + 1)
        ok = (!quiet || stop_sleep(LOOK_AGAIN_MS, err)) &&
             end_round(&ending, clock_mono_ms() > until, &left, err) &&
             (!left || stop_sleep(100, err));
    for (size_t i = 0; i < ending.seen_count; i++)
        free(ending.seen[i]);
    free(ending.seen);
    free(ending.before);
    return ok;
}

bool writers_list(struct conn *src, const char *database, struct buf *text, int *writing,
                  struct err *err)
{
    PGresult *res = conn_exec_params(src, src->version >= 100000 ? sql_cutover_writers
                                                                 : sql_cutover_writers_pg96,
                                     1, &database, err);
    int count = 0;

    for (int i = 0; res && i < PQntuples(res); i++) {
        count += *PQgetvalue(res, i, 0) == 't';
        buf_addf(text, "%s\n", PQgetvalue(res, i, 1));
    }
    if (res && writing)
        *writing = count;
    PQclear(res);
    return res != NULL;
}

/* Whoever may not read the jobs is told so: that is no reason not to cut over. */
static bool list_jobs(struct conn *src, const char *extension, const char *query, struct buf *text, struct err *err)
{
    struct err own = ERR_INIT;
    PGresult *res = conn_exec(src, query, &own);

    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(text, "%s\n", PQgetvalue(res, i, 0));
    PQclear(res);
    if (!res && own.code != ERR_SERVER) {
        err_move(err, &own);
        return false;
    }
    if (!res)
        buf_addf(text, "jobs of %s, which could not be read: %s\n", extension, own.message);
    err_clear(&own);
    return true;
}

bool schedulers_list(struct conn *src, struct buf *text, struct err *err)
{
    PGresult *res = conn_exec(src, sql_cutover_schedulers, err);
    bool ok = res != NULL;

    for (int i = 0; ok && i < PQntuples(res); i++)
        ok = list_jobs(src, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), text, err);
    PQclear(res);
    return ok;
}
