#include "engine/fix.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "check/fixes.h"
#include "engine/fix_setting.h"
#include "engine/fix_store.h"
#include "engine/preflight.h"
#include "engine/server_log.h"

#define STATEMENT_TIMEOUT_MS 30000
#define RELOAD_WAIT_MS 5000
#define RELOAD_PAUSE_MS 200

void fix_release(struct fix *fix)
{
    char *strings[] = {fix->database, fix->message, fix->why, fix->advice, fix->statements, fix->undo};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    *fix = (struct fix)FIX_INIT;
}

bool fix_connect(struct conn *c, const struct plan *plan, enum conn_side side, const char *database, const char *role,
                 const struct secret *password, struct err *err)
{
    struct conn_options options = {.side = side, .profile = CONN_PLAIN, .role = "fix"};
    struct conninfo info = CONNINFO_INIT;
    bool ok = plan_conninfo(side == SIDE_SOURCE ? &plan->source : &plan->target, database, &info, err);

    if (ok && role) {
        conninfo_set(&info, "user", role);
        conninfo_set(&info, "password", NULL);
        if (password && password->text)
            secret_set(&info.password, password->text);
    }
    ok = ok && conn_open(c, &info, &options, err);
    conninfo_release(&info);
    if (ok) {
        c->timeout_ms = STATEMENT_TIMEOUT_MS;
        ok = conn_command(c, "SET lock_timeout = '3s'", err);
    }
    return ok;
}

bool fix_is_right(const char *statements)
{
    return statements && (strncmp(statements, "GRANT ", 6) == 0 || strncmp(statements, "ALTER ROLE ", 11) == 0);
}

/* --- looking --- */

/* Lines of text that were not there yet; text may be NULL, and is taken. */
static void add_lines(char **all, char *text)
{
    if (text && *all) {
        char *both = xasprintf("%s\n%s", *all, text);
        free(*all);
        free(text);
        *all = both;
    } else if (text) {
        *all = text;
    }
}

/* About a database that is not there yet nothing can be altered. */
static char *without_database(char *statements)
{
    struct buf out = BUF_INIT;
    char *rest = statements;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (!strstr(line, " DATABASE "))
            buf_addf(&out, "%s%s", out.len ? "\n" : "", line);
    free(statements);
    return out.len ? buf_take(&out) : NULL;
}

static void take(struct fix *fix, const struct finding *finding)
{
    fix->found = true;
    fix->side = finding->side;
    fix->needs = finding->needs > fix->needs ? finding->needs : fix->needs;
    fix->lasts = fix->lasts || finding->lasts;
    add_lines(&fix->message, xstrdup(finding->message));
    add_lines(&fix->advice, finding->fix ? xstrdup(finding->fix) : NULL);
    add_lines(&fix->statements, fixes_statements(finding));
    add_lines(&fix->undo, fixes_undo_statements(finding));
    if (!fix->why)
        fix->why = xstrdup(finding->why);
}

static bool both_sides(const struct findings *findings)
{
    for (size_t i = 1; i < findings->count; i++)
        if (findings->items[i].side != findings->items[0].side)
            return true;
    return false;
}

bool fix_look(struct fix *fix, const struct fix_request *request, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;
    bool ok = preflight_run_only(&pre, request->plan, request->database, request->id, err);

    if (ok && request->side == FIX_ANY_SIDE && both_sides(&pre.findings)) {
        err_set(err, ERR_USAGE, "\"%s\" was found on the source and on the target", request->id);
        err_hint(err, "Say which is meant: --side source or --side target.");
        ok = false;
    }
    for (size_t i = 0; ok && i < pre.findings.count; i++)
        if (request->side == FIX_ANY_SIDE || pre.findings.items[i].side == (enum conn_side)request->side)
            take(fix, &pre.findings.items[i]);
    if (ok && fix->found)
        fix->database = xstrdup(PQdb(fix->side == SIDE_SOURCE ? pre.source.pg : pre.target.pg));
    if (fix->statements && fix->side == SIDE_TARGET && !pre.target_exists)
        fix->statements = without_database(fix->statements);
    fix->reload = fix->statements && strstr(fix->statements, "ALTER SYSTEM ") && fix->needs != NEEDS_RESTART;
    preflight_release(&pre);
    return ok;
}

/* --- doing --- */

/* In place of what the finding says of settings: what the file has now, where that can be read. Settings come first. */
static char *exact_undo(struct conn *c, const struct fix *fix)
{
    struct buf settings = BUF_INIT, others = BUF_INIT;
    char *text = xstrdup(fix->statements), *rest = text;
    bool known = true;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char *name, *value;
        if (!fix_setting_parse(line, &name, &value))
            continue;
        char *undo = fix_setting_undo(c, name);
        known = known && undo;
        buf_addf(&settings, "%s%s", settings.len ? "\n" : "", undo ? undo : "");
        free(undo);
        free(name);
        free(value);
    }
    free(text);
    text = xstrdup(fix->undo ? fix->undo : ""), rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        if (*line && strncmp(line, "ALTER SYSTEM ", 13) != 0)
            buf_addf(&others, "%s%s", others.len ? "\n" : "", line);
    free(text);
    if (!known || !settings.len) {
        buf_release(&settings);
        buf_release(&others);
        return fix->undo ? xstrdup(fix->undo) : NULL;
    }
    if (others.len)
        buf_addf(&settings, "\n%s", others.data);
    buf_release(&others);
    return buf_take(&settings);
}

