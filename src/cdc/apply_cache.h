/* The statements that an applier has prepared on its session: at most so many, the one unused the
 * longest goes first. Nothing here talks to the server. */
#ifndef PGC_CDC_APPLY_CACHE_H
#define PGC_CDC_APPLY_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/statements.h"

struct apply_statement {
    char name[24];
    struct statement_text text;
    struct statement_shape shape;
    uint64_t *set; /* owned: the shape's */
    bool prepared; /* the server was told of it */
    int in_flight; /* executions whose result was not read yet */
    struct apply_statement **list; /* the table's statements, the last used first */
    struct apply_statement *next;
    struct apply_statement *newer;
    struct apply_statement *older;
};

struct apply_cache {
    struct apply_statement *newest;
    struct apply_statement *oldest;
    size_t count;
    size_t max;
    uint64_t serial;
};

/* The statement of a table's map with this shape, made when there is none. Borrowed: it lives until it
 * is dropped. */
struct apply_statement *apply_cache_get(struct apply_cache *cache, struct apply_statement **list,
                                        const struct table_map *map,
                                        const struct statement_shape *shape);
/* What should be dropped because there are too many, or NULL. */
struct apply_statement *apply_cache_victim(struct apply_cache *cache);
void apply_cache_drop(struct apply_cache *cache, struct apply_statement *statement);

#endif
