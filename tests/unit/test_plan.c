/* plan: reading, defaults, every refusal's wording and place, what is written back. */
#include "unit.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"
#include "plan/document.h"
#include "plan/keys.h"
#include "plan/pattern.h"
#include "plan/plan.h"

#define DATA SRCDIR "/tests/unit/data/plan/"
#define SHARED SRCDIR "/../shared/data/azure/"

/* A plan with these members beside source and target. */
#define WITH(members)                                                                              \
    "{\"source\": {\"serverName\": \"a\", \"databaseName\": \"d\"},\n"                             \
    " \"target\": {\"serverName\": \"b\"},\n " members "}"
#define SOURCE(members) "{\"source\": {" members "},\n \"target\": {\"serverName\": \"b\"}}"
#define DATABASES(items) WITH("\"databases\": [" items "]")

struct refusal {
    const char *text;
    const char *message;
    const char *hint; /* NULL: none */
};

static void check_refusals(const struct refusal *refusals)
{
    for (; refusals->text; refusals++) {
        struct plan plan;
        struct err err = ERR_INIT;
        CHECK_TRUE(!plan_parse(&plan, refusals->text, "p.json", &err));
        CHECK_INT(err.code, ERR_USAGE);
        CHECK_STR(err.message, refusals->message);
        CHECK_STR(err.hint, refusals->hint);
        if (!err.message)
            plan_release(&plan);
        CHECK_TRUE(!plan.document && !plan.name && !plan.databases);
        err_clear(&err);
    }
}

static void read_ok(struct plan *plan, const char *text)
{
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_parse(plan, text, "p.json", &err));
    CHECK_STR(err.message, NULL);
    err_clear(&err);
}

static void test_syntax(void)
{
    static const struct refusal refusals[] = {
        {"", "p.json:1:1: no JSON in it", NULL},
        {"// only words\n", "p.json:2:1: no JSON in it", NULL},
        {"[]", "p.json:1:1: the plan must be an object, not a list", NULL},
        {"{\n  \"a\" 1}", "p.json:2:7: expected \":\", found 1", NULL},
        {"{\n  a: 1}", "p.json:2:3: expected a key in double quotes, found a", NULL},
        {"{'a': 1}", "p.json:1:2: expected a key in double quotes, found '", NULL},
        {"{\"a\": 1 \"b\": 2}", "p.json:1:9: expected \",\" or \"}\", found \"", NULL},
        {"{\"a\": [1 2]}", "p.json:1:10: expected \",\" or \"]\", found 2", NULL},
        {"{\"a\": [1,,2]}", "p.json:1:10: expected a value, found ,", NULL},
        {"{\"a\": [,]}", "p.json:1:8: expected a value, found ,", NULL},
        {"{,}", "p.json:1:2: expected a key in double quotes, found ,", NULL},
        {"{\"a\": yes}", "p.json:1:7: expected a value (strings stand in double quotes)", NULL},
        {"{\"a\": nullx}", "p.json:1:7: expected a value (strings stand in double quotes)", NULL},
        {"{\"a\": 'x'}", "p.json:1:7: expected a value, found '", NULL},
        {"{\"a\": 01}", "p.json:1:7: invalid number", NULL},
        {"{\"a\": -}", "p.json:1:7: invalid number", NULL},
        {"{\"a\": 1.}", "p.json:1:7: invalid number", NULL},
        {"{\"a\": 1e}", "p.json:1:7: invalid number", NULL},
        {"{\"a\": 1000000000000000000000000000000000000000000000000000000000000000}",
         "p.json:1:7: invalid number", NULL},
        {"{\"a\": +1}", "p.json:1:7: expected a value, found +", NULL},
        {"{\"a\": \"x\n\"}", "p.json:1:9: string without an end", NULL},
        {"{\"a\": \"x", "p.json:1:9: string without an end", NULL},
        {"{\"a\": \"x\ty\"}", "p.json:1:9: control character in a string (a tab is written \\t)",
         NULL},
        {"{\"a\": \"C:\\keys\"}",
         "p.json:1:11: unknown escape in a string (a backslash is written \\\\)", NULL},
        {"{\"a\": \"\\u12x4\"}", "p.json:1:9: invalid \\u escape in a string", NULL},
        {"{\"a\": \"\\u0000\"}", "p.json:1:9: invalid \\u escape in a string", NULL},
        {"{\"a\": \"\\ud800\"}", "p.json:1:9: invalid \\u escape in a string", NULL},
        {"{\"a\": \"\\ud800\\u0041\"}", "p.json:1:9: invalid \\u escape in a string", NULL},
        {"{\"a\": \"\\udc00\"}", "p.json:1:9: invalid \\u escape in a string", NULL},
        {"{ /* no end", "p.json:1:3: comment without an end", NULL},
        {"{\"a\": 1 / 2}", "p.json:1:9: expected \",\" or \"}\", found /", NULL},
        {"{} {}", "p.json:1:4: expected the end of the text, found {", NULL},
        {"{", "p.json:1:2: expected a key in double quotes, found the end of the text", NULL},
        {"{\"a\": \"\xFF\"}", "p.json:1:8: invalid UTF-8", NULL},
        {"{\"a\": \"\xC0\xAF\"}", "p.json:1:8: invalid UTF-8", NULL},
        {"{\"a\": \"\xED\xA0\x80\"}", "p.json:1:8: invalid UTF-8", NULL},
        {"{\"a\": \"\xF4\x90\x80\x80\"}", "p.json:1:8: invalid UTF-8", NULL},
        {"{\"a\": \"\xE2\x82\"}", "p.json:1:8: invalid UTF-8", NULL},
        {"{\"a\": \"\xE2\x82", "p.json:1:8: invalid UTF-8", NULL},
        /* columns count characters, not bytes */
        {"{/* \xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x98 */ a}",
         "p.json:1:12: expected a key in double quotes, found a", NULL},
        {"\xEF\xBB\xBF{a}", "p.json:1:2: expected a key in double quotes, found a", NULL},
        {NULL, NULL, NULL},
    };

    check_refusals(refusals);
}

static void test_nesting(void)
{
    struct buf text = BUF_INIT;
    struct plan plan;
    struct err err = ERR_INIT;

    for (int i = 0; i < 100000; i++)
        buf_addch(&text, '[');
    CHECK_TRUE(!plan_parse(&plan, text.data, "p.json", &err));
    CHECK_STR(err.message, "p.json:1:33: nested deeper than 32 levels");
    err_clear(&err);
    buf_release(&text);
}

static void test_nul_byte(void)
{
    struct document document;
    struct err err = ERR_INIT;

    CHECK_TRUE(!document_parse(&document, "{}\n \0", 5, "p.json", &err));
    CHECK_STR(err.message, "p.json:2:2: NUL byte");
    err_clear(&err);
}

