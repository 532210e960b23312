/* How it works: pg_dump writes an archive, pg_restore makes the script and the two lists of it (pre-data
 * and post-data); script.c cuts the script into objects; what table an object belongs to and what state
 * a trigger or rule has comes from the source's catalog, by OID. Each object with its place goes to whoever wants
 * it: the state schema, where the rows go through one COPY, or a preview. */
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

/* Where the objects belong. */
struct places {
    const struct schema_dump *dump; /* what is held back; borrowed */
    struct catalog_entry *catalog; /* hash into entries */
    struct catalog_entry *entries;
    struct placed *placed;
    size_t size;
};

/* Somebody who wants all objects, in the dump's order. */
struct wish {
    bool (*take)(void *arg, const struct script_object *object, const struct placed *placed, struct err *err);
    void *arg;
    const struct schema_role_map *role_map; /* may be NULL */
    struct buf mapped;
    struct script_reader *reader; /* while it lasts */
    struct places places;
};

struct store {
    struct conn *target;
    struct wish wish;
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

static bool load_catalog(struct places *places, struct conn *source, struct err *err)
{
    PGresult *res = conn_exec(source, source->version >= 100000 ? sql_schema_catalog
                                                                : sql_schema_catalog_pg96, err);
    int count = res ? PQntuples(res) : 0;

    places->entries = xcalloc((size_t)count + 1, sizeof *places->entries);
    for (int i = 0; i < count; i++) {
        struct catalog_entry *entry = &places->entries[i];
        entry->key.class_oid = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);
        entry->key.object_oid = (uint32_t)strtoul(PQgetvalue(res, i, 1), NULL, 10);
        entry->table_oid = (uint32_t)strtoul(PQgetvalue(res, i, 2), NULL, 10);
        entry->flag = PQgetvalue(res, i, 3)[0];
        HASH_ADD(hh, places->catalog, key, sizeof entry->key, entry);
    }
    PQclear(res);
    return res != NULL;
}

static const struct catalog_entry *catalog_find(const struct places *places,
                                                const struct script_object *object)
{
    struct catalog_key key = {object->class_oid, object->object_oid};
    struct catalog_entry *entry = NULL;

    HASH_FIND(hh, places->catalog, &key, sizeof key, entry);
    return entry;
}

/* --- placing and storing --- */

static struct placed *placed_at(struct places *places, int dump_id)
{
    size_t id = (size_t)dump_id;

    if (id >= places->size) {
        size_t size = id * 2 + 1024;
        places->placed = xrealloc(places->placed, size * sizeof *places->placed);
        memset(places->placed + places->size, 0,
               (size - places->size) * sizeof *places->placed);
        places->size = size;
    }
    return &places->placed[id];
}

/* What would act on applied changes where the target's role cannot make it inert. */
static enum schema_phase held_back(const struct schema_dump *dump, enum schema_phase phase, const char *type, char flag)
{
    if (dump->hold_keys && phase == PHASE_FOREIGN_KEY)
        return PHASE_HELD_KEY;
    bool acts = strcmp(type, "TRIGGER") == 0 || (strcmp(type, "RULE") == 0 && flag == 'O');

    return dump->hold_triggers && phase == PHASE_POST && acts ? PHASE_HELD : phase;
}

/* A table's own job builds what stands on a plain table alone: indexes of partitioned tables wait for
 * all partitions, those of materialized views for other tables. */
static struct placed place(struct places *places, const struct script_object *object)
{
    const struct catalog_entry *entry = catalog_find(places, object);
    char flag = entry ? entry->flag : '\0';
    enum schema_phase phase = held_back(places->dump, schema_phase_of(object->type, object->post, flag), object->type, flag);
    struct placed placed = {.table_oid = entry ? entry->table_oid : 0};

    for (size_t i = 0; i < object->depend_count; i++) {
        const struct placed *other = placed_at(places, object->depends[i]);
        if (other->phase > phase)
            phase = other->phase;
        if (i == 0 && schema_type_follows(object->type))
            placed = *other;
    }
    placed.phase = (unsigned char)phase;
    if (!schema_type_follows(object->type))
        placed.by_table = phase == PHASE_INDEX && flag == 'r';
    *placed_at(places, object->dump_id) = placed;
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
    literal_add(&sql, script_reader_encoding(store->wish.reader));
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

static bool store_object(void *arg, const struct script_object *object, const struct placed *placed,
                         struct err *err)
{
    struct store *store = arg;

