#include "plan/rules.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/ident.h"
#include "plan/endpoint.h"
#include "plan/pattern.h"

static cJSON *member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool finish_tunnel(struct reader *reader, const struct plan_endpoint *endpoint, const struct spot *from)
{
    struct err own = ERR_INIT;
    char *host = NULL;
    int port;

    if (endpoint->ssh.host && !plan_tunnel_end(endpoint, &host, &port, &own)) {
        reader_fail(reader, member(from->item, "ssh"), "%s%sssh: %s", from->path, *from->path ? "." : "", own.message);
        err_hint(reader->err, "%s", own.hint);
        err_clear(&own);
        return false;
    }
    free(host);
    return true;
}

static bool finish_endpoint(struct reader *reader, void *base, const struct spot *from)
{
    struct plan_endpoint *endpoint = base;
    struct err own = ERR_INIT;
    cJSON *uri = member(from->item, "uri");

    if (!endpoint_finish(endpoint, &own)) {
        reader_fail(reader, uri, "%s%suri: %s", from->path, *from->path ? "." : "", own.message);
        if (own.hint)
            err_hint(reader->err, "%s", own.hint);
        err_clear(&own);
        return false;
    }
    if (endpoint->uri && strcmp(endpoint->uri, uri->valuestring) != 0) {
        explicit_bzero(uri->valuestring, strlen(uri->valuestring));
        cJSON_free(uri->valuestring);
        uri->valuestring = cJSON_malloc(strlen(endpoint->uri) + 1);
        if (!uri->valuestring)
            abort();
        strcpy(uri->valuestring, endpoint->uri);
    }
    return finish_tunnel(reader, endpoint, from);
}

static bool finish_ssh(struct reader *reader, void *base, const struct spot *from)
{
    const struct plan_ssh *ssh = base;

    return ssh->host || reader_fail(reader, from->item, "%s has no \"host\"", from->path);
}

/* A database's name as written, or as an SQL identifier in double quotes. */
static bool unquote(char **name)
{
    char *schema, *plain;

    if (**name != '"')
        return true;
    if (!ident_split(*name, &schema, &plain))
        return false;
    if (!schema)
        str_replace(name, plain);
    bool ok = !schema;
    free(schema);
    free(plain);
    return ok;
}

static bool finish_database(struct reader *reader, void *base, const struct spot *from)
{
    struct plan_database *database = base;

    if (!database->name)
        return reader_fail(reader, from->item, "%s has no \"name\"", from->path);
    if (!unquote(&database->name))
        return reader_fail(reader, member(from->item, "name"),
                           "%s.name has an opening quote without its end", from->path);
    if (database->target_name && !unquote(&database->target_name))
        return reader_fail(reader, member(from->item, "target_database_name"),
                           "%s.target_database_name has an opening quote without its end",
                           from->path);
    if (!database->target_name)
        database->target_name = xstrdup(database->name);
    database->index = plan_index_new(database);
    return true;
}

/* Names as SQL has them become the plain names; none may stand twice. */
static bool unquote_columns(struct reader *reader, const struct spot *from, const char *key,
                            char **names, size_t count)
{
    const cJSON *list = member(from->item, key);

    for (size_t i = 0; i < count; i++) {
        char *schema, *plain;
        ident_split(names[i], &schema, &plain);
        free(names[i]);
        names[i] = plain;
        for (size_t k = 0; k < i; k++)
            if (strcmp(names[k], plain) == 0)
                return reader_fail(reader, cJSON_GetArrayItem(list, (int)i),
                                   "%s.%s[%zu] is the same column as %s.%s[%zu]", from->path, key, i,
                                   from->path, key, k);
    }
    return true;
}

static bool finish_mapping(struct reader *reader, void *base, const struct spot *from)
{
    struct plan_mapping *mapping = base;

    if (!mapping->table)
        return reader_fail(reader, from->item, "%s has no \"table\"", from->path);
    if (!mapping->to && !mapping->where && !mapping->column_count && !mapping->excluded_count)
        return reader_fail(reader, from->item,
                           "%s says nothing of the table: it has no \"to\", \"where\", \"columns\" or "
                           "\"excludedColumns\"", from->path);
    if (mapping->column_count && mapping->excluded_count)
        return reader_fail(reader, member(from->item, "excludedColumns"),
                           "%s has both \"columns\" and \"excludedColumns\"", from->path);
    ident_split(mapping->table, &mapping->schema, &mapping->name);
    if (mapping->to)
        ident_split(mapping->to, &mapping->to_schema, &mapping->to_name);
    return unquote_columns(reader, from, "columns", mapping->columns, mapping->column_count) &&
           unquote_columns(reader, from, "excludedColumns", mapping->excluded,
                           mapping->excluded_count);
}

