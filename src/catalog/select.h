/* Which tables a migration moves, under which names, and how. */
#ifndef PGC_CATALOG_SELECT_H
#define PGC_CATALOG_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "plan/plan.h"

enum table_mode {
    TABLE_SYNC,       /* loaded, then kept up by CDC */
    TABLE_AT_CUTOVER, /* loaded, and brought up to date by difference inside the freeze */
};

/* "sync" or "at-cutover", as pgcutover.tables.mode has it. */
const char *table_mode_name(enum table_mode mode);

struct table_entry {
    uint32_t oid;
    char *schema;        /* all strings owned */
    char *name;
    char *target_schema;
    char *target_name;
    char *final_schema;  /* what it is called on the target from its opening on; NULL: as before */
    char *final_name;
    char *where;         /* row filter, may be NULL */
    char *columns;       /* text[] literal of the plan's names; NULL: all columns */
    bool columns_left_out; /* they are the ones that are not copied: until catalog_resolve_columns() */
    int64_t bytes;
    int64_t rows;
    enum table_mode mode;
    bool needs_full;     /* keyless: replica identity must be FULL before it is published */
    bool keyless;        /* UPDATE and DELETE could not be published as it is */
    bool unlogged;
};

enum skip_reason { SKIP_FOREIGN, SKIP_EXTENSION, SKIP_NOT_ON_TARGET };

/* Picked by the plan, but not moved. */
struct table_skip {
    uint32_t oid;
    char *schema;        /* owned */
    char *name;
    enum skip_reason reason;
};

struct table_list {
    struct table_entry *items; /* by bytes, biggest first */
    size_t count;
    size_t cap;
    int64_t bytes;             /* of all */
    struct table_skip *skipped;
    size_t skip_count;
    size_t skip_cap;
};

#define TABLE_LIST_INIT {0}

/* Picks the tables that hold rows (partitions one by one; a partitioned table stands for all of its
 * partitions, in selectedTables as in excludedTables, and for the row filter of a mapping).
 * target: NULL, or what the target holds, when selectedTables empty means "on both sides"
 * (schema mode existing). out is empty before and after an error. ERR_USAGE: a pattern or a mapping
 * that fits no table (near names are in the hint), two tables with the same target. */
bool catalog_select_existing(const struct catalog *catalog, const struct catalog *target,
                             const struct plan_database *database, struct table_list *out,
                             struct err *err);
/* The same without a target. */
bool catalog_select(const struct catalog *catalog, const struct plan_database *database,
                    struct table_list *out, struct err *err);
void table_list_release(struct table_list *list);
/* Takes one out. */
void table_list_drop(struct table_list *list, size_t i);
/* Takes the unlogged ones out (load.unlogged "empty"). */
void table_list_drop_unlogged(struct table_list *list);
/* For a target whose schema is copied under the source's own names: each mapped name becomes the final
 * one. */
void table_list_keep_names(struct table_list *list);

/* Makes every column list name exactly the columns that are copied, in the table's order. src is connected
 * to the source, in no transaction. ERR_USAGE: a column that the table does not have; a list that leaves
 * none. */
bool catalog_resolve_columns(struct conn *src, const struct plan_database *database,
                             struct table_list *list, struct err *err);

/* How many single-character edits (case ignored) lead from one text to the other. */
size_t edit_distance(const char *from, const char *to);

#endif
