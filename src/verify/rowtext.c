#include "verify/rowtext.h"

#include <string.h>

#include "pg/ident.h"

/* Types whose text differs between versions even under the same settings. Floats: 17 digits with
 * extra_float_digits 3 up to 11, the shortest exact form from 12 on (release notes of 12), and with them
 * what is made of floats. "char": bytes above 127 in octal from 16 on. */
struct changed_type {
    const char *name;
    const char *send;
    bool has_nan; /* by itself: its sign and payload mean nothing and do not survive text */
    int version;  /* the first with the new text */
};

static const struct changed_type changed_types[] = {
    {"float4", "float4send", true, 120000}, {"float8", "float8send", true, 120000},
    {"point", "point_send", false, 120000}, {"lseg", "lseg_send", false, 120000},
    {"line", "line_send", false, 120000},   {"box", "box_send", false, 120000},
    {"path", "path_send", false, 120000},   {"polygon", "poly_send", false, 120000},
    {"circle", "circle_send", false, 120000}, {"char", "charsend", false, 160000},
};

static const struct changed_type *changed_type(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof changed_types / sizeof *changed_types; i++)
        if (strlen(changed_types[i].name) == len && strncmp(changed_types[i].name, name, len) == 0)
            return &changed_types[i];
    return NULL;
}

static bool text_differs(const char *name, size_t len, int a, int b)
{
    const struct changed_type *type = changed_type(name, len);

    return type && (a < type->version) != (b < type->version);
}

static bool any_differs(const char *names, int a, int b)
{
    while (*names) {
        size_t len = strcspn(names, ",");
        if (text_differs(names, len, a, b))
            return true;
        names += len + (names[len] == ',');
    }
    return false;
}

enum rowtext_form rowtext_form(const struct verify_column *column, int source_version,
                               int target_version)
{
    if (strcmp(column->base, "bytea") == 0)
        return ROWTEXT_DIGEST;
    if (!any_differs(column->inside, source_version, target_version))
        return ROWTEXT_PLAIN;
    if (text_differs(column->base, strlen(column->base), source_version, target_version))
        return ROWTEXT_SEND;
    if (text_differs(column->element, strlen(column->element), source_version, target_version))
        return ROWTEXT_ARRAY;
    return column->is_range ? ROWTEXT_RANGE : ROWTEXT_NONE;
}

static void add_sent(struct buf *out, const char *value, const struct changed_type *type)
{
    if (type->has_nan)
        buf_addf(out, "CASE WHEN %s = 'NaN' THEN 'NaN' ELSE ", value);
    buf_addf(out, "pg_catalog.encode(pg_catalog.%s(%s), 'hex')", type->send, value);
    if (type->has_nan)
        buf_addstr(out, " END");
}

/* Elements in order, their NULLs, and the dimensions. */
static void add_array(struct buf *out, const char *value, const struct changed_type *type)
{
    buf_addf(out, "CASE WHEN %s IS NOT NULL THEN pg_catalog.concat(pg_catalog.array_dims(%s), "
                  "(SELECT pg_catalog.string_agg(coalesce(", value, value);
    add_sent(out, "u.e", type);
    buf_addf(out, ", '-'), ',' ORDER BY u.o) FROM pg_catalog.unnest(%s) WITH ORDINALITY AS u (e, o))) END",
             value);
}

void rowtext_add_column(struct buf *out, const struct verify_column *column, enum rowtext_form form)
{
    struct buf value = BUF_INIT;

    ident_add(&value, column->name);
    switch (form) {
    case ROWTEXT_PLAIN:
        buf_addstr(out, value.data);
        break;
    case ROWTEXT_DIGEST:
        buf_addf(out, "pg_catalog.md5(%s::pg_catalog.bytea)", value.data);
        break;
    case ROWTEXT_SEND:
        add_sent(out, value.data, changed_type(column->base, strlen(column->base)));
        break;
    case ROWTEXT_ARRAY:
        add_array(out, value.data, changed_type(column->element, strlen(column->element)));
        break;
    case ROWTEXT_RANGE:
        buf_addf(out, "pg_catalog.encode(pg_catalog.range_send(%s), 'hex')", value.data);
        break;
    case ROWTEXT_NONE:
        break;
    }
    buf_release(&value);
}

void rowtext_add(struct buf *out, const struct verify_column *columns, const enum rowtext_form *forms,
                 size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (forms[i] == ROWTEXT_NONE)
            continue;
        buf_addstr(out, n++ ? ", " : "ROW(");
        rowtext_add_column(out, &columns[i], forms[i]);
    }
    buf_addstr(out, n ? ")::pg_catalog.text" : "''::pg_catalog.text");
}
