/* Checks that no single query answers: they compare the two servers, probe what we may do, or look
 * at the connection itself. Every probe takes back what it did. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "check/run.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define OLDEST_SOURCE 90500
#define SKEW_LIMIT_US INT64_C(5000000)
#define CLOCK_SAMPLES 3
#define PROBE_SLOT "pgcutover_probe"
/* Before 10 a slot may have to wait for a record that the server writes every 15 seconds, and old minor releases
 * may wait for a transaction that has ended already: another try does not. */
#define OLD_PROBES 3

/* A cluster made from a copy of another has its system identifier; only the same server has started
 * at the same microsecond too. */
bool check_same_cluster(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog_server *source = &run->context->source_catalog->server;
    const struct catalog_server *target = &run->context->target_catalog->server;
    struct items items = ITEMS_INIT;

    (void)err;
    if (strcmp(source->system_id, target->system_id) == 0 &&
        strcmp(source->database, target->database) == 0 &&
        strcmp(source->start_time, target->start_time) == 0) {
        char *item = xasprintf("database \"%s\" of the cluster %s", source->database,
                               source->system_id);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    return true;
}

/* The number that two releases of one major version share: before 10 the second part belongs to it. */
static int major_of(int version)
{
    return version >= 100000 ? version / 10000 * 100 : version / 100;
}

static const char *major_name(int version, char out[16])
{
    if (version >= 100000)
        snprintf(out, 16, "%d", version / 10000);
    else
        snprintf(out, 16, "%d.%d", version / 10000, version / 100 % 100);
    return out;
}

bool check_version_order(struct check_run *run, const struct check *check, struct err *err)
{
    int source = run->context->source->version;
    int target = run->context->target ? run->context->target->version : source;
    struct items items = ITEMS_INIT;
    char names[2][16];
    char *item = NULL;

    (void)err;
    if (source < OLDEST_SOURCE)
        item = xasprintf("the source is %d.%d, before 9.5", source / 10000, source / 100 % 100);
    else if (major_of(target) < major_of(source) && !run->context->plan->fallback_of) /* rows alone go back */
        item = xasprintf("the source is %s, the target is %s", major_name(source, names[0]),
                         major_name(target, names[1]));
    if (item)
        items_add(&items, item, NULL, NULL);
    free(item);
    items_report(run, check, &items);
    return true;
}

/* --- pooler --- */

static bool looks_like_pooler(const char *host, const char *port)
{
    return (port && (strcmp(port, "6432") == 0 || strcmp(port, "6543") == 0)) ||
           (host && (strstr(host, "-pooler.") || strstr(host, ".pooler.")));
}

enum pooler_verdict pooler_verdict(int client_pid, int first, int second, const char *host,
                                   const char *port)
{
    if (first != second)
        return POOLER_TRANSACTION;
    if (client_pid != first)
        return POOLER_SESSION;
    return looks_like_pooler(host, port) ? POOLER_HINTED : POOLER_NONE;
}

static bool backend_pid(struct conn *c, int *pid, struct err *err)
{
    char *text;

    if (!conn_scalar(c, "SELECT pg_catalog.pg_backend_pid()", 0, NULL, &text, err))
        return false;
    *pid = text ? atoi(text) : 0;
    free(text);
    return true;
}

bool check_pooler(struct check_run *run, const struct check *check, struct err *err)
{
    static const struct {
        char severity;
        const char *what;
    } rows[] = {
        [POOLER_HINTED] = {FINDING_WARN, "host and port look like those of a connection pooler"},
        [POOLER_SESSION] = {FINDING_WARN, "the connection goes through a pooler"},
        [POOLER_TRANSACTION] = {FINDING_FAIL,
                                "two statements ran in two sessions: a pooler in transaction mode"},
    };
    struct conn *c = check_conn(run, check);
    struct items items = ITEMS_INIT;
    int first, second;

    if (!backend_pid(c, &first, err) || !backend_pid(c, &second, err))
        return false;
    enum pooler_verdict verdict =
        pooler_verdict(PQbackendPID(c->pg), first, second, PQhost(c->pg), PQport(c->pg));
    if (verdict == POOLER_NONE)
        return true;
    char *item = xasprintf("%s (%s port %s)", rows[verdict].what, PQhost(c->pg), PQport(c->pg));
    items_add(&items, item, NULL, NULL);
    free(item);
    items_report_as(run, check, rows[verdict].severity, &items);
    return true;
}

/* --- clock --- */

int64_t clock_skew_us(struct clock_sample one, struct clock_sample two)
{
    int64_t apart = one.offset_us - two.offset_us;
    int64_t unsure = (one.trip_us + two.trip_us) / 2;

    if (apart < 0)
        apart = -apart;
    return apart > unsure ? apart : 0;
}

/* The best of a few: the shortest round trip says most. */
static bool sample_clock(struct conn *c, struct clock_sample *best, struct err *err)
{
    best->trip_us = INT64_MAX;
    for (int i = 0; i < CLOCK_SAMPLES; i++) {
        char *text;
        int64_t sent = clock_wall_us();
        if (!conn_scalar(c, "SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) "
                            "* 1000000)::pg_catalog.int8", 0, NULL, &text, err))
            return false;
        int64_t got = clock_wall_us();
        if (text && got - sent < best->trip_us) {
            best->trip_us = got - sent;
            best->offset_us = strtoll(text, NULL, 10) - (sent + got) / 2;
        }
        free(text);
    }
    return true;
}

static void add_skew(struct items *items, const char *who, int64_t skew_us)
{
    char apart[32];

    if (skew_us <= SKEW_LIMIT_US)
        return;
    units_duration(skew_us, apart, sizeof apart);
    char *item = xasprintf("%s are %s apart", who, apart);
    items_add(items, item, NULL, NULL);
    free(item);
}

bool check_clock(struct check_run *run, const struct check *check, struct err *err)
{
    const struct clock_sample host = {0, 0};
    struct clock_sample source, target;
    struct items items = ITEMS_INIT;

    if (!sample_clock(run->context->source, &source, err) ||
        !sample_clock(run->context->target, &target, err))
        return false;
    add_skew(&items, "source and target", clock_skew_us(source, target));
    add_skew(&items, "source and this host", clock_skew_us(source, host));
    add_skew(&items, "target and this host", clock_skew_us(target, host));
    items_report(run, check, &items);
    return true;
}

/* --- replication --- */

/* A logical walsender is matched by the database's name in pg_hba.conf, before 10 by "replication". */
static char *hba_line(struct conn *c)
{
    struct buf line = BUF_INIT;
    char *address = NULL;

    conn_scalar(c, "SELECT pg_catalog.host(pg_catalog.inet_client_addr())", 0, NULL, &address, NULL);
    buf_addstr(&line, address ? "hostssl " : "local ");
    if (c->version >= 100000)
        ident_add(&line, PQdb(c->pg));
    else
        buf_addstr(&line, "replication");
    buf_addch(&line, ' ');
    ident_add(&line, PQuser(c->pg));
    if (address)
        buf_addf(&line, " %s/%d", address, strchr(address, ':') ? 128 : 32);
    buf_addstr(&line, c->version >= 100000 ? " scram-sha-256" : " md5");
    free(address);
    return buf_take(&line);
}

/* The refusal's words (a refused connection has no SQLSTATE) lead to what mends it. */
static char *refusal_fix(struct conn *c, const char *message, enum finding_needs *needs)
{
    struct buf fix = BUF_INIT;

    *needs = NEEDS_NONE;
    if (strstr(message, "max_wal_senders")) {
        buf_addstr(&fix, "Raise max_wal_senders, or end other replication connections.");
        *needs = NEEDS_RESTART;
    } else if (strstr(message, "replication role") || strstr(message, "start WAL sender")) {
        buf_addstr(&fix, "ALTER ROLE ");
        ident_add(&fix, PQuser(c->pg));
        buf_addstr(&fix, " REPLICATION;");
    } else {
        char *line = hba_line(c);
        buf_addf(&fix, "In pg_hba.conf, above any line that rejects: %s\nSELECT pg_reload_conf();",
                 line);
        *needs = NEEDS_RELOAD;
        free(line);
    }
    return buf_take(&fix);
}

static void report_refused(struct check_run *run, const struct check *check, struct err *refused)
{
    struct items items = ITEMS_INIT;
    struct check told = *check;
    char *fix = refusal_fix(run->context->source, refused->message, &told.needs);

    items_add(&items, refused->message, fix, NULL);
    items_report(run, &told, &items);
    free(fix);
    err_clear(refused);
}

bool check_repl_conn(struct check_run *run, const struct check *check, struct err *err)
{
    const struct conn_options options = {
        .side = SIDE_SOURCE,
        .profile = CONN_REPLICATION,
        .role = "check",
        .dbname = PQdb(run->context->source->pg),
    };
    struct conn c = CONN_INIT;
    struct err refused = ERR_INIT;

    bool ok = conn_open(&c, run->context->source_info, &options, &refused);
    if (ok) {
        c.timeout_ms = run->context->source->timeout_ms;
        ok = conn_command(&c, "IDENTIFY_SYSTEM", &refused);
    }
    conn_close(&c);
    if (ok)
        return true;
    if (refused.code == ERR_STOPPED) {
        err_move(err, &refused);
        return false;
    }
    report_refused(run, check, &refused);
    return true;
}

/* What would make the probe fail for a reason that has its own finding. */
static bool slot_is_hopeless(const struct check_run *run)
{
    static const char *const ids[] = {"wal-level", "slots-free", "repl-role", "standby-src"};

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        const struct finding *found = findings_find(run->findings, ids[i], SIDE_SOURCE);
        if (found && found->severity == FINDING_FAIL)
            return true;
    }
    return false;
}

