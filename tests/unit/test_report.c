#include <unistd.h>

#include "unit.h"

#include "base/files.h"
#include "base/json.h"
#include "report/report.h"

static char dir[64];

static void write_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", dir, name);
    struct err err = ERR_INIT;

    CHECK_TRUE(file_write_atomic(path, text, strlen(text), &err));
    free(path);
}

static const char status_text[] =
    "{\"id\": \"1\", \"name\": \"shop\", \"properties\": {\"state\": \"Succeeded\", \"output\": ["
    "{\"resultType\": \"DatabaseLevelOutput\", \"databaseName\": \"shop\", \"targetDatabaseName\": \"shop2\", \"migrationState\": \"COMPLETE\","
    " \"fullLoadRows\": 3, \"fullLoadBytes\": 2048, \"appliedChanges\": 7, \"transactionsApplied\": 2, \"downtimeSeconds\": 1.234,"
    " \"writesStoppedOn\": \"2026-11-25T21:00:10+00:00\", \"targetOpenedOn\": \"2026-11-25T21:00:11.234+00:00\","
    " \"cutoverSteps\": [{\"name\": \"freeze\", \"state\": \"done\", \"text\": null, \"startedOn\": \"2026-11-25T21:00:10+00:00\","
    " \"endedOn\": \"2026-11-25T21:00:10.05+00:00\"}], \"schemaDecisions\": [{\"object\": \"INDEX public.odd\","
    " \"decision\": \"skip\", \"state\": \"skipped\", \"sqlstate\": \"42704\", \"message\": \"no such class\"}]},"
    "{\"resultType\": \"MigrationLevelOutput\", \"sourceServer\": \"db1:5432\", \"sourceVersion\": \"9.6.24\", \"targetServer\": \"pg17:5432\","
    " \"targetVersion\": \"17.2\", \"startedOn\": \"2026-11-25T21:00:00+00:00\", \"endedOn\": \"2026-11-25T21:00:12+00:00\"},"
    "{\"resultType\": \"TableLevelOutput\", \"id\": \"or|shop|public|<b>&\", \"databaseName\": \"shop\", \"tableName\": \"public.<b>&\","
    " \"targetTableName\": \"public.<b>&\", \"fullLoadTotalRows\": 3, \"fullLoadStartedOn\": \"2026-11-25T21:00:01+00:00\","
    " \"fullLoadEndedOn\": \"2026-11-25T21:00:02.5+00:00\", \"dataErrorsCount\": 0},"
    "{\"resultType\": \"TableLevelOutput\", \"id\": \"or|shop|public|again\", \"databaseName\": \"shop\", \"tableName\": \"public.again\","
    " \"targetTableName\": \"public.again\", \"verifyState\": \"equal\", \"verifiedLsn\": \"0/25\", \"verifySourceRows\": 9},"
    "{\"resultType\": \"TableLevelOutput\", \"id\": \"or|shop|public|other\", \"databaseName\": \"shop\", \"tableName\": \"public.other\","
    " \"targetTableName\": \"billing.other\", \"dataErrorsCount\": 2}]}}";

