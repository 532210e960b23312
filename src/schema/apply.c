/* How it works: objects that are due are read in bounded portions, in the dump's order, and each portion
 * is sent as one text "BEGIN; statements; UPDATE of their states; COMMIT": one round trip. When that fails,
 * the portion is tried again object by object, which names the culprit. */
#include "schema/apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/stop.h"
#include "pg/recording.h"
#include "schema/apply_run.h"
#include "schema/constraint.h"
#include "sql/sql.h"

#define PORTION 200
#define FAILURES_SHOWN 20
#define BEGIN_TEXT "BEGIN;\n"

struct bad_object {
    int dump_id;
    char *name; /* owned: type and name */
    UT_hash_handle hh;
};

/* --- statements --- */

/* Runs a text; on a server's refusal the transaction is rolled back and *refused set. False with
 * *refused unset: lost connection, stop, deadline. */
static bool run_text(struct conn *c, const char *sql, struct refusal *refusal, bool *refused,
                     struct err *err)
{
    PGresult *res;

    *refused = false;
    if (stop_check(err))
        return false;
    if (!conn_is_open(c)) {
        err_set(err, ERR_CONNECTION, "%s: the connection was lost", c->label);
        if (err)
            err->retryable = true;
        return false;
    }
    int64_t began_us = clock_mono_us();
    if (!PQsendQuery(c->pg, sql)) {
        conn_error(c, NULL, NULL, err);
        return false;
    }
    if (!conn_flush(c, err))
        return false;
    for (;;) {
        if (!conn_next_result(c, &res, err))
            return false;
        if (!res)
            break;
        ExecStatusType status = PQresultStatus(res);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !*refused) {
            *refused = true;
            refusal_take(refusal, res);
            conn_error(c, res, NULL, err);
        }
        PQclear(res);
    }
    recording_note(c, sql, 0, NULL, began_us, NULL, *refused ? refusal->sqlstate : NULL);
    if (!*refused)
        return true;
    if (!conn_is_open(c) || refusal_ends_session(refusal)) {
        *refused = false;
        if (err) {
            err->code = ERR_CONNECTION;
            err->retryable = true;
        }
        return false;
    }
    conn_rollback(c);
    return false;
}

/* --- failures --- */

struct hint {
    const char *sqlstate;
    const char *text;
};

static const struct hint hints[] = {
    {"23503", "Rows of the referencing table have no partner: delete or mend them on the source (the change "
              "is carried over), or make the foreign key NOT VALID there."},
    {"23505", "Two rows have the same key: compare the table with the source."},
    {"0A000", "Install on the target's host what the message names (an extension's package), or drop it on "
              "the source."},
    {"58P01", "Install the extension's package on the target's host."},
    {"42501", "Grant the target's role the privilege, or migrate with a role that has it."},
    {"42P06", "The target's database is not empty."},
    {"42P07", "The target's database is not empty."},
    {"42710", "The target's database is not empty."},
    {"42723", "The target's database is not empty."},
    {"55P03", "Another session holds a lock on the table: end it or wait."},
    {"53200", "Raise max_locks_per_transaction on the target."},
};

static const char *hint_for(const char *sqlstate, const char *message)
{
    if (strcmp(sqlstate, "42704") == 0 && message && strncmp(message, "role ", 5) == 0)
        return "Create the role on the target, or let the roles be copied.";
    for (size_t i = 0; i < sizeof hints / sizeof *hints; i++)
        if (strcmp(hints[i].sqlstate, sqlstate) == 0)
            return hints[i].text;
    return "Mend the cause on the target.";
}

static void mark_bad(struct run *run, const struct object *object)
{
    struct bad_object *bad = xcalloc(1, sizeof *bad);

    bad->dump_id = object->dump_id;
    bad->name = xasprintf("%s %s", object->type, object->name);
    HASH_ADD_INT(run->bad, dump_id, bad);
}

