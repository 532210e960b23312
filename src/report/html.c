/* The report as one page: no scripts, nothing fetched, readable when printed. Everything that comes from a server goes through
 * add_escaped(). */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "report/chart.h"
#include "report/words.h"

static const char style[] =
    "body{font:14px/1.4 sans-serif;color:#1a1a1a;background:#fff;max-width:1100px;margin:2em auto;padding:0 1em}"
    "h1{font-size:1.5em}h2{font-size:1.15em;border-bottom:1px solid #bbb;margin-top:2em}"
    "table{border-collapse:collapse;width:100%;margin:.5em 0}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;"
    "text-align:left;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}"
    "code,pre{font:12px/1.4 monospace;white-space:pre-wrap;overflow-wrap:anywhere;margin:0}"
    ".good{color:#0a6b2d}.bad{color:#a4121b;font-weight:bold}svg{width:100%;height:auto;font:11px sans-serif;margin:.5em 0}"
    ".axis{fill:none;stroke:#888}.mark{stroke:#a4121b;stroke-dasharray:2 2}.load,.applied,.lag{fill:none;stroke-width:1.5}"
    ".load{stroke:#0b5fa5}.applied{stroke:#b35900;stroke-dasharray:5 3}.lag{stroke:#5b2a86}"
    "@media print{details{display:block}details>*{display:block}}";

static void add_escaped(struct buf *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&': buf_addstr(out, "&amp;"); break;
        case '<': buf_addstr(out, "&lt;"); break;
        case '>': buf_addstr(out, "&gt;"); break;
        case '"': buf_addstr(out, "&quot;"); break;
        default: buf_addch(out, *text);
        }
    }
}

static void add_cell(struct buf *out, const char *class, const char *text)
{
    buf_addf(out, "<td%s%s%s>", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
    add_escaped(out, text);
    buf_addstr(out, "</td>");
}

static void add_heading(struct buf *out, const char *text)
{
    buf_addstr(out, "<h2>");
    add_escaped(out, text);
    buf_addstr(out, "</h2>\n");
}

/* A table's first row; a name that begins with "#" is of a column of numbers. */
static void begin_table(struct buf *out, const char *const *names)
{
    buf_addstr(out, "<table><tr>");
    for (; *names; names++)
        buf_addf(out, "<th%s>%s</th>", **names == '#' ? " class=\"n\"" : "", *names + (**names == '#'));
    buf_addstr(out, "</tr>\n");
}

static void add_fact(struct buf *out, const char *name, const char *text)
{
    buf_addf(out, "<tr><th>%s</th>", name);
    add_cell(out, NULL, text);
    buf_addstr(out, "</tr>\n");
}

/* --- the head --- */

static void add_server(struct buf *out, const cJSON *r, const char *name, const char *server, const char *version)
{
    char *text = xasprintf("%s, %s", words_of(r, server, "not reached yet"), words_of(r, version, "?"));

    add_fact(out, name, text);
    free(text);
}

static void add_head(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE];
    const cJSON *item;

    buf_addstr(out, "<h1>Migration ");
    add_escaped(out, words_of(r, "name", "?"));
    buf_addstr(out, ": ");
    add_escaped(out, words_of(r, "state", "?"));
    buf_addstr(out, "</h1>\n<table>");
    add_server(out, r, "Source", "sourceServer", "sourceVersion");
    add_server(out, r, "Target", "targetServer", "targetVersion");
    add_fact(out, "Started", words_time(r, "startedOn", a));
    add_fact(out, "Ended", words_time(r, "endedOn", a));
    add_fact(out, "Reported", words_time(r, "reportedOn", a));
    add_fact(out, "By", words_of(r, "program", "pgcutover"));
    cJSON_ArrayForEach(item, json_get(r, "incomplete"))
        add_fact(out, "Incomplete", item->valuestring);
    buf_addstr(out, "</table>\n");
}

/* --- a database --- */

static void add_table_row(struct buf *out, const cJSON *t)
{
    static const char *const counters[] = {"cdcInsertCounter", "cdcUpdateCounter", "cdcDeleteCounter"};
    char a[WORDS_SIZE];
    char compared[400];
    bool moved = strcmp(words_of(t, "targetTableName", ""), words_of(t, "tableName", "")) != 0;
    char *name = xasprintf("%s%s%s", words_of(t, "tableName", "?"), moved ? " is " : "", moved ? words_of(t, "targetTableName", "?") : "");

    buf_addstr(out, "<tr>");
    add_cell(out, NULL, name);
    free(name);
    add_cell(out, "n", words_count(t, "fullLoadTotalRows", a));
    add_cell(out, "n", words_bytes(t, "fullLoadTotalVolumeBytes", a));
    add_cell(out, "n", words_seconds(t, "fullLoadSeconds", a));
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        add_cell(out, "n", words_count(t, counters[i], a));
    add_cell(out, "n", words_count(t, "dataErrorsCount", a));
    add_cell(out, words_is_equal(t) ? "good" : words_is_different(t) ? "bad" : NULL, words_comparison(t, compared, sizeof compared));
    add_cell(out, NULL, words_of(json_get(t, "comparison"), "sourceChecksum", "-"));
    buf_addstr(out, "</tr>\n");
}

