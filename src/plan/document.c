/* How it works: one pass over a private copy of the text checks it against the grammar and notes
 * the place of each value in reading order. On its way it overwrites with blanks what is not JSON
 * (comments, the comma before a closing bracket), so that no offset moves.
 * cJSON then reads the cleaned copy; a walk over its tree in the same order gives each item its
 * place. The copy may hold passwords and is wiped. */
#include "plan/document.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

#define NUMBER_MAX_BYTES 60 /* cJSON reads no longer ones */

struct scanner {
    char *text; /* NUL-terminated: a NUL is the end, check_utf8() refuses others */
    size_t pos;
    unsigned line, column;
    unsigned depth;
    struct place *places;
    size_t count, cap;
    const char *origin;
    struct err *err;
};

PGC_PRINTF(2, 3) static bool fail(struct scanner *s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *what = xvasprintf(fmt, args);
    va_end(args);
    err_set(s->err, ERR_USAGE, "%s:%u:%u: %s", s->origin, s->line, s->column, what);
    free(what);
    return false;
}

static char peek(const struct scanner *s)
{
    return s->text[s->pos];
}

static void advance(struct scanner *s)
{
    unsigned char ch = (unsigned char)s->text[s->pos++];

    if (ch == '\n') {
        s->line++;
        s->column = 1;
    } else if ((ch & 0xC0) != 0x80) {
        s->column++;
    }
}

/* Advances over a byte that cJSON must not see; line ends stay. */
static void blank(struct scanner *s)
{
    size_t at = s->pos;

    advance(s);
    if (s->text[at] != '\n' && s->text[at] != '\r')
        s->text[at] = ' ';
}

static bool skip_comment(struct scanner *s)
{
    unsigned line = s->line, column = s->column;
    bool block = s->text[s->pos + 1] == '*';

    blank(s);
    blank(s);
    while (peek(s) && !(block ? peek(s) == '*' && s->text[s->pos + 1] == '/' : peek(s) == '\n'))
        blank(s);
    if (!block)
        return true;
    if (!peek(s)) {
        s->line = line;
        s->column = column;
        return fail(s, "comment without an end");
    }
    blank(s);
    blank(s);
    return true;
}

static bool skip_blanks(struct scanner *s)
{
    for (;;) {
        char ch = peek(s);
        if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r')
            advance(s);
        else if (ch == '/' && (s->text[s->pos + 1] == '/' || s->text[s->pos + 1] == '*')) {
            if (!skip_comment(s))
                return false;
        } else {
            return true;
        }
    }
}

static bool expected(struct scanner *s, const char *what)
{
    char ch = peek(s);

    if (!ch)
        return fail(s, "expected %s, found the end of the text", what);
    if ((unsigned char)ch > 0x20 && (unsigned char)ch < 0x7F)
        return fail(s, "expected %s, found %c", what, ch);
    return fail(s, "expected %s", what);
}

static int hex4(const char *text)
{
    int value = 0;

    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return -1;
        int ch = tolower((unsigned char)text[i]);
        value = value * 16 + (isdigit(ch) ? ch - '0' : ch - 'a' + 10);
    }
    return value;
}

static void advance_by(struct scanner *s, int count)
{
    while (count-- > 0)
        advance(s);
}

/* At the u of \uXXXX: a character of its own or a surrogate pair. NUL would end the string early.
 */
static bool scan_unicode_escape(struct scanner *s)
{
    const char *at = s->text + s->pos;
    int code = hex4(at + 1);
    bool high = code >= 0xD800 && code <= 0xDBFF;

    if (code <= 0 || (code >= 0xDC00 && code <= 0xDFFF))
        return fail(s, "invalid \\u escape in a string");
    if (high) {
        int low = at[5] == '\\' && at[6] == 'u' ? hex4(at + 7) : -1;
        if (low < 0xDC00 || low > 0xDFFF)
            return fail(s, "invalid \\u escape in a string");
    }
    advance_by(s, high ? 11 : 5);
    return true;
}

