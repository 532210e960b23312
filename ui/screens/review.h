/* Screen 5, review: the whole plan on a page, and what it would do on each server. */
#ifndef PGC_UI_SCREENS_REVIEW_H
#define PGC_UI_SCREENS_REVIEW_H

#include "ui/canvas.h"
#include "ui/draft.h"
#include "ui/field.h"
#include "ui/keys.h"

struct review {
    char *text;        /* owned: what --dry-run says, or why it could not; NULL: not asked */
    bool failed;
    bool running;      /* being asked */
    bool starting;     /* the engine is being started */
    int64_t since_ms;
    bool plan;         /* the plan's text is shown */
    int top;
    bool confirming;   /* the target database's name is being typed: the plan empties tables */
    struct field word;
};

extern const struct key_help review_keys[];

void review_release(struct review *screen);
void review_running(struct review *screen, int64_t now_ms);
/* What "pgcutover --batch --dry-run" has said. */
void review_answer(struct review *screen, const char *text, bool ok);
void review_draw(struct review *screen, const struct draft *draft, struct canvas *canvas, int row, int rows, int64_t now_ms);
bool review_key(struct review *screen, int key);

/* "NAME.json" in the present directory; what was done, or why not, in said. */
bool review_write_plan(const struct draft *draft, char *said, size_t size);

#endif
