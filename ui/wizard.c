/* How it works: a step is a screen with a state of its own. Leaving it stores what it holds in the draft, going into
 * one starts the command whose answer it shows. Commands run on while one goes elsewhere, and are ended when their
 * answer would be of a plan that has changed. */
#include "ui/wizard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "ui/screens/frame.h"
#include "ui/terminal.h"

static void say(struct wizard *w, bool is_error, const char *text)
{
    snprintf(w->message, sizeof w->message, "%s", text);
    w->is_error = is_error;
}

static void say_err(struct wizard *w, struct err *err)
{
    say(w, true, err->message);
    err_clear(err);
}

/* --- commands --- */

/* plan: the command's standard input; taken, and wiped. */
static bool run_with(struct wizard *w, struct child *job, const char *const *words, char *plan)
{
    const char *argv[20] = {w->options->program};
    struct err err = ERR_INIT;
    size_t count = 1;

    for (; *words && count < 15; words++)
        argv[count++] = *words;
    argv[count++] = "--state-dir";
    argv[count++] = w->options->state_dir;
    argv[count++] = "-q";
    bool ok = child_start(job, argv, plan, &err);
    secret_free_string(plan);
    if (!ok)
        say_err(w, &err);
    return ok;
}

static bool run(struct wizard *w, struct child *job, const char *const *words)
{
    return run_with(w, job, words, draft_plan_text(&w->draft, true));
}

static void try_servers(struct wizard *w)
{
    connect_settle(&w->connect);
    connect_store(&w->connect, &w->draft);
    for (int side = 0; side < SIDES; side++) {
        const char *words[] = {"connect", "/dev/stdin", draft_side_name((enum side)side), "--json", NULL};
        if (w->connect.sides[side].state == ANSWERED || w->jobs[side].pid)
            continue;
        if (run_with(w, &w->jobs[side], words, draft_server_text(&w->draft, (enum side)side)))
            connect_trying(&w->connect, (enum side)side, w->now_ms);
    }
}

static void check(struct wizard *w)
{
    static const char *const words[] = {"check", "/dev/stdin", "--json", NULL};

    if (run(w, &w->jobs[0], words))
        checks_running(&w->checks, w->now_ms);
}

/* What the fix under way wants: looked up, or run. */
static void mend(struct wizard *w)
{
    const char *words[12] = {"check", "/dev/stdin"};

    mend_words(&w->checks.mend, words + 2);
    if (!run(w, &w->jobs[0], words))
        mend_end(&w->checks.mend);
}

static void begin_to_mend(struct wizard *w)
{
    const cJSON *finding = checks_selected(&w->checks);

    if (w->jobs[0].pid || !finding) {
        say(w, true, finding ? "Something is being done still." : "Nothing is selected.");
        return;
    }
    w->message[0] = '\0';
    mend_begin(&w->checks.mend, finding);
    mend(w);
}

/* By the checks themselves, made once more. */
static void write_fixes(struct wizard *w)
{
    const char *name = draft_text(&w->draft, NULL, "name");
    char *path = xasprintf("%s-fixes.sql", *name ? name : "plan");
    const char *words[] = {"check", "/dev/stdin", "--json", "--fixes", path, NULL};

    if (run(w, &w->jobs[0], words)) {
        str_replace(&w->fixes, path);
        checks_running(&w->checks, w->now_ms);
    }
    free(path);
}

/* Said once it is there; what went wrong is said by the checks. */
static void tell_fixes(struct wizard *w)
{
    if (w->fixes && !w->checks.error) {
        char *text = xasprintf("Written: %s. psql runs it, with -v source=1 on the source, with -v target=1 on the target.", w->fixes);
        say(w, false, text);
        free(text);
    }
    str_replace(&w->fixes, NULL);
}

static void read_tables(struct wizard *w)
{
    static const char *const words[] = {"tables", "/dev/stdin", "--json", NULL};

    if (run(w, &w->jobs[0], words))
        picker_running(&w->picker, w->now_ms);
}

static void ask_what_would_be(struct wizard *w)
{
    static const char *const words[] = {"--batch", "/dev/stdin", "--dry-run", "--json", NULL};

    if (run(w, &w->jobs[0], words))
        review_running(&w->review, w->now_ms);
}

