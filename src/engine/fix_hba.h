/* pg_hba.conf mended in place, on the host of the server (host.h): a connection that the server refused is let in by a record
 * before all others, with a copy of the file beside it. The server itself reads the new file (pg_hba_file_rules, from 10 on)
 * before it is told to take it over; what it cannot read, and what does not help, is put back. */
#ifndef PGC_ENGINE_FIX_HBA_H
#define PGC_ENGINE_FIX_HBA_H

#include "engine/fix.h"
#include "engine/host.h"

/* Filled by fix_hba_look(). */
struct fix_hba {
    enum conn_side side;
    struct host host;
    struct conn conn;    /* of the role that was named; else psql is run on the host */
    int version;
    char *path;          /* all owned: the file, links followed */
    char *backup;
    char *comment, *record; /* the two lines */
    char *text;          /* of the file as it was read */
    size_t place;        /* the line that they go before */
    size_t lines;
    bool ended;          /* the last line ends in a line feed */
    bool is_replication; /* the record is of the word replication */
    bool is_there;       /* they stand in it already */
};

#define FIX_HBA_INIT {.host = HOST_INIT, .conn = CONN_INIT}

void fix_hba_release(struct fix_hba *hba);

/* refused: the server's words. The file is found, read and understood; nothing is changed. show (may be NULL) is told each command
 * before it is run on the host, also later. Of the request the id is what the store will have. */
bool fix_hba_look(struct fix_hba *hba, const struct fix_request *request, enum conn_side side, const char *refused,
                  void (*show)(void *arg, const char *host, const char *command), void *arg, struct err *err);
/* What would be done, and what takes it back, line by line. Owned. */
char *fix_hba_steps(const struct fix_hba *hba);
char *fix_hba_undo_steps(const struct fix_hba *hba);
/* Does it. On error all is as it was, or err says what is not. The plan's role is let in afterwards: where another reason keeps
 * it out, err says that, and the record stays. */
bool fix_hba_run(struct fix_hba *hba, const struct fix_request *request, struct err *err);

/* Takes the record out again, as an entry of the store has it ("hba"). *gone: somebody else has. */
bool fix_hba_undo(const struct plan *plan, enum conn_side side, const cJSON *entry, const char *role,
                  const struct secret *password, bool *gone, struct err *err);

#endif
