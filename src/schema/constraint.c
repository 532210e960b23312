#include "schema/constraint.h"

#include <string.h>

/* A piece of the statement; borrowed. */
struct piece {
    const char *at;
    size_t len;
};

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \n");
}

/* Behind a quoted or plain identifier, a string, or a group in parentheses; NULL when it does not end. */
static const char *skip_one(const char *at)
{
    int depth = 0;

    do {
        char quote = *at;
        if (!quote)
            return NULL;
        if (quote == '"' || quote == '\'') {
            at = strchr(at + 1, quote);
            if (!at)
                return NULL;
        }
        depth += quote == '(' ? 1 : quote == ')' ? -1 : 0;
        at++;
    } while (depth > 0);
    return at;
}

/* A name, qualified or not: up to a blank outside quotes. */
static const char *take_name(const char *at, struct piece *name)
{
    const char *start = at = skip_blanks(at);

    while (at && *at && !strchr(" \n(;", *at))
        at = skip_one(at);
    *name = (struct piece){start, at ? (size_t)(at - start) : 0};
    return name->len ? at : NULL;
}

static const char *take_group(const char *at, struct piece *group)
{
    at = skip_blanks(at);
    if (*at != '(')
        return NULL;
    const char *end = skip_one(at);
    *group = (struct piece){at, end ? (size_t)(end - at) : 0};
    return end;
}

/* at moves behind the word when it stands there. */
static bool take_word(const char **at, const char *word)
{
    const char *here = skip_blanks(*at);
    size_t len = strlen(word);

    if (strncmp(here, word, len) != 0)
        return false;
    *at = here + len;
    return true;
}

struct parsed {
    struct piece table, name, columns, include, with, timing;
    const char *kind;
    bool nulls_not_distinct;
    const char *rest; /* behind the statement */
};

static bool has_overlaps(const struct piece *columns)
{
    static const char word[] = " WITHOUT OVERLAPS";
    const char *end = columns->at + columns->len - 1; /* the parenthesis */

    return columns->len > sizeof word && strncmp(end - (sizeof word - 1), word, sizeof word - 1) == 0;
}

static bool parse(const char *at, struct parsed *p)
{
    if (!take_word(&at, "ALTER TABLE ONLY ") || !(at = take_name(at, &p->table)) ||
        !take_word(&at, "ADD CONSTRAINT ") || !(at = take_name(at, &p->name)))
        return false;
    p->kind = take_word(&at, "PRIMARY KEY ") ? "PRIMARY KEY" : take_word(&at, "UNIQUE ") ? "UNIQUE" : NULL;
    if (!p->kind)
        return false;
    p->nulls_not_distinct = take_word(&at, "NULLS NOT DISTINCT ");
    if (!(at = take_group(at, &p->columns)) || has_overlaps(&p->columns))
        return false;
    if (take_word(&at, "INCLUDE ") && !(at = take_group(at, &p->include)))
        return false;
    if (take_word(&at, "WITH ") && !(at = take_group(at, &p->with)))
        return false;
    at = skip_blanks(at);
    p->timing = (struct piece){at, strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZ ")};
    at += p->timing.len;
    if (*at != ';' || (p->timing.len && strncmp(p->timing.at, "DEFERRABLE", 10) != 0))
        return false;
    p->rest = at + 1;
    return true;
}

static void add(struct buf *out, const char *before, const struct piece *piece)
{
    if (!piece->len)
        return;
    buf_addstr(out, before);
    buf_add(out, piece->at, piece->len);
}

bool constraint_split(const char *statement, struct buf *index, struct buf *constraint)
{
    struct parsed p = {.kind = NULL};

    if (!parse(statement, &p))
        return false;
    add(index, "CREATE UNIQUE INDEX ", &p.name);
    add(index, " ON ", &p.table);
    add(index, " ", &p.columns);
    add(index, " INCLUDE ", &p.include);
    buf_addstr(index, p.nulls_not_distinct ? " NULLS NOT DISTINCT" : "");
    add(index, " WITH ", &p.with);
    buf_addch(index, ';');
    add(constraint, "ALTER TABLE ONLY ", &p.table);
    add(constraint, " ADD CONSTRAINT ", &p.name);
    buf_addf(constraint, " %s", p.kind);
    add(constraint, " USING INDEX ", &p.name);
    add(constraint, " ", &p.timing);
    buf_addf(constraint, ";%s", p.rest);
    return true;
}
