/* Which columns may pass in COPY's binary form: those whose type both servers write and read in the
 * same bytes. A type's bytes are described by a text, its wire form, made of reviewed built-in types
 * alone; two types with the same wire form understand each other. */
#ifndef PGC_LOAD_WIRE_H
#define PGC_LOAD_WIRE_H

#include <stdint.h>

#include "base/buf.h"
#include "pg/conn.h"

/* The types of one database's columns. */
struct wire;

/* Reads them once: a type that is made later is not known, and passes as text. NULL on error. */
struct wire *wire_read(struct conn *c, struct err *err);
void wire_free(struct wire *wire);

/* Appends a type's wire form and returns true. False: it has none that is the same on every server of
 * 9.5 to 18 (a reg* type, money, an extension's own, one that carries the OIDs of user types); out is
 * then of no use. */
bool wire_form_add(const struct wire *wire, uint32_t type, struct buf *out);
/* The type's name for people; borrowed. */
const char *wire_type_name(const struct wire *wire, uint32_t type);

/* Sessions that agree on encoding and on integer timestamps; otherwise *why (a literal) says what is
 * in the way. Text passes unchanged between databases of one encoding only, and binary values are in
 * the sessions' encoding, whatever COPY's option says. */
bool wire_sessions_agree(const struct conn *src, const struct conn *dst, const char **why);

#endif
