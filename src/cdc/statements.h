/* From a source relation and a target table to SQL text: pure functions.
 *
 * A map says which source column goes to which target column and how a row is found. A statement is
 * then made for a kind of change and a set of columns; its parameters have the target's types, so no
 * casts are needed, and a value that does not fit is an error, never cut off. */
#ifndef PGC_CDC_STATEMENTS_H
#define PGC_CDC_STATEMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/buf.h"
#include "base/err.h"
#include "cdc/decode.h"
#include "cdc/target.h"

/* A relation as its last Relation message had it. */
struct source_table {
    char *schema;
    char *name;
    char identity;                   /* d, n, f, i */
    struct relation_column *columns; /* owned, names too */
    size_t column_count;
};

#define SOURCE_TABLE_INIT {0}

void source_table_set(struct source_table *table, const struct change *relation);
bool source_table_is(const struct source_table *table, const struct change *relation);
void source_table_release(struct source_table *table);

enum map_find {
    FIND_NOTHING,   /* no replica identity: inserts only */
    FIND_KEY,       /* a unique index of the target over columns of the replica identity */
    FIND_KEY_IMAGE, /* no such index: the row whose key is the same */
    FIND_ROW,       /* identity FULL and no such index: one of the rows that are the same */
};

struct map_key {
    size_t source;         /* column of the source */
    size_t target;
    const char *operator;  /* FIND_KEY; borrowed from the target table */
    const char *collation; /* FIND_KEY; borrowed, may be NULL */
    bool by_bytes;         /* FIND_KEY */
};

struct table_map {
    const struct source_table *source; /* borrowed */
    const struct target_table *target; /* borrowed */
    int *targets;         /* by source column: target column, -1: not written (generated there) */
    enum map_find find;
    struct map_key *keys; /* what a row is found by */
    size_t key_count;
    char *key_names;      /* "(id, name)=(" for messages */
    bool merges;          /* changes of one row can be told by the text of its key, and rows do not depend
                           * on each other: nothing else in the table is unique */
    bool acts;            /* something of the target's acts on every change: order counts */
};

#define TABLE_MAP_INIT {0}

/* Makes the map. same_types: the target's columns must have the very types of the source (built-in
 * types only: others have no common number). ERR_CONFLICT, with nothing left behind, when the target
 * lacks a column or the type differs; *column (if not NULL) is then the source column. */
bool table_map_build(struct table_map *map, const struct source_table *source,
                     const struct target_table *target, bool same_types, size_t *column,
                     struct err *err);
void table_map_release(struct table_map *map);

struct parameter {
    uint16_t column; /* of the source */
    bool find;       /* a value to find the row by: from the old tuple when there is one */
};

struct statement_text {
    struct buf sql;
    struct parameter *parameters;
    Oid *types;
    size_t count;
    size_t cap;
};

#define STATEMENT_TEXT_INIT {0}

/* Words of a column set: bit n of word n/64 is source column n. */
#define COLUMN_SET_WORDS(columns) (((columns) + 63) / 64)

/* What tells the statements of a map apart. */
struct statement_shape {
    enum change_kind kind; /* CHANGE_INSERT, CHANGE_UPDATE or CHANGE_DELETE */
    bool arrays;           /* many rows at once: each parameter is an array, of its column's values or,
                            * where its type has no array of its own, of their texts */
    const uint64_t *set;   /* UPDATE: the columns to write; those the target does not take are left out.
                            * With none it only checks that the row is there. Borrowed */
};

/* Makes a statement. Not for UPDATE and DELETE with FIND_NOTHING; with arrays only for FIND_KEY, and for an
 * UPDATE that writes something. */
void statement_build(const struct table_map *map, const struct statement_shape *shape,
                     struct statement_text *out);
void statement_text_release(struct statement_text *text);

#endif
