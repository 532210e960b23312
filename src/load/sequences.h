/* Sequences of a whole database, read in few round trips. */
#ifndef PGC_LOAD_SEQUENCES_H
#define PGC_LOAD_SEQUENCES_H

#include "pg/conn.h"

struct sequence_value {
    char *schema;       /* owned */
    char *name;         /* owned */
    int64_t last_value;
    bool is_called;
};

struct sequence_list {
    struct sequence_value *items; /* owned, in order of schema and name */
    size_t count;
    size_t cap;
};

/* Which sequences are wanted; wanted NULL, or a NULL filter: all. */
struct sequence_filter {
    bool (*wanted)(void *arg, const char *schema, const char *name);
    void *arg;
};

/* Reads every sequence outside the system's schemas. The list must be empty; on error it is empty again. */
bool sequences_read(struct conn *c, const struct sequence_filter *filter, struct sequence_list *list,
                    struct err *err);
void sequence_list_release(struct sequence_list *list);
/* Moves the list's values ahead by so many steps of each sequence, 0: not at all; c is where they were read. Those that
 * cycle stay as they are. ERR_PREREQUISITE names those of which the new value would be out of bounds. */
bool sequences_advance(struct conn *c, struct sequence_list *list, int margin, struct err *err);
/* Reads again the values of the listed sequences from c (the other server, say) into values, an array
 * of list->count owned by the caller; a sequence that does not exist there fails, with all such
 * sequences named (the first ten), ERR_PREREQUISITE. */
bool sequences_read_same(struct conn *c, const struct sequence_list *list, struct sequence_value *values,
                         struct err *err);
/* ERR_PREREQUISITE, the missing ones named, unless all the listed sequences exist on c. */
bool sequences_exist(struct conn *c, const struct sequence_list *list, struct err *err);

#endif
