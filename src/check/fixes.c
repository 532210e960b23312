/* How it works: a fix is lines, some of them statements, made by us from quoted names. A line runs only when it is one
 * whole statement of a kind that its finding says how to take back; everything else becomes a comment, so that names with
 * line breaks in them, and sentences, cannot run as anything. psql ends a comment at a carriage return, too. */
#include "check/fixes.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"

enum kind { KIND_RUN, KIND_DECIDE, KIND_HBA, KIND_HAND };

static bool begins(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool starts_statement(const char *line)
{
    static const char *const words[] = {"ALTER ", "GRANT ", "REVOKE ", "CREATE ", "DROP ", "SELECT ", "VACUUM ", "ANALYZE ",
                                        "REINDEX ", "COMMIT ", "ROLLBACK ", "TRUNCATE "};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins(line, words[i]))
            return true;
    return false;
}

static bool is_statement(const char *line)
{
    return starts_statement(line) && strchr(line, ';');
}

/* A name or literal goes on in the next line; that of a comment behind the statement, too. */
static bool ends_open(const char *line)
{
    char open = 0;

    for (; *line; line++)
        if (!open && (*line == '\'' || *line == '"'))
            open = *line;
        else if (*line == open)
            open = 0;
    return open != 0;
}

/* "...; -- if it is not needed any more" is for somebody to decide, and so is what has a blank to fill or makes somebody a
 * superuser. */
static bool has_condition(const char *line)
{
    static const char *const words[] = {"; -- if ", "; -- or ", "; -- once ", "; -- after ", "; -- and ", "...", "name_of_the_standby", " SUPERUSER"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(line, words[i]))
            return true;
    return false;
}

/* These can be taken back, but mean something: a source that was closed by a cutover, a key that is given up. */
static bool is_choice(const struct finding *finding)
{
    return finding->severity == FINDING_INFO || strcmp(finding->id, "ri-full") == 0 ||
           (strcmp(finding->id, "read-only") == 0 && finding->side == SIDE_SOURCE);
}

static bool is_plain(const char *line)
{
    return is_statement(line) && !has_condition(line) && !strchr(line, '\r');
}

static enum kind kind_of(const struct finding *finding, const char *line)
{
    if (!is_statement(line))
        return strstr(line, "pg_hba.conf") ? KIND_HBA : KIND_HAND;
    if (!finding->undo || is_choice(finding) || !is_plain(line) || !(begins(line, "ALTER ") || begins(line, "GRANT ")))
        return KIND_DECIDE;
    return KIND_RUN;
}

/* Each line of text as a comment: prefix before the first. */
static void add_comment(struct buf *out, const char *prefix, const char *text)
{
    buf_addf(out, "-- %s", prefix);
    for (; *text; text++)
        if (*text == '\n' || *text == '\r')
            buf_addstr(out, "\n--   ");
        else
            buf_addch(out, *text);
    buf_addch(out, '\n');
}

static bool is_seen(struct fixes_side *side, const char *line)
{
    char *marked = xasprintf("\n%s\n", line);
    bool seen = side->seen.data && strstr(side->seen.data, marked);

    if (!seen)
        buf_addstr(&side->seen, marked);
    free(marked);
    return seen;
}

/* Where a statement is about the server, it is needed once; else once in each database. */
static bool is_about_server(const char *line)
{
    return begins(line, "ALTER SYSTEM ") || begins(line, "ALTER ROLE ") || begins(line, "ALTER DATABASE ") || strstr(line, " ON ") == NULL;
}

static struct buf *statements_of(struct fixes_side *side, const struct finding *finding, const char *line)
{
    if (!begins(line, "ALTER SYSTEM "))
        return &side->sql;
    return finding->needs == NEEDS_RESTART ? &side->restart : &side->reload;
}

/* One finding on its way into the script. */
struct adding {
    struct fixes_side *side;
    const struct finding *finding;
    const char *database;
    bool database_exists;
    const char *intro;     /* a line that ends in ":" goes where the next one does */
    struct buf *headed[4]; /* parts that have its heading already */
};

static void add_heading(struct adding *adding, struct buf *out)
{
    for (size_t i = 0; i < 4; i++) {
        if (adding->headed[i] == out)
            return;
        if (adding->headed[i])
            continue;
        adding->headed[i] = out;
        char *id = xasprintf("%s, database %s: ", adding->finding->id, adding->database);
        add_comment(out, id, adding->finding->message);
        free(id);
        return;
    }
}

/* Takes a line that introduces others. */
static bool take_intro(struct adding *adding, const char *line)
{
    size_t len = strlen(line);

    if (adding->intro || !len || line[len - 1] != ':' || starts_statement(line))
        return false;
    adding->intro = line;
    return true;
}

static void add_line(struct adding *adding, const char *line, bool carried)
{
    enum kind kind = carried ? KIND_HAND : kind_of(adding->finding, line);
    struct fixes_side *side = adding->side;
    struct buf *out;

    if (kind == KIND_RUN && (ends_open(line) || (!adding->database_exists && strstr(line, " DATABASE "))))
        kind = KIND_DECIDE;
    if (kind == KIND_RUN && is_about_server(line) && is_seen(side, line))
        return;
    out = kind == KIND_RUN ? statements_of(side, adding->finding, line)
          : kind == KIND_HBA ? &side->hba : kind == KIND_DECIDE ? &side->decide : &side->hand;
    add_heading(adding, out);
    if (adding->intro)
        add_comment(out, "  ", adding->intro);
    adding->intro = NULL;
    if (kind == KIND_RUN)
        buf_addf(out, "%s\n", line);
    else
        add_comment(out, "  ", line);
}