static void test_keys_and_types(void)
{
    static const struct refusal refusals[] = {
        {"{}", "p.json:1:1: \"source\" is missing", NULL},
        {"{\"source\": null}", "p.json:1:1: \"source\" is missing", NULL},
        {"{\"source\": {}}", "p.json:1:1: \"target\" is missing", NULL},
        {"{\"source\": {}, \"target\": {}}",
         "p.json: nothing says which database is to be migrated",
         "Give \"databaseName\" in \"source\", or a list of \"databases\"."},
        {DATABASES("{\"name\": \"d\",\n    \"selectdTables\": []}"),
         "p.json:4:5: unknown key \"selectdTables\" in databases[0]",
         "Did you mean \"selectedTables\"?"},
        {WITH("\"schema\": {\"roleMap\": [\"a\"]}"), "p.json:3:24: schema.roleMap must be an object of names, not a list", NULL},
        {WITH("\"schema\": {\"roleMap\": {\"a\": 1}}"), "p.json:3:30: schema.roleMap.a must be a string, not a number", NULL},
        {WITH("\"schema\": {\"roleMap\": {\"a\": \"b\", \"a\": \"c\"}}"), "p.json:3:35: key \"a\" stands twice in schema.roleMap", NULL},
        {WITH("\"schema\": {\"edits\": [{\"sql\": \"x\"}]}"), "p.json:3:23: schema.edits[0] has no \"object\"", NULL},
        {WITH("\"schema\": {\"edits\": [{\"object\": \"VIEW v\", \"skip\": false}]}"),
         "p.json:3:23: schema.edits[0] must have \"sql\", or \"skip\": true, and not both", NULL},
        {WITH("\"schema\": {\"edits\": [{\"object\": \"VIEW v\", \"skip\": true, \"sql\": \"x\"}]}"),
         "p.json:3:23: schema.edits[0] must have \"sql\", or \"skip\": true, and not both", NULL},
        {WITH("\"schema\": {\"edits\": [{\"object\": \"VIEW v\", \"skip\": true}, {\"object\": \"VIEW v\", \"sql\": \"x\"}]}"),
         "p.json:3:59: schema.edits[1] is the same object as schema.edits[0]", NULL},
        {WITH("\"schema\": {\"edits\": [{\"object\": \"VIEW v\", \"skip\": true, \"database\": \"none\"}]}"),
         "p.json:3:23: schema.edits[0].database is \"none\", which the plan does not have", NULL},
        {WITH("\"schema\": {\"edits\": [{\"object\": \"VIEW v\", \"skip\": true}]}, \"databases\": [{\"name\": \"a\"}, {\"name\": \"b\"}]"),
         "p.json:3:23: schema.edits[0] has no \"database\", and the plan has several", NULL},
        {WITH("\"laod\": {}"), "p.json:3:2: unknown key \"laod\"", "Did you mean \"load\"?"},
        {WITH("\"Load\": {}"), "p.json:3:2: unknown key \"Load\"", "Did you mean \"load\"?"},
        {WITH("\"load\": {\"threads\": 4}"), "p.json:3:11: unknown key \"threads\" in load",
         "Known here are \"jobs\", \"splitAbove\", \"prepare\", \"unlogged\"."},
        {WITH("\"verify\": {\"when\": null, \"when\": null}"),
         "p.json:3:27: key \"when\" stands twice in verify", NULL},
        {WITH("\"verify\": null, \"verify\": {}"), "p.json:3:18: key \"verify\" stands twice",
         NULL},
        {WITH("\"load\": []"), "p.json:3:10: load must be an object, not a list", NULL},
        {WITH("\"databases\": {}"),
         "p.json:3:15: databases must be a list of objects, not an object", NULL},
        {DATABASES("\"d\""), "p.json:3:16: databases[0] must be an object, not a string", NULL},
        {DATABASES("{}, null"), "p.json:3:16: databases[0] has no \"name\"", NULL},
        {DATABASES("{\"name\": \"d\"}, null"),
         "p.json:3:31: databases[1] must be an object, not null", NULL},
        {WITH("\"load\": {\"jobs\": \"4\"}"),
         "p.json:3:19: load.jobs must be a whole number (1 to 64), not a string", NULL},
        {WITH("\"load\": {\"jobs\": 0}"),
         "p.json:3:19: load.jobs must be a whole number from 1 to 64", NULL},
        {WITH("\"load\": {\"jobs\": 65}"),
         "p.json:3:19: load.jobs must be a whole number from 1 to 64", NULL},
        {WITH("\"load\": {\"jobs\": 1.5}"),
         "p.json:3:19: load.jobs must be a whole number from 1 to 64", NULL},
        {WITH("\"load\": {\"jobs\": 1e999}"),
         "p.json:3:19: load.jobs must be a whole number from 1 to 64", NULL},
        {WITH("\"schema\": {\"roles\": \"yes\"}"),
         "p.json:3:22: schema.roles must be true or false, not a string", NULL},
        {WITH("\"cutover\": {\"when\": 1}"),
         "p.json:3:22: cutover.when must be \"manual\" or \"ready\", not a number", NULL},
        {WITH("\"cutover\": {\"when\": \"raedy\"}"),
         "p.json:3:22: cutover.when cannot be \"raedy\"", "It is \"manual\" or \"ready\"."},
        {WITH("\"cutover\": {\"maxLag\": \"soon\"}"),
         "p.json:3:24: cutover.maxLag must be a duration, as \"1s\", and more than nothing", NULL},
        {WITH("\"cutover\": {\"maxLag\": \"0s\"}"),
         "p.json:3:24: cutover.maxLag must be a duration, as \"1s\", and more than nothing", NULL},
        {WITH("\"cutover\": {\"pgbouncer\": {\"config\": \"/etc/x\"}}"),
         "p.json:3:27: cutover.pgbouncer.uri is missing: how to reach PgBouncer's console",
         "As \"postgresql://admin@/pgbouncer?host=/run/pgbouncer\"."},
        {WITH("\"cutover\": {\"pgbouncer\": {\"uri\": \"postgresql://a:secret@b/pgbouncer\"}}"),
         "p.json:3:35: cutover.pgbouncer.uri must be how to reach PgBouncer's console, as "
         "\"postgresql://admin@/pgbouncer?host=/run/pgbouncer\", without a password (PGPASSWORD or the passfile has it)", NULL},
        {WITH("\"cutover\": {\"maxLag\": true}"),
         "p.json:3:24: cutover.maxLag must be a duration, as \"1s\", not true or false", NULL},
        {WITH("\"sync\": {\"spoolLimit\": \"many\"}"),
         "p.json:3:25: sync.spoolLimit must be a size, as \"50GB\", and more than nothing", NULL},
        {WITH("\"sync\": {\"spoolLimit\": -1}"),
         "p.json:3:25: sync.spoolLimit must be a size, as \"50GB\", and more than nothing", NULL},
        {WITH("\"limits\": {\"sourceSlotWal\": []}"),
         "p.json:3:30: limits.sourceSlotWal must be a size, as \"50GB\", not a list", NULL},
        {WITH("\"logLevel\": \"loud\""), "p.json:3:14: logLevel cannot be \"loud\"",
         "It is \"debug\", \"info\", \"warning\" or \"error\"."},
        {WITH("\"stateDir\": 7"), "p.json:3:14: stateDir must be a string, not a number", NULL},
        {WITH("\"stateDir\": \" \""), "p.json:3:14: stateDir must not be empty", NULL},
        {WITH("\"name\": \"no blanks\""),
         "p.json:3:10: name must be letters, digits, \"_\" and \"-\", at most 40 of them", NULL},
        {NULL, NULL, NULL},
    };

    check_refusals(refusals);
}

static void test_endpoints_refused(void)
{
    static const struct refusal refusals[] = {
        {"{\"source\": 1}", "p.json:1:12: source must be an object, not a number", NULL},
        {SOURCE("\"host\": \"a\""), "p.json:1:13: unknown key \"host\" in source",
         "Known here are \"userName\", \"password\", \"serverName\", \"databaseName\", \"port\", "
         "\"sslMode\", \"sslRootCert\", \"uri\", \"ssh\"."},
        {SOURCE("\"port\": \"5432\""),
         "p.json:1:21: source.port must be a whole number (1 to 65535), not a string", NULL},
        {SOURCE("\"port\": 65536"),
         "p.json:1:21: source.port must be a whole number from 1 to 65535", NULL},
        {SOURCE("\"serverName\": \"\""), "p.json:1:27: source.serverName must not be empty", NULL},
        {SOURCE("\"password\": 1234"),
         "p.json:1:25: source.password must be a string or null, not a number", NULL},
        {SOURCE("\"sslMode\": \"always\""), "p.json:1:24: source.sslMode cannot be \"always\"",
         "It is \"disable\", \"allow\", \"prefer\", \"require\", \"verify-ca\" or "
         "\"verify-full\"."},
        {SOURCE("\"databaseName\": \"postgresql://h/d\""),
         "p.json:1:29: source.databaseName must be a name, not a connection string", NULL},
        {SOURCE("\"uri\": \"hunter2\""),
         "p.json:1:20: source.uri: not a connection string that libpq takes",
         "Write postgresql://USER@HOST:PORT/DATABASE?sslmode=require or "
         "host=... port=... dbname=... user=..."},
        {SOURCE("\"uri\": \"host=a sslpassword=x\""),
         "p.json:1:20: source.uri: \"sslpassword\" cannot stand in a plan",
         "Put it into a service file and say service=NAME here."},
        {SOURCE("\"uri\": \"dbname=postgres://u:x@h/d\""),
         "p.json:1:20: source.uri: its database must be a name, not a connection string", NULL},
        {SOURCE("\"uri\": \"service=shop\""),
         "p.json: nothing says which database is to be migrated",
         "Give \"databaseName\" in \"source\", or a list of \"databases\"."},
        {NULL, NULL, NULL},
    };

    check_refusals(refusals);
}

