/* A migration as the screens see it: what its engine says over the control socket, or, where none answers, what it
 * stored last. Nothing here waits: messages are taken when they are there, and a command's answer comes when it comes. */
#ifndef PGC_UI_SESSION_H
#define PGC_UI_SESSION_H

#include "base/channel.h"
#include "control/client.h"

#define SESSION_SAMPLES 240 /* seconds of history */

struct session {
    char *name, *dir, *client; /* owned */
    struct channel channel;
    bool live;                 /* an engine answers */
    bool has_control;
    char *controller;          /* owned: who has control, NULL nobody */
    struct control_view view;
    cJSON *events;             /* owned: the last of them, oldest first */
    char *command;             /* owned: sent, not answered; NULL: none */
    struct err answer;         /* the last command's error, or why the engine is gone */
    char *said;                /* owned: what the last command did, NULL: nothing new */
    double rate[SESSION_SAMPLES]; /* changes applied a second */
    double lag[SESSION_SAMPLES];  /* seconds */
    int samples;
    double load_rate;          /* bytes a second */
    double last_applied, last_bytes;
    int64_t sampled_ms;
};

/* Attaches to the migration of this directory (STATE/NAME), or reads what was stored. False when there is neither.
 * Control is asked for, and had where no other client has it. */
bool session_open(struct session *session, const char *state_dir, const char *name, struct err *err);
/* Asks for control once more; take: takes it from the client that has it, which is told. */
void session_ask_control(struct session *session, bool take);
void session_close(struct session *session);
/* What to poll for; fd -1: nothing. */
short session_events(const struct session *session);
/* Reads and writes what can be. */
void session_serve(struct session *session);
/* Takes one message of the engine. */
void session_take(struct session *session, const cJSON *message);
/* Sends a command; its answer comes later. databaseName may be NULL. */
void session_command(struct session *session, const char *command, const char *database);
/* The same, with the word that was typed: the engine refuses another one than the target database's name. */
void session_command_confirmed(struct session *session, const char *command, const char *database, const char *word);
/* The same for one table, named as in a plan. */
void session_command_table(struct session *session, const char *command, const char *database, const char *table);
/* Decides on a statement of the schema that the target refused: another text, left out (sql NULL), or neither. */
void session_decide(struct session *session, const char *database, const char *object, const char *sql, bool skip);
/* Once a second: adds to the history. database: the one that is shown. */
void session_sample(struct session *session, const cJSON *database, int64_t now_ms);

double session_num(const cJSON *object, const char *key);
const char *session_text(const cJSON *object, const char *key); /* "" where there is none */
const cJSON *session_output(const struct session *session);
bool session_is(const cJSON *item, const char *type);
/* The n-th database, NULL: no more. */
const cJSON *session_database(const struct session *session, int n);
const cJSON *session_migration(const struct session *session);

#endif
