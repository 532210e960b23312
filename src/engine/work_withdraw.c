/* withdraw: tables leave the migration (change.h), while no applier runs.
 *
 * The target's state comes first: from its commit on whatever the stream still has of these tables is passed over, so that they
 * may leave the publication. The other way round an engine that died in between would take their silence for peace. Only when
 * they are not published any more do they get their replica identity back: a published table without one refuses UPDATE and
 * DELETE. The task is done again harmlessly; tables are named in what was asked, since the model may have forgotten them by then. */
#include <stdlib.h>

#include "base/json.h"
#include "engine/works.h"
#include "load/ddl_log.h"
#include "load/publication.h"
#include "pg/ident.h"
#include "sql/sql.h"

struct withdrawal {
    struct work *work;
    struct conn source, target;
    const cJSON *tables; /* borrowed: [{"oid","schema","name"}...] */
    struct buf oids;     /* "{1,2}" */
};

static void list_oids(struct withdrawal *w)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, w->tables) array_add(&w->oids, json_str(item, "oid"));
    array_end(&w->oids);
}

/* A table that stays and refers to one that leaves would refer to rows that are not there. The other way round it is the
 * one that leaves whose rows may lose what they refer to. */
static bool judge_references(struct withdrawal *w, const PGresult *keys, struct err *err)
{
    struct buf names = BUF_INIT;

    for (int i = 0; i < PQntuples(keys); i++) {
        const char *key = PQgetvalue(keys, i, 0), *from = PQgetvalue(keys, i, 1), *to = PQgetvalue(keys, i, 2);
        if (*PQgetvalue(keys, i, 3) == 't')
            buf_addf(&names, "%s%s of %s to %s", names.len ? "; " : "", key, from, to);
        else
            work_event(w->work, "warning", "rows of %s, which is removed, may come to refer to rows of %s that are gone: "
                       "foreign key %s of the target does not see it", from, to, key);
    }
    bool ok = !names.len;
    if (!ok) {
        err_set(err, ERR_USAGE, "tables that stay refer to a table that is to be removed: foreign key %s", names.data);
        err_hint(err, "Remove the referencing tables with it, or drop the foreign key on the target first.");
    }
    buf_release(&names);
    return ok;
}

static bool leave_state(struct withdrawal *w, struct err *err)
{
    const char *values[] = {w->oids.data};
    PGresult *keys = conn_exec_params(&w->target, sql_state_references, 1, values, err);
    bool ok = keys && judge_references(w, keys, err) && conn_command_params(&w->target, sql_state_remove, 1, values, err);

    PQclear(keys);
    return ok;
}

static void tell_gone(struct withdrawal *w)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, w->tables)
    {
        cJSON *message = json_message("table_gone");
        json_add_str(message, "oid", json_str(item, "oid"));
        json_add_bool(message, "removed", true);
        work_send(w->work, message);
    }
}

static bool leave_source(struct withdrawal *w, struct err *err)
{
    const char *slot = w->work->p->slot;
    const cJSON *item;
    bool ok = w->source.version < 100000 || publication_remove(&w->source, slot, w->oids.data, err);

    cJSON_ArrayForEach(item, w->tables)
    {
        const char *schema = json_str(item, "schema"), *name = json_str(item, "name");
        ok = ok && (w->source.version < 100000 || ddl_log_leave_out(&w->source, slot, schema, name, true, err)) &&
             work_undo_object(w->work, "replica-identity", schema, name, err);
    }
    if (!ok)
        err_wrap(err, "the tables are removed from the migration, but what was made for them on the source is still there");
    return ok;
}

bool work_withdraw(struct work *work, struct err *err)
{
    struct withdrawal w = {.work = work, .tables = json_get(work->p->asked, "remove")};
    bool ok;

    list_oids(&w);
    ok = work_connect(work, &w.target, SIDE_TARGET, CONN_PLAIN, err) && leave_state(&w, err);
    if (ok)
        tell_gone(&w);
    ok = ok && work_connect(work, &w.source, SIDE_SOURCE, CONN_PLAIN, err) && leave_source(&w, err);
    conn_close(&w.source);
    conn_close(&w.target);
    buf_release(&w.oids);
    return ok;
}
