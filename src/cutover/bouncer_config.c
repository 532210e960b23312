/* PgBouncer's configuration file, as far as it has to be understood to lead one database elsewhere (pgbouncer.ini(5)): sections
 * in brackets, comments from ; or # on, NAME = CONNSTR, where CONNSTR is KEY=VALUE ... with '' inside of quotes. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "cutover/bouncer.h"

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* The name that a line of the section defines: into name, and where its value begins; NULL: it defines none. */
static const char *value_of(const char *line, struct buf *name)
{
    const char *at = skip_blanks(line);
    bool quoted = *at == '"';

    buf_clear(name);
    buf_addstr(name, "");
    if (quoted) {
        for (at++; *at && (*at != '"' || at[1] == '"'); at++) {
            at += *at == '"';
            buf_addch(name, *at);
        }
        at += *at == '"';
    } else {
        for (; *at && !strchr(" \t=;#[%\"", *at); at++)
            buf_addch(name, *at);
    }
    at = skip_blanks(at);
    return *at == '=' && name->len ? skip_blanks(at + 1) : NULL;
}

static void add_quoted(struct buf *out, const char *value)
{
    buf_addch(out, '\'');
    for (; *value; value++) {
        if (*value == '\'')
            buf_addch(out, '\'');
        buf_addch(out, *value);
    }
    buf_addch(out, '\'');
}

/* Copies a KEY=VALUE, or leaves it out where it is one that is set anew. Returns what follows. */
static const char *keep_pair(struct buf *out, const char *at)
{
    static const char *const replaced[] = {"host", "port", "dbname"};
    const char *begin = at;
    size_t key = strcspn(at, " \t=");
    bool is_replaced = false;

    for (size_t i = 0; i < sizeof replaced / sizeof *replaced; i++)
        is_replaced = is_replaced || (strlen(replaced[i]) == key && strncasecmp(replaced[i], at, key) == 0);
    at = skip_blanks(at + key);
    if (*at == '=')
        at = skip_blanks(at + 1);
    if (*at == '\'') {
        for (at++; *at && (*at != '\'' || at[1] == '\''); at++)
            at += *at == '\'';
        at += *at == '\'';
    } else {
        at += strcspn(at, " \t\r");
    }
    if (!is_replaced) {
        buf_addch(out, ' ');
        buf_add(out, begin, (size_t)(at - begin));
    }
    return at;
}

static void add_entry(struct buf *out, const char *line, const char *value, const char *host, const char *port,
                      const char *dbname)
{
    buf_add(out, line, (size_t)(value - line));
    buf_addstr(out, "host=");
    add_quoted(out, host);
    buf_addf(out, " port=%s dbname=", port);
    add_quoted(out, dbname);
    for (const char *at = value; *(at = at + strspn(at, " \t\r"));)
        at = keep_pair(out, at);
    buf_addch(out, '\n');
}

static void add_new_entry(struct buf *out, const char *database, const char *host, const char *port, const char *dbname)
{
    struct buf name = BUF_INIT;

    buf_addch(&name, '"');
    for (const char *at = database; *at; at++) {
        if (*at == '"')
            buf_addch(&name, '"');
        buf_addch(&name, *at);
    }
    buf_addstr(&name, "\" = ");
    add_entry(out, name.data, name.data + name.len, host, port, dbname);
    buf_release(&name);
}

static bool is_databases(const char *line)
{
    const char *at = skip_blanks(line);

    return strncasecmp(at, "[databases]", 11) == 0;
}

char *bouncer_edit(const char *text, const char *database, const char *host, const char *port, const char *dbname,
                   char **before, struct err *err)
{
    struct buf out = BUF_INIT, name = BUF_INIT;
    size_t section_end = 0; /* in out, behind the section's head; 0: not seen */
    bool inside = false, done = false;

    *before = NULL;
    for (const char *next, *at = text; *at; at = next) {
        size_t len = strcspn(at, "\n");
        char *line = xstrndup(at, len);
        const char *value;
        next = at + len + (at[len] == '\n');
        if (*skip_blanks(line) == '[')
            inside = is_databases(line);
        if (inside && !done && (value = value_of(line, &name)) && strcmp(name.data, database) == 0) {
            add_entry(&out, line, value, host, port, dbname);
            *before = xstrdup(line);
            done = true;
        } else {
            buf_add(&out, at, (size_t)(next - at));
        }
        if (is_databases(line) && !section_end)
            section_end = out.len;
        free(line);
    }
    buf_release(&name);
    if (!section_end) {
        err_set(err, ERR_PREREQUISITE, "the configuration has no section [databases]");
        err_hint(err, "Name the file that has it (%%include is not followed).");
        buf_release(&out);
        return NULL;
    }
    if (!done) {
        struct buf with = BUF_INIT;
        buf_add(&with, out.data, section_end);
        add_new_entry(&with, database, host, port, dbname);
        buf_add(&with, out.data + section_end, out.len - section_end);
        buf_release(&out);
        return buf_take(&with);
    }
    return buf_take(&out);
}

/* Beside it, so that it takes its place at once; with its owner and mode. */
static bool replace_file(const char *path, const struct stat *st, const char *text, struct err *err)
{
    char *temporary = xasprintf("%s.pgcutover", path);
    FILE *file = fopen(temporary, "w");
    bool ok = file && fchmod(fileno(file), st->st_mode & 07777) == 0 &&
              (fchown(fileno(file), st->st_uid, st->st_gid) == 0 || (st->st_uid == geteuid() && errno == EPERM)) &&
              fputs(text, file) >= 0 && fflush(file) == 0 && fsync(fileno(file)) == 0;

    if (file && fclose(file) != 0)
        ok = false;
    ok = ok && rename(temporary, path) == 0;
    if (!ok) {
        err_errno(err, "could not write \"%s\"", path);
        unlink(temporary);
    }
    free(temporary);
    return ok;
}

bool bouncer_edit_file(const char *path, const char *database, const char *host, const char *port, const char *dbname,
                       char **before, struct err *err)
{
    struct buf text = BUF_INIT;
    struct stat st;
    char *edited = NULL;
    bool ok = false;

    *before = NULL;
    if (stat(path, &st) != 0) {
        err_errno(err, "could not read \"%s\"", path);
    } else if (file_read(path, &text, err)) {
        edited = bouncer_edit(text.data ? text.data : "", database, host, port, dbname, before, err);
        if (!edited)
            err_wrap(err, "\"%s\"", path);
        ok = edited && (strcmp(edited, text.data) == 0 || replace_file(path, &st, edited, err));
    }
    free(edited);
    buf_release(&text);
    return ok;
}