/* Under the last part that statements of the finding went to. */
static void add_undo(struct adding *adding)
{
    struct fixes_side *side = adding->side;
    struct buf *ran = NULL;

    for (size_t i = 0; i < 4; i++)
        if (adding->headed[i] == &side->reload || adding->headed[i] == &side->sql || adding->headed[i] == &side->restart)
            ran = adding->headed[i];
    if (!ran || !adding->finding->undo)
        return;
    char *text = xstrdup(adding->finding->undo), *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        add_comment(ran, "undo: ", line);
    free(text);
}

static void add_finding(struct fixes_side *side, const struct finding *finding, const char *database, bool database_exists)
{
    struct adding adding = {.side = side, .finding = finding, .database = database, .database_exists = database_exists};
    char *text = xstrdup(finding->fix), *rest = text;
    bool carried = false;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (carried || !take_intro(&adding, line))
            add_line(&adding, line, carried);
        carried = carried || (starts_statement(line) && ends_open(line));
    }
    if (adding.intro) {
        add_heading(&adding, &side->hand);
        add_comment(&side->hand, "  ", adding.intro);
    }
    add_undo(&adding);
    free(text);
}

/* --- to be run one by one --- */

static char *statements_in(const char *source, const char *first, const char *second)
{
    struct buf out = BUF_INIT;
    char *text = xstrdup(source), *rest = text;
    bool carried = false;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        bool open = ends_open(line);
        if (!carried && !open && is_plain(line) && (begins(line, first) || begins(line, second)))
            buf_addf(&out, "%s%s", out.len ? "\n" : "", line);
        carried = carried || (starts_statement(line) && open);
    }
    free(text);
    return out.len ? buf_take(&out) : NULL;
}

char *fixes_statements(const struct finding *finding)
{
    return finding->fix && finding->undo ? statements_in(finding->fix, "ALTER ", "GRANT ") : NULL;
}

char *fixes_undo_statements(const struct finding *finding)
{
    return finding->undo ? statements_in(finding->undo, "ALTER ", "REVOKE ") : NULL;
}

/* --- the script --- */

static bool has_statement(const struct findings *findings, enum conn_side side)
{
    for (size_t i = 0; i < findings->count; i++)
        if (findings->items[i].side == side && findings->items[i].fix && !findings->items[i].waived)
            return true;
    return false;
}

/* A database that does not exist yet cannot be connected to. */
static void add_connect(struct buf *out, const char *database)
{
    struct buf name = BUF_INIT;

    ident_add(&name, database);
    add_comment(out, "database ", database);
    if (strpbrk(database, "\n\r"))
        buf_addstr(out, "\\echo 'Connect to this database by hand: its name has a line break.'\n\\quit\n");
    else
        buf_addf(out, "\\connect %s\n", name.data);
    buf_release(&name);
}

void fixes_add(struct fixes *fixes, const struct findings *findings, const char *source_database,
               const char *target_database, bool target_exists)
{
    if (has_statement(findings, SIDE_SOURCE))
        add_connect(&fixes->sides[SIDE_SOURCE].sql, source_database);
    if (has_statement(findings, SIDE_TARGET))
        add_connect(&fixes->sides[SIDE_TARGET].sql, target_exists ? target_database : "postgres");
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *finding = &findings->items[i];
        if (finding->fix && !finding->waived)
            add_finding(&fixes->sides[finding->side], finding, finding->side == SIDE_SOURCE ? source_database : target_database,
                        finding->side == SIDE_SOURCE || target_exists);
    }
}

static void add_part(struct buf *out, const char *title, const struct buf *part, const char *after)
{
    if (!part->len)
        return;
    buf_addf(out, "\n-- --- %s\n%s", title, part->data);
    if (after)
        buf_addf(out, "%s\n", after);
}

static void add_side(struct buf *out, const struct fixes_side *side, const char *name)
{
    buf_addf(out, "\n-- ====== the %s ======\n\\if :{?%s}\n", name, name);
    if (!side->reload.len && !side->sql.len && !side->restart.len)
        buf_addstr(out, "\n-- Nothing is to be run.\n");
    add_part(out, "settings that a reload takes over", &side->reload, "SELECT pg_reload_conf();");
    add_part(out, "SQL", &side->sql, NULL);
    add_part(out, "settings that want a restart", &side->restart, "\\echo 'Now restart this server.'");
    add_part(out, "for pg_hba.conf", &side->hba, NULL);
    add_part(out, "for you to decide, or not needed", &side->decide, NULL);
    add_part(out, "by hand", &side->hand, NULL);
    buf_addstr(out, "\\endif\n");
}

char *fixes_script(const struct fixes *fixes)
{
    struct buf out = BUF_INIT;

    buf_addstr(&out, "-- What \"pgcutover check\" found wanting, for psql 11 or later, as a superuser or who may do this. Read it first.\n"
                     "--   on the source: psql -v source=1 -f THIS-FILE ...\n"
                     "--   on the target: psql -v target=1 -f THIS-FILE ...\n"
                     "\\set ON_ERROR_STOP on\n");
    add_side(&out, &fixes->sides[SIDE_SOURCE], "source");
    add_side(&out, &fixes->sides[SIDE_TARGET], "target");
    return buf_take(&out);
}

void fixes_release(struct fixes *fixes)
{
    for (int i = 0; i < 2; i++) {
        struct fixes_side *side = &fixes->sides[i];
        struct buf *const parts[] = {&side->reload, &side->sql, &side->restart, &side->hba, &side->decide, &side->hand, &side->seen};
        for (size_t k = 0; k < sizeof parts / sizeof *parts; k++)
            buf_release(parts[k]);
    }
}
