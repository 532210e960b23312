/* verify: compares tables while changes are streamed, both sides as of one position.
 *
 * A new slot on the source gives a snapshot and the position V that it is of. The stream is held still at V on the target
 * for the moment it takes to open a snapshot there too; then it goes on, and the two snapshots are read at leisure. The
 * applier must not be past V when V becomes known: so it stands still already while the slot is made, which
 * waits for every transaction that writes. Where that takes too long it goes on, and another try allows it more.
 *
 * The slot is gone as soon as another session has taken its snapshot over: it keeps no WAL on the source.
 *
 * Rows that differ are copied again ("repair") at a later position, while the stream stands still there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/record.h"
#include "base/rate.h"
#include "base/stop.h"
#include "base/units.h"
#include "engine/decide.h"
#include "engine/verification.h"
#include "engine/verify_pairs.h"
#include "engine/works.h"
#include "load/copy_table.h"
#include "load/slot.h"
#include "load/snapshot.h"
#include "pg/repl.h"
#include "sql/sql.h"
#include "verify/rows.h"

#define HALT_TIMEOUT_MS 600000 /* a transaction that is being applied is not cut */
#define PROGRESS_MS 1000       /* between two words of how far it is */

/* How long the stream may stand still for the slot to be made, a try each; in between it goes on. */
static const int slot_timeouts_ms[] = {2000, 5000, 15000, 60000};
#define SLOT_TRIES (sizeof slot_timeouts_ms / sizeof *slot_timeouts_ms)

struct item {
    const struct table *table;
    bool is_skipped;
    int64_t changes;  /* applied to it, as of the position */
    char *written;    /* owned, may be NULL (verify_standing.sql) */
    char *keys;       /* owned: of its rows that differ (verify/rows.h); NULL: none that can be repaired */
    int64_t repaired;
    int64_t source_rows, target_rows;
    bool is_different;
    UT_hash_handle hh; /* by the table's OID */
};

struct verifier {
    struct work *work;
    struct conn source, target;     /* CONN_READER: hold the snapshots */
    char *from_snapshot, *to_snapshot;
    lsn_t lsn;
    struct verify_pairs pairs;
    struct item *items;
    struct verify_job *jobs;        /* of the items */
    size_t count, next;
    bool again;                     /* the second time, after the repair */
    struct rate rate;
    int64_t bytes_read, bytes_all;  /* by the estimates */
    int64_t told_ms;
    struct conn writer;             /* CONN_WRITER on the target: repairs */
};

/* --- which tables --- */

static bool is_asked_for(const struct pipeline *p, const struct table *t)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, p->verification.oids)
        if (strcmp(item->valuestring, t->oid) == 0)
            return true;
    return !p->verification.oids;
}

static void pick(struct verifier *v)
{
    const struct pipeline *p = v->work->p;
    const struct table **tables = xcalloc(p->table_count + 1, sizeof *tables);

    for (size_t i = 0; i < p->table_count; i++)
        if (is_asked_for(p, p->by_size[i]))
            tables[v->count++] = p->by_size[i];
    verify_order(tables, v->count);
    v->items = xcalloc(v->count + 1, sizeof *v->items);
    v->jobs = xcalloc(v->count + 1, sizeof *v->jobs);
    for (size_t i = 0; i < v->count; i++)
        v->items[i].table = tables[i];
    free(tables);
}

/* The names are good as long as the snapshots are. */
static void make_jobs(struct verifier *v)
{
    v->bytes_all = v->bytes_read = 0;
    for (size_t i = 0; i < v->count; i++) {
        v->jobs[i] = verify_job_of(v->items[i].table, v->from_snapshot, v->to_snapshot);
        v->bytes_all += v->items[i].is_skipped ? 0 : v->jobs[i].bytes;
    }
}

/* --- telling --- */

/* The start of a line of the record about a table at a position. */
static cJSON *record_line(const struct work *work, const struct table *table, lsn_t lsn)
{
    cJSON *line = cJSON_CreateObject();

    json_add_str(line, "database", work->p->name);
    json_add_str(line, "schema", table->schema);
    json_add_str(line, "name", table->name);
    work_json_add_lsn(line, "lsn", lsn);
    return line;
}

void work_record_known(const struct work *work, const struct table *table, lsn_t lsn)
{
    record_add("known-equal", record_line(work, table, lsn));
}