static void start(struct wizard *w)
{
    static const char *const words[] = {"--batch", "/dev/stdin", "--detach", "--json", NULL};

    if (w->jobs[0].pid || !run(w, &w->jobs[0], words))
        return;
    w->starting = w->review.starting = true;
    w->review.running = false;
    w->review.since_ms = w->now_ms;
}

/* --- steps --- */

static void drop_jobs(struct wizard *w)
{
    for (int i = 0; i < SIDES; i++)
        child_release(&w->jobs[i]);
    w->checks.running = w->picker.running = w->review.running = false;
    str_replace(&w->fixes, NULL);
}

void wizard_keep(struct wizard *w)
{
    struct err err = ERR_INIT;

    if (w->started)
        return;
    if (w->step == STEP_CONNECT)
        connect_store(&w->connect, &w->draft);
    if (w->step == STEP_TABLES)
        picker_store(&w->picker, &w->draft);
    char *text = draft_plan_text(&w->draft, false);
    if ((!w->stored || strcmp(w->stored, text) != 0) && !draft_store(&w->draft, &err))
        say_err(w, &err);
    free(w->stored);
    w->stored = text;
}

/* What the server that answered calls its database, and which others it has. */
static void take_names(struct wizard *w, const char *text, enum side side)
{
    cJSON *json = cJSON_Parse(text);
    const cJSON *answer = cJSON_GetArrayItem(json, 0);

    free(w->names[side]);
    w->names[side] = xstrdup(json_str(answer, "databaseName"));
    if (side == SOURCE)
        databases_know(&w->databases, json_get(answer, "databases"));
    cJSON_Delete(json);
}

/* The plan names its databases, so that what is said of their tables has a place. */
static void name_databases(struct wizard *w)
{
    for (int side = 0; side < SIDES; side++)
        draft_name_database(&w->draft, (enum side)side, w->names[side]);
    if (w->names[SOURCE] && !w->connect.name.text[0])
        field_set(&w->connect.name, w->names[SOURCE]);
}

static void enter(struct wizard *w, enum wizard_step step)
{
    if (w->step == STEP_CONNECT)
        name_databases(w);
    wizard_keep(w);
    drop_jobs(w);
    w->step = step;
    mend_release(&w->checks.mend);
    if (step == STEP_CHECK)
        check(w);
    else if (step == STEP_TABLES)
        read_tables(w);
    else if (step == STEP_REVIEW)
        ask_what_would_be(w);
}

/* The list over the form; a source that has not answered is tried first. */
static void show_databases(struct wizard *w)
{
    w->go_on = false;
    w->databases.wanted = false;
    connect_store(&w->connect, &w->draft);
    bool nameless = w->connect.sides[SOURCE].state == REFUSED && !draft_names_database(&w->draft, SOURCE) && w->databases.known;
    if (w->connect.sides[SOURCE].state == ANSWERED || nameless) {
        if (!nameless)
            name_databases(w);
        databases_open(&w->databases, &w->draft);
    } else {
        try_servers(w);
        w->databases.wanted = w->connect.sides[SOURCE].state == TRYING;
    }
}

/* The first of those that were picked is the one in the form. */
static void take_databases(struct wizard *w)
{
    if (!databases_store(&w->databases, &w->draft)) {
        say(w, true, "No database is picked: Space picks the one under the cursor.");
        return;
    }
    cJSON *first = draft_database(&w->draft);
    char *names[SIDES] = {draft_database_name(first), xstrdup(json_str(first, "target_database_name"))};
    for (int side = 0; side < SIDES; side++) {
        connect_set_database(&w->connect, (enum side)side, names[side]);
        free(w->names[side]);
        w->names[side] = names[side];
    }
    w->databases.open = false;
    wizard_keep(w);
}

static void waive(struct wizard *w)
{
    const char *id = checks_waivable(&w->checks);
    char *text;

    if (!id) {
        say(w, true, "Only what must be mended can be waived; nothing else stops the migration.");
        return;
    }
    bool waived = draft_waive(&w->draft, id);
    checks_waive(&w->checks, id, waived);
    text = waived ? xasprintf("%s is waived, and stands so in the report; v takes that back.", id)
                  : xasprintf("%s is not waived any more.", id);
    say(w, false, text);
    free(text);
    wizard_keep(w);
}

