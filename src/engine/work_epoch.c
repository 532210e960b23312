/* epoch: makes and holds a snapshot whose LSN is known. The first one comes with the main slot. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "engine/works.h"
#include "load/publication.h"
#include "load/slot.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "pg/repl.h"
#include "sql/sql.h"

#define SLOT_TIMEOUT_MS 120000
#define OLD_TRIES 4

static bool set_identities(struct work *work, struct conn *source, struct err *err)
{
    for (size_t i = 0; i < work->p->table_count; i++) {
        const struct table *t = work->p->by_size[i];
        char *previous = NULL;
        int seq;
        if (!t->needs_full)
            continue;
        bool ok = replident_get(source, t->schema, t->name, &previous, err) &&
                  work_made(work, SIDE_SOURCE, "replica-identity", t->schema, t->name, previous,
                            &seq, err) &&
                  replident_set_full(source, t->schema, t->name, NULL, err);
        free(previous);
        if (!ok)
            return false;
    }
    return true;
}

static bool make_publication(struct work *work, struct conn *source, struct err *err)
{
    const struct pipeline *p = work->p;
    struct table_name *names = xcalloc(p->table_count + 1, sizeof *names);
    struct publication_part *parts = xcalloc(p->table_count + 1, sizeof *parts);
    struct publication_tables tables = {.tables = names, .parts = parts};
    int seq;

    for (size_t i = 0; i < p->table_count; i++) {
        const struct table *t = p->by_size[i];
        if (t->at_cutover)
            continue;
        parts[tables.count] = (struct publication_part){t->where, t->columns};
        names[tables.count++] = (struct table_name){t->schema, t->name};
    }
    /* Before 10 there is none, but the tables need their keys all the same. */
    bool ok = source->version < 100000
                  ? publication_refuse_keyless(source, &tables, err)
                  : work_made(work, SIDE_SOURCE, "publication", NULL, p->slot, NULL, &seq, err) &&
                        publication_create(source, p->slot, &tables, err);
    free(names);
    free(parts);
    return ok;
}

/* A slot's creation waits for every transaction that writes: when it takes too long, it says for whom. */
static void name_blockers(struct conn *source, struct err *err)
{
    struct buf text = BUF_INIT;

    if (err->code == ERR_TIMEOUT && slot_blockers(source, &text, NULL) && text.len) {
        err_detail(err, "It waits for these transactions to end:\n%s", text.data);
        err_hint(err, "End them, or wait, and run \"pgcutover resume\".");
        err->retryable = false;
    }
    buf_release(&text);
}

/* "initial slot snapshot too large": so many transactions came and went meanwhile that they do not fit into a snapshot.
 * Another moment is another chance, on another connection: this one's snapshot is not let go of after it. */
static void mark_too_busy(struct err *err)
{
    if (err->message && strstr(err->message, "snapshot too large"))
        err->retryable = true;
}

/* Old minor releases before 10 may wait for a transaction that has ended already: another try does not. */
static bool create_slot(struct conn *source, struct conn *repl, const char *name, int timeout_ms,
                        struct repl_slot *slot, struct err *err)
{
    bool old = repl->version < 100000;
    bool ok = false;

    repl->timeout_ms = old ? timeout_ms / OLD_TRIES : timeout_ms;
    for (int i = 0; i < (old ? OLD_TRIES : 1); i++) {
        err_clear(err);
        ok = repl_create_slot(repl, name, false, slot, err);
        if (ok || err->code != ERR_TIMEOUT || !conn_is_open(repl))
            break;
    }
    if (!ok) {
        mark_too_busy(err);
        name_blockers(source, err);
        slot_drop(source, name, NULL);
    }
    repl->timeout_ms = 0;
    return ok;
}

/* The rows are there already, as of where the stream begins: nothing is loaded. */
static bool mark_loaded(struct work *work, lsn_t lsn, struct err *err)
{
    struct conn target = CONN_INIT;
    char text[LSN_TEXT_SIZE];
    const char *values[] = {lsn_format(lsn, text)};
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) &&
              conn_command_params(&target, sql_state_mark_loaded, 1, values, err);

    conn_close(&target);
    return ok;
}

