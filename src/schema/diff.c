/* How it works: each side's objects are gathered and sorted by name, then text; one walk over both finds what is not a pair. */
#include "schema/diff.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "sql/sql.h"

struct item {
    char *name, *text; /* owned, until they become a difference's */
    char *type, *schema, *own; /* owned: until it has its name */
};

struct side {
    struct item *items;
    size_t count, cap;
};

static void on_encoding(void *arg, const char *name)
{
    (void)arg;
    (void)name;
}

static void add_item(struct side *side, const char *type, const char *schema, const char *name, const char *text)
{
    side->items = xgrow(side->items, side->count, &side->cap, sizeof *side->items);
    side->items[side->count++] = (struct item){NULL, xstrdup(text), xstrdup(type), schema ? xstrdup(schema) : NULL, xstrdup(name)};
}

static bool on_object(void *arg, const struct script_object *object, enum schema_phase phase, struct err *err)
{
    (void)phase;
    (void)err;
    if (*object->statement)
        add_item(arg, object->type, strcmp(object->schema, "-") != 0 ? object->schema : NULL, object->name, object->statement);
    return true;
}

/* Names and texts with the names that things have on the second; what goes with a table is known when all are there. */
static void name_items(struct side *side, const struct schema_renames *renames)
{
    struct schema_renames all = SCHEMA_RENAMES_INIT;

    for (size_t i = 0; renames && i < renames->count; i++)
        schema_renames_add(&all, renames->items[i].from_schema, renames->items[i].from_name, renames->items[i].to_schema,
                           renames->items[i].to_name);
    for (size_t i = 0; all.count && i < side->count; i++)
        if (side->items[i].schema)
            schema_renames_follow(&all, side->items[i].type, side->items[i].schema, side->items[i].own, side->items[i].text);
    for (size_t i = 0; i < side->count; i++) {
        struct item *item = &side->items[i];
        struct buf name = BUF_INIT, text = BUF_INIT;
        buf_addf(&name, "%s ", item->type);
        if (item->schema)
            schema_renames_apply_name(&all, item->schema, item->own, &name);
        else
            buf_addstr(&name, item->own);
        item->name = buf_take(&name);
        if (!all.count)
            continue;
        schema_renames_apply(&all, item->text, &text);
        free(item->text);
        item->text = buf_take(&text);
    }
    schema_renames_release(&all);
}

static int by_name(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->text, right->text);
}

static void arrange(struct side *side, const struct schema_renames *renames)
{
    name_items(side, renames);
    if (side->count)
        qsort(side->items, side->count, sizeof *side->items, by_name);
}

static bool gather(const struct schema_dump *dump, struct side *side, const struct schema_renames *renames, struct err *err)
{
    struct schema_visitor visitor = {on_encoding, on_object, side};
    bool ok = schema_dump_visit(dump, &visitor, err);

    arrange(side, renames);
    return ok;
}

static void side_release(struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        free(side->items[i].name);
        free(side->items[i].text);
        free(side->items[i].type);
        free(side->items[i].schema);
        free(side->items[i].own);
    }
    free(side->items);
}

static char *taken(char **text)
{
    char *was = *text;

    *text = NULL;
    return was;
}

/* first or second NULL: only the other has it. */
static void add(struct schema_differences *d, struct item *first, struct item *second)
{
    d->items = xgrow(d->items, d->count, &d->cap, sizeof *d->items);
    d->items[d->count++] = (struct schema_difference){
        .kind = !second ? DIFFERENCE_MISSING : !first ? DIFFERENCE_EXTRA : DIFFERENCE_TEXT,
        .object = xstrdup(first ? first->name : second->name),
        .first = first ? taken(&first->text) : NULL,
        .second = second ? taken(&second->text) : NULL};
}

/* --- what two majors print in two ways --- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 128;
}

/* Without white space and parentheses, words that qualify others, and the older word for a trigger's function. */
static char *plain(const char *text)
{
    static const char old[] = "EXECUTE PROCEDURE", new[] = "EXECUTE FUNCTION";
    struct buf out = BUF_INIT;

    for (const char *at = text; *at;) {
        size_t len = 0;
        const char *end = *at == '"' ? strchr(at + 1, '"') : NULL;
        if (end)
            len = (size_t)(end + 1 - at);
        while (!end && is_word(at[len]))
            len++;
        if (strncmp(at, old, sizeof old - 1) == 0) {
            buf_addstr(&out, "EXECUTEFUNCTION");
            at += sizeof old - 1;
        } else if (strncmp(at, new, sizeof new - 1) == 0) {
            buf_addstr(&out, "EXECUTEFUNCTION");
            at += sizeof new - 1;
        } else if (len && at[len] == '.') {
            at += len + 1;
        } else if (len) {
            buf_add(&out, at, len);
            at += len;
        } else {
            if (!isspace((unsigned char)*at) && !strchr("()", *at))
                buf_addch(&out, *at);
            at++;
        }
    }
    buf_addstr(&out, "");
    return buf_take(&out);
}