static void write_all(void)
{
    write_file("plan.json", "{\"name\": \"shop\"}");
    write_file("journal.jsonl",
               "{\"op\":\"state\",\"db\":0,\"state\":\"loading\",\"time\":\"2026-11-25T21:00:01+00:00\"}\n"
               "{\"op\":\"state\",\"db\":0,\"state\":\"loading\",\"time\":\"2026-11-25T21:00:02+00:00\"}\n"
               "{\"op\":\"made\",\"seq\":1,\"db\":0,\"side\":\"source\",\"kind\":\"slot\",\"name\":\"pgcutover_a\",\"time\":\"2026-11-25T21:00:03+00:00\"}\n"
               "{\"op\":\"made\",\"seq\":2,\"db\":0,\"side\":\"source\",\"kind\":\"read-only\",\"name\":\"shop\",\"time\":\"2026-11-25T21:00:04+00:00\"}\n"
               "{\"op\":\"gone\",\"seq\":1,\"time\":\"2026-11-25T21:00:05+00:00\"}\n");
    write_file("record.jsonl",
               "{\"kind\":\"statement\",\"session\":5,\"side\":\"target\",\"sql\":\"CREATE TABLE a\",\"us\":1500,\"sqlstate\":null,\"time\":\"2026-11-25T21:00:01+00:00\"}\n"
               "{\"kind\":\"statement\",\"session\":6,\"side\":\"target\",\"sql\":\"CREATE TABLE <x>\",\"us\":10,\"sqlstate\":\"42P07\",\"time\":\"2026-11-25T21:00:01+00:00\"}\n"
               "{\"kind\":\"statement\",\"session\":5,\"side\":\"target\",\"sql\":\"CREATE INDEX b\",\"us\":10,\"sqlstate\":null,\"time\":\"2026-11-25T21:00:01+00:00\"}\n"
               "{\"kind\":\"rolled-back\",\"session\":5,\"count\":1}\n"
               "{\"kind\":\"checks\",\"database\":\"shop\",\"findings\":[{\"id\":\"old\",\"severity\":\"W\",\"side\":\"source\",\"message\":\"first look\"}]}\n"
               "{\"kind\":\"checks\",\"database\":\"shop\",\"findings\":[{\"id\":\"clock\",\"severity\":\"F\",\"waived\":true,\"side\":\"target\",\"message\":\"clocks disagree\"}]}\n"
               "{\"kind\":\"compared\",\"database\":\"shop\",\"schema\":\"public\",\"name\":\"<b>&\",\"lsn\":\"0/10\",\"equal\":false,\"sourceRows\":3,\"targetRows\":2}\n"
               "{\"kind\":\"compared\",\"database\":\"shop\",\"schema\":\"public\",\"name\":\"<b>&\",\"lsn\":\"0/20\",\"equal\":true,\"sourceRows\":3,\"targetRows\":3,\"sourceChecksum\":\"77\"}\n"
               "{\"kind\":\"known-equal\",\"database\":\"shop\",\"schema\":\"public\",\"name\":\"<b>&\",\"lsn\":\"0/30\"}\n"
               "{\"kind\":\"known-equal\",\"database\":\"shop\",\"schema\":\"public\",\"name\":\"again\",\"lsn\":\"0/30\"}\n");
    write_file("log.jsonl", "{\"time\":\"2026-11-25T21:00:01+00:00\",\"level\":\"info\",\"message\":\"nothing\"}\n"
                            "{\"time\":\"2026-11-25T21:00:01+00:00\",\"level\":\"warning\",\"message\":\"look at this\"}\n");
    write_file("history.jsonl", "{\"time\":\"2026-11-25T21:00:00+00:00\",\"us\":1000000,\"rows\":0,\"bytes\":0,\"applied\":0,\"lagUs\":null}\n"
                                "{\"time\":\"2026-11-25T21:00:05+00:00\",\"us\":6000000,\"rows\":3,\"bytes\":9,\"applied\":1,\"lagUs\":2000000}\n"
                                "{\"time\":\"2026-11-25T21:00:10+00:00\",\"us\":11000000,\"rows\":3,\"bytes\":9,\"applied\":7,\"lagUs\":1000}\n");
}

static cJSON *build(void)
{
    cJSON *status = cJSON_Parse(status_text);
    cJSON *report = report_build(dir, status);

    CHECK_TRUE(status != NULL);
    cJSON_Delete(status);
    return report;
}

static const cJSON *at(const cJSON *object, const char *key, int number)
{
    return cJSON_GetArrayItem(json_get(object, key), number);
}

