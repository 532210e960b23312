#include "cutover/tables.h"

#include "load/snapshot.h"

bool at_cutover_tables(struct conn *src, struct conn *dst, const struct copy_job *jobs, size_t count,
                       const struct copy_progress *progress, size_t *copied, struct err *err)
{
    bool ok = snapshot_begin_plain(src, err);
    size_t done = 0;

    while (ok && done < count) {
        struct copy_result result;
        ok = copy_table(src, dst, &jobs[done], progress, &result, err);
        done += ok;
    }
    snapshot_end(src);
    if (copied)
        *copied = done;
    return ok;
}
