/* From a JSON tree to a struct plan, by the table of keys. */
#ifndef PGC_PLAN_READER_H
#define PGC_PLAN_READER_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "plan/document.h"
#include "plan/plan.h"

struct reader {
    const char *origin;              /* what messages call the text */
    const struct document *document; /* places; NULL: messages go without */
    struct plan *plan;               /* gets the values and the notes */
    struct err *err;
};

/* Reads a whole plan from root: every key, every default, and what they mean together, but the
 * name's default. The tree is changed: passwords are taken out, blanks trimmed. root may be NULL
 * for the defaults alone. On error the plan is half filled; release it. */
bool reader_plan(struct reader *reader, cJSON *root);
/* Parts of it that stand in files of their own (Azure DMS); the plan has its defaults already. */
bool reader_endpoint(struct reader *reader, struct plan_endpoint *endpoint, cJSON *object);
bool reader_databases(struct reader *reader, cJSON *list);
/* The database of the source where the plan names none. */
bool reader_default_database(struct reader *reader);
void reader_defaults(struct plan *plan);

/* Sets "origin:line:column: message"; the place is the value's. For checks made elsewhere. */
bool reader_fail(struct reader *reader, const cJSON *item, const char *fmt, ...) PGC_PRINTF(3, 4);

void plan_database_release(struct plan_database *database);
void plan_pairs_release(struct plan_pair *pairs, size_t count);
void plan_edits_release(struct plan_edit *edits, size_t count);

#endif
