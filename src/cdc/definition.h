/* Definitions of source tables before 10, for Relation messages: from the catalog, or from a line of
 * test_decoding where the catalog is of another day. */
#ifndef PGC_CDC_DEFINITION_H
#define PGC_CDC_DEFINITION_H

#include "base/buf.h"
#include "cdc/test_decoding.h"
#include "pg/conn.h"

struct definition_column {
    char *name;
    char *type; /* as test_decoding writes it */
    uint32_t type_oid;
    int32_t typmod;
    bool key;
};

struct definition {
    uint32_t oid; /* 0: there is no such table */
    char *schema;
    char *name;
    char identity; /* d, n, f, i */
    bool system_key; /* the key has a system column, which is not streamed */
    struct definition_column *columns; /* owned */
    size_t column_count;
    size_t key_count;
};

/* Reads the definition of a table: that of this name, or (oid not 0) that with this oid, whatever it is
 * called now; one without an oid where there is none. */
bool definition_read(struct definition *definition, struct conn *source, const char *schema,
                     const char *name, uint32_t oid, struct err *err);
void definition_release(struct definition *definition);

/* Is the line of a table with this definition? A DELETE tells its key only. */
bool definition_fits(const struct definition *definition, const struct text_change *change);
/* Makes a definition of the line's own columns: what is said of them in `known` holds where name and type
 * are the same, the rest is asked of the source. False also when the line has no row, or lacks a column of
 * the key: ERR_CONFLICT. */
bool definition_adapt(struct definition *definition, const struct text_change *change,
                      struct conn *source, struct err *err);

/* Append pgoutput messages (PostgreSQL docs, "Logical Replication Message Formats"): Relation, and the change of a line
 * that fits. */
void definition_put_relation(const struct definition *definition, struct buf *out);
void definition_put_change(const struct definition *definition, const struct text_change *change,
                           struct buf *out);

#endif
