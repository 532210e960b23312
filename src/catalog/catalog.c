/* Reading the catalogs.
 *
 * One query a kind of object, each joining whole system catalogs (never one query a table), so that
 * the time grows with the number of objects and round trips do not. All run in one REPEATABLE READ
 * transaction: what refers to a table refers to one that was read. Functions such as pg_table_size()
 * look at the present, not at the snapshot; for a table dropped meanwhile they give NULL, which is
 * read as "nothing wrong here".
 *
 * pg_table_size() takes an ACCESS SHARE lock on each table in turn. Should one be locked by somebody
 * else (VACUUM FULL, say) the sizes fall back to relpages rather than wait.
 *
 * Strings go into chunks that never move; "schema\0name" of a table lies in one piece and is its key. */
#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "sql/sql.h"

#define OLDEST_VERSION 90500
#define CHUNK_SIZE ((size_t)64 * 1024)

struct catalog_chunk {
    struct catalog_chunk *next;
    size_t used;
    size_t size;
    char data[];
};

/* Room for len bytes that lives as long as the catalog. */
static char *strings_room(struct catalog *catalog, size_t len)
{
    struct catalog_chunk *chunk = catalog->strings;

    if (!chunk || chunk->size - chunk->used < len) {
        size_t size = len > CHUNK_SIZE ? len : CHUNK_SIZE;
        chunk = xmalloc(sizeof *chunk + size);
        *chunk = (struct catalog_chunk){.next = catalog->strings, .size = size};
        catalog->strings = chunk;
    }
    char *room = chunk->data + chunk->used;
    chunk->used += len;
    return room;
}

static const char *keep(struct catalog *catalog, const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(strings_room(catalog, size), text, size);
}

/* The same, but reusing the last one kept: owners and extensions repeat. */
static const char *keep_again(struct catalog *catalog, const char *text, const char **last)
{
    if (!*last || strcmp(*last, text) != 0)
        *last = keep(catalog, text);
    return *last;
}

/* "schema\0name\0"; *name points into it. */
static const char *keep_name(struct catalog *catalog, const char *schema, const char *name,
                             const char **name_out)
{
    size_t schema_size = strlen(schema) + 1;
    size_t name_size = strlen(name) + 1;
    char *room = strings_room(catalog, schema_size + name_size);

    memcpy(room, schema, schema_size);
    *name_out = memcpy(room + schema_size, name, name_size);
    return room;
}

static const char *text_at(const PGresult *res, int row, int column)
{
    return PQgetvalue(res, row, column);
}

static bool bool_at(const PGresult *res, int row, int column)
{
    return *text_at(res, row, column) == 't';
}

static uint32_t oid_at(const PGresult *res, int row, int column)
{
    return (uint32_t)strtoul(text_at(res, row, column), NULL, 10);
}

static int64_t number_at(const PGresult *res, int row, int column)
{
    return strtoll(text_at(res, row, column), NULL, 10);
}

static void take_server(struct catalog *catalog, const PGresult *res)
{
    struct catalog_server *server = &catalog->server;
    const char **texts[] = {&server->version_text, &server->system_id, &server->start_time,
                            &server->database,     &server->encoding,  &server->collate,
                            &server->ctype,        &server->user};
    int column = 0;

    for (; column < (int)(sizeof texts / sizeof *texts); column++)
        *texts[column] = keep(catalog, text_at(res, 0, column));
    server->in_recovery = bool_at(res, 0, column++);
    server->superuser = bool_at(res, 0, column++);
    server->replication = bool_at(res, 0, column++);
    server->large_objects = number_at(res, 0, column);
}

/* The columns of catalog_tables.sql. */
enum table_column {
    T_OID, T_SCHEMA, T_NAME, T_KIND, T_PERSISTENCE, T_IDENTITY, T_PARTITION, T_PARENT, T_PK,
    T_USABLE, T_ROWS, T_BYTES, T_RLS, T_SELECT, T_OWNED, T_ALWAYS, T_OWNER, T_EXTENSION,
};

