/* monitor: the standing worker that looks at the source while the stream runs. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "cutover/fence.h"
#include "engine/works.h"
#include "sql/sql.h"

#define READING_INTERVAL_MS 500
#define HEARTBEAT_INTERVAL_MS 10000

static bool take_reading(struct work *work, struct conn *source, lsn_t *lsn, struct err *err)
{
    const char *values[] = {work->p->slot};
    int64_t before = clock_wall_us();
    PGresult *res = conn_exec_params(
        source, source->version >= 130000 ? sql_source_position : sql_source_position_pg10, 1,
        values, err);

    if (!res)
        return false;
    cJSON *message = json_message("reading");
    *lsn = LSN_INVALID;
    lsn_parse(PQgetvalue(res, 0, 0), lsn);
    work_json_add_lsn(message, "lsn", *lsn);
    json_add_i64(message, "takenUs", before);
    json_add_str(message, "walStatus", PQgetisnull(res, 0, 1) ? NULL : PQgetvalue(res, 0, 1));
    json_add_i64(message, "retained", atoll(PQgetvalue(res, 0, 2)));
    work_send(work, message);
    PQclear(res);
    return true;
}

/* On a quiet source the tool writes a message of its own now and then, so that progress never depends on
 * somebody else's traffic. */
bool work_monitor(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    lsn_t last = LSN_INVALID;
    int64_t moved_ms = clock_mono_ms();
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err);

    source.timeout_ms = 30000;
    while (ok) {
        lsn_t lsn;
        int64_t now = clock_mono_ms();
        ok = take_reading(work, &source, &lsn, err);
        if (ok && (lsn != last || now - moved_ms > HEARTBEAT_INTERVAL_MS)) {
            if (lsn == last)
                ok = heartbeat_emit(&source, "heartbeat", err);
            moved_ms = now;
            last = lsn;
        }
        ok = ok && stop_sleep(READING_INTERVAL_MS, err);
    }
    conn_close(&source);
    return false;
}
