#include "ui/screens/panes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

/* One line "label  value"; returns the next row. */
static int line(struct canvas *c, int row, int end, const char *label, const char *value)
{
    if (row >= end || !*value)
        return row;
    canvas_put(c, row, 1, 22, ROLE_DIM, label);
    return row + canvas_wrap(c, row, 24, c->cols - 25, end - row, ROLE_TEXT, value);
}

static int number(struct canvas *c, int row, int end, const char *label, double value)
{
    char text[32];

    units_count((int64_t)value, text, sizeof text);
    return line(c, row, end, label, text);
}

static int bytes(struct canvas *c, int row, int end, const char *label, double value)
{
    char text[32];

    units_bytes((int64_t)value, text, sizeof text);
    return line(c, row, end, label, text);
}

static int error_lines(struct canvas *c, int row, int end, const cJSON *error)
{
    struct err err = ERR_INIT;

    if (!cJSON_IsObject(error))
        return row;
    err_from_json(&err, error);
    row = line(c, row, end, "Error", err.message ? err.message : "");
    row = line(c, row, end, "SQLSTATE", err.sqlstate);
    row = line(c, row, end, "Detail", err.detail ? err.detail : "");
    row = line(c, row, end, "What to do", err.hint ? err.hint : "");
    err_clear(&err);
    return row;
}

/* Its indexes that are being built, each with how far its present phase is. */
static int build_lines(const struct dashboard *d, struct canvas *c, int row, int end, const char *table)
{
    const cJSON *build;

    cJSON_ArrayForEach(build, json_get(dashboard_database(d), "indexBuilds"))
    {
        if (strcmp(session_text(build, "tableName"), table) != 0)
            continue;
        const char *name = session_text(build, "indexName");
        char *text = cJSON_IsNumber(json_get(build, "phasePercent"))
                         ? xasprintf("%s: %s, %.0f %%", *name ? name : "an index", session_text(build, "phase"), session_num(build, "phasePercent"))
                         : xasprintf("%s: %s", *name ? name : "an index", session_text(build, "phase"));
        row = line(c, row, end, "Being built", text);
        free(text);
    }
    return row;
}

void pane_table(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    const cJSON *t = d->selected < d->count ? d->tables[d->selected] : NULL;
    int end = row + rows;

    if (!t)
        return;
    row = line(c, row, end, "Table", session_text(t, "tableName"));
    row = line(c, row, end, "On the target", session_text(t, "targetTableName"));
    row = line(c, row, end, "State", session_text(t, "loadPhase"));
    row = build_lines(d, c, row, end, session_text(t, "tableName"));
    row = line(c, row, end, "In the stream", session_text(t, "streamPhase"));
    row = number(c, row, end, "Rows loaded", session_num(t, "fullLoadTotalRows"));
    row = number(c, row, end, "Rows, estimated", session_num(t, "estimatedRows"));
    row = bytes(c, row, end, "Bytes loaded", session_num(t, "fullLoadTotalVolumeBytes"));
    row = bytes(c, row, end, "Bytes, estimated", session_num(t, "estimatedBytes"));
    row = line(c, row, end, "Load began", session_text(t, "fullLoadStartedOn"));
    row = line(c, row, end, "Load ended", session_text(t, "fullLoadEndedOn"));
    row = number(c, row, end, "Inserts applied", session_num(t, "cdcInsertCounter"));
    row = number(c, row, end, "Updates applied", session_num(t, "cdcUpdateCounter"));
    row = number(c, row, end, "Deletes applied", session_num(t, "cdcDeleteCounter"));
    row = number(c, row, end, "Truncates applied", session_num(t, "cdcTruncateCounter"));
    row = line(c, row, end, "Compared", session_text(t, "verifyState"));
    row = line(c, row, end, "As of", session_text(t, "verifiedLsn"));
    row = line(c, row, end, "What was found", session_text(t, "verifyNote"));
    error_lines(c, row, end, json_get(t, "lastError"));
}

void pane_error(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    const struct err *answer = &d->session->answer;
    const cJSON *error = json_get(dashboard_database(d), "lastError");
    int end = row + rows;

    if (err_is_set(answer)) {
        cJSON *json = err_to_json(answer);
        error_lines(c, row, end, json);
        cJSON_Delete(json);
    } else if (cJSON_IsObject(error)) {
        error_lines(c, row, end, error);
    } else {
        canvas_put(c, row, 1, -1, ROLE_DIM, "There is no error of the migration. E shows tables that have one.");
    }
}