static void test_databases_refused(void)
{
    static const struct refusal refusals[] = {
        {DATABASES("{\"name\": 1}"),
         "p.json:3:25: databases[0].name must be a string, not a number", NULL},
        {DATABASES("{\"name\": \"\\\"a\"}"),
         "p.json:3:25: databases[0].name has an opening quote without its end", NULL},
        {DATABASES("{\"name\": \"a\", \"target_database_name\": \"\\\"a\\\".b\"}"),
         "p.json:3:54: databases[0].target_database_name has an opening quote without its end",
         NULL},
        {DATABASES("{\"name\": \"a\"}, {\"name\": \"b\"}, {\"name\": \"\\\"a\\\"\"}"),
         "p.json:3:46: databases[2] is the same database as databases[0]", NULL},
        {DATABASES("{\"name\": \"a\"}, {\"name\": \"b\", \"target_database_name\": \"a\"}"),
         "p.json:3:31: databases[1] goes into the same database as databases[0]", NULL},
        {DATABASES("{\"name\": \"a\", \"selectedTables\": \"t\"}"),
         "p.json:3:48: databases[0].selectedTables must be a list of strings, not a string", NULL},
        {DATABASES("{\"name\": \"a\", \"selectedTables\": [\"t\", 1]}"),
         "p.json:3:54: databases[0].selectedTables[1] must be a string, not a number", NULL},
        {DATABASES("{\"name\": \"a\", \"selectedTables\": [\"a.b.c\"]}"),
         "p.json:3:49: databases[0].selectedTables[0] must be a table's name or a pattern of "
         "names: \"table\", \"schema.table\", \"schema.*\", with double quotes inside where SQL "
         "needs them",
         NULL},
        {DATABASES("{\"name\": \"a\", \"excludedTables\": [\"\"]}"),
         "p.json:3:49: databases[0].excludedTables[0] must not be empty", NULL},
        {DATABASES("{\"name\": \"a\", \"keylessTables\": \"skip\"}"),
         "p.json:3:47: databases[0].keylessTables cannot be \"skip\"",
         "It is \"refuse\", \"full\" or \"at-cutover\"."},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{}]}"),
         "p.json:3:48: databases[0].tableMappings[0] has no \"table\"", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\"}]}"),
         "p.json:3:48: databases[0].tableMappings[0] says nothing of the table: it has no \"to\", "
         "\"where\", \"columns\" or \"excludedColumns\"", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"to\": null}]}"),
         "p.json:3:48: databases[0].tableMappings[0] says nothing of the table: it has no \"to\", "
         "\"where\", \"columns\" or \"excludedColumns\"", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"columns\": [\"a.b\"]}]}"),
         "p.json:3:77: databases[0].tableMappings[0].columns[0] must be the name of one column, with "
         "double quotes inside where SQL needs them", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"columns\": [\"a\", \"A\"]}]}"),
         "p.json:3:82: databases[0].tableMappings[0].columns[1] is the same column as "
         "databases[0].tableMappings[0].columns[0]", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"columns\": [\"a\"], "
                   "\"excludedColumns\": [\"b\"]}]}"),
         "p.json:3:102: databases[0].tableMappings[0] has both \"columns\" and \"excludedColumns\"", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"where\": \" \"}]}"),
         "p.json:3:74: databases[0].tableMappings[0].where must not be empty", NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"t\", \"to\": \"s.u\"}]}"),
         "p.json:3:58: databases[0].tableMappings[0].table must be the name of one table with its "
         "schema, \"schema.table\"",
         NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.*\", \"to\": \"s.u\"}]}"),
         "p.json:3:58: databases[0].tableMappings[0].table must be the name of one table with its "
         "schema, \"schema.table\"",
         NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"to\": \"s.a\"},"
                   "{\"table\": \"S.T\", \"to\": \"s.b\"}]}"),
         "p.json:3:78: databases[0].tableMappings[1] is the same table as "
         "databases[0].tableMappings[0]",
         NULL},
        {DATABASES("{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"to\": \"s.a\"},"
                   "{\"table\": \"s.u\", \"to\": \"s.a\"}]}"),
         "p.json:3:78: databases[0].tableMappings[1] goes into the same table as "
         "databases[0].tableMappings[0]",
         NULL},
        {NULL, NULL, NULL},
    };

    check_refusals(refusals);
}

#define MAPPED "{\"name\": \"a\", \"tableMappings\": [{\"table\": \"s.t\", \"to\": \"s.u\"}]}"

/* What a mapping may say, in either schema mode and in any order of the keys. */
static void test_mappings(void)
{
    static const char *const accepted[] = {
        DATABASES(MAPPED),
        WITH("\"schema\": {\"mode\": \"existing\"}, \"databases\": [" MAPPED "]"),
        WITH("\"databases\": [" MAPPED "], \"schema\": {\"mode\": \"existing\"}"),
    };

    for (int i = 0; i < 3; i++) {
        struct plan plan;
        read_ok(&plan, accepted[i]);
        CHECK_STR(plan.database_count ? plan.databases[0].mappings[0].to_name : NULL, "u");
        plan_release(&plan);
    }
    struct plan plan;
    read_ok(&plan, DATABASES("{\"name\": \"a\", \"tableMappings\": []}"));
    CHECK_INT(plan.databases[0].mapping_count, 0);
    plan_release(&plan);
    read_ok(&plan, DATABASES("{\"name\": \"a\", \"tableMappings\": ["
                             "{\"table\": \"s.t\", \"where\": \"v > 0\", \"columns\": [\"Id\", \"\\\"Id\\\"\"]}, "
                             "{\"table\": \"s.u\", \"excludedColumns\": [\"secret\"]}]}"));
    const struct plan_mapping *maps = plan.databases[0].mappings;
    CHECK_INT(plan.databases[0].mapping_count, 2);
    CHECK_STR(maps[0].where, "v > 0");
    CHECK_STR(maps[0].to, NULL);
    CHECK_INT(maps[0].column_count, 2);
    CHECK_STR(maps[0].columns[0], "id");
    CHECK_STR(maps[0].columns[1], "Id");
    CHECK_INT(maps[1].column_count, 0);
    CHECK_INT(maps[1].excluded_count, 1);
    CHECK_STR(maps[1].excluded[0], "secret");
    plan_release(&plan);
}

#define LEAVE_OUT "Leave it out or set it to null."

static void test_not_offered(void)
{
    static const struct refusal refusals[] = {
        {SOURCE("\"encryptConnection\": true"),
         "p.json:1:34: source.encryptConnection is not offered by this version",
         "Say \"sslMode\": \"require\" (encrypted) or \"verify-full\" (and the certificate "
         "checked)."},
        {SOURCE("\"trustServerCertificate\": false"),
         "p.json:1:39: source.trustServerCertificate is not offered by this version",
         "Say \"sslMode\": \"require\" (encrypted) or \"verify-full\" (and the certificate "
         "checked)."},
        {WITH("\"theme\": \"dark\""), "p.json:3:11: theme is not offered by this version",
         LEAVE_OUT},
        {WITH("\"schema\": {\"enums\": \"int\"}"),
         "p.json:3:22: schema.enums cannot be \"int\"",
         "It is \"keep\" or \"text\"."},
        {WITH("\"schema\": {\"triggers\": \"drop\"}"),
         "p.json:3:25: schema.triggers cannot be \"drop\"",
         "It is \"replica\" or \"disable\"."},
        {WITH("\"schema\": {\"foreignKeys\": \"keep\"}"),
         "p.json:3:28: schema.foreignKeys cannot be \"keep\"",
         "It is \"defer\" or \"disable\"."},
        {WITH("\"schema\": {\"indexes\": \"before-load\"}"),
         "p.json:3:24: schema.indexes cannot be \"before-load\"",
         "It is \"after-load\" or \"rebuild\"."},
        {WITH("\"schema\": {\"indexes\": \"rebuild\"}"),
         "p.json:3:24: schema.indexes \"rebuild\" is for schema.mode \"existing\": else there are none to be taken out", NULL},
        {WITH("\"load\": {\"splitAbove\": \"much\"}"),
         "p.json:3:25: load.splitAbove must be a size, as \"50GB\", and more than nothing", NULL},
        {WITH("\"load\": {\"unlogged\": \"copy\"}"),
         "p.json:3:23: load.unlogged cannot be \"copy\"", "It is \"at-cutover\" or \"empty\"."},
        {WITH("\"sync\": {\"mode\": \"sync-only\"}"),
         "p.json:3:19: sync.mode \"sync-only\" needs schema.mode \"existing\": the rows are there already", NULL},
        {WITH("\"sync\": {\"commit\": \"each\"}"),
         "p.json:3:21: sync.commit \"each\" is not offered by this version",
         "Offered is \"batched\"."},
        {WITH("\"sync\": {\"spool\": \"always\"}"),
         "p.json:3:20: sync.spool \"always\" is not offered by this version",
         "Offered is \"auto\"."},
        {WITH("\"verify\": {\"method\": \"count\"}"),
         "p.json:3:23: verify.method \"count\" is not offered by this version",
         "Offered is \"checksum\"."},
        {WITH("\"cutover\": {\"stopWrites\": \"locks\"}"),
         "p.json:3:28: cutover.stopWrites cannot be \"locks\"",
         "It is \"read-only\", \"operator\" or \"lock\"."},
        {WITH("\"cutover\": {\"fallback\": true}, \"sync\": {\"mode\": \"load-only\"}"),
         "p.json:3:26: cutover.fallback needs a stream: sync.mode is \"load-only\"", NULL},
        {WITH("\"cutover\": {\"fallback\": true}, \"databases\": [{\"name\": \"a\", \"tableMappings\": "
              "[{\"table\": \"public.a\", \"to\": \"public.b\"}]}]"),
         "p.json:3:26: cutover.fallback and tableMappings do not go together: rows and names would not be the source's", NULL},
        {WITH("\"cutover\": {\"at\": \"tomorrow\"}"),
         "p.json:3:20: cutover.at must be a time, as \"2026-12-01 03:00\" (of this host) or \"2026-12-01T03:00:00+01:00\"", NULL},
        {WITH("\"cutover\": {\"when\": \"ready\", \"at\": \"2026-12-01 03:00\"}"),
         "p.json:3:37: cutover.at and cutover.when \"ready\" do not go together", NULL},
        {WITH("\"sync\": {\"slot\": \"Theirs\"}"),
         "p.json:3:19: sync.slot must be a slot's name: small letters, digits and \"_\", at most 63 of them", NULL},
        {WITH("\"sync\": {\"slot\": \"theirs\"}"), "p.json:3:19: sync.slot needs sync.mode \"sync-only\"", NULL},
        {WITH("\"fallbackOf\": \"no name\""), "p.json:3:16: fallbackOf must be the name of a migration", NULL},
        {NULL, NULL, NULL},
    };

    check_refusals(refusals);
}

