/* recall, epoch, copy, index: the workers of the full load. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/stop.h"
#include "engine/works.h"
#include "load/copy_table.h"
#include "load/publication.h"
#include "load/slot.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "pg/repl.h"
#include "schema/apply.h"
#include "sql/sql.h"

#define SLOT_TIMEOUT_MS 120000
#define COPY_REPORT_MS 500
#define TABLES_A_MESSAGE 500

/* --- recall: what the target knows --- */

static void add_lsn_text(cJSON *item, const char *key, const PGresult *res, int row, int col)
{
    if (!PQgetisnull(res, row, col))
        json_add_str(item, key, PQgetvalue(res, row, col));
}

static const char *text_or_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}

/* Columns in the order of state_tables.sql. */
static cJSON *table_item(const PGresult *res, int row)
{
    static const char *const numbers[] = {"estRows", "estBytes"};
    static const char *const counters[] = {"rows", "bytes", "startedUs", "endedUs", "inserts",
                                           "updates", "deletes", "truncates"};
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "oid", PQgetvalue(res, row, 0));
    json_add_str(item, "schema", PQgetvalue(res, row, 1));
    json_add_str(item, "name", PQgetvalue(res, row, 2));
    json_add_str(item, "targetSchema", PQgetvalue(res, row, 3));
    json_add_str(item, "targetName", PQgetvalue(res, row, 4));
    json_add_bool(item, "atCutover", *PQgetvalue(res, row, 5) == 't');
    json_add_str(item, "where", text_or_null(res, row, 6));
    json_add_bool(item, "needsFull", *PQgetvalue(res, row, 7) == 't');
    for (int i = 0; i < 2; i++)
        json_add_i64(item, numbers[i], atoll(PQgetvalue(res, row, 8 + i)));
    add_lsn_text(item, "epochLsn", res, row, 10);
    json_add_bool(item, "loaded", *PQgetvalue(res, row, 11) == 't');
    json_add_bool(item, "indexed", *PQgetvalue(res, row, 12) == 't');
    for (int i = 0; i < 8; i++)
        json_add_i64(item, counters[i], atoll(PQgetvalue(res, row, 13 + i)));
    return item;
}

static void send_tables(struct work *work, const PGresult *res)
{
    int count = PQntuples(res);

    for (int row = 0; row == 0 || row < count;) {
        cJSON *message = json_message("tables");
        cJSON *list = cJSON_AddArrayToObject(message, "tables");
        json_add_bool(message, "first", row == 0);
        for (int n = 0; n < TABLES_A_MESSAGE && row < count; n++, row++)
            cJSON_AddItemToArray(list, table_item(res, row));
        json_add_bool(message, "last", row >= count);
        work_send(work, message);
        if (!count)
            return;
    }
}

/* "t" when the target holds this migration's state. */
static bool is_known(struct work *work, struct conn *target, bool *known, struct err *err)
{
    const char *values[] = {work->m->id};
    char *has_schema = NULL;
    char *is_ours = NULL;
    bool ok = conn_scalar(target, sql_state_has_schema, 0, NULL, &has_schema, err);

    *known = false;
    if (ok && has_schema && *has_schema == 't') {
        ok = conn_scalar(target, sql_state_exists, 1, values, &is_ours, err);
        *known = ok && is_ours && *is_ours == 't';
    }
    free(has_schema);
    free(is_ours);
    return ok;
}

bool work_recall(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    PGresult *res = NULL;
    bool known = false;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);

    if (!ok && strcmp(err->sqlstate, "3D000") == 0) {
        /* The target database was not made yet. */
        err_clear(err);
        work_send(work, json_message("nothing"));
        return true;
    }
    ok = ok && is_known(work, &target, &known, err);
    if (ok && !known) {
        work_send(work, json_message("nothing"));
    } else if (ok) {
        res = conn_exec(&target, sql_state_tables, err);
        ok = res != NULL;
        if (ok)
            send_tables(work, res);
    }
    PQclear(res);
    conn_close(&target);
    return ok;
}

/* --- epoch: a snapshot and its LSN --- */

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
    struct publication_tables tables = {.tables = names};
    int seq;

    for (size_t i = 0; i < p->table_count; i++)
        if (!p->by_size[i]->at_cutover)
            names[tables.count++] = (struct table_name){p->by_size[i]->schema, p->by_size[i]->name};
    bool ok = work_made(work, SIDE_SOURCE, "publication", NULL, p->slot, NULL, &seq, err) &&
              publication_create(source, p->slot, &tables, err);
    free(names);
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

static bool begin_stream(struct work *work, struct conn *repl, struct repl_slot *slot,
                         struct err *err)
{
    struct conn source = CONN_INIT;
    int seq;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err);

    work_phase(work, "publication and slot", 0, 0);
    /* Nothing was loaded from an earlier try's slot: it is made anew, with its snapshot. */
    ok = ok && set_identities(work, &source, err) && make_publication(work, &source, err) &&
         work_made(work, SIDE_SOURCE, "slot", NULL, work->p->slot, NULL, &seq, err) &&
         slot_drop(&source, work->p->slot, err);
    repl->timeout_ms = SLOT_TIMEOUT_MS;
    if (ok && !repl_create_slot(repl, work->p->slot, false, "pgoutput", slot, err)) {
        name_blockers(&source, err);
        slot_drop(&source, work->p->slot, NULL);
        ok = false;
    }
    repl->timeout_ms = 0;
    conn_close(&source);
    return ok;
}

