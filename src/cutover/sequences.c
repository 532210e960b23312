#include "cutover/sequences.h"

#include <inttypes.h>

#include "pg/ident.h"

#define BATCH 200

/* setval() takes the bounds of the target's own definition: one that does not fit is an error there. */
static bool set_batch(struct conn *dst, const struct sequence_value *items, size_t count,
                      struct err *err)
{
    struct buf sql = BUF_INIT, name = BUF_INIT;

    buf_addstr(&sql, "SELECT pg_catalog.count(pg_catalog.setval(v.name::pg_catalog.regclass, v.last, v.called)) FROM (VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_clear(&name);
        ident_add_qualified(&name, items[i].schema, items[i].name);
        buf_addstr(&sql, i ? ", (" : "(");
        literal_add(&sql, name.data);
        buf_addf(&sql, ", '%" PRId64 "'::pg_catalog.int8, %s)", items[i].last_value,
                 items[i].is_called ? "true" : "false");
    }
    buf_addstr(&sql, ") AS v (name, last, called)");
    bool ok = conn_command(dst, sql.data, err);
    buf_release(&sql);
    buf_release(&name);
    return ok;
}

bool sequences_copy(struct conn *src, struct conn *dst, const struct sequence_filter *filter, int margin,
                    int *count, struct err *err)
{
    struct sequence_list list = {0};
    bool ok = sequences_read(src, filter, &list, err) && sequences_exist(dst, &list, err) &&
              sequences_advance(src, &list, margin, err);

    for (size_t at = 0; ok && at < list.count; at += BATCH) {
        size_t left = list.count - at;
        ok = set_batch(dst, list.items + at, left < BATCH ? left : BATCH, err);
    }
    if (ok && count)
        *count = (int)list.count;
    if (!ok)
        err_wrap(err, "could not carry the sequences over");
    sequence_list_release(&list);
    return ok;
}
