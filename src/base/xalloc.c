#include "base/xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *ptr)
{
    if (!ptr) {
        fputs("pgcutover: out of memory\n", stderr);
        abort();
    }
    return ptr;
}

void *xmalloc(size_t size)
{
    return checked(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return checked(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
    return checked(realloc(old, size ? size : 1));
}

char *xstrdup(const char *text)
{
    return text ? checked(strdup(text)) : NULL;
}

char *xstrndup(const char *text, size_t len)
{
    return checked(strndup(text, len));
}

char *xvasprintf(const char *fmt, va_list args)
{
    char *out = NULL;

    if (vasprintf(&out, fmt, args) < 0)
        checked(NULL);
    return out;
}

char *xasprintf(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *out = xvasprintf(fmt, args);
    va_end(args);
    return out;
}

void str_replace(char **place, const char *text)
{
    char *copy = xstrdup(text);
    free(*place);
    *place = copy;
}

void *xgrow(void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return items;
    *cap = *cap ? *cap * 2 : 16;
    return xrealloc(items, *cap * size);
}
