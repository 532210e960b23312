#include "load/ddl_log.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "load/names.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* Nobody waits for these locks but a schema change that runs right now. */
static const struct lock_attempt log_attempt = {5000, 6, 1000, false};

static char *quoted(const char *name, const char *suffix)
{
    struct buf out = BUF_INIT;
    char *whole = xasprintf("%s%s", name, suffix);

    ident_add(&out, whole);
    free(whole);
    return buf_take(&out);
}

/* --- the statements --- */

struct word {
    const char *mark; /* in the text */
    const char *text; /* what comes in its place */
};

/* Puts the words in. A mark is looked for from the longest on, as the table has them. */
static char *expand(const char *sql, const struct word *words, size_t count)
{
    struct buf out = BUF_INIT;

    while (*sql) {
        size_t i = 0;
        while (i < count && strncmp(sql, words[i].mark, strlen(words[i].mark)) != 0)
            i++;
        if (i < count) {
            buf_addstr(&out, words[i].text);
            sql += strlen(words[i].mark);
        } else {
            buf_addch(&out, *sql++);
        }
    }
    return buf_take(&out);
}

static char *create_statements(const char *name)
{
    char *log = quoted(name, "");
    char *on_drop = quoted(name, "d");
    char *on_rewrite = quoted(name, "r");
    const struct word words[] = {
        {":\"log_d\"", on_drop}, {":\"log_r\"", on_rewrite}, {":\"log\"", log},
        {":definition\n", sql_ddl_definition}, {":type\n", sql_ddl_type},
    };
    char *sql = expand(sql_ddl_log_create, words, sizeof words / sizeof *words);

    free(log);
    free(on_drop);
    free(on_rewrite);
    return sql;
}

char *ddl_log_drop_statements(const char *name)
{
    char *log = quoted(name, "");
    char *on_drop = quoted(name, "d");
    char *on_rewrite = quoted(name, "r");
    char *sql = xasprintf("DROP EVENT TRIGGER IF EXISTS %s; DROP EVENT TRIGGER IF EXISTS %s; "
                          "DROP EVENT TRIGGER IF EXISTS %s; DROP SCHEMA IF EXISTS %s CASCADE",
                          log, on_drop, on_rewrite, log);

    free(log);
    free(on_drop);
    free(on_rewrite);
    return sql;
}

/* LIKE's own characters stand for themselves. */
static void add_like(struct buf *sql, const char *glob)
{
    struct buf like = BUF_INIT;

    for (; *glob; glob++) {
        if (strchr("%_\\", *glob))
            buf_addch(&like, '\\');
        buf_addch(&like, *glob == '*' ? '%' : *glob);
    }
    literal_add(sql, like.data ? like.data : "");
    buf_release(&like);
}

static void add_picks(struct buf *sql, const char *log, const struct ddl_pick *picks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_addf(sql, "%s", i ? ", " : "");
        if (!i)
            buf_addf(sql, "; INSERT INTO %s.pick (included, schema_like, name_like) VALUES ", log);
        buf_addf(sql, "(%s, ", picks[i].included ? "true" : "false");
        add_like(sql, picks[i].schema ? picks[i].schema : "*");
        buf_addstr(sql, ", ");
        add_like(sql, picks[i].name);
        buf_addch(sql, ')');
    }
}

/* --- acts --- */

bool ddl_log_create(struct conn *src, const char *name, const struct ddl_pick *picks, size_t count,
                    struct err *err)
{
    struct buf sql = BUF_INIT;
    char *drop = ddl_log_drop_statements(name);
    char *create = create_statements(name);
    char *log = quoted(name, "");

    buf_addf(&sql, "%s; %s", drop, create);
    add_picks(&sql, log, picks, count);
    bool ok = locked_command(src, sql.data, "{}", &log_attempt, err);
    if (!ok)
        err_wrap(err, "could not make the log of schema changes");
    buf_release(&sql);
    free(drop);
    free(create);
    free(log);
    return ok;
}

/* The conditions that hold for the row of that very name. */
static void add_exact(struct buf *sql, const char *before, const char *schema, const char *between, const char *table)
{
    buf_addstr(sql, before);
    add_like(sql, schema);
    buf_addstr(sql, between);
    add_like(sql, table);
}

bool ddl_log_leave_out(struct conn *src, const char *name, const char *schema, const char *table, bool out, struct err *err)
{
    const char *values[] = {name};
    struct buf sql = BUF_INIT;
    char *log = quoted(name, "");
    char *there = NULL;
    bool ok = conn_scalar(src, "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                          "WHERE n.nspname = $1 AND c.relname = 'pick')", 1, values, &there, err);

    if (ok && *there == 't') {
        buf_addf(&sql, "DELETE FROM %s.pick WHERE NOT included", log);
        add_exact(&sql, " AND schema_like = ", schema, " AND name_like = ", table);
        if (out) {
            buf_addf(&sql, "; INSERT INTO %s.pick (included, schema_like, name_like)", log);
            add_exact(&sql, " VALUES (false, ", schema, ", ", table);
            buf_addch(&sql, ')');
        }
        ok = conn_command(src, sql.data, err);
    }
    buf_release(&sql);
    free(there);
    free(log);
    return ok;
}

bool ddl_log_drop(struct conn *src, const char *name, struct err *err)
{
    char *sql = ddl_log_drop_statements(name);
    bool ok = locked_command(src, sql, "{}", &log_attempt, err);

    if (!ok)
        err_wrap(err, "could not remove the log of schema changes");
    free(sql);
    return ok;
}
