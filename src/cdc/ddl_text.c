/* What the texts of the server say: defaults, and the command itself. */
#include "cdc/ddl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pg/token.h"

static const char *skip_literal(const char *at)
{
    for (at++; *at; at++) {
        if (*at == '\'' && at[1] == '\'')
            at++;
        else if (*at == '\'')
            return at + 1;
    }
    return at;
}

static bool is_number(const char *at)
{
    at += *at == '-';
    at += strspn(at, "0123456789");
    at += *at == '.';
    at += strspn(at, "0123456789");
    return !*at;
}

/* One cast to a type's name, as the server writes it. */
static bool is_cast(const char *at)
{
    if (!*at)
        return true;
    if (strncmp(at, "::", 2) != 0)
        return false;
    for (at += 2; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(" _.,()[]\"", *at))
            return false;
    return true;
}

bool ddl_is_constant(const char *expression)
{
    static const char *const words[] = {"true", "false", "NULL"};
    char *copy;
    bool is = false;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(expression, words[i], strlen(words[i])) == 0 &&
            is_cast(expression + strlen(words[i])))
            return true;
    if (*expression == '\'' && !strchr(expression, '\\'))
        return is_cast(skip_literal(expression));
    /* (-1), '-1'::integer and 1 are what is left */
    copy = xstrdup(expression + (*expression == '('));
    if (*expression == '(' && *copy && copy[strlen(copy) - 1] == ')')
        copy[strlen(copy) - 1] = '\0';
    is = *copy && strcmp(copy, "-") != 0 && is_number(copy);
    free(copy);
    return is;
}

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_' || ((unsigned char)ch & 0x80);
}

/* The next word, upper case and shortened, or one other character; "" at the end. Strings, quoted names and
 * dollar quotes count as one "'". */
static const char *next_token(const char *at, char token[16])
{
    size_t n = 0;

    at = token_skip_blank(at);
    memset(token, 0, 16);
    if (*at == '\'' || *at == '"') {
        const char quote = *at;
        token[0] = '\'';
        at += strcspn(at + 1, quote == '"' ? "\"" : "'") + 1;
        return *at ? at + 1 : at;
    }
    if (!is_word(*at)) {
        token[0] = *at;
        return *at ? at + 1 : at;
    }
    for (; is_word(*at); at++)
        if (n < 15)
            token[n++] = (char)toupper((unsigned char)*at);
    return at;
}

bool ddl_is_plain_alter(const char *query)
{
    char token[16];
    const char *at = query ? next_token(query, token) : "";
    bool ended = false;

    if (!query || strcmp(token, "ALTER") != 0)
        return false;
    at = next_token(at, token);
    if (strcmp(token, "TABLE") != 0)
        return false;
    for (at = next_token(at, token); *token; at = next_token(at, token)) {
        /* A dollar could begin a quotation, a backslash end a string elsewhere than here. */
        if (ended || strcmp(token, "USING") == 0 || *token == '$' || *token == '\\')
            return false;
        ended = *token == ';';
    }
    return !strchr(query, '\\');
}
