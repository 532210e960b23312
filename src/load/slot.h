/* The main slot beyond its creation (pg/repl.h): its state, its end, and what its creation waits for. */
#ifndef PGC_LOAD_SLOT_H
#define PGC_LOAD_SLOT_H

#include "base/buf.h"
#include "pg/conn.h"
#include "pg/lsn.h"

struct slot_state {
    bool exists;
    bool active;
    int active_pid;          /* 0: none */
    bool ours;               /* the active process is one of pgcutover */
    lsn_t restart_lsn;       /* LSN_INVALID: none, as when the slot was invalidated */
    lsn_t confirmed_flush_lsn;
    char wal_status[16];     /* "reserved", "extended", "unreserved", "lost"; "" before 13 */
    int64_t retained_bytes;  /* WAL kept by the slot */
};

bool slot_state(struct conn *src, const char *name, struct slot_state *state, struct err *err);

/* Drops the slot. Missing is success. Our own walsender on it is terminated; anybody else's is
 * ERR_CONFLICT with its pid and the slot stays. */
bool slot_drop(struct conn *src, const char *name, struct err *err);

/* Appends the writing and prepared transactions of any database, a line each: what a slot's creation
 * waits for. Nothing is appended when there are none. */
bool slot_blockers(struct conn *src, struct buf *text, struct err *err);

#endif
