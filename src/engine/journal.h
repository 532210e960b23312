/* The journal: what was decided, and what was made on either server, written and synced before the
 * act. Clean-up, cancel and un-freeze read it.
 *
 * A file of JSON lines, append only:
 *   {"op":"made","seq":N,"db":I,"side":"source","kind":"slot","name":...,"previous":...}
 *   {"op":"gone","seq":N}          what "made" N named is not there any more
 *   {"op":"state","db":I,"state":...,...}   a pipeline's decision
 *   {"op":"statements","db":I,"statements":{...}}   how the schema's statements stand (schema_statements.sql)
 *   {"op":"note",...}
 * A torn last line (a crash while writing) is dropped when it is opened. */
#ifndef PGC_ENGINE_JOURNAL_H
#define PGC_ENGINE_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/err.h"

struct made {
    int seq;
    int db;
    char *side;     /* source, target */
    char *kind;     /* publication, slot, replica-identity, read-only, state-schema, database, fallback, pgbouncer, ddl-log;
                     * trigger, rule, index: taken out, previous puts it back */
    char *name;     /* object */
    char *schema;   /* may be NULL */
    char *previous; /* what was there before, may be NULL */
    bool gone;
};

struct journal {
    char *path;
    int fd;
    struct made *made;
    size_t made_count, made_cap;
    cJSON *states; /* array: the last "state" line of each database */
    cJSON *statements; /* the same of "statements" */
    int next_seq;
};

#define JOURNAL_INIT {.fd = -1}

/* Opens or creates, and reads what is there. ERR_IO; a damaged line before the last is ERR_PROTOCOL. */
bool journal_open(struct journal *journal, const char *path, struct err *err);
/* The same for reading only: nothing is changed or created. */
bool journal_read(struct journal *journal, const char *path, struct err *err);
void journal_close(struct journal *journal);

/* Before an act: *seq names the entry. An entry of the same db, side, kind, schema and name that is
 * not gone is used again (its `previous` stays the first one's). Durable when it returns true. */
bool journal_made(struct journal *journal, const struct made *entry, int *seq, struct err *err);
bool journal_gone(struct journal *journal, int seq, struct err *err);
/* Adds {"op":op, ...fields}; fields is taken. Durable when it returns true. */
bool journal_add(struct journal *journal, const char *op, cJSON *fields, struct err *err);
/* The last "state" entry of a database, or NULL. Borrowed. */
const cJSON *journal_state(const struct journal *journal, int db);
/* The last "statements" of a database, or NULL. Borrowed. */
const cJSON *journal_statements(const struct journal *journal, int db);
/* Is anything of that kind (NULL: any) made and not gone? */
bool journal_has(const struct journal *journal, int db, const char *kind);

#endif
