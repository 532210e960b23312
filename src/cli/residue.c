/* residue PLAN: what lost migrations have left on the plan's servers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "engine/residue.h"

/* One database of one side. */
struct place {
    const struct plan_endpoint *endpoint;
    const char *database;
    enum conn_side side;
};

struct looking {
    const struct options *options;
    const char *state_dir;
    struct residues found;
    size_t failed; /* could not be removed */
};

static bool connect(const struct place *place, struct conn *c, struct err *err)
{
    struct conn_options options = {.side = place->side, .profile = CONN_PLAIN, .role = "residue"};
    struct conninfo info = CONNINFO_INIT;
    bool ok = plan_conninfo(place->endpoint, place->database, &info, err) && conn_open(c, &info, &options, err);

    conninfo_release(&info);
    return ok;
}

/* One that cannot be removed does not keep the others. */
static void remove_those(struct looking *look, struct conn *c, size_t from)
{
    for (size_t i = from; i < look->found.count; i++) {
        struct err err = ERR_INIT;
        if (!residue_is_removable(&look->found.items[i]) || residue_remove(c, &look->found.items[i], &err))
            continue;
        look->failed++;
        cli_fail(look->options, &err);
    }
}

static bool look_at(struct looking *look, const struct place *place, struct err *err)
{
    struct conn c = CONN_INIT;
    size_t from = look->found.count;
    bool ok = connect(place, &c, err);

    if (!ok && place->side == SIDE_TARGET && strcmp(err->sqlstate, "3D000") == 0) {
        err_clear(err); /* no such database, and nothing in it */
        return true;
    }
    ok = ok && residue_find(&c, place->database, look->state_dir, &look->found, err);
    if (ok && look->options->remove)
        remove_those(look, &c, from);
    conn_close(&c);
    return ok;
}

static bool look_everywhere(struct looking *look, const struct plan *plan, struct err *err)
{
    for (size_t i = 0; i < plan->database_count; i++) {
        const struct plan_database *d = &plan->databases[i];
        struct place source = {&plan->source, d->name, SIDE_SOURCE}, target = {&plan->target, d->target_name, SIDE_TARGET};
        if (!look_at(look, &source, err) || !look_at(look, &target, err))
            return false;
    }
    return true;
}

static const char *standing(const struct residue *r)
{
    if (r->removed)
        return "removed";
    if (r->migration)
        return "needed by a migration of this host";
    if (r->in_use)
        return "in use";
    return r->certain ? "left behind" : "perhaps left behind: a DBA may have set it";
}

static void print_json(const struct residues *found)
{
    cJSON *list = cJSON_CreateArray();

    for (size_t i = 0; i < found->count; i++) {
        const struct residue *r = &found->items[i];
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "side", side_name(r->side));
        json_add_str(item, "databaseName", r->database);
        json_add_str(item, "kind", r->kind);
        json_add_str(item, "name", r->name);
        json_add_str(item, "state", standing(r));
        json_add_str(item, "migration", r->migration);
        json_add_bool(item, "inUse", r->in_use);
        json_add_bool(item, "certain", r->certain);
        json_add_bool(item, "removed", r->removed);
        json_add_str(item, "fix", r->fix);
        cJSON_AddItemToArray(list, item);
    }
    cli_print_json(list);
    cJSON_Delete(list);
}

static void print_text(const struct looking *look)
{
    size_t removable = 0;

    for (size_t i = 0; i < look->found.count; i++) {
        const struct residue *r = &look->found.items[i];
        printf("%s %s: %s %s: %s%s%s\n", side_name(r->side), r->database, r->kind, r->name, standing(r), r->migration ? ": " : "",
               r->migration ? r->migration : "");
        if (!r->removed && !r->migration)
            printf("    %s;\n", r->fix);
        removable += residue_is_removable(r);
    }
    if (!look->found.count)
        puts("Nothing is left on either server.");
    else if (removable && !look->options->remove)
        printf("\"pgcutover residue %s --remove\" removes what is left behind (%zu).\n", look->options->args[0], removable);
}

int cmd_residue(const struct options *o)
{
    struct plan plan = {0};
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    char *state_dir = NULL;
    int code = 0;

    stop_catch_signals(true);
    bool ok = cli_read_plan(o, o->args[0], &plan, &err);
    struct looking look = {.options = o, .state_dir = state_dir = cli_state_dir(o, ok ? &plan : NULL)};
    ok = ok && cli_open_tunnels(o, &plan, &tunnels, &err) && cli_greet_servers(o, &plan, &err) &&
         look_everywhere(&look, &plan, &err);
    /* Also where one server could not be looked at: what was removed on the other is told. */
    if (o->json && (ok || look.found.count))
        print_json(&look.found);
    else if (ok || look.found.count)
        print_text(&look);
    if (!ok)
        code = cli_fail(o, &err);
    else if (look.failed)
        code = 1;
    cli_close_tunnels(&plan, &tunnels);
    residues_release(&look.found);
    plan_release(&plan);
    free(state_dir);
    return code;
}
