/* Screen 6, load & sync: the live dashboard of one migration, with the cutover's steps once there are any. */
#ifndef PGC_UI_SCREENS_DASHBOARD_H
#define PGC_UI_SCREENS_DASHBOARD_H

#include "ui/canvas.h"
#include "ui/keys.h"
#include "ui/screens/log.h"
#include "ui/session.h"

enum pane { PANE_TABLES, PANE_TABLE, PANE_ERROR, PANE_LAG, PANE_EVENTS, PANE_CUTOVER, PANE_VERIFY, PANE_FINISH, PANE_STATEMENTS, PANE_LOG };

#define DASHBOARD_HEAD 5 /* rows */

struct dashboard {
    struct session *session; /* borrowed */
    int database;            /* which of them is shown */
    enum pane pane;
    const cJSON **tables;    /* owned: what the filter lets through, borrowed items */
    int count, total, cap;
    int selected, top;       /* in tables */
    int scroll;              /* of the other panes */
    int statement;           /* selected, of those that failed or were decided on */
    bool whole;              /* its text is shown whole */
    int step;                /* of the cutover: selected */
    bool step_chosen;        /* by a key; else it is the one that runs */
    struct logview log;      /* what was read of it */
    bool undoing;            /* whether to undo the cutover is asked */
    char filter[64];
    bool filtering;          /* keys go into the filter */
    bool errors_only;
    char word[128];          /* the target database's name, being typed */
    const char *confirming;  /* the command that waits for it, NULL: none */
    const char *asked;       /* static: what who shows the screen is to do: a command beside it (ui/aside.h), or "edit" and
                              * "write failed" (screens/statements.h); NULL: nothing */
    cJSON *left;             /* owned: what is still on the servers (delete --dry-run); NULL: not read */
    bool reloads;            /* R was pressed: once more loads the table again */
    char message[256];
    bool is_error;
    int64_t now_us, now_ms;  /* set before drawing; tests choose them */
};

/* Those of the pane in front. */
const struct key_help *dashboard_keys(const struct dashboard *d);

void dashboard_release(struct dashboard *d);
/* Looks at the session again: after messages, another filter, another database. */
void dashboard_refresh(struct dashboard *d);
/* Once a second: reads what the pane in front reads. */
void dashboard_tick(struct dashboard *d);
/* In words how the database that is shown stands; borrowed. */
const char *dashboard_state(const struct dashboard *d);
/* Is it the operator who stops writes (cutover.stopWrites)? */
bool dashboard_operator_stops(const struct dashboard *d);
/* Says something in the message line. */
void dashboard_say(struct dashboard *d, bool is_error, const char *text);
void dashboard_head(const struct dashboard *d, struct canvas *canvas);
void dashboard_draw(struct dashboard *d, struct canvas *canvas);
/* False: the key means nothing here, and is for who shows the screen (leaving, help). */
bool dashboard_key(struct dashboard *d, int key);
/* Asks for the target database's name before a command that wants a migration that has ended; says so where it has not. */
void dashboard_ask_ended(struct dashboard *d, const char *command);
/* How many of the tables that are shown were found equal, different, or neither. */
struct verified_counts {
    int equal, different, others;
};
struct verified_counts dashboard_verified(const struct dashboard *d);
/* The database that is shown, NULL: not known yet. */
const cJSON *dashboard_database(const struct dashboard *d);

#endif
