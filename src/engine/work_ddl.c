/* Schema changes while syncing: the log on the source is made before the slot, so that every change behind
 * the slot's position is in the stream; where the stream begins, the definitions are kept on the target.
 *
 * The functions that describe a table see the present, not the snapshot. So the log's rows are counted in
 * the snapshot and after the reading: when they are as many, nothing was changed in between. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/works.h"
#include "load/ddl_log.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define DEFINITIONS_A_MESSAGE 200

/* --- the log --- */

struct picks {
    struct ddl_pick *items;
    char **owned; /* schemas and names */
    size_t count;
};

static void add_pick(struct picks *picks, const char *pattern, bool included)
{
    struct ddl_pick *pick = &picks->items[picks->count];
    char *schema = NULL;
    char *name = NULL;

    if (pattern && !ident_split(pattern, &schema, &name))
        return;
    *pick = (struct ddl_pick){included, schema, name ? name : "*"};
    picks->owned[2 * picks->count] = schema;
    picks->owned[2 * picks->count + 1] = name;
    picks->count++;
}

static void picks_init(struct picks *picks, const struct work *work)
{
    const struct plan_database *database = work->p->plan;
    size_t room = database->selected_count + database->excluded_count + 1;

    *picks = (struct picks){.items = xcalloc(room, sizeof *picks->items),
                            .owned = xcalloc(2 * room, sizeof *picks->owned)};
    for (size_t i = 0; i < database->selected_count; i++)
        add_pick(picks, database->selected[i], true);
    if (!database->selected_count)
        add_pick(picks, NULL, true);
    for (size_t i = 0; i < database->excluded_count; i++)
        add_pick(picks, database->excluded[i], false);
}

static void picks_release(struct picks *picks)
{
    for (size_t i = 0; i < 2 * picks->count; i++)
        free(picks->owned[i]);
    free(picks->owned);
    free(picks->items);
}

static bool is_allowed(struct conn *source, bool *allowed, struct err *err)
{
    PGresult *res = conn_exec(source, sql_check_ddl_log, err);

    *allowed = res && PQntuples(res) == 0;
    PQclear(res);
    return res != NULL;
}

bool work_make_ddl_log(struct work *work, struct conn *source, bool *made, struct err *err)
{
    struct picks picks;
    int seq;

    *made = false;
    if (work->m->plan.sync_ddl != SYNC_DDL_APPLY)
        return true;
    if (source->version < 100000) {
        work_event(work, "warning", "schema changes cannot be followed from a server before 10: a table whose "
                                    "definition changes there stops the migration");
        return true;
    }
    if (!is_allowed(source, made, err))
        return false;
    if (!*made) {
        work_event(work, "warning", "the role may not make event triggers on the source: a table whose "
                                    "definition changes there stops the migration");
        return true;
    }
    picks_init(&picks, work);
    bool ok = work_made(work, SIDE_SOURCE, "ddl-log", NULL, work->p->slot, NULL, &seq, err) &&
              ddl_log_create(source, work->p->slot, picks.items, picks.count, err);
    picks_release(&picks);
    return ok;
}

/* --- where it begins --- */

static bool count_entries(struct conn *source, const char *log, char **count, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SELECT pg_catalog.count(*) FROM ");
    ident_add_qualified(&sql, log, DDL_LOG_TABLE);
    bool ok = conn_scalar(source, sql.data, 0, NULL, count, err);
    buf_release(&sql);
    return ok;
}

static bool count_in_snapshot(struct work *work, const char *snapshot, char **count, struct err *err)
{
    struct conn source = CONN_INIT;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              snapshot_adopt(&source, snapshot, err) &&
              count_entries(&source, work->p->slot, count, err);

    conn_close(&source);
    return ok;
}

static bool keep_some(struct conn *source, struct conn *target, const char *oids, struct err *err)
{
    const char *values[] = {oids};
    char *all = NULL;
    bool ok = conn_scalar(source, sql_ddl_ancestors, 1, values, &all, err);
    struct buf list = BUF_INIT;
    PGresult *res = NULL;

    values[0] = all;
    ok = ok && (res = conn_exec_params(source, sql_ddl_definition, 1, values, err));
    for (int i = 0; ok && i < PQntuples(res); i++)
        buf_addf(&list, "%c%s", i ? ',' : '[', PQgetvalue(res, i, 0));
    buf_addstr(&list, list.len ? "]" : "[]");
    values[0] = list.data;
    ok = ok && conn_command_params(target, sql_ddl_know_many, 1, values, err);
    buf_release(&list);
    PQclear(res);
    free(all);
    return ok;
}

static bool keep_definitions(struct work *work, struct conn *source, struct err *err)
{
    const struct pipeline *p = work->p;
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);

    for (size_t i = 0; ok && i < p->table_count;) {
        struct buf oids = BUF_INIT;
        for (int n = 0; n < DEFINITIONS_A_MESSAGE && i < p->table_count; n++, i++)
            buf_addf(&oids, "%c%s", n ? ',' : '{', p->by_size[i]->oid);
        buf_addch(&oids, '}');
        ok = keep_some(source, &target, oids.data, err);
        buf_release(&oids);
    }
    conn_close(&target);
    return ok;
}

bool work_begin_ddl_log(struct work *work, struct conn *source, const char *snapshot, struct err *err)
{
    char *before = NULL;
    char *after = NULL;
    bool ok = count_in_snapshot(work, snapshot, &before, err) && keep_definitions(work, source, err) &&
              count_entries(source, work->p->slot, &after, err);

    if (ok && strcmp(before, after) != 0) {
        err_set(err, ERR_CONFLICT, "the source's schema was changed while its definitions were read");
        err_hint(err, "It is tried again, from a new slot.");
        err->retryable = true;
        ok = false;
    }
    free(before);
    free(after);
    return ok;
}
