/* How it works: the status says what there is (databases, tables), the files of the engine what happened: journal.jsonl (what
 * was decided, made and undone), record.jsonl (statements, checks, comparisons), history.jsonl (load and lag), log.jsonl
 * (warnings and errors), DATABASE/conflicts.jsonl. Each file is read once, line by line, into the one object. */
#include "config.h"

#include "report/report.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "report/lines.h"
#include "report/words.h"

#define MESSAGES_MAX 1000

/* A table that was compared; the last comparison counts. */
struct compared {
    char *id;    /* owned: as the status has it */
    cJSON *line; /* owned */
    char *confirmed_lsn; /* owned: it was still so there; may be NULL */
    UT_hash_handle hh;
};

/* A statement that could still be undone with its transaction. */
struct statement {
    double session;
    cJSON *json; /* borrowed */
};

struct facts {
    const cJSON *status;
    cJSON *report;                   /* what is being made */
    struct compared *compared;       /* by id */
    struct statement *statements;    /* owned, in order */
    size_t statement_count, statement_cap;
    cJSON *checks, *timeline, *made, *messages, *conflicts, *statements_json;
    size_t messages_left_out;
};

static bool is_type(const cJSON *item, const char *type)
{
    const char *is = json_str(item, "resultType");

    return is && strcmp(is, type) == 0;
}

static const cJSON *output_of(const cJSON *status)
{
    return json_get(json_get(status, "properties"), "output");
}

/* The name of the n-th database of the migration, as the status has them in order. */
static const char *database_name(const struct facts *f, int64_t number)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, output_of(f->status))
        if (is_type(item, "DatabaseLevelOutput") && number-- == 0)
            return json_str(item, "databaseName");
    return NULL;
}

static void copy_member(cJSON *to, const cJSON *from, const char *key, const char *as)
{
    const cJSON *value = json_get(from, key);

    cJSON_AddItemToObject(to, as ? as : key, value ? cJSON_Duplicate(value, true) : cJSON_CreateNull());
}

static void copy_members(cJSON *to, const cJSON *from, const char *const *keys)
{
    for (; *keys; keys++)
        copy_member(to, from, *keys, NULL);
}

/* --- the record --- */

static char *table_id(const cJSON *line)
{
    return xasprintf("or|%s|%s|%s", json_str(line, "database"), json_str(line, "schema"), json_str(line, "name"));
}

static struct compared *find_compared(struct facts *f, const cJSON *line)
{
    struct compared *item;
    char *id = table_id(line);

    HASH_FIND_STR(f->compared, id, item);
    if (item) {
        free(id);
        return item;
    }
    item = xcalloc(1, sizeof *item);
    item->id = id;
    HASH_ADD_KEYPTR(hh, f->compared, item->id, strlen(item->id), item);
    return item;
}

static void on_compared(struct facts *f, const cJSON *line)
{
    struct compared *item = find_compared(f, line);

    cJSON_Delete(item->line);
    free(item->confirmed_lsn);
    item->line = cJSON_Duplicate(line, true);
    item->confirmed_lsn = NULL;
}

static void on_known(struct facts *f, const cJSON *line)
{
    struct compared *item = find_compared(f, line);

    free(item->confirmed_lsn);
    item->confirmed_lsn = json_str(line, "lsn") ? xstrdup(json_str(line, "lsn")) : NULL;
}

static void on_statement(struct facts *f, const cJSON *line)
{
    static const char *const keys[] = {"time", "side", "server", "by", "sql", "sqlstate", NULL};
    cJSON *json = cJSON_CreateObject();

    copy_members(json, line, keys);
    json_add_num(json, "milliseconds", (double)(int64_t)(words_number(line, "us") / 10) / 100);
    json_add_bool(json, "rolledBack", false);
    cJSON_AddItemToArray(f->statements_json, json);
    f->statements = xgrow(f->statements, f->statement_count, &f->statement_cap, sizeof *f->statements);
    f->statements[f->statement_count++] = (struct statement){words_number(line, "session"), json};
}

static void on_rolled_back(struct facts *f, const cJSON *line)
{
    double session = words_number(line, "session");
    int64_t left = (int64_t)words_number(line, "count");

    for (size_t i = f->statement_count; i-- > 0 && left > 0;) {
        if (f->statements[i].session != session)
            continue;
        cJSON_ReplaceItemInObjectCaseSensitive(f->statements[i].json, "rolledBack", cJSON_CreateBool(true));
        left--;
    }
}

