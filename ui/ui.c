/* How it works: one poll loop over the keyboard, the engine's socket, the command that runs beside, and signals. What
 * comes in changes the model; then the screen is drawn into the canvas, and curses sends what differs. Draws for the
 * engine's messages are bounded; a key is answered at once. */
#include "ui/ui.h"

#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/secret.h"
#include "base/stop.h"
#include "ui/aside.h"
#include "ui/screens/dashboard.h"
#include "ui/screens/frame.h"
#include "ui/screens/help.h"
#include "ui/screens/migrations.h"
#include "ui/screens/statements.h"
#include "ui/passwords.h"
#include "ui/terminal.h"
#include "ui/wizard.h"

#define LEAST_ROWS 20
#define LEAST_COLS 80
#define DRAW_MS 100 /* between two draws that no key asked for */
#define SECOND_MS 1000

struct app {
    const struct ui_options *options;
    struct migrations list;
    struct session session;
    struct dashboard dashboard;
    struct aside aside;
    struct passwords passwords; /* for an engine that is started again */
    struct help help;
    struct wizard wizard;
    bool is_open;   /* the dashboard, ... */
    bool making;    /* ... the wizard, else the list */
    bool helping;
    bool leaving;
    const char *theme; /* the one that is shown; static, or the option's */
    bool dirty;     /* something changed since it was drawn */
    int64_t drawn_ms, second_ms;
    struct canvas canvas;
};

static void close_migration(struct app *a)
{
    if (!a->is_open)
        return;
    passwords_release(&a->passwords);
    dashboard_release(&a->dashboard);
    session_close(&a->session);
    a->is_open = false;
}

static bool open_migration(struct app *a, const char *name, struct err *err)
{
    struct session session;

    if (!session_open(&session, a->options->state_dir, name, err))
        return false;
    close_migration(a);
    a->session = session;
    a->dashboard = (struct dashboard){.session = &a->session};
    a->is_open = true;
    dashboard_refresh(&a->dashboard);
    return true;
}

static void say(struct app *a, struct err *err)
{
    migrations_say(&a->list, true, err->message);
    err_clear(err);
}

static bool open_wizard(struct app *a, const char *plan, struct err *err)
{
    a->making = wizard_open(&a->wizard, a->options, plan, err);
    return a->making;
}

static void close_wizard(struct app *a)
{
    if (!a->making)
        return;
    wizard_keep(&a->wizard);
    wizard_release(&a->wizard);
    a->making = false;
}

/* The wizard has started an engine: its dashboard is what comes next. */
static void follow_wizard(struct app *a)
{
    char *name = a->wizard.started;
    struct err err = ERR_INIT;

    a->wizard.started = NULL;
    wizard_release(&a->wizard);
    a->making = false;
    if (!open_migration(a, name, &err))
        say(a, &err);
    free(name);
}

static void open_selected(struct app *a)
{
    const char *name = migrations_selected(&a->list);
    struct err err = ERR_INIT;

    if (name && !open_migration(a, name, &err))
        say(a, &err);
}

/* --- commands that run beside the screen --- */

static void run_aside(struct app *a, const char *what)
{
    char *secrets = strcmp(what, "resume") == 0 ? passwords_text(&a->passwords) : NULL;

    err_clear(&a->session.answer);
    bool ok = secrets ? aside_resume(&a->aside, a->options, a->session.name, secrets, &a->session.answer)
                      : aside_start(&a->aside, a->options, what, a->session.name, &a->session.answer);
    secret_free_string(secrets);
    if (ok && *aside_doing(&a->aside))
        snprintf(a->dashboard.message, sizeof a->dashboard.message, "%s", aside_doing(&a->aside));
}

/* Into the directory that the program was started in, as a browser would. */
static void keep_report(struct app *a, const char *what, const char *text)
{
    const char *blank = strchr(what, ' ');
    char *path = xasprintf("%s-report.%s", a->session.name, blank ? blank + 1 : "html");
    char *cwd = getcwd(NULL, 0);
    char *words = xasprintf("The report is in %s/%s.", cwd ? cwd : ".", path);

    if (file_replace(path, text, strlen(text), &a->session.answer))
        snprintf(a->dashboard.message, sizeof a->dashboard.message, "%s", words);
    free(words);
    free(cwd);
    free(path);
}