/* What it needs, and did not go; NULL: nothing of that kind. */
static const struct bad_object *waits_for_bad(struct run *run, const struct object *object)
{
    struct bad_object *bad = NULL;

    if (!run->bad)
        return NULL;
    for (const char *at = object->depends; *at && !bad; at++) {
        if (*at != '{' && *at != ',')
            continue;
        int id = atoi(at + 1);
        HASH_FIND_INT(run->bad, &id, bad);
    }
    return bad;
}

/* The line that holds the position'th character (counted from 1), its number, and that of the character in it. */
static const char *line_at(const char *text, long position, int *number, int *column, size_t *len)
{
    const char *line = text;

    *number = *column = 1;
    for (const char *at = text; *at && position > 1; at++) {
        if (((unsigned char)at[1] & 0xC0) != 0x80) {
            position--;
            ++*column;
        }
        if (*at == '\n') {
            line = at + 1;
            ++*number;
            *column = 1;
        }
    }
    *len = strcspn(line, "\n");
    return line;
}

static void describe(struct run *run, const struct object *object, const struct refusal *refusal)
{
    struct buf *out = &run->failures;
    long position = refusal->position - (long)strlen(BEGIN_TEXT);

    buf_addf(out, "%s%s %s: %s (%s)", run->failed > 1 ? "\n" : "", object->type, object->name,
             refusal->message ? refusal->message : "refused", refusal->sqlstate);
    if (refusal->detail)
        buf_addf(out, " %s", refusal->detail);
    if (position > 0) {
        int number, column;
        size_t len;
        const char *line = line_at(object->statement, position, &number, &column, &len);
        buf_addf(out, ", line %d, character %d: %.*s", number, column, (int)(len < 200 ? len : 200), line);
    }
}

/* Refusals that change nothing of what was to be: a comment on an extension whose owner is the
 * provider. pg_dump 10 writes one for plpgsql always. */
static bool is_harmless(const struct object *object, const struct refusal *refusal)
{
    return strcmp(object->type, "COMMENT") == 0 && strcmp(refusal->sqlstate, "42501") == 0 &&
           strncmp(object->name, "EXTENSION ", 10) == 0;
}

bool run_set_state(struct conn *c, int dump_id, const char *state, const struct refusal *refusal,
                      struct err *err)
{
    char id[16];
    const char *values[] = {id, state, refusal ? refusal->sqlstate : NULL,
                            refusal ? refusal->message : NULL};

    snprintf(id, sizeof id, "%d", dump_id);
    return conn_command_params(c, "UPDATE pgcutover.objects SET state = $2, sqlstate = $3, message = $4 "
                               "WHERE dump_id = $1::integer", 4, values, err);
}

/* What holds rows, is needed by what does, or keeps rows from those who may not see them, cannot be left out; nor is what may go
 * when it is tried again. */
static bool may_be_left_out(const struct object *object, const struct refusal *refusal)
{
    static const char *const needed[] = {"TABLE", "TABLE ATTACH", "SEQUENCE", "ROW SECURITY"};

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (strcmp(object->type, needed[i]) == 0)
            return false;
    return !sqlstate_is_retryable(refusal->sqlstate);
}

static bool know_policy(struct run *run, struct err *err)
{
    char *policy = NULL;

    if (run->policy != POLICY_UNKNOWN)
        return true;
    if (!conn_scalar(run->target, "SELECT on_error FROM pgcutover.migration LIMIT 1", 0, NULL, &policy, err))
        return false;
    run->policy = policy && strcmp(policy, "skip-and-report") == 0 ? POLICY_SKIP : POLICY_STOP;
    free(policy);
    return true;
}

static bool leave_out(struct run *run, const struct object *object, const struct refusal *refusal,
                      const char *decision, struct err *err)
{
    char id[16];
    const char *values[] = {id, *refusal->sqlstate ? refusal->sqlstate : NULL, refusal->message, decision};

    snprintf(id, sizeof id, "%d", object->dump_id);
    log_msg(LOG_WARNING, "skipped: %s %s: %s%s%s%s", object->type, object->name, refusal->message ? refusal->message : "refused",
            *refusal->sqlstate ? " (" : "", refusal->sqlstate, *refusal->sqlstate ? ")" : "");
    return conn_command_params(run->target, "UPDATE pgcutover.objects SET state = 'skipped', sqlstate = $2, message = $3, "
                               "decision = $4 WHERE dump_id = $1::integer", 4, values, err);
}

