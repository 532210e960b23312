#include "pg/token.h"

#include <stdbool.h>
#include <string.h>

#define BLANKS " \t\r\n\f\v"

static bool is_word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$' ||
           (unsigned char)c >= 0x80;
}

/* Up to behind the quote that ends it; a doubled one does not, nor, where escapes count, one behind a backslash. */
static size_t quoted_length(const char *text, char quote, bool escapes)
{
    size_t n = 1;

    for (; text[n]; n++) {
        if (escapes && text[n] == '\\' && text[n + 1])
            n++;
        else if (text[n] == quote && text[n + 1] == quote)
            n++;
        else if (text[n] == quote)
            return n + 1;
    }
    return n;
}

/* 1: it begins no quotation. */
static size_t dollar_length(const char *text)
{
    size_t tag = 1;

    while (is_word_char(text[tag]) && text[tag] != '$')
        tag++;
    if (text[tag] != '$' || (text[1] >= '0' && text[1] <= '9'))
        return 1;
    tag++;
    for (const char *at = text + tag; (at = strchr(at, '$')); at++)
        if (strncmp(at, text, tag) == 0)
            return (size_t)(at - text) + tag;
    return strlen(text);
}

/* They nest. */
static size_t comment_length(const char *text)
{
    size_t depth = 1, n = 2;

    if (*text == '-')
        return strcspn(text, "\n");
    while (text[n] && depth) {
        bool opens = text[n] == '/' && text[n + 1] == '*', closes = text[n] == '*' && text[n + 1] == '/';
        depth = depth + opens - closes;
        n += opens || closes ? 2 : 1;
    }
    return n;
}

static enum token string_or_other(const char *text, size_t *len)
{
    *len = *text == '$' ? dollar_length(text) : 1;
    return *len > 1 ? TOKEN_STRING : TOKEN_OTHER;
}

enum token token_next(const char *text, size_t *len)
{
    bool escapes = (*text == 'E' || *text == 'e') && text[1] == '\'';

    *len = 0;
    if (!*text)
        return TOKEN_END;
    if (strchr(BLANKS, *text)) {
        *len = strspn(text, BLANKS);
        return TOKEN_BLANK;
    }
    if (strncmp(text, "--", 2) == 0 || strncmp(text, "/*", 2) == 0) {
        *len = comment_length(text);
        return TOKEN_BLANK;
    }
    if (*text == '"') {
        *len = quoted_length(text, '"', false);
        return TOKEN_NAME;
    }
    if (*text == '\'' || escapes) {
        *len = escapes + quoted_length(text + escapes, '\'', escapes);
        return TOKEN_STRING;
    }
    if (*text == '$' || !is_word_char(*text))
        return string_or_other(text, len);
    while (is_word_char(text[*len]))
        ++*len;
    return TOKEN_WORD;
}

const char *token_skip_blank(const char *text)
{
    size_t len;

    while (token_next(text, &len) == TOKEN_BLANK)
        text += len;
    return text;
}
