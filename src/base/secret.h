/* A secret in memory: never logged, never written, wiped when released. */
#ifndef PGC_BASE_SECRET_H
#define PGC_BASE_SECRET_H

#include <stdbool.h>

struct secret {
    char *text; /* owned; NULL means that none is known, "" that none is needed */
};

#define SECRET_INIT {0}

/* Replaces the secret with a copy of text (NULL: none); the old one is wiped. */
void secret_set(struct secret *secret, const char *text);
void secret_release(struct secret *secret);
bool secret_is_known(const struct secret *secret);
/* Wipes and frees a heap string that held a secret. NULL is fine. */
void secret_free_string(char *text);

#endif