bool run_failed(struct run *run, const struct object *object,
                           const struct refusal *refusal, struct err *err)
{
    bool retryable = sqlstate_is_retryable(refusal->sqlstate);

    if (is_harmless(object, refusal))
        return leave_out(run, object, refusal, "harmless", err);
    if (!know_policy(run, err))
        return false;
    if (run->policy == POLICY_SKIP && may_be_left_out(object, refusal)) {
        mark_bad(run, object);
        return leave_out(run, object, refusal, "on-error", err);
    }
    run->retryable = retryable && (run->failed == 0 || run->retryable);
    if (run->failed++ == 0)
        memcpy(run->sqlstate, refusal->sqlstate, sizeof run->sqlstate);
    if (run->failed <= FAILURES_SHOWN)
        describe(run, object, refusal);
    mark_bad(run, object);
    return run_set_state(run->target, object->dump_id, object->built ? "built" : "failed", refusal, err);
}

/* --- applying --- */

/* Of a constraint whose index is built only the second step is left. */
static void add_statement(struct buf *text, const struct object *object)
{
    struct buf index = BUF_INIT, constraint = BUF_INIT;
    bool second = object->built && constraint_split(object->statement, &index, &constraint);

    buf_addf(text, "%s\n", second ? constraint.data : object->statement);
    buf_release(&index);
    buf_release(&constraint);
}

void run_text_of(struct buf *text, const struct object *objects, size_t count, bool applied)
{
    buf_clear(text);
    buf_addstr(text, BEGIN_TEXT);
    for (size_t i = 0; i < count; i++)
        add_statement(text, &objects[i]);
    if (applied) {
        buf_addstr(text, "UPDATE pgcutover.objects SET state = 'applied', sqlstate = NULL, "
                         "message = NULL WHERE dump_id IN (");
        for (size_t i = 0; i < count; i++)
            buf_addf(text, "%s%d", i ? "," : "", objects[i].dump_id);
        buf_addstr(text, ");\n");
    }
    buf_addstr(text, "COMMIT");
}

/* Runs one object's statement, again when a lock was in the way; applied: its state goes with it.
 * *refused: the server will not, as in run_text(). */
bool run_statement(struct run *run, const struct object *object, bool applied,
                    struct refusal *refusal, bool *refused, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = false;

    run_text_of(&text, object, 1, applied);
    for (int tries = 1; !ok; tries++) {
        ok = run_text(run->target, text.data, refusal, refused, err);
        int pause_ms = ok || !*refused || !refusal_may_pass(refusal) ? -1 : refusal_pause_ms(tries);
        if (pause_ms < 0)
            break;
        if (!stop_sleep(pause_ms, err)) {
            *refused = false;
            break;
        }
    }
    buf_release(&text);
    if (ok)
        err_clear(err);
    return ok;
}

/* False: the run must end. */
bool run_object(struct run *run, const struct object *object, struct err *err)
{
    struct refusal refusal = {0};
    bool refused;
    bool ok = run_statement(run, object, true, &refusal, &refused, err);

    if (refused) {
        err_clear(err);
        ok = run_failed(run, object, &refusal, err);
    }
    refusal_release(&refusal);
    return ok;
}

void run_report(struct run *run, const struct object *last)
{
    if (run->progress && run->progress->report)
        run->progress->report(run->progress->arg, run->done, run->total, last->name);
}

/* Not tried: it waits for the next run, or is left out like what it needs. */
static bool run_waits(struct run *run, const struct object *object, const struct bad_object *needed, struct err *err)
{
    struct refusal why = {.message = xasprintf("it needs %s, which failed", needed->name)};
    bool ok = true;

    if (run->policy == POLICY_SKIP) {
        ok = run_failed(run, object, &why, err);
    } else {
        if (run->waiting++ < FAILURES_SHOWN)
            buf_addf(&run->waiters, "%s%s %s", run->waiters.len ? ", " : "", object->type, object->name);
        mark_bad(run, object);
    }
    refusal_release(&why);
    return ok;
}

