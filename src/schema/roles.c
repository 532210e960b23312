/* How it works: names come from the catalogs of both sides. pg_dumpall's text is cut into statements by
 * the lexer; of each, the words after "CREATE ROLE", "ALTER ROLE", "COMMENT ON ROLE" or "GRANT" say whom it
 * is about, and only what is about a missing role is run. */
#include "schema/roles.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/proc.h"
#include "pg/ident.h"
#include "schema/lexer.h"
#include "sql/sql.h"

struct role {
    char *name; /* owned */
    bool missing;
    bool password;
    bool is_login;
    UT_hash_handle hh;
};

struct copying {
    struct role *roles; /* hash of all that are needed */
    struct conn *target;
    const struct schema_role_map *map;
    bool superuser; /* the target's role is one */
    struct buf sql;
};

static void roles_release(struct role **roles)
{
    struct role *role, *next;

    HASH_ITER(hh, *roles, role, next) {
        HASH_DEL(*roles, role);
        free(role->name);
        free(role);
    }
}

static struct role *find_role(struct role *roles, const char *name)
{
    struct role *role = NULL;

    HASH_FIND_STR(roles, name, role);
    return role;
}

static bool load_roles(struct role **roles, struct conn *source, struct conn *target,
                       const struct schema_role_map *map, struct err *err)
{
    PGresult *needed = conn_exec(source, sql_schema_roles, err);
    PGresult *there = needed ? conn_exec(target, "SELECT rolname FROM pg_catalog.pg_roles", err) : NULL;

    for (int i = 0; there && i < PQntuples(needed); i++) {
        const char *name = PQgetvalue(needed, i, 0);
        if (strcmp(role_map_name(map, name), name) != 0)
            continue;
        struct role *role = xcalloc(1, sizeof *role);
        role->name = xstrdup(name);
        role->missing = true;
        HASH_ADD_KEYPTR(hh, *roles, role->name, strlen(role->name), role);
    }
    for (int i = 0; there && i < PQntuples(there); i++) {
        struct role *role = find_role(*roles, PQgetvalue(there, i, 0));
        if (role)
            role->missing = false;
    }
    PQclear(needed);
    PQclear(there);
    return there != NULL;
}

static void add_name(struct buf *out, const char *name)
{
    char *shown = ident_display(NULL, name);

    buf_addf(out, "%s%s", out->len ? ", " : "", shown);
    free(shown);
}

bool schema_missing_roles(struct conn *source, struct conn *target, const struct schema_role_map *map, struct buf *names,
                          struct err *err)
{
    struct role *roles = NULL;
    bool ok = load_roles(&roles, source, target, map, err);

    for (struct role *role = roles; role; role = role->hh.next)
        if (role->missing)
            add_name(names, role->name);
    roles_release(&roles);
    return ok;
}

/* --- pg_dumpall's statements --- */

/* The identifier at *at, unquoted and owned, *at moved behind it; NULL when there is none. */
static char *take_ident(const char **at)
{
    struct buf name = BUF_INIT;
    const char *text = *at + strspn(*at, " \n");

    if (*text != '"') {
        size_t len = strcspn(text, " \n;,");
        *at = text + len;
        return len ? xstrndup(text, len) : NULL;
    }
    for (text++; *text; text++) {
        if (*text == '"' && *++text != '"')
            break;
        buf_addch(&name, *text);
    }
    *at = text;
    return buf_take(&name);
}

static const char *after(const char *text, const char *words)
{
    size_t len = strlen(words);

    return strncmp(text, words, len) == 0 ? text + len : NULL;
}

static struct role *missing_role(struct copying *copying, const char **at)
{
    char *name = take_ident(at);
    struct role *role = name ? find_role(copying->roles, name) : NULL;

    free(name);
    return role && role->missing ? role : NULL;
}

/* "ALTER ROLE x WITH WORD WORD PASSWORD '...'": words that a new role has anyway, or that only a
 * superuser may say, are left out; `words` is behind WITH. */
