/* How it works: the publication is created empty and filled in batches, each its own transaction, so that
 * neither the lock table nor the application waits for thousands of locks at once. Which tables are missing
 * is asked per batch, so that a second call after a crash goes on where the first one ended. */
#include "load/publication.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"
#include "sql/sql.h"

#define BATCH 200

/* ALTER PUBLICATION takes SHARE UPDATE EXCLUSIVE, which stops no reader or writer: it may queue. */
static const struct lock_attempt publish_attempt = {5000, 6, 1000, false};
/* ALTER TABLE takes ACCESS EXCLUSIVE, behind which everybody queues. */
static const struct lock_attempt replident_attempt = {1000, 10, 2000, true};

/* TRUNCATE can be published from 11 on. */
static const char *publish_list(const struct conn *src)
{
    return src->version >= 110000 ? "insert, update, delete, truncate" : "insert, update, delete";
}

static bool ensure_publication(struct conn *src, const char *name, struct err *err)
{
    struct buf sql = BUF_INIT;
    char *all_tables = NULL;
    bool ok;

    if (!conn_scalar(src, "SELECT puballtables FROM pg_catalog.pg_publication WHERE pubname = $1", 1,
                     &name, &all_tables, err))
        return false;
    if (all_tables && *all_tables == 't') {
        free(all_tables);
        err_set(err, ERR_PREREQUISITE, "%s: publication \"%s\" exists and is FOR ALL TABLES",
                src->label, name);
        err_hint(err, "Drop it: it was not made by pgcutover.");
        return false;
    }
    buf_addstr(&sql, all_tables ? "ALTER PUBLICATION " : "CREATE PUBLICATION ");
    ident_add(&sql, name);
    buf_addf(&sql, "%s (publish = '%s')", all_tables ? " SET" : " WITH", publish_list(src));
    ok = conn_command(src, sql.data, err);
    free(all_tables);
    buf_release(&sql);
    return ok;
}

static bool refuse_keyless(struct conn *src, const char *names_array, struct err *err)
{
    PGresult *res = conn_exec_params(src, src->version >= 90600 ? sql_load_no_identity
                                                                : sql_load_no_identity_pg95,
                                     1, &names_array, err);
    bool ok = res && PQntuples(res) == 0;

    if (res && !ok) {
        err_set(err, ERR_PREREQUISITE, "%s: table %s has no usable replica identity", src->label,
                PQgetvalue(res, 0, 0));
        err_detail(err, src->version < 100000
                            ? "Its UPDATEs and DELETEs would not say which row they mean; %d table(s) of this kind."
                            : "Published, it would refuse every UPDATE and DELETE; %d table(s) of this kind.",
                   PQntuples(res));
        err_hint(err, "Add a primary key, set REPLICA IDENTITY, or copy the table at cutover.");
    }
    PQclear(res);
    return ok;
}

static void add_columns_array(struct buf *out, const struct publication_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        array_add(out, parts && parts[i].columns ? parts[i].columns : "");
    buf_addstr(out, count ? "}" : "{}");
}

/* Names and column lists come quoted from the server; the filter stands on lines of its own: it may
 * end in a comment. */
static char *add_statement(const char *publication, const PGresult *missing,
                           const struct publication_part *parts)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER PUBLICATION ");
    ident_add(&sql, publication);
    buf_addstr(&sql, " ADD TABLE ");
    for (int i = 0; i < PQntuples(missing); i++) {
        const char *where = parts ? parts[atoi(PQgetvalue(missing, i, 1)) - 1].where : NULL;
        buf_addf(&sql, "%sONLY %s%s", i ? ", " : "", PQgetvalue(missing, i, 0),
                 PQgetvalue(missing, i, 2));
        if (where)
            buf_addf(&sql, " WHERE (\n%s\n)", where);
    }
    return buf_take(&sql);
}

static bool add_batch(struct conn *src, const char *publication, const struct table_name *tables,
                      const struct publication_part *parts, size_t count, struct err *err)
{
    struct buf array = BUF_INIT;
    struct buf columns = BUF_INIT;
    PGresult *missing = NULL;
    char *sql = NULL;
    bool ok = false;

    names_array_add(&array, tables, count);
    if (!refuse_keyless(src, array.data, err))
        goto out;
    add_columns_array(&columns, parts, count);
    const char *values[] = {array.data, publication, columns.data};
    missing = conn_exec_params(src, sql_load_unpublished, 3, values, err);
    if (!missing)
        goto out;
    ok = PQntuples(missing) == 0;
    if (!ok) {
        sql = add_statement(publication, missing, parts);
        ok = locked_command(src, sql, array.data, &publish_attempt, err);
    }
out:
    free(sql);
    PQclear(missing);
    buf_release(&array);
    buf_release(&columns);
    return ok;
}

bool publication_create(struct conn *src, const char *name, const struct publication_tables *tables,
                        struct err *err)
{
    bool ok = ensure_publication(src, name, err);

