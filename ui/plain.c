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
#include "ui/address.h"
#include "ui/child.h"
#include "ui/draft.h"
#include "ui/screens/choices.h"
#include "ui/screens/connect.h"
#include "ui/screens/databases.h"
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

static bool ask_secret(struct plain *p, const char *question, enum side side, enum draft_secret which)
{
    struct termios before;
    bool quiet = tcgetattr(STDIN_FILENO, &before) == 0;
    struct termios after = before;

    after.c_lflag &= ~(tcflag_t)ECHO;
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &after);
    printf("%s: ", question);
    bool ok = read_line(p);
    if (quiet)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    putchar('\n');
    if (ok && *p->line)
        draft_set_secret(&p->draft, side, which, p->line);
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

static int run_on(struct plain *p, const char *command, const char *name, const char *more)
{
    const char *words[] = {command, name, more, NULL};

    return run(p, words, NULL);
}

/* --- the steps --- */

/* A connection string's password has its own place. */
static void take_password(struct plain *p, enum side side)
{
    char *password = address_take_password(p->line);

    if (password)
        draft_set_secret(&p->draft, side, SECRET_PASSWORD, password);
    secret_free_string(password);
}

static bool ask_ssh(struct plain *p, enum side side)
{
    struct connect form = {0};
    struct connect_side *s = &form.sides[side];

    connect_fill(&form, &p->draft);
    bool ok = ask(p, "SSH server before it, [USER@]HOST[:PORT] (nothing: none)", s->fields[FIELD_SSH].text);
    if (ok && strcmp(p->line, s->fields[FIELD_SSH].text) != 0)
        s->trusted[HOP_SERVER][0] = '\0';
    if (ok)
        field_set(&s->fields[FIELD_SSH], p->line);
    if (ok && *p->line && (ok = ask(p, "Key file (nothing: the agent and the usual ones)", s->fields[FIELD_SSH_KEY].text))) {
        field_set(&s->fields[FIELD_SSH_KEY], p->line);
        field_set(&s->fields[FIELD_SSH_LOGIN], connect_login(s));
        ok = ask(p, "Jump host before that, [USER@]HOST[:PORT] (nothing: none)", s->fields[FIELD_SSH_JUMP].text);
    }
    if (ok && s->fields[FIELD_SSH].text[0] && strcmp(p->line, s->fields[FIELD_SSH_JUMP].text) != 0) {
        s->trusted[HOP_JUMP][0] = '\0';
        field_set(&s->fields[FIELD_SSH_JUMP], p->line);
    }
    connect_store(&form, &p->draft);
    connect_release(&form);
    return ok;
}

static bool ask_server(struct plain *p, enum side side)
{
    static const struct {
        const char *label, *key;
    } fields[] = {{"URI (or nothing, and a host)", "uri"}, {"Host", "serverName"}, {"Port", "port"}, {"Database", "databaseName"},
                  {"User", "userName"}, {"TLS (disable, allow, prefer, require, verify-ca, verify-full)", "sslMode"},
                  {"CA file", "sslRootCert"}};
    const char *section = draft_side_name(side);
    char *question = xasprintf("Password for the %s (empty: from ~/.pgpass, or none is needed)", section);

    printf("\nThe %s. Enter leaves what is in brackets, a blank empties it.\n", section);
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof fields / sizeof *fields; i++) {
        ok = ask(p, fields[i].label, draft_text(&p->draft, section, fields[i].key));
        if (!ok)
            break;
        take_password(p, side);
        (strcmp(fields[i].key, "port") == 0 ? draft_set_number : draft_set)(&p->draft, section, fields[i].key, p->line);
    }
    ok = ok && ask_secret(p, question, side, SECRET_PASSWORD) && ask_ssh(p, side);
    free(question);
    return ok;
}

/* What "connect --json" says of one side; owned. */
static char *try_server(struct plain *p, enum side side)
{
    const char *argv[] = {p->options->program, "connect", "/dev/stdin", draft_side_name(side), "--json", "-q", NULL};
    char *plan = draft_server_text(&p->draft, side);
    struct child child = {0};
    struct pollfd pfd = {.events = POLLIN};

    printf("Trying the %s ...\n", draft_side_name(side));
    fflush(stdout);
    if (child_start(&child, argv, plan, NULL)) {
        pfd.fd = child.fd;
        while (poll(&pfd, 1, 1000) >= 0 && !child_serve(&child) && !stop_requested())
            ;
    }
    char *text = buf_take(&child.words);
    child_release(&child);
    secret_free_string(plan);
    return text;
}