/* The last look at each database counts: what was found then. */
static void on_checks(struct facts *f, const cJSON *line)
{
    const char *database = json_str(line, "database");
    int at = 0;
    const cJSON *item;

    cJSON_ArrayForEach(item, f->checks)
    {
        if (database && json_str(item, "databaseName") && strcmp(json_str(item, "databaseName"), database) == 0)
            break;
        at++;
    }
    cJSON_DeleteItemFromArray(f->checks, at);
    cJSON *checks = cJSON_CreateObject();
    json_add_str(checks, "databaseName", database);
    copy_member(checks, line, "time", NULL);
    copy_member(checks, line, "findings", NULL);
    cJSON_AddItemToArray(f->checks, checks);
}

static void take_record(void *arg, cJSON *line)
{
    static const struct {
        const char *kind;
        void (*take)(struct facts *f, const cJSON *line);
    } kinds[] = {{"statement", on_statement}, {"rolled-back", on_rolled_back}, {"compared", on_compared},
                 {"known-equal", on_known}, {"checks", on_checks}};
    const char *kind = json_str(line, "kind");

    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            kinds[i].take(arg, line);
}

/* --- the journal --- */

/* Many decisions keep the state: what is told is where it changed. */
static void on_state(struct facts *f, const cJSON *line)
{
    const char *database = database_name(f, json_i64(line, "db", -1));
    const char *state = json_str(line, "state");

    for (int i = cJSON_GetArraySize(f->timeline); database && state && i-- > 0;) {
        const cJSON *before = cJSON_GetArrayItem(f->timeline, i);
        if (!json_str(before, "databaseName") || strcmp(json_str(before, "databaseName"), database) != 0)
            continue;
        if (strcmp(json_str(before, "what"), state) == 0)
            return;
        break;
    }
    cJSON *item = cJSON_CreateObject();
    copy_member(item, line, "time", NULL);
    json_add_str(item, "databaseName", database);
    json_add_str(item, "what", state ? state : "?");
    cJSON_AddItemToArray(f->timeline, item);
}

static void on_made(struct facts *f, const cJSON *line)
{
    static const char *const keys[] = {"seq", "side", "kind", "schema", "name", "previous", NULL};
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "databaseName", database_name(f, json_i64(line, "db", -1)));
    copy_members(item, line, keys);
    copy_member(item, line, "time", "madeOn");
    cJSON_AddNullToObject(item, "goneOn");
    cJSON_AddItemToArray(f->made, item);
}

static void on_gone(struct facts *f, const cJSON *line)
{
    int64_t seq = json_i64(line, "seq", -1);
    cJSON *item;

    cJSON_ArrayForEach(item, f->made)
        if (json_i64(item, "seq", -2) == seq)
            cJSON_ReplaceItemInObjectCaseSensitive(item, "goneOn", cJSON_Duplicate(json_get(line, "time"), true));
}

static void take_journal(void *arg, cJSON *line)
{
    const char *op = json_str(line, "op");

    if (op && strcmp(op, "state") == 0)
        on_state(arg, line);
    else if (op && strcmp(op, "made") == 0)
        on_made(arg, line);
    else if (op && strcmp(op, "gone") == 0)
        on_gone(arg, line);
}

/* --- the log, the history, conflicts --- */

static void take_log(void *arg, cJSON *line)
{
    static const char *const keys[] = {"time", "level", "component", "message", "sqlstate", "detail", "hint", NULL};
    struct facts *f = arg;
    const char *level = json_str(line, "level");

    if (!level || (strcmp(level, "warning") != 0 && strcmp(level, "error") != 0))
        return;
    cJSON *item = cJSON_CreateObject();
    copy_members(item, line, keys);
    cJSON_AddItemToArray(f->messages, item);
    if (cJSON_GetArraySize(f->messages) > MESSAGES_MAX) {
        cJSON_DeleteItemFromArray(f->messages, 0);
        f->messages_left_out++;
    }
}

static void keep(void *arg, cJSON *line)
{
    cJSON_AddItemToArray(arg, cJSON_Duplicate(line, true));
}

static int read_conflicts(struct facts *f, const char *dir)
{
    DIR *open = opendir(dir);
    struct dirent *entry;
    int damaged = 0;

    while (open && (entry = readdir(open))) {
        char *name = xasprintf("%s/conflicts.jsonl", entry->d_name);
        if (entry->d_name[0] != '.')
            damaged += lines_read(dir, name, keep, f->conflicts);
        free(name);
    }
    if (open)
        closedir(open);
    return damaged;
}