bool run_singly(struct run *run, const struct object *objects, size_t count,
                         struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct bad_object *needed = waits_for_bad(run, &objects[i]);
        if (needed) {
            if (!run_waits(run, &objects[i], needed, err))
                return false;
            continue;
        }
        if (!run_object(run, &objects[i], err))
            return false;
        run->done++;
        run_report(run, &objects[i]);
    }
    return true;
}

static bool apply_together(struct run *run, const struct object *objects, size_t count,
                           struct err *err)
{
    struct buf text = BUF_INIT;
    struct refusal refusal = {0};
    bool refused;

    run_text_of(&text, objects, count, true);
    bool ok = run_text(run->target, text.data, &refusal, &refused, err);
    buf_release(&text);
    refusal_release(&refusal);
    if (ok) {
        run->done += (int)count;
        run_report(run, &objects[count - 1]);
    } else if (refused) {
        err_clear(err);
        ok = run_singly(run, objects, count, err);
    }
    return ok;
}

static bool apply_portion(struct run *run, const struct object *objects, size_t count,
                          struct err *err)
{
    if (run->portion)
        return run->portion(run, objects, count, err);
    if (run->bad || strcmp(run->phase, "index") == 0)
        return run_singly(run, objects, count, err);
    return apply_together(run, objects, count, err);
}

/* --- the loop over portions --- */

static size_t read_objects(const PGresult *res, struct object *objects)
{
    size_t count = (size_t)PQntuples(res);

    for (int i = 0; i < (int)count; i++)
        objects[i] = (struct object){.dump_id = atoi(PQgetvalue(res, i, 0)),
                                     .position = PQgetvalue(res, i, 1),
                                     .type = PQgetvalue(res, i, 2),
                                     .name = PQgetvalue(res, i, 3),
                                     .depends = PQgetvalue(res, i, 4),
                                     .statement = PQgetvalue(res, i, 5),
                                     .oid = PQgetvalue(res, i, 6),
                                     .built = PQgetvalue(res, i, 7)[0] == 't',
                                     .edited = PQgetvalue(res, i, 8)[0] == 't'};
    return count;
}

static bool apply_due(struct run *run, struct err *err)
{
    char *after = xstrdup("0");
    bool ok = true;
    size_t count = PORTION;
    char portion[16];

    snprintf(portion, sizeof portion, "%d", PORTION);
    while (ok && count == PORTION) {
        const char *values[] = {run->phase, after, portion, run->table};
        PGresult *res = conn_exec_params(run->target, sql_schema_objects_next, 4, values, err);
        struct object *objects = xcalloc(res ? (size_t)PQntuples(res) + 1 : 1, sizeof *objects);
        ok = res != NULL;
        count = ok ? read_objects(res, objects) : 0;
        ok = ok && (!count || apply_portion(run, objects, count, err));
        if (count)
            str_replace(&after, objects[count - 1].position);
        free(objects);
        PQclear(res);
    }
    free(after);
    return ok;
}

static bool prepare(struct run *run, struct err *err)
{
    char *total = NULL;

    if (!conn_commandf(run->target, err,
                       "SET check_function_bodies = false; SET xmloption = content;"
                       "SET client_min_messages = warning; SET row_security = off;"
                       "SET standard_conforming_strings = on; SET search_path = '';%s",
                       run->target->version >= 120000 ? "SET default_table_access_method = heap" : ""))
        return false;
    if (strcmp(run->phase, "after") == 0 &&
        !conn_command(run->target, "RESET check_function_bodies; RESET xmloption; RESET client_min_messages;"
                                   "RESET row_security; RESET search_path", err))
        return false;
    if (run->table) /* nobody is told how far a single table is */
        return true;
    if (!conn_scalar(run->target, "SELECT pg_catalog.count(*) FROM pgcutover.objects WHERE phase = $1 "
                     "AND state IN ('pending', 'failed', 'built')", 1, &run->phase, &total, err))
        return false;
    run->total = atoi(total);
    free(total);
    return true;
}

