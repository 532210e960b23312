/* Screens 1 to 5: the wizard that makes a plan and starts it. What needs a server is done by commands of this program
 * that run beside the screen; the plan goes to their standard input. */
#ifndef PGC_UI_WIZARD_H
#define PGC_UI_WIZARD_H

#include <poll.h>

#include "ui/child.h"
#include "ui/draft.h"
#include "ui/screens/checks.h"
#include "ui/screens/choices.h"
#include "ui/screens/connect.h"
#include "ui/screens/databases.h"
#include "ui/screens/picker.h"
#include "ui/screens/review.h"
#include "ui/ui.h"

enum wizard_step { STEP_CONNECT, STEP_CHECK, STEP_SCHEMA, STEP_TABLES, STEP_REVIEW, STEPS };

enum wizard_answer {
    WIZARD_STAYS,
    WIZARD_IGNORES, /* the key is for who shows the wizard: help, leaving */
    WIZARD_LEAVES,  /* back to the list */
};

struct wizard {
    const struct ui_options *options; /* borrowed */
    struct draft draft;
    enum wizard_step step;
    struct connect connect;
    struct databases databases; /* over the form */
    struct checks checks;
    struct choices choices;
    struct picker picker;
    struct review review;
    struct child jobs[SIDES]; /* connect: one a side; else the first */
    char *names[SIDES];       /* owned: the databases, as the servers that answered call them */
    bool go_on;               /* when both servers answer */
    char *fixes;              /* owned: the file that the checks that are being made write; NULL: none */
    bool starting;            /* the first job starts the engine */
    char *stored;             /* owned: the draft's text as it was stored last */
    char *started;            /* owned: the migration whose engine runs now; whoever opens it sets it NULL */
    char message[256];
    bool is_error;
    int64_t now_ms;           /* set before keys and drawing */
};

/* Goes on with the stored draft, or with a plan's file. False, with err, when that is none. */
bool wizard_open(struct wizard *wizard, const struct ui_options *options, const char *plan, struct err *err);
void wizard_release(struct wizard *wizard);
/* Stores the draft where something was typed since it was last; call it now and then, so that nothing is lost with the
 * terminal. */
void wizard_keep(struct wizard *wizard);
void wizard_draw(struct wizard *wizard, struct canvas *canvas);
enum wizard_answer wizard_key(struct wizard *wizard, int key);
const struct key_help *wizard_keys(const struct wizard *wizard);
/* Is a text being typed, so that letters and "?" belong to it? */
bool wizard_is_typing(const struct wizard *wizard);
/* What to poll for, SIDES of them; what came is served. True when something changed. */
void wizard_poll(const struct wizard *wizard, struct pollfd *fds);
bool wizard_serve(struct wizard *wizard);
/* Something runs, so that its time should be drawn. */
bool wizard_is_busy(const struct wizard *wizard);

#endif
