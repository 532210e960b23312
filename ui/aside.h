/* Commands of this program that run beside the dashboard: one at a time, and what they say becomes part of the screen. */
#ifndef PGC_UI_ASIDE_H
#define PGC_UI_ASIDE_H

#include "ui/child.h"
#include "ui/ui.h"

struct aside {
    struct child child;
    const char *what; /* static: "resume", "report" (HTML), "report txt", "report json", "left", "delete" or "fallback"; NULL: none */
    char *name;       /* owned: the migration */
};

/* Starts the command for a migration. False with err: another one runs, or it cannot be started. */
bool aside_start(struct aside *aside, const struct ui_options *options, const char *what, const char *name, struct err *err);
/* "resume" with secrets (passwords_text()) on its standard input; they are borrowed. */
bool aside_resume(struct aside *aside, const struct ui_options *options, const char *name, const char *secrets, struct err *err);
/* What it is doing, for the message line; static. */
const char *aside_doing(const struct aside *aside);

/* Once child_serve() says that it has ended: true where it succeeded; *text is what it said on its standard output (owned by
 * the caller), or err, with what it said. The aside is free for the next one. */
bool aside_end(struct aside *aside, char **text, struct err *err);
void aside_release(struct aside *aside);

#endif
