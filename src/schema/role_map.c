/* How it works: the text is read token by token. pg_dump writes keywords in capitals and quotes every name that is not small,
 * so that a word in capitals is a keyword. A statement's first words tell where roles may stand in it. */
#include "schema/role_map.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/ident.h"
#include "pg/token.h"

struct reading {
    const struct schema_role_map *map;
    struct buf *out;
    char words[3][24]; /* the statement's first words */
    int word_count;
    char before[24];   /* the last word, "" when it was another token */
    int depth;         /* of parentheses */
    bool wants_role;   /* a role comes next */
    bool had_role;     /* one has just been; with a comma another comes */
};

const char *role_map_name(const struct schema_role_map *map, const char *name)
{
    for (size_t i = 0; map && i < map->count; i++)
        if (strcmp(map->items[i].from, name) == 0)
            return map->items[i].to;
    return name;
}

/* --- where roles stand --- */

static bool is_keyword(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_'))
            return false;
    return true;
}

static bool begins(const struct reading *r, const char *first, const char *second)
{
    return strcmp(r->words[0], first) == 0 && (!second || strcmp(r->words[1], second) == 0);
}

/* Is what comes behind this keyword a role? */
static bool announces_role(const struct reading *r, const char *word)
{
    bool to = strcmp(word, "TO") == 0;

    if (r->depth)
        return false;
    if (begins(r, "GRANT", NULL) || begins(r, "REVOKE", NULL) || begins(r, "ALTER", "DEFAULT"))
        return to || strcmp(word, "FROM") == 0 || (strcmp(word, "ROLE") == 0 && strcmp(r->before, "FOR") == 0) ||
               (strcmp(word, "BY") == 0 && strcmp(r->before, "GRANTED") == 0);
    if (begins(r, "SET", "SESSION"))
        return strcmp(word, "AUTHORIZATION") == 0;
    if (begins(r, "CREATE", "POLICY"))
        return to;
    if (strcmp(r->words[1], "USER") == 0 && strcmp(r->words[2], "MAPPING") == 0)
        return strcmp(word, "FOR") == 0;
    return begins(r, "ALTER", NULL) && to && strcmp(r->before, "OWNER") == 0;
}

static void new_statement(struct reading *r)
{
    memset(r->words, 0, sizeof r->words);
    r->word_count = r->depth = 0;
    r->wants_role = r->had_role = false;
    r->before[0] = '\0';
}

static void take_keyword(struct reading *r, const char *text, size_t len)
{
    char word[24] = "";

    memcpy(word, text, len < sizeof word ? len : sizeof word - 1);
    if (r->word_count < 3)
        memcpy(r->words[r->word_count++], word, sizeof word);
    if (!r->wants_role || strcmp(word, "GROUP") != 0)
        r->wants_role = announces_role(r, word);
    r->had_role = strcmp(word, "PUBLIC") == 0 || strcmp(word, "CURRENT_USER") == 0 || strcmp(word, "SESSION_USER") == 0;
    memcpy(r->before, word, sizeof word);
}

static void take_name(struct reading *r, const char *text, size_t len)
{
    char *written = xstrndup(text, len);
    char *schema = NULL, *name = NULL;

    bool mapped = r->wants_role && ident_split(written, &schema, &name) && !schema &&
                  strcmp(role_map_name(r->map, name), name) != 0;
    if (mapped)
        ident_add(r->out, role_map_name(r->map, name));
    else
        buf_add(r->out, text, len);
    r->had_role = r->wants_role;
    r->wants_role = false;
    r->before[0] = '\0';
    if (r->word_count < 3 && r->word_count > 0)
        r->word_count++; /* "ALTER t DEFAULT" is no ALTER DEFAULT */
    free(written);
    free(schema);
    free(name);
}

static void take_other(struct reading *r, char c)
{
    r->wants_role = c == ',' && r->had_role && !r->depth;
    r->had_role = false;
    r->depth += (c == '(') - (c == ')');
    r->before[0] = '\0';
    if (c == ';' && r->depth <= 0)
        new_statement(r);
}

void role_map_apply(const struct schema_role_map *map, const char *text, struct buf *out)
{
    struct reading r = {.map = map, .out = out};
    enum token token;
    size_t len;

    for (; (token = token_next(text, &len)) != TOKEN_END; text += len) {
        bool keyword = token == TOKEN_WORD && is_keyword(text, len);
        if (token == TOKEN_NAME || (token == TOKEN_WORD && !keyword)) {
            take_name(&r, text, len);
            continue;
        }
        if (keyword)
            take_keyword(&r, text, len);
        else if (token == TOKEN_OTHER || token == TOKEN_STRING)
            take_other(&r, *text);
        buf_add(out, text, len);
    }
}

bool role_map_missing(const struct schema_role_map *map, struct conn *target, struct buf *names, struct err *err)
{
    for (size_t i = 0; i < map->count; i++) {
        const char *name = map->items[i].to;
        char *there = NULL;
        if (!conn_scalar(target, "SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = $1", 1, &name, &there, err))
            return false;
        if (!there) {
            char *shown = ident_display(NULL, name);
            buf_addf(names, "%s%s", names->len ? ", " : "", shown);
            free(shown);
        }
        free(there);
    }
    return true;
}
