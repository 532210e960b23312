/* The values of one column as one array parameter: pure functions.
 *
 * In text every type works: each element is quoted, so that its input function gets the value as it
 * is. For common types the binary form is smaller, and the server reads it faster; it is made from
 * the text only where that is cheap and gives the very value (PostgreSQL source: array_recv and each type's
 * receive function). */
#ifndef PGC_CDC_ARRAYS_H
#define PGC_CDC_ARRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "cdc/decode.h"

/* Adds an array literal and a NUL. Values are VALUE_TEXT or VALUE_NULL. */
void array_add_text(struct buf *out, char delimiter, const struct value *const *values, size_t count);
/* Adds the array in binary, of a type that has this element type. False, with nothing added, when there is no
 * binary form for this type or for one of these values. */
bool array_add_binary(struct buf *out, uint32_t element_oid, const struct value *const *values,
                      size_t count);

#endif
