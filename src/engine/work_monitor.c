/* monitor: the standing worker that looks at both servers while the stream runs: twice a second where the
 * source's WAL ends and what the slot keeps, less often at what holds things up. The first is the lag's
 * measure, and an error there is an error; the second is for people, and does without what it may not see.
 *
 * Of a mere copy it looks only at the indexes that are built.
 *
 * watch: the same while the migration is paused, for above all then the slot must not fill the source's disk. A
 * paused migration has no sessions on the servers, so it comes for a moment, now and then. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "cutover/fence.h"
#include "engine/definitions.h"
#include "engine/works.h"
#include "load/storage.h"
#include "sql/sql.h"

#define READING_INTERVAL_MS 500
#define FACTS_INTERVAL_MS 2000
#define TARGET_RETRY_MS 15000
#define WATCH_INTERVAL_MS 5000
#define HEARTBEAT_INTERVAL_MS 10000
#define STATEMENT_TIMEOUT_MS 30000
#define STORAGE_INTERVAL_MS 2000
#define DEFINITIONS_INTERVAL_MS 5000
#define DEFINITIONS_SHARE 20 /* a look at many tables takes its time: it is at most this part of ours */

struct monitor {
    struct work *work;
    struct conn source, target;
    lsn_t last_lsn;
    int64_t moved_ms;     /* when the source's position moved last */
    int64_t facts_ms;     /* when the facts were looked at last */
    int64_t storage_ms;   /* when the tables' storage was looked at last */
    bool definitions;     /* are to be looked at */
    int64_t definitions_ms; /* when they are next */
    int64_t target_ms;    /* no connection to the target is tried before */
    bool building;        /* indexes are, as was told last */
    int64_t spilled;      /* the slot's total at the look before, -1: none yet */
    bool said;            /* that facts cannot be seen */
};

/* --- the position --- */

static const char *position_sql(int version)
{
    return version >= 130000   ? sql_source_position
           : version >= 100000 ? sql_source_position_pg10
                               : sql_source_position_pg96;
}

static bool take_reading(struct monitor *mon, lsn_t *lsn, struct err *err)
{
    const char *values[] = {mon->work->p->slot};
    int64_t before = clock_wall_us();
    PGresult *res = conn_exec_params(&mon->source, position_sql(mon->source.version), 1, values, err);

    if (!res)
        return false;
    cJSON *message = json_message("reading");
    *lsn = LSN_INVALID;
    lsn_parse(PQgetvalue(res, 0, 0), lsn);
    work_json_add_lsn(message, "lsn", *lsn);
    json_add_i64(message, "takenUs", before);
    json_add_str(message, "walStatus", PQgetisnull(res, 0, 1) ? NULL : PQgetvalue(res, 0, 1));
    json_add_i64(message, "retained", atoll(PQgetvalue(res, 0, 2)));
    work_send(mon->work, message);
    PQclear(res);
    return true;
}

/* On a quiet source the tool writes a message of its own now and then, so that progress never depends on
 * somebody else's traffic. */
static bool position_turn(struct monitor *mon, struct err *err)
{
    int64_t now = clock_mono_ms();
    lsn_t lsn;

    if (!take_reading(mon, &lsn, err))
        return false;
    if (lsn == mon->last_lsn && now - mon->moved_ms <= HEARTBEAT_INTERVAL_MS)
        return true;
    bool quiet = lsn == mon->last_lsn;
    mon->moved_ms = now;
    mon->last_lsn = lsn;
    return !quiet || heartbeat_emit(&mon->source, "heartbeat", err);
}

/* --- the facts --- */

/* False when they cannot be seen; said once. A connection that is gone shows at the next position. */
static bool could_see(struct monitor *mon, PGresult *res, struct err *why)
{
    if (!res && why->code != ERR_STOPPED && !mon->said) {
        mon->said = true;
        err_wrap(why, "what goes on on the servers cannot be told in full");
        log_err(LOG_INFO, why);
    }
    err_clear(why);
    return res != NULL;
}

static const char *slot_sql(int version)
{
    return version >= 140000   ? sql_monitor_slot
           : version >= 100000 ? sql_monitor_slot_pg10
                               : sql_monitor_slot_pg96;
}

