/* pause, resume, cancel, cutover, delete: to the engine that runs, or to one that is started for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/cli.h"
#include "control/client.h"
#include "engine/engine.h"
#include "engine/undo.h"

struct verb {
    const char *name;
    const char *until;     /* what is waited for, NULL: nothing */
    bool starts_engine;    /* when none runs */
    const char *said;
    const char *infinitive;
};

static const struct verb verbs[] = {
    {"pause", NULL, false, "paused; slot and place are kept", "pause"},
    {"resume", NULL, true, "resumed", "resume"},
    {"cancel", "cancelled", true, "cancelled: everything made on the source is gone", "cancel"},
    {"cutover", "done", false, "cut over: the target is open", "cut over"},
    {"abort", NULL, false, "the cutover is given up; the source goes on as before", "give up"},
    {"delete", "gone", true, "forgotten; nothing is left of it", "delete"},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

#define MOST_SECRETS 65536

static void take_secret(struct secret *secret, const cJSON *side, const char *key)
{
    const char *text = json_str(side, key);

    if (text) {
        secret_set(secret, text);
        explicit_bzero((char *)text, strlen(text));
    }
}

static void take_side(struct plan_endpoint *endpoint, const cJSON *side)
{
    take_secret(&endpoint->password, side, "password");
    take_secret(&endpoint->ssh.password, side, "sshPassword");
    take_secret(&endpoint->ssh.passphrase, side, "sshPassphrase");
}

/* --secrets: they go into the plan in memory, from where the engine has them. */
static bool take_secrets(struct plan *plan, struct err *err)
{
    char *text = xcalloc(1, MOST_SECRETS + 1);
    size_t len = fread(text, 1, MOST_SECRETS, stdin);
    cJSON *json = len < MOST_SECRETS ? cJSON_Parse(text) : NULL;
    bool ok = cJSON_IsObject(json);

    explicit_bzero(text, len);
    free(text);
    if (ok) {
        take_side(&plan->source, json_get(json, "source"));
        take_side(&plan->target, json_get(json, "target"));
    } else {
        err_set(err, ERR_USAGE, "--secrets wants a JSON object on standard input");
        err_hint(err, "{\"source\": {\"password\": ...}, \"target\": {...}}; see pgcutover(1).");
    }
    cJSON_Delete(json);
    return ok;
}

/* No engine runs: one is started that begins with this command. */
static bool start_engine(const struct options *o, const char *state_dir, const char *name,
                         const struct verb *verb, struct err *err)
{
    struct migration m;
    struct engine_options options = {.state_dir = state_dir, .command = verb->name};
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;

    if (!engine_load(&m, state_dir, name, err))
        return false;
    options.log_level = cli_log_level(o, &m.plan);
    bool ok = !o->secrets || take_secrets(&m.plan, err);
    if (ok && (strcmp(verb->name, "delete") != 0 || file_exists(m.dir)))
        ok = cli_open_tunnels(o, &m.plan, &tunnels, err) && cli_greet_servers(o, &m.plan, err);
    cli_close_tunnels(&m.plan, &tunnels);
    if (!ok && strcmp(verb->name, "resume") == 0 && err->retryable) {
        /* A server that is down for now: the engine waits for it. */
        err_clear(err);
        ok = true;
    }
    ok = ok && engine_start(&m, &options, NULL, err);
    migration_release(&m);
    return ok;
}

/* An engine is not missing where the migration has ended: says so instead, and that it did. */
static bool refuse_ended(const char *dir, const char *name, const struct verb *verb,
                         struct err *err)
{
    cJSON *status = cli_stored_status(dir);
    const char *state = json_str(json_get(status, "properties"), "state");
    bool done = state && strcmp(state, "Succeeded") == 0;
    bool ended = done || (state && strcmp(state, "Canceled") == 0);

    if (ended) {
        err_set(err, ERR_USAGE, "migration \"%s\" has ended: it was %s; there is nothing to %s", name,
                done ? "cut over" : "cancelled", verb->infinitive);
        err_hint(err, "\"pgcutover delete %s\" forgets it.", name);
    }
    cJSON_Delete(status);
    return ended;
}

static bool send_command(const struct options *o, const char *state_dir, const char *name,
                         const struct verb *verb, struct err *err)
{
    char *dir = xasprintf("%s/%s", state_dir, name);
    char *identity = xasprintf("%s/migration.json", dir);
    struct control control;
    bool ok = false;

    if (!plan_name_is_valid(name) || !file_exists(identity)) {
        err_set(err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(err, "\"pgcutover status\" lists what is there.");
    } else if (control_open(&control, dir, verb->name, false, err)) {
        ok = control_command(&control, verb->name, o->database_name, err);
        control_close(&control);
    } else if (verb->starts_engine) {
        err_clear(err);
        ok = start_engine(o, state_dir, name, verb, err);
    } else if (!refuse_ended(dir, name, verb, err)) {
        err_hint(err, "\"pgcutover resume %s\" starts its engine again.", name);
    }
    free(identity);
    free(dir);
    return ok;
}

static int wait_for_end(const struct options *o, const char *state_dir, const char *name,
                        const struct verb *verb)
{
    char *dir = xasprintf("%s/%s", state_dir, name);
    int code = verb->until ? cli_follow(o, dir, name, verb->until) : 0;

    free(dir);
    return code;
}

/* --- --dry-run --- */

static void print_undo(const cJSON *list, const struct verb *verb, const char *dir)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        const char *statement = json_str(item, "statement");
        const char *side = json_str(item, "side");
        printf("%s%s%s %s \"%s\": %s\n", json_str(item, "databaseName"), side ? ", " : "", side ? side : "", json_str(item, "kind"),
               json_str(item, "name"), statement ? statement : "would be kept");
    }
    if (!cJSON_GetArraySize(list))
        puts("Nothing of it is on either server.");
    if (strcmp(verb->name, "delete") == 0)
        printf("The directory \"%s\" would be removed.\n", dir);
}

/* What the journal has, and so what would be taken back. Nothing is asked of the servers. */
static int dry_run(const struct options *o, const char *state_dir, const struct verb *verb)
{
    struct migration m;
    struct err err = ERR_INIT;
    cJSON *list = cJSON_CreateArray();

    if (engine_load(&m, state_dir, o->args[0], &err)) {
        if (undo_list(&m, list, &err) && o->json) {
            cli_print_json(list);
        } else if (!err_is_set(&err)) {
            print_undo(list, verb, m.dir);
        }
        migration_release(&m);
    }
    cJSON_Delete(list);
    return err_is_set(&err) ? cli_fail(o, &err) : 0;
}

int cmd_command(const struct options *o)
{
    const struct verb *verb = find_verb(o->command);
    struct options follow = *o;
    struct err err = ERR_INIT;
    int code;

    if (o->rehearse)
        return cmd_rehearse(o);
    char *state_dir = cli_state_dir(o, NULL);
    follow.since_us = clock_wall_us();
    if (o->dry_run) {
        code = dry_run(o, state_dir, verb);
        free(state_dir);
        return code;
    }
    if (!send_command(o, state_dir, o->args[0], verb, &err))
        code = cli_fail(o, &err);
    else
        code = wait_for_end(&follow, state_dir, o->args[0], verb);
    if (code == 0 && !o->quiet)
        fprintf(stderr, "Migration \"%s\": %s.\n", o->args[0], verb->said);
    free(state_dir);
    return code;
}
