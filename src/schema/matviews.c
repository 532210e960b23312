#include "schema/matviews.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sql/sql.h"

struct refresh {
    struct conn *target;
    const PGresult *views;
    bool *done; /* owned, one a view */
    int done_count;
    struct buf failures; /* of the last pass */
    struct err first;
};

static bool is_fatal(const struct conn *c, const struct err *err)
{
    return err->code != ERR_SERVER || !conn_is_open(c);
}

/* One pass over those that are left. False when the run must end, with err set. */
static bool pass(struct refresh *refresh, const struct schema_progress *progress, struct err *err)
{
    int count = PQntuples(refresh->views);

    buf_clear(&refresh->failures);
    err_clear(&refresh->first);
    for (int i = 0; i < count; i++) {
        struct err own = ERR_INIT;
        const char *name = PQgetvalue(refresh->views, i, 1);
        if (refresh->done[i])
            continue;
        if (conn_command(refresh->target, PQgetvalue(refresh->views, i, 0), &own)) {
            refresh->done[i] = true;
            refresh->done_count++;
            if (progress && progress->report)
                progress->report(progress->arg, refresh->done_count, count, name);
            continue;
        }
        if (is_fatal(refresh->target, &own)) {
            err_move(err, &own);
            return false;
        }
        buf_addf(&refresh->failures, "%s%s: %s (%s)", refresh->failures.len ? "\n" : "", name,
                 own.message, own.sqlstate);
        if (!err_is_set(&refresh->first))
            err_move(&refresh->first, &own);
        err_clear(&own);
    }
    return true;
}

/* Views that were left out by a decision are not there. */
static bool pass_over_skipped(struct refresh *refresh, struct err *err)
{
    PGresult *skipped = conn_exec(refresh->target, "SELECT pg_catalog.format('%I.%I', object_schema, object_name) "
                                  "FROM pgcutover.objects WHERE object_type = 'MATERIALIZED VIEW' AND state = 'skipped'", err);

    for (int i = 0; skipped && i < PQntuples(skipped); i++)
        for (int k = 0; k < PQntuples(refresh->views); k++)
            if (!refresh->done[k] && strcmp(PQgetvalue(skipped, i, 0), PQgetvalue(refresh->views, k, 1)) == 0) {
                refresh->done[k] = true;
                refresh->done_count++;
            }
    PQclear(skipped);
    return skipped != NULL;
}

bool schema_matviews_refresh(struct conn *source, struct conn *target,
                             const struct schema_progress *progress, struct err *err)
{
    PGresult *views = conn_exec(source, sql_schema_matviews, err);
    struct refresh refresh = {.target = target, .views = views};
    bool ok = views != NULL;
    int count = ok ? PQntuples(views) : 0;
    int before;

    refresh.done = xcalloc((size_t)count + 1, sizeof *refresh.done);
    ok = ok && pass_over_skipped(&refresh, err);
    do {
        before = refresh.done_count;
        ok = ok && pass(&refresh, progress, err);
    } while (ok && refresh.done_count < count && refresh.done_count > before);
    if (ok && refresh.done_count < count) {
        ok = false;
        err_move(err, &refresh.first);
        err_wrap(err, "could not fill %d of %d materialized views", count - refresh.done_count, count);
        err_detail(err, "%s", refresh.failures.data);
    }
    err_clear(&refresh.first);
    buf_release(&refresh.failures);
    free(refresh.done);
    PQclear(views);
    return ok;
}