static void add_slot(struct monitor *mon, cJSON *facts)
{
    const char *values[] = {mon->work->p->slot};
    struct err why = ERR_INIT;
    PGresult *res = conn_exec_params(&mon->source, slot_sql(mon->source.version), 1, values, &why);

    if (could_see(mon, res, &why) && PQntuples(res) == 1) {
        if (!PQgetisnull(res, 0, 0))
            json_add_i64(facts, "safeWal", atoll(PQgetvalue(res, 0, 0)));
        json_add_str(facts, "sent", PQgetisnull(res, 0, 1) ? NULL : PQgetvalue(res, 0, 1));
        int64_t spilled = PQgetisnull(res, 0, 4) ? 0 : atoll(PQgetvalue(res, 0, 4));
        if (mon->spilled >= 0 && spilled > mon->spilled)
            json_add_i64(facts, "spilled", spilled - mon->spilled);
        mon->spilled = spilled;
    }
    PQclear(res);
}

/* Columns pid, user, application, age, state and query, by their numbers. */
static void add_session(cJSON *facts, const char *key, const PGresult *res, const int columns[6])
{
    static const char *const keys[] = {"pid", "user", "application", "ageUs", "state", "query"};
    cJSON *session = cJSON_AddObjectToObject(facts, key);

    for (int i = 0; i < 6; i++)
        json_add_str(session, keys[i], PQgetvalue(res, 0, columns[i]));
}

static void add_open_transaction(struct monitor *mon, cJSON *facts)
{
    static const int columns[] = {0, 1, 2, 3, 4, 5};
    struct err why = ERR_INIT;
    PGresult *res = conn_exec(&mon->source, sql_monitor_open_transaction, &why);

    if (could_see(mon, res, &why) && PQntuples(res) == 1)
        add_session(facts, "open", res, columns);
    PQclear(res);
}

/* The target may be down: whoever needs it says so. */
static bool has_target(struct monitor *mon)
{
    struct err ignored = ERR_INIT;
    int64_t now = clock_mono_ms();

    if (conn_is_open(&mon->target))
        return true;
    if (now < mon->target_ms)
        return false;
    mon->target_ms = now + TARGET_RETRY_MS;
    bool ok = work_connect(mon->work, &mon->target, SIDE_TARGET, CONN_PLAIN, &ignored);
    mon->target.timeout_ms = STATEMENT_TIMEOUT_MS;
    err_clear(&ignored);
    return ok;
}

static void add_holder(struct monitor *mon, cJSON *facts)
{
    static const int columns[] = {1, 2, 3, 5, 4, 6};
    struct err why = ERR_INIT;

    if (!has_target(mon))
        return;
    PGresult *res = conn_exec(&mon->target, sql_monitor_target_lock, &why);
    if (could_see(mon, res, &why) && PQntuples(res) == 1)
        add_session(facts, "holder", res, columns);
    PQclear(res);
}

static void add_build(cJSON *builds, const PGresult *res, int row)
{
    cJSON *build = cJSON_CreateObject();

    json_add_str(build, "oid", PQgetvalue(res, row, 0));
    json_add_str(build, "index", PQgetisnull(res, row, 1) ? NULL : PQgetvalue(res, row, 1));
    json_add_str(build, "phase", PQgetvalue(res, row, 2));
    if (!PQgetisnull(res, row, 4)) {
        json_add_i64(build, "done", atoll(PQgetvalue(res, row, 3)));
        json_add_i64(build, "total", atoll(PQgetvalue(res, row, 4)));
    }
    cJSON_AddItemToArray(builds, build);
}

/* Said once more when there are none any longer. */
static void builds_turn(struct monitor *mon)
{
    struct err why = ERR_INIT;

    if (!has_target(mon) || mon->target.version < 120000)
        return;
    PGresult *res = conn_exec(&mon->target, sql_monitor_builds, &why);
    if (!could_see(mon, res, &why) || (PQntuples(res) == 0 && !mon->building)) {
        PQclear(res);
        return;
    }
    cJSON *message = json_message("builds");
    cJSON *builds = cJSON_AddArrayToObject(message, "builds");
    for (int row = 0; row < PQntuples(res); row++)
        add_build(builds, res, row);
    mon->building = PQntuples(res) > 0;
    work_send(mon->work, message);
    PQclear(res);
}

