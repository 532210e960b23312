/* A group of changes in memory, and what is left of them when changes of one row are merged: pure, no
 * server. Values are copied.
 *
 * Changes of a table whose rows are told apart by the bytes of their key (table_map.merges) are merged as
 * they come: an UPDATE of a row that was inserted in the group is an INSERT of the later values, and so on.
 * The operations on different rows of such a table may be carried out in any order. A change of a key
 * is a border: nothing before it is merged with anything behind it, and it is carried out between them.
 * Of other tables every change is an operation of its own, and their order counts, unless all are
 * INSERTs: rows that are there together at the end do not stand in each other's way. */
#ifndef PGC_CDC_GATHER_H
#define PGC_CDC_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/decode.h"
#include "cdc/statements.h"
#include "pg/lsn.h"

enum op_kind {
    OP_NOTHING, /* inserted and deleted again */
    OP_INSERT,
    OP_UPDATE,
    OP_DELETE,
    OP_REPLACE, /* deleted, then inserted */
};

struct gather_op {
    struct gather_op *next;  /* of its table, in order */
    struct gather_op *chain; /* of its bucket */
    const struct gather_table *table;
    uint32_t hash;           /* of table and row: the same in every run, for lanes are chosen by it */
    unsigned segment;        /* of its table: between borders */
    enum op_kind kind;
    bool alone;              /* a border, or of a form that is not sent in arrays */
    bool old_is_key;
    uint32_t xid;            /* of the last change that is in it */
    lsn_t commit_lsn;
    struct value *old;       /* by source column; NULL: not sent */
    struct value *row;       /* NULL: DELETE */
};

/* What is gathered of one table; zero is empty. */
struct gather_table {
    const struct table_map *map; /* borrowed; while there are operations */
    uint32_t oid;
    struct gather_op *first;
    struct gather_op *last;
    size_t count;
    unsigned segment;
    bool only_inserts;
    struct gather_table *next;   /* that has operations */
};

struct gather_chunk;

struct gather {
    struct gather_table *tables; /* that have operations, in the order of their first */
    struct gather_table *last_table;
    size_t count;                /* operations */
    size_t changes;              /* that are in them */
    size_t bytes;                /* of memory for them */
    struct gather_chunk *chunks;
    struct gather_op **buckets;
    size_t bucket_count;         /* a power of two */
};

#define GATHER_INIT {0}

/* Adds a row change of a table. single: as an operation of its own, whatever the table. */
void gather_add(struct gather *gather, struct gather_table *table, const struct table_map *map,
                const struct change *change, lsn_t commit_lsn, uint32_t xid, bool single);
/* Must the table's operations be carried out in their order? */
bool gather_is_ordered(const struct gather_table *table);
/* The operation as a change of one row: borrowed values, nothing to be released. REPLACE: the INSERT. */
void gather_view(const struct gather_table *table, const struct gather_op *op, struct change *change);
/* Empty again; the tables too. */
void gather_clear(struct gather *gather);
void gather_release(struct gather *gather);

/* Spreads table OIDs over lanes as gather_op.hash does rows. */
uint32_t gather_hash_oid(uint32_t oid);

#endif
