/* The wizard and the list line by line. What needs a server is done by this program's own commands, whose words come
 * straight through. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/json.h"
#include "base/secret.h"
#include "base/stop.h"
#include "ui/child.h"
#include "ui/draft.h"
#include "ui/screens/choices.h"
#include "ui/screens/migrations.h"
#include "ui/screens/review.h"
#include "ui/ui.h"

struct plain {
    const struct ui_options *options;
    struct draft draft;
    char line[512]; /* what was answered last */
};

/* --- asking --- */

static bool read_line(struct plain *p)
{
    fflush(stdout);
    if (stop_requested() || !fgets(p->line, sizeof p->line, stdin))
        return false;
    p->line[strcspn(p->line, "\n")] = '\0';
    return true;
}

/* "Label [now]: "; an empty answer leaves it, a blank empties it. False: no more answers. */
static bool ask(struct plain *p, const char *label, const char *now)
{
    printf(*now ? "%s [%s]: " : "%s: ", label, now);
    if (!read_line(p))
        return false;
    if (!*p->line)
        snprintf(p->line, sizeof p->line, "%s", now);
    else if (strcmp(p->line, " ") == 0)
        p->line[0] = '\0';
    return true;
}

static bool ask_password(struct plain *p, enum side side)
{
    struct termios before;
    bool quiet = tcgetattr(STDIN_FILENO, &before) == 0;
    struct termios after = before;

    after.c_lflag &= ~(tcflag_t)ECHO;
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &after);
    printf("Password for the %s (empty: from ~/.pgpass, or none is needed): ", draft_side_name(side));
    bool ok = read_line(p);
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    putchar('\n');
    if (ok && *p->line)
        draft_set_password(&p->draft, side, p->line);
    explicit_bzero(p->line, sizeof p->line);
    return ok;
}

static bool says_yes(struct plain *p, const char *question)
{
    printf("%s [yes/no]: ", question);
    return read_line(p) && strcmp(p->line, "yes") == 0;
}

/* --- commands --- */

/* plan: the command's standard input, or NULL; taken, and wiped. */
static int run(struct plain *p, const char *const *words, char *plan)
{
    const char *argv[14] = {p->options->program};
    struct err err = ERR_INIT;
    size_t count = 1;

    for (; *words && count < 10; words++)
        argv[count++] = *words;
    argv[count++] = "--state-dir";
    argv[count] = p->options->state_dir;
    fflush(stdout);
    int code = child_run(argv, plan, &err);
    if (code < 0)
        printf("%s\n", err.message);
    err_clear(&err);
    secret_free_string(plan);
    return code;
}

static int run_on_plan(struct plain *p, const char *command)
{
    const char *words[] = {command, "/dev/stdin", NULL};

    return run(p, words, draft_plan_text(&p->draft, true));
}

static int try_server(struct plain *p, enum side side)
{
    const char *words[] = {"connect", "/dev/stdin", draft_side_name(side), NULL};

    return run(p, words, draft_server_text(&p->draft, side));
}

static int run_on(struct plain *p, const char *command, const char *name, const char *more)
{
    const char *words[] = {command, name, more, NULL};

    return run(p, words, NULL);
}

/* --- the steps --- */

static bool ask_server(struct plain *p, enum side side)
{
    static const struct {
        const char *label, *key;
    } fields[] = {{"URI (or nothing, and a host)", "uri"}, {"Host", "serverName"}, {"Port", "port"}, {"Database", "databaseName"},
                  {"User", "userName"}, {"TLS (disable, allow, prefer, require, verify-ca, verify-full)", "sslMode"},
                  {"CA file", "sslRootCert"}};
    const char *section = draft_side_name(side);

    printf("\nThe %s. Enter leaves what is in brackets, a blank empties it.\n", section);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (!ask(p, fields[i].label, draft_text(&p->draft, section, fields[i].key)))
            return false;
        (strcmp(fields[i].key, "port") == 0 ? draft_set_number : draft_set)(&p->draft, section, fields[i].key, p->line);
    }
    return ask_password(p, side);
}

