#include "ui/terminal.h"

#include <errno.h>
#include <langinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

static struct {
    bool started;
    SCREEN *screen;
    struct termios before;
    char farewell[256]; /* what curses sends at its end */
    volatile size_t farewell_len;
    bool colours;
    bool has_title;
    char title[160]; /* as it was sent last */
    int click_row, click_col;
    chtype attributes[ROLE_COUNT];
    short pairs[ROLE_COUNT];
} terminal;

static bool knows_titles(void);

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

static int collect(int ch)
{
    if (terminal.farewell_len < sizeof terminal.farewell)
        terminal.farewell[terminal.farewell_len++] = (char)ch;
    return ch;
}

static const char title_back[] = "\033]2;\007\033[23;2t"; /* empty where the terminal keeps none */
static const char mouse_off[] = "\033[?1000l\033[?1002l\033[?1006l";

static void add_farewell(const char *text)
{
    for (; *text; text++)
        collect(*text);
}

static void prepare_farewell(bool mouse)
{
    static const char *const names[] = {"sgr0", "op", "cnorm", "rmkx", "rmcup"};

    terminal.farewell_len = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *text = tigetstr((char *)names[i]);
        if (text && text != (char *)-1)
            tputs(text, 1, collect);
    }
    if (mouse)
        add_farewell(mouse_off);
    if (knows_titles())
        add_farewell(title_back);
}

/* The handler is gone by now (SA_RESETHAND): raised again, the signal ends the process as it would have. */
static void on_crash(int signo)
{
    ssize_t sent = write(STDOUT_FILENO, terminal.farewell, terminal.farewell_len);

    (void)sent;
    tcsetattr(STDIN_FILENO, TCSANOW, &terminal.before);
    raise(signo);
}

static void catch_crashes(void)
{
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        sigaction(crashes[i], &action, NULL);
}

/* Terminals of eight colours have the bright ones as bold. */
static short colour_of(int colour, bool foreground, chtype *attributes)
{
    if (colour < 8 || COLORS >= 16)
        return (short)colour;
    if (foreground)
        *attributes |= A_BOLD;
    return (short)(colour - 8);
}

static void use_theme(const struct theme *theme, bool colours)
{
    static const chtype bits[] = {A_BOLD, A_DIM, A_REVERSE, A_UNDERLINE};

    for (int i = 0; i < ROLE_COUNT; i++) {
        const struct style *style = &theme->styles[i];
        chtype *attributes = &terminal.attributes[i];
        *attributes = 0;
        terminal.pairs[i] = 0;
        for (int bit = 0; bit < 4; bit++)
            *attributes |= style->attributes & 1U << bit ? bits[bit] : 0;
        if (!colours || (style->foreground < 0 && style->background < 0))
            continue;
        short foreground = colour_of(style->foreground, true, attributes);
        terminal.pairs[i] = (short)(i + 1);
        init_pair(terminal.pairs[i], foreground, colour_of(style->background, false, attributes));
    }
}

void terminal_theme(const struct theme *theme)
{
    if (terminal.colours)
        use_theme(theme, true);
    clearok(curscr, true);
}

