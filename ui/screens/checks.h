/* Screen 2, check: what the prerequisite checks found, with what to do about each. */
#ifndef PGC_UI_SCREENS_CHECKS_H
#define PGC_UI_SCREENS_CHECKS_H

#include "ui/canvas.h"
#include "ui/keys.h"
#include "ui/screens/mend.h"

#include <cjson/cJSON.h>

struct checks {
    cJSON *findings;       /* owned: an array; NULL: not made yet, or failed */
    char *error;           /* owned: why they could not be made */
    bool running;
    int64_t since_ms;
    bool all;              /* those that are just told, too */
    int selected, top;
    struct mend mend;      /* the fix of one of them */
    int64_t again_ms;      /* when they were made last because a restart is waited for; monotonic */
    char taken[16];        /* the clock when they were made */
};

extern const struct key_help checks_keys[];

void checks_release(struct checks *screen);
void checks_running(struct checks *screen, int64_t now_ms);
/* The JSON text of "pgcutover check --json". */
void checks_answer(struct checks *screen, const char *text);
/* Findings that stop the migration; -1: not known. */
int checks_failures(const struct checks *screen);

/* The one under the cursor, NULL: none. */
const cJSON *checks_selected(const struct checks *screen);
/* Is it time to make the checks again, because a restart is waited for? Notes that they are. */
bool checks_are_due(struct checks *screen, int64_t now_ms);
/* The id of the finding under the cursor, where it is one that must be mended, waived or not; else NULL. Borrowed. */
const char *checks_waivable(const struct checks *screen);
/* Marks all findings of that id; the cursor stays on the one that it is on. */
void checks_waive(struct checks *screen, const char *id, bool waived);

void checks_draw(struct checks *screen, struct canvas *canvas, int row, int rows, int64_t now_ms);
bool checks_key(struct checks *screen, int key);

#endif
