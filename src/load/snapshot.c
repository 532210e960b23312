#include "load/snapshot.h"

#include <string.h>

#include "pg/ident.h"

#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

/* Its file is gone with the session that exported it: 22023 up to 15, 42704 from 16 on. */
bool snapshot_is_gone(const struct err *err)
{
    return strcmp(err->sqlstate, "22023") == 0 || strcmp(err->sqlstate, "42704") == 0;
}

bool snapshot_adopt(struct conn *src, const char *snapshot, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SET TRANSACTION SNAPSHOT ");
    literal_add(&sql, snapshot);
    bool ok = conn_command(src, BEGIN_READING, err) && conn_command(src, sql.data, err);
    if (!ok)
        conn_rollback(src);
    if (!ok && err && snapshot_is_gone(err)) {
        err->retryable = true;
        err_hint(err, "The tables that are left are loaded under a new snapshot.");
    }
    buf_release(&sql);
    return ok;
}

bool snapshot_begin_plain(struct conn *src, struct err *err)
{
    return conn_command(src, BEGIN_READING, err);
}

void snapshot_end(struct conn *src)
{
    conn_rollback(src);
}