static bool scan_escape(struct scanner *s)
{
    advance(s);
    if (peek(s) == 'u')
        return scan_unicode_escape(s);
    if (!peek(s) || !strchr("\"\\/bfnrt", peek(s)))
        return fail(s, "unknown escape in a string (a backslash is written \\\\)");
    advance(s);
    return true;
}

static bool scan_string(struct scanner *s)
{
    advance(s);
    while (peek(s) != '"') {
        if (!peek(s) || peek(s) == '\n')
            return fail(s, "string without an end");
        if ((unsigned char)peek(s) < 0x20)
            return fail(s, "control character in a string (a tab is written \\t)");
        if (peek(s) != '\\')
            advance(s);
        else if (!scan_escape(s))
            return false;
    }
    advance(s);
    return true;
}

static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

static bool scan_number(struct scanner *s)
{
    const char *start = s->text + s->pos;
    const char *at = start + (*start == '-');
    size_t whole = digits(at);
    bool ok = whole > 0 && (*at != '0' || whole == 1);

    at += whole;
    if (ok && *at == '.') {
        ok = digits(at + 1) > 0;
        at += 1 + digits(at + 1);
    }
    if (ok && (*at == 'e' || *at == 'E')) {
        at += 1 + (at[1] == '+' || at[1] == '-');
        ok = digits(at) > 0;
        at += digits(at);
    }
    if (!ok || at - start > NUMBER_MAX_BYTES)
        return fail(s, "invalid number");
    advance_by(s, (int)(at - start));
    return true;
}

static bool scan_literal(struct scanner *s)
{
    static const char *const literals[] = {"true", "false", "null"};
    const char *at = s->text + s->pos;
    size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

    for (size_t i = 0; i < 3; i++) {
        if (strlen(literals[i]) == len && strncmp(at, literals[i], len) == 0) {
            advance_by(s, (int)len);
            return true;
        }
    }
    if (len) /* not repeated: it may be a password without its quotes */
        return fail(s, "expected a value (strings stand in double quotes)");
    return expected(s, "a value");
}

/* The comma between two values, or the end of the list; a comma that nothing follows is blanked. */
static bool scan_separator(struct scanner *s, char close, bool *more)
{
    if (!skip_blanks(s))
        return false;
    if (peek(s) != ',') {
        *more = false;
        if (peek(s) != close)
            return expected(s, close == '}' ? "\",\" or \"}\"" : "\",\" or \"]\"");
        return true;
    }
    size_t comma = s->pos;
    advance(s);
    if (!skip_blanks(s))
        return false;
    *more = peek(s) != close;
    if (!*more)
        s->text[comma] = ' ';
    return true;
}

static bool scan_value(struct scanner *s, const struct place *key);

static bool scan_member(struct scanner *s)
{
    struct place key = {.key_line = s->line, .key_column = s->column};

    if (peek(s) != '"')
        return expected(s, "a key in double quotes");
    if (!scan_string(s) || !skip_blanks(s))
        return false;
    if (peek(s) != ':')
        return expected(s, "\":\"");
    advance(s);
    return skip_blanks(s) && scan_value(s, &key);
}

static bool scan_members(struct scanner *s, char close)
{
    static const struct place no_key;
    bool more;

    if (++s->depth > DOCUMENT_MAX_DEPTH)
        return fail(s, "nested deeper than %d levels", DOCUMENT_MAX_DEPTH);
    advance(s);
    if (!skip_blanks(s))
        return false;
    for (more = peek(s) != close; more;)
        if (!(close == '}' ? scan_member(s) : scan_value(s, &no_key)) ||
            !scan_separator(s, close, &more))
            return false;
    advance(s);
    s->depth--;
    return true;
}

static bool scan_value(struct scanner *s, const struct place *key)
{
    char ch = peek(s);

    s->places = xgrow(s->places, s->count, &s->cap, sizeof *s->places);
    s->places[s->count] = *key;
    s->places[s->count].line = s->line;
    s->places[s->count++].column = s->column;
    if (ch == '{')
        return scan_members(s, '}');
    if (ch == '[')
        return scan_members(s, ']');
    if (ch == '"')
        return scan_string(s);
    if (ch == '-' || isdigit((unsigned char)ch))
        return scan_number(s);
    return scan_literal(s);
}

