#include "schema/target.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"
#include "sql/sql.h"

enum { ENCODING, COLLATE, CTYPE, PROVIDER, LOCALE, ICU_RULES };

/* Connects to a database that every server has. The first refusal is the one that is told. */
static bool open_maintenance(struct conn *c, const struct conninfo *target, struct err *err)
{
    struct conn_options options = {.side = SIDE_TARGET, .profile = CONN_PLAIN, .role = "schema",
                                   .dbname = "postgres"};
    struct err second = ERR_INIT;

    if (conn_open(c, target, &options, err))
        return true;
    options.dbname = "template1";
    bool ok = conn_open(c, target, &options, &second);
    err_clear(ok ? err : &second);
    return ok;
}

bool schema_target_database_exists(const struct conninfo *target, const char *db, bool *exists,
                                   struct err *err)
{
    struct conn c = CONN_INIT;
    char *found = NULL;

    bool ok = open_maintenance(&c, target, err) &&
              conn_scalar(&c, "SELECT 1 FROM pg_catalog.pg_database WHERE datname = $1", 1, &db,
                          &found, err);
    *exists = found != NULL;
    free(found);
    conn_close(&c);
    return ok;
}

static void add_option(struct buf *sql, const char *word, const char *value)
{
    if (!value)
        return;
    buf_addf(sql, " %s ", word);
    literal_add(sql, value);
}

/* settings: the row of schema_database_settings.sql. Locale providers exist from 15 on. */
static void create_statement(struct buf *sql, const char *db, const char *const *settings,
                             int target_version)
{
    char provider = settings[PROVIDER][0];

    buf_addstr(sql, "CREATE DATABASE ");
    ident_add(sql, db);
    buf_addstr(sql, " TEMPLATE template0");
    add_option(sql, "ENCODING", settings[ENCODING]);
    add_option(sql, "LC_COLLATE", settings[COLLATE]);
    add_option(sql, "LC_CTYPE", settings[CTYPE]);
    if (target_version < 150000)
        return;
    add_option(sql, "LOCALE_PROVIDER", provider == 'i' ? "icu" : provider == 'b' ? "builtin" : "libc");
    if (provider == 'i')
        add_option(sql, "ICU_LOCALE", settings[LOCALE]);
    if (provider == 'b')
        add_option(sql, "BUILTIN_LOCALE", settings[LOCALE]);
    if (target_version >= 160000)
        add_option(sql, "ICU_RULES", settings[ICU_RULES]);
}

bool schema_target_database_create(struct conn *source, const struct conninfo *target,
                                   const char *db, struct err *err)
{
    struct conn c = CONN_INIT;
    struct buf sql = BUF_INIT;
    const char *settings[6];
    bool ok = false;

    PGresult *res = conn_exec(source, sql_schema_database_settings, err);
    if (!res || !open_maintenance(&c, target, err))
        goto out;
    for (int i = 0; i < 6; i++)
        settings[i] = PQgetisnull(res, 0, i) ? NULL : PQgetvalue(res, 0, i);
    create_statement(&sql, db, settings, c.version);
    ok = conn_command(&c, sql.data, err);
    if (!ok && err) {
        err_wrap(err, "could not create database \"%s\"", db);
        if (strcmp(err->sqlstate, "42501") == 0)
            err_hint(err, "Grant the role CREATEDB, or create the database yourself: %s", sql.data);
        else if (!err->hint)
            err_hint(err, "Create the database yourself, with a locale that this server has: %s",
                     sql.data);
    }
out:
    PQclear(res);
    buf_release(&sql);
    conn_close(&c);
    return ok;
}

bool schema_target_is_empty(struct conn *target, struct buf *what, bool *empty, struct err *err)
{
    PGresult *res = conn_exec(target, sql_schema_user_objects, err);

    *empty = res && PQntuples(res) == 0;
    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(what, "%s%s %s", what->len ? ", " : "", PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
    PQclear(res);
    return res != NULL;
}

bool schema_state_create(struct conn *target, struct err *err)
{
    bool ok = conn_command(target, "BEGIN", err) &&
              conn_command(target, sql_state_create, err) && conn_command(target, "COMMIT", err);

    if (!ok)
        conn_rollback(target);
    return ok;
}

bool schema_state_exists(struct conn *target, bool *exists, struct err *err)
{
    char *found = NULL;
    bool ok = conn_scalar(target, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'pgcutover'",
                          0, NULL, &found, err);

    *exists = found != NULL;
    free(found);
    return ok;
}

bool schema_state_drop(struct conn *target, struct err *err)
{
    return conn_command(target, "DROP SCHEMA IF EXISTS pgcutover CASCADE", err);
}
