#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "engine/model.h"

struct command {
    const char *name;
    int (*run)(const struct options *options);
    int min_args, max_args;
    const char *arguments;
    const char *help;
};

static const struct command commands[] = {
    {"--batch", cmd_batch, 0, 1, "PLAN | --source-connection-json F --target-connection-json F "
                                 "--database-options-json F [--name NAME]",
     "Runs a plan without a terminal UI, as far as it says, progress on stderr.\n"
     "  --until checked|schema|loaded|ready|done   how far (default: what cutover.when says)\n"
     "  --detach    return as soon as the engine runs\n"
     "  --dry-run   say what would be done on each server, do nothing\n"
     "  --yes       no questions\n"
     "  --waive ID  a check (as \"pgcutover check\" names it) whose finding is no obstacle; may be given again"},
    {"check", cmd_check, 1, 1, "PLAN|NAME [--deep] [--waive ID]... [--fixes FILE] | --fix ID | --undo ID|all",
     "The prerequisite checks alone. Changes nothing, but for what --fix and --undo are told to. Exit code 3:\n"
     "something must be fixed first.\n"
     "  --deep        also those that read much: large values, unique indexes over text (with amcheck)\n"
     "  --waive ID    a check whose finding does not count; may be given again\n"
     "  --fixes FILE  what mends the findings goes there, as a script for psql, with what takes it back\n"
     "  --fix ID      mends what that check finds: shows what would be run, asks, runs it, checks again. Never\n"
     "                restarts a server. It is taken back when the migration ends, where that is said.\n"
     "  --undo ID     takes back what --fix did for that check; \"all\": for all of them\n"
     "with --fix and --undo:\n"
     "  --side S      source or target, where both have it\n"
     "  --as ROLE     runs it as another role than the plan's, which is asked for its password\n"
     "  --dry-run     only shows it\n"
     "  --yes         does not ask"},
    {"connect", cmd_connect, 1, 2, "PLAN [source|target]",
     "Tries the plan's servers: which version answers, how fast, and which databases it has. Changes nothing."},
    {"tables", cmd_tables, 1, 1, "PLAN", "The tables of the source, and which of them the plan picks. Changes nothing."},
    {"schema", cmd_schema, 1, 1, "--script | --compare PLAN [--database-name DB]",
     "Prints the statements that the schema step would run on the target, in their order, as a script that\n"
     "psql takes on an empty database; what is held back until the cutover comes last.\n"
     "  --compare   instead: how the schemas of source and target differ, object by object. Exit code 4\n"
     "              where they do in something that the plan does not decide on.\n"
     "Both change nothing."},
    {"open", cmd_open, 1, 1, "NAME | PLAN.json [--theme NAME] [--mouse] [--plain]",
     "The dashboard of a migration: attaches to its engine, which goes on when you leave. Of a plan: the\n"
     "wizard, with everything filled in. Without a command pgcutover shows the list of migrations, or the\n"
     "wizard where there is none.\n"
     "  --mouse     clicks and the wheel work, and the terminal's own copy and paste does not\n"
     "  --plain     line by line, without drawing; so it is where TERM is dumb"},
    {"theme", cmd_theme, 1, 1, "--check FILE", "Says whether a theme file is one, and in which line it is not."},
    {"status", cmd_status, 0, 1, "[NAME]",
     "Where a migration stands, or all of them.\n"
     "  --watch     keeps it up to date until it has ended"},
    {"cutover", cmd_command, 1, 1, "NAME [--rehearse] [--database-name DB]",
     "Stops writes on the source, applies the last change, and opens the target.\n"
     "Refused with the reason while it is not READY_TO_COMPLETE.\n"
     "  --rehearse  everything but stopping writes and opening: says how long it takes"},
    {"reload", cmd_change, 2, 10000, "NAME TABLE... [--database-name DB]",
     "Loads tables again while changes are streamed: emptied on the target, copied, brought up to date.\n"
     "TABLE is a name or a pattern as in selectedTables."},
    {"add", cmd_change, 2, 10000, "NAME TABLE... [--database-name DB]",
     "Adds tables of the source to a migration that streams changes: made on the target where they are\n"
     "missing (schema.mode copy), published, loaded, brought up to date."},
    {"remove", cmd_change, 2, 10000, "NAME TABLE... [--database-name DB]",
     "Takes tables out of the migration, which goes on with the others: not streamed any more, not compared,\n"
     "no part of the cutover. On the source they are as before; on the target their rows stay as they are\n"
     "then. Also where a table that cannot be loaded holds the others up."},
    {"verify", cmd_verify, 1, 10000, "NAME [TABLE...] [--repair] [--database-name DB]",
     "Compares source and target while changes are streamed, all tables or these, both sides as of one\n"
     "position, without stopping anything. Exit code 4: they differ; the rows are shown.\n"
     "  --repair    copies the rows that differ again, and compares once more"},
    {"report", cmd_report, 1, 1, "NAME [--format text|json|html]",
     "What a migration did, for a change ticket: servers, checks, rows and times of every table and how it\n"
     "was found equal, the cutover with its downtime, every statement that changed something on a server,\n"
     "warnings, conflicts, what is left. Until \"delete\"; of a running one: as far as it is.\n"
     "  --format F  text; json; html: one page with charts, which needs nothing else"},
    {"fallback", cmd_fallback, 1, 1, "NAME [--rehearse] [--database-name DB]",
     "Goes back to the source after a cutover, losing nothing that was written on the target: needs\n"
     "cutover.fallback in the plan. Stops writes on the target, applies the last change on the source, and\n"
     "opens it.\n"
     "  --rehearse  everything but stopping writes and opening: says how long it takes"},
    {"limits", cmd_limits, 1, 1,
     "NAME [--load-jobs N] [--sync-jobs N] [--bytes-per-second X] [--source-slot-wal X]",
     "Shows what a migration may use, or changes it while it runs; it outlives the engine.\n"
     "  --load-jobs N          tables copied, and indexes built, at the same time\n"
     "  --sync-jobs N          connections that apply changes\n"
     "  --bytes-per-second X   of all copies together, as \"20MB\"; none: no limit\n"
     "  --source-slot-wal X    most WAL that the source may keep for it"},
    {"pause", cmd_command, 1, 1, "NAME", "Stops all work; slot and place are kept."},
    {"resume", cmd_command, 1, 1, "NAME [--secrets]",
     "Goes on: after a pause, after an error was mended, after the engine was killed.\n"
     "  --secrets   passwords that an engine needs to be started again come as JSON on standard input:\n"
     "              {\"source\": {\"password\", \"sshPassword\", \"sshPassphrase\"}, \"target\": {...}}"},
    {"abort", cmd_command, 1, 1, "NAME [--database-name DB]",
     "Gives a cutover up that runs, before its point of no return: the source is writable again, and the\n"
     "migration goes on."},
    {"cancel", cmd_command, 1, 1, "NAME [--dry-run]",
     "Stops, and undoes everything that was made on the source.\n"
     "  --dry-run   says what would be undone on which server, and does nothing"},
    {"delete", cmd_command, 1, 1, "NAME [--dry-run]",
     "Forgets a migration that has ended, and leaves nothing behind on either server.\n"
     "  --dry-run   says what would be removed from which server, and does nothing"},
    {"residue", cmd_residue, 1, 1, "PLAN [--remove]",
     "What lost migrations have left on the plan's servers: slots, publications, event triggers, schemas\n"
     "and origins that are named pgcutover..., and settings that may be of one. What a migration of this\n"
     "host still needs, and what is in use, is told apart.\n"
     "  --remove    removes what is left behind; never what is in use, needed, or may be a DBA's own"},
    {"demo", cmd_demo, 0, 0, "",
     "One whole migration on this machine, in about half a minute: two private servers in a\n"
     "temporary directory, sample data, a workload that writes all the time, cutover, and a\n"
     "comparison of both servers by plain SQL. Everything is removed again, also on Ctrl-C.\n"
     "Needs the server programs of PostgreSQL 12 or newer; as root they run as another user.\n"
     "Exit code 0: both servers are equal, and nothing of the migration is left on either."},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

enum {
    OPT_SOURCE = 256, OPT_TARGET, OPT_DATABASES, OPT_NAME, OPT_STATE_DIR, OPT_UNTIL, OPT_DETACH,
    OPT_DRY_RUN, OPT_YES, OPT_JSON, OPT_LOG_LEVEL, OPT_WATCH, OPT_DATABASE_NAME, OPT_VERSION,
    OPT_HELP, OPT_BATCH, OPT_LOAD_JOBS, OPT_SYNC_JOBS, OPT_RATE, OPT_SLOT_WAL, OPT_THEME, OPT_CHECK,
    OPT_PLAIN, OPT_MOUSE, OPT_SECRETS, OPT_REPAIR, OPT_REHEARSE, OPT_SCRIPT, OPT_COMPARE, OPT_FORMAT, OPT_REMOVE,
    OPT_WAIVE, OPT_FIXES, OPT_FIX, OPT_UNDO, OPT_SIDE, OPT_AS, OPT_DEEP,
};

static const struct option long_options[] = {
    {"batch", no_argument, NULL, OPT_BATCH},
    {"source-connection-json", required_argument, NULL, OPT_SOURCE},
    {"target-connection-json", required_argument, NULL, OPT_TARGET},
    {"database-options-json", required_argument, NULL, OPT_DATABASES},
    {"name", required_argument, NULL, OPT_NAME},
    {"state-dir", required_argument, NULL, OPT_STATE_DIR},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"detach", no_argument, NULL, OPT_DETACH},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {"yes", no_argument, NULL, OPT_YES},
    {"json", no_argument, NULL, OPT_JSON},
    {"log-level", required_argument, NULL, OPT_LOG_LEVEL},
    {"watch", no_argument, NULL, OPT_WATCH},
    {"database-name", required_argument, NULL, OPT_DATABASE_NAME},
    {"load-jobs", required_argument, NULL, OPT_LOAD_JOBS},
    {"sync-jobs", required_argument, NULL, OPT_SYNC_JOBS},
    {"bytes-per-second", required_argument, NULL, OPT_RATE},
    {"source-slot-wal", required_argument, NULL, OPT_SLOT_WAL},
    {"theme", required_argument, NULL, OPT_THEME},
    {"check", no_argument, NULL, OPT_CHECK},
    {"plain", no_argument, NULL, OPT_PLAIN},
    {"mouse", no_argument, NULL, OPT_MOUSE},
    {"secrets", no_argument, NULL, OPT_SECRETS},
    {"repair", no_argument, NULL, OPT_REPAIR},
    {"rehearse", no_argument, NULL, OPT_REHEARSE},
    {"script", no_argument, NULL, OPT_SCRIPT},
    {"compare", no_argument, NULL, OPT_COMPARE},
    {"format", required_argument, NULL, OPT_FORMAT},
    {"remove", no_argument, NULL, OPT_REMOVE},
    {"fixes", required_argument, NULL, OPT_FIXES},
    {"fix", required_argument, NULL, OPT_FIX},
    {"undo", required_argument, NULL, OPT_UNDO},
    {"deep", no_argument, NULL, OPT_DEEP},
    {"side", required_argument, NULL, OPT_SIDE},
    {"as", required_argument, NULL, OPT_AS},
    {"waive", required_argument, NULL, OPT_WAIVE},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static void print_usage(FILE *out)
{
    fputs("pgcutover moves live PostgreSQL databases to another server with almost no downtime.\n\n"
          "Usage:\n", out);
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  pgcutover %s %s\n", commands[i].name, commands[i].arguments);
    fputs("\nCommon options:\n"
          "  --json            machine-readable output on stdout\n"
          "  --state-dir DIR   where migrations are kept (default $XDG_STATE_HOME/pgcutover)\n"
          "  --log-level L     debug, info, warning or error\n"
          "  -q, -v            less, more on stderr\n"
          "  --version, --help (after a command: its own help)\n\n"
          "Exit codes: 0 done; 1 failed; 2 wrong usage or plan; 3 a prerequisite is not met;\n"
          "4 differences found; 5 no such migration, or its engine does not answer; 130 interrupted.\n"
          "More: man pgcutover, man pgcutover-plan.\n", out);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (name && strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int wrong_usage(const char *fmt, const char *what)
{
    fputs("pgcutover: ", stderr);
    fprintf(stderr, fmt, what);
    fputs("\n  hint: \"pgcutover --help\" lists commands and options.\n", stderr);
    return 2;
}

static void take_option(struct options *o, int opt)
{
    switch (opt) {
    case OPT_SOURCE: o->source_json = optarg; break;
    case OPT_TARGET: o->target_json = optarg; break;
    case OPT_DATABASES: o->databases_json = optarg; break;
    case OPT_NAME: o->name = optarg; break;
    case OPT_STATE_DIR: o->state_dir = optarg; break;
    case OPT_UNTIL: o->until = optarg; break;
    case OPT_DETACH: o->detach = true; break;
    case OPT_DRY_RUN: o->dry_run = true; break;
    case OPT_YES: o->yes = true; break;
    case OPT_JSON: o->json = true; break;
    case OPT_LOG_LEVEL: o->log_level = optarg; break;
    case OPT_WATCH: o->watch = true; break;
    case OPT_DATABASE_NAME: o->database_name = optarg; break;
    case OPT_LOAD_JOBS: o->load_jobs = optarg; break;
    case OPT_SYNC_JOBS: o->sync_jobs = optarg; break;
    case OPT_RATE: o->bytes_per_second = optarg; break;
    case OPT_SLOT_WAL: o->source_slot_wal = optarg; break;
    case OPT_THEME: o->theme = optarg; break;
    case OPT_CHECK: o->check = true; break;
    case OPT_PLAIN: o->plain = true; break;
    case OPT_SECRETS: o->secrets = true; break;
    case OPT_MOUSE: o->mouse = true; break;
    case OPT_REPAIR: o->repair = true; break;
    case OPT_REHEARSE: o->rehearse = true; break;
    case OPT_SCRIPT: o->script = true; break;
    case OPT_COMPARE: o->compare = true; break;
    case OPT_FORMAT: o->format = optarg; break;
    case OPT_FIXES: o->fixes = optarg; break;
    case OPT_FIX: o->fix = optarg; break;
    case OPT_UNDO: o->undo = optarg; break;
    case OPT_DEEP: o->deep = true; break;
    case OPT_SIDE: o->side = optarg; break;
    case OPT_AS: o->as = optarg; break;
    case OPT_REMOVE: o->remove = true; break;
    case 'q': o->quiet = true; break;
    case 'v': o->verbose = true; break;
    default: break;
    }
}

#define MOST_WAIVED 64 /* on a command line */

/* An option that the command knows nothing of is an error, not silence. */
struct belongs {
    const char *command;
    const char *options;
};

static const struct belongs belongings[] = {
    {"--batch", " source-connection-json target-connection-json database-options-json name until "
                "detach dry-run yes waive "},
    {"check", " name deep waive fixes fix undo side as dry-run yes database-name "},
    {"connect", " name "},
    {"tables", " name "},
    {"schema", " script compare name database-name "},
    {"status", " watch "},
    {"cutover", " rehearse database-name "},
    {"reload", " database-name "},
    {"add", " database-name "},
    {"remove", " database-name "},
    {"verify", " repair database-name "},
    {"report", " format "},
    {"fallback", " rehearse database-name "},
    {"limits", " load-jobs sync-jobs bytes-per-second source-slot-wal "},
    {"abort", " database-name "},
    {"resume", " yes secrets "},
    {"cancel", " yes dry-run "},
    {"delete", " yes dry-run "},
    {"residue", " remove name yes "},
    {"open", " theme plain mouse "},
    {"theme", " check "},
    {"demo", ""},
    {"pause", ""},
};

static bool fits(const struct command *command, const char *option)
{
    static const char common[] = " batch json state-dir log-level version help ";
    char *padded = NULL;
    bool ok;

    if (asprintf(&padded, " %s ", option) < 0)
        return true;
    ok = strstr(common, padded) != NULL;
    for (size_t i = 0; i < sizeof belongings / sizeof *belongings && !ok; i++)
        ok = strcmp(belongings[i].command, command->name) == 0 &&
             strstr(belongings[i].options, padded);
    free(padded);
    return ok;
}

static int check_values(const struct options *o)
{
    enum log_level level;
    enum goal goal;

    if (o->log_level && !log_level_parse(o->log_level, &level))
        return wrong_usage("--log-level takes debug, info, warning or error, not \"%s\"",
                           o->log_level);
    if (o->until && !goal_parse(o->until, &goal))
        return wrong_usage("--until takes checked, schema, loaded, ready or done, not \"%s\"",
                           o->until);
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {0};
    const char *wanted[64], *waived[MOST_WAIVED];
    size_t wanted_count = 0;
    bool help = argc > 1 && strcmp(argv[1], "help") == 0;
    bool batch = false;
    int opt;
    int index = 0;

    while ((opt = getopt_long(argc, argv, "qvVh", long_options, &index)) != -1) {
        if (opt == '?')
            return wrong_usage("wrong option%s", "");
        if (opt == OPT_VERSION || opt == 'V') {
            puts(PACKAGE_STRING);
            return 0;
        }
        help = help || opt == OPT_HELP || opt == 'h';
        batch = batch || opt == OPT_BATCH;
        if (opt >= 256 && wanted_count < 64 && (opt != OPT_WAIVE || !o.waived_count))
            wanted[wanted_count++] = long_options[index].name;
        if (opt == OPT_WAIVE && o.waived_count == MOST_WAIVED)
            return wrong_usage("--waive %s is one too many: name them in the plan (waive)", optarg);
        if (opt == OPT_WAIVE)
            waived[o.waived_count++] = optarg;
        take_option(&o, opt);
    }
    o.waived = waived;
    const char *name = batch ? "--batch" : optind < argc ? argv[optind++] : NULL;
    const struct command *command = find_command(name);
    if (help && command) {
        printf("pgcutover %s %s\n\n%s\n", command->name, command->arguments, command->help);
        return 0;
    }
    if (help) {
        print_usage(stdout);
        return 0;
    }
    if (!name && (o.plain || (isatty(0) && isatty(1)))) {
        o.command = "open";
        return cmd_open(&o);
    }
    if (!name) {
        print_usage(stderr);
        return wrong_usage("%s", "without a terminal there are no screens: name a command");
    }
    if (!command)
        return wrong_usage("unknown command \"%s\"", name);
    for (size_t i = 0; i < wanted_count; i++)
        if (!fits(command, wanted[i]))
            return wrong_usage("this command has no option --%s", wanted[i]);
    o.command = command->name;
    o.args = argv + optind;
    o.arg_count = argc - optind;
    if (o.arg_count < command->min_args || o.arg_count > command->max_args)
        return wrong_usage("wrong number of arguments: pgcutover %s", command->name);
    int wrong = check_values(&o);
    return wrong ? wrong : command->run(&o);
}