/* Length of the UTF-8 character at text (RFC 3629), 0 for what is none. */
static size_t utf8_len(const unsigned char *text, size_t left)
{
    static const struct {
        unsigned char first, last, second_first, second_last;
        size_t len;
    } forms[] = {
        {0x01, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
        {0xE1, 0xEC, 0x80, 0xBF, 3}, {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last)
            continue;
        size_t len = forms[i].len;
        bool ok =
            len <= left &&
            (len == 1 || (text[1] >= forms[i].second_first && text[1] <= forms[i].second_last));
        for (size_t k = 2; ok && k < len; k++)
            ok = (text[k] & 0xC0) == 0x80;
        return ok ? len : 0;
    }
    return 0;
}

static bool check_utf8(struct scanner *s, size_t len)
{
    while (s->pos < len) {
        size_t step = utf8_len((const unsigned char *)s->text + s->pos, len - s->pos);
        if (!step)
            return fail(s, s->text[s->pos] ? "invalid UTF-8" : "NUL byte");
        advance_by(s, (int)step);
    }
    s->pos = 0;
    s->line = s->column = 1;
    return true;
}

static bool scan(struct scanner *s, size_t len)
{
    static const struct place no_key;

    if (!check_utf8(s, len) || !skip_blanks(s))
        return false;
    if (!peek(s))
        return fail(s, "no JSON in it");
    if (!scan_value(s, &no_key) || !skip_blanks(s))
        return false;
    return !peek(s) || expected(s, "the end of the text");
}

static void assign(const cJSON *item, struct place *places, size_t count, size_t *next)
{
    if (*next < count)
        places[*next].item = item;
    ++*next;
    for (const cJSON *child = item->child; child; child = child->next)
        assign(child, places, count, next);
}

static int by_item(const void *a, const void *b)
{
    uintptr_t left = (uintptr_t)((const struct place *)a)->item;
    uintptr_t right = (uintptr_t)((const struct place *)b)->item;

    return (left > right) - (left < right);
}

static bool build(struct document *document, const struct scanner *s)
{
    size_t seen = 0;

    document->root = cJSON_Parse(s->text);
    if (document->root)
        assign(document->root, s->places, s->count, &seen);
    if (seen != s->count) {
        err_set(s->err, ERR_INTERNAL, "%s: the JSON reader and the scanner do not agree",
                s->origin);
        return false;
    }
    qsort(s->places, s->count, sizeof *s->places, by_item);
    document->places = s->places;
    document->place_count = s->count;
    return true;
}

bool document_parse(struct document *document, const char *text, size_t len, const char *origin,
                    struct err *err)
{
    bool marked = len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0;

    if (marked)
        return document_parse(document, text + 3, len - 3, origin, err);
    struct scanner s = {
        .text = xmalloc(len + 1), .line = 1, .column = 1, .origin = origin, .err = err};
    *document = (struct document)DOCUMENT_INIT;
    memcpy(s.text, text, len);
    s.text[len] = '\0';
    bool ok = scan(&s, len) && build(document, &s);
    if (!ok) {
        free(s.places);
        document->places = NULL;
        document_release(document);
    }
    explicit_bzero(s.text, len);
    free(s.text);
    return ok;
}

cJSON *document_take(struct document *document)
{
    cJSON *root = document->root;

    document->root = NULL;
    return root;
}

void document_release(struct document *document)
{
    document_wipe(document->root);
    free(document->places);
    *document = (struct document)DOCUMENT_INIT;
}

const struct place *document_place(const struct document *document, const cJSON *item)
{
    struct place key = {.item = item};

    if (!document || !document->place_count)
        return NULL;
    return bsearch(&key, document->places, document->place_count, sizeof key, by_item);
}

static void wipe_strings(cJSON *item)
{
    if (item->valuestring)
        explicit_bzero(item->valuestring, strlen(item->valuestring));
    for (cJSON *child = item->child; child; child = child->next)
        wipe_strings(child);
}

void document_wipe(cJSON *item)
{
    if (!item)
        return;
    wipe_strings(item);
    cJSON_Delete(item);
}
