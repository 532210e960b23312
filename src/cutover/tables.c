#include "cutover/tables.h"

#include "load/snapshot.h"

bool at_cutover_tables(struct conn *src, struct conn *dst, const struct copy_job *jobs, size_t count,
                       const struct tables_progress *progress, size_t *copied, struct err *err)
{
    const struct copy_progress silent = {0};
    bool ok = snapshot_begin_plain(src, err);
    size_t done = 0;

    while (ok && done < count) {
        struct copy_result result;
        ok = copy_table(src, dst, &jobs[done], &silent, &result, err);
        if (ok && progress && progress->copied)
            progress->copied(progress->arg, done, &result);
        done += ok;
    }
    snapshot_end(src);
    if (copied)
        *copied = done;
    return ok;
}
