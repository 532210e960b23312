/* What the keys of a plan mean together: checked when their object, or list, is complete. */
#ifndef PGC_PLAN_RULES_H
#define PGC_PLAN_RULES_H

#include "plan/keys.h"
#include "plan/reader.h"

/* One value: where it comes from, what it should be, where it goes. */
struct spot {
    const struct key *key;
    cJSON *item;
    const char *path; /* "databases[0].name" */
    char *base;       /* the struct that holds the field; key->field is an offset in it */
};

/* base is the struct of that scope, from the object it was read from. False with the reader's error, which names the place;
 * what keys imply (names that are split, databases that are not listed) is filled in. */
bool rules_of(struct reader *reader, enum key_scope scope, void *base, const struct spot *from);
/* Nothing may stand in a list twice. */
bool rules_of_list(struct reader *reader, const struct spot *spot);

#endif
