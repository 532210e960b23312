/* Secrets that an engine needs to be started again: asked for one at a time, when its start was refused for want of one. They are in
 * memory alone, and wiped when it runs. */
#ifndef PGC_UI_PASSWORDS_H
#define PGC_UI_PASSWORDS_H

#include "ui/draft.h"
#include "ui/field.h"

struct passwords {
    char *secrets[SIDES][SECRETS]; /* owned, wiped; NULL: not typed */
    bool asking;
    enum side side;
    enum draft_secret which;
    struct field field;
};

enum passwords_answer { PASSWORDS_STAYS, PASSWORDS_TYPED, PASSWORDS_GIVEN_UP };

void passwords_release(struct passwords *passwords);
/* Is this error one that a password would have kept from happening? Then it is asked for. */
bool passwords_wanted(struct passwords *passwords, const struct err *err);
void passwords_draw(const struct passwords *passwords, struct canvas *canvas, int row);
enum passwords_answer passwords_key(struct passwords *passwords, int key);
/* {"source": {"password", "sshPassword", "sshPassphrase"}, "target": {...}} of what was typed: for "resume --secrets", to be wiped;
 * NULL where nothing was. Owned. */
char *passwords_text(const struct passwords *passwords);

#endif
