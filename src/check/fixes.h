/* What mends the findings, as one script that a DBA reads and runs with psql on either server.
 *
 * It runs nothing unless it is told which server it is on (-v source=1, -v target=1). Run as it is are statements that
 * can be taken back, each with its undo as a comment below; settings that want a reload come first, then statements
 * database by database, then settings that want a restart. What destroys something, is a choice of the DBA's or of no
 * need, lines of pg_hba.conf and what is no SQL stand there as comments. */
#ifndef PGC_CHECK_FIXES_H
#define PGC_CHECK_FIXES_H

#include "base/buf.h"
#include "check/findings.h"

struct fixes_side {
    struct buf reload, sql, restart; /* statements */
    struct buf hba, decide, hand;    /* comments */
    struct buf seen;                 /* statements that are there already, one a line */
};

struct fixes {
    struct fixes_side sides[2]; /* by enum conn_side */
};

#define FIXES_INIT {0}

/* The findings of one database; waived ones are left out. target_exists: its database does; where it does not,
 * statements about it are comments, too. */
void fixes_add(struct fixes *fixes, const struct findings *findings, const char *source_database,
               const char *target_database, bool target_exists);
/* The script; owned by the caller. */
char *fixes_script(const struct fixes *fixes);
void fixes_release(struct fixes *fixes);

/* What of a finding's fix can be run here and now, on somebody's word: whole statements that its undo takes back, one a
 * line; nothing that has a condition or a blank to fill, and nobody becomes a superuser. NULL: none. Owned. */
char *fixes_statements(const struct finding *finding);
/* Those of its undo. NULL: none. Owned. */
char *fixes_undo_statements(const struct finding *finding);

#endif
