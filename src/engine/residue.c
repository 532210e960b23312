#include "engine/residue.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "engine/journal.h"
#include "sql/sql.h"

void residues_release(struct residues *found)
{
    for (size_t i = 0; i < found->count; i++) {
        struct residue *item = &found->items[i];
        free(item->database);
        free(item->kind);
        free(item->name);
        free(item->fix);
        free(item->owner);
        free(item->migration);
    }
    free(found->items);
    *found = (struct residues)RESIDUES_INIT;
}

/* --- whose it is --- */

/* Has this migration's journal a slot or publication of that name? What it has made and taken back may have come back
 * by nobody else, so what is gone does not count. */
static bool journal_names(const char *state_dir, const char *migration, const char *owner)
{
    char *path = xasprintf("%s/%s/journal.jsonl", state_dir, migration);
    struct journal journal;
    bool found = false;

    if (file_exists(path) && journal_read(&journal, path, NULL)) {
        for (size_t i = 0; i < journal.made_count && !found; i++)
            found = !journal.made[i].gone && strcmp(journal.made[i].name, owner) == 0;
        journal_close(&journal);
    }
    free(path);
    return found;
}

/* The migration of this host that a name belongs to, or NULL. Owned. */
static char *find_migration(const char *state_dir, const char *owner)
{
    DIR *dir = opendir(state_dir);
    struct dirent *entry;
    char *found = NULL;

    while (dir && !found && (entry = readdir(dir)))
        if (entry->d_name[0] != '.' && journal_names(state_dir, entry->d_name, owner))
            found = xstrdup(entry->d_name);
    if (dir)
        closedir(dir);
    return found;
}

/* The state schema has one name for all; what it is of stands in it. */
static bool owner_of_state(struct conn *c, char **owner, struct err *err)
{
    struct err own = ERR_INIT;

    if (conn_scalar(c, sql_residue_owner, 0, NULL, owner, &own))
        return true;
    /* Half made, or somebody else's: it has no such table. */
    bool absent = strcmp(own.sqlstate, "42P01") == 0;
    if (!absent && strcmp(own.sqlstate, "42501") == 0)
        err_hint(&own, "Look as the role that made schema \"pgcutover\", or as a superuser.");
    if (!absent)
        err_move(err, &own);
    err_clear(&own);
    return absent;
}

/* --- finding --- */

static bool add(struct conn *c, const char *database, const char *state_dir, const PGresult *res, int row,
                struct residues *found, struct err *err)
{
    char *owner = PQgetisnull(res, row, 2) ? NULL : xstrdup(PQgetvalue(res, row, 2));
    bool is_state = strcmp(PQgetvalue(res, row, 0), "schema") == 0 && !owner;

    if (is_state && !owner_of_state(c, &owner, err))
        return false;
    found->items = xgrow(found->items, found->count, &found->cap, sizeof *found->items);
    found->items[found->count++] = (struct residue){
        .side = c->side,
        .database = xstrdup(database),
        .kind = xstrdup(PQgetvalue(res, row, 0)),
        .name = xstrdup(PQgetvalue(res, row, 1)),
        .fix = xstrdup(PQgetvalue(res, row, 5)),
        .owner = owner,
        .migration = owner && state_dir ? find_migration(state_dir, owner) : NULL,
        .in_use = *PQgetvalue(res, row, 3) == 't',
        .certain = *PQgetvalue(res, row, 4) == 't',
    };
    return true;
}

/* Slots and origins belong to the whole cluster: another database of the same side has told of them already. */
static bool is_known(const struct residues *found, enum conn_side side, const char *kind, const char *name)
{
    if (strcmp(kind, "slot") != 0 && strcmp(kind, "replication origin") != 0)
        return false;
    for (size_t i = 0; i < found->count; i++)
        if (found->items[i].side == side && strcmp(found->items[i].kind, kind) == 0 && strcmp(found->items[i].name, name) == 0)
            return true;
    return false;
}

bool residue_find(struct conn *c, const char *database, const char *state_dir, struct residues *found, struct err *err)
{
    PGresult *res = conn_exec(c, c->version < 100000 ? sql_residue_pg96 : sql_residue, err);
    bool ok = res != NULL;

    for (int row = 0; ok && row < PQntuples(res); row++)
        ok = is_known(found, c->side, PQgetvalue(res, row, 0), PQgetvalue(res, row, 1)) ||
             add(c, database, state_dir, res, row, found, err);
    PQclear(res);
    return ok;
}

/* --- removing --- */

bool residue_is_removable(const struct residue *residue)
{
    return residue->certain && !residue->in_use && !residue->migration && !residue->removed;
}

bool residue_remove(struct conn *c, struct residue *residue, struct err *err)
{
    residue->removed = conn_command(c, "SET default_transaction_read_only = off; SET lock_timeout = '5s'", err) &&
                       conn_command(c, residue->fix, err);
    if (!residue->removed)
        err_wrap(err, "could not remove %s \"%s\"", residue->kind, residue->name);
    return residue->removed;
}