static void add_attributes(struct copying *copying, struct role *role, const char *words)
{
    static const char *const defaults[] = {"NOSUPERUSER", "NOREPLICATION", "NOBYPASSRLS"};
    static const char *const privileged[] = {"SUPERUSER", "REPLICATION", "BYPASSRLS"};
    struct buf *sql = &copying->sql;

    buf_addstr(sql, "ALTER ROLE ");
    ident_add(sql, role->name);
    buf_addstr(sql, " WITH");
    while (*(words += strspn(words, " \n"))) {
        size_t len = *words == '\'' ? strcspn(words + 1, "'") + 2 : strcspn(words, " \n;");
        bool skip = false;
        for (size_t i = 0; i < 3; i++) {
            skip = skip || (strlen(defaults[i]) == len && strncmp(words, defaults[i], len) == 0);
            skip = skip || (!copying->superuser && strlen(privileged[i]) == len &&
                            strncmp(words, privileged[i], len) == 0);
        }
        if (len == 5 && strncmp(words, "LOGIN", 5) == 0)
            role->is_login = true;
        if (len == 8 && strncmp(words, "PASSWORD", 8) == 0)
            role->password = true;
        if (!skip && len) {
            buf_addch(sql, ' ');
            buf_add(sql, words, len);
        }
        words += len;
        if (*words == ';')
            break;
    }
    buf_addstr(sql, ";\n");
}

/* Both must be there in the end, and one of them is new: other memberships are the target's own. The
 * grantor is left out, for it may be nobody there. */
static void add_membership(struct copying *copying, const char *at)
{
    char *group = take_ident(&at);
    const char *to = after(at, " TO ");
    char *member = to ? take_ident(&to) : NULL;
    struct role *one = group ? find_role(copying->roles, group) : NULL;
    struct role *other = member ? find_role(copying->roles, member) : NULL;
    bool is_system = group && strncmp(group, "pg_", 3) == 0;

    if (member && other && (one || is_system) && ((one && one->missing) || other->missing)) {
        const char *by = strstr(to, " GRANTED BY ");
        buf_addstr(&copying->sql, "GRANT ");
        ident_add(&copying->sql, group);
        buf_addstr(&copying->sql, " TO ");
        ident_add(&copying->sql, member);
        buf_add(&copying->sql, to, by ? (size_t)(by - to) : strcspn(to, ";"));
        buf_addstr(&copying->sql, ";\n");
    }
    free(group);
    free(member);
}

static void take_statement(struct copying *copying, const char *text)
{
    const char *at;
    const char *words;
    struct role *role;

    if ((at = after(text, "CREATE ROLE "))) {
        if (missing_role(copying, &at))
            buf_addf(&copying->sql, "%s\n", text);
    } else if ((at = after(text, "ALTER ROLE "))) {
        if (!(role = missing_role(copying, &at)))
            return;
        if ((words = after(at, " WITH ")))
            add_attributes(copying, role, words);
        else if (!after(at, " IN DATABASE "))
            buf_addf(&copying->sql, "%s\n", text);
    } else if ((at = after(text, "COMMENT ON ROLE "))) {
        if (missing_role(copying, &at))
            buf_addf(&copying->sql, "%s\n", text);
    } else if ((at = after(text, "GRANT "))) {
        add_membership(copying, at);
    }
}

static void take_script(struct copying *copying, char *script)
{
    struct lexer lexer = LEXER_INIT;
    struct buf statement = BUF_INIT;

    for (char *line = script, *next; *line; line = next) {
        size_t semicolon, len = strcspn(line, "\n");
        next = line[len] ? line + len + 1 : line + len;
        if (!statement.len && (len == 0 || strncmp(line, "--", 2) == 0 || *line == '\\'))
            continue;
        lexer_line(&lexer, line, (size_t)(next - line), &semicolon);
        buf_add(&statement, line, (size_t)(next - line));
        if (!semicolon || lexer.state != LEX_PLAIN)
            continue;
        statement.data[statement.len -= next[-1] == '\n'] = '\0';
        take_statement(copying, statement.data);
        explicit_bzero(statement.data, statement.len);
        buf_clear(&statement);
    }
    buf_release(&statement);
}

/* --- the whole --- */