static void add_steps(struct buf *out, const cJSON *d)
{
    static const char *const names[] = {"At (UTC)", "Step of the cutover", "State", "#Took", "", NULL};
    char a[WORDS_SIZE];
    const cJSON *step;

    if (!cJSON_GetArraySize(json_get(d, "cutoverSteps")))
        return;
    begin_table(out, names);
    cJSON_ArrayForEach(step, json_get(d, "cutoverSteps"))
    {
        buf_addstr(out, "<tr>");
        add_cell(out, NULL, words_clock(step, "startedOn", a));
        add_cell(out, NULL, words_of(step, "name", "?"));
        add_cell(out, NULL, words_of(step, "state", "?"));
        add_cell(out, "n", words_seconds(step, "seconds", a));
        add_cell(out, NULL, words_of(step, "text", ""));
        buf_addstr(out, "</tr>\n");
    }
    buf_addstr(out, "</table>\n");
}

static void add_database_facts(struct buf *out, const cJSON *d)
{
    char a[WORDS_SIZE], b[WORDS_SIZE], c[WORDS_SIZE];
    char *text = xasprintf("%s rows, %s", words_count(d, "fullLoadRows", a), words_bytes(d, "fullLoadBytes", b));

    buf_addstr(out, "<table>");
    add_fact(out, "Loaded", text);
    free(text);
    text = xasprintf("%s changes in %s transactions, up to %s", words_count(d, "appliedChanges", a),
                     words_count(d, "transactionsApplied", b), words_of(d, "appliedLsn", "-"));
    add_fact(out, "Applied", text);
    free(text);
    if (json_str(d, "writesStoppedOn")) {
        text = xasprintf("%s, from %s to %s", json_str(d, "targetOpenedOn") ? words_seconds(d, "downtimeSeconds", c) : "not ended",
                         words_time(d, "writesStoppedOn", a), words_time(d, "targetOpenedOn", b));
        add_fact(out, "Downtime", text);
        free(text);
    }
    if (cJSON_IsObject(json_get(d, "lastError")))
        add_fact(out, "Error", words_of(json_get(d, "lastError"), "message", "?"));
    buf_addstr(out, "</table>\n");
}

static void add_database(struct buf *out, const cJSON *d)
{
    static const char *const names[] = {"Table", "#Rows", "#Size", "#Load", "#Inserts", "#Updates", "#Deletes", "#Errors", "Compared",
                                        "Checksum", NULL};
    char *heading = xasprintf("Database %s to %s: %s", words_of(d, "databaseName", "?"), words_of(d, "targetDatabaseName", "?"),
                              words_of(d, "migrationState", "?"));
    const cJSON *t;

    add_heading(out, heading);
    free(heading);
    add_database_facts(out, d);
    add_steps(out, d);
    begin_table(out, names);
    cJSON_ArrayForEach(t, json_get(d, "tables"))
        add_table_row(out, t);
    buf_addstr(out, "</table>\n");
}

/* --- lists: rows of cells, each the text at a key --- */

struct column {
    const char *name; /* of the column */
    const char *key;
    enum { TEXT, TIME, FLAG } kind; /* FLAG: "yes", or nothing */
};

/* columns is ended by a NULL name. */
static void add_list(struct buf *out, const char *heading, const cJSON *list, const struct column *columns)
{
    char a[WORDS_SIZE];
    const cJSON *item;

    if (!cJSON_GetArraySize(list))
        return;
    add_heading(out, heading);
    buf_addf(out, "<details%s><summary>%d lines</summary><table><tr>", cJSON_GetArraySize(list) <= 100 ? " open" : "",
             cJSON_GetArraySize(list));
    for (const struct column *c = columns; c->name; c++)
        buf_addf(out, "<th>%s</th>", c->name);
    buf_addstr(out, "</tr>\n");
    cJSON_ArrayForEach(item, list)
    {
        buf_addstr(out, "<tr>");
        for (const struct column *c = columns; c->name; c++)
            add_cell(out, NULL, c->kind == TIME   ? words_time(item, c->key, a)
                                : c->kind == FLAG ? (json_bool(item, c->key, false) ? "yes" : "")
                                                  : words_of(item, c->key, "-"));
        buf_addstr(out, "</tr>\n");
    }
    buf_addstr(out, "</table></details>\n");
}

