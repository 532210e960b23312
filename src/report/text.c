/* The report in lines: what somebody reads first stands first. */
#include "report/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "report/words.h"

#define STATEMENT_SHOWN 160

static void title(struct buf *out, const char *text)
{
    buf_addf(out, "\n%s\n", text);
    for (size_t i = 0; i < strlen(text); i++)
        buf_addch(out, '-');
    buf_addch(out, '\n');
}

/* One line of a text that may have many. */
static void add_flat(struct buf *out, const char *text, size_t most)
{
    bool blank = false;
    size_t len = 0;

    for (; *text && len < most; text++) {
        bool is_blank = *text == ' ' || *text == '\n' || *text == '\t' || *text == '\r';
        if (!is_blank || !blank) {
            buf_addch(out, is_blank ? ' ' : *text);
            len++;
        }
        blank = is_blank;
    }
    /* Not within a character. */
    while (*text && out->len && ((unsigned char)*text & 0xc0) == 0x80) {
        buf_addch(out, *text++);
        len++;
    }
    if (*text)
        buf_addstr(out, "...");
}

static void add_head(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE], b[WORDS_SIZE], c[WORDS_SIZE];

    buf_addf(out, "Migration %s: %s\n", words_of(r, "name", "?"), words_of(r, "state", "?"));
    buf_addf(out, "Source    %s (%s)\n", words_of(r, "sourceServer", "not reached yet"), words_of(r, "sourceVersion", "?"));
    buf_addf(out, "Target    %s (%s)\n", words_of(r, "targetServer", "not reached yet"), words_of(r, "targetVersion", "?"));
    buf_addf(out, "Started   %s\nEnded     %s\n", words_time(r, "startedOn", a), words_time(r, "endedOn", b));
    buf_addf(out, "Reported  %s by %s\n", words_time(r, "reportedOn", c), words_of(r, "program", "pgcutover"));
}

/* --- a database --- */

static void add_verdict(struct buf *out, const cJSON *d)
{
    size_t tables = 0, equal = 0, different = 0;
    const cJSON *t;

    cJSON_ArrayForEach(t, json_get(d, "tables"))
    {
        tables++;
        equal += words_is_equal(t);
        different += words_is_different(t);
    }
    buf_addf(out, "Compared  %zu of %zu tables are equal", equal, tables);
    if (different)
        buf_addf(out, ", %zu DIFFER", different);
    if (equal + different < tables)
        buf_addf(out, ", %zu were not compared", tables - equal - different);
    buf_addch(out, '\n');
}

static void add_steps(struct buf *out, const cJSON *d)
{
    char a[WORDS_SIZE], b[WORDS_SIZE];
    const cJSON *step;

    if (!cJSON_GetArraySize(json_get(d, "cutoverSteps")))
        return;
    buf_addf(out, "\n  %-12s %-24s %-8s %10s  %s\n", "At (UTC)", "Cutover", "", "Took", "");
    cJSON_ArrayForEach(step, json_get(d, "cutoverSteps"))
    {
        buf_addf(out, "  %-12s %-24s %-8s %10s  ", words_clock(step, "startedOn", a), words_of(step, "name", "?"),
                 words_of(step, "state", "?"), words_seconds(step, "seconds", b));
        add_flat(out, words_of(step, "text", ""), STATEMENT_SHOWN);
        buf_addch(out, '\n');
    }
}

static void add_table(struct buf *out, const cJSON *t)
{
    char a[WORDS_SIZE], b[WORDS_SIZE], c[WORDS_SIZE], i[WORDS_SIZE], u[WORDS_SIZE], d[WORDS_SIZE];
    char compared[400];

    buf_addf(out, "  %-32s %12s %10s %9s %9s %9s %9s  %s\n", words_of(t, "tableName", "?"), words_count(t, "fullLoadTotalRows", a),
             words_bytes(t, "fullLoadTotalVolumeBytes", b), words_seconds(t, "fullLoadSeconds", c),
             words_count(t, "cdcInsertCounter", i), words_count(t, "cdcUpdateCounter", u), words_count(t, "cdcDeleteCounter", d),
             words_comparison(t, compared, sizeof compared));
    if (strcmp(words_of(t, "targetTableName", ""), words_of(t, "tableName", "")) != 0)
        buf_addf(out, "    is %s on the target\n", words_of(t, "targetTableName", "?"));
    if (words_number(t, "dataErrorsCount") > 0)
        buf_addf(out, "    %s errors or conflicts\n", words_count(t, "dataErrorsCount", a));
    if (cJSON_IsObject(json_get(t, "lastError")))
        buf_addf(out, "    last error: %s\n", words_of(json_get(t, "lastError"), "message", "?"));
}

