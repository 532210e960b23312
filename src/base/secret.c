#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

void secret_free_string(char *text)
{
    if (!text)
        return;
    explicit_bzero(text, strlen(text));
    free(text);
}

void secret_set(struct secret *secret, const char *text)
{
    char *copy = xstrdup(text);

    secret_release(secret);
    secret->text = copy;
}

void secret_release(struct secret *secret)
{
    secret_free_string(secret->text);
    secret->text = NULL;
}

bool secret_is_known(const struct secret *secret)
{
    return secret->text != NULL;
}