void work_record_compared(const struct work *work, const struct table *table, lsn_t lsn, const struct verify_result *result)
{
    cJSON *line = record_line(work, table, lsn);

    json_add_bool(line, "equal", result->equal);
    json_add_num(line, "sourceRows", (double)result->source_rows);
    json_add_num(line, "targetRows", (double)result->target_rows);
    json_add_str(line, "sourceChecksum", result->source_sum);
    json_add_str(line, "targetChecksum", result->target_sum);
    json_add_str(line, "note", result->note);
    record_add("compared", line);
}

static cJSON *verified_json(const struct verifier *v, size_t index, enum verified state, const char *note)
{
    const struct item *item = &v->items[index];
    cJSON *message = json_message("verified");

    json_add_str(message, "oid", item->table->oid);
    json_add_str(message, "state", verification_state_name(state));
    json_add_str(message, "note", note);
    json_add_i64(message, "changes", item->changes);
    json_add_str(message, "written", item->written);
    json_add_i64(message, "repaired", item->repaired);
    json_add_bool(message, "again", v->again);
    work_json_add_lsn(message, "lsn", v->lsn);
    return message;
}

static cJSON *rows_json(struct verify_rows *rows)
{
    cJSON *json = cJSON_CreateObject();

    json_add_num(json, "different", (double)rows->different);
    json_add_num(json, "missing", (double)rows->missing);
    json_add_num(json, "extra", (double)rows->extra);
    json_add_bool(json, "all", rows->all);
    cJSON_AddItemToObject(json, "rows", rows->shown);
    rows->shown = NULL;
    return json;
}

static char *rows_text(const struct verify_rows *rows, const struct item *item)
{
    char *more = rows->comparable
                     ? xasprintf(": %s%lld different, %lld missing on the target, %lld on the target only",
                                 rows->all ? "" : "of those looked at ", (long long)rows->different,
                                 (long long)rows->missing, (long long)rows->extra)
                     : xstrdup("");
    char *text = xasprintf("source %lld rows, target %lld rows%s", (long long)item->source_rows,
                           (long long)item->target_rows, more);

    free(more);
    return text;
}

/* --- holding the stream --- */

static void halt(struct verifier *v, bool on, lsn_t lsn)
{
    cJSON *message = json_message("halt");

    json_add_bool(message, "on", on);
    work_json_add_lsn(message, "lsn", lsn);
    work_send(v->work, message);
}

/* Until the applier says that it stands still there. */
static bool wait_for_halt(struct verifier *v, lsn_t lsn, struct err *err)
{
    int64_t until = clock_mono_ms() + HALT_TIMEOUT_MS;

    while (clock_mono_ms() < until) {
        cJSON *message = work_receive(v->work, 1000, err);
        if (err_is_set(err))
            return false;
        const char *type = message ? json_str(message, "type") : NULL;
        bool lost = type && strcmp(type, "halt_lost") == 0;
        bool there = type && strcmp(type, "halted") == 0 && work_json_lsn(message, "lsn") == lsn;
        cJSON_Delete(message);
        if (there)
            return true;
        if (lost) {
            err_set(err, ERR_CONFLICT, "the applier ended while it was to stand still");
            err->retryable = true;
            return false;
        }
    }
    err_set(err, ERR_TIMEOUT, "the transaction that is being applied did not end within %d s", HALT_TIMEOUT_MS / 1000);
    err->retryable = true;
    return false;
}

static bool hold_at(struct verifier *v, lsn_t lsn, struct err *err)
{
    halt(v, true, lsn);
    return wait_for_halt(v, lsn, err);
}

/* --- the two snapshots --- */

static void let_snapshots_go(struct verifier *v)
{
    snapshot_end(&v->source);
    snapshot_end(&v->target);
    free(v->from_snapshot);
    free(v->to_snapshot);
    v->from_snapshot = v->to_snapshot = NULL;
}

static bool export_snapshot(struct conn *c, char **snapshot, struct err *err)
{
    return conn_scalar(c, "SELECT pg_catalog.pg_export_snapshot()", 0, NULL, snapshot, err);
}

/* A session of ours takes the slot's snapshot over, so that the slot can go. */
static bool take_source_snapshot(struct verifier *v, struct conn *repl, int timeout_ms, struct err *err)
{
    struct repl_slot slot = {.name = ""};
    bool ok = work_make_snapshot(v->work, repl, timeout_ms, &slot, err) &&
              snapshot_adopt(&v->source, slot.snapshot, err) && export_snapshot(&v->source, &v->from_snapshot, err);

    v->lsn = slot.consistent_lsn;
    repl_slot_release(&slot);
    return ok;
}