static bool dump_roles(const struct conninfo *source_info, const struct schema_tools *tools,
                       bool passwords, struct buf *out, struct err *err)
{
    char *dbname = conninfo_string(source_info);
    char **env = conninfo_env(source_info, "pg_dumpall");
    const char *database = conninfo_get(source_info, "dbname");
    const char *argv[] = {tools->pg_dumpall, "--roles-only", "--no-password", "--dbname", dbname,
                          "--database", database ? database : "postgres", "--no-role-passwords", NULL};
    struct buf errors = BUF_INIT;
    struct proc_run run = {.argv = argv, .setenv = (const char *const *)env, .out = out,
                           .errors = &errors};

    if (passwords)
        argv[7] = NULL;
    bool ok = proc_run(&run, err);
    if (!ok) {
        schema_tools_lost_connection(errors.data, err);
        err_wrap(err, "could not read the roles of the source");
    }
    buf_release(&errors);
    conninfo_env_free(env);
    free(dbname);
    return ok;
}

static bool is_true(struct conn *c, const char *sql, bool *yes, struct err *err)
{
    char *value = NULL;
    bool ok = conn_scalar(c, sql, 0, NULL, &value, err);

    *yes = value && *value == 't';
    free(value);
    return ok;
}

static void name_made(const struct copying *copying, struct buf *made)
{
    for (struct role *role = copying->roles; role; role = role->hh.next) {
        if (!role->missing)
            continue;
        add_name(made, role->name);
        if (role->is_login && !role->password)
            buf_addstr(made, " (no password)");
    }
}

static bool make_roles(struct copying *copying, struct buf *made, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = conn_command(copying->target, "BEGIN", &own) &&
              conn_command(copying->target, copying->sql.data, &own) &&
              conn_command(copying->target, "COMMIT", &own);

    if (ok) {
        name_made(copying, made);
    } else {
        conn_rollback(copying->target);
        free(own.detail); /* the statement holds passwords */
        own.detail = NULL;
        err_wrap(&own, "could not make the roles that are missing");
        if (!own.hint)
            err_hint(&own, "Make them yourself, or leave them out of the migration (schema.roles).");
        err_move(err, &own);
    }
    return ok;
}

/* Fills copying->sql and ->roles; passwords: with those that the source lets us read. */
static bool read_missing(struct copying *copying, struct conn *source, const struct conninfo *source_info,
                         const struct schema_tools *tools, bool passwords, struct err *err)
{
    struct buf script = BUF_INIT;
    struct buf missing = BUF_INIT;
    bool readable = false;
    bool ok = schema_missing_roles(source, copying->target, copying->map, &missing, err);

    if (ok && missing.len) {
        ok = load_roles(&copying->roles, source, copying->target, copying->map, err) &&
             is_true(source, "SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT')",
                     &readable, err) &&
             is_true(copying->target, "SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
                     &copying->superuser, err) &&
             dump_roles(source_info, tools, passwords && readable, &script, err);
        if (ok && script.data) {
            take_script(copying, script.data);
            explicit_bzero(script.data, script.len);
        }
    }
    buf_release(&script);
    buf_release(&missing);
    return ok;
}

static void copying_release(struct copying *copying)
{
    if (copying->sql.data)
        explicit_bzero(copying->sql.data, copying->sql.len);
    roles_release(&copying->roles);
    buf_release(&copying->sql);
}

bool schema_roles_copy(struct conn *source, const struct conninfo *source_info,
                       const struct schema_tools *tools, struct conn *target,
                       const struct schema_role_map *map, struct buf *made, struct err *err)
{
    struct copying copying = {.target = target, .map = map};
    bool ok = read_missing(&copying, source, source_info, tools, true, err) &&
              (!copying.sql.len || make_roles(&copying, made, err));

    copying_release(&copying);
    return ok;
}

bool schema_roles_script(struct conn *source, const struct conninfo *source_info,
                         const struct schema_tools *tools, struct conn *target,
                         const struct schema_role_map *map, struct buf *sql, struct err *err)
{
    struct copying copying = {.target = target, .map = map};
    bool ok = read_missing(&copying, source, source_info, tools, false, err);

    if (ok && copying.sql.len)
        buf_addstr(sql, copying.sql.data);
    copying_release(&copying);
    return ok;
}
