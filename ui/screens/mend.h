/* The fix of one finding on the check screen: what would be run is looked up and shown, and run when "y" says so. */
#ifndef PGC_UI_SCREENS_MEND_H
#define PGC_UI_SCREENS_MEND_H

#include "ui/canvas.h"

#include <cjson/cJSON.h>

enum mend_state {
    MEND_NONE,
    MEND_LOOKING, /* what it would be */
    MEND_ASKING,  /* it is shown: "y", or not */
    MEND_RUNNING,
    MEND_TOLD,    /* how it went wrong, or that it is not for this program */
};

struct mend {
    enum mend_state state;
    char *id, *side, *database; /* owned: of the finding */
    cJSON *shown;               /* owned: the answer of "check --fix ID --dry-run --json" */
    char *text;                 /* owned: what is told */
    char *waits_for;            /* owned: the id of a fix that counts after a restart; the checks are made again until it does */
    int top;
};

void mend_release(struct mend *mend);
/* Begins with a finding of "check --json". */
void mend_begin(struct mend *mend, const cJSON *finding);
/* The arguments of the command that is to run now, behind "check": at most 8 and a NULL. */
void mend_words(const struct mend *mend, const char *words[9]);
/* The JSON text that it gave. Returns true when something was run, so that the checks are to be made again; *said (owned, may
 * be NULL) is for the message line. */
bool mend_answer(struct mend *mend, const char *text, char **said);
void mend_end(struct mend *mend);

/* Does the key belong to it? *run: it was agreed to. */
bool mend_key(struct mend *mend, int key, bool *run);
void mend_draw(struct mend *mend, struct canvas *canvas, int row, int rows);

#endif
