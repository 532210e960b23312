/* check --fix ID, check --undo ID|all: what a check finds is mended in place, on the operator's word, and taken back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/stop.h"
#include "check/check.h"
#include "check/hba.h"
#include "cli/cli.h"
#include "engine/fix.h"
#include "engine/fix_hba.h"
#include "engine/fix_store.h"
#include "engine/fix_undo.h"

#define TRIES 3

/* --- what may be asked for --- */

static bool take_side(const struct options *o, int *side, struct err *err)
{
    *side = FIX_ANY_SIDE;
    if (o->side && strcmp(o->side, "source") == 0)
        *side = SIDE_SOURCE;
    else if (o->side && strcmp(o->side, "target") == 0)
        *side = SIDE_TARGET;
    else if (o->side)
        err_set(err, ERR_USAGE, "--side takes source or target, not \"%s\"", o->side);
    return !err_is_set(err);
}

static bool take_id(const struct options *o, struct err *err)
{
    const char *id = o->fix ? o->fix : o->undo;

    if (o->fix && o->undo)
        err_set(err, ERR_USAGE, "--fix and --undo are not for one command");
    else if (o->fixes || o->waived_count)
        err_set(err, ERR_USAGE, "--fixes and --waive are for the checks, not beside %s", o->fix ? "--fix" : "--undo");
    else if (!check_id_is_known(id) && !(o->undo && strcmp(id, "all") == 0))
        err_set(err, ERR_USAGE, "no check is called \"%s\"", id);
    else
        return true;
    if (check_id_nearest(id))
        err_hint(err, "Did you mean \"%s\"? man pgcutover-checks has all of them.", check_id_nearest(id));
    return false;
}

static const struct plan_database *take_database(const struct options *o, const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->database_count; i++)
        if (o->database_name ? strcmp(o->database_name, plan->databases[i].name) == 0 : plan->database_count == 1)
            return &plan->databases[i];
    if (o->database_name)
        err_set(err, ERR_USAGE, "the plan has no database \"%s\"", o->database_name);
    else
        err_set(err, ERR_USAGE, "the plan has %zu databases: name one with --database-name", plan->database_count);
    return NULL;
}

/* The role's password, where its server wants one that the passfile does not have: asked for on the terminal. */
static bool open_as(const struct options *o, const struct plan *plan, enum conn_side side, const char *database,
                    struct secret *password, struct err *err)
{
    for (int tries = 0; o->as && tries < TRIES; tries++) {
        struct conn c = CONN_INIT;
        char *answer = NULL;
        err_clear(err);
        bool ok = fix_connect(&c, plan, side, database, o->as, password, err);
        conn_close(&c);
        if (ok)
            return true;
        if (!cli_wants_password(err) && (tries == 0 || strcmp(err->sqlstate, "28P01") != 0))
            return false;
        char *question = xasprintf("Password for %s on the %s", o->as, side_name(side));
        bool asked = !o->yes && cli_ask_secret(question, &answer);
        free(question);
        if (!asked) {
            err_hint(err, "Put the password of \"%s\" into the passfile (~/.pgpass): it cannot be asked for here.", o->as);
            return false;
        }
        secret_set(password, answer);
        secret_free_string(answer);
    }
    return !err_is_set(err);
}

/* --- --fix --- */

