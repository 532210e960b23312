/* index: builds what belongs to a table once its rows are there. */
#include "base/json.h"
#include "base/log.h"
#include "engine/works.h"
#include "schema/apply.h"

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
        work_report_failed(work, table, err);
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
        const struct table *table = work_next_table(work, err);
        ok = !err_is_set(err) && (!table || index_one(work, &target, table, err));
    }
    conn_close(&target);
    return ok;
}