/* XTerm Control Sequences, "Operating System Commands" 2 and "Window manipulation" 22 and 23: these and what is like them. */
static bool knows_titles(void)
{
    static const char *const names[] = {"xterm", "screen", "tmux", "rxvt", "alacritty", "foot", "konsole", "putty", "gnome", "vte"};
    const char *term = getenv("TERM");

    for (size_t i = 0; term && i < sizeof names / sizeof *names; i++)
        if (strncmp(term, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void send_bytes(const char *text)
{
    fflush(stdout);
    ssize_t sent = write(STDOUT_FILENO, text, strlen(text));
    (void)sent;
}

void terminal_title(const char *text)
{
    char clean[sizeof terminal.title], sequence[sizeof clean + 16];
    size_t len = 0;

    for (; *text && len + 1 < sizeof clean; text++)
        clean[len++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
    clean[len] = '\0';
    if (!terminal.has_title || strcmp(clean, terminal.title) == 0)
        return;
    if (!terminal.title[0])
        send_bytes("\033[22;2t"); /* the terminal keeps the one that it has */
    memcpy(terminal.title, clean, sizeof clean);
    snprintf(sequence, sizeof sequence, "\033]2;%s\007", clean);
    send_bytes(sequence);
}

void terminal_take_mouse(void)
{
    mouseinterval(0);
    mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    prepare_farewell(true);
}

void terminal_click(int *row, int *col)
{
    *row = terminal.click_row;
    *col = terminal.click_col;
}

static int mouse_key(void)
{
    MEVENT event;

    if (getmouse(&event) != OK)
        return KEY_NOTHING;
    if (event.bstate & BUTTON4_PRESSED)
        return KEY_ARROW_UP;
    if (event.bstate & BUTTON5_PRESSED)
        return KEY_ARROW_DOWN;
    terminal.click_row = event.y;
    terminal.click_col = event.x;
    return event.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED) ? KEY_CLICK : KEY_NOTHING;
}

bool terminal_start(const struct theme *theme, bool no_colour, struct err *err)
{
    struct theme mono = *theme;

    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &terminal.before) != 0) {
        err_set(err, ERR_USAGE, "this needs a terminal");
        err_hint(err, "Without one: \"pgcutover --batch PLAN\", \"pgcutover status NAME\", \"pgcutover cutover NAME\".");
        return false;
    }
    terminal.screen = newterm(NULL, stdout, stdin);
    if (!terminal.screen || !tigetstr("cup") || tigetstr("cup") == (char *)-1) {
        if (terminal.screen) {
            endwin();
            delscreen(terminal.screen);
        }
        err_set(err, ERR_USAGE, "the terminal \"%s\" cannot be drawn on", getenv("TERM") ? getenv("TERM") : "");
        err_hint(err, "With --plain the same is asked and shown line by line.");
        return false;
    }
    bool colours = !no_colour && has_colors() && start_color() == OK;
    if (colours)
        use_default_colors();
    else
        theme_find(&mono, "monochrome", NULL);
    use_theme(&mono, colours);
    terminal.colours = colours;
    terminal.has_title = knows_titles();
    set_escdelay(200); /* 25 breaks arrow keys on slow links, 1000 feels dead */
    raw();
    noecho();
    nonl();
    keypad(stdscr, true);
    nodelay(stdscr, true);
    prepare_farewell(false);
    catch_crashes();
    terminal.started = true;
    return true;
}

void terminal_stop(void)
{
    if (!terminal.started)
        return;
    terminal.started = false;
    if (terminal.title[0])
        send_bytes(title_back);
    endwin();
    delscreen(terminal.screen);
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
}

bool terminal_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void terminal_size(int *rows, int *cols)
{
    getmaxyx(stdscr, *rows, *cols);
}

void terminal_show(const struct canvas *canvas)
{
    for (int row = 0; row < canvas->rows; row++) {
        for (int col = 0; col < canvas->cols; col++) {
            const struct cell *cell = canvas_at(canvas, row, col);
            cchar_t shown;
            if (!cell->text[0])
                continue;
            setcchar(&shown, cell->text, terminal.attributes[cell->role], terminal.pairs[cell->role], NULL);
            mvadd_wch(row, col, &shown);
        }
    }
    move(canvas->cursor_row, canvas->cursor_col);
    refresh();
}

void terminal_redraw(void)
{
    clearok(curscr, true);
}

#define EDITOR_TURN_MS 200

static const char *editor(void)
{
    const char *visual = getenv("VISUAL"), *other = getenv("EDITOR");

    return visual && *visual ? visual : other && *other ? other : "vi";
}

/* EDITOR may have arguments: the shell splits it. */
static void run_editor(const char *path)
{
    char *command = xasprintf("%s \"$1\"", editor());

    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++)
        signal(crashes[i], SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
    _exit(127);
}

static int wait_for_editor(pid_t pid, void (*meanwhile)(void *arg), void *arg)
{
    struct timespec turn = {.tv_nsec = EDITOR_TURN_MS * 1000000L};
    int status = 0;
    pid_t ended;

    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 || (ended < 0 && errno == EINTR)) {
        meanwhile(arg);
        nanosleep(&turn, NULL);
    }
    return status;
}

bool terminal_edit(const char *path, void (*meanwhile)(void *arg), void *arg, struct err *err)
{
    def_prog_mode();
    endwin();
    void (*interrupt)(int) = signal(SIGINT, SIG_IGN); /* Ctrl-C there is the editor's */
    void (*quit)(int) = signal(SIGQUIT, SIG_IGN);
    pid_t pid = fork();
    if (pid == 0)
        run_editor(path);
    if (pid < 0)
        err_errno(err, "could not start \"%s\"", editor());
    int status = pid > 0 ? wait_for_editor(pid, meanwhile, arg) : 1;
    signal(SIGINT, interrupt);
    signal(SIGQUIT, quit);
    reset_prog_mode();
    clearok(curscr, true);
    refresh();
    if (pid > 0 && status != 0) {
        err_set(err, ERR_IO, "the editor \"%s\" ended with an error: nothing was decided", editor());
        err_hint(err, "EDITOR names the editor that is used.");
    }
    return status == 0;
}

static int special_key(wint_t key)
{
    static const struct {
        int curses, ours;
    } keys[] = {
        {KEY_UP, KEY_ARROW_UP},     {KEY_DOWN, KEY_ARROW_DOWN},  {KEY_LEFT, KEY_ARROW_LEFT}, {KEY_RIGHT, KEY_ARROW_RIGHT},
        {KEY_PPAGE, KEY_PAGE_UP},   {KEY_NPAGE, KEY_PAGE_DOWN},  {KEY_HOME, KEY_FIRST},      {KEY_END, KEY_LAST},
        {KEY_BACKSPACE, KEY_ERASE}, {KEY_BTAB, KEY_TAB_BACK},    {KEY_RESIZE, KEY_RESIZED},  {KEY_ENTER, KEY_RETURN},
        {KEY_DC, KEY_DELETE},       {KEY_F(1), KEY_HELP},        {KEY_F(5), KEY_TEST},
        {KEY_F(2), KEY_DATABASES},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i].curses == (int)key)
            return keys[i].ours;
    return KEY_NOTHING;
}

int terminal_key(void)
{
    wint_t key;

    for (;;) {
        int got = get_wch(&key);
        int special = got != KEY_CODE_YES ? KEY_NOTHING : key == KEY_MOUSE ? mouse_key() : special_key(key);
        if (got == ERR)
            return KEY_NOTHING;
        if (got == KEY_CODE_YES && special == KEY_NOTHING)
            continue; /* one that means nothing here */
        if (got == KEY_CODE_YES)
            return special;
        switch (key) {
        case 3: return KEY_INTERRUPT;
        case 4: return KEY_DATABASES; /* Ctrl-D */
        case 5: return KEY_MORE;      /* Ctrl-E */
        case 8: case 127: return KEY_ERASE;
        case 12: return KEY_REDRAW;
        case 20: return KEY_TEST; /* Ctrl-T: terminals eat F-keys */
        case 21: return KEY_CLEAR_LINE;
        case '\r': return KEY_RETURN;
        default: return (int)key;
        }
    }
}
