/* Screen 1, connect: the two servers. Going on is refused until both have answered. */
#ifndef PGC_UI_SCREENS_CONNECT_H
#define PGC_UI_SCREENS_CONNECT_H

#include "ui/draft.h"
#include "ui/field.h"
#include "ui/keys.h"

enum connect_field { FIELD_URI, FIELD_HOST, FIELD_PORT, FIELD_DATABASE, FIELD_USER, FIELD_PASSWORD, FIELD_TLS, FIELD_CA, FIELDS };

enum connect_state { UNTRIED, TRYING, ANSWERED, REFUSED };

struct connect_side {
    struct field fields[FIELDS];
    enum connect_state state;
    int64_t since_ms;  /* TRYING */
    char *words;       /* owned: what the server is, or why it is not to be had */
};

struct connect {
    struct field name; /* of the migration */
    struct connect_side sides[SIDES];
    int focus;         /* 0: the name; then the source's fields, then the target's */
};

extern const struct key_help connect_keys[];

/* Between the form and the plan. */
void connect_fill(struct connect *screen, const struct draft *draft);
void connect_store(const struct connect *screen, struct draft *draft);
void connect_release(struct connect *screen);

void connect_draw(const struct connect *screen, struct canvas *canvas, int row, int rows, int64_t now_ms);
/* False: the key means nothing to the form. What is changed is untried. */
bool connect_key(struct connect *screen, int key);

/* A try has begun, and its answer: the JSON text of "pgcutover connect --json". */
void connect_trying(struct connect *screen, enum side side, int64_t now_ms);
void connect_answer(struct connect *screen, enum side side, const char *text);
bool connect_is_done(const struct connect *screen); /* both answered */

#endif