static cJSON *entry_of(const struct fix *fix, const struct fix_request *request, struct conn *c)
{
    cJSON *entry = cJSON_CreateObject();

    json_add_str(entry, "id", request->id);
    json_add_str(entry, "side", side_name(fix->side));
    json_add_str(entry, "databaseName", fix->database);
    json_add_str(entry, "migrated", request->database->name);
    json_add_str(entry, "role", PQuser(c->pg));
    json_add_str(entry, "statements", fix->statements);
    json_add_str(entry, "undo", fix->undo);
    json_add_bool(entry, "reload", fix->reload);
    json_add_bool(entry, "lasts", fix->lasts);
    json_add_bool(entry, "right", fix_is_right(fix->statements));
    json_add_time(entry, "time", clock_wall_us());
    if (fix->needs == NEEDS_RESTART)
        server_log_note(entry, request->plan, fix->side, c);
    return entry;
}

/* Settings one by one, which no transaction takes; all else in one. *settings: how many of them were set. */
static bool run_statements(struct conn *c, const char *statements, size_t *settings, struct err *err)
{
    char *text = xstrdup(statements), *rest = text;
    bool in_transaction = false;
    bool ok = true;

    for (char *line = strsep(&rest, "\n"); ok && line; line = strsep(&rest, "\n")) {
        bool is_setting = strncmp(line, "ALTER SYSTEM ", 13) == 0;
        if (is_setting == in_transaction) {
            ok = conn_command(c, in_transaction ? "COMMIT" : "BEGIN", err);
            in_transaction = !in_transaction;
        }
        ok = ok && conn_command(c, line, err);
        *settings += ok && is_setting;
    }
    if (in_transaction && ok)
        ok = conn_command(c, "COMMIT", err);
    if (!ok)
        conn_rollback(c);
    free(text);
    return ok;
}

/* Settings that were set before one was refused. */
static void take_back_settings(struct conn *c, const char *undo, size_t count, struct err *err)
{
    char *text = xstrdup(undo), *rest = text;
    struct err own = ERR_INIT;

    for (char *line = strsep(&rest, "\n"); line && count; line = strsep(&rest, "\n"), count--)
        if (!conn_command(c, line, &own)) {
            err_hint(err, "This was run before, and could not be taken back: %s", line);
            break;
        }
    err_clear(&own);
    free(text);
}

static void hint_role(const struct fix_request *request, struct err *err)
{
    if (strcmp(err->sqlstate, "42501") == 0 && !request->role)
        err_hint(err, "The plan's role may not do this. Name one that may: --as ROLE; or have a DBA run it (--fixes FILE).");
}

bool fix_run(struct fix *fix, const struct fix_request *request, struct err *err)
{
    struct conn c = CONN_INIT;
    size_t settings = 0;

    if (!fix_connect(&c, request->plan, fix->side, fix->database, request->role, request->password, err))
        return false;
    char *undo = exact_undo(&c, fix);
    free(fix->undo);
    fix->undo = undo;
    bool ok = fix_store_add(request->state_dir, request->plan->name, entry_of(fix, request, &c), &fix->seq, err);
    if (ok && !run_statements(&c, fix->statements, &settings, err)) {
        hint_role(request, err);
        if (settings)
            take_back_settings(&c, fix->undo, settings, err);
        fix_store_remove(request->state_dir, request->plan->name, fix->seq, NULL);
        ok = false;
    }
    ok = ok && (!fix->reload || conn_command(&c, "SELECT pg_catalog.pg_reload_conf()", err));
    conn_close(&c);
    return ok;
}

/* --- looking again --- */

bool fix_recheck(const struct fix *fix, const struct fix_request *request, enum fix_outcome *outcome, char **message,
                 struct err *err)
{
    int64_t until_ms = clock_mono_ms() + (fix->reload ? RELOAD_WAIT_MS : 0);
    struct fix_request again = *request;

    again.side = (int)fix->side;
    *message = NULL;
    for (;;) {
        struct fix now = FIX_INIT;
        bool ok = fix_look(&now, &again, err);
        bool found = now.found;
        free(*message);
        *message = found ? xstrdup(now.message) : NULL;
        fix_release(&now);
        if (!ok)
            return false;
        *outcome = !found ? FIX_MENDED : fix->needs == NEEDS_RESTART ? FIX_WANTS_RESTART : FIX_OPEN;
        if (!found || clock_mono_ms() >= until_ms)
            return true;
        if (!stop_sleep(RELOAD_PAUSE_MS, err))
            return false;
    }
}
