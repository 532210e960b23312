#include "engine/verify_pairs.h"

#include <stdlib.h>

#include "engine/works.h"

#define PIECES_A_SPLIT 4         /* pieces of a table that is just large enough to be loaded in parts */
#define PIECE_LEAST (8LL << 20)  /* below, opening the transactions would cost more than reading */
#define RATE_SECONDS 10          /* what one piece may take at the plan's rate */

int64_t verify_piece_bytes(const struct work *work)
{
    const struct plan *plan = &work->m->plan;
    int64_t rate = plan->bytes_per_second;

    /* One pair without a rate: the server's own parallel scan is faster. */
    if (plan->load_jobs < 2 && !rate)
        return 0;
    int64_t bytes = plan->split_above_bytes / PIECES_A_SPLIT + 1;
    if (!rate || bytes / RATE_SECONDS < rate)
        return bytes;
    return rate * RATE_SECONDS > PIECE_LEAST ? rate * RATE_SECONDS : PIECE_LEAST;
}

struct verify_job verify_job_of(const struct table *table, const char *snapshot, const char *target_snapshot)
{
    return (struct verify_job){.schema = table->schema, .name = table->name, .where = table->where, .columns = table->columns,
                               .target_schema = table->target_schema, .target_name = table->target_name,
                               .snapshot = snapshot, .target_snapshot = target_snapshot, .bytes = table->est_bytes};
}

static size_t pieces_of(const struct verify_job *jobs, size_t count, int64_t piece_bytes, size_t most)
{
    size_t pieces = 0;

    for (size_t i = 0; i < count && pieces < most; i++)
        pieces += piece_bytes && jobs[i].bytes > piece_bytes ? (size_t)(jobs[i].bytes / piece_bytes) + 1 : 1;
    return pieces < most ? pieces : most;
}

bool verify_pairs_connect(struct verify_pairs *pairs, struct work *work, const struct verify_job *jobs, size_t count,
                          struct conn *own_source, struct conn *own_target, struct err *err)
{
    size_t most = (size_t)work->m->plan.load_jobs < VERIFY_PAIRS_MAX ? (size_t)work->m->plan.load_jobs : VERIFY_PAIRS_MAX;
    size_t wanted = pieces_of(jobs, count, verify_piece_bytes(work), most);

    if (own_source)
        pairs->pairs[pairs->count++] = (struct verify_pair){own_source, own_target};
    for (; pairs->count < wanted; pairs->count++) {
        struct conn *ends = pairs->ends[pairs->count];
        if (!work_connect(work, &ends[0], SIDE_SOURCE, CONN_READER, err) ||
            !work_connect(work, &ends[1], SIDE_TARGET, CONN_READER, err))
            return false;
        pairs->pairs[pairs->count] = (struct verify_pair){&ends[0], &ends[1]};
    }
    return true;
}

void verify_pairs_close(struct verify_pairs *pairs)
{
    for (size_t i = 0; i < VERIFY_PAIRS_MAX; i++) {
        conn_close(&pairs->ends[i][0]);
        conn_close(&pairs->ends[i][1]);
    }
    pairs->count = 0;
}

struct place {
    const struct table *table;
    size_t at;
};

static lsn_t compared_at(const struct table *table)
{
    return table->verified.state == VERIFIED_NOT ? LSN_INVALID : table->verified.lsn;
}

static int earliest_first(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    lsn_t mine = compared_at(x->table), other = compared_at(y->table);

    if (mine != other)
        return mine < other ? -1 : 1;
    return x->at < y->at ? -1 : 1;
}

void verify_order(const struct table **tables, size_t count)
{
    struct place *places = xcalloc(count + 1, sizeof *places);

    for (size_t i = 0; i < count; i++)
        places[i] = (struct place){tables[i], i};
    if (count)
        qsort(places, count, sizeof *places, earliest_first);
    for (size_t i = 0; i < count; i++)
        tables[i] = places[i].table;
    free(places);
}