/* With the stream still: what is read of the target from here on is as of the position. */
static bool read_standing(struct verifier *v, struct err *err)
{
    PGresult *res = conn_exec(&v->target, sql_verify_standing, err);

    struct item *by_oid = NULL, *item;

    for (size_t i = 0; i < v->count; i++) {
        item = &v->items[i];
        item->is_skipped = true;
        HASH_ADD_KEYPTR(hh, by_oid, item->table->oid, strlen(item->table->oid), item);
    }
    for (int row = 0; res && row < PQntuples(res); row++) {
        HASH_FIND_STR(by_oid, PQgetvalue(res, row, 0), item);
        if (!item)
            continue;
        item->is_skipped = *PQgetvalue(res, row, 1) != 't';
        item->changes = strtoll(PQgetvalue(res, row, 2), NULL, 10);
        free(item->written);
        item->written = PQgetisnull(res, row, 3) ? NULL : xstrdup(PQgetvalue(res, row, 3));
    }
    HASH_CLEAR(hh, by_oid);
    PQclear(res);
    return res != NULL;
}

static bool take_target_snapshot(struct verifier *v, struct err *err)
{
    return snapshot_begin_plain(&v->target, err) && export_snapshot(&v->target, &v->to_snapshot, err) &&
           read_standing(v, err);
}

/* Who holds the making of the slot up? Then somebody should know. */
static void tell_blockers(struct verifier *v, int waited_ms)
{
    struct buf text = BUF_INIT;

    if (slot_blockers(&v->source, &text, NULL) && text.len)
        work_event(v->work, "info", "the comparison waits for transactions of the source to end (%d s so far): %s",
                   waited_ms / 1000, text.data);
    buf_release(&text);
}

/* One try: true, or false with ERR_TIMEOUT when transactions of the source took too long. with: called while the stream
 * stands still, NULL: nothing. */
static bool try_position(struct verifier *v, int timeout_ms, bool (*with)(struct verifier *v, struct err *err),
                         struct err *err)
{
    struct conn repl = CONN_INIT;
    int64_t began_ms;
    bool ok = work_connect(v->work, &repl, SIDE_SOURCE, CONN_REPLICATION, err) && hold_at(v, LSN_INVALID, err);

    began_ms = clock_mono_ms();
    ok = ok && take_source_snapshot(v, &repl, timeout_ms, err) && hold_at(v, v->lsn, err) &&
         (!with || with(v, err)) && take_target_snapshot(v, err);
    halt(v, false, LSN_INVALID);
    log_msg(LOG_INFO, "the stream stood still for %lld ms", (long long)(clock_mono_ms() - began_ms));
    conn_close(&repl);
    if (!ok)
        let_snapshots_go(v);
    return ok;
}

static bool take_position(struct verifier *v, bool (*with)(struct verifier *v, struct err *err), struct err *err)
{
    int64_t began_ms = clock_mono_ms();

    work_phase(v->work, "waiting for a position to compare at", 0, 0);
    for (size_t i = 0; i < SLOT_TRIES; i++) {
        err_clear(err);
        if (try_position(v, slot_timeouts_ms[i], with, err))
            return true;
        if (err->code != ERR_TIMEOUT || stop_requested())
            return false;
        tell_blockers(v, (int)(clock_mono_ms() - began_ms));
        if (i + 1 < SLOT_TRIES && !stop_sleep(slot_timeouts_ms[i], err))
            return false;
    }
    err->retryable = false;
    err_hint(err, "Transactions that write have to end before a position is found. \"pgcutover verify\" tries again.");
    return false;
}

/* --- comparing --- */

static long next_table(void *arg)
{
    struct verifier *v = arg;

    while (v->next < v->count && v->items[v->next].is_skipped)
        v->next++;
    return v->next < v->count ? (long)v->next++ : -1;
}

static int pause_for_rate(void *arg)
{
    const struct verifier *v = arg;

    return (int)((rate_wait_us(&v->rate, clock_mono_ms() * 1000) + 999) / 1000);
}

static void tell_progress(struct verifier *v)
{
    int64_t now_ms = clock_mono_ms();
    char done[32], all[32];

    if (now_ms - v->told_ms < PROGRESS_MS)
        return;
    v->told_ms = now_ms;
    units_bytes(v->bytes_read, done, sizeof done);
    units_bytes(v->bytes_all, all, sizeof all);
    char *text = xasprintf("comparing: about %s of %s", done, all);
    work_phase(v->work, text, 0, 0);
    free(text);
}

/* By the estimate, which is what there is before a table is read. */
static void reads(void *arg, size_t index, int64_t bytes, bool done)
{
    struct verifier *v = arg;

    (void)index;
    if (!done) {
        rate_add(&v->rate, bytes, clock_mono_ms() * 1000);
        return;
    }
    v->bytes_read += bytes;
    tell_progress(v);
}

