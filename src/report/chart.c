#include "report/chart.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "report/words.h"

#define WIDTH 900.0
#define HEIGHT 180.0
#define LEFT 80.0
#define RIGHT 20.0
#define TOP 20.0
#define BOTTOM 30.0
#define GAP_FACTOR 4 /* readings that are so many times further apart than usual are not joined: no engine ran */

struct axis {
    double from_us, to_us, most;
};

static double x_of(const struct axis *axis, double us)
{
    double span = axis->to_us - axis->from_us;

    return LEFT + (WIDTH - LEFT - RIGHT) * (span > 0 ? (us - axis->from_us) / span : 0);
}

static double y_of(const struct axis *axis, double value)
{
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (axis->most > 0 ? value / axis->most : 0);
}

static double usual_gap(const cJSON *history, const struct axis *axis)
{
    return (axis->to_us - axis->from_us) / (cJSON_GetArraySize(history) - 1);
}

/* One curve; a null, or a time without an engine, lifts the pen. */
static void add_curve(struct buf *out, const cJSON *history, const char *key, const struct axis *axis, const char *style)
{
    double before_us = 0;
    bool down = false;
    const cJSON *item;

    buf_addstr(out, "<path d=\"");
    cJSON_ArrayForEach(item, history)
    {
        double us = words_number(item, "us");
        if (!cJSON_IsNumber(json_get(item, key))) {
            down = false;
            continue;
        }
        if (us - before_us > GAP_FACTOR * usual_gap(history, axis))
            down = false;
        buf_addf(out, "%s%.1f %.1f", down ? "L" : "M", x_of(axis, us), y_of(axis, words_number(item, key)));
        down = true;
        before_us = us;
    }
    buf_addf(out, "\" class=\"%s\"/>\n", style);
}

static double most_of(const cJSON *history, const char *key)
{
    double most = 0;
    const cJSON *item;

    cJSON_ArrayForEach(item, history)
        if (words_number(item, key) > most)
            most = words_number(item, key);
    return most;
}

static void add_mark(struct buf *out, const struct axis *axis, const cJSON *database, const char *key, const char *label)
{
    int64_t us;

    if (!clock_parse_iso(json_str(database, key), &us) || (double)us < axis->from_us || (double)us > axis->to_us)
        return;
    double x = x_of(axis, (double)us);
    buf_addf(out, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\" class=\"mark\"/><text x=\"%.1f\" y=\"%.0f\" "
                  "text-anchor=\"end\">%s</text>\n", x, x, TOP, HEIGHT - BOTTOM, x - 3, TOP + 10, label);
}

static void begin(struct buf *out, const char *title, const char *top, const cJSON *history)
{
    char a[WORDS_SIZE], b[WORDS_SIZE];
    const cJSON *last = cJSON_GetArrayItem(history, cJSON_GetArraySize(history) - 1);

    buf_addf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\"><title>%s</title>\n", WIDTH, HEIGHT, title, title);
    buf_addf(out, "<text x=\"%.0f\" y=\"12\">%s</text>\n", LEFT, title);
    buf_addf(out, "<path d=\"M%.0f %.0fV%.0fH%.0f\" class=\"axis\"/>\n", LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT);
    buf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", LEFT - 5, TOP + 5, top);
    buf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">0</text>\n", LEFT - 5, HEIGHT - BOTTOM + 4);
    buf_addf(out, "<text x=\"%.0f\" y=\"%.0f\">%s</text>\n", LEFT, HEIGHT - 10, words_time(history->child, "time", a));
    buf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", WIDTH - RIGHT, HEIGHT - 10,
             words_time(last, "time", b));
}

static void end(struct buf *out, const struct axis *axis, const cJSON *report)
{
    const cJSON *d;

    cJSON_ArrayForEach(d, json_get(report, "databases"))
    {
        add_mark(out, axis, d, "writesStoppedOn", "writes stopped");
        add_mark(out, axis, d, "targetOpenedOn", "");
    }
    buf_addstr(out, "</svg>\n");
}

void chart_add(struct buf *out, const cJSON *report)
{
    const cJSON *history = json_get(report, "history");
    int count = cJSON_GetArraySize(history);
    char top[64];

    if (count < 2)
        return;
    struct axis axis = {.from_us = words_number(history->child, "us"),
                        .to_us = words_number(cJSON_GetArrayItem(history, count - 1), "us")};
    double rows = most_of(history, "rows"), applied = most_of(history, "applied");
    axis.most = rows > applied ? rows : applied;
    units_count((int64_t)axis.most, top, sizeof top);
    begin(out, "Rows loaded (solid) and changes applied (dashed)", top, history);
    add_curve(out, history, "rows", &axis, "load");
    add_curve(out, history, "applied", &axis, "applied");
    end(out, &axis, report);
    axis.most = most_of(history, "lagUs");
    units_duration((int64_t)axis.most, top, sizeof top);
    begin(out, "Lag: from a commit on the source to the same on the target", top, history);
    add_curve(out, history, "lagUs", &axis, "lag");
    end(out, &axis, report);
}
