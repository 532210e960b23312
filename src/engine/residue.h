/* What a lost migration has left on a server, found by the server's own catalogs and told apart from what a migration
 * of this host still needs. */
#ifndef PGC_ENGINE_RESIDUE_H
#define PGC_ENGINE_RESIDUE_H

#include "pg/conn.h"

struct residue {
    enum conn_side side;
    char *database; /* owned: which one was asked */
    char *kind;     /* owned: "slot", "publication", "event trigger", "schema", "replication origin", "setting", "replica identity" */
    char *name;     /* owned */
    char *fix;      /* owned: the statement that removes it */
    char *owner;    /* owned: what the migration's objects are named (its slot, its publication); NULL: not known */
    char *migration;/* owned: of this host, that has not been deleted; NULL: none */
    bool in_use;    /* somebody reads from the slot */
    bool certain;   /* only pgcutover makes such; else a DBA may have */
    bool removed;
};

struct residues {
    struct residue *items; /* owned */
    size_t count, cap;
};

#define RESIDUES_INIT {0}

/* Adds what is on the server that c (CONN_PLAIN) is connected to. state_dir: of this host, where its migrations are, NULL:
 * they do not matter. Changes nothing. */
bool residue_find(struct conn *c, const char *database, const char *state_dir, struct residues *found, struct err *err);
/* May it be removed? Nobody uses it, no migration of this host needs it, nobody else can have made it. */
bool residue_is_removable(const struct residue *residue);
/* Removes it; an error names it. */
bool residue_remove(struct conn *c, struct residue *residue, struct err *err);
void residues_release(struct residues *found);

#endif