static bool finish_edit(struct reader *reader, void *base, const struct spot *from)
{
    const struct plan_edit *edit = base;

    if (!edit->object)
        return reader_fail(reader, from->item, "%s has no \"object\"", from->path);
    return (edit->sql != NULL) != edit->skip ||
           reader_fail(reader, from->item, "%s must have \"sql\", or \"skip\": true, and not both", from->path);
}

static bool names_database(const struct plan *plan, const char *name)
{
    for (size_t i = 0; i < plan->database_count; i++)
        if (strcmp(plan->databases[i].name, name) == 0)
            return true;
    return false;
}

/* Each edit is of one database, so that one that names nothing is found out. */
static bool finish_edits(struct reader *reader, const struct plan *plan, const struct spot *from)
{
    const cJSON *list = member(member(from->item, "schema"), "edits");

    for (size_t i = 0; i < plan->schema_edit_count; i++) {
        const struct plan_edit *edit = &plan->schema_edits[i];
        const cJSON *item = cJSON_GetArrayItem(list, (int)i);
        if (!edit->database && plan->database_count > 1)
            return reader_fail(reader, item, "schema.edits[%zu] has no \"database\", and the plan has several", i);
        if (edit->database && !names_database(plan, edit->database))
            return reader_fail(reader, item, "schema.edits[%zu].database is \"%s\", which the plan does not have", i,
                               edit->database);
    }
    return true;
}

/* What the way back cannot carry. */
static bool finish_fallback(struct reader *reader, const struct plan *plan, const struct spot *from)
{
    const cJSON *item = member(member(from->item, "cutover"), "fallback");

    if (plan->fallback && plan->sync_mode == SYNC_LOAD_ONLY)
        return reader_fail(reader, item, "cutover.fallback needs a stream: sync.mode is \"load-only\"");
    if (plan->fallback && plan->stop_writes == STOP_LOCK)
        return reader_fail(reader, item, "cutover.fallback and stopWrites \"lock\" do not go together: the source would be open to "
                           "writes beside those that come back");
    for (size_t i = 0; plan->fallback && i < plan->database_count; i++)
        if (plan->databases[i].mapping_count)
            return reader_fail(reader, item, "cutover.fallback and tableMappings do not go together: rows and names would "
                               "not be the source's");
    return true;
}

/* A slot that is there already knows nothing of what is made for the log of schema changes. */
static bool finish_slot(struct reader *reader, const struct plan *plan, const struct spot *from)
{
    const cJSON *item = member(member(from->item, "sync"), "slot");

    if (!plan->sync_slot)
        return true;
    if (plan->sync_mode != SYNC_SYNC_ONLY)
        return reader_fail(reader, item, "sync.slot needs sync.mode \"sync-only\"");
    if (plan->sync_ddl != SYNC_DDL_STOP)
        return reader_fail(reader, item, "sync.slot needs sync.ddl \"stop\": changes of the schema are not in that publication");
    return plan->database_count <= 1 || reader_fail(reader, item, "sync.slot is for a plan of one database");
}

static bool finish_plan(struct reader *reader, void *base, const struct spot *from)
{
    struct plan *plan = base;

    for (int i = 0; i < 2; i++) {
        const char *end = i ? "target" : "source";
        const cJSON *item = member(from->item, end);
        if (!item || cJSON_IsNull(item))
            return reader_fail(reader, from->item, "\"%s\" is missing", end);
    }
    if (plan->schema_indexes == INDEXES_REBUILD && plan->schema_mode != SCHEMA_EXISTING)
        return reader_fail(reader, member(member(from->item, "schema"), "indexes"),
                           "schema.indexes \"rebuild\" is for schema.mode \"existing\": else there are none to be taken out");
    if (plan->bouncer_uri && plan->database_count > 1)
        return reader_fail(reader, from->item, "cutover.pgbouncer is for a plan of one database");
    if (!finish_slot(reader, plan, from))
        return false;
    if (plan->cutover_at && plan->cutover_when == CUTOVER_READY)
        return reader_fail(reader, member(member(from->item, "cutover"), "at"), "cutover.at and cutover.when \"ready\" do not go together");
    if (plan->cutover_at)
        clock_parse_time(plan->cutover_at, &plan->cutover_at_us);
    if (plan->sync_mode == SYNC_SYNC_ONLY && plan->schema_mode != SCHEMA_EXISTING)
        return reader_fail(reader, member(member(from->item, "sync"), "mode"), "sync.mode \"sync-only\" needs schema.mode \"existing\": the rows are there already");
    return (plan->database_count || reader_default_database(reader)) && finish_edits(reader, plan, from) &&
           finish_fallback(reader, plan, from);
}