/* Statements of the schema that were not run as they are on the source. */
static void add_decisions(struct buf *out, const cJSON *d)
{
    const cJSON *item;

    if (!cJSON_GetArraySize(json_get(d, "schemaDecisions")))
        return;
    buf_addstr(out, "\n  Decisions on the schema\n");
    cJSON_ArrayForEach(item, json_get(d, "schemaDecisions"))
    {
        buf_addf(out, "  %-10s %-8s %s: ", words_of(item, "decision", "?"), words_of(item, "state", "?"), words_of(item, "object", "?"));
        buf_addf(out, "%s%s", words_of(item, "sqlstate", ""), json_str(item, "sqlstate") ? " " : "");
        add_flat(out, words_of(item, "message", "as the plan says"), 400);
        buf_addch(out, '\n');
    }
}

/* The schemas of both sides, as they were compared when the target had been opened. */
static void add_schema_comparison(struct buf *out, const cJSON *d)
{
    const cJSON *comparison = json_get(d, "schemaComparison"), *item;

    if (!cJSON_IsObject(comparison))
        return;
    buf_addf(out, "\n  Schemas compared (by %s): %.0f objects are the same, %.0f differ, of which %.0f were not decided on\n",
             words_of(comparison, "by", "?"), words_number(comparison, "same"), words_number(comparison, "different"),
             words_number(comparison, "unexplained"));
    cJSON_ArrayForEach(item, json_get(comparison, "list"))
    {
        buf_addf(out, "  %-10s %s", words_of(item, "difference", "?"), words_of(item, "object", "?"));
        buf_addf(out, "%s%s", json_str(item, "decision") ? ": " : "", words_of(item, "decision", ""));
        buf_addf(out, "%s", json_str(item, "message") ? ": " : "");
        add_flat(out, words_of(item, "message", ""), 400);
        buf_addch(out, '\n');
    }
}

static void add_database(struct buf *out, const cJSON *d)
{
    char a[WORDS_SIZE], b[WORDS_SIZE], c[WORDS_SIZE];
    char *heading = xasprintf("Database %s to %s: %s", words_of(d, "databaseName", "?"), words_of(d, "targetDatabaseName", "?"),
                              words_of(d, "migrationState", "?"));
    const cJSON *t;

    title(out, heading);
    free(heading);
    buf_addf(out, "Loaded    %s rows, %s\n", words_count(d, "fullLoadRows", a), words_bytes(d, "fullLoadBytes", b));
    buf_addf(out, "Applied   %s changes in %s transactions, up to %s\n", words_count(d, "appliedChanges", a),
             words_count(d, "transactionsApplied", b), words_of(d, "appliedLsn", "-"));
    add_verdict(out, d);
    if (json_str(d, "writesStoppedOn"))
        buf_addf(out, "Downtime  %s, from %s to %s\n", json_str(d, "targetOpenedOn") ? words_seconds(d, "downtimeSeconds", c) : "not ended",
                 words_time(d, "writesStoppedOn", a), words_time(d, "targetOpenedOn", b));
    if (cJSON_IsObject(json_get(d, "lastError")))
        buf_addf(out, "Error     %s\n", words_of(json_get(d, "lastError"), "message", "?"));
    add_steps(out, d);
    buf_addf(out, "\n  %-32s %12s %10s %9s %9s %9s %9s  %s\n", "Table", "Rows", "Size", "Load", "Inserts", "Updates", "Deletes",
             "Compared");
    cJSON_ArrayForEach(t, json_get(d, "tables"))
        add_table(out, t);
    add_decisions(out, d);
    add_schema_comparison(out, d);
}

/* --- lists --- */

