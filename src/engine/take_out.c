/* Mode existing: what stands in the way on the target is taken out. */
#include <stdio.h>
#include <stdlib.h>

#include "base/files.h"
#include "engine/decide.h"
#include "engine/works.h"
#include "schema/take_out.h"

struct taking {
    struct work *work;
    char *script; /* owned: its path */
};

/* The journal is for the program; this is for whoever has to do it without. */
static bool add_to_script(const char *path, const char *back, struct err *err)
{
    FILE *file = fopen(path, "ae");
    bool ok = file && fprintf(file, "%s;\n", back) > 0;

    ok = file && fclose(file) == 0 && ok;
    if (!ok)
        err_errno(err, "could not write \"%s\"", path);
    return ok;
}

static bool note(void *arg, const char *kind, const char *name, const char *back, struct err *err)
{
    struct taking *taking = arg;
    int seq;

    return work_made(taking->work, SIDE_TARGET, kind, NULL, name, back, &seq, err) &&
           add_to_script(taking->script, back, err);
}

bool work_take_out(struct work *work, struct conn *target, bool loaded, struct err *err)
{
    struct taking taking = {work, xasprintf("%s/put-back.sql", work->p->dir)};
    struct schema_way way = {note, &taking, !loaded && work->m->plan.schema_indexes == INDEXES_REBUILD,
                             holds_keys(&work->m->plan), holds_triggers(&work->m->plan)};
    int count = 0;
    bool ok = work->m->plan.schema_mode != SCHEMA_EXISTING || schema_take_out(target, &way, &count, err);

    if (ok && count)
        work_event(work, "info", "%s: %d triggers, rules, foreign keys and indexes of the target were taken out of the way; the journal, and "
                   "\"%s\", have how each was", work->p->name, count, taking.script);
    free(taking.script);
    return ok;
}