/* --- a slot that is there already --- */

static bool slot_is_usable(struct work *work, const PGresult *res, struct err *err)
{
    const char *slot = work->p->slot;

    if (!PQntuples(res))
        err_set(err, ERR_PREREQUISITE, "the source has no replication slot \"%s\" (sync.slot)", slot);
    else if (PQgetisnull(res, 0, 0))
        err_set(err, ERR_PREREQUISITE, "slot \"%s\" (sync.slot) has no position: it was invalidated", slot);
    else if (strcmp(PQgetvalue(res, 0, 1), "t") != 0)
        err_set(err, ERR_PREREQUISITE, "slot \"%s\" (sync.slot) is not one of pgoutput in database \"%s\"", slot, work->p->name);
    else if (strcmp(PQgetvalue(res, 0, 2), "t") == 0)
        err_set(err, ERR_PREREQUISITE, "slot \"%s\" (sync.slot) is in use", slot);
    else if (!PQgetisnull(res, 0, 3))
        err_set(err, ERR_PREREQUISITE, "publication \"%s\", which must be there beside the slot of that name, does not have: %s", slot,
                PQgetvalue(res, 0, 3));
    return !err_is_set(err);
}

/* The names of all tables of the stream, as text[] literals. */
static void stream_tables(const struct work *work, struct buf *schemas, struct buf *names)
{
    for (size_t i = 0; i < work->p->table_count; i++) {
        const struct table *t = work->p->by_size[i];
        if (t->at_cutover)
            continue;
        array_add(schemas, t->schema);
        array_add(names, t->name);
    }
    array_end(schemas);
    array_end(names);
}

/* Nothing is made: the stream goes on from where the slot is. */
static bool adopt_slot(struct work *work, struct repl_slot *slot, struct err *err)
{
    struct conn source = CONN_INIT;
    struct buf schemas = BUF_INIT, names = BUF_INIT;
    int seq;

    stream_tables(work, &schemas, &names);
    const char *values[] = {work->p->slot, schemas.data, names.data};
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err);
    PGresult *res = ok ? conn_exec_params(&source, sql_load_given_slot, 3, values, err) : NULL;
    ok = res && slot_is_usable(work, res, err) &&
         work_made(work, SIDE_SOURCE, "given-slot", NULL, work->p->slot, NULL, &seq, err);
    if (ok)
        lsn_parse(PQgetvalue(res, 0, 0), &slot->consistent_lsn);
    ok = ok && mark_loaded(work, slot->consistent_lsn, err);
    PQclear(res);
    buf_release(&schemas);
    buf_release(&names);
    conn_close(&source);
    return ok;
}

static bool begin_stream(struct work *work, struct conn *repl, struct repl_slot *slot,
                         struct err *err)
{
    struct conn source = CONN_INIT;
    bool logs_ddl = false;
    int seq;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err);

    work_phase(work, "publication and slot", 0, 0);
    /* Nothing was loaded from an earlier try's slot: it is made anew, with its snapshot. */
    ok = ok && set_identities(work, &source, err) && make_publication(work, &source, err) &&
         work_make_ddl_log(work, &source, &logs_ddl, err) &&
         work_made(work, SIDE_SOURCE, "slot", NULL, work->p->slot, NULL, &seq, err) &&
         slot_drop(&source, work->p->slot, err) && work_check_again(work, CHECK_BEFORE_LOAD, err) &&
         create_slot(&source, repl, work->p->slot, SLOT_TIMEOUT_MS, slot, err) &&
         (!logs_ddl || work_begin_ddl_log(work, &source, slot->snapshot, err)) &&
         (work->m->plan.sync_mode != SYNC_SYNC_ONLY || mark_loaded(work, slot->consistent_lsn, err));
    conn_close(&source);
    return ok;
}

/* Before 10 no slot is temporary. The snapshot does not need it once it is exported: the WAL sender's own xmin holds
 * it. So it is dropped at once; the journal knows it meanwhile. */