static void read_left(struct app *a, const char *text)
{
    cJSON_Delete(a->dashboard.left);
    a->dashboard.left = cJSON_Parse(text);
}

static void say_deleted(struct app *a, const char *name)
{
    char *text = xasprintf("Migration \"%s\" is deleted; nothing is left of it.", name);

    migrations_say(&a->list, false, text);
    free(text);
}

static void leave_deleted(struct app *a)
{
    char *name = xstrdup(a->session.name);

    close_migration(a);
    migrations_read(&a->list, a->options->state_dir);
    say_deleted(a, name);
    free(name);
}

/* From the list, with nothing open. */
static void delete_selected(struct app *a)
{
    const char *name = migrations_selected(&a->list);
    struct err err = ERR_INIT;

    a->list.asked = NULL;
    if (name && aside_start(&a->aside, a->options, "delete", name, &err))
        migrations_say(&a->list, false, aside_doing(&a->aside));
    else if (err_is_set(&err))
        say(a, &err);
}

static void aside_succeeded(struct app *a, const char *what, const char *text)
{
    struct err err = ERR_INIT;

    if (strncmp(what, "report", 6) == 0) {
        keep_report(a, what, text);
    } else if (strcmp(what, "left") == 0) {
        read_left(a, text);
    } else if (strcmp(what, "delete") == 0) {
        leave_deleted(a);
    } else if (strcmp(what, "fallback") == 0) {
        snprintf(a->dashboard.message, sizeof a->dashboard.message, "The source is open again: the application belongs there now.");
    } else if (!a->session.live) {
        passwords_release(&a->passwords);
        char *name = xstrdup(a->session.name);
        open_migration(a, name, &err);
        free(name);
    }
    err_clear(&err);
}

static void aside_ended(struct app *a)
{
    const char *what = a->aside.what;
    bool ours = a->is_open && strcmp(a->aside.name, a->session.name) == 0;
    struct err err = ERR_INIT;
    char *text;

    if (aside_end(&a->aside, &text, &err) && ours)
        aside_succeeded(a, what, text);
    else if (!err_is_set(&err) && !a->is_open && strcmp(what, "delete") == 0)
        say_deleted(a, a->aside.name);
    if (err_is_set(&err) && ours) {
        if (strcmp(what, "resume") == 0)
            passwords_wanted(&a->passwords, &err);
        err_move(&a->session.answer, &err);
        a->dashboard.message[0] = '\0';
    } else if (err_is_set(&err) && !a->is_open) {
        char *whole = xasprintf("%s: %s", err.message, err.detail ? err.detail : "");
        migrations_say(&a->list, true, whole);
        free(whole);
    }
    err_clear(&err);
    free(text);
}

/* --- what the dashboard asks for --- */

/* The engine's messages are taken while somebody edits. */
static void serve_meanwhile(void *arg)
{
    struct app *a = arg;

    if (a->session.live)
        session_serve(&a->session);
}

static void edit_statement(struct app *a)
{
    char *before = statements_text(&a->dashboard);
    char *path = xasprintf("%s/%s/edit.sql", a->options->state_dir, a->session.name);
    struct buf after = BUF_INIT;
    struct err *err = &a->session.answer;

    err_clear(err);
    if (before && file_write_atomic(path, before, strlen(before), err) && terminal_edit(path, serve_meanwhile, a, err) &&
        file_read(path, &after, err))
        statements_edited(&a->dashboard, before, after.data ? after.data : "");
    unlink(path);
    dashboard_refresh(&a->dashboard);
    buf_release(&after);
    free(path);
    free(before);
}

static void write_failed(struct app *a)
{
    char *text = statements_script(&a->dashboard);
    char *path = xasprintf("%s-failed.sql", a->session.name);
    struct err *err = &a->session.answer;

    err_clear(err);
    if (!*text)
        snprintf(a->dashboard.message, sizeof a->dashboard.message, "No statement has failed.");
    else if (file_replace(path, text, strlen(text), err))
        snprintf(a->dashboard.message, sizeof a->dashboard.message, "Written: %s.", path);
    free(path);
    free(text);
}

