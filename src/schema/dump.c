/* How it works: pg_dump writes an archive, pg_restore makes the script and the two lists of it (pre-data
 * and post-data); script.c cuts the script into objects; what table an object belongs to and what state
 * a trigger or rule has comes from the source's catalog, by OID. The rows go through one COPY. */
#include "schema/dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/proc.h"
#include "pg/copy.h"
#include "pg/ident.h"
#include "schema/phase.h"
#include "schema/script.h"
#include "sql/sql.h"

#define FLUSH_BYTES (256u << 10)
#define LOCK_WAIT_MS "120000"

struct catalog_key {
    uint32_t class_oid;
    uint32_t object_oid;
};

struct catalog_entry {
    struct catalog_key key;
    uint32_t table_oid;
    char flag;
    UT_hash_handle hh;
};

/* What is known of an object already stored, by dump id: for those that depend on it. */
struct placed {
    unsigned char phase;
    bool by_table;
    uint32_t table_oid;
};

struct store {
    struct conn *target;
    struct catalog_entry *catalog; /* hash into entries */
    struct catalog_entry *entries;
    struct placed *placed;
    size_t placed_size;
    struct script_reader *reader;
    struct buf rows;
    bool begun;
    int count;
    int offset; /* added to dump ids and positions: what an earlier dump has used */
};

/* --- running the programs --- */

static bool run_tool(const char *const *argv, char **env, const char *out_path, struct buf *out,
                     struct err *err)
{
    struct buf errors = BUF_INIT;
    struct proc_run run = {.argv = argv, .setenv = (const char *const *)env, .out = out,
                           .out_path = out_path, .errors = &errors};
    bool ok = proc_run(&run, err);

    if (!ok)
        schema_tools_lost_connection(errors.data, err);
    buf_release(&errors);
    return ok;
}

static bool run_pg_dump(const struct schema_dump *dump, const char *archive, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    const char *options = conninfo_get(dump->source_info, "options");

    /* The lexer relies on it, and the text must mean the same on the target. */
    char *forced = xasprintf("%s -c standard_conforming_strings=on -c statement_timeout=0",
                             options ? options : "");
    conninfo_copy(&info, dump->source_info);
    conninfo_set(&info, "options", forced);
    char *dbname = conninfo_string(&info);
    char **env = conninfo_env(&info, "pg_dump");
    static const char *const options_of_all[] = {
        "--format=custom", "--schema-only", "--no-publications", "--no-subscriptions",
        "--no-tablespaces", "--exclude-schema=pgcutover", "--exclude-schema=pgcutover_*",
        "--lock-wait-timeout=" LOCK_WAIT_MS,
        "--no-password"};
    size_t fixed = sizeof options_of_all / sizeof *options_of_all;
    size_t tables = 0, n = 0;
    while (dump->tables && dump->tables[tables])
        tables++;
    const char **argv = xcalloc(fixed + 2 * tables + 6, sizeof *argv);
    argv[n++] = dump->tools->pg_dump;
    for (size_t i = 0; i < fixed; i++)
        argv[n++] = options_of_all[i];
    for (size_t i = 0; i < tables; i++) {
        argv[n++] = "--table";
        argv[n++] = dump->tables[i];
    }
    argv[n++] = "--file";
    argv[n++] = archive;
    argv[n++] = "--dbname";
    argv[n++] = dbname;
    bool ok = run_tool(argv, env, NULL, NULL, err);

    free(argv);

    if (!ok)
        err_wrap(err, "could not dump the schema of the source");
    conninfo_env_free(env);
    free(dbname);
    free(forced);
    conninfo_release(&info);
    return ok;
}

static bool add_list(const struct schema_dump *dump, const char *archive, bool post,
                     struct script_toc *toc, struct err *err)
{
    const char *const argv[] = {dump->tools->pg_restore, "--list",
                                post ? "--section=post-data" : "--section=pre-data", archive, NULL};
    struct buf out = BUF_INIT;
    bool ok = run_tool(argv, NULL, NULL, &out, err) && script_toc_add(toc, &out, post, err);

    buf_release(&out);
    return ok;
}

static bool make_script(const struct schema_dump *dump, const char *archive, const char *script,
                        struct err *err)
{
    const char *const argv[] = {dump->tools->pg_restore, "--verbose", "--no-tablespaces", "--file",
                                script, archive, NULL};

    return run_tool(argv, NULL, NULL, NULL, err);
}

