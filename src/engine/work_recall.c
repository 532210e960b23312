/* recall: what the target knows of the migration, read when an engine begins. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/works.h"
#include "sql/sql.h"

#define TABLES_A_MESSAGE 500

static void add_lsn_text(cJSON *item, const char *key, const PGresult *res, int row, int col)
{
    if (!PQgetisnull(res, row, col))
        json_add_str(item, key, PQgetvalue(res, row, col));
}

static const char *text_or_null(const PGresult *res, int row, int col)
{
    return PQgetisnull(res, row, col) ? NULL : PQgetvalue(res, row, col);
}

/* Columns in the order of state_tables.sql. */
static cJSON *table_item(const PGresult *res, int row)
{
    static const char *const numbers[] = {"estRows", "estBytes"};
    static const char *const counters[] = {"rows", "bytes", "startedUs", "endedUs", "inserts",
                                           "updates", "deletes", "truncates"};
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "oid", PQgetvalue(res, row, 0));
    json_add_str(item, "schema", PQgetvalue(res, row, 1));
    json_add_str(item, "name", PQgetvalue(res, row, 2));
    json_add_str(item, "targetSchema", PQgetvalue(res, row, 3));
    json_add_str(item, "targetName", PQgetvalue(res, row, 4));
    json_add_bool(item, "atCutover", *PQgetvalue(res, row, 5) == 't');
    json_add_str(item, "where", text_or_null(res, row, 6));
    json_add_bool(item, "needsFull", *PQgetvalue(res, row, 7) == 't');
    for (int i = 0; i < 2; i++)
        json_add_i64(item, numbers[i], atoll(PQgetvalue(res, row, 8 + i)));
    add_lsn_text(item, "epochLsn", res, row, 10);
    json_add_bool(item, "loaded", *PQgetvalue(res, row, 11) == 't');
    json_add_bool(item, "indexed", *PQgetvalue(res, row, 12) == 't');
    for (int i = 0; i < 8; i++)
        json_add_i64(item, counters[i], atoll(PQgetvalue(res, row, 13 + i)));
    json_add_bool(item, "behind", !PQgetisnull(res, row, 21) || !PQgetisnull(res, row, 22));
    if (!PQgetisnull(res, row, 22))
        cJSON_AddItemToObject(item, "stopped", cJSON_Parse(PQgetvalue(res, row, 22)));
    json_add_i64(item, "conflicts", atoll(PQgetvalue(res, row, 23)));
    json_add_str(item, "columns", text_or_null(res, row, 24));
    json_add_str(item, "finalSchema", text_or_null(res, row, 25));
    json_add_str(item, "finalName", text_or_null(res, row, 26));
    return item;
}

/* unfinished: objects of the schema are still to be made. */
static void send_tables(struct work *work, const PGresult *res, const char *type, bool unfinished)
{
    int count = PQntuples(res);

    for (int row = 0; row == 0 || row < count;) {
        cJSON *message = json_message(type);
        cJSON *list = cJSON_AddArrayToObject(message, "tables");
        json_add_bool(message, "first", row == 0);
        for (int n = 0; n < TABLES_A_MESSAGE && row < count; n++, row++)
            cJSON_AddItemToArray(list, table_item(res, row));
        json_add_bool(message, "last", row >= count);
        json_add_bool(message, "unfinished", unfinished);
        work_send(work, message);
        if (!count)
            return;
    }
}

/* "t" when the target holds this migration's state. */
static bool is_known(struct work *work, struct conn *target, bool *known, struct err *err)
{
    const char *values[] = {work->m->id};
    char *has_schema = NULL;
    char *is_ours = NULL;
    bool ok = conn_scalar(target, sql_state_has_schema, 0, NULL, &has_schema, err);

    *known = false;
    if (ok && has_schema && *has_schema == 't') {
        ok = conn_scalar(target, sql_state_exists, 1, values, &is_ours, err);
        *known = ok && is_ours && *is_ours == 't';
    }
    free(has_schema);
    free(is_ours);
    return ok;
}

static bool tell_dropped(struct work *work, struct conn *target, struct err *err)
{
    PGresult *res = conn_exec(target, "SELECT source_oid FROM pgcutover.tables WHERE mode = 'dropped'", err);

    for (int row = 0; res && row < PQntuples(res); row++) {
        cJSON *message = json_message("table_gone");
        json_add_str(message, "oid", PQgetvalue(res, row, 0));
        work_send(work, message);
    }
    PQclear(res);
    return res != NULL;
}

bool work_tell_tables(struct work *work, struct conn *target, struct err *err)
{
    PGresult *res = conn_exec(target, sql_state_tables, err);

    if (res)
        send_tables(work, res, "tables_changed", false);
    PQclear(res);
    return res && tell_dropped(work, target, err);
}

bool work_recall(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    PGresult *res = NULL;
    bool known = false;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);

    if (!ok && strcmp(err->sqlstate, "3D000") == 0) {
        /* The target database was not made yet. */
        err_clear(err);
        work_send(work, json_message("nothing"));
        return true;
    }
    ok = ok && is_known(work, &target, &known, err);
    if (ok && !known) {
        work_send(work, json_message("nothing"));
    } else if (ok) {
        char *unfinished = NULL;
        ok = conn_scalar(&target, sql_state_unfinished, 0, NULL, &unfinished, err) &&
             (res = conn_exec(&target, sql_state_tables, err));
        if (ok)
            send_tables(work, res, "tables", *unfinished == 't');
        free(unfinished);
    }
    PQclear(res);
    conn_close(&target);
    return ok;
}