static bool begin_epoch(struct conn *repl, struct repl_slot *slot, struct err *err)
{
    char *name = xasprintf("pgcutover_epoch_%d_%lld", PQbackendPID(repl->pg),
                           (long long)clock_wall_us());

    repl->timeout_ms = SLOT_TIMEOUT_MS;
    bool ok = repl_create_slot(repl, name, true, "pgoutput", slot, err);
    repl->timeout_ms = 0;
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

bool work_epoch(struct work *work, struct err *err)
{
    struct conn repl = CONN_INIT;
    struct repl_slot slot = {.name = ""};
    char text[LSN_TEXT_SIZE];
    bool first = work->p->state == PIPE_STARTING;
    bool ok = work_connect(work, &repl, SIDE_SOURCE, CONN_REPLICATION, err);

    ok = ok && (first ? begin_stream(work, &repl, &slot, err) : begin_epoch(&repl, &slot, err));
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

/* --- copy --- */

struct copier {
    struct work *work;
    struct conn source, target;
    const struct table *table;
    int64_t told_ms;
};

static void report_copying(void *arg, int64_t rows, int64_t bytes)
{
    struct copier *c = arg;

    if (clock_mono_ms() < c->told_ms + COPY_REPORT_MS)
        return;
    c->told_ms = clock_mono_ms();
    cJSON *message = json_message("copying");
    json_add_str(message, "oid", c->table->oid);
    json_add_i64(message, "rows", rows);
    json_add_i64(message, "bytes", bytes);
    work_send(c->work, message);
}

void work_report_copied(struct work *work, const struct table *table,
                        const struct copy_result *result, lsn_t epoch)
{
    cJSON *message = json_message("copied");

    json_add_str(message, "oid", table->oid);
    json_add_i64(message, "rows", result->rows);
    json_add_i64(message, "bytes", result->bytes);
    json_add_i64(message, "startedUs", result->started_us);
    json_add_i64(message, "endedUs", result->ended_us);
    work_json_add_lsn(message, "epochLsn", epoch);
    work_send(work, message);
}

static void report_failed(struct work *work, const struct table *table, struct err *err)
{
    cJSON *message = json_message("table_failed");

    log_err(LOG_ERROR, err);
    json_add_str(message, "oid", table->oid);
    cJSON_AddItemToObject(message, "error", err_to_json(err));
    work_send(work, message);
    err_clear(err);
}

static bool copy_one(struct copier *c, struct err *err)
{
    const struct table *t = c->table;
    struct copy_progress progress = {.report = report_copying, .arg = c};
    struct copy_job job = {
        .oid = t->oid,
        .schema = t->schema,
        .name = t->name,
        .target_schema = t->target_schema,
        .target_name = t->target_name,
        .where = t->where,
        .epoch_lsn = c->work->p->epoch_lsn,
        .mark = true,
    };
    struct copy_result result;

    c->told_ms = clock_mono_ms();
    if (copy_table(&c->source, &c->target, &job, &progress, &result, err)) {
        work_report_copied(c->work, t, &result, job.epoch_lsn);
        return true;
    }
    err_wrap(err, "table %s.%s", t->schema, t->name);
    if (err->retryable || err->code == ERR_STOPPED || !conn_is_open(&c->source) ||
        !conn_is_open(&c->target))
        return false;
    report_failed(c->work, t, err);
    return snapshot_adopt(&c->source, c->work->p->snapshot, err);
}

/* The next job's table, NULL with err empty when the channel says something else. */
static const struct table *next_job(struct work *work, struct err *err)
{
    cJSON *message = work_receive(work, -1, err);
    const struct table *table = message ? pipeline_table(work->p, json_str(message, "oid")) : NULL;

    cJSON_Delete(message);
    return table;
}

bool work_copy(struct work *work, struct err *err)
{
    struct copier c = {.work = work, .source = CONN_INIT, .target = CONN_INIT};
    bool ok = work_connect(work, &c.source, SIDE_SOURCE, CONN_READER, err) &&
              work_connect(work, &c.target, SIDE_TARGET, CONN_WRITER, err) &&
              snapshot_adopt(&c.source, work->p->snapshot, err);

    while (ok) {
        work_send(work, json_message("ready"));
        c.table = next_job(work, err);
        ok = !err_is_set(err) && (!c.table || copy_one(&c, err));
    }
    conn_close(&c.source);
    conn_close(&c.target);
    return ok;
}

/* --- index --- */

static bool index_one(struct work *work, struct conn *target, const struct table *table,
                      struct err *err)
{
    bool ok = work_lock_schema(target, table->oid, err) &&
              schema_index_table(target, table->oid, err);

    if (conn_is_open(target))
        work_unlock_schema(target, table->oid);
    if (!ok) {
        if (err->retryable || err->code == ERR_STOPPED || !conn_is_open(target))
            return false;
        report_failed(work, table, err);
        return true;
    }
    cJSON *message = json_message("indexed");
    json_add_str(message, "oid", table->oid);
    work_send(work, message);
    return true;
}

bool work_index(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);

    while (ok) {
        work_send(work, json_message("ready"));
        const struct table *table = next_job(work, err);
        ok = !err_is_set(err) && (!table || index_one(work, &target, table, err));
    }
    conn_close(&target);
    return ok;
}