static bool finish_bouncer(struct reader *reader, const struct plan *plan, const struct spot *from)
{
    if (plan->bouncer_uri)
        return true;
    reader_fail(reader, from->item, "%s.uri is missing: how to reach PgBouncer's console", from->path);
    err_hint(reader->err, "As \"postgresql://admin@/pgbouncer?host=/run/pgbouncer\".");
    return false;
}

bool rules_of(struct reader *reader, enum key_scope scope, void *base, const struct spot *from)
{
    switch (scope) {
    case IN_PGBOUNCER:
        return finish_bouncer(reader, base, from);
    case IN_PLAN:
        return finish_plan(reader, base, from);
    case IN_ENDPOINT:
        return finish_endpoint(reader, base, from);
    case IN_SSH:
        return finish_ssh(reader, base, from);
    case IN_DATABASE:
        return finish_database(reader, base, from);
    case IN_MAPPING:
        return finish_mapping(reader, base, from);
    case IN_EDIT:
        return finish_edit(reader, base, from);
    default:
        return true;
    }
}

/* --- lists: nothing may stand in them twice --- */

struct twin {
    const char *schema; /* "" for databases */
    const char *name;
    size_t number;
};

static int by_text(const void *a, const void *b)
{
    const struct twin *left = a, *right = b;
    int order = strcmp(left->schema, right->schema);

    order = order ? order : strcmp(left->name, right->name);
    if (order)
        return order;
    return (left->number > right->number) - (left->number < right->number);
}

/* The first entry, in the list's order, that repeats an earlier one; count when there is none. */
static size_t find_twin(struct twin *twins, size_t count, size_t *earlier)
{
    size_t found = SIZE_MAX;

    qsort(twins, count, sizeof *twins, by_text);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(twins[i].schema, twins[i - 1].schema) != 0 ||
            strcmp(twins[i].name, twins[i - 1].name) != 0 || twins[i].number >= found)
            continue;
        found = twins[i].number;
        *earlier = twins[i - 1].number;
    }
    return found;
}

static size_t gather(struct twin *twins, const struct spot *spot, bool target)
{
    const void *items = *(void **)(spot->base + spot->key->field);
    size_t total = *(size_t *)(spot->base + spot->key->count_field);
    size_t count = 0;

    for (size_t i = 0; i < total; i++) {
        struct twin twin = {.schema = "", .number = i};
        if (spot->key->scope == IN_DATABASE) {
            const struct plan_database *database = (const struct plan_database *)items + i;
            twin.name = target ? database->target_name : database->name;
        } else if (spot->key->scope == IN_EDIT) {
            const struct plan_edit *edit = (const struct plan_edit *)items + i;
            twin.schema = edit->database ? edit->database : "";
            twin.name = target ? NULL : edit->object;
        } else {
            const struct plan_mapping *mapping = (const struct plan_mapping *)items + i;
            twin.schema = target ? mapping->to_schema : mapping->schema;
            twin.name = target ? mapping->to_name : mapping->name;
        }
        if (twin.name)
            twins[count++] = twin;
    }
    return count;
}

/* Two entries of one source, or of one target. */
bool rules_of_list(struct reader *reader, const struct spot *spot)
{
    size_t total = *(size_t *)(spot->base + spot->key->count_field);
    struct twin *twins = xcalloc(total + 1, sizeof *twins);
    const char *thing = spot->key->scope == IN_DATABASE ? "database" : spot->key->scope == IN_EDIT ? "object" : "table";
    bool ok = true;

    for (int target = 0; target < 2 && ok; target++) {
        size_t earlier = 0;
        size_t count = gather(twins, spot, target);
        size_t twin = find_twin(twins, count, &earlier);
        if (twin == SIZE_MAX)
            continue;
        ok = false;
        cJSON *item = cJSON_GetArrayItem(spot->item, (int)twin);
        if (target)
            reader_fail(reader, item, "%s[%zu] goes into the same %s as %s[%zu]", spot->path, twin,
                        thing, spot->path, earlier);
        else
            reader_fail(reader, item, "%s[%zu] is the same %s as %s[%zu]", spot->path, twin, thing,
                        spot->path, earlier);
    }
    free(twins);
    return ok;
}
