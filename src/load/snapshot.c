#include "load/snapshot.h"

#include "pg/ident.h"

#define BEGIN_READING "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

bool snapshot_adopt(struct conn *src, const char *snapshot, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SET TRANSACTION SNAPSHOT ");
    literal_add(&sql, snapshot);
    bool ok = conn_command(src, BEGIN_READING, err) && conn_command(src, sql.data, err);
    if (!ok)
        conn_rollback(src);
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
