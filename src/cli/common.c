#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "check/check.h"
#include "cli/cli.h"
#include "control/client.h"
#include "engine/engine.h"
#include "pg/conn.h"

int cli_fail(const struct options *options, struct err *err)
{
    int code = err_exit_code(err);

    if (err->code == ERR_STOPPED && !err->hint) {
        err_set(err, ERR_STOPPED, "interrupted");
        err_hint(err, "Nothing of this command goes on running; it changed nothing.");
    }
    char *text = err_text(err);

    fprintf(stderr, "pgcutover: %s\n", text);
    free(text);
    if (options->json) {
        cJSON *message = json_message("error");
        cJSON_AddItemToObject(message, "error", err_to_json(err));
        json_add_num(message, "exitCode", code);
        char *line = json_line(message);
        puts(line);
        free(line);
        cJSON_Delete(message);
    }
    err_clear(err);
    return code;
}

void cli_print_json(const cJSON *json)
{
    char *text = json_pretty_sorted(json);

    puts(text);
    free(text);
}

char *cli_state_dir(const struct options *options, const struct plan *plan)
{
    const char *given = options->state_dir;
    const char *xdg = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    char cwd[4096];

    if (!given && plan)
        given = plan->state_dir;
    if (given && given[0] != '/' && getcwd(cwd, sizeof cwd))
        return xasprintf("%s/%s", cwd, given);
    if (given)
        return xstrdup(given);
    if (xdg && xdg[0] == '/')
        return xasprintf("%s/pgcutover", xdg);
    return xasprintf("%s/.local/state/pgcutover", home && *home ? home : "/tmp");
}

enum log_level cli_log_level(const struct options *options, const struct plan *plan)
{
    enum log_level level = plan ? plan->log_level : LOG_INFO;

    if (options->log_level)
        log_level_parse(options->log_level, &level);
    return level;
}

static bool read_files(const struct options *o, struct plan *plan, struct err *err)
{
    if (o->source_json && o->target_json && o->databases_json)
        return plan_read_azure(plan, o->source_json, o->target_json, o->databases_json, o->name,
                               err);
    err_set(err, ERR_USAGE, "--batch takes a plan, or all of --source-connection-json, "
                            "--target-connection-json and --database-options-json");
    return false;
}

/* What --waive says goes over the plan; each id of either must be one of a check. */
static bool waive(const struct options *o, struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < o->waived_count; i++)
        plan_waive(plan, o->waived[i]);
    for (size_t i = 0; i < plan->waived_count; i++) {
        const char *id = plan->waived[i];
        if (check_id_is_known(id))
            continue;
        const char *nearest = check_id_nearest(id);
        err_set(err, ERR_USAGE, "no check is called \"%s\" (waive)", id);
        if (nearest)
            err_hint(err, "Did you mean \"%s\"? man pgcutover-checks has all of them.", nearest);
        else
            err_hint(err, "man pgcutover-checks has all ids.");
        return false;
    }
    return true;
}

bool cli_read_plan(const struct options *options, const char *path, struct plan *plan,
                   struct err *err)
{
    *plan = (struct plan){0};
    if (!(path ? plan_read_as(plan, path, options->name, err) : read_files(options, plan, err)))
        return false;
    if (!waive(options, plan, err)) {
        plan_release(plan);
        return false;
    }
    for (size_t i = 0; i < plan->note_count && !options->quiet; i++)
        fprintf(stderr, "pgcutover: note: %s\n", plan->notes[i]);
    return true;
}

bool cli_read_plan_or_name(const struct options *options, const char *path, struct plan *plan, struct err *err)
{
    char *state_dir = cli_state_dir(options, NULL);
    char *identity = xasprintf("%s/%s/migration.json", state_dir, path);
    bool is_name = plan_name_is_valid(path) && !file_exists(path) && file_exists(identity);
    struct migration m;
    bool ok = !is_name || engine_load(&m, state_dir, path, err);

    if (ok && is_name) {
        *plan = m.plan;
        m.plan = (struct plan){0};
        migration_release(&m);
    }
    free(identity);
    free(state_dir);
    return is_name ? ok : cli_read_plan(options, path, plan, err);
}

bool cli_ask_secret(const char *question, char **answer)
{
    struct termios before;
    char line[1024];
    FILE *tty = fopen("/dev/tty", "r+");
    bool ok = false;

    *answer = NULL;
    if (!tty)
        return false;
    if (tcgetattr(fileno(tty), &before) == 0) {
        struct termios quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fileno(tty), TCSAFLUSH, &quiet);
        fprintf(tty, "%s: ", question);
        fflush(tty);
        ok = fgets(line, sizeof line, tty) != NULL;
        tcsetattr(fileno(tty), TCSAFLUSH, &before);
        fputc('\n', tty);
    }
    if (ok) {
        line[strcspn(line, "\n")] = '\0';
        *answer = xstrdup(line);
        explicit_bzero(line, sizeof line);
    }
    fclose(tty);
    return ok;
}