static bool facts_are_due(struct monitor *mon)
{
    int64_t now = clock_mono_ms();

    if (now - mon->facts_ms < FACTS_INTERVAL_MS)
        return false;
    mon->facts_ms = now;
    return true;
}

static void facts_turn(struct monitor *mon)
{
    if (!facts_are_due(mon))
        return;
    builds_turn(mon);
    cJSON *facts = json_message("facts");
    add_slot(mon, facts);
    add_open_transaction(mon, facts);
    add_holder(mon, facts);
    work_send(mon->work, facts);
}

static void tell_lost(void *arg, const char *oid, const struct err *why)
{
    struct monitor *mon = arg;
    cJSON *message = json_message("table_lost");

    json_add_str(message, "oid", oid);
    cJSON_AddItemToObject(message, "error", err_to_json(why));
    work_send(mon->work, message);
}

/* What the stream does not tell (load/storage.h): looked for all the time, so that little work is lost. */
static bool storage_turn(struct monitor *mon, struct err *err)
{
    int64_t now = clock_mono_ms();

    if (!storage_is_needed(&mon->source) || now - mon->storage_ms < STORAGE_INTERVAL_MS ||
        !has_target(mon))
        return true;
    mon->storage_ms = now;
    return storage_look(&mon->source, &mon->target, tell_lost, mon, err);
}

static bool definitions_turn(struct monitor *mon, struct err *err)
{
    int64_t began = clock_mono_ms();

    if (!mon->definitions || began < mon->definitions_ms || !has_target(mon))
        return true;
    bool ok = definitions_look(mon->work, &mon->source, &mon->target, err);
    int64_t took = clock_mono_ms() - began;
    mon->definitions_ms = began + took + (took * DEFINITIONS_SHARE > DEFINITIONS_INTERVAL_MS ? took * DEFINITIONS_SHARE
                                                                                             : DEFINITIONS_INTERVAL_MS);
    return ok;
}

/* Nothing is streamed, and nothing of the source has to be measured. */
static bool monitor_copy(struct monitor *mon, struct err *err)
{
    do {
        builds_turn(mon);
    } while (stop_sleep(FACTS_INTERVAL_MS, err));
    conn_close(&mon->target);
    return false;
}

bool work_monitor(struct work *work, struct err *err)
{
    struct monitor mon = {.work = work, .source = CONN_INIT, .target = CONN_INIT,
                          .moved_ms = clock_mono_ms(), .spilled = -1};
    if (work->p->load_only)
        return monitor_copy(&mon, err);
    bool ok = work_connect(work, &mon.source, SIDE_SOURCE, CONN_PLAIN, err) &&
              definitions_are_wanted(work, &mon.source, &mon.definitions, err);

    mon.source.timeout_ms = STATEMENT_TIMEOUT_MS;
    while (ok && position_turn(&mon, err) && storage_turn(&mon, err) && definitions_turn(&mon, err)) {
        facts_turn(&mon);
        ok = stop_sleep(READING_INTERVAL_MS, err);
    }
    conn_close(&mon.source);
    conn_close(&mon.target);
    return false;
}

/* A source that is down meanwhile is no error: nothing is written there. */
static void watch_turn(struct monitor *mon)
{
    struct err why = ERR_INIT;
    lsn_t lsn;
    bool ok = work_connect(mon->work, &mon->source, SIDE_SOURCE, CONN_PLAIN, &why);

    mon->source.timeout_ms = STATEMENT_TIMEOUT_MS;
    ok = ok && take_reading(mon, &lsn, &why);
    if (ok) {
        cJSON *facts = json_message("facts");
        add_slot(mon, facts);
        work_send(mon->work, facts);
    } else if (why.code != ERR_STOPPED) {
        log_err(LOG_DEBUG, &why);
    }
    err_clear(&why);
    conn_close(&mon->source);
}

bool work_watch(struct work *work, struct err *err)
{
    struct monitor mon = {.work = work, .source = CONN_INIT, .target = CONN_INIT, .spilled = -1};

    do {
        watch_turn(&mon);
    } while (stop_sleep(WATCH_INTERVAL_MS, err));
    return false;
}