    for (size_t at = 0; ok && at < tables->count; at += BATCH) {
        size_t left = tables->count - at;
        ok = add_batch(src, name, tables->tables + at, tables->parts ? tables->parts + at : NULL,
                       left < BATCH ? left : BATCH, err);
    }
    if (!ok)
        err_wrap(err, "could not publish the tables in \"%s\"", name);
    return ok;
}

bool publication_refuse_keyless(struct conn *src, const struct publication_tables *tables,
                                struct err *err)
{
    bool ok = true;

    for (size_t at = 0; ok && at < tables->count; at += BATCH) {
        size_t left = tables->count - at;
        struct buf array = BUF_INIT;
        names_array_add(&array, tables->tables + at, left < BATCH ? left : BATCH);
        ok = refuse_keyless(src, array.data, err);
        buf_release(&array);
    }
    return ok;
}

/* The names come quoted from the server. */
static bool remove_batch(struct conn *src, const char *name, const PGresult *published, struct err *err)
{
    struct buf sql = BUF_INIT;
    struct buf array = BUF_INIT;

    buf_addstr(&sql, "ALTER PUBLICATION ");
    ident_add(&sql, name);
    for (int i = 0; i < PQntuples(published); i++) {
        buf_addf(&sql, "%s%s", i ? ", ONLY " : " DROP TABLE ONLY ", PQgetvalue(published, i, 0));
        array_add(&array, PQgetvalue(published, i, 0));
    }
    array_end(&array);
    bool ok = locked_command(src, sql.data, array.data, &publish_attempt, err);
    buf_release(&array);
    buf_release(&sql);
    return ok;
}

bool publication_remove(struct conn *src, const char *name, const char *oids_array, struct err *err)
{
    const char *values[] = {name, oids_array};
    bool more = true;
    bool ok = true;

    while (ok && more) {
        PGresult *published = conn_exec_params(src, sql_load_published, 2, values, err);
        more = published && PQntuples(published) > 0;
        ok = published && (!more || remove_batch(src, name, published, err));
        PQclear(published);
    }
    if (!ok)
        err_wrap(err, "could not take the tables out of publication \"%s\"", name);
    return ok;
}

bool publication_drop(struct conn *src, const char *name, struct err *err)
{
    struct buf sql = BUF_INIT;
    bool ok;

    buf_addstr(&sql, "DROP PUBLICATION IF EXISTS ");
    ident_add(&sql, name);
    ok = locked_command(src, sql.data, "{}", &publish_attempt, err);
    buf_release(&sql);
    return ok;
}

/* --- replica identity --- */

static bool present_identity(struct conn *src, const char *schema, const char *name, char **identity,
                             struct err *err)
{
    const char *values[] = {schema, name};

    return conn_scalar(src, sql_load_replident, 2, values, identity, err);
}

bool replident_get(struct conn *src, const char *schema, const char *name, char **previous,
                   struct err *err)
{
    if (!present_identity(src, schema, name, previous, err))
        return false;
    if (!*previous) {
        char *table = ident_display(schema, name);
        err_set(err, ERR_NOT_FOUND, "%s: table %s does not exist", src->label, table);
        free(table);
    }
    return *previous != NULL;
}

char *replident_statement(const char *schema, const char *name, const char *identity)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER TABLE ONLY ");
    ident_add_qualified(&sql, schema, name);
    buf_addstr(&sql, " REPLICA IDENTITY ");
    if (*identity == 'i') {
        buf_addstr(&sql, "USING INDEX ");
        ident_add(&sql, identity + 1);
    } else {
        buf_addstr(&sql, *identity == 'f' ? "FULL" : *identity == 'n' ? "NOTHING" : "DEFAULT");
    }
    return buf_take(&sql);
}

static bool set_identity(struct conn *src, const struct table_name *table, const char *identity,
                         struct err *err)
{
    char *sql = replident_statement(table->schema, table->name, identity);
    struct buf array = BUF_INIT;

    names_array_add(&array, table, 1);
    bool ok = locked_command(src, sql, array.data, &replident_attempt, err);
    if (!ok)
        err_wrap(err, "could not set the replica identity of \"%s\".\"%s\"", table->schema, table->name);
    buf_release(&array);
    free(sql);
    return ok;
}

bool replident_set_full(struct conn *src, const char *schema, const char *name, char **previous,
                        struct err *err)
{
    const struct table_name table = {schema, name};
    char *present = NULL;
    bool ok = replident_get(src, schema, name, &present, err) &&
              (*present == 'f' || set_identity(src, &table, "f", err));

    if (ok && previous) {
        *previous = present;
        present = NULL;
    }
    free(present);
    return ok;
}

bool replident_restore(struct conn *src, const char *schema, const char *name, const char *previous,
                       struct err *err)
{
    const struct table_name table = {schema, name};
    char *present = NULL;

    if (!present_identity(src, schema, name, &present, err))
        return false;
    bool ok = !present || strcmp(present, previous) == 0 || set_identity(src, &table, previous, err);
    free(present);
    return ok;
}
