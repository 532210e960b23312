/* connect PLAN [source|target]: does a server answer, which one is it, which databases does it have? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
#include "cli/cli.h"
#include "pg/conn.h"
#include "sql/sql.h"

/* The target's database may be made later: then another one of the server tells what it is. */
static bool open_side(struct conn *conn, const struct conninfo *info, enum conn_side side, bool *exists, struct err *err)
{
    static const char *const others[] = {"postgres", "template1"};
    struct conn_options options = {.side = side, .profile = CONN_PLAIN, .role = "connect"};

    *exists = conn_open(conn, info, &options, err);
    for (int i = 0; !*exists && i < 2 && side == SIDE_TARGET && strcmp(err->sqlstate, "3D000") == 0; i++) {
        err_clear(err);
        options.dbname = others[i];
        if (conn_open(conn, info, &options, err))
            return true;
    }
    return *exists;
}

static void add_databases(cJSON *answer, const PGresult *res)
{
    cJSON *databases = cJSON_AddArrayToObject(answer, "databases");

    for (int row = 0; row < PQntuples(res); row++) {
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "name", PQgetvalue(res, row, 0));
        if (!PQgetisnull(res, row, 1))
            json_add_num(item, "bytes", strtod(PQgetvalue(res, row, 1), NULL));
        json_add_bool(item, "current", PQgetvalue(res, row, 2)[0] == 't');
        cJSON_AddItemToArray(databases, item);
    }
}

static bool ask(struct conn *conn, cJSON *answer, struct err *err)
{
    int64_t began_us = clock_mono_us();
    PGresult *res = conn_exec(conn, "SELECT 1", err);
    int64_t took_us = clock_mono_us() - began_us;

    PQclear(res);
    if (!res || !(res = conn_exec(conn, sql_catalog_databases, err)))
        return false;
    json_add_str(answer, "server", conn->label);
    json_add_str(answer, "version", PQparameterStatus(conn->pg, "server_version"));
    json_add_str(answer, "user", PQuser(conn->pg));
    json_add_str(answer, "tls", PQsslInUse(conn->pg) ? PQsslAttribute(conn->pg, "protocol") : NULL);
    json_add_num(answer, "roundTripMs", (double)took_us / 1000);
    add_databases(answer, res);
    PQclear(res);
    return true;
}

/* What a person could say that would let the next try in. */
static void add_wish(cJSON *answer, const struct ssh_trouble *trouble)
{
    static const char *const words[] = {
        [SSH_WANT_HOST_KEY] = "host-key",
        [SSH_WANT_JUMP_HOST_KEY] = "jump-host-key",
        [SSH_WANT_PASSWORD] = "ssh-password",
        [SSH_WANT_PASSPHRASE] = "ssh-passphrase",
    };

    if (trouble->want == SSH_WANT_NOTHING)
        return;
    json_add_str(answer, "wants", words[trouble->want]);
    if (trouble->fingerprint)
        json_add_str(answer, "fingerprint", trouble->fingerprint);
}

static cJSON *try_side(const struct options *o, struct plan *plan, struct cli_tunnels *tunnels, enum conn_side side,
                       struct err *err)
{
    const struct plan_database *database = &plan->databases[0];
    const char *name = side == SIDE_SOURCE ? database->name : database->target_name;
    cJSON *answer = json_message("connection");
    struct conninfo info = CONNINFO_INIT;
    struct conn conn = CONN_INIT;
    bool exists = false;

    bool way = cli_open_tunnel(o, plan, tunnels, side, err);

    if (!way)
        add_wish(answer, &tunnels->trouble);
    json_add_str(answer, "side", side_name(side));
    json_add_str(answer, "databaseName", name);
    bool ok = way && plan_conninfo(side == SIDE_SOURCE ? &plan->source : &plan->target, name, &info, err) &&
              open_side(&conn, &info, side, &exists, err) && ask(&conn, answer, err);
    json_add_bool(answer, "ok", ok);
    json_add_bool(answer, "databaseExists", exists);
    if (!ok)
        cJSON_AddItemToObject(answer, "error", err_to_json(err));
    conn_close(&conn);
    conninfo_release(&info);
    return answer;
}

static void tell(const cJSON *answer)
{
    const cJSON *item;
    char bytes[32];

    if (!json_bool(answer, "ok", false))
        return;
    printf("%s: PostgreSQL %s as %s, %.1f ms%s%s\n", json_str(answer, "server"), json_str(answer, "version"),
           json_str(answer, "user"), json_get(answer, "roundTripMs")->valuedouble,
           json_str(answer, "tls") ? ", " : "", json_str(answer, "tls") ? json_str(answer, "tls") : "");
    if (!json_bool(answer, "databaseExists", false))
        printf("  database \"%s\" is not there yet\n", json_str(answer, "databaseName"));
    cJSON_ArrayForEach(item, json_get(answer, "databases"))
    {
        bytes[0] = '\0';
        if (json_get(item, "bytes"))
            units_bytes((int64_t)json_get(item, "bytes")->valuedouble, bytes, sizeof bytes);
        printf("  %s%s%s\n", json_str(item, "name"), *bytes ? ", " : "", bytes);
    }
}

static bool is_asked(const struct options *o, enum conn_side side)
{
    return o->arg_count < 2 || strcmp(o->args[1], side_name(side)) == 0;
}

static int connect_sides(const struct options *o, struct plan *plan, struct cli_tunnels *tunnels)
{
    cJSON *answers = cJSON_CreateArray();
    int code = 0;

    for (int side = SIDE_SOURCE; side <= SIDE_TARGET; side++) {
        struct err err = ERR_INIT;
        if (!is_asked(o, (enum conn_side)side))
            continue;
        cJSON *answer = try_side(o, plan, tunnels, (enum conn_side)side, &err);
        if (!o->json)
            tell(answer);
        if (err_is_set(&err) && o->json)
            code = 1;
        else if (err_is_set(&err))
            code = cli_fail(o, &err);
        err_clear(&err);
        cJSON_AddItemToArray(answers, answer);
    }
    if (o->json) {
        cli_print_json(answers);
    }
    cJSON_Delete(answers);
    return code;
}

int cmd_connect(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;

    if (o->arg_count > 1 && !is_asked(o, SIDE_SOURCE) && !is_asked(o, SIDE_TARGET)) {
        err_set(&err, ERR_USAGE, "\"%s\" is no side of a migration", o->args[1]);
        err_hint(&err, "Say source or target, or nothing for both.");
        return cli_fail(o, &err);
    }
    if (!cli_read_plan(o, o->args[0], &plan, &err))
        return cli_fail(o, &err);
    stop_catch_signals(true);
    int code = connect_sides(o, &plan, &tunnels);
    cli_close_tunnels(&plan, &tunnels);
    plan_release(&plan);
    return code;
}