static void test_defaults(void)
{
    struct plan plan;

    read_ok(&plan, "{\"source\": {\"databaseName\": \"shop\"}, \"target\": {}}");
    CHECK_STR(plan.name, "p");
    CHECK_STR(plan.path, NULL);
    CHECK_STR(plan.source.server_name, NULL);
    CHECK_STR(plan.source.user_name, NULL);
    CHECK_STR(plan.source.password.text, NULL);
    CHECK_STR(plan.source.ssl_mode, NULL);
    CHECK_INT(plan.source.port, 5432);
    CHECK_TRUE(!plan.source.port_given && plan.source.database_given);
    CHECK_STR(plan.target.database_name, "postgres");
    CHECK_TRUE(!plan.target.database_given);
    CHECK_INT(plan.database_count, 1);
    CHECK_STR(plan.databases[0].name, "shop");
    CHECK_STR(plan.databases[0].target_name, "shop");
    CHECK_INT(plan.databases[0].selected_count, 0);
    CHECK_INT(plan.databases[0].keyless, KEYLESS_REFUSE);
    CHECK_INT(plan.schema_mode, SCHEMA_COPY);
    CHECK_TRUE(plan.schema_roles);
    CHECK_INT(plan.load_prepare, PREPARE_REFUSE);
    CHECK_INT(plan.load_jobs, 4);
    CHECK_INT(plan.split_above_bytes, INT64_C(1) << 30);
    CHECK_INT(plan.sync_mode, SYNC_LOAD_AND_SYNC);
    CHECK_INT(plan.spool_limit_bytes, INT64_C(50) << 30);
    CHECK_INT(plan.sync_ddl, SYNC_DDL_APPLY);
    CHECK_INT(plan.verify_when, VERIFY_BEFORE_CUTOVER);
    CHECK_INT(plan.cutover_when, CUTOVER_MANUAL);
    CHECK_INT(plan.stop_writes, STOP_READ_ONLY);
    CHECK_INT(plan.max_lag_us, 1000000);
    CHECK_INT(plan.source_slot_wal_bytes, INT64_C(100) << 30);
    CHECK_STR(plan.state_dir, NULL);
    CHECK_INT(plan.log_level, LOG_INFO);
    CHECK_INT(plan.note_count, 0);
    plan_release(&plan);
}

/* null is the same as a missing key, wherever that may be missing. */
static void test_nulls(void)
{
    struct plan plan;
    struct buf text = BUF_INIT;

    buf_addstr(&text, "{\"source\": {\"databaseName\": \"d\"}, \"target\": {}");
    for (size_t i = 0; i < plan_key_count; i++)
        if (plan_keys[i].in == IN_PLAN && strcmp(plan_keys[i].name, "source") != 0 &&
            strcmp(plan_keys[i].name, "target") != 0)
            buf_addf(&text, ", \"%s\": null", plan_keys[i].name);
    buf_addstr(&text, "}");
    read_ok(&plan, text.data);
    CHECK_INT(plan.load_jobs, 4);
    plan_release(&plan);
    buf_clear(&text);
    buf_addstr(&text, "{\"source\": {\"databaseName\": \"d\"}, \"target\": {}, \"sync\": {");
    const char *comma = "";
    for (size_t i = 0; i < plan_key_count; i++) {
        if (plan_keys[i].in != IN_SYNC)
            continue;
        buf_addf(&text, "%s\"%s\": null", comma, plan_keys[i].name);
        comma = ", ";
    }
    buf_addstr(&text, "}}");
    read_ok(&plan, text.data);
    CHECK_INT(plan.spool_limit_bytes, INT64_C(50) << 30);
    plan_release(&plan);
    buf_release(&text);
}

/* Defaults of sections must not undo what another order of keys has set. */
static void test_order_of_sections(void)
{
    struct plan plan;

    read_ok(&plan,
            "{\"load\": {\"jobs\": 9}, \"name\": \"n\", \"source\": {\"databaseName\": \"d\"},"
            "\"sync\": {}, \"target\": {}, \"verify\": {\"when\": \"never\"}}");
    CHECK_INT(plan.load_jobs, 9);
    CHECK_INT(plan.verify_when, VERIFY_NEVER);
    CHECK_STR(plan.name, "n");
    plan_release(&plan);
}

static void check_full(const struct plan *plan)
{
    CHECK_STR(plan->name, "shop-2");
    CHECK_STR(plan->source.server_name, "db1.example.com");
    CHECK_INT(plan->source.port, 5433);
    CHECK_TRUE(plan->source.port_given);
    CHECK_STR(plan->source.user_name, "migrator");
    CHECK_STR(plan->source.database_name, "shop");
    CHECK_STR(plan->source.ssl_mode, "verify-full");
    CHECK_STR(plan->source.ssl_root_cert, "/etc/ssl/corp.pem");
    CHECK_STR(plan->target.uri,
              "postgresql://migrator@pg17.example.com:6000/postgres?sslmode=require");
    CHECK_INT(plan->target.port, 6000);
    CHECK_STR(plan->target.database_name, NULL);
    CHECK_INT(plan->database_count, 2);
    const struct plan_database *shop = &plan->databases[0];
    CHECK_STR(shop->target_name, "Shop New");
    CHECK_INT(shop->selected_count, 4);
    CHECK_STR(shop->selected[2], "\"Odd Schema\".\"T*\"");
    CHECK_INT(shop->excluded_count, 2);
    CHECK_INT(shop->mapping_count, 2);
    CHECK_STR(shop->mappings[0].to_schema, "billing");
    CHECK_STR(shop->mappings[0].where, NULL);
    CHECK_STR(shop->mappings[1].schema, "sales");
    CHECK_STR(shop->mappings[1].name, "Order");
    CHECK_STR(shop->mappings[1].to, "sales.\"Old Order\"");
    CHECK_STR(shop->mappings[1].to_name, "Old Order");
    CHECK_INT(shop->keyless, KEYLESS_AT_CUTOVER);
    CHECK_STR(plan->databases[1].target_name, "stock");
    CHECK_INT(plan->databases[1].keyless, KEYLESS_REFUSE);
    CHECK_INT(plan->schema_mode, SCHEMA_EXISTING);
    CHECK_TRUE(!plan->schema_roles);
    CHECK_INT(plan->load_prepare, PREPARE_TRUNCATE);
    CHECK_INT(plan->load_jobs, 8);
    CHECK_INT(plan->sync_mode, SYNC_LOAD_AND_SYNC);
    CHECK_INT(plan->spool_limit_bytes, INT64_C(2) << 30);
    CHECK_INT(plan->sync_ddl, SYNC_DDL_STOP);
    CHECK_INT(plan->verify_when, VERIFY_NEVER);
    CHECK_INT(plan->cutover_when, CUTOVER_READY);
    CHECK_INT(plan->stop_writes, STOP_OPERATOR);
    CHECK_INT(plan->max_lag_us, 250000);
    CHECK_INT(plan->max_downtime_us, 45000000);
    CHECK_STR(plan->hook_before, "./stop");
    CHECK_STR(plan->hook_after, "./switch");
    CHECK_INT(plan->source_slot_wal_bytes, INT64_C(512) << 20);
    CHECK_STR(plan->state_dir, "/var/lib/pgcutover");
    CHECK_INT(plan->log_level, LOG_DEBUG);
}

