/* What stands in the way on the target is taken out: of a schema that is there, and types of columns in both modes. */
#include <stdio.h>
#include <stdlib.h>

#include "base/files.h"
#include "engine/cutover.h"
#include "engine/decide.h"
#include "engine/works.h"
#include "schema/take_out.h"
#include "schema/text_types.h"

struct taking {
    struct work *work;
    char *script; /* owned: its path */
    int count;
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

/* --- types --- */

static bool note_column(void *arg, const char *table, const char *back, struct err *err)
{
    struct taking *taking = arg;
    int seq;

    taking->count++;
    return work_made(taking->work, SIDE_TARGET, "column", NULL, table, back, &seq, err) && add_to_script(taking->script, back, err);
}

static void tell_kept(void *arg, const char *what, const char *why)
{
    struct taking *taking = arg;

    work_event(taking->work, "info", "%s keeps its type: %s", what, why);
}

/* What is made on a target that is copied to comes later, and counts as well. Before 10 the source cannot be asked for it. */
static bool types_out(struct taking *taking, struct conn *source, struct conn *target, struct err *err)
{
    struct work *work = taking->work;
    struct schema_text_way way = {note_column, tell_kept, taking};
    bool copy = work->m->plan.schema_mode == SCHEMA_COPY;

    if (!source || work->m->plan.schema_enums != ENUMS_TEXT)
        return true;
    if (copy && source->version < 100000) {
        work_event(work, "warning", "all columns keep their types: schema.enums \"text\" needs a source of 10 or later");
        return true;
    }
    taking->count = 0;
    bool ok = schema_types_to_text(copy ? source : NULL, copy ? NULL : source, target, &way, err);
    if (ok && taking->count)
        work_event(work, "info", "columns of %d tables of the target are text until the cutover; the journal, and \"%s\", have what "
                   "they were", taking->count, taking->script);
    return ok;
}

bool cutover_wants_types(const struct plan *plan)
{
    return plan->schema_enums == ENUMS_TEXT;
}

/* Values that the target's enum lacks may have come by now. */
bool cutover_types(struct cutover *c, struct err *err)
{
    struct buf added = BUF_INIT, otherwise = BUF_INIT;
    bool ok = schema_labels_add(&c->source, &c->target, &added, &otherwise, err) && work_undo_kinds(c->work, "column", err);

    if (ok && otherwise.len)
        work_event(c->work, "warning", "labels of enums come in another order on the target than on the source: %s", otherwise.data);
    if (ok)
        cutover_say(c, "every column has its type again%s%s", added.len ? "; labels added: " : "", added.len ? added.data : "");
    buf_release(&added);
    buf_release(&otherwise);
    return ok;
}

/* --- everything --- */

/* Keys and triggers first: they keep columns from being text; then columns, which indexes keep from it. */
bool work_take_out(struct work *work, struct conn *source, struct conn *target, bool loaded, struct err *err)
{
    const struct plan *plan = &work->m->plan;
    struct taking taking = {.work = work, .script = xasprintf("%s/put-back.sql", work->p->dir)};
    struct schema_way acts = {note, &taking, false, holds_keys(plan), holds_triggers(plan)};
    struct schema_way indexes = {note, &taking, !loaded && plan->schema_indexes == INDEXES_REBUILD, false, false};
    int count = 0, more = 0;
    bool exists = plan->schema_mode == SCHEMA_EXISTING;
    bool ok = (!exists || schema_take_out(target, &acts, &count, err)) && types_out(&taking, source, target, err) &&
              (!exists || schema_take_out(target, &indexes, &more, err));

    if (ok && count + more)
        work_event(work, "info", "%d triggers, rules, foreign keys and indexes of the target were taken out of the way; the journal, and "
                   "\"%s\", have how each was", count + more, taking.script);
    free(taking.script);
    return ok;
}
