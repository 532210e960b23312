/* How it works: each side's objects are gathered and sorted by name, then text; one walk over both finds what is not a pair. */
#include "schema/diff.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

struct item {
    char *name, *text; /* owned, until they become a difference's */
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

static bool on_object(void *arg, const struct script_object *object, enum schema_phase phase, struct err *err)
{
    struct side *side = arg;
    bool in_schema = strcmp(object->schema, "-") != 0;

    (void)phase;
    (void)err;
    if (!*object->statement)
        return true;
    side->items = xgrow(side->items, side->count, &side->cap, sizeof *side->items);
    side->items[side->count++] =
        (struct item){xasprintf("%s %s%s%s", object->type, in_schema ? object->schema : "", in_schema ? "." : "", object->name),
                      xstrdup(object->statement)};
    return true;
}

static int by_name(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->text, right->text);
}

static bool gather(const struct schema_dump *dump, struct side *side, struct err *err)
{
    struct schema_visitor visitor = {on_encoding, on_object, side};
    bool ok = schema_dump_visit(dump, &visitor, err);

    if (ok && side->count)
        qsort(side->items, side->count, sizeof *side->items, by_name);
    return ok;
}

static void side_release(struct side *side)
{
    for (size_t i = 0; i < side->count; i++) {
        free(side->items[i].name);
        free(side->items[i].text);
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

static void walk(struct side *a, struct side *b, struct schema_differences *d)
{
    size_t i = 0, k = 0;

    while (i < a->count || k < b->count) {
        struct item *first = i < a->count ? &a->items[i] : NULL, *second = k < b->count ? &b->items[k] : NULL;
        int order = !first ? 1 : !second ? -1 : strcmp(first->name, second->name);
        i += order <= 0;
        k += order >= 0;
        if (order == 0 && strcmp(first->text, second->text) == 0)
            d->same++;
        else
            add(d, order <= 0 ? first : NULL, order >= 0 ? second : NULL);
    }
}

bool schema_diff(const struct schema_dump *first, const struct schema_dump *second, struct schema_differences *differences,
                 struct err *err)
{
    struct side a = {0}, b = {0};
    bool ok = gather(first, &a, err) && gather(second, &b, err);

    if (ok)
        walk(&a, &b, differences);
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
