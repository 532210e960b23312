#include "schema/preview.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"

#define PHASES (PHASE_HELD_KEY + 1)

struct preview {
    struct buf phases[PHASES];
    size_t counts[PHASES];
    char *encoding; /* owned */
    const struct schema_decisions *decisions;
    bool *used; /* owned, one an edit */
};

static const char *const titles[PHASES] = {
    [PHASE_PRE] = "before any data",
    [PHASE_INDEX] = "after each table's load: indexes of several tables next to each other; of a key first the\n"
                    "-- index, then the constraint on it",
    [PHASE_FOREIGN_KEY] = "after all indexes: foreign keys, added NOT VALID where they may be, then validated",
    [PHASE_POST] = "when everything is loaded and indexed: triggers, which do not fire on the changes of the\n"
                   "-- stream, rules, views, privileges",
    [PHASE_HELD] = "HELD BACK until the cutover: what would act on the changes that are still applied",
    [PHASE_HELD_KEY] = "HELD BACK until the cutover, behind all else: foreign keys (schema.foreignKeys \"disable\")",
};

static const char settings[] =
    "SET statement_timeout = 0;\nSET check_function_bodies = false;\nSET xmloption = content;\n"
    "SET client_min_messages = warning;\nSET row_security = off;\nSET standard_conforming_strings = on;\n"
    "SET search_path = '';\n";

static void on_encoding(void *arg, const char *name)
{
    struct preview *preview = arg;

    str_replace(&preview->encoding, name);
}

static bool on_object(void *arg, const struct script_object *object, enum schema_phase phase, struct err *err)
{
    struct preview *preview = arg;
    struct buf *out = &preview->phases[phase];
    bool in_schema = strcmp(object->schema, "-") != 0;
    char *name = xasprintf("%s %s%s%s", object->type, in_schema ? object->schema : "", in_schema ? "." : "", object->name);
    const struct schema_edit *edit = schema_edit_of(preview->decisions, name);

    (void)err;
    if (edit)
        preview->used[edit - preview->decisions->edits] = true;
    if (*object->statement && edit && !edit->sql) {
        buf_addf(out, "\n-- %s\n-- LEFT OUT by the plan (schema.edits)\n", name);
    } else if (*object->statement) {
        preview->counts[phase]++;
        buf_addf(out, "\n-- %s%s\n%s\n%s", name, edit ? "\n-- EDITED by the plan (schema.edits)" : "",
                 edit ? edit->sql : object->statement, edit ? ";\n" : "");
    }
    free(name);
    return true;
}

/* What the operator has run between the tables and their rows. */
static void add_after_sql(struct preview *preview, struct buf *script)
{
    const struct schema_decisions *decisions = preview->decisions;
    const struct schema_edit *edit = schema_edit_of(decisions, SCHEMA_AFTER_SQL);
    bool left_out = edit && !edit->sql;

    if (!decisions || !decisions->after_sql)
        return;
    buf_addf(script, "\n--\n-- schema.afterSchemaSql, before any data, in one transaction%s\n--\n",
             left_out ? ": LEFT OUT by the plan (schema.edits)" : "");
    if (!left_out)
        buf_addf(script, "\nRESET search_path;\nRESET check_function_bodies;\nBEGIN;\n%s\n;\nCOMMIT;\n%s",
                 edit ? edit->sql : decisions->after_sql, settings);
}

static void put_together(struct preview *preview, struct buf *script)
{
    if (preview->encoding) {
        buf_addstr(script, "SET client_encoding = ");
        literal_add(script, preview->encoding);
        buf_addstr(script, ";\n");
    }
    buf_addstr(script, settings);
    for (size_t i = 0; i < PHASES; i++) {
        if (preview->counts[i]) {
            buf_addf(script, "\n--\n-- %zu statements %s\n--\n", preview->counts[i], titles[i]);
            buf_add(script, preview->phases[i].data, preview->phases[i].len);
        }
        if (i == PHASE_PRE)
            add_after_sql(preview, script);
    }
}

static bool all_used(const struct preview *preview, struct err *err)
{
    for (size_t i = 0; preview->decisions && i < preview->decisions->edit_count; i++) {
        bool is_after = preview->decisions->after_sql && strcmp(preview->decisions->edits[i].object, SCHEMA_AFTER_SQL) == 0;
        if (preview->used[i] || is_after)
            continue;
        err_set(err, ERR_USAGE, "schema.edits: no statement of the schema is called \"%s\"",
                preview->decisions->edits[i].object);
        err_hint(err, "Names are as in the script without edits: \"TYPE schema.name\".");
        return false;
    }
    return true;
}

bool schema_preview(const struct schema_dump *dump, const struct schema_decisions *decisions, struct buf *script,
                    struct err *err)
{
    struct preview preview = {.decisions = decisions,
                              .used = xcalloc(decisions ? decisions->edit_count + 1 : 1, sizeof *preview.used)};
    struct schema_visitor visitor = {on_encoding, on_object, &preview};
    bool ok = schema_dump_visit(dump, &visitor, err) && all_used(&preview, err);

    if (ok)
        put_together(&preview, script);
    for (size_t i = 0; i < PHASES; i++)
        buf_release(&preview.phases[i]);
    free(preview.used);
    free(preview.encoding);
    return ok;
}