/* The plan names its database as the server does, also where a URI has named it. */
static void name_database(struct plain *p, enum side side)
{
    const char *argv[] = {p->options->program, "connect", "/dev/stdin", draft_side_name(side), "--json", "-q", NULL};
    char *plan = draft_server_text(&p->draft, side);
    struct child child = {0};
    struct pollfd pfd = {.events = POLLIN};

    if (child_start(&child, argv, plan, NULL)) {
        pfd.fd = child.fd;
        while (poll(&pfd, 1, 1000) >= 0 && !child_serve(&child) && !stop_requested())
            ;
        cJSON *json = cJSON_Parse(child.words.data ? child.words.data : "");
        draft_name_database(&p->draft, side, json_str(cJSON_GetArrayItem(json, 0), "databaseName"));
        cJSON_Delete(json);
    }
    child_release(&child);
    secret_free_string(plan);
}

static bool connect_side(struct plain *p, enum side side)
{
    do
        if (!ask_server(p, side))
            return false;
    while (try_server(p, side) != 0);
    name_database(p, side);
    return true;
}

static bool check(struct plain *p)
{
    printf("\nThe checks:\n");
    for (;;) {
        int code = run_on_plan(p, "check");
        if (code == 0)
            return true;
        printf("%s Enter checks again, q leaves: ", code == 3 ? "Something must be mended first." : "The checks could not be made.");
        if (!read_line(p) || strcmp(p->line, "q") == 0)
            return false;
    }
}

static bool choose_one(struct plain *p, const struct choice *choice)
{
    int now = choice_value(&p->draft, choice);

    printf("%s:\n", choice->label);
    for (int i = 0; i < CHOICE_VALUES && choice->values[i]; i++)
        printf("  %d %s: %s\n", i + 1, choice->values[i], choice->meanings[i]);
    for (;;) {
        char number[16];
        snprintf(number, sizeof number, "%d", now + 1);
        if (!ask(p, "Number", number))
            return false;
        int value = atoi(p->line) - 1;
        if (value >= 0 && value < CHOICE_VALUES && choice->values[value]) {
            choice_set(&p->draft, choice, value);
            return true;
        }
        printf("There is no such number.\n");
    }
}

static bool choose(struct plain *p)
{
    printf("\nHow it is moved:\n");
    for (const struct choice *choice = choices; choice->label; choice++)
        if (!choose_one(p, choice))
            return false;
    return true;
}

static char *list_text(const cJSON *list)
{
    struct buf text = BUF_INIT;
    const cJSON *item;

    buf_addstr(&text, "");
    cJSON_ArrayForEach(item, list)
        if (cJSON_IsString(item))
            buf_addf(&text, "%s%s", text.len ? " " : "", item->valuestring);
    return buf_take(&text);
}

static void set_excluded(struct plain *p)
{
    cJSON *database = draft_database(&p->draft);
    char *at = p->line;
    char *name;

    cJSON_DeleteItemFromObjectCaseSensitive(database, "excludedTables");
    if (!*at)
        return;
    cJSON *list = cJSON_AddArrayToObject(database, "excludedTables");
    while ((name = strsep(&at, " ")))
        if (*name)
            cJSON_AddItemToArray(list, cJSON_CreateString(name));
}

static bool choose_tables(struct plain *p)
{
    printf("\nThe tables:\n");
    while (run_on_plan(p, "tables") == 0) {
        char *now = list_text(json_get(draft_database(&p->draft), "excludedTables"));
        bool ok = ask(p, "Leave out (names or patterns as \"public.staging_*\", blanks between)", now);
        bool same = ok && strcmp(now, p->line) == 0;
        free(now);
        if (!ok || same)
            return ok;
        set_excluded(p);
    }
    return false;
}

static bool confirm_emptying(struct plain *p)
{
    const char *want = json_str(draft_database(&p->draft), "target_database_name");

    if (strcmp(draft_text(&p->draft, "load", "prepare"), "truncate") != 0)
        return true;
    if (!want)
        want = draft_text(&p->draft, "target", "databaseName");
    return ask(p, "Tables of the target are emptied. Type its database's name", "") && *want && strcmp(p->line, want) == 0;
}

