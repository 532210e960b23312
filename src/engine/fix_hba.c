#include "engine/fix_hba.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "check/hba.h"
#include "engine/fix_store.h"
#include "pg/ident.h"

#define RELOAD_WAIT_MS 5000
#define RELOAD_PAUSE_MS 200

void fix_hba_release(struct fix_hba *hba)
{
    char *strings[] = {hba->path, hba->backup, hba->comment, hba->record, hba->text};

    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        free(strings[i]);
    host_close(&hba->host);
    conn_close(&hba->conn);
    *hba = (struct fix_hba)FIX_HBA_INIT;
}

/* --- the server and the file --- */

static bool ask(struct fix_hba *hba, const char *sql, char **value, struct err *err)
{
    return conn_is_open(&hba->conn) ? conn_scalar(&hba->conn, sql, 0, NULL, value, err) : host_sql(&hba->host, sql, value, err);
}

/* A command on one file of the host. */
static bool read_file(struct fix_hba *hba, const char *path, char **text, struct err *err)
{
    struct buf out = BUF_INIT;
    char *quoted = host_quote(path);
    bool ok = host_runf(&hba->host, &out, err, "cat -- %s", quoted);

    free(quoted);
    *text = ok ? buf_take(&out) : NULL;
    buf_release(&out);
    return ok;
}

static bool open_server(struct fix_hba *hba, const struct plan *plan, const char *role, const struct secret *password, struct err *err)
{
    char *version = NULL;
    bool ok = (!role || fix_connect(&hba->conn, plan, hba->side, "postgres", role, password, err)) &&
              ask(hba, "SHOW server_version_num", &version, err);

    if (ok)
        hba->version = atoi(version ? version : "0");
    if (ok && !hba->version) {
        err_set(err, ERR_SERVER, "%s: the server does not say which version it is", hba->host.name);
        ok = false;
    }
    free(version);
    return ok;
}

static bool find_file(struct fix_hba *hba, struct err *err)
{
    struct buf out = BUF_INIT;
    char *path = NULL;
    bool ok = ask(hba, "SHOW hba_file", &path, err);

    if (ok) {
        char *quoted = host_quote(path ? path : "");
        ok = host_runf(&hba->host, &out, err, "readlink -f -- %s", quoted);
        free(quoted);
    }
    if (ok && out.len) {
        out.data[strcspn(out.data, "\n")] = '\0';
        hba->path = xstrdup(out.data);
    }
    ok = ok && hba->path;
    if (!ok && !err_is_set(err))
        err_set(err, ERR_SERVER, "%s: where pg_hba.conf is could not be found out", hba->host.name);
    free(path);
    buf_release(&out);
    return ok;
}

/* The server's own eyes; before 10 it has none, and takes over what it can read at a reload, or nothing. */
static bool is_readable(struct fix_hba *hba, struct err *err)
{
    char *wrong = NULL;

    if (hba->version < 100000)
        return true;
    bool ok = ask(hba, "SELECT pg_catalog.string_agg(pg_catalog.format('line %s: %s', line_number, error), '; ') "
                       "FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL", &wrong, err);
    if (ok && wrong && *wrong) {
        err_set(err, ERR_SERVER, "the server cannot read \"%s\": %s", hba->path, wrong);
        ok = false;
    }
    free(wrong);
    return ok;
}

/* As the role's password is stored; md5 takes both, but is given to those alone that need it. */
static bool choose_method(struct fix_hba *hba, const char *user, const char **method, struct err *err)
{
    struct buf sql = BUF_INIT;
    char *stored = NULL;

    buf_addstr(&sql, "SELECT pg_catalog.left(rolpassword, 3) FROM pg_catalog.pg_authid WHERE rolname = ");
    literal_add(&sql, user);
    bool ok = ask(hba, sql.data, &stored, err);
    if (ok && (!stored || !*stored)) {
        err_set(err, ERR_PREREQUISITE, "role \"%s\" of the %s has no password: nothing safe could stand in pg_hba.conf for it", user,
                side_name(hba->side));
        err_hint(err, "Give it one (\\password in psql), and put it into the plan or the passfile.");
        ok = false;
    }
    *method = hba->version < 100000 || (ok && strcmp(stored, "md5") == 0) ? "md5" : "scram-sha-256";
    free(stored);
    buf_release(&sql);
    return ok;
}

static bool make_lines(struct fix_hba *hba, const char *migration, const char *refused, struct err *err)
{
    struct hba_refusal refusal = HBA_REFUSAL_INIT;
    const char *method;
    bool ok = hba_refusal_parse(&refusal, refused);

    if (!ok)
        err_set(err, ERR_SERVER, "whom pg_hba.conf keeps out could not be made out of: %s", refused);
    ok = ok && choose_method(hba, refusal.user, &method, err);
    if (ok) {
        hba->record = hba_record(&refusal, method);
        hba->is_replication = !refusal.database;
        hba->comment = xasprintf(HBA_MARK "for migration %s; it takes this line and the next one out again", migration);
        hba->backup = xasprintf("%s.pgcutover-%s", hba->path, migration);
    }
    hba_refusal_release(&refusal);
    return ok;
}

