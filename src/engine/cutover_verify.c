/* The comparison within the cutover: everything that is not known to be equal already. */
#include "engine/cutover.h"

#include <stdlib.h>

#include "base/json.h"
#include "engine/verification.h"
#include "engine/verify_pairs.h"
#include "verify/verify.h"

/* All tables side by side, on as many pairs of connections as the load had. */
struct comparing {
    struct cutover *cutover;
    struct verify_pairs pairs;
    struct verify_job *jobs; /* owned */
    const struct table **tables; /* owned array of borrowed, one a job */
    size_t count, next;
    struct verify_summary *summary;
    struct err failed;       /* the first that could not be compared */
};

static long next_table(void *arg)
{
    struct comparing *it = arg;

    return it->next < it->count && !err_is_set(&it->failed) ? (long)it->next++ : -1;
}

/* Clients see it as they see what the background comparison found. */
static void tell_compared(struct work *work, const struct table *table, lsn_t lsn, const struct verify_result *result)
{
    cJSON *message = json_message("verified");
    enum verified state = !result->equal ? VERIFIED_DIFFERENT : result->note ? VERIFIED_PARTLY : VERIFIED_EQUAL;

    json_add_str(message, "oid", table->oid);
    json_add_str(message, "state", verification_state_name(state));
    char *rows = result->equal || result->note ? NULL
                 : xasprintf("source %lld rows, target %lld rows, with different contents", (long long)result->source_rows,
                             (long long)result->target_rows);
    json_add_str(message, "note", rows ? rows : result->note);
    free(rows);
    json_add_i64(message, "sourceRows", result->source_rows);
    json_add_i64(message, "targetRows", result->target_rows);
    json_add_bool(message, "again", true);
    work_json_add_lsn(message, "lsn", lsn);
    work_send(work, message);
}

static void compared(void *arg, size_t index, const struct verify_result *result)
{
    struct comparing *it = arg;
    struct cutover *c = it->cutover;

    if (!c->rehearses) {
        lsn_t lsn = c->work->p->load_only ? c->work->p->epoch_lsn : c->fence;
        work_record_compared(c->work, it->tables[index], lsn, result);
        tell_compared(c->work, it->tables[index], lsn, result);
    }
    verify_summary_add(it->summary, &it->jobs[index], "table", result);
}

static void could_not(void *arg, size_t index, struct err *err)
{
    struct comparing *it = arg;

    if (err_is_set(&it->failed))
        return;
    err_wrap(err, "table %s.%s", it->jobs[index].schema, it->jobs[index].name);
    err_move(&it->failed, err);
}

/* known: NULL, or tables that need no look. */
static void make_jobs(struct comparing *it, const struct known_tables *known)
{
    const struct pipeline *p = it->cutover->work->p;

    it->jobs = xcalloc(p->table_count + 1, sizeof *it->jobs);
    it->tables = xcalloc(p->table_count + 1, sizeof *it->tables);
    for (size_t i = 0; i < p->table_count; i++) {
        const struct table *t = p->by_size[i];
        if (known && work_is_known(known, t))
            continue;
        it->tables[it->count] = t;
        it->jobs[it->count++] = verify_job_of(t, p->load_only ? p->snapshot : NULL, NULL);
    }
}

static bool verify_rows(struct cutover *c, const struct known_tables *known, struct verify_summary *summary,
                        struct err *err)
{
    struct comparing it = {.cutover = c, .summary = summary};

    make_jobs(&it, known);
    bool ok = verify_pairs_connect(&it.pairs, c->work, it.jobs, it.count, &c->source, &c->reader, err);
    const struct verify_pool pool = {.pairs = it.pairs.pairs, .pair_count = it.pairs.count, .jobs = it.jobs,
                                     .piece_bytes = verify_piece_bytes(c->work), .arg = &it, .next = next_table,
                                     .compared = compared, .failed = could_not};
    ok = ok && verify_pool_run(&pool, err);
    if (ok && err_is_set(&it.failed)) {
        err_move(err, &it.failed);
        ok = false;
    }
    err_clear(&it.failed);
    verify_pairs_close(&it.pairs);
    free(it.jobs);
    free(it.tables);
    return ok;
}

/* What was compared while changes were streamed is not compared again where nothing has changed since. */
static bool verify_unknown_rows(struct cutover *c, size_t *known_count, struct verify_summary *summary,
                                struct err *err)
{
    struct known_tables known;
    bool ok = work_known_equal(c->work, &c->target, &known, err) && verify_rows(c, &known, summary, err);

    for (size_t i = 0; ok && i < known.count && !c->rehearses; i++)
        work_record_known(c->work, known.tables[i], c->fence);
    *known_count = known.count;
    summary->compared += known.count;
    free(known.tables);
    return ok;
}

/* The source goes on being written: it is compared as it was in the snapshot, tables alone. */
bool cutover_verify_copy(struct cutover *c, struct err *err)
{
    struct verify_summary summary = {0};
    bool wanted = c->work->m->plan.verify_when != VERIFY_NEVER;

    if (!wanted || !c->work->p->snapshot) {
        cutover_say(c, wanted ? "not possible: the snapshot went with an engine that was ended"
                      : "not asked for by the plan");
        return true;
    }
    bool ok = verify_rows(c, NULL, &summary, err) && verify_summary_check(&summary, err);
    if (ok)
        cutover_say(c, "%zu tables are equal to the source's snapshot%s%s", summary.compared,
            summary.notes.len ? "; " : "", summary.notes.len ? summary.notes.data : "");
    verify_summary_release(&summary);
    return ok;
}

bool cutover_verify(struct cutover *c, struct err *err)
{
    struct verify_summary summary = {0};
    size_t known_count = 0;

    if (c->work->m->plan.verify_when == VERIFY_NEVER) {
        cutover_say(c, "not asked for by the plan");
        return true;
    }
    bool ok = verify_unknown_rows(c, &known_count, &summary, err) &&
              verify_lobs(&c->source, &c->reader, work_owns_target(c->work), &summary, err) &&
              verify_sequences(&c->source, &c->reader, &c->filter, c->work->m->plan.sequence_margin, &summary, err) &&
              verify_matviews(&c->source, &c->reader, &summary, err) &&
              (c->rehearses || verify_summary_check(&summary, err));
    if (ok)
        cutover_say(c, "%zu objects are equal, %zu of them compared before the freeze and not changed since%s%s",
            summary.compared, known_count, summary.notes.len ? "; " : "", summary.notes.len ? summary.notes.data : "");
    verify_summary_release(&summary);
    return ok;
}
