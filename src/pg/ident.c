#include "pg/ident.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void ident_add(struct buf *out, const char *name)
{
    buf_addch(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_addch(out, '"');
        buf_addch(out, *name);
    }
    buf_addch(out, '"');
}

void ident_add_qualified(struct buf *out, const char *schema, const char *name)
{
    ident_add(out, schema);
    buf_addch(out, '.');
    ident_add(out, name);
}

char *ident_qualified(const char *schema, const char *name)
{
    struct buf out = BUF_INIT;

    ident_add_qualified(&out, schema, name);
    return buf_take(&out);
}

void array_add(struct buf *out, const char *value)
{
    buf_addch(out, out->len ? ',' : '{');
    buf_addch(out, '"');
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            buf_addch(out, '\\');
        buf_addch(out, *value);
    }
    buf_addch(out, '"');
}

const char *array_end(struct buf *out)
{
    buf_addstr(out, out->len ? "}" : "{}");
    return out->data;
}

static bool is_plain(const char *name)
{
    if (!*name || isdigit((unsigned char)*name))
        return false;
    for (; *name; name++) {
        unsigned char ch = (unsigned char)*name;
        if (ch < 0x80 && !islower(ch) && !isdigit(ch) && ch != '_')
            return false;
    }
    return true;
}

static void display_add(struct buf *out, const char *name)
{
    if (is_plain(name))
        buf_addstr(out, name);
    else
        ident_add(out, name);
}

char *ident_display(const char *schema, const char *name)
{
    struct buf out = BUF_INIT;

    if (schema) {
        display_add(&out, schema);
        buf_addch(&out, '.');
    }
    display_add(&out, name);
    return buf_take(&out);
}

void literal_add(struct buf *out, const char *text)
{
    if (strchr(text, '\\'))
        buf_addstr(out, " E");
    buf_addch(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\')
            buf_addch(out, *text);
        buf_addch(out, *text);
    }
    buf_addch(out, '\'');
}

static bool split_part(const char **at, struct buf *part)
{
    const char *p = *at;

    if (*p == '"') {
        for (p++; *p && !(*p == '"' && p[1] != '"'); p++) {
            if (*p == '"')
                p++;
            buf_addch(part, *p);
        }
        if (*p++ != '"')
            return false;
    } else {
        for (; *p && *p != '.' && *p != '"'; p++)
            buf_addch(part, (unsigned char)*p < 0x80 ? (char)tolower((unsigned char)*p) : *p);
    }
    *at = p;
    return part->len > 0;
}

bool ident_split(const char *text, char **schema, char **name)
{
    struct buf first = BUF_INIT;
    struct buf second = BUF_INIT;
    bool ok = split_part(&text, &first);

    *schema = *name = NULL;
    if (ok && *text == '.') {
        text++;
        ok = split_part(&text, &second);
    }
    ok = ok && !*text;
    if (ok && second.len) {
        *schema = buf_take(&first);
        *name = buf_take(&second);
    } else if (ok) {
        *name = buf_take(&first);
    }
    buf_release(&first);
    buf_release(&second);
    return ok;
}