/* Without the quotes of names that do not need them: versions differ in what is a keyword, and names that were put in have them. */
static char *unquoted(const char *text)
{
    struct buf out = BUF_INIT;

    for (const char *at = text; *at; at++) {
        size_t len = *at == '"' ? strspn(at + 1, "abcdefghijklmnopqrstuvwxyz_0123456789") : 0;
        if (len && at[len + 1] == '"' && !isdigit((unsigned char)at[1])) {
            buf_add(&out, at + 1, len);
            at += len + 1;
        } else {
            buf_addch(&out, *at);
        }
    }
    buf_addstr(&out, "");
    return buf_take(&out);
}

static bool is_same(const char *a, const char *b, bool two_majors)
{
    bool same = strcmp(a, b) == 0;

    if (!same) {
        char *left = unquoted(a), *right = unquoted(b);
        same = strcmp(left, right) == 0;
        free(left);
        free(right);
    }
    if (!same && two_majors) {
        char *left = plain(a), *right = plain(b);
        same = strcmp(left, right) == 0;
        free(left);
        free(right);
    }
    return same;
}

static void walk(struct side *a, struct side *b, bool two_majors, struct schema_differences *d)
{
    size_t i = 0, k = 0;

    while (i < a->count || k < b->count) {
        struct item *first = i < a->count ? &a->items[i] : NULL, *second = k < b->count ? &b->items[k] : NULL;
        int order = !first ? 1 : !second ? -1 : strcmp(first->name, second->name);
        i += order <= 0;
        k += order >= 0;
        if (order == 0 && is_same(first->text, second->text, two_majors))
            d->same++;
        else
            add(d, order <= 0 ? first : NULL, order >= 0 ? second : NULL);
    }
}

static bool are_two_majors(const struct conn *a, const struct conn *b)
{
    return a->version / 100 != b->version / 100 && (a->version < 100000 || b->version < 100000 || a->version / 10000 != b->version / 10000);
}

bool schema_diff(const struct schema_dump *first, const struct schema_dump *second, const struct schema_renames *renames,
                 struct schema_differences *differences, struct err *err)
{
    struct side a = {0}, b = {0};
    bool ok = gather(first, &a, renames, err) && gather(second, &b, NULL, err);

    if (ok)
        walk(&a, &b, are_two_majors(first->source, second->source), differences);
    side_release(&a);
    side_release(&b);
    return ok;
}

static bool gather_catalog(struct conn *c, struct side *side, const struct schema_renames *renames, struct err *err)
{
    PGresult *res = conn_command(c, "SET search_path = ''", err) ? conn_exec(c, sql_schema_objects, err) : NULL;

    for (int i = 0; res && i < PQntuples(res); i++)
        add_item(side, PQgetvalue(res, i, 0), PQgetisnull(res, i, 1) ? NULL : PQgetvalue(res, i, 1), PQgetvalue(res, i, 2),
                 PQgetvalue(res, i, 3));
    arrange(side, renames);
    PQclear(res);
    return res != NULL;
}

bool schema_diff_catalogs(struct conn *first, struct conn *second, const struct schema_renames *renames,
                          struct schema_differences *differences, struct err *err)
{
    struct side a = {0}, b = {0};
    bool ok = gather_catalog(first, &a, renames, err) && gather_catalog(second, &b, NULL, err);

    if (ok)
        walk(&a, &b, are_two_majors(first, second), differences);
    side_release(&a);
    side_release(&b);
    return ok;
}

void schema_differences_release(struct schema_differences *differences)
{
    for (size_t i = 0; i < differences->count; i++) {
        free(differences->items[i].object);
        free(differences->items[i].first);
        free(differences->items[i].second);
    }
    free(differences->items);
    *differences = (struct schema_differences)SCHEMA_DIFFERENCES_INIT;
}
