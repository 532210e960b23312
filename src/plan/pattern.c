/* How it works: names without a wildcard, the usual case and by the thousand, are kept sorted and
 * found by bisection; only real patterns are tried one by one. So a selection that lists each of
 * 100,000 tables is not looked through 100,000 times. */
#include "plan/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/ident.h"

struct pattern {
    char *schema;  /* owned; NULL: any */
    char *name;    /* owned */
    size_t number; /* position in the plan's list */
};

struct pattern_set {
    struct pattern *exact; /* sorted by by_name() */
    size_t exact_count;
    struct pattern *wild;
    size_t wild_count;
};

struct plan_index {
    struct pattern_set selected;
    struct pattern_set excluded;
    struct pattern_set mapped; /* exact only */
};

bool pattern_is_valid(const char *text)
{
    char *schema, *name;
    bool ok = ident_split(text, &schema, &name);

    free(schema);
    free(name);
    return ok;
}

bool column_is_valid(const char *text)
{
    char *schema, *name;
    bool ok = ident_split(text, &schema, &name) && !schema;

    free(schema);
    free(name);
    return ok;
}

bool table_is_qualified(const char *text)
{
    char *schema, *name;
    bool ok = ident_split(text, &schema, &name) && schema;
    bool quoted = false;

    for (const char *at = text; ok && *at; at++) {
        quoted ^= *at == '"';
        ok = quoted || *at != '*';
    }
    free(schema);
    free(name);
    return ok;
}

bool glob_matches(const char *glob, const char *text)
{
    const char *star = NULL, *retry = NULL;

    while (*text) {
        if (*glob == '*') {
            star = glob++;
            retry = text;
        } else if (*glob == *text) {
            glob++;
            text++;
        } else if (star) {
            glob = star + 1;
            text = ++retry;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return !*glob;
}

static int compare(const char *schema_a, const char *name_a, const struct pattern *b)
{
    int order = strcmp(name_a, b->name);

    return order ? order : strcmp(schema_a ? schema_a : "", b->schema ? b->schema : "");
}

static int by_name(const void *a, const void *b)
{
    const struct pattern *left = a;

    return compare(left->schema, left->name, b);
}

static void set_init(struct pattern_set *set, size_t count)
{
    set->exact = xcalloc(count + 1, sizeof *set->exact);
    set->wild = xcalloc(count + 1, sizeof *set->wild);
}

static void set_release(struct pattern_set *set)
{
    for (size_t i = 0; i < set->exact_count; i++) {
        free(set->exact[i].schema);
        free(set->exact[i].name);
    }
    for (size_t i = 0; i < set->wild_count; i++) {
        free(set->wild[i].schema);
        free(set->wild[i].name);
    }
    free(set->exact);
    free(set->wild);
}

static void set_sort(struct pattern_set *set)
{
    qsort(set->exact, set->exact_count, sizeof *set->exact, by_name);
}

static void set_fill(struct pattern_set *set, char *const *texts, size_t count)
{
    set_init(set, count);
    for (size_t i = 0; i < count; i++) {
        struct pattern pattern = {.number = i};
        if (!ident_split(texts[i], &pattern.schema, &pattern.name))
            continue;
        if (strchr(pattern.name, '*') || (pattern.schema && strchr(pattern.schema, '*')))
            set->wild[set->wild_count++] = pattern;
        else
            set->exact[set->exact_count++] = pattern;
    }
    set_sort(set);
}

struct plan_index *plan_index_new(const struct plan_database *database)
{
    struct plan_index *index = xcalloc(1, sizeof *index);

    set_fill(&index->selected, database->selected, database->selected_count);
    set_fill(&index->excluded, database->excluded, database->excluded_count);
    set_init(&index->mapped, database->mapping_count);
    for (size_t i = 0; i < database->mapping_count; i++) {
        const struct plan_mapping *mapping = &database->mappings[i];
        index->mapped.exact[index->mapped.exact_count++] = (struct pattern){
            .schema = xstrdup(mapping->schema), .name = xstrdup(mapping->name), .number = i};
    }
    set_sort(&index->mapped);
    return index;
}

void plan_index_free(struct plan_index *index)
{
    if (!index)
        return;
    set_release(&index->selected);
    set_release(&index->excluded);
    set_release(&index->mapped);
    free(index);
}

/* The first exact pattern that is not before schema.name. */
static size_t lower_bound(const struct pattern_set *set, const char *schema, const char *name)
{
    size_t low = 0, high = set->exact_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(schema, name, &set->exact[middle]) > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool find_exact(const struct pattern_set *set, const char *schema, const char *name,
                       bool *used)
{
    bool found = false;

    for (size_t i = lower_bound(set, schema, name);
         i < set->exact_count && compare(schema, name, &set->exact[i]) == 0; i++) {
        found = true;
        if (used)
            used[set->exact[i].number] = true;
    }
    return found;
}

static bool set_matches(const struct pattern_set *set, const char *schema, const char *name,
                        bool *used)
{
    bool found = find_exact(set, schema, name, used);

    found |= find_exact(set, NULL, name, used);
    for (size_t i = 0; i < set->wild_count; i++) {
        const struct pattern *pattern = &set->wild[i];
        if (!glob_matches(pattern->name, name) ||
            (pattern->schema && !glob_matches(pattern->schema, schema)))
            continue;
        found = true;
        if (used)
            used[pattern->number] = true;
    }
    return found;
}

bool plan_selects(const struct plan_database *database, const char *schema, const char *name,
                  bool *used)
{
    struct plan_index *own = database->index ? NULL : plan_index_new(database);
    const struct plan_index *index = own ? own : database->index;
    bool selected = set_matches(&index->selected, schema, name, used);

    if (!database->selected_count)
        selected = true;
    selected = selected && !set_matches(&index->excluded, schema, name, NULL);
    plan_index_free(own);
    return selected;
}

const struct plan_mapping *plan_mapping_for(const struct plan_database *database,
                                            const char *schema, const char *name)
{
    struct plan_index *own = database->index ? NULL : plan_index_new(database);
    const struct pattern_set *set = own ? &own->mapped : &database->index->mapped;
    size_t at = lower_bound(set, schema, name);
    const struct plan_mapping *found = NULL;

    if (at < set->exact_count && compare(schema, name, &set->exact[at]) == 0)
        found = &database->mappings[set->exact[at].number];
    plan_index_free(own);
    return found;
}
