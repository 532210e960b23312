#include "check/hba.h"

#include <string.h>
#include <stdlib.h>

#include "base/buf.h"
#include "pg/ident.h"

void hba_refusal_release(struct hba_refusal *refusal)
{
    free(refusal->address);
    free(refusal->user);
    free(refusal->database);
    *refusal = (struct hba_refusal)HBA_REFUSAL_INIT;
}

/* Names may have quotation marks in them: theirs ends where the sentence goes on. */
static const char *end_of_name(const char *name, const char *close)
{
    const char *end = name;

    while ((end = strstr(end, close)) && !strchr(",\n", end[strlen(close)])) /* also its end */
        end++;
    return end;
}

/* The next quoted word; *at moves behind it. Owned, NULL: none before the end of the line. */
static char *quoted(const char **at)
{
    static const struct { const char *open, *close; } marks[] = {{"\"", "\""}, {"\xc2\xab", "\xc2\xbb"}, {"\xe2\x80\x9e", "\xe2\x80\x9c"}};
    size_t line = strcspn(*at, "\n");

    for (size_t i = 0; i < line; i++)
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
            const char *start = *at + i + strlen(marks[k].open);
            if (strncmp(*at + i, marks[k].open, strlen(marks[k].open)) != 0)
                continue;
            const char *end = end_of_name(start, marks[k].close);
            if (!end)
                return NULL;
            *at = end + strlen(marks[k].close);
            return xstrndup(start, (size_t)(end - start));
        }
    return NULL;
}

/* Quoted, a name means nothing but itself; but for a slash in the beginning, which is a regular expression from 16 on. */
static bool fits_in_record(const char *name)
{
    return name && *name && *name != '/' && !strpbrk(name, "\r\n");
}

bool hba_refusal_parse(struct hba_refusal *refusal, const char *message)
{
    const char *at = message ? strstr(message, "pg_hba.conf") : NULL;
    size_t line = at ? strcspn(at, "\n") : 0;
    const char *plain = at ? strstr(at, "no encryption") : NULL, *off = at ? strstr(at, "SSL off") : NULL;

    hba_refusal_release(refusal);
    if (!at)
        return false;
    refusal->encrypted = !(plain && plain < at + line) && !(off && off < at + line);
    refusal->address = quoted(&at);
    refusal->user = quoted(&at);
    refusal->database = quoted(&at);
    if (refusal->address && strcmp(refusal->address, "[local]") == 0) {
        free(refusal->address);
        refusal->address = NULL;
    } else if (!refusal->address || strspn(refusal->address, "0123456789abcdefABCDEF.:") != strlen(refusal->address)) {
        hba_refusal_release(refusal);
        return false;
    }
    return fits_in_record(refusal->user) && (!refusal->database || fits_in_record(refusal->database));
}

/* In this file names are quoted as in SQL. */
char *hba_record(const struct hba_refusal *refusal, const char *method)
{
    struct buf out = BUF_INIT;

    buf_addstr(&out, !refusal->address ? "local " : refusal->encrypted ? "hostssl " : "host ");
    if (refusal->database)
        ident_add(&out, refusal->database);
    else
        buf_addstr(&out, "replication");
    buf_addch(&out, ' ');
    ident_add(&out, refusal->user);
    if (refusal->address)
        buf_addf(&out, " %s/%d", refusal->address, strchr(refusal->address, ':') ? 128 : 32);
    buf_addf(&out, " %s", method);
    return buf_take(&out);
}

static bool is_record(const char *line, size_t len)
{
    size_t blank = strspn(line, " \t\r");

    return blank < len && line[blank] != '#';
}

size_t hba_first_place(const char *text, size_t *lines, bool *ended)
{
    size_t place = 0, start = 1; /* of the logical line */
    size_t ours = 0;             /* a line of ours that belongs to the record below */
    bool goes_on = false;

    *lines = 0;
    *ended = true;
    while (*text) {
        size_t len = strcspn(text, "\n");
        ++*lines;
        if (!goes_on)
            start = *lines;
        if (!place && is_record(text, len))
            place = ours && ours + 1 == start ? ours : start;
        if (strncmp(text, HBA_MARK, strlen(HBA_MARK)) == 0)
            ours = *lines;
        goes_on = len && text[len - 1 - (len > 1 && text[len - 1] == '\r')] == '\\';
        *ended = text[len] == '\n';
        text += len + *ended;
    }
    return place ? place : *lines + 1;
}

static bool line_is(const char *text, const char *line)
{
    size_t len = strlen(line);

    return strncmp(text, line, len) == 0 && (text[len] == '\n' || !text[len]);
}

size_t hba_find(const char *text, const char *first, const char *second)
{
    size_t number = 1;

    for (const char *end; *text; text = end + 1, number++) {
        end = strchr(text, '\n');
        if (!end)
            return 0;
        if (line_is(text, first) && line_is(end + 1, second))
            return number;
    }
    return 0;
}
