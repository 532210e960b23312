/* pg_hba.conf as text (PostgreSQL docs, "The pg_hba.conf File"): the record that lets somebody in whom the server refused, and
 * its place. The first record that matches counts, so it goes before all others; it matches this role, database and address
 * alone, and changes nothing for anybody else. */
#ifndef PGC_CHECK_HBA_H
#define PGC_CHECK_HBA_H

#include <stdbool.h>
#include <stddef.h>

/* What the server says of a connection that it refuses. All owned. */
struct hba_refusal {
    char *address;    /* NULL: a Unix socket */
    char *user;
    char *database;   /* NULL: "replication", as servers before 10 and physical replication have it */
    bool encrypted;
};

#define HBA_REFUSAL_INIT {0}

/* Reads the server's words, in whatever language as long as names stand in double quotes or «»: no entry for, or rejected.
 * False where the message is no such one, or holds a name that no record can have. */
bool hba_refusal_parse(struct hba_refusal *refusal, const char *message);
void hba_refusal_release(struct hba_refusal *refusal);

/* "host "shop" "mover" 10.1.2.3/32 METHOD". Owned. */
char *hba_record(const struct hba_refusal *refusal, const char *method);
/* What the comment above a record of ours begins with: the two stay together. */
#define HBA_MARK "# pgcutover: "

/* Before which line (from 1 on) a record is the first. What a backslash at the end of a line before goes on with is no place:
 * from 14 on that belongs to the line before, also of a comment. *lines: how many there are, *ended: the last one ends in a
 * line feed. Behind the last line (*lines + 1) where there is no record. */
size_t hba_first_place(const char *text, size_t *lines, bool *ended);
/* The line that these two lines, one after the other, begin at; 0: they are not there. */
size_t hba_find(const char *text, const char *first, const char *second);

#endif