static bool review(struct plain *p)
{
    static const char *const words[] = {"--batch", "/dev/stdin", "--dry-run", NULL};
    char said[256];

    printf("\nWhat would be done:\n");
    if (run(p, words, draft_plan_text(&p->draft, true)) != 0)
        return false;
    if (says_yes(p, "Write the plan into a file?")) {
        review_write_plan(&p->draft, said, sizeof said);
        printf("%s\n", said);
    }
    return says_yes(p, "Start the migration?") && confirm_emptying(p);
}

static void store(struct plain *p)
{
    struct err err = ERR_INIT;

    if (draft_store(&p->draft, &err))
        printf("The plan is kept as a draft, without passwords. Nothing was changed on either server.\n");
    else
        printf("%s\n", err.message);
    err_clear(&err);
}

/* --- a migration --- */

static bool act(struct plain *p, const char *name, char key)
{
    switch (key) {
    case 's': run_on(p, "status", name, NULL); break;
    case 'w': run_on(p, "status", name, "--watch"); break;
    case 'p': run_on(p, "pause", name, NULL); break;
    case 'r': run_on(p, "resume", name, NULL); break;
    case 'c':
        if (says_yes(p, "Cut over: writes on the source stop, the target opens?"))
            run_on(p, "cutover", name, NULL);
        break;
    case 'q': return false;
    default: printf("There is no such key.\n"); break;
    }
    return true;
}

static void open_migration(struct plain *p, const char *name)
{
    if (run_on(p, "status", name, NULL) != 0)
        return;
    for (;;) {
        printf("s status, w watch (Ctrl-C ends it), c cut over, p pause, r resume, q leave: ");
        if (!read_line(p) || !act(p, name, p->line[0]))
            break;
    }
    printf("The engine goes on: \"pgcutover open %s --plain\" comes back to it.\n", name);
}

static void start(struct plain *p)
{
    static const char *const words[] = {"--batch", "/dev/stdin", "--detach", NULL};

    if (run(p, words, draft_plan_text(&p->draft, true)) != 0) {
        store(p);
        return;
    }
    draft_forget(&p->draft);
    open_migration(p, draft_text(&p->draft, NULL, "name"));
}

static bool make_plan(struct plain *p)
{
    if (!ask(p, "\nName of the migration", draft_text(&p->draft, NULL, "name")))
        return false;
    draft_set(&p->draft, NULL, "name", *p->line ? p->line : "migration");
    return connect_side(p, SOURCE) && connect_side(p, TARGET) && check(p) && choose(p) && choose_tables(p) && review(p);
}

static void wizard(struct plain *p)
{
    if (make_plan(p))
        start(p);
    else
        store(p);
}

static void list(struct plain *p)
{
    struct migrations migrations = {0};

    migrations_read(&migrations, p->options->state_dir);
    for (int i = 0; i < migrations.count; i++)
        printf("%s: %s, %s%s\n", migrations.lines[i].name, migrations.lines[i].between, migrations.lines[i].state,
               migrations.lines[i].live ? "" : ", no engine");
    bool none = !migrations.count;
    migrations_release(&migrations);
    if (none) {
        wizard(p);
        return;
    }
    printf("Name of one to open, n for a new one, q to leave: ");
    if (!read_line(p) || strcmp(p->line, "q") == 0)
        return;
    if (strcmp(p->line, "n") == 0) {
        wizard(p);
        return;
    }
    char *name = xstrdup(p->line);
    open_migration(p, name);
    free(name);
}

int ui_plain(const struct ui_options *options, struct err *err)
{
    struct plain p = {.options = options};

    draft_open(&p.draft, options->state_dir);
    bool ok = !options->plan || draft_take_plan(&p.draft, options->plan, err);
    if (ok && options->name)
        open_migration(&p, options->name);
    else if (ok && options->plan)
        wizard(&p);
    else if (ok)
        list(&p);
    draft_release(&p.draft);
    return ok ? 0 : err_exit_code(err);
}