static bool report_blockers(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;

    if (!items_add_rows(&items, run->context->source, sql_check_blockers, NULL, err))
        return false;
    struct check told = *check;

    if (!items.count)
        items_add(&items, "nobody that this role can see", NULL, NULL);
    if (run->context->source->version < 100000)
        told.found = "a slot could not be made within a minute; it waited for: {items}";
    items_report(run, &told, &items);
    return true;
}

/* Before 10 no slot is temporary, so one statement makes and drops it. Otherwise, should anything go wrong, the server
 * drops it with the error or the session. */
static bool probe_slot(struct conn *c, struct err *err)
{
    static const char old[] =
        "SELECT pg_catalog.pg_drop_replication_slot(s.slot_name) FROM "
        "pg_catalog.pg_create_logical_replication_slot('" PROBE_SLOT "_' || pg_catalog.pg_backend_pid(), "
        "'test_decoding') AS s";

    if (c->version < 100000)
        return conn_command(c, old, err);
    return conn_command(c, "SELECT pg_catalog.pg_create_logical_replication_slot('" PROBE_SLOT
                           "_' || pg_catalog.pg_backend_pid(), 'pgoutput', true)", err) &&
           conn_command(c, "SELECT pg_catalog.pg_drop_replication_slot('" PROBE_SLOT
                           "_' || pg_catalog.pg_backend_pid())", err);
}