static void do_asked(struct app *a)
{
    const char *what = a->dashboard.asked;

    a->dashboard.asked = NULL;
    if (strcmp(what, "edit") == 0)
        edit_statement(a);
    else if (strcmp(what, "write failed") == 0)
        write_failed(a);
    else
        run_aside(a, what);
}

/* --- drawing --- */

static void draw_small(struct canvas *c)
{
    canvas_clear(c);
    canvas_wrap(c, 0, 0, c->cols, c->rows, ROLE_TEXT, "This needs more room: 80 columns and 20 rows. It comes back as it was.");
}

static void fit_canvas(struct app *a)
{
    int rows, cols;

    terminal_size(&rows, &cols);
    if (rows == a->canvas.rows && cols == a->canvas.cols)
        return;
    const struct glyphs *glyphs = a->canvas.glyphs;
    canvas_release(&a->canvas);
    canvas_init(&a->canvas, rows, cols, glyphs);
}

static void set_title(const struct app *a)
{
    const struct dashboard *d = &a->dashboard;
    char *text;

    if (a->is_open)
        text = xasprintf("%s: %s%s - pgcutover", a->session.name, dashboard_state(d), a->session.has_control || !a->session.live ? "" : " (observing)");
    else
        text = xasprintf("pgcutover%s", a->making ? ": a new migration" : "");
    terminal_title(text);
    free(text);
}

static void draw_dashboard(struct app *a)
{
    dashboard_draw(&a->dashboard, &a->canvas);
    if (a->passwords.asking)
        passwords_draw(&a->passwords, &a->canvas, a->canvas.rows - 2);
}

static void draw(struct app *a)
{
    fit_canvas(a);
    set_title(a);
    a->dashboard.now_us = clock_wall_us();
    a->dashboard.now_ms = a->wizard.now_ms = clock_mono_ms();
    if (a->canvas.rows < LEAST_ROWS || a->canvas.cols < LEAST_COLS)
        draw_small(&a->canvas);
    else if (a->helping)
        help_draw(&a->help, &a->canvas);
    else if (a->making)
        wizard_draw(&a->wizard, &a->canvas);
    else if (a->is_open)
        draw_dashboard(a);
    else
        migrations_draw(&a->list, &a->canvas, a->dashboard.now_us);
    terminal_show(&a->canvas);
    a->drawn_ms = a->dashboard.now_ms;
    a->dirty = false;
}

/* --- keys --- */

static const struct key_help *keys_in_front(const struct app *a)
{
    return a->making ? wizard_keys(&a->wizard) : a->is_open ? dashboard_keys(&a->dashboard) : migrations_keys;
}

static void take_key(struct app *a, int key);

static void show_help(struct app *a)
{
    a->help = (struct help){.keys = keys_in_front(a)};
    a->helping = true;
}

static void new_migration(struct app *a)
{
    struct err err = ERR_INIT;

    if (!open_wizard(a, NULL, &err))
        say(a, &err);
}

static void key_of_wizard(struct app *a, int key)
{
    a->wizard.now_ms = clock_mono_ms();
    switch (wizard_key(&a->wizard, key)) {
    case WIZARD_LEAVES:
        close_wizard(a);
        migrations_read(&a->list, a->options->state_dir);
        break;
    case WIZARD_IGNORES:
        if (key == '?')
            show_help(a);
        a->leaving = key == 'q';
        break;
    default: break;
    }
}

/* Of the program's own. */
static void next_theme(struct app *a)
{
    const struct theme_builtin *next = themes_builtin;
    struct theme theme;

    for (const struct theme_builtin *at = themes_builtin; at->name; at++)
        if (strcmp(at->name, a->theme) == 0 && at[1].name)
            next = at + 1;
    a->theme = next->name;
    if (!theme_find(&theme, a->theme, NULL))
        return;
    terminal_theme(&theme);
    char *text = xasprintf("Theme %s: --theme %s begins with it.", a->theme, a->theme);
    migrations_say(&a->list, false, text);
    free(text);
}

