/* A plan that is being made: the document that --batch reads, with what is typed in it, but for secrets, which are kept
 * beside it in memory. It is stored whenever a step is left, so that nothing typed is lost with the terminal. */
#ifndef PGC_UI_DRAFT_H
#define PGC_UI_DRAFT_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/err.h"

enum side { SOURCE, TARGET, SIDES };

/* Each has its key in the plan. */
enum draft_secret { SECRET_PASSWORD, SECRET_SSH_PASSWORD, SECRET_SSH_PASSPHRASE, SECRETS };

struct draft {
    cJSON *plan;             /* owned */
    char *secrets[SIDES][SECRETS]; /* owned, wiped; NULL: none was typed */
    char *path;              /* owned: where it is stored */
};

const char *draft_side_name(enum side side);

/* The stored draft of this state directory, or an empty one. */
void draft_open(struct draft *draft, const char *state_dir);
/* Takes a plan's file (comments are allowed); ERR_USAGE when it is no JSON object. Passwords in it are taken out, also out of
 * connection strings. */
bool draft_take_plan(struct draft *draft, const char *path, struct err *err);
void draft_release(struct draft *draft);
bool draft_store(const struct draft *draft, struct err *err);
/* What was stored is gone: the migration has been started. */
void draft_forget(struct draft *draft);

/* The text at section.key, "" where there is none; section NULL: of the plan itself, "source.ssh": of an object in an object.
 * Setting "" removes it, and with it an object in an object that is empty then. */
const char *draft_text(const struct draft *draft, const char *section, const char *key);
void draft_set(struct draft *draft, const char *section, const char *key, const char *text);
/* As a number where it is one, so that what is wrong can be said of it. */
void draft_set_number(struct draft *draft, const char *section, const char *key, const char *text);
/* Takes a section out. */
void draft_drop(struct draft *draft, const char *section);
void draft_set_bool(struct draft *draft, const char *section, const char *key, bool value);
bool draft_bool(const struct draft *draft, const char *section, const char *key, bool otherwise);
void draft_set_secret(struct draft *draft, enum side side, enum draft_secret which, const char *text);
/* Puts the id of a check into "waive", or takes it out. True: it is in now. */
bool draft_waive(struct draft *draft, const char *id);
/* The first database's object, made when there is none. */
cJSON *draft_database(struct draft *draft);
int draft_database_count(const struct draft *draft);
/* The object of the database of that name; NULL: the plan does not list it. */
cJSON *draft_find_database(const struct draft *draft, const char *name);
/* The name of such an object, of which one in double quotes is an identifier; NULL: it has none. Owned. */
char *draft_database_name(const cJSON *database);
/* The target's databases, as a text with blanks between; owned. */
char *draft_target_names(const struct draft *draft);
/* What the first is called there; NULL or "" changes nothing. */
void draft_name_database(struct draft *draft, enum side side, const char *name);

/* The plan's text; with_secrets: for a command's standard input, to be wiped. Owned. */
char *draft_plan_text(const struct draft *draft, bool with_secrets);
/* Does the plan say which database of that side is meant? Of the target it does where it says so of the source. */
bool draft_names_database(const struct draft *draft, enum side side);
/* A plan's text that has one server on both sides, so that it can be tried before anything is said of the other. With its
 * secrets; where no database is named, that of the source, or "postgres". Owned. */
char *draft_server_text(const struct draft *draft, enum side side);

#endif
