/* Splitting pg_restore's script into its objects.
 *
 * The script (pg_restore --verbose -f) is read line by line by a small SQL lexer, so that nothing
 * inside a string, a quoted name, a dollar-quoted body or a comment is ever taken for a header; each
 * header must moreover be an entry of `pg_restore -l`, once. Memory is bounded by the largest object
 * and the list. */
#ifndef PGC_SCHEMA_SCRIPT_H
#define PGC_SCHEMA_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct script_toc_entry;

/* The table of contents: every entry that the script must hold. */
struct script_toc {
    struct script_toc_entry *entries; /* owned; by dump id, which pg_dump counts from 1 */
    size_t size;                      /* one above the largest dump id */
    size_t count;                     /* entries that are there */
    char *texts[2];                   /* owned: what the entries point into */
};

#define SCRIPT_TOC_INIT {0}

/* Adds the lines of a `pg_restore -l` output (changed in place, and taken: the entries point into
 * it). post: they are the post-data section. */
bool script_toc_add(struct script_toc *toc, struct buf *list, bool post, struct err *err);
void script_toc_release(struct script_toc *toc);

struct script_object {
    int dump_id;
    uint32_t class_oid;  /* the source's catalog and row; 0 for what pg_dump has none */
    uint32_t object_oid;
    bool post;           /* of the post-data section */
    int position;        /* order in the script: 1, 2, ... */
    const char *type;    /* as pg_dump says: "FK CONSTRAINT" */
    const char *schema;  /* for display only: pg_dump replaces line breaks in names; "-" for none */
    const char *name;
    const char *owner;
    const int *depends;  /* dump ids */
    size_t depend_count;
    const char *statement; /* "" when it has none */
};

struct script_sink {
    bool (*object)(void *arg, const struct script_object *object, struct err *err);
    void *arg;
};

struct script_reader; /* opaque */

/* Both are borrowed until the reader is freed. */
struct script_reader *script_reader_new(struct script_toc *toc, const struct script_sink *sink);
/* One line with its line end, NUL-terminated. ERR_INTERNAL when script and list do not agree; errors of the sink. */
bool script_reader_line(struct script_reader *reader, const char *line, size_t len, struct err *err);
/* Passes the last object on and checks that every entry was there. */
bool script_reader_end(struct script_reader *reader, struct err *err);
/* The script's client_encoding, known once the first object was passed on; borrowed. */
const char *script_reader_encoding(const struct script_reader *reader);
void script_reader_free(struct script_reader *reader);

#endif
