/* What the prerequisite checks found. */
#ifndef PGC_CHECK_FINDINGS_H
#define PGC_CHECK_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "pg/conn.h"

#define FINDING_FAIL 'F'    /* must be fixed first */
#define FINDING_WARN 'W'
#define FINDING_INFO 'I'

/* What the server needs for the fix to count. */
enum finding_needs { NEEDS_NONE, NEEDS_RELOAD, NEEDS_RESTART };

struct finding {
    const char *id;       /* of checks.md: "wal-level"; static */
    char severity;        /* FINDING_... */
    enum conn_side side;  /* the server it is about, where the fix belongs */
    char *message;        /* owned: what was found, with names and numbers */
    char *why;            /* owned: why it matters here */
    char *fix;            /* owned: statements or settings that mend it, one a line; may be NULL */
    char *undo;           /* owned: what takes the fix back afterwards; may be NULL */
    enum finding_needs needs;
    bool lasts;           /* a fix of it stays when the migration ends: it is what the server should have had, or taking it
                           * back would want another restart */
    bool waived;          /* the operator says that it is no obstacle: it does not count as a failure */
};

struct findings {
    struct finding *items; /* after checks_run(): failures, warnings, information */
    size_t count;
    size_t cap;
};

#define FINDINGS_INIT {0}

/* Adds one; the strings are taken (fix and undo may be NULL). */
void findings_add(struct findings *findings, struct finding finding);
/* Failures first, then warnings, then information; otherwise the order is kept. */
void findings_sort(struct findings *findings);
void findings_release(struct findings *findings);

/* Marks all that have one of these ids as waived. */
void findings_waive(struct findings *findings, char *const *ids, size_t count);

/* How many are of this severity and not waived. */
size_t findings_count(const struct findings *findings, char severity);
/* The first with this id and side, or NULL. Borrowed. */
const struct finding *findings_find(const struct findings *findings, const char *id,
                                    enum conn_side side);

/* An array of {"fix","id","lasts","message","needs","severity","side","undo","waived","why"}; absent values are null.
 * Owned by the caller. */
cJSON *findings_to_json(const struct findings *findings);
/* A table for people, ended by a line that counts; owned by the caller. */
char *findings_text(const struct findings *findings);

/* Sets ERR_PREREQUISITE, with every failure that is not waived and its fix in the detail, and returns true when there
 * is a failure; otherwise leaves err alone and returns false. */
bool findings_error(const struct findings *findings, struct err *err);

#endif
