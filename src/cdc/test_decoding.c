/* How it works: a cursor over the line that only moves forward, as in decode.c. The first thing that does
 * not fit records why, and all later steps do nothing.
 *
 *   BEGIN 693
 *   COMMIT 693 (at 2016-05-12 20:12:01.5+00)
 *   table public."T a": INSERT: id[integer]:1 "x y"[character varying]:'it''s' n[numeric]:null
 *   table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 big[text]:unchanged-toast-datum
 *   table public.t: DELETE: id[integer]:2                 (or: (no-tuple-data))
 *   message: transactional: 1 prefix: p, sz: 3 content:abc
 *
 * Numbers stand bare, bit strings as B'...', booleans as true and false, all else as '...' with quotes
 * doubled and nothing else escaped. Names are quoted as quote_identifier() does it; a type's own brackets
 * come in pairs ("integer[]"), and inside its quotes anything may stand. */
#include "cdc/test_decoding.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct cursor {
    char *at;
    char *end;
    const char *bad; /* why the line is not understood; NULL: fine so far */
};

static void *fail(struct cursor *cur, const char *why)
{
    if (!cur->bad)
        cur->bad = why;
    return NULL;
}

static bool at_end(const struct cursor *cur)
{
    return cur->bad || cur->at == cur->end;
}

/* The next byte, '\0' at the end. */
static char peek(const struct cursor *cur)
{
    return at_end(cur) ? '\0' : *cur->at;
}

static bool accept(struct cursor *cur, const char *words)
{
    size_t len = strlen(words);

    if (cur->bad || (size_t)(cur->end - cur->at) < len || memcmp(cur->at, words, len) != 0)
        return false;
    cur->at += len;
    return true;
}

static void expect(struct cursor *cur, const char *words, const char *why)
{
    if (!accept(cur, words))
        fail(cur, why);
}

/* --- quoted and bare words --- */

/* What stands between two of `quote`, doubled ones made single; *len its length. The NUL takes the place
 * of the closing one, or of what became free before it. */