static void read_table(struct catalog *catalog, const PGresult *res, int row,
                       struct catalog_table *table)
{
    table->oid = oid_at(res, row, T_OID);
    table->parent_oid = oid_at(res, row, T_PARENT);
    table->schema = keep_name(catalog, text_at(res, row, T_SCHEMA), text_at(res, row, T_NAME),
                              &table->name);
    table->kind = *text_at(res, row, T_KIND);
    table->persistence = *text_at(res, row, T_PERSISTENCE);
    table->replica_identity = *text_at(res, row, T_IDENTITY);
    table->is_partition = bool_at(res, row, T_PARTITION);
    table->has_pk = bool_at(res, row, T_PK);
    table->has_identity = bool_at(res, row, T_USABLE);
    table->rows = number_at(res, row, T_ROWS);
    table->bytes = number_at(res, row, T_BYTES);
    table->row_security = bool_at(res, row, T_RLS);
    table->can_select = bool_at(res, row, T_SELECT);
    table->owned = bool_at(res, row, T_OWNED);
    table->has_always_trigger = bool_at(res, row, T_ALWAYS);
}

static void take_tables(struct catalog *catalog, const PGresult *res)
{
    const char *last_owner = NULL;
    const char *last_extension = NULL;

    catalog->table_count = (size_t)PQntuples(res);
    /* Allocated once: the hash tables keep addresses. */
    catalog->tables = xcalloc(catalog->table_count, sizeof *catalog->tables);
    for (size_t i = 0; i < catalog->table_count; i++) {
        struct catalog_table *table = &catalog->tables[i];
        int row = (int)i;

        read_table(catalog, res, row, table);
        table->owner = keep_again(catalog, text_at(res, row, T_OWNER), &last_owner);
        if (!PQgetisnull(res, row, T_EXTENSION))
            table->extension = keep_again(catalog, text_at(res, row, T_EXTENSION), &last_extension);
        size_t key_len = (size_t)(table->name - table->schema) + strlen(table->name);
        HASH_ADD(hh_oid, catalog->by_oid, oid, sizeof table->oid, table);
        HASH_ADD_KEYPTR(hh_name, catalog->by_name, table->schema, key_len, table);
    }
}

static struct catalog_table *find_oid(const struct catalog *catalog, uint32_t oid)
{
    struct catalog_table *found = NULL;

    HASH_FIND(hh_oid, catalog->by_oid, &oid, sizeof oid, found);
    return found;
}

static void take_generated(struct catalog *catalog, const PGresult *res)
{
    for (int row = 0; row < PQntuples(res); row++) {
        struct catalog_table *table = find_oid(catalog, oid_at(res, row, 0));
        if (table)
            table->has_generated = true;
    }
}

static struct catalog_relation *take_relations(struct catalog *catalog, const PGresult *res,
                                               size_t *count)
{
    const char *last_extension = NULL;

    *count = (size_t)PQntuples(res);
    struct catalog_relation *all = xcalloc(*count, sizeof *all);
    for (int row = 0; row < PQntuples(res); row++) {
        all[row].oid = oid_at(res, row, 0);
        all[row].schema = keep_name(catalog, text_at(res, row, 1), text_at(res, row, 2),
                                    &all[row].name);
        all[row].populated = bool_at(res, row, 3);
        if (!PQgetisnull(res, row, 4))
            all[row].extension = keep_again(catalog, text_at(res, row, 4), &last_extension);
    }
    return all;
}

static void take_sequences(struct catalog *catalog, const PGresult *res)
{
    catalog->sequences = take_relations(catalog, res, &catalog->sequence_count);
}

static void take_matviews(struct catalog *catalog, const PGresult *res)
{
    catalog->matviews = take_relations(catalog, res, &catalog->matview_count);
}

static void take_foreign_keys(struct catalog *catalog, const PGresult *res)
{
    catalog->foreign_key_count = (size_t)PQntuples(res);
    catalog->foreign_keys = xcalloc(catalog->foreign_key_count, sizeof *catalog->foreign_keys);
    for (int row = 0; row < PQntuples(res); row++)
        catalog->foreign_keys[row] = (struct catalog_foreign_key){
            .name = keep(catalog, text_at(res, row, 0)),
            .table_oid = oid_at(res, row, 1),
            .referenced_oid = oid_at(res, row, 2),
        };
}

static struct catalog_named *take_named(struct catalog *catalog, const PGresult *res, size_t *count)
{
    *count = (size_t)PQntuples(res);
    struct catalog_named *all = xcalloc(*count, sizeof *all);
    for (int row = 0; row < PQntuples(res); row++) {
        all[row].name = keep(catalog, text_at(res, row, 0));
        all[row].detail = keep(catalog, text_at(res, row, 1));
    }
    return all;
}

static void take_extensions(struct catalog *catalog, const PGresult *res)
{
    catalog->extensions = take_named(catalog, res, &catalog->extension_count);
}

static void take_event_triggers(struct catalog *catalog, const PGresult *res)
{
    catalog->event_triggers = take_named(catalog, res, &catalog->event_trigger_count);
}

