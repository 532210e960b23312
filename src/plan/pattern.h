/* Which tables a plan means: selectedTables, excludedTables, tableMappings.
 *
 * A pattern is a name as SQL writes it (unquoted parts fold to lower case), with or without a
 * schema, in which * stands for any text, also between quotes. */
#ifndef PGC_PLAN_PATTERN_H
#define PGC_PLAN_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "plan/plan.h"

#define PATTERN_MUST_BE                                                                            \
    "a table's name or a pattern of names: \"table\", \"schema.table\", \"schema.*\", with "       \
    "double "                                                                                      \
    "quotes inside where SQL needs them"
#define TABLE_MUST_BE "the name of one table with its schema, \"schema.table\""

#define COLUMN_MUST_BE "the name of one column, with double quotes inside where SQL needs them"

bool pattern_is_valid(const char *text);
/* One name without a schema. */
bool column_is_valid(const char *text);
/* schema.table without a wildcard outside of quotes. */
bool table_is_qualified(const char *text);
/* Does text match a glob whose * stands for any text? */
bool glob_matches(const char *glob, const char *text);

/* Makes a database's patterns and mappings ready for lookups; they must be valid. Owned. */
struct plan_index *plan_index_new(const struct plan_database *database);
void plan_index_free(struct plan_index *index);

#endif