static void compared(void *arg, size_t index, const struct verify_result *result)
{
    struct verifier *v = arg;

    /* Again and again, for days: the status has the last one. */
    if (v->work->m->plan.verify_when != VERIFY_CONTINUOUS)
        work_record_compared(v->work, v->items[index].table, v->lsn, result);
    if (!result->equal && result->source_sum[0]) {
        struct item *item = &v->items[index];
        item->is_different = true; /* which rows is looked for afterwards */
        item->source_rows = result->source_rows;
        item->target_rows = result->target_rows;
        return;
    }
    enum verified state = !result->equal ? VERIFIED_DIFFERENT : result->note ? VERIFIED_PARTLY : VERIFIED_EQUAL;
    cJSON *message = verified_json(v, index, state, result->note);
    json_add_i64(message, "sourceRows", result->source_rows);
    json_add_i64(message, "targetRows", result->target_rows);
    work_send(v->work, message);
}

static void could_not(void *arg, size_t index, struct err *err)
{
    struct verifier *v = arg;
    char *text = err_text(err);

    work_send(v->work, verified_json(v, index, VERIFIED_FAILED, text));
    free(text);
}

static void tell_skipped(struct verifier *v)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].is_skipped)
            work_send(v->work, verified_json(v, i, VERIFIED_SKIPPED,
                                             v->items[i].table->at_cutover
                                                 ? "it is brought up to date at the cutover, and compared there"
                                                 : "it is not in the stream at present"));
}

/* Which rows differ, in the same snapshots. */
static bool search_rows(struct verifier *v, size_t index, struct err *err)
{
    struct item *item = &v->items[index];
    struct verify_pair *pair = &v->pairs.pairs[0];
    struct verify_rows rows = {0};
    bool ok = verify_rows(pair->src, pair->dst, &v->jobs[index], item->source_rows, &rows, err);

    if (ok) {
        char *text = rows_text(&rows, item);
        cJSON *message = verified_json(v, index, VERIFIED_DIFFERENT, text);
        free(text);
        json_add_i64(message, "sourceRows", item->source_rows);
        json_add_i64(message, "targetRows", item->target_rows);
        item->keys = rows.keys;
        rows.keys = NULL;
        cJSON_AddItemToObject(message, "differences", rows_json(&rows));
        work_send(v->work, message);
    }
    verify_rows_release(&rows);
    return ok;
}

static bool search_all(struct verifier *v, struct err *err)
{
    for (size_t i = 0; i < v->count; i++) {
        struct err own = ERR_INIT;
        if (!v->items[i].is_different || search_rows(v, i, &own))
            continue;
        if (own.retryable || own.code == ERR_STOPPED || !conn_is_open(v->pairs.pairs[0].src) ||
            !conn_is_open(v->pairs.pairs[0].dst)) {
            err_move(err, &own);
            return false;
        }
        could_not(v, i, &own);
        err_clear(&own);
    }
    return true;
}

static bool compare_all(struct verifier *v, struct err *err)
{
    struct verify_pool pool = {.pairs = v->pairs.pairs, .pair_count = v->pairs.count, .jobs = v->jobs,
                               .piece_bytes = verify_piece_bytes(v->work), .arg = v, .next = next_table,
                               .pause = pause_for_rate, .reads = reads, .compared = compared, .failed = could_not};

    work_phase(v->work, "comparing", 0, 0);
    make_jobs(v);
    v->next = 0;
    return verify_pool_run(&pool, err) && search_all(v, err);
}

/* --- repairing --- */

static bool repair_one(struct verifier *v, struct item *item, struct err *err)
{
    const struct table *t = item->table;
    char *where = t->where ? xasprintf("(\n%s\n) AND %s", t->where, item->keys) : xstrdup(item->keys);
    struct copy_job job = {.oid = t->oid, .schema = t->schema, .name = t->name, .target_schema = t->target_schema,
                           .target_name = t->target_name, .columns = t->columns, .where = where, .replace = item->keys,
                           .epoch_lsn = v->lsn};
    struct copy_result result;
    bool ok = snapshot_adopt(v->pairs.pairs[0].src, v->from_snapshot, err) &&
              copy_table(v->pairs.pairs[0].src, &v->writer, &job, NULL, &result, err);

    snapshot_end(v->pairs.pairs[0].src);
    if (ok)
        item->repaired = result.rows;
    free(where);
    return ok;
}

/* The stream stands still: target and source's snapshot are of one position but for the rows that differed. Triggers and
 * foreign keys do not act: what the source has is right. */
