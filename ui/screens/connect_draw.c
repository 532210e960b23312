/* Screen 1 as it is drawn. */
#include <stdio.h>

#include "ui/screens/connect.h"

#define LABEL 11
#define RESULT_ROWS 4 /* as many as the question takes; more where there is room */
#define SCRATCH_ROWS 40

static const char *const labels[FIELDS] = {
    [FIELD_URI] = "URI",
    [FIELD_HOST] = "Host",
    [FIELD_PORT] = "Port",
    [FIELD_DATABASE] = "Database",
    [FIELD_USER] = "User",
    [FIELD_PASSWORD] = "Password",
    [FIELD_TLS] = "TLS",
    [FIELD_CA] = "CA file",
    [FIELD_SSH] = "SSH server",
    [FIELD_SSH_LOGIN] = "SSH login",
    [FIELD_SSH_KEY] = "Key file",
    [FIELD_SSH_PASSPHRASE] = "Passphrase",
    [FIELD_SSH_PASSWORD] = "SSH passw.",
    [FIELD_SSH_JUMP] = "Jump host",
};

/* The part of the screen that belongs to a side. */
struct place {
    int col, width;
};

static int count_shown(const struct connect_side *s)
{
    int count = 0;

    for (int i = 0; i < FIELDS; i++)
        count += connect_shows(s, (enum connect_field)i);
    return count;
}

static void draw_fields(const struct connect *screen, enum side side, struct canvas *c, int row, struct place place)
{
    const struct connect_side *s = &screen->sides[side];

    int col = place.col + canvas_put(c, row, place.col, place.width, ROLE_HEADER, side == SOURCE ? "Source" : "Target");
    if (side == SOURCE && screen->databases > 1)
        canvas_putf(c, row, col + 1, place.width - 7, ROLE_TEXT, "%d databases, F2 shows them", screen->databases);
    row++;
    for (int i = 0; i < FIELDS; i++) {
        bool focus = screen->focus == 1 + (int)side * FIELDS + i;
        if (!connect_shows(s, (enum connect_field)i))
            continue;
        canvas_put(c, row, place.col, LABEL - 1, focus ? ROLE_KEY : ROLE_TEXT, labels[i]);
        field_draw(&s->fields[i], c, row++, place.col + LABEL, place.width - LABEL, focus);
    }
}

/* Rows that the text would take. */
static int rows_of(const struct canvas *c, int width, const char *text)
{
    struct canvas scratch;

    canvas_init(&scratch, SCRATCH_ROWS, c->cols, c->glyphs);
    int rows = canvas_wrap(&scratch, 0, 0, width, SCRATCH_ROWS, ROLE_TEXT, text);
    canvas_release(&scratch);
    return rows;
}

static void draw_words(const struct connect_side *s, struct canvas *c, int row, int rows, struct place place)
{
    bool ok = s->state == ANSWERED;
    int width = place.width - 3;
    bool fits = rows_of(c, width, s->words) <= rows;

    canvas_put(c, row, place.col, 2, ok ? ROLE_OK : ROLE_ERROR, ok ? c->glyphs->ok : c->glyphs->error);
    canvas_wrap(c, row, place.col + 3, width, fits ? rows : rows - 1, ROLE_TEXT, s->words);
    if (!fits)
        canvas_put(c, row + rows - 1, place.col + 3, width, ROLE_KEY, "Ctrl-E shows all of it");
}

static void draw_result(const struct connect_side *s, struct canvas *c, int row, int rows, struct place place, int64_t now_ms)
{
    if (s->state == TRYING) {
        canvas_put(c, row, place.col, 2, ROLE_BUSY, c->glyphs->busy);
        canvas_putf(c, row, place.col + 3, place.width - 3, ROLE_BUSY, "connecting, %lld s", (long long)((now_ms - s->since_ms) / 1000));
    } else if (s->state == UNTRIED) {
        canvas_put(c, row, place.col, place.width, ROLE_DIM, "not tried yet");
    } else {
        draw_words(s, c, row, rows, place);
    }
}

static void draw_question(struct connect *screen, struct canvas *c, int row)
{
    const struct connect_side *s = connect_asking(screen);
    bool jump = s->asked == HOP_JUMP;

    canvas_putf(c, row, 1, -1, ROLE_WARNING, "%s The key of the %s's %s is not known. It shows", c->glyphs->warning,
                s == &screen->sides[SOURCE] ? "source" : "target", jump ? "jump host" : "SSH server");
    canvas_putf(c, row + 1, 3, -1, ROLE_HEADER, "%s  (%s)", s->shown, s->fields[jump ? FIELD_SSH_JUMP : FIELD_SSH].text);
    canvas_put(c, row + 2, 1, -1, ROLE_TEXT, "Compare it with what its administrator says: ssh-keygen -lf prints it there.");
    int col = 2 + canvas_put(c, row + 3, 1, -1, ROLE_TEXT, "Type yes and Enter where it is the right one; Esc trusts nobody.");
    field_draw(&screen->answer, c, row + 3, col, 5, true);
}

static int draw_whole(const struct connect_side *s, struct canvas *c, int row, int end, const char *title)
{
    canvas_put(c, row++, 1, -1, ROLE_HEADER, title);
    if (s->state != ANSWERED && s->state != REFUSED)
        canvas_put(c, row, 3, -1, ROLE_DIM, s->state == TRYING ? "has not answered yet" : "not tried yet");
    else
        row += canvas_wrap(c, row, 3, c->cols - 4, end - row, s->state == REFUSED ? ROLE_ERROR : ROLE_TEXT, s->words);
    if (s->state == REFUSED && s->detail && row < end)
        row += canvas_wrap(c, row, 3, c->cols - 4, end - row, ROLE_TEXT, s->detail);
    return row + 2;
}

static void draw_all(const struct connect *screen, struct canvas *c, int row, int end)
{
    c->cursor_row = row;
    row = draw_whole(&screen->sides[SOURCE], c, row, end, "What the source says");
    if (row < end)
        draw_whole(&screen->sides[TARGET], c, row, end, "What the target says");
}

void connect_draw(struct connect *screen, struct canvas *c, int row, int rows, int64_t now_ms)
{
    int width = (c->cols - 4) / 2;
    int source = count_shown(&screen->sides[SOURCE]), target = count_shown(&screen->sides[TARGET]);
    int fields = 1 + (source > target ? source : target);
    int spare = rows - 1 - fields - RESULT_ROWS;
    int end = row + rows;
    const struct place places[SIDES] = {{1, width}, {3 + width, width}};

    if (screen->telling) {
        draw_all(screen, c, row, end);
        return;
    }
    canvas_put(c, row, 1, -1, screen->focus == 0 ? ROLE_KEY : ROLE_TEXT, "Migration");
    field_draw(&screen->name, c, row, 1 + LABEL, width - LABEL, screen->focus == 0);
    row += 1 + (spare > 1);
    draw_fields(screen, SOURCE, c, row, places[SOURCE]);
    draw_fields(screen, TARGET, c, row, places[TARGET]);
    row += fields + (spare > 0);
    if (connect_asking(screen)) {
        draw_question(screen, c, row);
        return;
    }
    for (int side = 0; side < SIDES; side++)
        draw_result(&screen->sides[side], c, row, end - row, places[side], now_ms);
}