/* --- databases and tables --- */

static cJSON *compared_json(const struct compared *item)
{
    static const char *const keys[] = {"lsn", "equal", "sourceRows", "targetRows", "sourceChecksum", "targetChecksum", "note", NULL};
    cJSON *json = cJSON_CreateObject();

    copy_members(json, item->line, keys);
    copy_member(json, item->line, "time", "comparedOn");
    json_add_str(json, "unchangedUntilLsn", item->confirmed_lsn);
    return json;
}

/* What the status knows of the last comparison, where the record has none: no checksum, but all else. NULL: it was not compared. */
static cJSON *compared_of_status(const cJSON *t, const struct compared *item)
{
    const char *state = json_str(t, "verifyState");
    bool equal = state && (strcmp(state, "equal") == 0 || strcmp(state, "equal in part") == 0);

    if (!equal && !(state && strcmp(state, "different") == 0))
        return NULL;
    cJSON *json = cJSON_CreateObject();
    copy_member(json, t, "verifiedLsn", "lsn");
    json_add_bool(json, "equal", equal);
    copy_member(json, t, "verifySourceRows", "sourceRows");
    copy_member(json, t, "verifyTargetRows", "targetRows");
    copy_member(json, t, "verifyNote", "note");
    copy_member(json, t, "verifiedOn", "comparedOn");
    json_add_str(json, "unchangedUntilLsn", item ? item->confirmed_lsn : NULL);
    return json;
}

static cJSON *comparison_json(const struct facts *f, const cJSON *t)
{
    struct compared *item;
    const char *id = json_str(t, "id");
    cJSON *json;

    HASH_FIND_STR(f->compared, id ? id : "", item);
    json = item && item->line ? compared_json(item) : compared_of_status(t, item);
    return json ? json : cJSON_CreateNull();
}

static double seconds_between(const cJSON *object, const char *from, const char *to)
{
    int64_t began_us, ended_us;

    if (!clock_parse_iso(json_str(object, from), &began_us) || !clock_parse_iso(json_str(object, to), &ended_us) ||
        ended_us < began_us)
        return -1;
    return (double)((ended_us - began_us) / 1000) / 1000;
}

static void add_seconds(cJSON *json, const char *key, double seconds)
{
    if (seconds >= 0)
        json_add_num(json, key, seconds);
    else
        cJSON_AddNullToObject(json, key);
}

static cJSON *table_json(const struct facts *f, const cJSON *t)
{
    static const char *const keys[] = {
        "tableName", "targetTableName", "state", "fullLoadTotalRows", "fullLoadTotalVolumeBytes", "fullLoadStartedOn",
        "fullLoadEndedOn", "cdcInsertCounter", "cdcUpdateCounter", "cdcDeleteCounter", "cdcTruncateCounter", "totalChangesApplied",
        "dataErrorsCount", "verifyState", "verifyNote", "lastError", NULL};
    cJSON *json = cJSON_CreateObject();

    copy_members(json, t, keys);
    add_seconds(json, "fullLoadSeconds", seconds_between(t, "fullLoadStartedOn", "fullLoadEndedOn"));
    cJSON_AddItemToObject(json, "comparison", comparison_json(f, t));
    return json;
}

static cJSON *steps_json(const cJSON *database)
{
    static const char *const keys[] = {"name", "state", "text", "startedOn", "endedOn", NULL};
    cJSON *steps = cJSON_CreateArray();
    const cJSON *step;

    cJSON_ArrayForEach(step, json_get(database, "cutoverSteps"))
    {
        cJSON *item = cJSON_CreateObject();
        copy_members(item, step, keys);
        add_seconds(item, "seconds", seconds_between(step, "startedOn", "endedOn"));
        cJSON_AddItemToArray(steps, item);
    }
    return steps;
}

static cJSON *database_json(const struct facts *f, const cJSON *d)
{
    static const char *const keys[] = {
        "databaseName", "targetDatabaseName", "migrationState", "phase", "startedOn", "endedOn", "fullLoadRows", "fullLoadBytes",
        "appliedChanges", "transactionsApplied", "cdcInsertCounter", "cdcUpdateCounter", "cdcDeleteCounter", "appliedLsn",
        "writesStoppedOn", "targetOpenedOn", "downtimeSeconds", "schemaStatements", "schemaDecisions",
        "schemaComparison", "lastError", NULL};
    cJSON *json = cJSON_CreateObject();
    cJSON *tables = cJSON_CreateArray();
    const char *name = json_str(d, "databaseName");
    const cJSON *item;

    copy_members(json, d, keys);
    cJSON_AddItemToObject(json, "cutoverSteps", steps_json(d));
    cJSON_ArrayForEach(item, output_of(f->status))
        if (is_type(item, "TableLevelOutput") && name && strcmp(name, json_str(item, "databaseName")) == 0)
            cJSON_AddItemToArray(tables, table_json(f, item));
    cJSON_AddItemToObject(json, "tables", tables);
    return json;
}

