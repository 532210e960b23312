/* lock: holds the source's tables so that nobody writes to them, until it is stopped (cutover/table_locks.h). */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "cutover/table_locks.h"
#include "engine/works.h"

#define LOCK_WAIT_MS 60000
#define LOOK_MS 500 /* how soon it is noticed that the session, and so the locks, are gone */

/* Of a budget something has to be left for the cutover itself. */
static int wait_ms(const struct plan *plan)
{
    int64_t budget_ms = plan->max_downtime_us / 2000;

    return budget_ms && budget_ms < LOCK_WAIT_MS ? (int)budget_ms : LOCK_WAIT_MS;
}

static bool take(struct work *work, struct conn *source, struct err *err)
{
    const struct pipeline *p = work->p;
    struct lockable *tables = xcalloc(p->table_count + 1, sizeof *tables);
    int64_t began_ms = clock_mono_ms();

    for (size_t i = 0; i < p->table_count; i++)
        tables[i] = (struct lockable){p->by_size[i]->schema, p->by_size[i]->name};
    bool ok = table_locks_take(source, p->name, tables, p->table_count, wait_ms(&work->m->plan), err);
    free(tables);
    if (!ok)
        return false;
    cJSON *message = json_message("writes_locked");
    json_add_i64(message, "tables", (int64_t)p->table_count);
    json_add_i64(message, "waitedMs", clock_mono_ms() - began_ms);
    work_send(work, message);
    return true;
}

/* Until it is asked to stop, which is an error of its own kind. */
static bool hold(struct work *work, struct conn *source, struct err *err)
{
    for (;;) {
        cJSON *message = work_receive(work, LOOK_MS, err);
        cJSON_Delete(message);
        if (err_is_set(err) || !conn_command(source, "SELECT 1", err))
            return false;
    }
}

bool work_lock(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) && take(work, &source, err) &&
              hold(work, &source, err);

    conn_close(&source);
    return ok;
}
