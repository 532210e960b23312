/* The commands: what they share. One command a file; main.c has the table. */
#ifndef PGC_CLI_CLI_H
#define PGC_CLI_CLI_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/log.h"
#include "pg/conn.h"
#include "plan/plan.h"
#include "ssh/tunnel_process.h"

/* The command that others run inside of: it catches the signals, and says how to go on. */
struct cli_outer {
    bool (*goes_on)(struct cli_outer *outer); /* asked about once a second; false: give up */
};

struct options {
    const char *command;     /* "batch" for --batch */
    const char *batch_plan;  /* NULL where the three files are given */
    const char *source_json, *target_json, *databases_json;
    const char *name;
    const char *state_dir;   /* --state-dir; NULL: the plan's or the default */
    const char *until;
    const char *database_name;
    const char *log_level;
    const char *theme;
    const char *format; /* report */
    const char *fixes;  /* check: where the script goes, NULL: nowhere */
    const char *fix, *undo; /* check: the id to mend in place; that to take back, or "all" */
    const char *side, *as;  /* check --fix: source or target; the role that runs it */
    const char *load_jobs, *sync_jobs, *bytes_per_second, *source_slot_wal; /* limits */
    bool json, quiet, verbose, yes, detach, dry_run, watch, check, plain, mouse, secrets, repair, deep, rehearse, script, compare, remove;
    const char *const *waived; /* --waive, each a check's id; borrowed */
    size_t waived_count;
    struct cli_outer *outer; /* NULL: none */
    int64_t since_us;        /* events before it have been told or are of no interest */
    char **args;             /* what is left, borrowed from argv */
    int arg_count;
};

/* Each returns the exit code of interface.md. */
int cmd_batch(const struct options *options);
int cmd_check(const struct options *options);
int cmd_fix(const struct options *options); /* check --fix, --undo */
/* "on HOST: COMMAND" on stderr, before it is run there. */
void cli_show_command(void *arg, const char *host, const char *command);
/* Where pg_hba.conf keeps somebody out, the hint says what can be done about it from here. */
void cli_hint_hba(const struct options *options, struct err *err);
int cmd_connect(const struct options *options);
int cmd_tables(const struct options *options);
int cmd_status(const struct options *options);
int cmd_command(const struct options *options); /* pause, resume, cancel, cutover, delete */
int cmd_rehearse(const struct options *options); /* cutover --rehearse */
int cmd_change(const struct options *options); /* reload, add, remove */
int cmd_verify(const struct options *options);
int cmd_fallback(const struct options *options);
int cmd_report(const struct options *options);
int cmd_residue(const struct options *options);
int cmd_limits(const struct options *options);
int cmd_open(const struct options *options); /* open NAME, or the list */
int cmd_schema(const struct options *options); /* schema --script, --compare */
int cmd_theme(const struct options *options);
int cmd_demo(const struct options *options);

/* Prints "pgcutover: …" with detail and hint to stderr (and, with --json, {"type":"error",…} to
 * stdout), and returns the exit code. Clears err. */
int cli_fail(const struct options *options, struct err *err);

/* Where migrations are kept: --state-dir, the plan's stateDir, $XDG_STATE_HOME/pgcutover,
 * ~/.local/state/pgcutover. Absolute; owned. */
char *cli_state_dir(const struct options *options, const struct plan *plan);
enum log_level cli_log_level(const struct options *options, const struct plan *plan);

/* The plan of the command line: PLAN or the three files, with the options put over it. Notes are
 * told on stderr. */
bool cli_read_plan(const struct options *options, const char *path, struct plan *plan,
                   struct err *err);

/* The same where path may also be the name of a migration. */
bool cli_read_plan_or_name(const struct options *options, const char *path, struct plan *plan, struct err *err);

/* Connects once to both sides: asks for passwords that are wanted on the terminal (into the plan), and
 * finds servers that cannot be reached before anything is made. A target database that is missing is
 * no error. */
bool cli_greet_server(const struct options *options, struct plan *plan, enum conn_side side, struct err *err);
bool cli_greet_servers(const struct options *options, struct plan *plan, struct err *err);

/* The tunnels of a command's own connections, by side; the engine has others. */
struct cli_tunnels {
    struct tunnel_process sides[2];
    struct ssh_trouble trouble; /* what would help the one that could not be opened */
};

#define CLI_TUNNELS_INIT {.sides = {TUNNEL_PROCESS_INIT, TUNNEL_PROCESS_INIT}}

/* Opens the tunnels that the plan has and sets its tunnel ports. Asks on the terminal for what is missing: a password, a
 * passphrase, whether a host key is the right one; without a terminal, or with --yes, that is an error. Close them in
 * any case. */
bool cli_open_tunnels(const struct options *options, struct plan *plan, struct cli_tunnels *tunnels, struct err *err);
bool cli_open_tunnel(const struct options *options, struct plan *plan, struct cli_tunnels *tunnels, enum conn_side side,
                     struct err *err);
void cli_close_tunnels(struct plan *plan, struct cli_tunnels *tunnels);

/* "question (yes/no)?" on the terminal; false also when there is none. */
bool cli_ask_yes(const char *question);
/* Did the server want a password that was not to be had? */
bool cli_wants_password(const struct err *err);
/* Asks on the terminal; false when there is none. *answer is owned by the caller (wipe it). */
bool cli_ask_secret(const char *question, char **answer);

/* Stays with a migration until `until` (a goal's word) is reached, it has ended or it stopped; shows
 * progress. Returns the exit code; 1 without a word when the outer command gives up. */
int cli_follow(const struct options *options, const char *dir, const char *name,
               const char *until);

/* What the engine of a migration's directory stored last, NULL when nothing. Owned. */
cJSON *cli_stored_status(const char *dir);
/* From the engine (*live), or, when none answers, what it stored last. NULL with ERR_NOT_FOUND where there is no such
 * migration, or no status of it. Owned. */
cJSON *cli_fetch_status(const char *state_dir, const char *name, bool tables, bool *live, struct err *err);
/* The report of a migration as make has it; NULL with err. Owned. */
char *cli_report(const char *state_dir, const char *name, char *(*make)(const cJSON *report), struct err *err);

/* The one document of --json, on stdout. */
void cli_print_json(const cJSON *json);

/* The objects of a status by resultType; borrowed. */
const cJSON *cli_output(const cJSON *status);
bool cli_is_type(const cJSON *item, const char *type);
/* One line about a database, for people. Owned. */
char *cli_progress_line(const cJSON *database);

#endif