static void add_lists(struct buf *out, const cJSON *r)
{
    static const struct column findings[] = {{"", "severity", TEXT}, {"Waived", "waived", FLAG}, {"Check", "id", TEXT}, {"Side", "side", TEXT},
                                             {"Found", "message", TEXT}, {"Why it matters", "why", TEXT}, {NULL, NULL, TEXT}};
    static const struct column timeline[] = {{"Time", "time", TIME}, {"Database", "databaseName", TEXT}, {"State", "what", TEXT},
                                             {NULL, NULL, TEXT}};
    static const struct column made[] = {{"Side", "side", TEXT}, {"What", "kind", TEXT}, {"Schema", "schema", TEXT},
                                         {"Name", "name", TEXT}, {"Was before", "previous", TEXT}, {"Made", "madeOn", TIME},
                                         {"Taken back", "goneOn", TIME}, {NULL, NULL, TEXT}};
    static const struct column messages[] = {{"Time", "time", TIME}, {"Level", "level", TEXT}, {"By", "component", TEXT},
                                             {"Message", "message", TEXT}, {"Detail", "detail", TEXT}, {NULL, NULL, TEXT}};
    static const struct column decisions[] = {{"Object", "object", TEXT}, {"Decision", "decision", TEXT}, {"State", "state", TEXT},
                                              {"SQLSTATE", "sqlstate", TEXT}, {"Message", "message", TEXT}, {NULL, NULL, TEXT}};
    static const struct column schemas[] = {{"Object", "object", TEXT}, {"Difference", "difference", TEXT}, {"Decision", "decision", TEXT},
                                            {"Message", "message", TEXT}, {"Source", "source", TEXT}, {"Target", "target", TEXT},
                                            {NULL, NULL, TEXT}};
    const cJSON *looked, *d;

    cJSON_ArrayForEach(d, json_get(r, "databases"))
        add_list(out, "Decisions on the schema", json_get(d, "schemaDecisions"), decisions);
    cJSON_ArrayForEach(d, json_get(r, "databases"))
        add_list(out, "Differences of the schemas", json_get(json_get(d, "schemaComparison"), "list"), schemas);
    cJSON_ArrayForEach(looked, json_get(r, "checks"))
        add_list(out, "What the checks found", json_get(looked, "findings"), findings);
    add_list(out, "Timeline", json_get(r, "timeline"), timeline);
    add_list(out, "Made or changed on the servers, and taken back", json_get(r, "made"), made);
    add_list(out, "Warnings and errors", json_get(r, "messages"), messages);
}

static void add_conflicts(struct buf *out, const cJSON *r)
{
    const cJSON *item;

    if (!cJSON_GetArraySize(json_get(r, "conflicts")))
        return;
    add_heading(out, "Conflicts");
    cJSON_ArrayForEach(item, json_get(r, "conflicts"))
    {
        char *line = json_line(item);
        buf_addstr(out, "<pre>");
        add_escaped(out, line);
        buf_addstr(out, "</pre>\n");
        free(line);
    }
}

static void add_statements(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE];
    const cJSON *item;

    add_heading(out, "Statements that changed something on a server");
    buf_addf(out, "<details><summary>%d statements</summary><table>\n", cJSON_GetArraySize(json_get(r, "statements")));
    cJSON_ArrayForEach(item, json_get(r, "statements"))
    {
        buf_addstr(out, "<tr>");
        add_cell(out, NULL, words_time(item, "time", a));
        add_cell(out, NULL, words_of(item, "side", "?"));
        snprintf(a, sizeof a, "%.2f ms", words_number(item, "milliseconds"));
        add_cell(out, "n", a);
        add_cell(out, json_str(item, "sqlstate") ? "bad" : NULL,
                 json_bool(item, "rolledBack", false) ? "rolled back" : words_of(item, "sqlstate", "done"));
        buf_addstr(out, "<td><code>");
        add_escaped(out, words_of(item, "sql", ""));
        buf_addstr(out, "</code></td></tr>\n");
    }
    buf_addstr(out, "</table></details>\n");
}

char *report_html(const cJSON *r)
{
    struct buf out = BUF_INIT;
    const cJSON *d;

    buf_addstr(&out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>pgcutover: ");
    add_escaped(&out, words_of(r, "name", "?"));
    buf_addf(&out, "</title><style>%s</style></head><body>\n", style);
    add_head(&out, r);
    chart_add(&out, r);
    cJSON_ArrayForEach(d, json_get(r, "databases"))
        add_database(&out, d);
    add_lists(&out, r);
    add_conflicts(&out, r);
    add_statements(&out, r);
    buf_addstr(&out, "</body></html>\n");
    return buf_take(&out);
}