static void key_outside(struct app *a, int key)
{
    switch (key) {
    case '?': show_help(a); break;
    case 'n':
        if (!a->is_open)
            new_migration(a);
        break;
    case 't':
        if (!a->is_open)
            next_theme(a);
        break;
    case KEY_RETURN:
        if (!a->is_open)
            open_selected(a);
        break;
    case 'r':
        if (a->is_open)
            run_aside(a, "resume");
        break;
    case KEY_ESCAPE:
        close_migration(a);
        migrations_read(&a->list, a->options->state_dir);
        break;
    case 'q': a->leaving = true; break;
    default: break;
    }
}

/* A key of the line of keys; KEY_NOTHING: it stands for several, or is none. */
static int key_named(const char *name)
{
    static const struct {
        const char *name;
        int key;
    } names[] = {{"Enter", KEY_RETURN}, {"Esc", KEY_ESCAPE}, {"Space", ' '}, {"Tab", KEY_TAB}, {"F1", KEY_HELP}, {"F2", KEY_DATABASES}, {"F5", KEY_TEST}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, name) == 0)
            return names[i].key;
    return name[0] && !name[1] ? name[0] : KEY_NOTHING;
}

/* The cursor is on the item in focus: a click on another row is as many steps of an arrow key. */
static void click(struct app *a)
{
    int row, col;

    terminal_click(&row, &col);
    if (row == a->canvas.rows - 1) {
        const char *name = a->helping ? NULL : keys_at(keys_in_front(a), &a->canvas, col);
        if (name)
            take_key(a, key_named(name));
        return;
    }
    if (a->helping || (a->making && wizard_is_typing(&a->wizard)))
        return;
    for (int steps = row - a->canvas.cursor_row; steps; steps += steps < 0 ? 1 : -1)
        take_key(a, steps < 0 ? KEY_ARROW_UP : KEY_ARROW_DOWN);
}

static void key_of_password(struct app *a, int key)
{
    if (passwords_key(&a->passwords, key) == PASSWORDS_TYPED)
        run_aside(a, "resume");
}

static void take_key(struct app *a, int key)
{
    if (key == KEY_INTERRUPT)
        a->leaving = true;
    else if (key == KEY_REDRAW)
        terminal_redraw();
    else if (key == KEY_RESIZED || key == KEY_NOTHING)
        ;
    else if (key == KEY_CLICK)
        click(a);
    else if (a->helping)
        a->helping = help_key(&a->help, key);
    else if (key == KEY_HELP)
        show_help(a);
    else if (a->is_open && a->passwords.asking)
        key_of_password(a, key);
    else if (a->making)
        key_of_wizard(a, key);
    else if (!(a->is_open ? dashboard_key(&a->dashboard, key) : migrations_key(&a->list, key)))
        key_outside(a, key);
    if (a->is_open && a->dashboard.asked)
        do_asked(a);
    if (!a->is_open && a->list.asked)
        delete_selected(a);
}

/* --- the loop --- */

static void every_second(struct app *a)
{
    a->second_ms = clock_mono_ms();
    if (a->is_open)
        dashboard_tick(&a->dashboard);
    if (a->is_open && a->session.live)
        session_sample(&a->session, dashboard_database(&a->dashboard), a->second_ms);
    if (!a->is_open && !a->making)
        migrations_read(&a->list, a->options->state_dir);
    if (a->making)
        wizard_keep(&a->wizard);
    a->dirty = a->dirty || !a->making || wizard_is_busy(&a->wizard);
}

static int wait_ms(const struct app *a)
{
    int64_t now = clock_mono_ms();
    int64_t until = a->second_ms + SECOND_MS;

    if (a->dirty && a->drawn_ms + DRAW_MS < until)
        until = a->drawn_ms + DRAW_MS;
    return until > now ? (int)(until - now) : 0;
}

