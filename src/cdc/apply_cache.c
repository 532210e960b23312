#include "cdc/apply_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static void unlink_used(struct apply_cache *cache, struct apply_statement *statement)
{
    *(statement->newer ? &statement->newer->older : &cache->newest) = statement->older;
    *(statement->older ? &statement->older->newer : &cache->oldest) = statement->newer;
}

static void link_newest(struct apply_cache *cache, struct apply_statement *statement)
{
    statement->newer = NULL;
    statement->older = cache->newest;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = statement;
    cache->newest = statement;
}

static struct apply_statement **place_in_list(struct apply_statement *statement)
{
    struct apply_statement **place = statement->list;

    while (*place != statement)
        place = &(*place)->next;
    return place;
}

static struct apply_statement *make(struct apply_cache *cache, struct apply_statement **list,
                                    const struct table_map *map,
                                    const struct statement_shape *shape)
{
    struct apply_statement *statement = xcalloc(1, sizeof *statement);
    size_t bytes = COLUMN_SET_WORDS(map->source->column_count) * sizeof *shape->set;

    snprintf(statement->name, sizeof statement->name, "pgc%" PRIu64, ++cache->serial);
    statement->shape = *shape;
    if (shape->kind == CHANGE_UPDATE) {
        statement->set = xmalloc(bytes);
        memcpy(statement->set, shape->set, bytes);
    }
    statement->shape.set = statement->set;
    statement_build(map, shape, &statement->text);
    statement->list = list;
    statement->next = *list;
    *list = statement;
    link_newest(cache, statement);
    cache->count++;
    return statement;
}

static bool has_shape(const struct apply_statement *statement, const struct statement_shape *shape,
                      size_t bytes)
{
    if (statement->shape.kind != shape->kind || statement->shape.arrays != shape->arrays)
        return false;
    return shape->kind != CHANGE_UPDATE || memcmp(statement->set, shape->set, bytes) == 0;
}

struct apply_statement *apply_cache_get(struct apply_cache *cache, struct apply_statement **list,
                                        const struct table_map *map,
                                        const struct statement_shape *shape)
{
    size_t bytes = COLUMN_SET_WORDS(map->source->column_count) * sizeof *shape->set;
    struct apply_statement **place = list;
    struct apply_statement *found;

    while ((found = *place) && !has_shape(found, shape, bytes))
        place = &found->next;
    if (!found)
        return make(cache, list, map, shape);
    if (found != *list) {
        *place = found->next;
        found->next = *list;
        *list = found;
    }
    if (found != cache->newest) {
        unlink_used(cache, found);
        link_newest(cache, found);
    }
    return found;
}

struct apply_statement *apply_cache_victim(struct apply_cache *cache)
{
    struct apply_statement *statement = cache->count > cache->max ? cache->oldest : NULL;

    while (statement && statement->in_flight)
        statement = statement->newer;
    return statement == cache->newest ? NULL : statement;
}

void apply_cache_drop(struct apply_cache *cache, struct apply_statement *statement)
{
    *place_in_list(statement) = statement->next;
    unlink_used(cache, statement);
    cache->count--;
    statement_text_release(&statement->text);
    free(statement->set);
    free(statement);
}