static cJSON *databases_json(const struct facts *f)
{
    cJSON *databases = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, output_of(f->status))
        if (is_type(item, "DatabaseLevelOutput"))
            cJSON_AddItemToArray(databases, database_json(f, item));
    return databases;
}

/* --- the whole --- */

static cJSON *left_json(const struct facts *f)
{
    cJSON *left = cJSON_CreateArray();
    const cJSON *item;

    cJSON_ArrayForEach(item, f->made)
        if (!json_str(item, "goneOn"))
            cJSON_AddItemToArray(left, cJSON_Duplicate(item, true));
    return left;
}

static void add_head(struct facts *f)
{
    static const char *const keys[] = {"startedOn", "endedOn", "sourceServer", "sourceVersion", "targetServer", "targetVersion", NULL};
    const cJSON *item;

    copy_member(f->report, f->status, "id", NULL);
    copy_member(f->report, f->status, "name", NULL);
    copy_member(f->report, json_get(f->status, "properties"), "state", NULL);
    json_add_str(f->report, "program", PACKAGE_STRING);
    json_add_time(f->report, "reportedOn", clock_wall_us());
    cJSON_ArrayForEach(item, output_of(f->status))
        if (is_type(item, "MigrationLevelOutput"))
            copy_members(f->report, item, keys);
}

/* The plan as the engine keeps it: passwords are not in it. */
static void add_plan(struct facts *f, const char *dir)
{
    char *path = xasprintf("%s/plan.json", dir);
    struct buf text = BUF_INIT;
    cJSON *plan = file_read(path, &text, NULL) ? cJSON_Parse(text.data) : NULL;

    cJSON_AddItemToObject(f->report, "plan", plan ? plan : cJSON_CreateNull());
    buf_release(&text);
    free(path);
}

static void say_damage(cJSON *incomplete, const char *file, int damaged)
{
    if (!damaged)
        return;
    char *text = xasprintf("%s: %d lines cannot be read", file, damaged);
    cJSON_AddItemToArray(incomplete, cJSON_CreateString(text));
    free(text);
}

static cJSON *add_array(struct facts *f, const char *key)
{
    return cJSON_AddArrayToObject(f->report, key);
}

static void release(struct facts *f)
{
    struct compared *item, *next;

    HASH_ITER(hh, f->compared, item, next)
    {
        HASH_DEL(f->compared, item);
        cJSON_Delete(item->line);
        free(item->confirmed_lsn);
        free(item->id);
        free(item);
    }
    free(f->statements);
}

cJSON *report_build(const char *dir, const cJSON *status)
{
    struct facts f = {.status = status, .report = cJSON_CreateObject()};
    cJSON *incomplete = add_array(&f, "incomplete");

    add_head(&f);
    add_plan(&f, dir);
    f.checks = add_array(&f, "checks");
    f.timeline = add_array(&f, "timeline");
    f.made = add_array(&f, "made");
    f.messages = add_array(&f, "messages");
    f.conflicts = add_array(&f, "conflicts");
    f.statements_json = add_array(&f, "statements");
    cJSON *history = add_array(&f, "history");
    say_damage(incomplete, "journal.jsonl", lines_read(dir, "journal.jsonl", take_journal, &f));
    say_damage(incomplete, "record.jsonl", lines_read(dir, "record.jsonl", take_record, &f));
    say_damage(incomplete, "log.jsonl", lines_read(dir, "log.jsonl", take_log, &f));
    say_damage(incomplete, "history.jsonl", lines_read(dir, "history.jsonl", keep, history));
    say_damage(incomplete, "conflicts.jsonl", read_conflicts(&f, dir));
    json_add_num(f.report, "messagesLeftOut", (double)f.messages_left_out);
    cJSON_AddItemToObject(f.report, "databases", databases_json(&f));
    cJSON_AddItemToObject(f.report, "left", left_json(&f));
    release(&f);
    return f.report;
}