static void next_from_checks(struct wizard *w)
{
    int failures = checks_failures(&w->checks);

    if (failures < 0)
        say(w, true, w->checks.running ? "The checks are still being made." : "The checks could not be made: \"r\" tries again.");
    else if (failures)
        say(w, true, "Something is open that must be mended first. Below the list stands how; then \"r\" checks again.");
    else
        enter(w, STEP_SCHEMA);
}

static void say_without(struct wizard *w, const char *database)
{
    char *text = xasprintf("No table of \"%s\" is picked. A database that stays is left out on the first screen (F2).", database);

    say(w, true, text);
    free(text);
}

static void next_from_tables(struct wizard *w)
{
    if (!w->picker.tables || w->picker.running)
        say(w, true, "The tables are not known yet.");
    else if (!picker_count(&w->picker, NULL))
        say(w, true, "No table is picked: Space picks the one under the cursor, \"a\" all.");
    else if (picker_without(&w->picker))
        say_without(w, picker_without(&w->picker));
    else
        enter(w, STEP_REVIEW);
}

/* Each database of the target by its name. */
static bool is_the_word(const struct wizard *w)
{
    char *want = draft_target_names(&w->draft);
    bool same = strcmp(w->review.word.text, want) == 0;

    free(want);
    return same;
}

static bool empties_tables(const struct wizard *w)
{
    return strcmp(draft_text(&w->draft, "load", "prepare"), "truncate") == 0;
}

static void next_from_review(struct wizard *w)
{
    if (w->review.running || w->review.starting || !w->review.text || w->review.failed) {
        say(w, true, w->review.failed ? "This plan cannot be started: what is in the way is said above." : "Not yet.");
    } else if (empties_tables(w) && !w->review.confirming) {
        w->review.confirming = true;
        field_set(&w->review.word, "");
    } else if (empties_tables(w) && !is_the_word(w)) {
        say(w, true, draft_database_count(&w->draft) > 1 ? "Those are not the names of the target's databases."
                                                         : "That is not the name of the target's database.");
    } else {
        w->review.confirming = false;
        start(w);
    }
}

static void next(struct wizard *w)
{
    w->message[0] = '\0';
    switch (w->step) {
    case STEP_CONNECT:
        connect_settle(&w->connect);
        connect_store(&w->connect, &w->draft);
        w->go_on = true;
        if (connect_is_done(&w->connect))
            enter(w, STEP_CHECK);
        else
            try_servers(w);
        break;
    case STEP_CHECK: next_from_checks(w); break;
    case STEP_SCHEMA: enter(w, STEP_TABLES); break;
    case STEP_TABLES: next_from_tables(w); break;
    default: next_from_review(w); break;
    }
}

/* --- answers --- */

static void started(struct wizard *w, const char *text, bool ok)
{
    cJSON *json = cJSON_Parse(text);
    const char *name = json_str(json, "name");

    w->starting = w->review.starting = false;
    if (ok && name) {
        w->started = xstrdup(name);
        draft_forget(&w->draft);
    } else {
        review_answer(&w->review, text, false);
    }
    cJSON_Delete(json);
}

static void take_mended(struct wizard *w, const char *text)
{
    char *said;

    if (mend_answer(&w->checks.mend, text, &said))
        check(w);
    if (said)
        say(w, false, said);
    free(said);
}

static void take_server(struct wizard *w, enum side side, const char *text)
{
    connect_answer(&w->connect, side, text);
    if (w->connect.sides[side].state != ANSWERED)
        return;
    take_names(w, text, side);
    if (draft_names_database(&w->draft, side))
        return;
    str_replace(&w->names[side], NULL);
    connect_nameless(&w->connect, side);
}

static void take_answer(struct wizard *w, int which, const char *text, bool ok)
{
    w->message[0] = '\0';
    if (w->step == STEP_CONNECT) {
        take_server(w, (enum side)which, text);
        if (w->databases.wanted && which == SOURCE)
            show_databases(w);
        else if (w->go_on && connect_is_done(&w->connect))
            enter(w, STEP_CHECK);
    } else if (w->starting) {
        started(w, text, ok);
    } else if (w->step == STEP_CHECK && w->checks.mend.state != MEND_NONE) {
        take_mended(w, text);
    } else if (w->step == STEP_CHECK) {
        checks_answer(&w->checks, text);
        tell_fixes(w);
    } else if (w->step == STEP_TABLES) {
        picker_answer(&w->picker, &w->draft, text);
    } else if (w->step == STEP_REVIEW) {
        review_answer(&w->review, text, ok);
    }
}