static char *take_quoted(struct cursor *cur, char quote, size_t *len)
{
    char *from = cur->at + 1;
    char *to = from;

    if (peek(cur) != quote)
        return fail(cur, "a quote was expected");
    for (cur->at++; cur->at < cur->end; *to++ = *cur->at++) {
        if (*cur->at != quote)
            continue;
        if (cur->at + 1 == cur->end || cur->at[1] != quote) {
            cur->at++;
            *to = '\0';
            *len = (size_t)(to - from);
            return from;
        }
        cur->at++;
    }
    return fail(cur, "a quote is not closed");
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* An identifier and the byte behind it, which must be `follows`: the NUL goes there. */
static char *take_name(struct cursor *cur, char follows)
{
    char *name = cur->at;
    size_t len = 0;

    if (peek(cur) == '"') {
        name = take_quoted(cur, '"', &len);
    } else {
        while (is_bare(peek(cur)))
            cur->at++;
        len = (size_t)(cur->at - name);
    }
    if (cur->bad)
        return NULL;
    if (!len || peek(cur) != follows)
        return fail(cur, "a name was expected");
    *cur->at++ = '\0';
    return name;
}

/* A type, up to the bracket that closes it. Its quotes stay. */
static char *take_type(struct cursor *cur)
{
    char *type = cur->at;
    bool quoted = false;
    int depth = 0;

    for (; !at_end(cur); cur->at++) {
        char c = *cur->at;
        if (c == '"')
            quoted = !quoted; /* a doubled one twice: the same as none */
        else if (!quoted && c == '[')
            depth++;
        else if (!quoted && c == ']' && depth-- == 0)
            break;
    }
    if (at_end(cur) || cur->at == type)
        return fail(cur, "a type was expected");
    *cur->at++ = '\0';
    return type;
}

static uint32_t take_number(struct cursor *cur)
{
    uint64_t number = 0;
    char *from = cur->at;

    while (peek(cur) >= '0' && peek(cur) <= '9' && number <= UINT32_MAX)
        number = number * 10 + (uint64_t)(*cur->at++ - '0');
    if (cur->at == from || number > UINT32_MAX)
        fail(cur, "a number was expected");
    return (uint32_t)number;
}

/* --- rows --- */

/* Digits, signs, a point, an exponent; NaN, Infinity. */
static bool is_number(const char *word, size_t len)
{
    static const char *const names[] = {"NaN", "Infinity", "-Infinity"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == len && memcmp(word, names[i], len) == 0)
            return true;
    for (size_t i = 0; i < len; i++)
        if (!strchr("0123456789+-.e", word[i]) || !word[i])
            return false;
    return len > 0;
}

static bool word_is(const char *word, size_t len, const char *is)
{
    return strlen(is) == len && memcmp(word, is, len) == 0;
}

/* Booleans are given as the server's own text has them: t and f. */
static void take_bare(struct cursor *cur, struct value *value)
{
    char *word = cur->at;

    while (!at_end(cur) && *cur->at != ' ')
        cur->at++;
    size_t len = (size_t)(cur->at - word);
    if (word_is(word, len, "null"))
        return;
    if (word_is(word, len, "unchanged-toast-datum")) {
        value->kind = VALUE_UNCHANGED;
        return;
    }
    bool boolean = word_is(word, len, "true") || word_is(word, len, "false");
    if (!boolean && !is_number(word, len)) {
        fail(cur, "a value of unknown form");
        return;
    }
    *value = (struct value){.kind = VALUE_TEXT, .data = word, .len = boolean ? 1 : (uint32_t)len};
}

static void take_value(struct cursor *cur, struct value *value)
{
    size_t len = 0;

    *value = (struct value){.kind = VALUE_NULL};
    if (peek(cur) == 'B')
        cur->at++;
    else if (peek(cur) != '\'') {
        take_bare(cur, value);
        return;
    }
    char *data = take_quoted(cur, '\'', &len);
    if (data)
        *value = (struct value){.kind = VALUE_TEXT, .data = data, .len = (uint32_t)len};
}

/* A value's NUL has to wait until the blank behind it was read; behind the last one is a free byte. */
static void end_value(struct cursor *cur, struct value *value)
{
    if (cur->bad)
        return;
    if (cur->at < cur->end && *cur->at != ' ')
        fail(cur, "a blank was expected behind a value");
    else if (value->kind == VALUE_TEXT && cur->at == value->data + value->len)
        *cur->at = '\0';
    else if (value->kind == VALUE_TEXT)
        value->data[value->len] = '\0';
}

static void take_row(struct cursor *cur, struct text_row *row, const char *until)
{
    row->count = 0;
    while (!at_end(cur)) {
        struct text_column column = {0};
        /* The blank may be a NUL by now. */
        char *blank = cur->at++;
        if (row->count == 0 && *blank != ' ')
            fail(cur, "a column was expected");
        if (until && accept(cur, until))
            return;
        column.name = take_name(cur, '[');
        column.type = take_type(cur);
        expect(cur, ":", "a value was expected");
        take_value(cur, &column.value);
        end_value(cur, &column.value);
        if (cur->bad)
            return;
        row->columns = xgrow(row->columns, row->count, &row->cap, sizeof *row->columns);
        row->columns[row->count++] = column;
    }
    if (until)
        fail(cur, "a new row was expected");
}

static void drop_hidden_oid(struct text_row *row)
{
    if (!row->count || strcmp(row->columns[0].name, "oid") != 0 ||
        strcmp(row->columns[0].type, "oid") != 0)
        return;
    row->count--;
    memmove(row->columns, row->columns + 1, row->count * sizeof *row->columns);
}

/* --- lines --- */

static void take_new_row(struct cursor *cur, struct text_change *change)
{
    change->has_new = !accept(cur, " (no-tuple-data)");
    if (change->has_new)
        take_row(cur, &change->new_row, NULL);
}

static void parse_table(struct cursor *cur, struct text_change *change)
{
    change->schema = take_name(cur, '.');
    change->table = take_name(cur, ':');
    if (accept(cur, " INSERT:")) {
        change->kind = TEXT_INSERT;
        take_new_row(cur, change);
    } else if (accept(cur, " UPDATE:")) {
        change->kind = TEXT_UPDATE;
        change->has_old = accept(cur, " old-key:");
        if (change->has_old)
            take_row(cur, &change->old_row, "new-tuple:");
        take_new_row(cur, change);
    } else if (accept(cur, " DELETE:")) {
        change->kind = TEXT_DELETE;
        change->has_old = !accept(cur, " (no-tuple-data)");
        if (change->has_old)
            take_row(cur, &change->old_row, NULL);
    } else {
        fail(cur, "an action that is not known");
    }
    drop_hidden_oid(&change->old_row);
    drop_hidden_oid(&change->new_row);
}

static int take_digits(struct cursor *cur, int count)
{
    int number = 0;

    for (; count > 0; count--) {
        char c = peek(cur);
        if (c < '0' || c > '9') {
            fail(cur, "a time was expected");
            return 0;
        }
        number = number * 10 + (c - '0');
        cur->at++;
    }
    return number;
}

/* Days since 1970-01-01 in the Gregorian calendar. */
static int64_t days_from(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = y / 400;
    int of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t take_fraction_us(struct cursor *cur)
{
    int64_t us = 0;
    int64_t unit = 100000;

    if (!accept(cur, "."))
        return 0;
    for (; peek(cur) >= '0' && peek(cur) <= '9'; cur->at++, unit /= 10)
        us += unit * (*cur->at - '0');
    return us;
}

/* "+00", "-03:30", "+05:53:28" */
static int64_t take_zone_s(struct cursor *cur)
{
    char sign = peek(cur);

    if (sign != '+' && sign != '-') {
        fail(cur, "a time zone was expected");
        return 0;
    }
    cur->at++;
    int64_t zone = take_digits(cur, 2) * 3600;
    if (accept(cur, ":"))
        zone += take_digits(cur, 2) * 60;
    if (accept(cur, ":"))
        zone += take_digits(cur, 2);
    return sign == '-' ? -zone : zone;
}

/* As timestamptz_to_str() writes it: always ISO, in the session's time zone. */
static int64_t take_time_us(struct cursor *cur)
{
    int year = take_digits(cur, 4);
    expect(cur, "-", "a date was expected");
    int month = take_digits(cur, 2);
    expect(cur, "-", "a date was expected");
    int day = take_digits(cur, 2);
    expect(cur, " ", "a time was expected");
    int64_t s = take_digits(cur, 2) * 3600;
    expect(cur, ":", "a time was expected");
    s += take_digits(cur, 2) * 60;
    expect(cur, ":", "a time was expected");
    s += take_digits(cur, 2);
    int64_t us = take_fraction_us(cur);
    s -= take_zone_s(cur);
    return cur->bad ? 0 : (days_from(year, month, day) * 86400 + s) * 1000000 + us;
}

static void parse_commit(struct cursor *cur, struct text_change *change)
{
    change->kind = TEXT_COMMIT;
    change->xid = take_number(cur);
    expect(cur, " (at ", "the time of the commit was expected");
    change->commit_us = take_time_us(cur);
    expect(cur, ")", "the end of the time was expected");
}

static void parse(struct cursor *cur, struct text_change *change)
{
    if (accept(cur, "table ")) {
        parse_table(cur, change);
    } else if (accept(cur, "BEGIN ")) {
        change->kind = TEXT_BEGIN;
        change->xid = take_number(cur);
    } else if (accept(cur, "COMMIT ")) {
        parse_commit(cur, change);
    } else if (accept(cur, "message: transactional: ")) {
        change->kind = TEXT_MESSAGE;
        cur->at = cur->end;
    } else {
        fail(cur, "it is of no known kind");
    }
}

static void text_change_clear(struct text_change *change)
{
    struct text_change kept = *change;

    *change = (struct text_change)TEXT_CHANGE_INIT;
    change->old_row = (struct text_row){kept.old_row.columns, 0, kept.old_row.cap};
    change->new_row = (struct text_row){kept.new_row.columns, 0, kept.new_row.cap};
}

bool test_decoding_parse(char *text, size_t len, struct text_change *change, struct err *err)
{
    struct cursor cur = {.at = text, .end = text + len};

    text_change_clear(change);
    parse(&cur, change);
    if (!at_end(&cur))
        fail(&cur, "text is left over");
    if (cur.bad) {
        err_set(err, ERR_PROTOCOL, "text of test_decoding that is not understood, %zu bytes: %s at byte %zu",
                len, cur.bad, (size_t)(cur.at - text));
        return false;
    }
    return true;
}

void text_change_release(struct text_change *change)
{
    free(change->old_row.columns);
    free(change->new_row.columns);
    *change = (struct text_change)TEXT_CHANGE_INIT;
}