/* --- the source's catalog --- */

static bool load_catalog(struct store *store, struct conn *source, struct err *err)
{
    PGresult *res = conn_exec(source, source->version >= 100000 ? sql_schema_catalog
                                                                : sql_schema_catalog_pg96, err);
    int count = res ? PQntuples(res) : 0;

    store->entries = xcalloc((size_t)count + 1, sizeof *store->entries);
    for (int i = 0; i < count; i++) {
        struct catalog_entry *entry = &store->entries[i];
        entry->key.class_oid = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);
        entry->key.object_oid = (uint32_t)strtoul(PQgetvalue(res, i, 1), NULL, 10);
        entry->table_oid = (uint32_t)strtoul(PQgetvalue(res, i, 2), NULL, 10);
        entry->flag = PQgetvalue(res, i, 3)[0];
        HASH_ADD(hh, store->catalog, key, sizeof entry->key, entry);
    }
    PQclear(res);
    return res != NULL;
}

static const struct catalog_entry *catalog_find(const struct store *store,
                                                const struct script_object *object)
{
    struct catalog_key key = {object->class_oid, object->object_oid};
    struct catalog_entry *entry = NULL;

    HASH_FIND(hh, store->catalog, &key, sizeof key, entry);
    return entry;
}

/* --- placing and storing --- */

static struct placed *placed_at(struct store *store, int dump_id)
{
    size_t id = (size_t)dump_id;

    if (id >= store->placed_size) {
        size_t size = id * 2 + 1024;
        store->placed = xrealloc(store->placed, size * sizeof *store->placed);
        memset(store->placed + store->placed_size, 0,
               (size - store->placed_size) * sizeof *store->placed);
        store->placed_size = size;
    }
    return &store->placed[id];
}

/* A table's own job builds what stands on a plain table alone: indexes of partitioned tables wait for
 * all partitions, those of materialized views for other tables. */
static struct placed place(struct store *store, const struct script_object *object)
{
    const struct catalog_entry *entry = catalog_find(store, object);
    char flag = entry ? entry->flag : '\0';
    enum schema_phase phase = schema_phase_of(object->type, object->post, flag);
    struct placed placed = {.table_oid = entry ? entry->table_oid : 0};

    for (size_t i = 0; i < object->depend_count; i++) {
        const struct placed *other = placed_at(store, object->depends[i]);
        if (other->phase > phase)
            phase = other->phase;
        if (i == 0 && schema_type_follows(object->type))
            placed = *other;
    }
    placed.phase = (unsigned char)phase;
    if (!schema_type_follows(object->type))
        placed.by_table = phase == PHASE_INDEX && flag == 'r';
    *placed_at(store, object->dump_id) = placed;
    return placed;
}

static void add_text(struct buf *row, const char *text)
{
    for (; *text; text++) {
        size_t plain = strcspn(text, "\\\n\r\t");
        buf_add(row, text, plain);
        text += plain;
        if (!*text)
            break;
        buf_addch(row, '\\');
        buf_addch(row, *text == '\n' ? 'n' : *text == '\r' ? 'r' : *text == '\t' ? 't' : '\\');
    }
}

static void add_row(struct buf *row, const struct script_object *object, const struct placed *placed,
                    int offset)
{
    const char *const texts[] = {object->type, object->schema, object->name, object->owner};

    buf_addf(row, "%d\t%d\t%u\t%u", object->dump_id + offset, object->position + offset, object->class_oid,
             object->object_oid);
    for (size_t i = 0; i < 4; i++) {
        buf_addch(row, '\t');
        if (i == 1 && strcmp(texts[i], "-") == 0)
            buf_addstr(row, "\\N");
        else
            add_text(row, texts[i]);
    }
    if (placed->table_oid)
        buf_addf(row, "\t%u", placed->table_oid);
    else
        buf_addstr(row, "\t\\N");
    buf_addf(row, "\t%c\t%s\t{", placed->by_table ? 't' : 'f', schema_phase_name(placed->phase));
    for (size_t i = 0; i < object->depend_count; i++)
        buf_addf(row, "%s%d", i ? "," : "", object->depends[i] + offset);
    buf_addstr(row, "}\t");
    add_text(row, object->statement);
    buf_addf(row, "\t%s\n", *object->statement ? "pending" : "applied");
}