static void tell_failures(struct run *run, struct err *err)
{
    char *first = xstrndup(run->failures.data, strcspn(run->failures.data, "\n"));
    char *message = strstr(first, ": ");

    if (run->failed > FAILURES_SHOWN)
        buf_addf(&run->failures, "\nand %d more", run->failed - FAILURES_SHOWN);
    if (run->waiting)
        buf_addf(&run->failures, "\n%d objects that depend on these were not tried: %s%s", run->waiting,
                 run->waiters.data, run->waiting > FAILURES_SHOWN ? ", ..." : "");
    if (run->failed == 1)
        err_set(err, ERR_SERVER, "%s: could not apply %s", run->target->label, first);
    else
        err_set(err, ERR_SERVER, "%s: could not apply %d objects of the schema", run->target->label, run->failed);
    err_detail(err, "%s", run->failures.data);
    err_hint(err, "%s Then go on: what is applied stays, the rest is tried again. Or decide in the plan, with schema.edits: "
                  "another text for a statement, or \"skip\".",
             hint_for(run->sqlstate, message ? message + 2 : NULL));
    if (err) {
        memcpy(err->sqlstate, run->sqlstate, sizeof err->sqlstate);
        err->retryable = run->retryable;
    }
    free(first);
}

bool run_phase(struct run *run, struct err *err)
{
    struct err own = ERR_INIT;
    struct bad_object *bad, *next;
    bool ok = prepare(run, &own) && apply_due(run, &own);

    if (!ok)
        err_move(err, &own);
    else if (run->failed)
        tell_failures(run, err);
    HASH_ITER(hh, run->bad, bad, next) {
        HASH_DEL(run->bad, bad);
        free(bad->name);
        free(bad);
    }
    buf_release(&run->waiters);
    buf_release(&run->failures);
    err_clear(&own);
    return ok && !run->failed;
}

bool schema_apply_phase(struct conn *target, const char *phase,
                        const struct schema_progress *progress, struct err *err)
{
    struct run run = {.target = target, .phase = phase, .progress = progress};

    return run_phase(&run, err);
}

bool schema_index_table(struct conn *target, const char *source_oid, struct err *err)
{
    struct run run = {.target = target, .phase = "index", .table = source_oid};
    char *analyze = NULL;
    bool ok = false;

    if (!run_phase(&run, err) ||
        !conn_scalar(target, sql_schema_analyze, 1, &source_oid, &analyze, err))
        return false;
    if (!analyze)
        err_set(err, ERR_INTERNAL, "table with OID %s is not in pgcutover.tables", source_oid);
    else
        ok = conn_command(target, analyze, err) &&
             conn_command_params(target, "UPDATE pgcutover.tables SET indexed = true "
                                 "WHERE source_oid = $1::oid", 1, &source_oid, err);
    free(analyze);
    return ok;
}

/* --- many tables, or one index --- */

/* All that the tables' jobs do, as one transaction. */
static void tables_text(const PGresult *res, const char *oids_array, struct buf *text)
{
    struct buf ids = BUF_INIT;

    buf_addstr(text, BEGIN_TEXT);
    for (int i = 0; i < PQntuples(res); i++) {
        struct object object = {.statement = PQgetvalue(res, i, 1),
                                .built = PQgetvalue(res, i, 2)[0] == 't'};
        add_statement(text, &object);
        if (!PQgetisnull(res, i, 0))
            buf_addf(&ids, "%s%s", ids.len ? "," : "", PQgetvalue(res, i, 0));
    }
    if (ids.len)
        buf_addf(text, "UPDATE pgcutover.objects SET state = 'applied', sqlstate = NULL, "
                       "message = NULL WHERE dump_id IN (%s);\n", ids.data);
    buf_addf(text, "UPDATE pgcutover.tables SET indexed = true WHERE source_oid = ANY ('%s'::oid[]);\n",
             oids_array);
    buf_addstr(text, "COMMIT");
    buf_release(&ids);
}

