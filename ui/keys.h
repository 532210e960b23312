/* The keys of a screen: one table is the key line at its foot and its help. */
#ifndef PGC_UI_KEYS_H
#define PGC_UI_KEYS_H

struct key_help {
    const char *key;   /* as it is shown; NULL ends the table */
    const char *label; /* in the key line; NULL: in the help alone */
    const char *help;
};

#endif