/* Read, written, read again: the same values, the same text, and never a password. */
static void test_round_trip(void)
{
    struct plan plan, again;
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_read(&plan, DATA "full.json", &err));
    CHECK_STR(err.message, NULL);
    check_full(&plan);
    CHECK_STR(plan.path, DATA "full.json");
    CHECK_STR(plan.source.password.text, "correct horse");
    CHECK_STR(plan.target.password.text, "battery staple");
    char *text = plan_text(&plan);
    CHECK_TRUE(!strstr(text, "horse") && !strstr(text, "staple"));
    CHECK_CONTAINS(text, "postgresql://migrator@pg17.example.com:6000/postgres?sslmode=require");
    CHECK_TRUE(plan_parse(&again, text, "journal", &err));
    CHECK_STR(err.message, NULL);
    check_full(&again);
    CHECK_STR(again.source.password.text, NULL);
    CHECK_STR(again.target.password.text, NULL);
    char *text_again = plan_text(&again);
    CHECK_STR(text_again, text);
    free(text);
    free(text_again);
    plan_release(&plan);
    plan_release(&again);
    err_clear(&err);
}

/* What was not written stays unwritten: the document is the reader's, with the name added. */
static void test_document_is_kept(void)
{
    struct plan plan;

    read_ok(&plan, "{// c\n\"target\": {\"port\": 1,},\"source\": {\"databaseName\": \"d\"},}");
    char *text = cJSON_PrintUnformatted(plan.document);
    CHECK_STR(text, "{\"name\":\"p\",\"target\":{\"port\":1},\"source\":{\"databaseName\":\"d\"}}");
    cJSON_free(text);
    plan_release(&plan);
}

static void test_names(void)
{
    struct plan plan;
    struct err err = ERR_INIT;
    const char *text = "{\"source\": {\"databaseName\": \"d\"}, \"target\": {}}";

    CHECK_TRUE(plan_parse(&plan, text, "/etc/plans/shop.v.json", &err) == false);
    CHECK_STR(err.message,
              "/etc/plans/shop.v.json: no \"name\", and \"shop.v\" cannot be one: it must "
              "be letters, digits, \"_\" and \"-\", at most 40 of them");
    CHECK_STR(err.hint, "Put a \"name\" into the plan, or give --name NAME.");
    CHECK_TRUE(plan_parse(&plan, text, "/etc/plans/shop_1", &err));
    CHECK_STR(plan.name, "shop_1");
    plan_release(&plan);
    CHECK_TRUE(plan_read_as(&plan, DATA "full.json", "other", &err));
    CHECK_STR(plan.name, "other");
    CHECK_STR(json_str(plan.document, "name"), "other");
    plan_release(&plan);
    CHECK_TRUE(!plan_read_as(&plan, DATA "full.json", "o/ther", &err));
    CHECK_STR(err.message, "the name of a migration must be letters, digits, \"_\" and \"-\", at "
                           "most 40 of them");
    CHECK_STR(err.hint, "Give another --name.");
    CHECK_TRUE(!plan_read(&plan, DATA "none.json", &err));
    CHECK_INT(err.code, ERR_USAGE);
    CHECK_STR(err.message, "could not open \"" DATA "none.json\": No such file or directory");
    CHECK_TRUE(plan_name_is_valid("a-B_9"));
    CHECK_TRUE(!plan_name_is_valid("") && !plan_name_is_valid("a b") &&
               !plan_name_is_valid("\xC3\xA4"));
    CHECK_TRUE(plan_name_is_valid("1234567890123456789012345678901234567890"));
    CHECK_TRUE(!plan_name_is_valid("12345678901234567890123456789012345678901"));
    err_clear(&err);
}

static void test_blanks(void)
{
    struct plan plan;

    read_ok(&plan,
            "{\"source\": {\"userName\": \"u\",\n \"serverName\": \" h\\t\", \"password\": \" x \","
            " \"databaseName\": \"d\"}, \"target\": {}}");
    CHECK_STR(plan.source.server_name, "h");
    CHECK_STR(plan.source.password.text, " x ");
    CHECK_INT(plan.note_count, 1);
    CHECK_STR(plan.notes[0], "p.json:2:16: blanks around source.serverName trimmed");
    CHECK_STR(json_str(json_get(plan.document, "source"), "serverName"), "h");
    plan_release(&plan);
}

/* The target's database is the one that was given, else the source's. */
static void test_default_database(void)
{
    struct plan plan;

    read_ok(&plan, "{\"source\": {\"uri\": \"postgresql://h/shop\"}, \"databases\": [],"
                   " \"target\": {\"serverName\": \"t\", \"databaseName\": \"new\"}}");
    CHECK_INT(plan.database_count, 1);
    CHECK_STR(plan.databases[0].name, "shop");
    CHECK_STR(plan.databases[0].target_name, "new");
    plan_release(&plan);
    read_ok(
        &plan,
        "{\"source\": {\"uri\": \"host=h dbname='a b'\"}, \"target\": {\"uri\": \"service=s\"}}");
    CHECK_STR(plan.databases[0].name, "a b");
    CHECK_STR(plan.databases[0].target_name, "a b");
    plan_release(&plan);
}

/* Two connection strings that say the same, in whatever order. */
static void check_same_conninfo(const char *got, const char *want)
{
    struct conninfo left = CONNINFO_INIT, right = CONNINFO_INIT;
    size_t same = 0;

    CHECK_TRUE(conninfo_parse(&left, got, NULL) && conninfo_parse(&right, want, NULL));
    for (size_t i = 0; i < left.count; i++) {
        const char *other = conninfo_get(&right, left.keys[i]);
        same += other && strcmp(other, left.values[i]) == 0;
    }
    if (same != left.count || same != right.count)
        CHECK_STR(got, want);
    CHECK_STR(left.password.text, right.password.text);
    conninfo_release(&left);
    conninfo_release(&right);
}

static void check_uri(const char *uri, const char *password, const char *stripped)
{
    struct plan plan;
    char *text =
        xasprintf("{\"source\": {\"uri\": \"%s\", \"databaseName\": \"d\"}, \"target\": {}}", uri);

    read_ok(&plan, text);
    CHECK_STR(plan.source.password.text, password);
    if (strstr(stripped, "://"))
        CHECK_STR(plan.source.uri, stripped);
    check_same_conninfo(plan.source.uri, stripped);
    CHECK_STR(json_str(json_get(plan.document, "source"), "uri"), plan.source.uri);
    plan_release(&plan);
    free(text);
}

static void test_passwords_in_uris(void)
{
    check_uri("postgresql://u@h/d", NULL, "postgresql://u@h/d");
    check_uri("postgres://u:s%40x@h:1/d?sslmode=require", "s@x",
              "postgres://u@h:1/d?sslmode=require");
    check_uri("postgresql://h/d?password=s&sslmode=require", "s",
              "postgresql://h/d?sslmode=require");
    check_uri("postgresql://h/d?sslmode=require&p%61ssword=s", "s",
              "postgresql://h/d?sslmode=require");
    check_uri("postgresql://u:a@h/d?password=b", "b", "postgresql://u@h/d");
    check_uri("postgresql://:s@h/d", "s", "postgresql://h/d");
    check_uri("postgresql://u:s@[::1]:5432,h2:1/d", "s", "postgresql://u@[::1]:5432,h2:1/d");
    check_uri("host=h user=u password='s s' dbname=d", "s s", "dbname='d' user='u' host='h'");
    check_uri("host=h passfile=/p", NULL, "host=h passfile=/p");
}

/* A password of its own goes before the uri's; "" says that none is needed, and stays so. */
static void test_password_key(void)
{
    struct plan plan, again;
    struct err err = ERR_INIT;

    read_ok(&plan, "{\"source\": {\"uri\": \"postgresql://u:one@h/d\", \"password\": \"two\"},"
                   " \"target\": {\"password\": \"\"}}");
    CHECK_STR(plan.source.password.text, "two");
    CHECK_STR(plan.target.password.text, "");
    char *text = plan_text(&plan);
    CHECK_TRUE(!strstr(text, "one") && !strstr(text, "two"));
    CHECK_TRUE(plan_parse(&again, text, "p.json", &err));
    CHECK_STR(again.source.password.text, NULL);
    CHECK_STR(again.target.password.text, "");
    free(text);
    plan_release(&plan);
    plan_release(&again);
}

