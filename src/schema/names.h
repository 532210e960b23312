/* Names that tables of the source have on the target (tableMappings), in what pg_dump says of them. */
#ifndef PGC_SCHEMA_NAMES_H
#define PGC_SCHEMA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct schema_rename {
    char *from_schema, *from_name, *to_schema, *to_name; /* plain, without quotes; owned */
};

struct schema_renames {
    struct schema_rename *items;
    size_t count, cap;
};

#define SCHEMA_RENAMES_INIT {0}

void schema_renames_add(struct schema_renames *renames, const char *from_schema, const char *from_name, const char *to_schema,
                        const char *to_name);
void schema_renames_release(struct schema_renames *renames);

/* What goes with a table into its new schema: appends a rename where the statement makes an index, or an owned sequence, of a
 * renamed table. name: the object's own, in schema. */
void schema_renames_follow(struct schema_renames *renames, const char *type, const char *schema, const char *name, const char *statement);

/* Appends a text with the qualified names, as pg_dump quotes them, replaced. */
void schema_renames_apply(const struct schema_renames *renames, const char *text, struct buf *out);
/* The same for the name of an object, "schema.name more", as it is shown. */
void schema_renames_apply_name(const struct schema_renames *renames, const char *schema, const char *name, struct buf *out);
/* Was the schema made for a renamed table? */
bool schema_renames_lead_to(const struct schema_renames *renames, const char *schema);

#endif