    if (!store->begun && !begin_copy(store, err))
        return false;
    add_row(&store->rows, object, placed, store->offset);
    store->count++;
    return flush_rows(store, FLUSH_BYTES, err);
}

/* --- reading --- */

/* The log of schema changes of another migration is nobody's schema. */
static bool is_ours(const struct script_object *object)
{
    return strcmp(object->type, "EVENT TRIGGER") == 0 && strncmp(object->name, "pgcutover_", 10) == 0;
}

static bool take_object(void *arg, const struct script_object *object, struct err *err)
{
    struct wish *wish = arg;
    struct placed placed = place(&wish->places, object);
    struct script_object mapped = *object;

    if (wish->role_map && wish->role_map->count) {
        buf_clear(&wish->mapped);
        buf_addstr(&wish->mapped, "");
        role_map_apply(wish->role_map, object->statement, &wish->mapped);
        mapped.statement = wish->mapped.data;
        mapped.owner = role_map_name(wish->role_map, object->owner);
    }
    return is_ours(object) || wish->take(wish->arg, &mapped, &placed, err);
}

static bool read_script(struct wish *wish, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    bool ok = file != NULL;

    if (!file)
        err_errno(err, "could not open \"%s\"", path);
    while (ok && (len = getline(&line, &cap, file)) > 0)
        ok = script_reader_line(wish->reader, line, (size_t)len, err);
    if (ok && ferror(file)) {
        err_errno(err, "could not read \"%s\"", path);
        ok = false;
    }
    ok = ok && script_reader_end(wish->reader, err);
    free(line);
    if (file)
        fclose(file);
    return ok;
}

static void places_release(struct places *places)
{
    HASH_CLEAR(hh, places->catalog);
    free(places->entries);
    free(places->placed);
}

static bool dump_files(const struct schema_dump *dump, struct places *places, struct script_toc *toc,
                       const char *archive, const char *script, struct err *err)
{
    return run_pg_dump(dump, archive, err) && add_list(dump, archive, false, toc, err) &&
           add_list(dump, archive, true, toc, err) && make_script(dump, archive, script, err) &&
           load_catalog(places, dump->source, err);
}

/* Dumps, then hands over every object; transaction (may be NULL) calls read_script() itself. */
static bool dump_and_take(const struct schema_dump *dump, struct wish *wish,
                          bool (*transaction)(void *arg, const char *script, struct err *err), struct err *err)
{
    struct script_toc toc = SCRIPT_TOC_INIT;
    struct script_sink sink = {take_object, wish};
    char *archive = xasprintf("%s/schema.dump", dump->work_dir);
    char *script = xasprintf("%s/schema.sql", dump->work_dir);
    bool ok = dump_files(dump, &wish->places, &toc, archive, script, err);

    wish->role_map = dump->role_map;
    wish->places.dump = dump;
    wish->reader = script_reader_new(&toc, &sink);
    ok = ok && (transaction ? transaction(wish->arg, script, err) : read_script(wish, script, err));
    script_reader_free(wish->reader);
    wish->reader = NULL;
    buf_release(&wish->mapped);
    places_release(&wish->places);
    script_toc_release(&toc);
    unlink(archive);
    unlink(script);
    free(archive);
    free(script);
    return ok;
}

static bool store_script(void *arg, const char *script, struct err *err)
{
    struct store *store = arg;
    bool ok = conn_command(store->target, "BEGIN", err) && read_script(&store->wish, script, err) &&
              flush_rows(store, 0, err) && (!store->begun || copy_in_end(store->target, NULL, err)) &&
              conn_command(store->target, "COMMIT", err) &&
              conn_command(store->target, "ANALYZE pgcutover.objects", err);

    if (!ok) {
        if (conn_is_open(store->target) && PQtransactionStatus(store->target->pg) == PQTRANS_ACTIVE)
            copy_in_abort(store->target, "the schema could not be stored");
        conn_rollback(store->target);
    }
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
    store.wish.take = store_object;
    store.wish.arg = &store;
    bool ok = store.count || dump_and_take(dump, &store.wish, store_script, err);
    if (count)
        *count = store.count;
    buf_release(&store.rows);
    return ok;
}

/* --- somebody else's --- */

struct visit {
    struct wish wish;
    const struct schema_visitor *visitor;
    bool begun;
};

static bool visit_object(void *arg, const struct script_object *object, const struct placed *placed,
                         struct err *err)
{
    struct visit *visit = arg;
    const struct schema_visitor *visitor = visit->visitor;

    if (!visit->begun)
        visitor->encoding(visitor->arg, script_reader_encoding(visit->wish.reader));
    visit->begun = true;
    return visitor->object(visitor->arg, object, placed->phase, err);
}

bool schema_dump_visit(const struct schema_dump *dump, const struct schema_visitor *visitor, struct err *err)
{
    struct visit visit = {.visitor = visitor};

    visit.wish.take = visit_object;
    visit.wish.arg = &visit;
    return dump_and_take(dump, &visit.wish, NULL, err);
}
