#include "engine/fix_undo.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "engine/fix.h"
#include "engine/fix_hba.h"
#include "engine/fix_setting.h"
#include "engine/fix_store.h"
#include "pg/conn.h"

static void tell(const struct fix_undo_request *request, const char *level, const char *fmt, ...) PGC_PRINTF(3, 4);
static void tell(const struct fix_undo_request *request, const char *level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    if (request->tell)
        request->tell(request->arg, level, text);
    free(text);
}

/* Lines as one, for a message. Owned. */
static char *in_one_line(const char *text)
{
    char *line = xstrdup(text ? text : "");

    for (char *at = line; *at; at++)
        if (*at == '\n')
            *at = ' ';
    return line;
}

/* What it was done to is gone: a role, table, schema, database, setting. */
static bool is_gone(const struct err *err)
{
    static const char *const states[] = {"42704", "42P01", "3F000", "3D000", "42703", "42883"};

    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(err->sqlstate, states[i]) == 0)
            return true;
    return false;
}

/* What the statements set that setting to. Owned; NULL: not known. */
static char *value_set(const char *statements, const char *setting)
{
    char *text = xstrdup(statements ? statements : ""), *rest = text;
    char *found = NULL;

    for (char *line = strsep(&rest, "\n"); line && !found; line = strsep(&rest, "\n")) {
        char *name, *value;
        if (!fix_setting_parse(line, &name, &value))
            continue;
        if (strcmp(name, setting) == 0)
            found = value;
        else
            free(value);
        free(name);
    }
    free(text);
    return found;
}

/* Has somebody else set it meanwhile? Where that cannot be told, nobody has. */
static bool was_changed(struct conn *c, const char *statements, const char *undo)
{
    char *name, *unused, *now = NULL;
    struct err err = ERR_INIT;

    if (!fix_setting_parse(undo, &name, &unused))
        return false;
    char *set = value_set(statements, name);
    bool changed = set && fix_setting_auto(c, name, &now, &err) && (!now || strcmp(now, set) != 0);
    err_clear(&err);
    free(set);
    free(now);
    free(name);
    free(unused);
    return changed;
}

/* Each by itself: what is gone is passed over. */
static bool run_undo(const struct fix_undo_request *request, struct conn *c, const cJSON *entry, struct err *err)
{
    char *text = xstrdup(json_str(entry, "undo")), *rest = text;
    bool ok = true;

    for (char *line = strsep(&rest, "\n"); ok && line; line = strsep(&rest, "\n")) {
        if (was_changed(c, json_str(entry, "statements"), line)) {
            tell(request, "warning", "%s on the %s: somebody has changed this setting since; it is left as it is, without: %s",
                 json_str(entry, "id"), side_name(c->side), line);
            continue;
        }
        ok = conn_command(c, line, err);
        if (!ok && is_gone(err)) {
            err_clear(err);
            ok = true;
        }
    }
    free(text);
    return ok && (!json_bool(entry, "reload", false) || conn_command(c, "SELECT pg_catalog.pg_reload_conf()", err));
}

static bool undo_entry(const struct fix_undo_request *request, const cJSON *entry, struct err *err)
{
    struct conn c = CONN_INIT;
    const char *side = json_str(entry, "side");
    enum conn_side which = side && strcmp(side, "target") == 0 ? SIDE_TARGET : SIDE_SOURCE;

    if (!json_str(entry, "undo"))
        return true;
    if (json_get(entry, "hba")) {
        bool gone = false;
        bool ok = fix_hba_undo(request->plan, which, entry, request->role, request->password, &gone, err);
        if (ok && gone)
            tell(request, "warning", "%s on the %s: somebody has taken the record out of pg_hba.conf already, or changed it",
                 json_str(entry, "id"), json_str(entry, "side"));
        return ok;
    }
    bool ok = fix_connect(&c, request->plan, which, json_str(entry, "databaseName"), request->role, request->password, err) &&
              run_undo(request, &c, entry, err);
    conn_close(&c);
    if (!ok && strcmp(err->sqlstate, "3D000") == 0) {
        err_clear(err); /* the database is gone, and this with it */
        ok = true;
    }
    return ok;
}

static bool is_wanted(const struct fix_undo_request *request, const cJSON *entry)
{
    const char *id = json_str(entry, "id"), *migrated = json_str(entry, "migrated");

    return !(request->but_rights && json_bool(entry, "right", false)) && (!request->id || (id && strcmp(request->id, id) == 0)) &&
           (!request->migrated || (migrated && strcmp(request->migrated, migrated) == 0));
}

static bool forget(const struct fix_undo_request *request, const cJSON *entry, struct err *err)
{
    return fix_store_remove(request->state_dir, request->plan->name, (int)json_i64(entry, "seq", 0), err);
}

/* One that stays is told, with what would take it back. */
static bool keep(const struct fix_undo_request *request, const cJSON *entry, size_t *done, struct err *err)
{
    char *undo = in_one_line(json_str(entry, "undo"));

    if (request->forget_lasting) {
        tell(request, "info", "%s on the %s stays as it was mended; this would take it back: %s", json_str(entry, "id"),
             json_str(entry, "side"), undo);
        ++*done;
    }
    free(undo);
    return !request->forget_lasting || forget(request, entry, err);
}

static void tell_left(const struct fix_undo_request *request, const cJSON *entry, const struct err *why)
{
    char *undo = in_one_line(json_str(entry, "undo"));

    tell(request, "warning", "%s on the %s, done as %s, was not taken back: %s. By hand: %s", json_str(entry, "id"),
         json_str(entry, "side"), json_str(entry, "role"), why->message, undo);
    free(undo);
}

static bool undo_one(const struct fix_undo_request *request, const cJSON *entry, size_t *done, size_t *left, struct err *err)
{
    struct err own = ERR_INIT;

    if (json_bool(entry, "lasts", false) && !request->also_lasting)
        return keep(request, entry, done, err);
    if (undo_entry(request, entry, &own)) {
        tell(request, "info", "%s on the %s was taken back", json_str(entry, "id"), json_str(entry, "side"));
        ++*done;
        return forget(request, entry, err);
    }
    if (own.code == ERR_STOPPED) {
        err_move(err, &own);
        return false;
    }
    tell_left(request, entry, &own);
    ++*left;
    err_clear(&own);
    return true;
}

bool fix_undo(const struct fix_undo_request *request, size_t *done, size_t *left, struct err *err)
{
    cJSON *entries = fix_store_read(request->state_dir, request->plan->name, err);
    bool ok = entries != NULL;

    *done = *left = 0;
    for (int i = cJSON_GetArraySize(entries); ok && i-- > 0;) {
        const cJSON *entry = cJSON_GetArrayItem(entries, i);
        if (is_wanted(request, entry))
            ok = undo_one(request, entry, done, left, err);
    }
    cJSON_Delete(entries);
    return ok;
}