bool fix_hba_look(struct fix_hba *hba, const struct fix_request *request, enum conn_side side, const char *refused,
                  void (*show)(void *arg, const char *host, const char *command), void *arg, struct err *err)
{
    hba->side = side;
    hba->host.show = show;
    hba->host.arg = arg;
    bool ok = host_open(&hba->host, request->plan, side, err) && open_server(hba, request->plan, request->role, request->password, err) &&
              find_file(hba, err) && make_lines(hba, request->plan->name, refused, err) && is_readable(hba, err) &&
              read_file(hba, hba->path, &hba->text, err);

    if (!ok)
        return false;
    hba->place = hba_first_place(hba->text, &hba->lines, &hba->ended);
    hba->is_there = hba_find(hba->text, hba->comment, hba->record) != 0;
    return true;
}

char *fix_hba_steps(const struct fix_hba *hba)
{
    if (hba->is_there)
        return xasprintf("%s has the record already\nSELECT pg_reload_conf();", hba->path);
    return xasprintf("copy %s to %s\nwrite before its line %zu: %s\nsee what pg_hba_file_rules says, and put it back where that is an error\n"
                     "SELECT pg_reload_conf();", hba->path, hba->backup, hba->place, hba->record);
}

char *fix_hba_undo_steps(const struct fix_hba *hba)
{
    return xasprintf("take out of %s: %s\nSELECT pg_reload_conf();\nremove %s", hba->path, hba->record, hba->backup);
}

/* --- writing --- */

/* In place of the file comes another with its owner and mode, made of the copy: its first lines, what is between, and its
 * lines from another one on. */
static bool write_from(struct fix_hba *hba, const char *copy, size_t head, const char *between, size_t tail, struct err *err)
{
    char *path = host_quote(hba->path), *new_path = xasprintf("%s.pgcutover-new", hba->path);
    char *new_quoted = host_quote(new_path), *from = host_quote(copy);
    bool ok = host_runf(&hba->host, NULL, err, "cp -p -- %s %s && { head -n %zu -- %s%s; tail -n +%zu -- %s; } > %s && mv -f -- %s %s", path,
                        new_quoted, head, from, between, tail, from, new_quoted, new_quoted, path);

    free(path);
    free(new_path);
    free(new_quoted);
    free(from);
    return ok;
}

/* The copy is what is worked on: it has to be what was looked at. */
static bool copy_to(struct fix_hba *hba, const char *copy, struct err *err)
{
    char *path = host_quote(hba->path), *to = host_quote(copy), *text = NULL;
    bool ok = host_runf(&hba->host, NULL, err, "cp -p -- %s %s", path, to) && read_file(hba, copy, &text, err);

    if (ok && strcmp(text, hba->text) != 0) {
        host_runf(&hba->host, NULL, NULL, "rm -f -- %s", to);
        err_set(err, ERR_IO, "\"%s\" on %s was changed meanwhile", hba->path, hba->host.name);
        err_hint(err, "Nothing was done: try again.");
        ok = false;
    }
    free(path);
    free(to);
    free(text);
    return ok;
}

static bool reload(struct fix_hba *hba, struct err *err)
{
    char *value = NULL;
    bool ok = ask(hba, "SELECT pg_catalog.pg_reload_conf()", &value, err);

    free(value);
    return ok;
}

/* The file as it was comes back from the copy. */
static void put_back(struct fix_hba *hba, const char *copy, struct err *why)
{
    struct err own = ERR_INIT;
    char *path = host_quote(hba->path), *from = host_quote(copy);

    if (host_runf(&hba->host, NULL, &own, "mv -f -- %s %s", from, path) && reload(hba, &own))
        err_hint(why, "\"%s\" is as it was.", hba->path);
    else
        err_hint(why, "\"%s\" on %s could not be put back (%s): its copy is \"%s\".", hba->path, hba->host.name, own.message, copy);
    err_clear(&own);
    free(path);
    free(from);
}

static bool insert(struct fix_hba *hba, struct err *err)
{
    char *comment = host_quote(hba->comment), *record = host_quote(hba->record);
    /* Only behind a last line without its line feed is there need of one. */
    bool open_end = hba->place > hba->lines && !hba->ended;
    char *between = xasprintf("%s; printf '%%s\\n' %s %s", open_end ? "; echo" : "", comment, record);
    bool ok = copy_to(hba, hba->backup, err);
    if (ok && !(write_from(hba, hba->backup, hba->place - 1, between, hba->place, err) && is_readable(hba, err))) {
        put_back(hba, hba->backup, err);
        ok = false;
    }
    free(comment);
    free(record);
    free(between);
    return ok;
}

