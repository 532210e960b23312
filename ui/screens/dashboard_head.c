/* The rows that every pane of the dashboard has above it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "ui/screens/dashboard.h"
#include "ui/screens/frame.h"

struct look {
    const char *glyph;
    enum role role;
};

static struct look look_of(const struct dashboard *d, const struct glyphs *glyphs)
{
    const cJSON *database = dashboard_database(d);
    const char *hold = session_text(database, "hold");
    const char *state = session_text(database, "migrationState");

    if (strcmp(state, "FAILED") == 0 || (!d->session->live && strcmp(state, "COMPLETE") != 0))
        return (struct look){glyphs->error, ROLE_ERROR};
    if (*hold || strcmp(state, "CANCELLED") == 0)
        return (struct look){glyphs->warning, ROLE_WARNING};
    if (strcmp(state, "READY_TO_COMPLETE") == 0 || strcmp(state, "COMPLETE") == 0)
        return (struct look){glyphs->ok, ROLE_OK};
    return (struct look){glyphs->busy, ROLE_BUSY};
}

const char *dashboard_state(const struct dashboard *d)
{
    const cJSON *database = dashboard_database(d);
    const char *state = session_text(database, "migrationState");
    const char *hold = session_text(database, "hold");
    bool ended = strcmp(state, "COMPLETE") == 0 || strcmp(state, "CANCELLED") == 0;

    if (!database)
        return d->session->live ? "starting" : "no engine";
    if (!d->session->live && !ended)
        return "no engine";
    if (*hold)
        return hold;
    return strcmp(state, "READY_TO_COMPLETE") == 0 ? "ready to cut over" : session_text(database, "phase");
}

static void draw_title(const struct dashboard *d, struct canvas *c)
{
    const cJSON *migration = session_migration(d->session);
    const cJSON *database = dashboard_database(d);
    struct look look = look_of(d, c->glyphs);
    char clock[16];

    canvas_role(c, 0, 0, c->cols, ROLE_TITLE);
    clock_hms(d->now_us, clock);
    char *right = xasprintf("%s  %s %s  %s ", d->session->has_control ? "control" : "observe", look.glyph, dashboard_state(d), clock);
    int room = c->cols - canvas_width(c, right) - 1;
    int col = canvas_putf(c, 0, 0, room, ROLE_TITLE, " pgcutover  %s  ", d->session->name);
    if (json_str(migration, "sourceServer") && room > col) /* the engine has been connected */
        canvas_putf(c, 0, col, room - col, ROLE_TITLE, "%s/%s (%s) %s %s/%s (%s)",
                    session_text(migration, "sourceServer"), session_text(database, "databaseName"),
                    session_text(migration, "sourceVersion"), c->glyphs->arrow, session_text(migration, "targetServer"),
                    session_text(database, "targetDatabaseName"), session_text(migration, "targetVersion"));
    canvas_right(c, 0, room, c->cols - room, ROLE_TITLE, right);
    free(right);
}

static void draw_load(const struct dashboard *d, struct canvas *c, int row)
{
    const cJSON *db = dashboard_database(d);
    double bytes = session_num(db, "fullLoadBytes");
    double total = session_num(db, "fullLoadExpectedBytes");
    bool loading = strcmp(session_text(db, "phase"), "loading") == 0;
    double part = total > 0 ? bytes / total : json_bool(db, "initializationCompleted", false);
    int width = c->cols / 4;
    char a[32], b[32], rate[48] = "", left[48] = "";

    units_bytes((int64_t)bytes, a, sizeof a);
    units_bytes((int64_t)total, b, sizeof b);
    if (loading && d->session->load_rate > 0) {
        char text[32];
        units_bytes((int64_t)d->session->load_rate, text, sizeof text);
        snprintf(rate, sizeof rate, "  %s/s", text);
        units_duration((int64_t)((total - bytes) / d->session->load_rate * 1e6), text, sizeof text);
        snprintf(left, sizeof left, "  left %s", text);
    }
    canvas_put(c, row, 1, 5, ROLE_HEADER, "Load");
    canvas_bar(c, row, 6, width, part);
    canvas_putf(c, row, 7 + width, -1, ROLE_TEXT, "%3.0f%%  %s of about %s%s%s  tables %.0f/%.0f %s%.0f", 100 * part, a, b, rate,
                left, session_num(db, "fullLoadCompletedTables"), session_num(db, "tableCount"), c->glyphs->error,
                session_num(db, "fullLoadErroredTables"));
}

static void draw_sync(const struct dashboard *d, struct canvas *c, int row)
{
    const struct session *s = d->session;
    const cJSON *db = dashboard_database(d);
    char applied[32], incoming[32], rate[32], kept[32];
    int width = c->cols / 10;

    units_count((int64_t)session_num(db, "appliedChanges"), applied, sizeof applied);
    units_count((int64_t)session_num(db, "incomingChanges"), incoming, sizeof incoming);
    units_count((int64_t)(s->samples ? s->rate[s->samples - 1] : 0), rate, sizeof rate);
    units_bytes((int64_t)session_num(db, "slotRetainedBytes"), kept, sizeof kept);
    canvas_put(c, row, 1, 5, ROLE_HEADER, "Sync");
    int col = 6 + canvas_putf(c, row, 6, -1, ROLE_TEXT, "applied %s  incoming %s  lag %.1f s  %s/s ", applied, incoming,
                              session_num(db, "latency"), rate);
    canvas_sparkline(c, row, col, width, s->rate, s->samples);
    col += (s->samples < width ? s->samples : width) + 2;
    canvas_putf(c, row, col, c->cols - col, ROLE_TEXT, "slot %s", kept);
}

static enum frame_step step_of(const struct dashboard *d)
{
    if (d->pane == PANE_CUTOVER)
        return FRAME_CUTOVER;
    if (d->pane == PANE_STATEMENTS)
        return FRAME_SCHEMA;
    return d->pane == PANE_VERIFY || d->pane == PANE_FINISH ? FRAME_VERIFY : FRAME_SYNC;
}

void dashboard_head(const struct dashboard *d, struct canvas *c)
{
    draw_title(d, c);
    steps_draw(c, 1, step_of(d));
    draw_load(d, c, 2);
    draw_sync(d, c, 3);
    canvas_line(c, 4, session_database(d->session, 1) ? session_text(dashboard_database(d), "databaseName") : NULL);
}
