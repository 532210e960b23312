/* What a table of the target looks like to an applier: columns, and the unique indexes by which a row
 * can be found. Plain data, read from the answers to sql/apply_target*.sql. */
#ifndef PGC_CDC_TARGET_H
#define PGC_CDC_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

struct target_column {
    char *name;
    uint32_t type_oid;
    int32_t typmod;
    char *type_name; /* with the modifier, for messages */
    bool not_null;
    bool generated;
    bool identity;
    uint32_t array_oid;   /* of the array type of its type; 0: none that unnest() would take apart well */
    char array_delimiter;
    char *cast_name;      /* the type without modifier, as SQL: what text is cast to where array_oid is 0 */
};

struct target_key_column {
    size_t column;   /* index into the table's columns */
    char *operator;  /* equality: "OPERATOR(pg_catalog.=)" */
    char *collation; /* quoted name, NULL: the column's own */
    bool by_bytes;   /* two keys are the same exactly when their texts are */
};

struct target_key {
    char *index_name;
    bool primary;
    struct target_key_column *columns;
    size_t count;
    size_t cap;
};

struct target_table {
    char *schema;
    char *name;
    uint32_t oid;
    char relkind;    /* 'r', 'p' */
    char *obstacles; /* triggers and foreign keys that would act without replica role; NULL: none */
    bool acts;       /* triggers or rules that act in replica role */
    int unique_count; /* unique and exclusion indexes; of a partitioned table: the most that a part has */
    struct target_column *columns;
    size_t column_count;
    size_t column_cap;
    struct target_key *keys; /* the primary key first */
    size_t key_count;
    size_t key_cap;
};

#define TARGET_TABLE_INIT {0}

/* Fills a table from the rows of apply_target (false: there are none) and of apply_target_keys. */
bool target_table_read(struct target_table *table, const char *schema, const char *name,
                       const PGresult *columns);
void target_table_read_keys(struct target_table *table, const PGresult *keys);
void target_table_release(struct target_table *table);

/* The column's index, or -1. */
int target_table_column(const struct target_table *table, const char *name);

#endif