/* Everything read, in this order. */
static const struct part {
    const char *sql;
    int min_version;
    int max_version; /* the first version it is not for; 0: any */
    void (*take)(struct catalog *catalog, const PGresult *res);
} parts[] = {
    {sql_catalog_server, 90600, 0, take_server},
    {sql_catalog_server_pg95, 0, 90600, take_server},
    {sql_catalog_tables, 100000, 0, take_tables},
    {sql_catalog_tables_pg96, 0, 100000, take_tables},
    {sql_catalog_generated, 120000, 0, take_generated},
    {sql_catalog_sequences, 0, 0, take_sequences},
    {sql_catalog_matviews, 0, 0, take_matviews},
    {sql_catalog_foreign_keys, 0, 0, take_foreign_keys},
    {sql_catalog_extensions, 0, 0, take_extensions},
    {sql_catalog_event_triggers, 0, 0, take_event_triggers},
};

static bool load_parts(struct conn *c, struct catalog *catalog, struct err *err)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (c->version < parts[i].min_version ||
            (parts[i].max_version && c->version >= parts[i].max_version))
            continue;
        PGresult *res = conn_exec_params(c, parts[i].sql, 0, NULL, err);
        if (!res)
            return false;
        parts[i].take(catalog, res);
        PQclear(res);
    }
    return true;
}

/* The real sizes over the estimates. Last, as a lock that is not given undoes only itself. */
static bool load_sizes(struct conn *c, struct catalog *catalog, struct err *err)
{
    struct err refused = ERR_INIT;

    if (!conn_command(c, "SAVEPOINT sizes", err) ||
        !conn_command(c, "SET LOCAL lock_timeout = '1s'", err))
        return false;
    PGresult *res = conn_exec_params(c, sql_catalog_sizes, 0, NULL, &refused);
    if (!res && strcmp(refused.sqlstate, "55P03") != 0) {
        err_move(err, &refused);
        return false;
    }
    catalog->sizes_estimated = !res;
    for (int row = 0; res && row < PQntuples(res); row++) {
        struct catalog_table *table = find_oid(catalog, oid_at(res, row, 0));
        if (table)
            table->bytes = number_at(res, row, 1);
    }
    PQclear(res);
    err_clear(&refused);
    return conn_command(c, "ROLLBACK TO SAVEPOINT sizes", err);
}

static bool version_is_old(const struct conn *c, struct err *err)
{
    if (c->version >= OLDEST_VERSION)
        return false;
    err_set(err, ERR_PREREQUISITE, "%s is PostgreSQL %d.%d: servers before 9.5 cannot be read",
            c->label, c->version / 10000, c->version / 100 % 100);
    err_hint(err, "Upgrade the server to 9.5 or later first.");
    return true;
}

bool catalog_load(struct conn *c, struct catalog *catalog, struct err *err)
{
    *catalog = (struct catalog)CATALOG_INIT;
    if (version_is_old(c, err))
        return false;
    if (!conn_command(c, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", err))
        return false;
    catalog->server.version = c->version;
    if (load_parts(c, catalog, err) && load_sizes(c, catalog, err) && conn_command(c, "COMMIT", err))
        return true;
    conn_rollback(c);
    catalog_release(catalog);
    return false;
}

void catalog_release(struct catalog *catalog)
{
    HASH_CLEAR(hh_oid, catalog->by_oid);
    HASH_CLEAR(hh_name, catalog->by_name);
    free(catalog->tables);
    free(catalog->sequences);
    free(catalog->matviews);
    free(catalog->foreign_keys);
    free(catalog->extensions);
    free(catalog->event_triggers);
    while (catalog->strings) {
        struct catalog_chunk *next = catalog->strings->next;
        free(catalog->strings);
        catalog->strings = next;
    }
    *catalog = (struct catalog)CATALOG_INIT;
}

const struct catalog_table *catalog_table_by_oid(const struct catalog *catalog, uint32_t oid)
{
    return find_oid(catalog, oid);
}

const struct catalog_table *catalog_table_by_name(const struct catalog *catalog, const char *schema,
                                                  const char *name)
{
    struct catalog_table *found = NULL;
    size_t schema_size = strlen(schema) + 1;
    size_t name_len = strlen(name);
    char *key = xmalloc(schema_size + name_len);

    memcpy(key, schema, schema_size);
    memcpy(key + schema_size, name, name_len);
    HASH_FIND(hh_name, catalog->by_name, key, schema_size + name_len, found);
    free(key);
    return found;
}
