/* A plan that is being made: the document that --batch reads, with what is typed in it, but for passwords, which are kept
 * beside it in memory. It is stored whenever a step is left, so that nothing typed is lost with the terminal. */
#ifndef PGC_UI_DRAFT_H
#define PGC_UI_DRAFT_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/err.h"

enum side { SOURCE, TARGET, SIDES };

struct draft {
    cJSON *plan;             /* owned */
    char *passwords[SIDES];  /* owned, wiped; NULL: none was typed */
    char *path;              /* owned: where it is stored */
};

const char *draft_side_name(enum side side);

/* The stored draft of this state directory, or an empty one. */
void draft_open(struct draft *draft, const char *state_dir);
/* Takes a plan's file (comments are allowed); ERR_USAGE when it is no JSON object. Passwords in it are taken out. */
bool draft_take_plan(struct draft *draft, const char *path, struct err *err);
void draft_release(struct draft *draft);
bool draft_store(const struct draft *draft, struct err *err);
/* What was stored is gone: the migration has been started. */
void draft_forget(struct draft *draft);

/* The text at section.key, "" where there is none; section NULL: of the plan itself. Setting "" removes it. */
const char *draft_text(const struct draft *draft, const char *section, const char *key);
void draft_set(struct draft *draft, const char *section, const char *key, const char *text);
/* As a number where it is one, so that what is wrong can be said of it. */
void draft_set_number(struct draft *draft, const char *section, const char *key, const char *text);
void draft_set_bool(struct draft *draft, const char *section, const char *key, bool value);
bool draft_bool(const struct draft *draft, const char *section, const char *key, bool otherwise);
void draft_set_password(struct draft *draft, enum side side, const char *password);
/* The first database's object, made when there is none. */
cJSON *draft_database(struct draft *draft);
/* What it is called there; NULL or "" changes nothing. */
void draft_name_database(struct draft *draft, enum side side, const char *name);

/* The plan's text; with_passwords: for a command's standard input, to be wiped. Owned. */
char *draft_plan_text(const struct draft *draft, bool with_passwords);
/* A plan's text that has one server on both sides, so that it can be tried before anything is said of the other. With its
 * password; owned. */
char *draft_server_text(const struct draft *draft, enum side side);

#endif