static void print_lines(FILE *out, const char *text)
{
    for (const char *at = text; at && *at;) {
        size_t len = strcspn(at, "\n");
        fprintf(out, "    %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

/* Everything that would be run, as it will be. */
static void show(FILE *out, const struct options *o, const struct fix *fix)
{
    fprintf(out, "%s (%s): %s\n", o->fix, side_name(fix->side), fix->message);
    if (!fix->statements) {
        fputs("Nothing of what mends it can be run from here:\n", out);
        print_lines(out, fix->advice ? fix->advice : "-");
        return;
    }
    fprintf(out, "On the %s, in database \"%s\"%s%s, this is run:\n", side_name(fix->side), fix->database, o->as ? ", as " : "",
            o->as ? o->as : "");
    print_lines(out, fix->statements);
    if (fix->reload)
        print_lines(out, "SELECT pg_reload_conf();");
    if (fix->needs == NEEDS_RESTART)
        fputs("It counts once the server was restarted, which this program never does.\n", out);
    fputs(fix->lasts                     ? "It stays when the migration ends; --undo takes it back:\n"
          : fix_is_right(fix->statements) ? "It is taken back when the migration is deleted or cancelled:\n"
                                          : "It is taken back when the migration ends:\n", out);
    print_lines(out, fix->undo ? fix->undo : "-");
}

static const char *outcome_word(enum fix_outcome outcome)
{
    static const char *const words[] = {"mended", "restart", "open"};

    return words[outcome];
}

static void print_json(const struct options *o, const struct fix *fix, const char *outcome, const char *message)
{
    cJSON *json = cJSON_CreateObject();

    json_add_str(json, "id", o->fix);
    json_add_str(json, "side", fix->found ? side_name(fix->side) : NULL);
    json_add_str(json, "databaseName", fix->database);
    json_add_str(json, "statements", fix->statements);
    json_add_bool(json, "reload", fix->reload);
    json_add_bool(json, "lasts", fix->lasts);
    json_add_str(json, "undo", fix->undo);
    json_add_str(json, "fix", fix->advice);
    json_add_str(json, "outcome", outcome);
    json_add_str(json, "message", message);
    cli_print_json(json);
    cJSON_Delete(json);
}

static int tell_outcome(const struct options *o, const struct fix *fix, enum fix_outcome outcome, const char *message)
{
    if (o->json)
        print_json(o, fix, outcome_word(outcome), message);
    else if (outcome == FIX_MENDED)
        printf("%s is mended.\n", o->fix);
    else if (outcome == FIX_WANTS_RESTART)
        printf("Restart the %s, then check again.\n", side_name(fix->side));
    else
        printf("It was run, and this is still found: %s\n", message);
    return outcome == FIX_OPEN ? 3 : 0;
}

static bool agrees(const struct options *o, struct err *err)
{
    fflush(stdout); /* before what is told on stderr */
    if (o->yes)
        return true;
    if (cli_ask_yes("Run it"))
        return true;
    err_set(err, ERR_USAGE, "nothing was run: it was not agreed to");
    err_hint(err, "Without a terminal --yes says so.");
    return false;
}

static int mend(const struct options *o, const struct fix_request *request, struct fix *fix, struct secret *password,
                struct err *err)
{
    enum fix_outcome outcome;
    char *message = NULL;
    int code = 0;

    if (!open_as(o, request->plan, fix->side, fix->database, password, err) || !agrees(o, err))
        return cli_fail(o, err);
    if (!fix_run(fix, request, err) || !fix_recheck(fix, request, &outcome, &message, err))
        code = cli_fail(o, err);
    else
        code = tell_outcome(o, fix, outcome, message);
    free(message);
    return code;
}

/* --- --fix where pg_hba.conf keeps the plan's role out --- */

void cli_show_command(void *arg, const char *host, const char *command)
{
    (void)arg;
    fprintf(stderr, "on %s: %s\n", host, command);
}

static void show_hba(FILE *out, const struct options *o, const struct fix *fix)
{
    fprintf(out, "%s (%s): %s\n", o->fix, side_name(fix->side), fix->message);
    fputs("This is done on its host:\n", out);
    print_lines(out, fix->statements);
    fputs("It is taken back when the migration is deleted or cancelled:\n", out);
    print_lines(out, fix->undo);
}

static int fix_hba(const struct options *o, const struct fix_request *request, enum conn_side side, const char *refused)
{
    struct fix_hba hba = FIX_HBA_INIT;
    struct fix fix = {.found = true, .side = side, .message = xstrdup(refused)};
    struct err err = ERR_INIT;
    int code = 0;

    bool ok = fix_hba_look(&hba, request, side, refused, cli_show_command, NULL, &err);
    if (ok) {
        fix.statements = fix_hba_steps(&hba);
        fix.undo = fix_hba_undo_steps(&hba);
        show_hba(o->json ? stderr : stdout, o, &fix);
    }
    bool ran = ok && !o->dry_run && agrees(o, &err) && fix_hba_run(&hba, request, &err);
    if (err_is_set(&err))
        code = cli_fail(o, &err);
    else if (o->json)
        print_json(o, &fix, ran ? "mended" : "open", ran ? NULL : refused);
    else if (ran)
        printf("pg_hba.conf of the %s lets this migration in.\n", side_name(side));
    fix_hba_release(&hba);
    fix_release(&fix);
    return code;
}

static bool is_about_hba(const char *text)
{
    struct hba_refusal refusal = HBA_REFUSAL_INIT;
    bool is = hba_refusal_parse(&refusal, text);

    hba_refusal_release(&refusal);
    return is;
}

void cli_hint_hba(const struct options *o, struct err *err)
{
    if (is_about_hba(err->message))
        err_hint(err, "\"pgcutover check %s --fix hba --side %s\" puts a line for it into pg_hba.conf, where the server runs on this host "
                      "or on the plan's SSH server; it shows what it would do, and asks.",
                 o->args[0], strncmp(err->message, "target", 6) == 0 ? "target" : "source");
}

/* Whom pg_hba.conf keeps out cannot make any check. *code: it was dealt with, and came to this. False: everybody is let in, or
 * err says what else is wrong. */
static bool was_kept_out(const struct options *o, struct plan *plan, const struct plan_database *database, const char *state_dir, int side,
                         int *code, struct err *err)
{
    struct secret password = SECRET_INIT;
    struct fix_request request = {.state_dir = state_dir, .plan = plan, .database = database, .id = o->fix, .side = side,
                                  .role = o->as, .password = &password};
    bool kept = false;

    for (int i = SIDE_SOURCE; i <= SIDE_TARGET && !kept && !err_is_set(err); i++) {
        if (cli_greet_server(o, plan, (enum conn_side)i, err) || !is_about_hba(err->message))
            continue;
        kept = (strcmp(o->fix, "hba") == 0 || strcmp(o->fix, "repl-conn") == 0) && (side == FIX_ANY_SIDE || side == i);
        if (!kept) {
            cli_hint_hba(o, err);
            break;
        }
        char *refused = xstrdup(err->message);
        err_clear(err);
        *code = open_as(o, plan, (enum conn_side)i, "postgres", &password, err)
                    ? fix_hba(o, &request, (enum conn_side)i, refused) : cli_fail(o, err);
        free(refused);
    }
    secret_release(&password);
    return kept;
}

/* --- --fix ID --- */

static int fix_one(const struct options *o, struct plan *plan, const struct plan_database *database, const char *state_dir, int side)
{
    struct secret password = SECRET_INIT;
    struct fix_request request = {.state_dir = state_dir, .plan = plan, .database = database, .id = o->fix, .side = side,
                                  .role = o->as, .password = &password};
    struct fix fix = FIX_INIT;
    struct err err = ERR_INIT;
    int code = 0;

    if (!fix_look(&fix, &request, &err)) {
        code = cli_fail(o, &err);
    } else if (!fix.found) {
        if (o->json)
            print_json(o, &fix, "mended", NULL);
        else
            printf("%s finds nothing to mend.\n", o->fix);
    } else if (!fix.statements && strcmp(o->fix, "repl-conn") == 0 && is_about_hba(fix.message)) {
        code = open_as(o, plan, fix.side, fix.database, &password, &err) ? fix_hba(o, &request, fix.side, fix.message) : cli_fail(o, &err);
    } else {
        show(o->json ? stderr : stdout, o, &fix);
        if (!fix.statements || o->dry_run) {
            if (o->json)
                print_json(o, &fix, "open", fix.message);
            code = o->dry_run ? 0 : 3;
        } else {
            code = mend(o, &request, &fix, &password, &err);
        }
    }
    secret_release(&password);
    fix_release(&fix);
    return code;
}

/* --- --undo --- */

static void tell(void *arg, const char *level, const char *text)
{
    const struct options *o = arg;

    if (strcmp(level, "info") != 0)
        fprintf(stderr, "pgcutover: %s\n", text);
    else if (!o->json)
        puts(text);
}

static bool is_asked(const struct options *o, const cJSON *entry)
{
    const char *id = json_str(entry, "id");

    return strcmp(o->undo, "all") == 0 || (id && strcmp(o->undo, id) == 0);
}

/* Says what would be run; how many of them there are, and the last one's place. */
static size_t show_undo(const struct options *o, const cJSON *entries, enum conn_side *side, const char **database)
{
    const cJSON *entry;
    size_t count = 0;

    cJSON_ArrayForEach(entry, entries)
    {
        if (!is_asked(o, entry))
            continue;
        fprintf(o->json ? stderr : stdout, "%s, on the %s, in database \"%s\", done as %s:\n", json_str(entry, "id"),
                json_str(entry, "side"), json_str(entry, "databaseName"), json_str(entry, "role"));
        print_lines(o->json ? stderr : stdout, json_str(entry, "undo"));
        *side = strcmp(json_str(entry, "side"), "target") == 0 ? SIDE_TARGET : SIDE_SOURCE;
        *database = json_str(entry, "databaseName");
        count++;
    }
    return count;
}

static int take_back(const struct options *o, const struct fix_undo_request *request, struct err *err)
{
    size_t done = 0, left = 0;

    if (!fix_undo(request, &done, &left, err))
        return cli_fail(o, err);
    if (o->json) {
        cJSON *json = cJSON_CreateObject();
        json_add_num(json, "done", (double)done);
        json_add_num(json, "left", (double)left);
        cli_print_json(json);
        cJSON_Delete(json);
    }
    return left ? 1 : 0;
}

static int undo_those(const struct options *o, struct plan *plan, const char *state_dir)
{
    struct secret password = SECRET_INIT;
    struct fix_undo_request request = {.state_dir = state_dir, .plan = plan, .id = strcmp(o->undo, "all") == 0 ? NULL : o->undo,
                                       .migrated = o->database_name, .also_lasting = true, .role = o->as, .password = &password,
                                       .tell = tell, .arg = (void *)o};
    struct err err = ERR_INIT;
    cJSON *entries = fix_store_read(state_dir, plan->name, &err);
    enum conn_side side = SIDE_SOURCE;
    const char *database = NULL;
    int code = 0;

    if (!entries) {
        code = cli_fail(o, &err);
    } else if (!show_undo(o, entries, &side, &database)) {
        if (!o->json)
            puts("Nothing was mended by this program that could be taken back.");
    } else if (!o->dry_run) {
        code = open_as(o, plan, side, database, &password, &err) && agrees(o, &err) ? take_back(o, &request, &err)
                                                                                    : cli_fail(o, &err);
    }
    cJSON_Delete(entries);
    secret_release(&password);
    return code;
}

int cmd_fix(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    const struct plan_database *database = NULL;
    int side, code = 0;

    if (!take_id(o, &err) || !take_side(o, &side, &err) || !cli_read_plan_or_name(o, o->args[0], &plan, &err))
        return cli_fail(o, &err);
    stop_catch_signals(true);
    char *state_dir = cli_state_dir(o, &plan);
    bool ok = (o->undo || (database = take_database(o, &plan, &err))) && cli_open_tunnels(o, &plan, &tunnels, &err);
    if (ok && o->undo && !cli_greet_servers(o, &plan, &err) && is_about_hba(err.message))
        err_clear(&err); /* another role may be let in, or the host's own */
    bool dealt = ok && o->fix && was_kept_out(o, &plan, database, state_dir, side, &code, &err);
    if (!dealt && err_is_set(&err))
        code = cli_fail(o, &err);
    else if (!dealt)
        code = o->fix ? fix_one(o, &plan, database, state_dir, side) : undo_those(o, &plan, state_dir);
    cli_close_tunnels(&plan, &tunnels);
    plan_release(&plan);
    free(state_dir);
    return code;
}