/* The rows are in the dump's encoding, which is known when the first object comes. */
static bool begin_copy(struct store *store, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SET LOCAL client_encoding = ");
    literal_add(&sql, script_reader_encoding(store->reader));
    store->begun =
        conn_command(store->target, sql.data, err) &&
        copy_in_begin(store->target,
                      "COPY pgcutover.objects (dump_id, position, class_oid, object_oid, object_type, "
                      "object_schema, object_name, object_owner, table_oid, by_table, phase, depends, "
                      "statement, state) FROM STDIN", err);
    buf_release(&sql);
    return store->begun;
}

static bool flush_rows(struct store *store, size_t least, struct err *err)
{
    if (store->rows.len < least || !store->rows.len)
        return true;
    bool ok = copy_in_put(store->target, store->rows.data, (int)store->rows.len, err);
    buf_clear(&store->rows);
    return ok;
}

static bool store_object(void *arg, const struct script_object *object, struct err *err)
{
    struct store *store = arg;
    struct placed placed = place(store, object);

    if (!store->begun && !begin_copy(store, err))
        return false;
    add_row(&store->rows, object, &placed, store->offset);
    store->count++;
    return flush_rows(store, FLUSH_BYTES, err);
}

static bool read_script(struct store *store, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool ok = file != NULL;

    if (!file)
        err_errno(err, "could not open \"%s\"", path);
    while (ok && (len = getline(&line, &cap, file)) > 0)
        ok = script_reader_line(store->reader, line, (size_t)len, err);
    if (ok && ferror(file)) {
        err_errno(err, "could not read \"%s\"", path);
        ok = false;
    }
    ok = ok && script_reader_end(store->reader, err) && flush_rows(store, 0, err);
    free(line);
    if (file)
        fclose(file);
    return ok;
}

static bool store_script(struct store *store, struct script_toc *toc, const char *script,
                         struct err *err)
{
    struct script_sink sink = {store_object, store};

    store->reader = script_reader_new(toc, &sink);
    bool ok = conn_command(store->target, "BEGIN", err) && read_script(store, script, err) &&
              (!store->begun || copy_in_end(store->target, NULL, err)) &&
              conn_command(store->target, "COMMIT", err);
    if (!ok) {
        if (conn_is_open(store->target) && PQtransactionStatus(store->target->pg) == PQTRANS_ACTIVE)
            copy_in_abort(store->target, "the schema could not be stored");
        conn_rollback(store->target);
    }
    script_reader_free(store->reader);
    return ok;
}

static bool dump_and_store(const struct schema_dump *dump, struct store *store, const char *archive,
                           const char *script, struct err *err)
{
    struct script_toc toc = SCRIPT_TOC_INIT;
    bool ok = run_pg_dump(dump, archive, err) && add_list(dump, archive, false, &toc, err) &&
              add_list(dump, archive, true, &toc, err) &&
              make_script(dump, archive, script, err) && load_catalog(store, dump->source, err) &&
              store_script(store, &toc, script, err) &&
              /* The log of schema changes of another migration. */
              conn_command(store->target, "DELETE FROM pgcutover.objects WHERE object_type = 'EVENT TRIGGER' "
                                          "AND object_name LIKE 'pgcutover\\_%'", err) &&
              conn_command(store->target, "ANALYZE pgcutover.objects", err);

    script_toc_release(&toc);
    return ok;
}

bool schema_dump_store(const struct schema_dump *dump, int *count, struct err *err)
{
    struct store store = {.target = dump->target};
    char *stored = NULL;

    if (!conn_scalar(dump->target, dump->tables ? "SELECT coalesce(pg_catalog.max(greatest(dump_id, position)), 0) "
                                                  "FROM pgcutover.objects"
                                                : "SELECT pg_catalog.count(*) FROM pgcutover.objects",
                     0, NULL, &stored, err))
        return false;
    if (dump->tables)
        store.offset = atoi(stored);
    else
        store.count = atoi(stored);
    free(stored);
    bool ok = true;
    if (store.count == 0) {
        char *archive = xasprintf("%s/schema.dump", dump->work_dir);
        char *script = xasprintf("%s/schema.sql", dump->work_dir);
        ok = dump_and_store(dump, &store, archive, script, err);
        unlink(archive);
        unlink(script);
        free(archive);
        free(script);
    }
    if (count)
        *count = store.count;
    HASH_CLEAR(hh, store.catalog);
    free(store.entries);
    free(store.placed);
    buf_release(&store.rows);
    return ok;
}