static void report_no_plugin(struct check_run *run, const struct check *check)
{
    struct items items = ITEMS_INIT;
    struct check told = *check;

    told.found = "the server does not have {items}";
    told.why = "Before 10, changes are decoded by this output plugin of PostgreSQL's contrib package.";
    items_add(&items, "test_decoding", "Install postgresql-contrib of the source's version there.", NULL);
    items_report(run, &told, &items);
}

bool check_slot_probe(struct check_run *run, const struct check *check, struct err *err)
{
    struct conn *c = run->context->source;
    struct err failed = ERR_INIT;

    if (slot_is_hopeless(run))
        return true;
    bool old = c->version < 100000;
    if (!conn_command(c, old ? "SET statement_timeout = '20s'" : "SET statement_timeout = '5s'", err))
        return false;
    bool ok = probe_slot(c, &failed);
    for (int i = 1; i < OLD_PROBES && old && strcmp(failed.sqlstate, "57014") == 0; i++) {
        err_clear(&failed);
        ok = probe_slot(c, &failed);
    }
    if (!conn_command(c, "SET statement_timeout = 0", err_is_set(&failed) ? NULL : err)) {
        if (err_is_set(&failed))
            err_move(err, &failed);
        return false;
    }
    if (ok)
        return true;
    if (old && strcmp(failed.sqlstate, "58P01") == 0) {
        err_clear(&failed);
        report_no_plugin(run, check);
        return true;
    }
    if (strcmp(failed.sqlstate, "57014") == 0 || failed.code == ERR_TIMEOUT) {
        err_clear(&failed);
        return report_blockers(run, check, err);
    }
    err_move(err, &failed);
    return false;
}