static void test_facts(void)
{
    write_all();
    cJSON *r = build();
    const cJSON *database = at(r, "databases", 0);
    const cJSON *comparison = json_get(at(database, "tables", 0), "comparison");

    CHECK_STR(json_str(r, "state"), "Succeeded");
    CHECK_STR(json_str(r, "sourceVersion"), "9.6.24");
    CHECK_INT(cJSON_GetArraySize(json_get(r, "incomplete")), 0);
    CHECK_INT(cJSON_GetArraySize(json_get(r, "timeline")), 1);
    CHECK_INT(cJSON_GetArraySize(json_get(r, "statements")), 3);
    CHECK_TRUE(!json_bool(at(r, "statements", 0), "rolledBack", true));
    CHECK_TRUE(!json_bool(at(r, "statements", 1), "rolledBack", true));
    CHECK_TRUE(json_bool(at(r, "statements", 2), "rolledBack", false));
    CHECK_INT(cJSON_GetArraySize(json_get(r, "checks")), 1);
    CHECK_STR(json_str(at(at(r, "checks", 0), "findings", 0), "id"), "clock");
    CHECK_TRUE(json_bool(comparison, "equal", false));
    CHECK_STR(json_str(comparison, "lsn"), "0/20");
    CHECK_STR(json_str(comparison, "unchangedUntilLsn"), "0/30");
    CHECK_STR(json_str(json_get(at(database, "tables", 1), "comparison"), "unchangedUntilLsn"), "0/30");
    CHECK_TRUE(cJSON_IsNull(json_get(at(database, "tables", 2), "comparison")));
    CHECK_INT(cJSON_GetArraySize(json_get(r, "left")), 1);
    CHECK_STR(json_str(at(r, "left", 0), "kind"), "read-only");
    CHECK_INT(cJSON_GetArraySize(json_get(r, "messages")), 1);
    CHECK_INT(cJSON_GetArraySize(json_get(r, "history")), 3);
    cJSON_Delete(r);
}

static void test_text(void)
{
    write_all();
    cJSON *r = build();
    char *text = report_text(r);

    CHECK_CONTAINS(text, "Migration shop: Succeeded");
    CHECK_CONTAINS(text, "Downtime  1.234 s, from 2026-11-25 21:00:10.000 UTC to 2026-11-25 21:00:11.234 UTC");
    CHECK_CONTAINS(text, "Compared  2 of 3 tables are equal, 1 were not compared");
    CHECK_CONTAINS(text, "equal at 0/20, unchanged until 0/30, 3 rows");
    CHECK_CONTAINS(text, "equal at 0/25, unchanged until 0/30, 9 rows");
    CHECK_CONTAINS(text, "is billing.other on the target");
    CHECK_CONTAINS(text, "IS STILL THERE");
    CHECK_CONTAINS(text, "(rolled back) CREATE INDEX b");
    CHECK_CONTAINS(text, "failed with 42P07: CREATE TABLE <x>");
    CHECK_CONTAINS(text, "F clock                waived, target: clocks disagree");
    CHECK_CONTAINS(text, "look at this");
    CHECK_CONTAINS(text, "skip       skipped  INDEX public.odd: 42704 no such class");
    CHECK_CONTAINS(text, "1.500 s");
    CHECK_TRUE(!strstr(text, "INCOMPLETE"));
    free(text);
    cJSON_Delete(r);
}

static void test_html(void)
{
    write_all();
    cJSON *r = build();
    char *text = report_html(r);

    CHECK_CONTAINS(text, "public.&lt;b&gt;&amp;");
    CHECK_TRUE(!strstr(text, "<b>&"));
    CHECK_CONTAINS(text, "CREATE TABLE &lt;x&gt;");
    CHECK_CONTAINS(text, "<td>77</td>");
    CHECK_CONTAINS(text, "<td>F</td><td>yes</td><td>clock</td>");
    CHECK_CONTAINS(text, "class=\"lag\"");
    CHECK_CONTAINS(text, "</body></html>");
    CHECK_TRUE(!strstr(text, "http")); /* nothing is fetched */
    free(text);
    cJSON_Delete(r);
}

/* A line in the middle that is damaged is said; a torn last one is not. */
static void test_damage(void)
{
    write_all();
    write_file("record.jsonl", "{\"kind\":\"statement\",\n{\"kind\":\"statement\",\"sql\":\"CREATE TABLE a\",\"session\":1}\n{\"kind\":\"sta");
    unlink("history.jsonl");
    cJSON *r = build();
    char *text = report_text(r);

    CHECK_CONTAINS(text, "INCOMPLETE: record.jsonl: 1 lines cannot be read");
    CHECK_INT(cJSON_GetArraySize(json_get(r, "statements")), 1);
    free(text);
    cJSON_Delete(r);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"facts", test_facts}, {"text", test_text}, {"html", test_html}, {"damage", test_damage}, {NULL, NULL}};

    strcpy(dir, "/tmp/pgc-unit.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    int code = unit_main("report", tests);
    dir_remove(dir, NULL);
    return code;
}
