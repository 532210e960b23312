/* What becomes of a change that does not fit the target. The error has told the very row, and the
 * transaction was rolled back. Either the transaction is applied with care (apply_careful.c), or the table is
 * detached (apply_behind.c) and the conflict kept, in one statement; in both cases the caller feeds again,
 * and all other tables go on. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define ROW_JSON_BYTES ((size_t)1 << 20) /* of larger rows only the key is kept */

/* --- a change as JSON --- */

static size_t tuple_bytes(const struct tuple *tuple)
{
    size_t bytes = 0;

    for (size_t i = 0; i < tuple->count; i++)
        if (tuple->values[i].kind == VALUE_TEXT || tuple->values[i].kind == VALUE_BINARY)
            bytes += tuple->values[i].len;
    return bytes;
}

/* Values that the source did not send are left out, binary ones have no text. */
static cJSON *tuple_json(const struct apply_table *table, const struct tuple *tuple)
{
    cJSON *json = cJSON_CreateObject();

    for (size_t i = 0; i < tuple->count && i < table->source.column_count; i++) {
        const struct value *value = &tuple->values[i];
        const char *name = table->source.columns[i].name;
        if (value->kind == VALUE_NULL)
            cJSON_AddNullToObject(json, name);
        else if (value->kind == VALUE_TEXT)
            cJSON_AddStringToObject(json, name, value->data);
    }
    return json;
}

char *apply_row_json(const struct apply_table *table, const struct change *change)
{
    cJSON *json;
    char *text;

    if (tuple_bytes(&change->old_tuple) + tuple_bytes(&change->new_tuple) > ROW_JSON_BYTES)
        return NULL;
    json = cJSON_CreateObject();
    if (change->has_old)
        cJSON_AddItemToObject(json, "old", tuple_json(table, &change->old_tuple));
    if (change->kind != CHANGE_DELETE)
        cJSON_AddItemToObject(json, "new", tuple_json(table, &change->new_tuple));
    text = cJSON_PrintUnformatted(json);
    cJSON_Delete(json);
    return text;
}

/* --- a table is stopped --- */

/* Its own: what is wrong with its rows, definition or triggers. Not: servers, bytes that mean nothing. */
bool apply_is_tables_own(const struct applier *applier, const struct err *err)
{
    return applier->failed && !err->retryable &&
           (err->code == ERR_CONFLICT || err->code == ERR_SERVER || err->code == ERR_PREREQUISITE);
}

static bool stop_table(struct applier *applier, const struct err *why, struct err *err)
{
    const struct applier_failure *failure = &applier->status.failure;
    const struct apply_table *table = applier->failed;
    cJSON *json = err_to_json(why);
    char *why_text = json_line(json);
    char oid[16], place[LSN_TEXT_SIZE], commit_lsn[LSN_TEXT_SIZE], xid[16];
    lsn_t from = applier->catch_up.on ? table->behind_lsn : applier->status.applied_lsn;

    snprintf(oid, sizeof oid, "%" PRIu32, table->source_oid);
    snprintf(xid, sizeof xid, "%" PRIu32, applier->xid);
    const char *values[] = {
        oid, lsn_format(from, place), why_text, failure->kind ? failure->kind : "ALTER TABLE",
        failure->key && *failure->key ? failure->key : NULL, applier->failed_row,
        *why->sqlstate ? why->sqlstate : NULL, why->message,
        lsn_format(applier->status.failure.commit_lsn ? failure->commit_lsn : applier->commit_lsn,
                   commit_lsn), xid};
    PGresult *res = apply_ask(applier, sql_apply_stop_table, 10, values, err);
    bool ok = res != NULL;

    PQclear(res);
    free(why_text);
    cJSON_Delete(json);
    return ok;
}

static bool stop_asked(struct applier *applier, struct err *err)
{
    if (!apply_group_commit(applier, true, err))
        return false;
    struct apply_table *table = apply_tables_find(&applier->tables, applier->asked_stop.oid);
    if (!table || !table->sync || table->is_stopped)
        return true;
    applier->failed = table;
    applier->status.failure = (struct applier_failure){.kind = applier->asked_stop.kind};
    bool ok = stop_table(applier, applier->asked_stop.why, err) && apply_read_tables(applier, err);
    applier->failed = NULL;
    return ok;
}

bool applier_stop_table(struct applier *applier, uint32_t source_oid, const char *kind, const struct err *why, struct err *err)
{
    applier->asked_stop.oid = source_oid;
    applier->asked_stop.kind = kind;
    applier->asked_stop.why = why;
    return apply_call(applier, stop_asked, err);
}

bool apply_settle(struct applier *applier, const struct err *err)
{
    struct err own = ERR_INIT;

    if (applier->options.on_conflict == APPLIER_FAILS || !apply_is_tables_own(applier, err))
        return false;
    if (!applier->half.end_lsn && apply_may_go_over(applier, err) && !apply_is_careful(applier)) {
        applier->careful_lsn = applier->commit_lsn;
        return true;
    }
    bool ok = stop_table(applier, err, &own) && apply_read_tables(applier, &own);
    if (!ok)
        log_err(LOG_WARNING, &own);
    err_clear(&own);
    return ok;
}
