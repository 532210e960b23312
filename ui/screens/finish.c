#include "ui/screens/finish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"

#define TABLES_NAMED 5

static bool has_ended(const struct dashboard *d)
{
    const char *phase = session_text(dashboard_database(d), "phase");

    return strcmp(phase, "done") == 0 || strcmp(phase, "cancelled") == 0 || strcmp(phase, "failed") == 0;
}

/* --- drawing --- */

static int heading(struct canvas *c, int row, int end, const char *text)
{
    if (row < end)
        canvas_put(c, row, 1, -1, ROLE_HEADER, text);
    return row + 1;
}

static const char *outcome(const char *phase)
{
    if (strcmp(phase, "done") == 0)
        return "The target is open.";
    if (strcmp(phase, "cancelled") == 0)
        return "It was cancelled; the source is as it was before.";
    return strcmp(phase, "failed") == 0 ? "It has failed; the source is as it was before." : "It goes on: nothing of this is final.";
}

static int result(const struct dashboard *d, struct canvas *c, int row, int end)
{
    const cJSON *db = dashboard_database(d);
    struct verified_counts n = dashboard_verified(d);
    char rows[32], changes[32];

    units_count((int64_t)session_num(db, "fullLoadRows"), rows, sizeof rows);
    units_count((int64_t)session_num(db, "appliedChanges"), changes, sizeof changes);
    row = heading(c, row, end, outcome(session_text(db, "phase")));
    if (row < end)
        canvas_putf(c, row, 3, -1, ROLE_TEXT, "%s rows loaded, %s changes applied, up to %s", rows, changes, session_text(db, "appliedLsn"));
    row++;
    if (row < end && session_num(db, "downtimeSeconds") > 0)
        canvas_putf(c, row++, 3, -1, ROLE_TEXT, "Writes were stopped for %.3f s.", session_num(db, "downtimeSeconds"));
    if (row < end)
        canvas_putf(c, row, 3, -1, n.different ? ROLE_ERROR : n.others ? ROLE_WARNING : ROLE_OK, "%s %d equal, %d different, %d not compared",
                    n.different ? c->glyphs->error : n.others ? c->glyphs->warning : c->glyphs->ok, n.equal, n.different, n.others);
    return row + 1;
}

/* Those that are not plainly equal, by name; v has them all. */
static int exceptions(const struct dashboard *d, struct canvas *c, int row, int end)
{
    int named = 0;

    for (int i = 0; i < d->count && named < TABLES_NAMED && row < end; i++) {
        const cJSON *t = d->tables[i];
        const char *state = session_text(t, "verifyState");
        if (strcmp(state, "equal") == 0)
            continue;
        canvas_putf(c, row++, 5, -1, strcmp(state, "different") == 0 ? ROLE_ERROR : ROLE_WARNING, "%s: %s%s%s", session_text(t, "tableName"),
                    *state ? state : "not compared", *session_text(t, "verifyNote") ? ": " : "", session_text(t, "verifyNote"));
        named++;
    }
    return row;
}

static int left_item(struct canvas *c, int row, int end, const cJSON *item)
{
    const char *side = session_text(item, "side");
    const char *statement = session_text(item, "statement");

    canvas_putf(c, row, 3, -1, ROLE_TEXT, "%s%s%s %s", side, *side ? ": " : "", session_text(item, "kind"), session_text(item, "name"));
    row++;
    if (row < end)
        canvas_put(c, row++, 7, -1, ROLE_DIM, *statement ? statement : "stays");
    return row;
}

static int left(const struct dashboard *d, struct canvas *c, int row, int end)
{
    const cJSON *item;

    row = heading(c, row, end, "What is still on the servers, and would be taken back");
    if (row < end && !d->left)
        canvas_put(c, row++, 3, -1, ROLE_DIM, "is being read ...");
    else if (row < end && !cJSON_GetArraySize(d->left))
        canvas_putf(c, row++, 3, -1, ROLE_OK, "%s nothing", c->glyphs->ok);
    cJSON_ArrayForEach(item, d->left)
        if (row < end)
            row = left_item(c, row, end, item);
    return row;
}

void pane_finish(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    int end = row + rows;
    int keys = end - 4;

    row = result(d, c, row, keys);
    row = exceptions(d, c, row, keys) + 1;
    left(d, c, row, keys);
    canvas_put(c, keys, 1, -1, ROLE_TEXT, "w  writes the report here: one page of HTML; T the same as text, J as JSON.");
    canvas_put(c, keys + 1, 1, -1, has_ended(d) ? ROLE_TEXT : ROLE_DIM,
               has_ended(d) ? "D  deletes the migration: what is above is taken back."
                            : "D  deletes the migration, when it has ended.");
    canvas_put(c, keys + 2, 1, -1, has_ended(d) ? ROLE_TEXT : ROLE_DIM,
               "B  goes back to the source and loses nothing, where the cutover has armed it.");
}

/* --- keys --- */

void dashboard_ask_ended(struct dashboard *d, const char *command)
{
    if (!has_ended(d)) {
        snprintf(d->message, sizeof d->message, "Not before the migration has ended: c cuts over, X cancels.");
        d->is_error = true;
        return;
    }
    d->word[0] = '\0';
    d->confirming = command;
}

bool finish_key(struct dashboard *d, int key)
{
    switch (key) {
    case 'w': d->asked = "report"; return true;
    case 'T': d->asked = "report txt"; return true;
    case 'J': d->asked = "report json"; return true;
    case 'D': dashboard_ask_ended(d, "delete"); return true;
    case 'B': dashboard_ask_ended(d, "fallback"); return true;
    default: return false;
    }
}
