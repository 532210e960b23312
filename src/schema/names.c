#include "schema/names.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/ident.h"

void schema_renames_add(struct schema_renames *renames, const char *from_schema, const char *from_name, const char *to_schema,
                        const char *to_name)
{
    renames->items = xgrow(renames->items, renames->count, &renames->cap, sizeof *renames->items);
    renames->items[renames->count++] =
        (struct schema_rename){xstrdup(from_schema), xstrdup(from_name), xstrdup(to_schema), xstrdup(to_name)};
}

void schema_renames_release(struct schema_renames *renames)
{
    for (size_t i = 0; i < renames->count; i++) {
        free(renames->items[i].from_schema);
        free(renames->items[i].from_name);
        free(renames->items[i].to_schema);
        free(renames->items[i].to_name);
    }
    free(renames->items);
    *renames = (struct schema_renames)SCHEMA_RENAMES_INIT;
}

static bool is_simple(const char *name)
{
    if (!islower((unsigned char)*name) && *name != '_')
        return false;
    for (const char *at = name; *at; at++)
        if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at) && *at != '_')
            return false;
    return true;
}

static void add_part(struct buf *out, const char *name, bool quoted)
{
    if (quoted || !is_simple(name))
        ident_add(out, name);
    else
        buf_addstr(out, name);
}

/* pg_dump quotes keywords, too, which differ from version to version: each part is looked for with and without. */
#define SPELLINGS 4

static char *qualified(const char *schema, const char *name, int spelling)
{
    struct buf out = BUF_INIT;

    add_part(&out, schema, spelling & 1);
    buf_addch(&out, '.');
    add_part(&out, name, spelling & 2);
    return buf_take(&out);
}

static bool is_inside_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '"' || (unsigned char)c >= 128;
}

/* The next place where the name stands by itself; NULL: none. */
static const char *find_name(const char *text, const char *begin, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = begin; (at = strstr(at, name)); at++)
        if ((at == text || (!is_inside_word(at[-1]) && at[-1] != '.')) && !is_inside_word(at[len]))
            return at;
    return NULL;
}

static bool says_table(const char *statement, const char *begin, const struct schema_rename *r)
{
    bool found = false;

    for (int spelling = 0; !found && spelling < SPELLINGS; spelling++) {
        char *table = qualified(r->from_schema, r->from_name, spelling);
        found = find_name(statement, begin, table) != NULL;
        free(table);
    }
    return found;
}

void schema_renames_follow(struct schema_renames *renames, const char *type, const char *schema, const char *name, const char *statement)
{
    bool is_index = strcmp(type, "INDEX") == 0, is_owned = strcmp(type, "SEQUENCE OWNED BY") == 0;
    size_t count = renames->count;

    for (size_t i = 0; (is_index || is_owned) && i < count; i++) {
        const struct schema_rename *r = &renames->items[i];
        const char *said = strstr(statement, is_index ? " ON " : " OWNED BY ");
        if (said && strcmp(schema, r->from_schema) == 0 && says_table(statement, said, r))
            schema_renames_add(renames, schema, name, r->to_schema, name);
    }
}

static void replace_all(const char *text, const char *from, const char *to, struct buf *out)
{
    const char *rest = text;

    for (const char *at; (at = find_name(text, rest, from)); rest = at + strlen(from)) {
        buf_add(out, rest, (size_t)(at - rest));
        buf_addstr(out, to);
    }
    buf_addstr(out, rest);
}

void schema_renames_apply(const struct schema_renames *renames, const char *text, struct buf *out)
{
    char *now = xstrdup(text);

    for (size_t i = 0; i < renames->count * SPELLINGS; i++) {
        const struct schema_rename *r = &renames->items[i / SPELLINGS];
        struct buf next = BUF_INIT;
        char *from = qualified(r->from_schema, r->from_name, (int)(i % SPELLINGS)), *to = qualified(r->to_schema, r->to_name, 0);
        replace_all(now, from, to, &next);
        free(now);
        free(from);
        free(to);
        now = buf_take(&next);
    }
    buf_addstr(out, now);
    free(now);
}

void schema_renames_apply_name(const struct schema_renames *renames, const char *schema, const char *name, struct buf *out)
{
    for (size_t i = 0; i < renames->count; i++) {
        const struct schema_rename *r = &renames->items[i];
        if (strcmp(schema, r->from_schema) == 0 && find_name(name, name, r->from_name)) {
            buf_addf(out, "%s.", r->to_schema);
            replace_all(name, r->from_name, r->to_name, out);
            return;
        }
    }
    buf_addf(out, "%s.%s", schema, name);
}

bool schema_renames_lead_to(const struct schema_renames *renames, const char *schema)
{
    for (size_t i = 0; i < renames->count; i++)
        if (strcmp(renames->items[i].to_schema, schema) == 0)
            return true;
    return false;
}