void pane_lag(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    const cJSON *db = dashboard_database(d);
    const struct session *s = d->session;
    int end = row + rows - 1;
    char text[64];

    snprintf(text, sizeof text, "%.1f s, %.0f bytes of WAL", session_num(db, "latency"), session_num(db, "lagBytes"));
    row = line(c, row, end, "Lag", text);
    row = line(c, row, end, "Waiting for", session_text(db, "lagCause"));
    row = line(c, row, end, "Because", session_text(db, "lagDetail"));
    row = line(c, row, end, "Source is at", session_text(db, "sourceLsn"));
    row = line(c, row, end, "Received up to", session_text(db, "receivedLsn"));
    row = line(c, row, end, "Applied up to", session_text(db, "appliedLsn"));
    row = line(c, row, end, "Confirmed up to", session_text(db, "confirmedLsn"));
    row = bytes(c, row, end, "Source writes a second", session_num(db, "sourceWalBytesPerSecond"));
    row = bytes(c, row, end, "Received a second", session_num(db, "receivedBytesPerSecond"));
    row = bytes(c, row, end, "Spooled here", session_num(db, "spoolBytes"));
    row = line(c, row, end, "Slot", session_text(db, "slotName"));
    row = bytes(c, row, end, "The slot keeps", session_num(db, "slotRetainedBytes"));
    row = line(c, row, end, "Its limit", session_text(db, "slotLimit"));
    if (cJSON_IsNumber(json_get(db, "slotSecondsLeft"))) {
        units_duration((int64_t)(session_num(db, "slotSecondsLeft") * 1e6), text, sizeof text);
        row = line(c, row, end, "Reached in", text);
    }
    row = line(c, row, end, "Snapshot held since", session_text(db, "snapshotHeldSince"));
    canvas_put(c, row, 1, 22, ROLE_DIM, "Lag, a second each");
    canvas_sparkline(c, row, 24, c->cols - 25, s->lag, s->samples);
}

/* The engine's times are UTC, the clock in the title is local: so are these. "" where it is no time. */
static void local_time(const char *iso, char out[16])
{
    int64_t us;

    out[0] = '\0';
    if (clock_parse_iso(iso, &us))
        clock_hms(us, out);
}

bool local_day_and_time(const char *iso, char out[32])
{
    int64_t us;
    struct tm tm;

    out[0] = '\0';
    if (!clock_parse_iso(iso, &us))
        return false;
    time_t seconds = (time_t)(us / 1000000);
    localtime_r(&seconds, &tm);
    strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm);
    return true;
}

/* The last of them; scrolling goes back. */
void pane_events(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    int count = cJSON_GetArraySize(d->session->events);
    int back = d->pane == PANE_EVENTS ? d->scroll : 0;
    int first = count - rows - back;
    const cJSON *event;

    if (first < 0)
        first = 0;
    event = cJSON_GetArrayItem(d->session->events, first);
    for (int i = 0; i < rows && event; i++, event = event->next) {
        const char *level = session_text(event, "level");
        char time[16];
        bool error = strcmp(level, "error") == 0;
        bool info = strcmp(level, "info") == 0;
        local_time(session_text(event, "time"), time);
        canvas_put(c, row + i, 1, 8, ROLE_DIM, time);
        canvas_putf(c, row + i, 10, -1, error ? ROLE_ERROR : info ? ROLE_TEXT : ROLE_WARNING, "%s%s%s",
                    error ? c->glyphs->error : info ? "" : c->glyphs->warning, info ? "" : " ", session_text(event, "text"));
    }
}

static struct look {
    const char *glyph;
    enum role role;
} verify_look(const struct canvas *c, const char *state)
{
    if (strcmp(state, "different") == 0)
        return (struct look){c->glyphs->error, ROLE_ERROR};
    if (strcmp(state, "failed") == 0)
        return (struct look){c->glyphs->warning, ROLE_WARNING};
    return *state && strcmp(state, "skipped") != 0 ? (struct look){c->glyphs->ok, ROLE_OK} : (struct look){" ", ROLE_DIM};
}

static void verify_row(struct canvas *c, int row, const cJSON *t)
{
    const char *state = session_text(t, "verifyState");
    struct look look = verify_look(c, state);
    int name = c->cols / 3;
    char time[16], rows[32];

    local_time(session_text(t, "verifiedOn"), time);
    canvas_put(c, row, 1, name - 1, ROLE_TEXT, session_text(t, "tableName"));
    canvas_putf(c, row, name + 1, 15, look.role, "%s %s", look.glyph, *state ? state : "not compared");
    if (strcmp(state, "equal") == 0) {
        units_count((int64_t)session_num(t, "verifySourceRows"), rows, sizeof rows);
        canvas_putf(c, row, name + 17, -1, ROLE_TEXT, "%s rows, as of %s at %s", rows, session_text(t, "verifiedLsn"), time);
    } else {
        canvas_put(c, row, name + 17, -1, look.role == ROLE_ERROR ? ROLE_ERROR : ROLE_TEXT, session_text(t, "verifyNote"));
    }
}

void pane_verify(const struct dashboard *d, struct canvas *c, int row, int rows)
{
    struct verified_counts n = dashboard_verified(d);
    int end = row + rows;

    canvas_putf(c, row++, 1, -1, n.different ? ROLE_ERROR : ROLE_HEADER, "%d equal, %d different, %d not compared", n.equal,
                n.different, n.others);
    if (n.others == d->count)
        canvas_wrap(c, row, 1, c->cols - 2, end - row, ROLE_TEXT,
                    "V compares source and target as of one position while changes are streamed; nothing stops. What is found equal, "
                    "and is not written to until then, is not compared again in the cutover. Rows that differ: \"pgcutover verify NAME "
                    "TABLE\" shows them, and --repair copies them again.");
    else
        for (int i = d->scroll; i < d->count && row < end; i++)
            verify_row(c, row++, d->tables[i]);
}