static void serve(struct app *a, const struct pollfd *fds)
{
    bool keyed = false;
    int key;

    /* What was typed behind the key that leaves is for the shell. */
    while (!a->leaving && (key = terminal_key()) != KEY_NOTHING) {
        take_key(a, key);
        keyed = true;
    }
    if (fds[0].revents & (POLLHUP | POLLERR))
        a->leaving = true;
    if (a->is_open && fds[2].revents) {
        session_serve(&a->session);
        dashboard_refresh(&a->dashboard);
        a->dirty = true;
    }
    if (a->aside.child.pid && fds[3].revents && child_serve(&a->aside.child)) {
        aside_ended(a);
        a->dirty = true;
    }
    if (a->making && wizard_serve(&a->wizard))
        a->dirty = true;
    if (a->making && a->wizard.started) {
        follow_wizard(a);
        a->dirty = true;
    }
    int64_t now = clock_mono_ms();
    if (now >= a->second_ms + SECOND_MS)
        every_second(a);
    if (keyed || (a->dirty && now >= a->drawn_ms + DRAW_MS))
        draw(a);
}

static void run(struct app *a)
{
    every_second(a);
    draw(a);
    while (!a->leaving && !stop_requested()) {
        struct pollfd fds[4 + SIDES] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = stop_fd(), .events = POLLIN},
            {.fd = a->is_open && a->session.live ? a->session.channel.fd : -1, .events = session_events(&a->session)},
            {.fd = a->aside.child.pid ? a->aside.child.fd : -1, .events = POLLIN},
        };
        for (int i = 0; i < SIDES; i++)
            fds[4 + i].fd = -1;
        if (a->making)
            wizard_poll(&a->wizard, fds + 4);
        if (poll(fds, 4 + SIDES, wait_ms(a)) < 0)
            memset(fds, 0, sizeof fds);
        serve(a, fds);
    }
}

static void farewell(const struct app *a)
{
    if (a->is_open && a->session.live)
        fprintf(stderr, "The engine of \"%s\" goes on: \"pgcutover open %s\" comes back to it, \"pgcutover status %s\" shows it.\n",
                a->session.name, a->session.name, a->session.name);
    if (a->making)
        fprintf(stderr, "The plan is kept as a draft: \"pgcutover\" goes on with it. Nothing was changed on either server.\n");
}

/* The named theme; where it is broken or missing that is said, and the default used. */
static void find_theme(const char *name, struct theme *theme)
{
    struct err err = ERR_INIT;

    theme_find(theme, "default", NULL);
    if (name && !theme_find(theme, name, &err)) {
        char *text = err_text(&err);
        fprintf(stderr, "pgcutover: %s\n  The default theme is used.\n", text);
        free(text);
        err_clear(&err);
    }
}

int ui_run(const struct ui_options *options, struct err *err)
{
    const char *no_colour = getenv("NO_COLOR");
    struct app a = {.options = options};
    struct theme theme;

    setlocale(LC_CTYPE, "");
    a.session.channel.fd = -1;
    find_theme(options->theme, &theme);
    if (options->name && !open_migration(&a, options->name, err))
        return err_exit_code(err);
    migrations_read(&a.list, options->state_dir);
    if (!options->name && (options->plan || !a.list.count) && !open_wizard(&a, options->plan, err))
        return err_exit_code(err);
    stop_catch_signals(true);
    signal(SIGPIPE, SIG_IGN);
    if (!terminal_start(&theme, no_colour && *no_colour, err)) {
        close_wizard(&a);
        migrations_release(&a.list);
        close_migration(&a);
        return err_exit_code(err);
    }
    a.theme = options->theme ? options->theme : "default";
    if (options->mouse)
        terminal_take_mouse();
    a.canvas.glyphs = terminal_is_utf8() ? &glyphs_utf8 : &glyphs_ascii;
    run(&a);
    terminal_stop();
    farewell(&a);
    close_wizard(&a);
    close_migration(&a);
    aside_release(&a.aside);
    migrations_release(&a.list);
    canvas_release(&a.canvas);
    return stop_requested() ? 130 : 0;
}

bool ui_check_theme(const char *path, struct err *err)
{
    struct theme theme;

    if (!theme_read(&theme, path, err))
        return false;
    printf("%s: a theme without a fault\n", path);
    return true;
}