static bool begin_old_epoch(struct work *work, struct conn *repl, int timeout_ms, struct repl_slot *slot,
                            struct err *err)
{
    struct conn source = CONN_INIT;
    char *name = xasprintf("%.57s_epoch", work->p->slot);
    int seq;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              work_made(work, SIDE_SOURCE, "slot", NULL, name, NULL, &seq, err) &&
              slot_drop(&source, name, err) && create_slot(&source, repl, name, timeout_ms, slot, err) &&
              slot_drop(&source, name, err) && work_gone(work, seq, err);

    conn_close(&source);
    free(name);
    return ok;
}

bool work_make_snapshot(struct work *work, struct conn *repl, int timeout_ms, struct repl_slot *slot,
                        struct err *err)
{
    if (repl->version < 100000)
        return begin_old_epoch(work, repl, timeout_ms, slot, err);
    char *name = xasprintf("pgcutover_epoch_%d_%lld", PQbackendPID(repl->pg),
                           (long long)clock_wall_us());

    repl->timeout_ms = timeout_ms;
    bool ok = repl_create_slot(repl, name, true, slot, err);
    repl->timeout_ms = 0;
    if (!ok)
        mark_too_busy(err);
    free(name);
    return ok;
}

/* The snapshot lives as long as this connection does nothing. */
static bool hold(struct work *work, struct conn *repl, struct err *err)
{
    for (;;) {
        int ready = conn_wait(repl, false, 1000, work->channel.fd, err);
        if (ready < 0)
            return false;
        if (ready > 0 && !PQconsumeInput(repl->pg)) {
            conn_error(repl, NULL, NULL, err);
            return false;
        }
        if (!channel_read(&work->channel))
            _exit(1);
    }
}

/* Without a stream any snapshot will do: no slot is made. The position is only told. */
static bool begin_plain(struct conn *source, struct repl_slot *slot, struct err *err)
{
    char *lsn = NULL;
    bool ok = snapshot_begin_plain(source, err) &&
              conn_scalar(source, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, &slot->snapshot,
                          err) &&
              conn_scalar(source, source->version < 100000
                                      ? "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                                        "pg_catalog.pg_last_xlog_replay_location() ELSE "
                                        "pg_catalog.pg_current_xlog_location() END"
                                      : "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN "
                                        "pg_catalog.pg_last_wal_replay_lsn() ELSE "
                                        "pg_catalog.pg_current_wal_lsn() END",
                          0, NULL, &lsn, err);

    if (ok)
        lsn_parse(lsn, &slot->consistent_lsn);
    free(lsn);
    return ok;
}

static bool begin(struct work *work, struct conn *c, struct repl_slot *slot, struct err *err)
{
    if (!work_connect(work, c, SIDE_SOURCE, work->p->load_only ? CONN_READER : CONN_REPLICATION, err))
        return false;
    if (work->p->load_only)
        return work_check_again(work, CHECK_BEFORE_LOAD, err) && begin_plain(c, slot, err);
    if (work->p->state == PIPE_STARTING && work->m->plan.sync_slot)
        return adopt_slot(work, slot, err);
    return work->p->state == PIPE_STARTING ? begin_stream(work, c, slot, err)
                                           : work_make_snapshot(work, c, SLOT_TIMEOUT_MS, slot, err) &&
                                                 work_go_on_ddl_log(work, slot->snapshot, err);
}

bool work_epoch(struct work *work, struct err *err)
{
    struct conn repl = CONN_INIT;
    struct repl_slot slot = {.name = ""};
    char text[LSN_TEXT_SIZE];
    bool ok = begin(work, &repl, &slot, err);

    if (ok) {
        cJSON *message = json_message("epoch");
        json_add_str(message, "snapshot", slot.snapshot);
        json_add_str(message, "lsn", lsn_format(slot.consistent_lsn, text));
        work_send(work, message);
        ok = hold(work, &repl, err);
    }
    repl_slot_release(&slot);
    conn_close(&repl);
    return ok;
}
