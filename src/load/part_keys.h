/* Cuts a table by ranges of a key, where ranges of pages cannot be read (load/parts.h).
 *
 * The key is the first column of an index; its values at which the table is cut come from a sample, weighted by what the rows
 * take with what is stored out of line. A value stands in two conditions, as the end of one range (<) and the beginning of the
 * next (>=), with operators of one family and in the same text: so whatever it means there, each row is in one of them. */
#ifndef PGC_LOAD_PART_KEYS_H
#define PGC_LOAD_PART_KEYS_H

#include "load/parts.h"

struct part_key {
    const char *column, *type; /* as they are written in SQL */
    const char *less, *not_less;
};

/* The conditions for these values, in order; count of them make one range more. A value that is the text of the one before
 * is left out. */
void part_keys_conditions(const struct part_key *key, const char *const *literals, size_t count, struct part_list *list);

/* As part_list_cut(). A sample that cannot be taken is told to the log, and the table not cut. */
bool part_keys_cut(struct conn *src, const struct part_table *table, int64_t part_bytes, struct part_list *list, struct err *err);

#endif
