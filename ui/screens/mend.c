#include "ui/screens/mend.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "ui/said.h"
#include "ui/terminal.h"

void mend_end(struct mend *mend)
{
    free(mend->id);
    free(mend->side);
    free(mend->database);
    free(mend->text);
    cJSON_Delete(mend->shown);
    *mend = (struct mend){.waits_for = mend->waits_for};
}

void mend_release(struct mend *mend)
{
    mend_end(mend);
    free(mend->waits_for);
    mend->waits_for = NULL;
}

void mend_begin(struct mend *mend, const cJSON *finding)
{
    mend_end(mend);
    mend->id = xstrdup(json_str(finding, "id"));
    mend->side = xstrdup(json_str(finding, "side"));
    mend->database = xstrdup(json_str(finding, "databaseName"));
    mend->state = MEND_LOOKING;
}

void mend_words(const struct mend *mend, const char *words[9])
{
    size_t count = 0;

    words[count++] = "--fix";
    words[count++] = mend->id;
    words[count++] = "--side";
    words[count++] = mend->side;
    if (mend->database) {
        words[count++] = "--database-name";
        words[count++] = mend->database;
    }
    words[count++] = mend->state == MEND_RUNNING ? "--yes" : "--dry-run";
    words[count++] = "--json";
    words[count] = NULL;
}

static void tell(struct mend *mend, char *text)
{
    free(mend->text);
    mend->text = text;
    mend->state = MEND_TOLD;
    mend->top = 0;
}

/* statement lines, as they stand in the answer */
static void add_statements(struct buf *out, const char *text)
{
    char *copy = xstrdup(text), *rest = copy;

    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n"))
        buf_addf(out, "  %s\n", line);
    free(copy);
}

static void ask(struct mend *mend)
{
    const char *statements = json_str(mend->shown, "statements"), *undo = json_str(mend->shown, "undo");
    struct buf out = BUF_INIT;

    buf_addf(&out, "This is run on the %s:\n", mend->side);
    add_statements(&out, statements);
    if (json_bool(mend->shown, "reload", false))
        buf_addstr(&out, "  SELECT pg_reload_conf();\n");
    buf_addstr(&out, json_bool(mend->shown, "lasts", false) ? "It stays when the migration ends. This takes it back:\n"
                                                           : "It is taken back at the migration's end:\n");
    add_statements(&out, undo ? undo : "-");
    tell(mend, buf_take(&out));
    mend->state = MEND_ASKING;
}

/* What only people can do. */
static void advise(struct mend *mend)
{
    const char *advice = json_str(mend->shown, "fix");

    tell(mend, xasprintf("Nothing of what mends it can be run from here.\n%s", advice ? advice : ""));
}

static bool take_outcome(struct mend *mend, const cJSON *json, char **said)
{
    const char *outcome = json_str(json, "outcome"), *message = json_str(json, "message");

    free(mend->waits_for);
    mend->waits_for = NULL;
    if (strcmp(outcome, "restart") == 0) {
        mend->waits_for = xstrdup(mend->id);
        *said = xasprintf("%s: written. Restart the %s yourself: the checks are made again until it counts.", mend->id, mend->side);
    } else if (strcmp(outcome, "mended") == 0) {
        *said = xasprintf("%s is mended.", mend->id);
    } else {
        *said = xasprintf("%s: it was run, and this is still found: %s", mend->id, message ? message : "");
    }
    mend_end(mend);
    return true;
}

bool mend_answer(struct mend *mend, const char *text, char **said)
{
    cJSON *json = cJSON_Parse(text);
    bool ran = false;

    *said = NULL;
    if (!json_str(json, "outcome")) {
        tell(mend, said_error(json_get(json, "error"), "The command gave no answer."));
    } else if (mend->state == MEND_RUNNING) {
        ran = take_outcome(mend, json, said);
    } else {
        cJSON_Delete(mend->shown);
        mend->shown = json;
        json = NULL;
        if (json_str(mend->shown, "statements"))
            ask(mend);
        else
            advise(mend);
    }
    cJSON_Delete(json);
    return ran;
}

bool mend_key(struct mend *mend, int key, bool *run)
{
    *run = false;
    if (mend->state != MEND_ASKING && mend->state != MEND_TOLD)
        return false;
    switch (key) {
    case 'j': case KEY_ARROW_DOWN: mend->top++; return true;
    case 'k': case KEY_ARROW_UP: mend->top -= mend->top > 0; return true;
    case 'y':
        *run = mend->state == MEND_ASKING;
        if (*run)
            mend->state = MEND_RUNNING;
        return true;
    case 'n': case KEY_ESCAPE: mend_end(mend); return true;
    default: return key != '?' && key != 'q';
    }
}

static const char *question(const struct mend *mend)
{
    switch (mend->state) {
    case MEND_LOOKING: return "looking what would be run";
    case MEND_ASKING: return "y runs it, n does not";
    case MEND_RUNNING: return "being run, and checked again";
    default: return "n closes this";
    }
}

/* A line of the text behind the cursor; further lines of a long one are wrapped. */
void mend_draw(struct mend *mend, struct canvas *c, int row, int rows)
{
    char *title = xasprintf("mend %s: %s", mend->id, question(mend));
    char *copy = xstrdup(mend->text ? mend->text : ""), *rest = copy;
    int end = row + rows, skip = mend->top;

    canvas_line(c, row++, title);
    for (char *line = strsep(&rest, "\n"); line && row < end; line = strsep(&rest, "\n"))
        if (skip-- <= 0) {
            int indent = (int)strspn(line, " ");
            int used = canvas_wrap(c, row, 2 + indent, c->cols - 4 - indent, end - row, ROLE_TEXT, line + indent);
            row += used > 0 ? used : 1;
        }
    free(copy);
    free(title);
}