static void add_checks(struct buf *out, const cJSON *r)
{
    const cJSON *looked, *f;

    cJSON_ArrayForEach(looked, json_get(r, "checks"))
    {
        char *heading = xasprintf("Checks of database %s", words_of(looked, "databaseName", "?"));
        title(out, heading);
        free(heading);
        if (!cJSON_GetArraySize(json_get(looked, "findings")))
            buf_addstr(out, "Nothing was found.\n");
        cJSON_ArrayForEach(f, json_get(looked, "findings"))
            buf_addf(out, "%s %-20s %s%s: %s\n", words_of(f, "severity", "?"), words_of(f, "id", "?"),
                     json_bool(f, "waived", false) ? "waived, " : "", words_of(f, "side", "?"), words_of(f, "message", ""));
    }
}

static void add_timeline(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE];
    const cJSON *item;

    title(out, "Timeline");
    cJSON_ArrayForEach(item, json_get(r, "timeline"))
        buf_addf(out, "%s  %s: %s\n", words_time(item, "time", a), words_of(item, "databaseName", "?"), words_of(item, "what", "?"));
}

static void add_made(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE], b[WORDS_SIZE];
    const cJSON *item;

    title(out, "Made or changed on the servers, and taken back");
    if (!cJSON_GetArraySize(json_get(r, "made")))
        buf_addstr(out, "Nothing.\n");
    cJSON_ArrayForEach(item, json_get(r, "made"))
        buf_addf(out, "%-6s %-16s %s%s%s: %s, %s%s\n", words_of(item, "side", "?"), words_of(item, "kind", "?"),
                 words_of(item, "schema", ""), json_str(item, "schema") ? "." : "", words_of(item, "name", "?"),
                 words_time(item, "madeOn", a), json_str(item, "goneOn") ? "taken back " : "IS STILL THERE",
                 json_str(item, "goneOn") ? words_time(item, "goneOn", b) : "");
}

static void add_conflicts(struct buf *out, const cJSON *r)
{
    const cJSON *item;

    if (!cJSON_GetArraySize(json_get(r, "conflicts")))
        return;
    title(out, "Conflicts");
    cJSON_ArrayForEach(item, json_get(r, "conflicts"))
    {
        char *line = json_line(item);
        buf_addf(out, "%s\n", line);
        free(line);
    }
}

static void add_messages(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE];
    const cJSON *item;

    if (!cJSON_GetArraySize(json_get(r, "messages")))
        return;
    title(out, "Warnings and errors");
    if (words_number(r, "messagesLeftOut") > 0)
        buf_addf(out, "(%s earlier ones are in the log)\n", words_count(r, "messagesLeftOut", a));
    cJSON_ArrayForEach(item, json_get(r, "messages"))
    {
        buf_addf(out, "%s  %-7s ", words_time(item, "time", a), words_of(item, "level", "?"));
        add_flat(out, words_of(item, "message", ""), 400);
        buf_addch(out, '\n');
    }
}

static void add_statements(struct buf *out, const cJSON *r)
{
    char a[WORDS_SIZE];
    const cJSON *item;
    char *heading = xasprintf("Statements that changed something on a server: %d", cJSON_GetArraySize(json_get(r, "statements")));

    title(out, heading);
    free(heading);
    cJSON_ArrayForEach(item, json_get(r, "statements"))
    {
        buf_addf(out, "%s %s %10.2f ms %s%s%s", words_clock(item, "time", a), words_of(item, "side", "?"),
                 words_number(item, "milliseconds"), json_str(item, "sqlstate") ? "failed with " : "",
                 words_of(item, "sqlstate", ""), json_str(item, "sqlstate") ? ": " : "");
        buf_addstr(out, json_bool(item, "rolledBack", false) ? "(rolled back) " : "");
        add_flat(out, words_of(item, "sql", ""), STATEMENT_SHOWN);
        buf_addch(out, '\n');
    }
}

char *report_text(const cJSON *r)
{
    struct buf out = BUF_INIT;
    const cJSON *item;

    add_head(&out, r);
    cJSON_ArrayForEach(item, json_get(r, "incomplete"))
        buf_addf(&out, "INCOMPLETE: %s\n", item->valuestring);
    cJSON_ArrayForEach(item, json_get(r, "databases"))
        add_database(&out, item);
    add_checks(&out, r);
    add_timeline(&out, r);
    add_made(&out, r);
    add_conflicts(&out, r);
    add_messages(&out, r);
    add_statements(&out, r);
    return buf_take(&out);
}
