/* Allocation that cannot fail: out of memory ends the process with a line on stderr.
 *
 * Every pointer returned is owned by the caller and released with free(). */
#ifndef PGC_BASE_XALLOC_H
#define PGC_BASE_XALLOC_H

#include <stdarg.h>
#include <stddef.h>

#define PGC_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);

/* A copy of text; NULL gives NULL. */
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t len);
char *xasprintf(const char *fmt, ...) PGC_PRINTF(1, 2);
char *xvasprintf(const char *fmt, va_list args);

/* Replaces the string at *place (freed) with a copy of text (may be NULL). */
void str_replace(char **place, const char *text);

/* Grows an array of `size`-byte items so that one more fits; *cap is updated. */
void *xgrow(void *items, size_t count, size_t *cap, size_t size);

#endif