/* A host key that is not known, a password or a passphrase. True when another try makes sense. */
static bool help_in(struct plain *p, enum side side, struct connect *form, const char *wants)
{
    struct connect_side *s = &form->sides[side];

    if (s->shown[0]) {
        printf("It shows the key %s. Compare it with what its administrator says (ssh-keygen -lf prints it there).\n", s->shown);
        if (!says_yes(p, "Is it the right one?"))
            return false;
        memcpy(s->trusted[s->asked], s->shown, sizeof s->shown);
        connect_store(form, &p->draft);
        return true;
    }
    if (strcmp(wants, "ssh-password") == 0)
        return ask_secret(p, "Password of the user on the SSH server (empty: none)", side, SECRET_SSH_PASSWORD) && p->draft.secrets[side][SECRET_SSH_PASSWORD];
    if (strcmp(wants, "ssh-passphrase") == 0)
        return ask_secret(p, "Passphrase of the key (empty: none)", side, SECRET_SSH_PASSPHRASE) && p->draft.secrets[side][SECRET_SSH_PASSPHRASE];
    return false;
}

/* The plan names its database as the server does, also where a URI has named it. */
static bool take_answer(struct plain *p, enum side side, const char *text, bool *again)
{
    cJSON *json = cJSON_Parse(text);
    const cJSON *answer = cJSON_GetArrayItem(json, 0);
    const char *wants = json_str(answer, "wants");
    struct connect form = {0};

    connect_fill(&form, &p->draft);
    connect_trying(&form, side, 0);
    connect_answer(&form, side, text);
    const struct connect_side *s = &form.sides[side];
    if (s->state == ANSWERED && !draft_names_database(&p->draft, side))
        connect_nameless(&form, side);
    bool ok = s->state == ANSWERED;
    printf("%s%s%s\n", s->words, s->detail ? " " : "", s->detail ? s->detail : "");
    if (ok)
        draft_name_database(&p->draft, side, json_str(answer, "databaseName"));
    *again = !ok && help_in(p, side, &form, wants ? wants : "");
    connect_release(&form);
    cJSON_Delete(json);
    return ok;
}

static bool answers(struct plain *p, enum side side)
{
    bool again = true, ok = false;

    while (!ok && again && !stop_requested()) {
        char *text = try_server(p, side);
        ok = take_answer(p, side, text, &again);
        free(text);
    }
    return ok;
}

static bool connect_side(struct plain *p, enum side side)
{
    do
        if (!ask_server(p, side))
            return false;
    while (!answers(p, side));
    return true;
}

/* "A B=C": A under its own name, B as C on the target. False: one is written wrongly. */
static bool set_databases(struct plain *p, const char *line)
{
    struct databases list = {0};
    char *copy = xstrdup(line), *at = copy, *word;
    bool ok = true;

    databases_open(&list, &p->draft);
    list.picks = xrealloc(list.picks, (strlen(line) + (size_t)list.count + 1) * sizeof *list.picks);
    for (int i = 0; i < list.count; i++)
        list.picks[i].on = false;
    while ((word = strsep(&at, " "))) {
        char *to = strchr(word, '=');
        if (!*word)
            continue;
        if (to)
            *to++ = '\0';
        ok = ok && *word && (!to || *to);
        databases_pick(&list, word, to);
    }
    ok = ok && databases_store(&list, &p->draft);
    databases_release(&list);
    free(copy);
    return ok;
}

static char *databases_text(const struct plain *p)
{
    struct buf text = BUF_INIT;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(p->draft.plan, "databases"))
    {
        char *name = draft_database_name(item);
        const char *to = json_str(item, "target_database_name");
        bool same = !to || !name || strcmp(to, name) == 0;
        buf_addf(&text, "%s%s%s%s", text.len ? " " : "", name ? name : "", same ? "" : "=", same ? "" : to);
        free(name);
    }
    return buf_take(&text);
}

/* The plan's first database stays the one that is connected to. */
static bool choose_databases(struct plain *p)
{
    for (;;) {
        char *now = databases_text(p);
        bool ok = ask(p, "Databases to migrate (NAME, or NAME=NAME-ON-THE-TARGET, blanks between)", now);
        bool same = ok && strcmp(now, p->line) == 0;
        free(now);
        if (!ok || same)
            return ok;
        if (set_databases(p, p->line)) {
            cJSON *first = draft_database(&p->draft);
            char *name = draft_database_name(first);
            draft_set(&p->draft, "source", "databaseName", name);
            draft_set(&p->draft, "target", "databaseName", json_str(first, "target_database_name"));
            free(name);
            return true;
        }
        printf("Each is a name, or two with = between.\n");
    }
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
    if (strcmp(draft_text(&p->draft, "load", "prepare"), "truncate") != 0)
        return true;
    char *want = draft_target_names(&p->draft);
    bool several = draft_database_count(&p->draft) > 1;
    bool same = ask(p, several ? "Tables of the target are emptied. Type its databases' names, in the plan's order" : "Tables of the target are emptied. Type its database's name", "") &&
                *want && strcmp(p->line, want) == 0;
    free(want);
    return same;
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
    return connect_side(p, SOURCE) && connect_side(p, TARGET) && choose_databases(p) && check(p) && choose(p) && choose_tables(p) && review(p);
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
