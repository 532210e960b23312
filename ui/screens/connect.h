/* Screen 1, connect: the two servers, each with the SSH server before it. Going on is refused until both have answered. An SSH
 * host key that is not known is shown and asked about. */
#ifndef PGC_UI_SCREENS_CONNECT_H
#define PGC_UI_SCREENS_CONNECT_H

#include "ui/draft.h"
#include "ui/field.h"
#include "ui/keys.h"

enum connect_field {
    FIELD_URI, FIELD_HOST, FIELD_PORT, FIELD_DATABASE, FIELD_USER, FIELD_PASSWORD, FIELD_TLS, FIELD_CA,
    FIELD_SSH,            /* [USER@]HOST[:PORT]; the others are shown when it is not empty */
    FIELD_SSH_LOGIN, FIELD_SSH_KEY, FIELD_SSH_PASSPHRASE, FIELD_SSH_PASSWORD, FIELD_SSH_JUMP,
    FIELDS,
};

enum connect_state { UNTRIED, TRYING, ANSWERED, REFUSED };

enum connect_hop { HOP_SERVER, HOP_JUMP, HOPS };

struct connect_side {
    struct field fields[FIELDS];
    enum connect_state state;
    int64_t since_ms;  /* TRYING */
    char *words;       /* owned: what the server is, or why it is not to be had and what to do */
    char *detail;      /* owned: what the error says beyond that; NULL: nothing */
    char trusted[HOPS][64]; /* fingerprints of host keys that are taken for the right ones, "" none */
    char shown[64];    /* the one that is asked about; "": nothing is asked */
    enum connect_hop asked;
};

struct connect {
    struct field name; /* of the migration */
    struct connect_side sides[SIDES];
    int focus;         /* 0: the name; then the source's fields, then the target's */
    int databases;     /* that the plan has; set before drawing */
    struct field answer; /* to the question about a host key */
    bool again;        /* a key is trusted now: try once more */
    bool telling;      /* the answers of both sides are shown whole */
    bool password_moved; /* out of a connection string */
};

extern const struct key_help connect_keys[];

/* Between the form and the plan. What is stored has no part of a password, also while a connection string is being typed. */
void connect_fill(struct connect *screen, const struct draft *draft);
void connect_store(const struct connect *screen, struct draft *draft);
/* What is typed is complete: a password in a connection string goes into the field for it. */
void connect_settle(struct connect *screen);
void connect_release(struct connect *screen);

/* Another database than the one that was tried makes the side untried. */
void connect_set_database(struct connect *screen, enum side side, const char *name);
/* How the side logs in to its SSH server, by what is filled in; static: the text of FIELD_SSH_LOGIN. */
const char *connect_login(const struct connect_side *side);
/* Is a field of a side in use, as the others are? */
bool connect_shows(const struct connect_side *side, enum connect_field field);
/* The side whose host key is asked about; NULL: none. */
struct connect_side *connect_asking(struct connect *screen);

void connect_draw(struct connect *screen, struct canvas *canvas, int row, int rows, int64_t now_ms);
/* False: the key means nothing to the form. What is changed is untried. */
bool connect_key(struct connect *screen, int key);

/* A try has begun, and its answer: the JSON text of "pgcutover connect --json". */
void connect_trying(struct connect *screen, enum side side, int64_t now_ms);
void connect_answer(struct connect *screen, enum side side, const char *text);
/* The server has answered, but nothing says which of its databases is meant. */
void connect_nameless(struct connect *screen, enum side side);
bool connect_is_done(const struct connect *screen); /* both answered */

#endif