void wizard_poll(const struct wizard *w, struct pollfd *fds)
{
    for (int i = 0; i < SIDES; i++)
        fds[i] = (struct pollfd){.fd = w->jobs[i].pid ? w->jobs[i].fd : -1, .events = POLLIN};
}

bool wizard_serve(struct wizard *w)
{
    bool changed = false;

    if (w->step == STEP_CHECK && !w->jobs[0].pid && checks_are_due(&w->checks, clock_mono_ms()))
        check(w);

    for (int i = 0; i < SIDES; i++) {
        if (!w->jobs[i].pid || !child_serve(&w->jobs[i]))
            continue;
        bool ok = WIFEXITED(w->jobs[i].status) && WEXITSTATUS(w->jobs[i].status) == 0;
        char *text = buf_take(&w->jobs[i].words);
        take_answer(w, i, text ? text : "", ok);
        free(text);
        changed = true;
    }
    return changed;
}

bool wizard_is_busy(const struct wizard *w)
{
    return w->jobs[0].pid || w->jobs[1].pid;
}

/* --- keys --- */

const struct key_help *wizard_keys(const struct wizard *w)
{
    static const struct key_help *const keys[STEPS] = {connect_keys, checks_keys, choices_keys, picker_keys, review_keys};

    return w->step == STEP_CONNECT && w->databases.open ? databases_keys : keys[w->step];
}

bool wizard_is_typing(const struct wizard *w)
{
    return (w->step == STEP_CONNECT && (!w->databases.open || w->databases.naming)) || (w->step == STEP_TABLES && w->picker.editing) ||
           (w->step == STEP_REVIEW && w->review.confirming);
}

static bool key_of_checks(struct wizard *w, int key)
{
    bool agreed;

    if (!mend_key(&w->checks.mend, key, &agreed))
        return w->checks.mend.state == MEND_NONE && checks_key(&w->checks, key);
    if (agreed)
        mend(w);
    return true;
}

static bool key_of_step(struct wizard *w, int key)
{
    switch (w->step) {
    case STEP_CONNECT: return w->databases.open ? databases_key(&w->databases, key) : connect_key(&w->connect, key);
    case STEP_CHECK: return key_of_checks(w, key);
    case STEP_SCHEMA: return choices_key(&w->choices, &w->draft, key);
    case STEP_TABLES: return picker_key(&w->picker, key);
    default: return review_key(&w->review, key);
    }
}

/* Esc stops what runs, first; then it goes back. */
static enum wizard_answer back(struct wizard *w)
{
    w->message[0] = '\0';
    w->go_on = w->databases.wanted = false;
    if (w->starting) {
        say(w, true, "The engine is being started: it can be cancelled on the dashboard.");
        return WIZARD_STAYS;
    }
    if (w->step == STEP_CHECK && w->checks.mend.state == MEND_RUNNING) {
        say(w, true, "It is being run, which takes a moment.");
        return WIZARD_STAYS;
    }
    if (wizard_is_busy(w)) {
        drop_jobs(w);
        mend_end(&w->checks.mend);
        for (int side = 0; side < SIDES; side++)
            if (w->connect.sides[side].state == TRYING)
                w->connect.sides[side].state = UNTRIED;
        say(w, false, "Stopped.");
        return WIZARD_STAYS;
    }
    if (w->step == STEP_CONNECT) {
        wizard_keep(w);
        return WIZARD_LEAVES;
    }
    wizard_keep(w);
    w->step--;
    if (w->step == STEP_TABLES)
        read_tables(w);
    return WIZARD_STAYS;
}

/* The form has taken a key. */
static void after_form_key(struct wizard *w, bool was_asking)
{
    if (w->connect.password_moved)
        say(w, false, "The password of the connection string stands in its own field now: it is not stored.");
    w->connect.password_moved = false;
    if (!was_asking)
        w->go_on = false;
    if (w->connect.again)
        try_servers(w);
    w->connect.again = false;
}