static void check_conninfo(const char *source, const char *database, const char *want)
{
    struct plan plan;
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;
    char *text =
        xasprintf("{\"source\": {%s}, \"target\": {}, \"databases\": [{\"name\": \"x\"}]}", source);

    read_ok(&plan, text);
    CHECK_TRUE(plan_conninfo(&plan.source, database, &info, &err));
    char *string = conninfo_string(&info);
    check_same_conninfo(string, want);
    CHECK_STR(info.password.text, plan.source.password.text);
    free(string);
    free(text);
    conninfo_release(&info);
    plan_release(&plan);
}

static void test_conninfo(void)
{
    check_conninfo("", NULL, "dbname='postgres'");
    check_conninfo("\"password\": \"s\"", "d", "dbname='d'");
    check_conninfo("\"port\": 5433", "d", "port='5433' dbname='d'");
    check_conninfo("\"serverName\": \"h\"", NULL, "host='h' port='5432' dbname='postgres'");
    check_conninfo(
        "\"serverName\": \"h\", \"port\": 1, \"userName\": \"u\", \"databaseName\": \"d\","
        "\"sslMode\": \"verify-ca\", \"sslRootCert\": \"/r\", \"password\": \"\"",
        NULL, "host='h' port='1' user='u' dbname='d' sslmode='verify-ca' sslrootcert='/r'");
    check_conninfo("\"uri\": \"service=s\"", NULL, "service='s'");
    check_conninfo("\"uri\": \"host=a port=7 hostaddr=10.0.0.1 dbname=q\", \"serverName\": \"b\","
                   "\"sslMode\": \"require\"",
                   "d", "port='7' host='b' dbname='d' sslmode='require'");
}

static void check_azure(const char *dir, const char *prefix, const char *name, const char *target)
{
    struct plan plan, again;
    struct err err = ERR_INIT;
    char *paths[3] = {xasprintf("%s%ssource.json", dir, prefix),
                      xasprintf("%s%starget.json", dir, prefix),
                      xasprintf("%s%soptions.json", dir, prefix)};

    CHECK_TRUE(plan_read_azure(&plan, paths[0], paths[1], paths[2], NULL, &err));
    CHECK_STR(err.message, NULL);
    CHECK_STR(plan.name, name);
    CHECK_STR(plan.databases[0].name, name);
    CHECK_STR(plan.databases[0].target_name, target);
    CHECK_INT(plan.databases[0].selected_count, 2);
    CHECK_STR(plan.source.user_name, "postgres");
    CHECK_STR(plan.source.password.text, NULL);
    CHECK_INT(plan.target.port, 5432);
    CHECK_TRUE(plan.target.user_name && plan.target.user_name[0] != ' ');
    CHECK_TRUE(plan.target.server_name && plan.target.server_name[0] != ' ');
    CHECK_INT(plan.note_count, 2);
    char *want = xasprintf("%s:2:17: blanks around userName trimmed", paths[1]);
    CHECK_STR(plan.note_count ? plan.notes[0] : NULL, want);
    CHECK_INT(plan.load_jobs, 4);
    char *text = plan_text(&plan);
    CHECK_TRUE(plan_parse(&again, text, "journal", &err));
    CHECK_STR(again.name, name);
    CHECK_STR(again.target.user_name, plan.target.user_name);
    CHECK_INT(again.database_count, plan.database_count);
    CHECK_INT(again.note_count, 0);
    plan_release(&again);
    plan_release(&plan);
    CHECK_TRUE(plan_read_azure(&plan, paths[0], paths[1], paths[2], "mine", &err));
    CHECK_STR(plan.name, "mine");
    plan_release(&plan);
    CHECK_TRUE(plan_read_azure(&plan, paths[0], paths[1], NULL, NULL, &err));
    CHECK_INT(plan.database_count, 1);
    plan_release(&plan);
    free(want);
    free(text);
    for (int i = 0; i < 3; i++)
        free(paths[i]);
    err_clear(&err);
}

static void test_azure(void)
{
    check_azure(DATA, "azure-", "inventory", "inventory_new");
    if (file_exists(SHARED "options.json"))
        check_azure(SHARED, "", "dvdrental", "dvdrental");
}

/* Each of the three files is named by its own errors. */
static void test_azure_errors(void)
{
    static const struct {
        int which;
        const char *text, *message;
    } cases[] = {
        {0, "{\n \"userNam\": 1}", ":2:2: unknown key \"userNam\""},
        {0, "[]", ":1:1: a connection must be an object, not a list"},
        {1, "{\"port\": \"x\"}", ":1:10: port must be a whole number (1 to 65535), not a string"},
        {1, "{\"uri\": \"x\"}", ":1:9: uri: not a connection string that libpq takes"},
        {2, "{}", ":1:1: databases must be a list of objects, not an object"},
        {2, "[{\"nam\": \"x\"}]", ":1:3: unknown key \"nam\" in databases[0]"},
        {2, "[{\"name\": \"x\",}, {\"name\": \"x\",}]",
         ":1:18: databases[1] is the same database as databases[0]"},
        {2, "[{\"name\": \"x y\"}]",
         ": no \"name\", and \"x y\" cannot be one: it must be letters, "
         "digits, \"_\" and \"-\", at most 40 of them"},
        {2, "[", ":1:2: expected a value, found the end of the text"},
    };
    char path[] = "/tmp/pgcutover-test-XXXXXX";
    int fd = mkstemp(path);

    CHECK_TRUE(fd >= 0);
    close(fd);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *paths[] = {DATA "azure-source.json", DATA "azure-target.json",
                               DATA "azure-options.json"};
        struct plan plan;
        struct err err = ERR_INIT;
        char *want = xasprintf("%s%s", path, cases[i].message);
        paths[cases[i].which] = path;
        CHECK_TRUE(file_replace(path, cases[i].text, strlen(cases[i].text), &err));
        CHECK_TRUE(!plan_read_azure(&plan, paths[0], paths[1], paths[2], NULL, &err));
        CHECK_STR(err.message, want);
        CHECK_INT(err.code, ERR_USAGE);
        CHECK_TRUE(!plan.document);
        free(want);
        err_clear(&err);
    }
    unlink(path);
}

static void check_set(struct plan *plan, const char *key, const char *value, const char *message,
                      const char *hint)
{
    struct err err = ERR_INIT;
    bool ok = plan_set(plan, key, value, &err);

    CHECK_INT(ok, message == NULL);
    CHECK_STR(err.message, message);
    CHECK_STR(err.hint, hint);
    err_clear(&err);
}

static void test_set(void)
{
    struct plan plan;
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_read(&plan, DATA "full.json", &err));
    check_set(&plan, "cutover.when", "manual", NULL, NULL);
    check_set(&plan, "load.jobs", "3", NULL, NULL);
    check_set(&plan, "schema.roles", "true", NULL, NULL);
    check_set(&plan, "cutover.maxLag", "2s", NULL, NULL);
    check_set(&plan, "verify.when", NULL, NULL, NULL);
    check_set(&plan, "name", "renamed", NULL, NULL);
    check_set(&plan, "stateDir", " /s", NULL, NULL);
    CHECK_INT(plan.cutover_when, CUTOVER_MANUAL);
    CHECK_INT(plan.load_jobs, 3);
    CHECK_TRUE(plan.schema_roles);
    CHECK_INT(plan.max_lag_us, 2000000);
    CHECK_INT(plan.verify_when, VERIFY_BEFORE_CUTOVER);
    CHECK_STR(plan.name, "renamed");
    CHECK_STR(plan.state_dir, "/s");
    CHECK_STR(plan.notes[plan.note_count - 1], "command line: blanks around stateDir trimmed");
    CHECK_STR(plan.path, DATA "full.json");
    CHECK_STR(json_str(json_get(plan.document, "cutover"), "when"), "manual");
    CHECK_INT(plan.databases[0].selected_count, 4);
    plan_release(&plan);
}