static bool repair_rows(struct verifier *v, struct err *err)
{
    for (size_t i = 0; i < v->count; i++)
        if (v->items[i].keys && !repair_one(v, &v->items[i], err))
            return false;
    return true;
}

static bool prepare_writer(struct verifier *v, struct err *err)
{
    if (!work_connect(v->work, &v->writer, SIDE_TARGET, CONN_WRITER, err))
        return false;
    if (v->writer.replica_role || (holds_keys(&v->work->m->plan) && holds_triggers(&v->work->m->plan)))
        return true;
    err_set(err, ERR_PREREQUISITE, "%s: the role may not set session_replication_role: rows cannot be repaired "
                                   "without firing triggers", v->writer.label);
    err_hint(err, "\"pgcutover reload\" loads the table again.");
    return false;
}

/* Tables of which rows can be copied are looked at once more, all others not. */
static size_t narrow_to_repairable(struct verifier *v)
{
    size_t left = 0;

    for (size_t i = 0; i < v->count; i++) {
        if (v->items[i].keys)
            v->items[left++] = v->items[i];
        else
            free(v->items[i].written);
    }
    for (size_t i = 0; i < left; i++)
        v->items[i].is_different = false;
    v->count = left;
    return left;
}

static bool repair(struct verifier *v, struct err *err)
{
    if (!narrow_to_repairable(v))
        return true;
    v->again = true;
    let_snapshots_go(v);
    return prepare_writer(v, err) && take_position(v, repair_rows, err) && compare_all(v, err);
}

/* --- afterwards --- */

static bool is_unchanged(const struct table *t, const PGresult *res, int row)
{
    const struct table_verification *v = &t->verified;

    return v->state == VERIFIED_EQUAL && v->written && *PQgetvalue(res, row, 1) == 't' &&
           strtoll(PQgetvalue(res, row, 2), NULL, 10) == v->changes && !PQgetisnull(res, row, 3) &&
           strcmp(PQgetvalue(res, row, 3), v->written) == 0;
}

static int by_address(const void *a, const void *b)
{
    const struct table *const *x = a;
    const struct table *const *y = b;

    return *x < *y ? -1 : *x > *y;
}

bool work_known_equal(const struct work *work, struct conn *target, struct known_tables *known, struct err *err)
{
    PGresult *res = conn_exec(target, sql_verify_standing, err);

    *known = (struct known_tables){.tables = xcalloc(work->p->table_count + 1, sizeof *known->tables)};
    for (int row = 0; res && row < PQntuples(res); row++) {
        const struct table *t = pipeline_table(work->p, PQgetvalue(res, row, 0));
        if (t && known->count < work->p->table_count && is_unchanged(t, res, row))
            known->tables[known->count++] = t;
    }
    if (known->count)
        qsort(known->tables, known->count, sizeof *known->tables, by_address);
    PQclear(res);
    return res != NULL;
}

bool work_is_known(const struct known_tables *known, const struct table *table)
{
    return known->count && bsearch(&table, known->tables, known->count, sizeof *known->tables, by_address);
}

/* --- the whole --- */

static bool connect_all(struct verifier *v, struct err *err)
{
    make_jobs(v); /* their sizes say how many pairs are of use */
    return verify_pairs_connect(&v->pairs, v->work, v->jobs, v->count, NULL, NULL, err) &&
           work_connect(v->work, &v->source, SIDE_SOURCE, CONN_READER, err) &&
           work_connect(v->work, &v->target, SIDE_TARGET, CONN_READER, err);
}

static void tell_begun(struct verifier *v)
{
    cJSON *message = json_message("verify_begun");

    json_add_i64(message, "total", (int64_t)v->count);
    work_json_add_lsn(message, "lsn", v->lsn);
    work_send(v->work, message);
    tell_skipped(v);
}

static void release(struct verifier *v)
{
    let_snapshots_go(v);
    verify_pairs_close(&v->pairs);
    conn_close(&v->source);
    conn_close(&v->target);
    conn_close(&v->writer);
    for (size_t i = 0; i < v->count; i++) {
        free(v->items[i].written);
        free(v->items[i].keys);
    }
    free(v->items);
    free(v->jobs);
}

bool work_verify(struct work *work, struct err *err)
{
    struct verifier v = {.work = work};

    pick(&v);
    rate_set(&v.rate, work->m->plan.bytes_per_second, clock_mono_ms() * 1000);
    bool ok = connect_all(&v, err) && take_position(&v, NULL, err);
    if (ok) {
        tell_begun(&v);
        ok = compare_all(&v, err) && (!work->p->verification.repairs || repair(&v, err));
    }
    release(&v);
    return ok;
}