bool schema_index_tables(struct conn *target, const char *oids_array, struct err *err)
{
    struct run run = {.target = target, .phase = "index", .table = oids_array};
    struct refusal refusal = {0};
    struct buf text = BUF_INIT;
    bool refused;

    if (!prepare(&run, err))
        return false;
    PGresult *res = conn_exec_params(target, sql_schema_objects_of_tables, 1, &oids_array, err);
    if (res)
        tables_text(res, oids_array, &text);
    bool ok = res && run_text(target, text.data, &refusal, &refused, err);
    PQclear(res);
    refusal_release(&refusal);
    buf_release(&text);
    return ok;
}

/* The statement that builds an object's index, and the state that it is in then; NULL: there is no such step. */
static char *build_text(const PGresult *res)
{
    struct buf text = BUF_INIT, constraint = BUF_INIT;
    bool is_index = strcmp(PQgetvalue(res, 0, 2), "INDEX") == 0;

    if (is_index)
        buf_addstr(&text, PQgetvalue(res, 0, 4));
    else if (!constraint_split(PQgetvalue(res, 0, 4), &text, &constraint))
        return NULL;
    buf_addf(&text, "\nUPDATE pgcutover.objects SET state = '%s', sqlstate = NULL, message = NULL "
                    "WHERE dump_id = %s;\nCOMMIT", is_index ? "applied" : "built", PQgetvalue(res, 0, 0));
    buf_release(&constraint);
    return buf_take(&text);
}

/* What was refused is left out where the plan says so. */
static bool refused_is_left_out(struct conn *target, const PGresult *res, const struct refusal *refusal)
{
    struct run run = {.target = target};
    struct object object = {.dump_id = atoi(PQgetvalue(res, 0, 0)), .type = PQgetvalue(res, 0, 2),
                            .name = PQgetvalue(res, 0, 3)};
    struct err own = ERR_INIT;
    bool ok = know_policy(&run, &own) && run.policy == POLICY_SKIP && may_be_left_out(&object, refusal) &&
              leave_out(&run, &object, refusal, "on-error", &own);

    if (err_is_set(&own))
        log_err(LOG_WARNING, &own);
    err_clear(&own);
    return ok;
}

static bool build(struct conn *target, const PGresult *res, const char *sql, struct err *err)
{
    struct refusal refusal = {0};
    bool refused;
    bool ok = run_text(target, sql, &refusal, &refused, err);

    if (!ok && refused && refused_is_left_out(target, res, &refusal)) {
        err_clear(err);
        refusal_release(&refusal);
        return true;
    }
    if (!ok)
        err_wrap(err, "could not apply %s %s", PQgetvalue(res, 0, 2), PQgetvalue(res, 0, 3));
    if (refused)
        err_hint(err, "%s Then go on: what is applied stays, the rest is tried again.",
                 hint_for(refusal.sqlstate, refusal.message));
    refusal_release(&refusal);
    return ok;
}

bool schema_build_index(struct conn *target, const char *source_oid, struct err *err)
{
    struct run run = {.target = target, .phase = "index", .table = source_oid};
    char *after = xstrdup("0");
    bool ok = prepare(&run, err) && conn_command(target, "BEGIN", err);
    bool searching = ok;

    while (searching) {
        const char *values[] = {source_oid, after};
        PGresult *res = conn_exec_params(target, sql_schema_build_next, 2, values, err);
        char *sql = res && PQntuples(res) ? build_text(res) : NULL;
        searching = res && PQntuples(res) && !sql;
        if (searching)
            str_replace(&after, PQgetvalue(res, 0, 1));
        else
            ok = res && (sql ? build(target, res, sql, err) : conn_command(target, "COMMIT", err));
        free(sql);
        PQclear(res);
    }
    if (!ok)
        conn_rollback(target);
    free(after);
    return ok;
}