bool cli_ask_yes(const char *question)
{
    char line[16];
    FILE *tty = fopen("/dev/tty", "r+");
    bool yes = false;

    if (!tty)
        return false;
    fprintf(tty, "%s (yes/no)? ", question);
    fflush(tty);
    yes = fgets(line, sizeof line, tty) && strncmp(line, "yes", 3) == 0;
    fclose(tty);
    return yes;
}

bool cli_wants_password(const struct err *err)
{
    return err->message && strstr(err->message, "no password supplied");
}

static bool greet(const struct plan_endpoint *endpoint, const char *database, enum conn_side side,
                  struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn conn = CONN_INIT;
    struct conn_options options = {.side = side, .profile = CONN_PLAIN, .role = "greet"};
    bool ok = plan_conninfo(endpoint, database, &info, err) &&
              conn_open(&conn, &info, &options, err);

    conn_close(&conn);
    conninfo_release(&info);
    return ok;
}

static char *password_question(const struct plan_endpoint *endpoint, const char *database,
                               enum conn_side side)
{
    struct conninfo info = CONNINFO_INIT;
    char *label = plan_conninfo(endpoint, database, &info, NULL) ? conninfo_label(&info)
                                                                 : xstrdup(database);
    const char *user = conninfo_get(&info, "user");
    char *question = xasprintf("Password for %s%sthe %s %s", user ? user : "", user ? " on " : "",
                               side_name(side), label);

    conninfo_release(&info);
    free(label);
    return question;
}

/* Connects; asks for the password, up to three times, where the server wants one. */
static bool greet_side(const struct options *o, struct plan_endpoint *endpoint,
                       const char *database, enum conn_side side, struct err *err)
{
    for (int tries = 0; tries < 3; tries++) {
        char *answer = NULL;
        err_clear(err);
        if (greet(endpoint, database, side, err))
            return true;
        if (side == SIDE_TARGET && strcmp(err->sqlstate, "3D000") == 0) {
            err_clear(err);
            return true;
        }
        if (!cli_wants_password(err) && (tries == 0 || strcmp(err->sqlstate, "28P01") != 0))
            return false;
        char *question = password_question(endpoint, database, side);
        bool asked = !o->yes && cli_ask_secret(question, &answer);
        free(question);
        if (!asked) {
            err_hint(err, "Put the password into the passfile (~/.pgpass), the environment or the "
                          "plan: without a terminal, or with --yes, it cannot be asked for.");
            return false;
        }
        secret_set(&endpoint->password, answer);
        secret_free_string(answer);
    }
    return false;
}

bool cli_greet_server(const struct options *options, struct plan *plan, enum conn_side side, struct err *err)
{
    return side == SIDE_SOURCE ? greet_side(options, &plan->source, plan->databases[0].name, side, err)
                               : greet_side(options, &plan->target, plan->databases[0].target_name, side, err);
}

bool cli_greet_servers(const struct options *options, struct plan *plan, struct err *err)
{
    stop_catch_signals(false);
    return cli_greet_server(options, plan, SIDE_SOURCE, err) && cli_greet_server(options, plan, SIDE_TARGET, err);
}

cJSON *cli_stored_status(const char *dir)
{
    char *path = xasprintf("%s/status.json", dir);
    struct buf text = BUF_INIT;
    cJSON *status = file_read(path, &text, NULL) ? cJSON_Parse(text.data) : NULL;

    buf_release(&text);
    free(path);
    return status;
}

static cJSON *live_status(const char *dir, bool tables, struct err *err)
{
    struct control control;
    cJSON *status = NULL;

    if (control_open(&control, dir, "status", false, err)) {
        status = control_status(&control, tables, err);
        control_close(&control);
    }
    return status;
}

cJSON *cli_fetch_status(const char *state_dir, const char *name, bool tables, bool *live, struct err *err)
{
    char *dir = xasprintf("%s/%s", state_dir, name);
    char *identity = xasprintf("%s/migration.json", dir);
    cJSON *status = NULL;

    *live = false;
    if (!plan_name_is_valid(name) || !file_exists(identity)) {
        err_set(err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(err, "\"pgcutover status\" lists what is there.");
    } else {
        status = live_status(dir, tables, err);
        *live = status != NULL;
        if (!status && (status = cli_stored_status(dir))) /* its engine has ended */
            err_clear(err);
        if (!status && !err_is_set(err))
            err_set(err, ERR_NOT_FOUND, "migration \"%s\" has no status yet", name);
    }
    free(identity);
    free(dir);
    return status;
}

const cJSON *cli_output(const cJSON *status)
{
    return json_get(json_get(status, "properties"), "output");
}

bool cli_is_type(const cJSON *item, const char *type)
{
    const char *is = json_str(item, "resultType");

    return is && strcmp(is, type) == 0;
}