/* --- target --- */

/* Tried in a transaction that is rolled back: which roles may is the service's own affair. */
bool check_srr(struct check_run *run, const struct check *check, struct err *err)
{
    struct conn *c = check_conn(run, check);
    struct err refused = ERR_INIT;
    struct items items = ITEMS_INIT;

    /* Nothing is there that would fire. */
    if (check->side == SIDE_TARGET && run->context->plan->schema_foreign_keys == FOREIGN_KEYS_DISABLE && run->context->plan->schema_triggers == TRIGGERS_DISABLE)
        return true;
    if (!conn_command(c, "BEGIN", err))
        return false;
    bool may = conn_command(c, "SET LOCAL session_replication_role = replica", &refused);
    conn_rollback(c);
    if (may)
        return true;
    if (strcmp(refused.sqlstate, "42501") != 0) {
        err_move(err, &refused);
        return false;
    }
    err_clear(&refused);
    struct buf user = BUF_INIT;
    ident_add(&user, PQuser(c->pg));
    char *fix = c->version >= 150000
        ? xasprintf("GRANT SET ON PARAMETER session_replication_role TO %s;", user.data)
        : xasprintf("ALTER ROLE %s SUPERUSER; -- or the service's own administrator role", user.data);
    char *undo = c->version >= 150000
        ? xasprintf("REVOKE SET ON PARAMETER session_replication_role FROM %s;", user.data)
        : xasprintf("ALTER ROLE %s NOSUPERUSER;", user.data);
    items_add(&items, user.data, fix, undo);
    items_report(run, check, &items);
    buf_release(&user);
    free(fix);
    free(undo);
    return true;
}

/* The names of the migrations whose state the target holds; none when the schema is of another make. */
static bool migration_names(struct conn *c, bool *schema_exists, char **names, struct err *err)
{
    char *found;

    *names = NULL;
    if (!conn_scalar(c, "SELECT pg_catalog.to_regclass('pgcutover.migration') IS NOT NULL "
                        "FROM pg_catalog.pg_namespace WHERE nspname = 'pgcutover'", 0, NULL, &found,
                     err))
        return false;
    *schema_exists = found != NULL;
    bool has_table = found && *found == 't';
    free(found);
    return !has_table ||
           conn_scalar(c, "SELECT pg_catalog.string_agg(pg_catalog.format('\"%s\" of database \"%s\"', "
                          "name, source_database), ', ' ORDER BY name) FROM pgcutover.migration",
                       0, NULL, names, err);
}

bool check_leftover_schema(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    bool exists;
    char *names;

    if (!migration_names(run->context->target, &exists, &names, err))
        return false;
    if (exists)
        items_add(&items, names ? names : "no known migration", NULL, NULL);
    items_report(run, check, &items);
    free(names);
    return true;
}