static void test_set_refused(void)
{
    struct plan plan;
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_read(&plan, DATA "full.json", &err));
    char *before = plan_text(&plan);
    check_set(&plan, "cutover.when", "soon", "command line: cutover.when cannot be \"soon\"",
              "It is \"manual\" or \"ready\".");
    check_set(&plan, "load.jobs", "many",
              "command line: load.jobs must be a whole number (1 to 64), not a string", NULL);
    check_set(&plan, "load.jobs", "65",
              "command line: load.jobs must be a whole number from 1 to 64", NULL);
    check_set(&plan, "schema.roles", "1",
              "command line: schema.roles must be true or false, not a string", NULL);
    check_set(&plan, "verify.wen", "never", "command line: unknown key \"verify.wen\"",
              "Did you mean \"when\"?");
    check_set(&plan, "load", "x", "command line: \"load\" cannot be set there",
              "Write it into the plan.");
    check_set(&plan, "databases", "x", "command line: \"databases\" cannot be set there",
              "Write it into the plan.");
    check_set(&plan, "databases.name", "x", "command line: \"databases.name\" cannot be set there",
              "Write it into the plan.");
    check_set(&plan, "name.x", "x", "command line: \"name.x\" cannot be set there",
              "Write it into the plan.");
    check_set(&plan, "", "x", "command line: unknown key \"\"", NULL);
    check_set(&plan, "target.ssh", "x", "command line: \"target.ssh\" cannot be set there",
              "Write it into the plan.");
    check_set(&plan, "sync.mode", "sync-then-load",
              "command line: sync.mode cannot be \"sync-then-load\"",
              "It is \"load-and-sync\", \"load-only\" or \"sync-only\".");
    check_full(&plan);
    CHECK_STR(plan.source.password.text, "correct horse");
    char *after = plan_text(&plan);
    CHECK_STR(after, before);
    free(before);
    free(after);
    plan_release(&plan);
}

/* Passwords outlive other values that are set, and are replaced by their own. */
static void test_set_passwords(void)
{
    struct plan plan;
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_read(&plan, DATA "full.json", &err));
    check_set(&plan, "load.jobs", "2", NULL, NULL);
    CHECK_STR(plan.source.password.text, "correct horse");
    CHECK_STR(plan.target.password.text, "battery staple");
    check_set(&plan, "source.password", "sesame", NULL, NULL);
    CHECK_STR(plan.source.password.text, "sesame");
    check_set(&plan, "target.uri", "postgresql://u:open@h/d", NULL, NULL);
    CHECK_STR(plan.target.password.text, "open");
    check_set(&plan, "target.uri", "postgresql://u@h/d", NULL, NULL);
    CHECK_STR(plan.target.password.text, NULL);
    char *text = plan_text(&plan);
    CHECK_TRUE(!strstr(text, "sesame") && !strstr(text, "open"));
    free(text);
    check_set(&plan, "source.password", NULL, NULL, NULL);
    CHECK_STR(plan.source.password.text, NULL);
    plan_release(&plan);
}

#define SSH_SOURCE(more) SOURCE("\"serverName\": \"db1\", \"port\": 5433, \"databaseName\": \"d\", \"ssh\": {" more "}")

static void test_ssh(void)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct conninfo info = CONNINFO_INIT;
    char *host = NULL;
    int port = 0;

    read_ok(&plan, SSH_SOURCE("\"host\": \"bastion\", \"port\": 2222, \"user\": \"dba\", \"identityFile\": \"~/key\", "
                              "\"knownHosts\": \"/kh\", \"jumpHost\": \"j@first:23\", \"password\": \"open\", "
                              "\"passphrase\": \"sesame\""));
    CHECK_STR(plan.source.ssh.host, "bastion");
    CHECK_INT(plan.source.ssh.port, 2222);
    CHECK_STR(plan.source.ssh.jump, "j@first:23");
    CHECK_STR(plan.target.ssh.host, NULL);
    CHECK_TRUE(plan_tunnel_end(&plan.source, &host, &port, &err));
    CHECK_STR(host, "db1");
    CHECK_INT(port, 5433);
    free(host);
    CHECK_TRUE(!plan_conninfo(&plan.source, NULL, &info, &err));
    CHECK_STR(err.message, "the SSH tunnel through \"bastion\" is not open");
    err_clear(&err);
    plan.source.ssh.tunnel_port = 40000;
    check_set(&plan, "source.ssh.hostKeyFingerprint", "SHA256:AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg", NULL, NULL);
    CHECK_STR(plan.source.ssh.password.text, "open");
    CHECK_STR(plan.source.ssh.passphrase.text, "sesame");
    CHECK_TRUE(plan_conninfo(&plan.source, "d", &info, &err));
    char *label = conninfo_label(&info);
    char *string = conninfo_string(&info);
    CHECK_STR(label, "db1:5433/d");
    CHECK_CONTAINS(string, "host='db1'");
    CHECK_CONTAINS(string, "hostaddr='127.0.0.1'");
    CHECK_CONTAINS(string, "port='40000'");
    char *text = plan_text(&plan);
    CHECK_TRUE(!strstr(text, "open") && !strstr(text, "sesame"));
    CHECK_CONTAINS(text, "SHA256:AAgQGCAoMDhASFBYYGhweICIkJigqLC4wMjQ2ODo8Pg");
    free(text);
    free(string);
    free(label);
    conninfo_release(&info);
    plan_release(&plan);
}

static void test_ssh_refused(void)
{
    static const struct refusal refusals[] = {
        {SSH_SOURCE("\"user\": \"x\""), "source.ssh has no \"host\"", NULL},
        {SSH_SOURCE("\"host\": \"b\", \"hostKeyFingerprint\": \"MD5:00\""),
         "source.ssh.hostKeyFingerprint must be as ssh-keygen -l prints it: SHA256: and 43 letters", NULL},
        {SSH_SOURCE("\"host\": \"b\", \"jumpHost\": \"a,b\""),
         "source.ssh.jumpHost must be one host: [USER@]HOST[:PORT], or \"none\"", NULL},
        {SOURCE("\"serverName\": \"/tmp\", \"ssh\": {\"host\": \"b\"}"),
         "source.ssh: an SSH tunnel ends at one server, by its name or address and port", NULL},
        {SOURCE("\"uri\": \"postgresql://a,b/d\", \"ssh\": {\"host\": \"b\"}"),
         "source.ssh: an SSH tunnel ends at one server, by its name or address and port", NULL},
    };

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        struct plan plan;
        struct err err = ERR_INIT;
        CHECK_TRUE(!plan_parse(&plan, refusals[i].text, "p.json", &err));
        CHECK_CONTAINS(err.message, refusals[i].message);
        err_clear(&err);
    }
}

static void check_glob(const char *glob, const char *text, bool want)
{
    if (glob_matches(glob, text) != want)
        fprintf(stderr, "\nglob %s, text %s\n", glob, text);
    CHECK_INT(glob_matches(glob, text), want);
}

static void test_globs(void)
{
    check_glob("a", "a", true);
    check_glob("a", "ab", false);
    check_glob("", "", true);
    check_glob("*", "", true);
    check_glob("*", "anything", true);
    check_glob("a*", "b", false);
    check_glob("*_log", "a_log_log", true);
    check_glob("*_log", "a_log_", false);
    check_glob("a*b*c", "a1b2b3c", true);
    check_glob("a*b*c", "a1c2b", false);
    check_glob("a.b", "axb", false);
    check_glob("**a", "bba", true);
}

static void test_selection(void)
{
    struct plan plan;
    struct err err = ERR_INIT;
    bool used[4] = {false};

    CHECK_TRUE(plan_read(&plan, DATA "full.json", &err));
    const struct plan_database *shop = &plan.databases[0];
    CHECK_TRUE(plan_selects(shop, "public", "payment", used));
    CHECK_TRUE(used[0] && !used[1] && !used[2] && !used[3]);
    CHECK_TRUE(plan_selects(shop, "sales", "Any Name", used));
    CHECK_TRUE(used[1]);
    CHECK_TRUE(plan_selects(shop, "Odd Schema", "Table", used));
    CHECK_TRUE(used[2]);
    CHECK_TRUE(!plan_selects(shop, "Odd Schema", "table", NULL));
    CHECK_TRUE(!plan_selects(shop, "odd schema", "Table", NULL));
    CHECK_TRUE(plan_selects(shop, "anywhere", "customer", used));
    CHECK_TRUE(used[3]);
    CHECK_TRUE(!plan_selects(shop, "public", "payments", NULL));
    CHECK_TRUE(!plan_selects(shop, "public", "other", NULL));
    memset(used, 0, sizeof used);
    CHECK_TRUE(!plan_selects(shop, "sales", "tmp", used)); /* excluded, but it did match */
    CHECK_TRUE(used[1]);
    CHECK_TRUE(plan_selects(&plan.databases[1], "any", "table", NULL));
    const struct plan_mapping *mapping = plan_mapping_for(shop, "sales", "Order");
    CHECK_STR(mapping ? mapping->to_name : NULL, "Old Order");
    CHECK_TRUE(plan_mapping_for(shop, "public", "payment") == &shop->mappings[0]);
    CHECK_TRUE(!plan_mapping_for(shop, "sales", "order"));
    CHECK_TRUE(!plan_mapping_for(shop, "x", "payment"));
    CHECK_TRUE(!plan_mapping_for(&plan.databases[1], "x", "payment"));
    plan_release(&plan);
}

