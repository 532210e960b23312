#include "schema/lexer.h"

#include <string.h>

static bool is_name_byte(char ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
           ch == '_' || ch == '$' || (unsigned char)ch >= 0x80;
}

/* The length of "$tag$" at text, 0 when it is none: a tag is a name without $, maybe empty, that does
 * not start with a digit. */
static size_t dollar_tag(const char *text, size_t left)
{
    size_t n = 1;

    while (n < left && text[n] != '$' && is_name_byte(text[n]))
        n++;
    if (n >= left || text[n] != '$' || (text[1] >= '0' && text[1] <= '9'))
        return 0;
    return n + 1;
}

static bool is_escape_prefix(const char *line, size_t at)
{
    return at > 0 && (line[at - 1] == 'E' || line[at - 1] == 'e') &&
           (at == 1 || !is_name_byte(line[at - 2]));
}

/* In plain text at line[at]; returns how many bytes were taken. */
static size_t plain(struct lexer *lexer, const char *line, size_t len, size_t at, size_t *semicolon)
{
    char next = at + 1 < len ? line[at + 1] : '\0';
    size_t tag;

    switch (line[at]) {
    case '\'':
        lexer->state = is_escape_prefix(line, at) ? LEX_ESTRING : LEX_STRING;
        return 1;
    case '"':
        lexer->state = LEX_IDENT;
        return 1;
    case ';':
        *semicolon = at + 1;
        return 1;
    case '-':
        return next == '-' ? len - at : 1;
    case '/':
        if (next != '*')
            return 1;
        lexer->state = LEX_COMMENT;
        lexer->comment_depth = 1;
        return 2;
    case '$':
        tag = at == 0 || !is_name_byte(line[at - 1]) ? dollar_tag(line + at, len - at) : 0;
        if (!tag || tag >= sizeof lexer->tag)
            return 1;
        lexer->state = LEX_DOLLAR;
        memcpy(lexer->tag, line + at, tag);
        lexer->tag_len = tag;
        return tag;
    default:
        return 1;
    }
}

static size_t quoted(struct lexer *lexer, const char *line, size_t len, size_t at)
{
    char end = lexer->state == LEX_IDENT ? '"' : '\'';

    if (lexer->state == LEX_ESTRING && line[at] == '\\')
        return 2;
    if (line[at] != end)
        return 1;
    if (at + 1 < len && line[at + 1] == end)
        return 2;
    lexer->state = LEX_PLAIN;
    return 1;
}

static size_t comment(struct lexer *lexer, const char *line, size_t len, size_t at)
{
    char next = at + 1 < len ? line[at + 1] : '\0';

    if (line[at] == '/' && next == '*') {
        lexer->comment_depth++;
        return 2;
    }
    if (line[at] == '*' && next == '/') {
        if (--lexer->comment_depth == 0)
            lexer->state = LEX_PLAIN;
        return 2;
    }
    return 1;
}

static size_t dollar(struct lexer *lexer, const char *line, size_t len, size_t at)
{
    if (line[at] != '$' || len - at < lexer->tag_len ||
        memcmp(line + at, lexer->tag, lexer->tag_len) != 0)
        return 1;
    lexer->state = LEX_PLAIN;
    return lexer->tag_len;
}

void lexer_line(struct lexer *lexer, const char *line, size_t len, size_t *semicolon)
{
    size_t at = 0;

    *semicolon = 0;
    while (at < len) {
        switch (lexer->state) {
        case LEX_PLAIN:
            at += plain(lexer, line, len, at, semicolon);
            break;
        case LEX_STRING:
        case LEX_ESTRING:
        case LEX_IDENT:
            at += quoted(lexer, line, len, at);
            break;
        case LEX_COMMENT:
            at += comment(lexer, line, len, at);
            break;
        case LEX_DOLLAR:
            at += dollar(lexer, line, len, at);
            break;
        }
    }
}
