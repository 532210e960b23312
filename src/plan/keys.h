/* The table of everything that may stand in a plan. */
#ifndef PGC_PLAN_KEYS_H
#define PGC_PLAN_KEYS_H

#include <stdbool.h>
#include <stddef.h>

/* The object that a key stands in. */
enum key_scope {
    IN_PLAN,
    IN_ENDPOINT,
    IN_SSH,
    IN_DATABASE,
    IN_MAPPING,
    IN_SCHEMA,
    IN_EDIT,
    IN_LOAD,
    IN_SYNC,
    IN_VERIFY,
    IN_CUTOVER,
    IN_HOOKS,
    IN_PGBOUNCER,
    IN_LIMITS,
};

enum key_type {
    KEY_TEXT,        /* char *, blanks around it trimmed */
    KEY_SECRET,      /* struct secret; taken out of the document */
    KEY_WORD,        /* one of a list: enum, or char * when keep_text */
    KEY_BOOL,        /* bool */
    KEY_INT,         /* int */
    KEY_BYTES,       /* int64_t */
    KEY_DURATION,    /* int64_t, microseconds */
    KEY_PATTERNS,    /* char ** and size_t: names of tables */
    KEY_OBJECT,      /* more keys: `scope` */
    KEY_LIST,        /* objects: array and size_t */
    KEY_MAP,         /* names to names: array of struct plan_pair and size_t */
    KEY_NOT_OFFERED, /* a key of later versions: null only */
};

#define KEY_NO_FIELD ((size_t)-1)

struct key {
    enum key_scope in;
    const char *name;
    enum key_type type;
    const char
        *offered; /* WORD: the words in the order of the enum; INT: "1..64"; BOOL: all if NULL */
    const char *refused;   /* the same, for values that later versions will take */
    const char *otherwise; /* the default, as text; NULL: zero, none */
    size_t field;          /* offset in the struct of the scope, or KEY_NO_FIELD: checked only */
    size_t count_field;    /* PATTERNS, LIST: offset of the number of items */
    size_t item_size;      /* LIST */
    enum key_scope scope;  /* OBJECT, LIST: what may stand inside */
    bool own_struct;       /* OBJECT: field is a struct of its own, not the surrounding one's */
    bool keep_text;        /* WORD: the field is a char * */
    bool (*fits)(
        const char *text); /* TEXT, PATTERNS: a further rule, and how it ends "KEY must be" */
    const char *must_be;
    const char *hint; /* what to do instead of what is refused */
};

extern const struct key plan_keys[];
extern const size_t plan_key_count;

/* The key of a scope, or NULL. */
const struct key *key_find(enum key_scope scope, const char *name);
/* The known key most like a misspelt one, or NULL when none is near. */
const struct key *key_nearest(enum key_scope scope, const char *name);

/* How many edits (insert, delete, replace, swap neighbours) lie between two words, case ignored. */
size_t word_distance(const char *a, const char *b);
/* The position of word in a list separated by blanks, -1 if it is not there. */
int word_position(const char *words, const char *word);

#endif