/* A database put together by hand has no index: the same answers. */
static void test_selection_by_hand(void)
{
    char *selected[] = {"public.*", "public.a", "a"};
    struct plan_mapping mappings[] = {{.schema = "z", .name = "t"}, {.schema = "b", .name = "t"}};
    struct plan_database database = {
        .selected = selected, .selected_count = 3, .mappings = mappings, .mapping_count = 2};
    bool used[3] = {false};

    CHECK_TRUE(plan_selects(&database, "public", "a", used));
    CHECK_TRUE(used[0] && used[1] && used[2]);
    CHECK_TRUE(!plan_selects(&database, "other", "b", used));
    CHECK_TRUE(plan_mapping_for(&database, "b", "t") == &mappings[1]);
    CHECK_TRUE(plan_mapping_for(&database, "z", "t") == &mappings[0]);
}

/* Lists of 100,000 tables are read and looked through in no time. */
static void test_many_tables(void)
{
    enum { COUNT = 100000 };
    struct buf text = BUF_INIT;
    struct plan plan;
    bool *used = xcalloc(COUNT, sizeof *used);
    int missing = 0;

    buf_addstr(
        &text,
        "{\"source\": {}, \"target\": {}, \"databases\": [{\"name\": \"d\", \"selectedTables\": [");
    for (int i = 0; i < COUNT; i++)
        buf_addf(&text, "\"s%d.t\",", i);
    buf_addstr(&text, "]}]}");
    read_ok(&plan, text.data);
    for (int i = 0; i < COUNT; i++) {
        char schema[16];
        snprintf(schema, sizeof schema, "s%d", i);
        missing += !plan_selects(plan.databases, schema, "t", used) || !used[i];
    }
    CHECK_INT(missing, 0);
    CHECK_TRUE(!plan_selects(plan.databases, "s", "t", used));
    plan_release(&plan);
    free(used);
    buf_release(&text);
}

static uint64_t random_state = 0x9E3779B97F4A7C15u;

static size_t random_below(size_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return limit ? (size_t)(random_state % limit) : 0;
}

/* One change: a byte replaced, a piece cut out, doubled, or moved, or the text cut short. */
static void mutate(struct buf *text)
{
    static const char likely[] = "{}[]\",:\\/*0-.eEu \n\tntf\x80\xFF\xC3";
    size_t at = random_below(text->len);
    size_t len = random_below(text->len - at < 40 ? text->len - at : 40);
    char piece[40];

    if (!text->len)
        return;
    memcpy(piece, text->data + at, len);
    switch (random_below(5)) {
    case 0:
        text->data[at] = likely[random_below(sizeof likely - 1)];
        break;
    case 1:
        memmove(text->data + at, text->data + at + len, text->len - at - len);
        text->len -= len;
        break;
    case 2:
        buf_room(text, len);
        memmove(text->data + at + len, text->data + at, text->len - at);
        text->len += len;
        break;
    case 3:
        memcpy(text->data + random_below(text->len - len), piece, len);
        break;
    default:
        text->len = random_below(16) ? text->len : at;
    }
    text->data[text->len] = '\0';
}

/* Whatever the text is: an error with a message, or a plan that can be written and read again. */
static void check_any(const struct buf *text, unsigned *accepted)
{
    struct plan plan, again;
    struct err err = ERR_INIT;

    if (!plan_parse(&plan, text->data, "p.json", &err)) {
        if (!err.message || strncmp(err.message, "p.json", 6) != 0 || err.code != ERR_USAGE)
            CHECK_STR(err.message, "(an error that names p.json)");
        err_clear(&err);
        return;
    }
    char *written = plan_text(&plan);
    ++*accepted;
    if (!plan_parse(&again, written, "p.json", &err)) {
        CHECK_STR(err.message, written);
    } else {
        char *twice = plan_text(&again);
        if (strcmp(written, twice) != 0)
            CHECK_STR(twice, written);
        free(twice);
        plan_release(&again);
    }
    err_clear(&err);
    free(written);
    plan_release(&plan);
}

static void test_mutations(void)
{
    struct buf seed = BUF_INIT, text = BUF_INIT;
    struct err err = ERR_INIT;
    unsigned accepted = 0;

    CHECK_TRUE(file_read(DATA "full.json", &seed, &err));
    for (int i = 0; i < 20000; i++) {
        buf_clear(&text);
        buf_add(&text, seed.data, seed.len);
        for (size_t n = 1 + random_below(3); n > 0; n--)
            mutate(&text);
        check_any(&text, &accepted);
    }
    CHECK_TRUE(accepted > 100 && accepted < 19000);
    buf_release(&seed);
    buf_release(&text);
}

static void test_words(void)
{
    CHECK_INT(word_distance("load", "load"), 0);
    CHECK_INT(word_distance("load", "laod"), 1);
    CHECK_INT(word_distance("", "abc"), 3);
    CHECK_INT(word_distance("When", "wen"), 1);
    CHECK_INT(word_position("a bb c", "bb"), 1);
    CHECK_INT(word_position("a bb c", "b"), -1);
    CHECK_INT(word_position("a bb c", ""), -1);
    CHECK_INT(word_position(NULL, "b"), -1);
}

/* The manual page names every key. */
static void test_manual(void)
{
    struct buf page = BUF_INIT;
    struct err err = ERR_INIT;

    CHECK_TRUE(file_read(SRCDIR "/man/pgcutover-plan.5", &page, &err));
    for (size_t i = 0; page.data && i < plan_key_count; i++)
        CHECK_CONTAINS(page.data, plan_keys[i].name);
    buf_release(&page);
    err_clear(&err);
}

/* Decisions that are made while the migration runs: over the plan's own, and taken back. */
static void test_decide(void)
{
    static const char text[] = "{\"name\": \"p\", \"source\": {\"uri\": \"postgresql://a/x\"}, \"target\": {\"uri\": \"postgresql://b/x\"}, "
                               "\"schema\": {\"edits\": [{\"object\": \"VIEW a\", \"skip\": true}, {\"object\": \"VIEW b\", \"sql\": \"x\"}]}}";
    struct plan plan;
    struct err err = ERR_INIT;

    CHECK_TRUE(plan_parse(&plan, text, "p.json", &err));
    plan_decide(&plan, &(struct plan_edit){.object = "VIEW a", .sql = "SELECT 1", .database = "x"});
    plan_decide(&plan, &(struct plan_edit){.object = "VIEW b", .database = "x"});
    plan_decide(&plan, &(struct plan_edit){.object = "VIEW c", .skip = true, .database = "x"});
    CHECK_INT(plan.schema_edit_count, 2);
    CHECK_STR(plan.schema_edits[0].object, "VIEW a");
    CHECK_STR(plan.schema_edits[0].sql, "SELECT 1");
    CHECK_TRUE(plan.schema_edits[1].skip && !plan.schema_edits[1].sql);
    char *now = plan_text(&plan);
    plan_release(&plan);
    CHECK_TRUE(plan_parse(&plan, now, "p.json", &err)); /* the document says the same */
    CHECK_INT(plan.schema_edit_count, 2);
    CHECK_STR(plan.schema_edits[1].object, "VIEW c");
    CHECK_TRUE(!strstr(now, "VIEW b"));
    free(now);
    plan_release(&plan);
    err_clear(&err);
}

static const struct unit_test tests[] = {
    {"syntax", test_syntax},
    {"nesting", test_nesting},
    {"NUL byte", test_nul_byte},
    {"keys and types", test_keys_and_types},
    {"endpoints refused", test_endpoints_refused},
    {"databases refused", test_databases_refused},
    {"mappings", test_mappings},
    {"not offered", test_not_offered},
    {"defaults", test_defaults},
    {"nulls", test_nulls},
    {"order of sections", test_order_of_sections},
    {"round trip", test_round_trip},
    {"document is kept", test_document_is_kept},
    {"names", test_names},
    {"blanks", test_blanks},
    {"default database", test_default_database},
    {"passwords in uris", test_passwords_in_uris},
    {"password key", test_password_key},
    {"conninfo", test_conninfo},
    {"Azure files", test_azure},
    {"Azure errors", test_azure_errors},
    {"set", test_set},
    {"set refused", test_set_refused},
    {"set passwords", test_set_passwords},
    {"SSH servers", test_ssh},
    {"SSH servers, refused", test_ssh_refused},
    {"globs", test_globs},
    {"selection", test_selection},
    {"selection by hand", test_selection_by_hand},
    {"many tables", test_many_tables},
    {"mutations", test_mutations},
    {"words", test_words},
    {"manual", test_manual},
    {"decide", test_decide}, {NULL, NULL},
};

int main(void)
{
    return unit_main("plan", tests);
}