enum wizard_answer wizard_key(struct wizard *w, int key)
{
    bool was_asking = w->step == STEP_CONNECT && connect_asking(&w->connect);

    if (w->step == STEP_CONNECT && w->databases.open && !w->databases.naming && key == '?')
        return WIZARD_IGNORES;
    if (key_of_step(w, key)) {
        w->message[0] = '\0';
        if (w->step == STEP_CONNECT)
            after_form_key(w, was_asking);
        return WIZARD_STAYS;
    }
    if (w->step == STEP_CONNECT && w->databases.open && key == KEY_RETURN)
        take_databases(w);
    else if (w->step == STEP_CONNECT && w->databases.open)
        w->databases.open = false;
    else if (key == KEY_RETURN)
        next(w);
    else if (key == KEY_DATABASES && w->step == STEP_CONNECT)
        show_databases(w);
    else if (key == KEY_ESCAPE)
        return back(w);
    else if (key == KEY_TEST && w->step == STEP_CONNECT)
        try_servers(w);
    else if (key == 'r' && w->step == STEP_CHECK && !w->jobs[0].pid)
        check(w);
    else if (key == 'f' && w->step == STEP_CHECK)
        begin_to_mend(w);
    else if (key == 'w' && w->step == STEP_CHECK && !w->jobs[0].pid)
        write_fixes(w);
    else if (key == 'v' && w->step == STEP_CHECK)
        waive(w);
    else if (key == 'w' && w->step == STEP_REVIEW)
        w->is_error = !review_write_plan(&w->draft, w->message, sizeof w->message);
    else
        return WIZARD_IGNORES;
    return WIZARD_STAYS;
}

/* --- drawing --- */

void wizard_draw(struct wizard *w, struct canvas *c)
{
    const char *name = w->connect.name.text;
    int rows = c->rows - 5;

    canvas_clear(c);
    canvas_role(c, 0, 0, c->cols, ROLE_TITLE);
    canvas_putf(c, 0, 1, -1, ROLE_TITLE, "pgcutover  %s", *name ? name : "a new migration");
    steps_draw(c, 1, (enum frame_step)w->step);
    switch (w->step) {
    case STEP_CONNECT:
        w->connect.databases = draft_database_count(&w->draft);
        if (w->databases.open)
            databases_draw(&w->databases, c, 3, rows);
        else
            connect_draw(&w->connect, c, 3, rows, w->now_ms);
        break;
    case STEP_CHECK: checks_draw(&w->checks, c, 3, rows, w->now_ms); break;
    case STEP_SCHEMA: choices_draw(&w->choices, &w->draft, c, 3, rows); break;
    case STEP_TABLES: picker_draw(&w->picker, c, 3, rows, w->now_ms); break;
    default: review_draw(&w->review, &w->draft, c, 3, rows, w->now_ms); break;
    }
    canvas_put(c, c->rows - 2, 1, -1, w->is_error ? ROLE_ERROR : ROLE_TEXT, w->message);
    keys_draw(wizard_keys(w), c, c->rows - 1);
}

/* --- open and close --- */

bool wizard_open(struct wizard *w, const struct ui_options *options, const char *plan, struct err *err)
{
    *w = (struct wizard){.options = options};
    draft_open(&w->draft, options->state_dir);
    if (plan && !draft_take_plan(&w->draft, plan, err)) {
        wizard_release(w);
        return false;
    }
    connect_fill(&w->connect, &w->draft);
    w->stored = draft_plan_text(&w->draft, false);
    if (!plan && cJSON_GetArraySize(w->draft.plan))
        say(w, false, "This is the draft that was left last; passwords are not in it.");
    return true;
}

void wizard_release(struct wizard *w)
{
    for (int i = 0; i < SIDES; i++)
        child_release(&w->jobs[i]);
    connect_release(&w->connect);
    databases_release(&w->databases);
    checks_release(&w->checks);
    picker_release(&w->picker);
    review_release(&w->review);
    draft_release(&w->draft);
    free(w->names[SOURCE]);
    free(w->names[TARGET]);
    free(w->fixes);
    free(w->stored);
    free(w->started);
    *w = (struct wizard){0};
}