/* Does the server let the plan's role in now? Of the source, for replication as well, which before 10 wants a record of its own. */
static bool lets_in(const struct fix_hba *hba, const struct fix_request *request, struct err *err)
{
    const struct plan_endpoint *endpoint = hba->side == SIDE_SOURCE ? &request->plan->source : &request->plan->target;
    const char *database = hba->side == SIDE_SOURCE ? request->database->name : request->database->target_name;
    bool streams = hba->side == SIDE_SOURCE && request->plan->sync_mode != SYNC_LOAD_ONLY && (hba->is_replication || hba->version >= 100000);
    struct conn_options options = {.side = hba->side, .profile = CONN_PLAIN, .role = "fix"};
    struct conninfo info = CONNINFO_INIT;
    bool ok = plan_conninfo(endpoint, database, &info, err);

    for (int i = 0; ok && i <= streams; i++) {
        struct conn c = CONN_INIT;
        options.profile = i ? CONN_REPLICATION : CONN_PLAIN;
        ok = conn_open(&c, &info, &options, err);
        conn_close(&c);
    }
    conninfo_release(&info);
    return ok;
}

static bool is_refused(const struct err *err)
{
    return err->message && strstr(err->message, "pg_hba.conf");
}

/* A reload takes a moment. */
static bool try_in(const struct fix_hba *hba, const struct fix_request *request, struct err *err)
{
    int64_t until_ms = clock_mono_ms() + RELOAD_WAIT_MS;

    while (!lets_in(hba, request, err)) {
        if (!is_refused(err) || clock_mono_ms() >= until_ms)
            return false;
        err_clear(err);
        if (!stop_sleep(RELOAD_PAUSE_MS, err))
            return false;
    }
    return true;
}

static cJSON *entry_of(const struct fix_hba *hba, const struct fix_request *request)
{
    cJSON *entry = cJSON_CreateObject(), *file = cJSON_AddObjectToObject(entry, "hba");
    char *steps = fix_hba_steps(hba), *undo = fix_hba_undo_steps(hba);

    json_add_str(file, "path", hba->path);
    json_add_str(file, "backup", hba->backup);
    json_add_str(file, "comment", hba->comment);
    json_add_str(file, "record", hba->record);
    json_add_str(entry, "id", request->id);
    json_add_str(entry, "side", side_name(hba->side));
    json_add_str(entry, "databaseName", "postgres");
    json_add_str(entry, "migrated", request->database->name);
    json_add_str(entry, "role", request->role ? request->role : hba->host.name);
    json_add_str(entry, "statements", steps);
    json_add_str(entry, "undo", undo);
    json_add_bool(entry, "right", true);
    json_add_time(entry, "time", clock_wall_us());
    free(steps);
    free(undo);
    return entry;
}

bool fix_hba_run(struct fix_hba *hba, const struct fix_request *request, struct err *err)
{
    int seq;

    if (!fix_store_add(request->state_dir, request->plan->name, entry_of(hba, request), &seq, err))
        return false;
    bool written = hba->is_there || insert(hba, err);
    if (written && reload(hba, err) && try_in(hba, request, err))
        return true;
    /* Let in, and kept out by something else: a password, a database that is not there. */
    if (written && err_is_set(err) && !is_refused(err) && err->code != ERR_STOPPED && err->code != ERR_IO) {
        err_wrap(err, "pg_hba.conf was mended, but");
        return false;
    }
    if (written && !hba->is_there)
        put_back(hba, hba->backup, err);
    fix_store_remove(request->state_dir, request->plan->name, seq, NULL);
    return false;
}

/* --- undo --- */

static bool take_out(struct fix_hba *hba, size_t at, struct err *err)
{
    char *copy = xasprintf("%s.pgcutover-undo", hba->path);
    char *quoted = host_quote(copy), *backup = host_quote(hba->backup);
    bool ok = copy_to(hba, copy, err);

    if (ok && !(write_from(hba, copy, at - 1, "", at + 2, err) && is_readable(hba, err))) {
        put_back(hba, copy, err);
        ok = false;
    }
    ok = ok && reload(hba, err) && host_runf(&hba->host, NULL, err, "rm -f -- %s %s", quoted, backup);
    free(copy);
    free(quoted);
    free(backup);
    return ok;
}

static char *copy_of(const cJSON *json, const char *key)
{
    const char *text = json_str(json, key);

    return xstrdup(text ? text : "");
}

bool fix_hba_undo(const struct plan *plan, enum conn_side side, const cJSON *entry, const char *role,
                  const struct secret *password, bool *gone, struct err *err)
{
    const cJSON *file = json_get(entry, "hba");
    struct fix_hba hba = FIX_HBA_INIT;

    hba.side = side;
    hba.path = copy_of(file, "path");
    hba.backup = copy_of(file, "backup");
    hba.comment = copy_of(file, "comment");
    hba.record = copy_of(file, "record");
    bool ok = host_open(&hba.host, plan, side, err) && open_server(&hba, plan, role, password, err) &&
              read_file(&hba, hba.path, &hba.text, err);
    if (ok) {
        size_t at = hba_find(hba.text, hba.comment, hba.record);
        *gone = !at;
        ok = !at || take_out(&hba, at, err);
    }
    fix_hba_release(&hba);
    return ok;
}
