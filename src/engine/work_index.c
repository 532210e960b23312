/* index: builds what belongs to tables once their rows are there: one index of a large table next to other
 * workers ("build"), or all that is left of one table or of many small ones ("index"). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "engine/decide.h"
#include "engine/works.h"
#include "schema/apply.h"

static bool ends_worker(const struct conn *target, const struct err *err)
{
    return err->retryable || err->code == ERR_STOPPED || !conn_is_open(target);
}

static void tell(struct work *work, const char *what, const struct table *table)
{
    cJSON *message = json_message(what);

    json_add_str(message, "oid", table->oid);
    work_send(work, message);
}

/* Builds one index, or all that is left, under the table's lock: the session of a worker that was killed may
 * still be at it. */
static bool index_one(struct work *work, struct conn *target, const struct table *table, bool build,
                      struct err *err)
{
    char *array = xasprintf("{%s}", table->oid);
    bool ok = work_lock_tables(target, array, build, err) &&
              (build ? schema_build_index : schema_index_table)(target, table->oid, err);

    free(array);
    if (conn_is_open(target))
        work_unlock_tables(target);
    if (ok) {
        tell(work, build ? "built" : "indexed", table);
        return true;
    }
    if (ends_worker(target, err))
        return false;
    work_tell_statements(work, target);
    work_report_failed(work, table, err);
    return true;
}

/* False with err empty: one of them does not go. */
static bool index_together(struct work *work, struct conn *target, const struct table *const *tables,
                           size_t count, struct err *err)
{
    struct buf array = BUF_INIT;

    for (size_t i = 0; i < count; i++)
        buf_addf(&array, "%c%s", i ? ',' : '{', tables[i]->oid);
    buf_addch(&array, '}');
    bool ok = work_lock_tables(target, array.data, false, err) &&
              schema_index_tables(target, array.data, err);
    buf_release(&array);
    if (conn_is_open(target))
        work_unlock_tables(target);
    for (size_t i = 0; ok && i < count; i++)
        tell(work, "indexed", tables[i]);
    if (!ok && conn_is_open(target) && err->code != ERR_STOPPED) {
        log_err(LOG_INFO, err);
        err_clear(err);
    }
    return ok;
}

static bool index_job(struct work *work, struct conn *target, const cJSON *message, struct err *err)
{
    size_t count = 0;
    const struct table **tables = work_job_tables(work, message, &count);
    const char *type = json_str(message, "type");
    bool build = type && strcmp(type, "build") == 0;
    bool ok = count > 1 && index_together(work, target, tables, count, err);

    if (!ok && !err_is_set(err)) {
        ok = true;
        for (size_t i = 0; ok && i < count; i++)
            ok = index_one(work, target, tables[i], build, err);
    }
    free(tables);
    return ok;
}

bool work_index(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) && work_share_memory(work, &target, err) &&
              work_decide(work, &target, false, err);

    while (ok) {
        work_send(work, json_message("ready"));
        cJSON *message = work_receive(work, -1, err);
        ok = !err_is_set(err) && (!message || index_job(work, &target, message, err));
        cJSON_Delete(message);
    }
    conn_close(&target);
    return ok;
}
