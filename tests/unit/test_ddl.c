/* From two definitions to statements: no server. */
#include "unit.h"

#include "base/xalloc.h"
#include "cdc/ddl.h"

/* A table public.t of columns given as JSON objects, and more members. */
static cJSON *table(const char *columns, const char *more)
{
    char *text = xasprintf("{\"oid\":\"1\",\"schema\":\"public\",\"name\":\"t\",\"kind\":\"r\",\"persistence\":\"p\","
                           "\"identity\":\"d\",\"owner\":\"o\",\"columns\":[%s]%s%s}",
                           columns, *more ? "," : "", more);
    cJSON *json = cJSON_Parse(text);

    CHECK_TRUE(json != NULL);
    free(text);
    return json;
}

#define COLUMN(num, name, type)                                                                    \
    "{\"num\":" #num ",\"name\":\"" name "\",\"type\":\"" type "\",\"identity\":\"\",\"generated\":\"\"}"
#define DEFAULTED(num, name, type, value)                                                          \
    "{\"num\":" #num ",\"name\":\"" name "\",\"type\":\"" type                                     \
    "\",\"identity\":\"\",\"generated\":\"\",\"default\":\"" value "\"}"


static void check_plan(const struct ddl_plan *plan, enum ddl_verdict verdict, const char *statements)
{
    struct buf all = BUF_INIT;

    for (size_t i = 0; i < plan->count; i++)
        buf_addf(&all, "%s;", plan->statements[i]);
    CHECK_INT(plan->verdict, verdict);
    CHECK_STR(all.data ? all.data : "", statements);
    buf_release(&all);
}

/* before, after, target, and the rest of the case. */
static void check(cJSON *before, cJSON *after, cJSON *target, struct ddl_case c, enum ddl_verdict verdict,
                  const char *statements)
{
    struct ddl_plan plan = DDL_PLAN_INIT;

    c.before = before;
    c.after = after;
    c.target = target;
    c.target_schema = c.target_schema ? c.target_schema : "public";
    c.target_name = c.target_name ? c.target_name : "t";
    ddl_decide_table(&c, &plan);
    check_plan(&plan, verdict, statements);
    ddl_plan_release(&plan);
    cJSON_Delete(before);
    cJSON_Delete(after);
    cJSON_Delete(target);
}

#define A COLUMN(1, "a", "integer")
#define B COLUMN(2, "b", "text")

static void nothing_to_do(void)
{
    struct ddl_case none = {0};

    check(table(A "," B, ""), table(A "," B, ""), table(A "," B, ""), none, DDL_SAME, "");
    /* The source dropped b; the target never had it, or does not any more. */
    check(table(A "," B, ""), table(A, ""), table(A, ""), none, DDL_SAME, "");
    /* Somebody has added it on the target already. */
    check(table(A, ""), table(A "," B, ""), table(A "," B, ""), none, DDL_SAME, "");
    /* A column that the plan leaves out stays out. */
    check(table(A "," B, ""), table(A "," COLUMN(2, "b", "date"), ""), table(A, ""), none, DDL_SAME, "");
    /* The target's own column is left alone. */
    check(table(A, ""), table(A, ""), table(A "," COLUMN(9, "own", "text"), ""), none, DDL_SAME, "");
}

static void columns_added(void)
{
    struct ddl_case none = {0};
    cJSON *missing = cJSON_Parse("{\"b\":\"it's\"}");
    struct ddl_case valued = {.missing = missing};
    struct ddl_case written = {.rewritten = DDL_REWRITE_DEFAULT};

    check(table(A, ""), table(A "," B, ""), table(A, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" text;");
    /* What now() was then, and what it will be. */
    check(table(A, ""), table(A "," DEFAULTED(2, "b", "text", "now()"), ""), table(A, ""), valued, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" text DEFAULT 'it''s'::text;"
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"b\" SET DEFAULT now();");
    /* Rows were written with values of their own. */
    check(table(A, ""), table(A "," DEFAULTED(2, "b", "text", "random()"), ""), table(A, ""), written,
          DDL_RELOAD,
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" text;"
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"b\" SET DEFAULT random();");
    /* Written with a constant: before 11, always. */
    check(table(A, ""), table(A "," DEFAULTED(2, "b", "integer", "(-1)"), ""), table(A, ""), written, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" integer DEFAULT (-1);");
    /* Added and given a default in one command: the old rows have none. */
    check(table(A, ""), table(A "," DEFAULTED(2, "b", "text", "random()"), ""), table(A, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" text;"
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"b\" SET DEFAULT random();");
    cJSON_Delete(missing);
}

static void columns_renamed_and_dropped(void)
{
    struct ddl_case none = {0};

    check(table(A "," B, ""), table(A "," COLUMN(2, "c\\\"d", "text"), ""), table(A "," B, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"b\" TO \"c\"\"d\";");
    /* It was done already: not as an addition. */
    check(table(A "," B, ""), table(A "," COLUMN(2, "c", "text"), ""), table(A "," COLUMN(7, "c", "text"), ""),
          none, DDL_SAME, "");
    check(table(A "," B, ""), table(A, ""), table(A "," B, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" DROP COLUMN \"b\";");
    /* Dropped, and another one of the same name in the same command. */
    check(table(A "," B, ""), table(A "," COLUMN(3, "b", "date"), ""), table(A "," B, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" DROP COLUMN \"b\";"
          "ALTER TABLE \"public\".\"t\" ADD COLUMN \"b\" date;");
}

static void types_changed(void)
{
    struct ddl_case same_values = {0};
    struct ddl_case by_cast = {.rewritten = DDL_REWRITE_TYPE, .plain = true};
    struct ddl_case by_using = {.rewritten = DDL_REWRITE_TYPE};

    check(table(COLUMN(1, "a", "character varying(10)"), ""), table(COLUMN(1, "a", "text"), ""),
          table(COLUMN(1, "a", "character varying(10)"), ""), same_values, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE text;");
    check(table(A, ""), table(COLUMN(1, "a", "bigint"), ""), table(A, ""), by_cast, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE bigint;");
    check(table(A, ""), table(COLUMN(1, "a", "text"), ""), table(A, ""), by_using, DDL_RELOAD,
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE text USING NULL::text;");
    check(table(DEFAULTED(1, "a", "integer", "1"), ""), table(DEFAULTED(1, "a", "bigint", "'1'::bigint"), ""),
          table(DEFAULTED(1, "a", "integer", "1"), ""), by_cast, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" DROP DEFAULT, ALTER COLUMN \"a\" TYPE bigint, "
          "ALTER COLUMN \"a\" SET DEFAULT '1'::bigint;");
}

static void tables_renamed(void)
{
    struct ddl_case none = {0};
    struct ddl_case mapped = {.target_schema = "other", .target_name = "u"};
    cJSON *target = table(A, "");

    cJSON *after = table(A, "");
    cJSON_ReplaceItemInObject(after, "name", cJSON_CreateString("t2"));
    check(table(A, ""), after, table(A, ""), none, DDL_APPLY,
          "UPDATE pgcutover.identity SET table_name = 't2' WHERE table_schema = 'public' AND table_name = 't' "
          "AND table_name = 't';ALTER TABLE \"public\".\"t\" RENAME TO \"t2\";");
    after = table(A "," B, "");
    cJSON_ReplaceItemInObject(after, "name", cJSON_CreateString("t2"));
    cJSON_ReplaceItemInObject(target, "schema", cJSON_CreateString("other"));
    cJSON_ReplaceItemInObject(target, "name", cJSON_CreateString("u"));
    check(table(A, ""), after, target, mapped, DDL_APPLY, "ALTER TABLE \"other\".\"u\" ADD COLUMN \"b\" text;");
}

static void guesses(void)
{
    struct ddl_case empty = {.without_rows = true};
    cJSON *after = table(A "," COLUMN(2, "new", "text") "," COLUMN(4, "c", "date"), "");
    cJSON *target = table(COLUMN(1, "a", "bigint") "," B "," COLUMN(3, "gone", "uuid"), "");
    cJSON *before = ddl_guess_before(after, target, "public", "t");

    check(before, after, target, empty, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" RENAME COLUMN \"b\" TO \"new\";"
          "ALTER TABLE \"public\".\"t\" DROP COLUMN \"gone\";"
          "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"a\" TYPE integer USING NULL::integer, "
          "ADD COLUMN \"c\" date;");
}

#define INDEX(oid, name, definition)                                                               \
    "\"indexes\":[{\"oid\":\"" oid "\",\"name\":\"" name "\",\"valid\":true,\"local\":true,\"unique\":false," \
    "\"definition\":\"" definition "\"}]"
#define CONSTRAINT(oid, name, valid, definition)                                                   \
    "\"constraints\":[{\"oid\":\"" oid "\",\"name\":\"" name "\",\"type\":\"c\",\"local\":true,\"valid\":" valid \
    ",\"definition\":\"" definition "\"}]"

static void parts(void)
{
    struct ddl_case none = {0};

    check(table(A, ""), table(A, INDEX("5", "i", "btree (a)")), table(A, ""), none, DDL_APPLY,
          "CREATE INDEX \"i\" ON \"public\".\"t\" USING btree (a);");
    check(table(A, ""), table(A, INDEX("5", "i", "btree (a)")), table(A, INDEX("77", "i", "btree (a)")), none,
          DDL_SAME, "");
    check(table(A, INDEX("5", "i", "btree (a)")), table(A, ""), table(A, INDEX("77", "i", "btree (a)")), none,
          DDL_APPLY, "DROP INDEX IF EXISTS \"public\".\"i\";");
    check(table(A, INDEX("5", "i", "btree (a)")), table(A, INDEX("5", "j", "btree (a)")),
          table(A, INDEX("77", "i", "btree (a)")), none, DDL_APPLY,
          "ALTER INDEX \"public\".\"i\" RENAME TO \"j\";");
    check(table(A, ""), table(A, CONSTRAINT("5", "c", "true", "CHECK (a > 0)")), table(A, ""), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" ADD CONSTRAINT \"c\" CHECK (a > 0);");
    check(table(A, ""), table(A, CONSTRAINT("5", "c", "false", "CHECK (a > 0) NOT VALID")), table(A, ""), none,
          DDL_APPLY, "ALTER TABLE \"public\".\"t\" ADD CONSTRAINT \"c\" CHECK (a > 0) NOT VALID;");
    check(table(A, CONSTRAINT("5", "c", "false", "CHECK (a > 0) NOT VALID")),
          table(A, CONSTRAINT("5", "c", "true", "CHECK (a > 0)")),
          table(A, CONSTRAINT("77", "c", "false", "CHECK (a > 0) NOT VALID")), none, DDL_APPLY,
          "ALTER TABLE \"public\".\"t\" VALIDATE CONSTRAINT \"c\";");
}

static void plain_alters(void)
{
    static const char *const plain[] = {"ALTER TABLE t ALTER c TYPE bigint", " alter /* x */ table t alter c type int;  ",
                                        "-- one\nALTER TABLE \"using\" ALTER c TYPE text; -- USING",
                                        "ALTER TABLE t ALTER c TYPE text, ADD d text DEFAULT 'using; x'"};
    static const char *const others[] = {"ALTER TABLE t ALTER c TYPE int USING 5", "ALTER TABLE t ALTER c TYPE int; SELECT 1",
                                         "DO $$BEGIN ALTER TABLE t ALTER c TYPE int; END$$", "SELECT change()", "", "BEGIN; ALTER TABLE t ADD c int",
                                         "ALTER TABLE t ALTER c TYPE int /* /* */ using */ using c + 1",
                                         "ALTER TABLE t ADD d text DEFAULT E'\\'', ALTER c TYPE int using '5'"};

    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!ddl_is_plain_alter(plain[i]))
            CU_FAIL(plain[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (ddl_is_plain_alter(others[i]))
            CU_FAIL(others[i]);
    CHECK_TRUE(!ddl_is_plain_alter(NULL));
}

static void constants(void)
{
    static const char *const constant[] = {"1", "'-1'::integer", "(-1)", "1.5", "'x'::text", "'it''s'::character varying(10)",
                                           "true", "NULL::text", "'{a,b}'::text[]", "'x'"};
    static const char *const others[] = {"now()", "('now'::text)::date", "'now'::text::date", "1 + random()", "'x' || random()",
                                         "nextval('s'::regclass)", "CURRENT_TIMESTAMP", "-", "", "trueish()"};

    for (size_t i = 0; i < sizeof constant / sizeof *constant; i++)
        CHECK_INT(ddl_is_constant(constant[i]), true);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK_INT(ddl_is_constant(others[i]), false);
}

static void check_enum(const char *after, const char *target, enum ddl_verdict verdict, size_t aside,
                       const char *statements)
{
    struct ddl_plan plan = DDL_PLAN_INIT;
    char *texts[] = {xasprintf("{\"schema\":\"s\",\"name\":\"e\",\"kind\":\"e\",\"labels\":[%s]}", after),
                     target ? xasprintf("{\"kind\":\"e\",\"labels\":[%s]}", target) : NULL};
    cJSON *now = cJSON_Parse(texts[0]);
    cJSON *there = texts[1] ? cJSON_Parse(texts[1]) : NULL;
    size_t first = 99;

    ddl_decide_type(now, there, &first, &plan);
    CHECK_INT(first, aside);
    check_plan(&plan, verdict, statements);
    ddl_plan_release(&plan);
    cJSON_Delete(now);
    cJSON_Delete(there);
    free(texts[0]);
    free(texts[1]);
}

static void enums(void)
{
    check_enum("\"a\",\"b\"", NULL, DDL_APPLY, 0, "CREATE TYPE \"s\".\"e\" AS ENUM ('a', 'b');");
    check_enum("\"a\",\"b\"", "\"a\",\"b\"", DDL_SAME, 0, "");
    check_enum("\"a\",\"x\",\"b\"", "\"a\",\"b\"", DDL_APPLY, 1,
               "ALTER TYPE \"s\".\"e\" ADD VALUE IF NOT EXISTS 'x' AFTER 'a';");
    check_enum("\"x\",\"a\"", "\"a\"", DDL_APPLY, 1, "ALTER TYPE \"s\".\"e\" ADD VALUE IF NOT EXISTS 'x' BEFORE 'a';");
    check_enum("\"a\",\"c\"", "\"a\",\"b\"", DDL_APPLY, 0, "ALTER TYPE \"s\".\"e\" RENAME VALUE 'b' TO 'c';");
    check_enum("\"b\",\"c\",\"d\"", "\"a\",\"e\",\"d\"", DDL_STOP, 0, "");
    /* The target may have more. */
    check_enum("\"a\"", "\"a\",\"b\"", DDL_SAME, 0, "");
}

static void new_tables(void)
{
    struct ddl_plan plan = DDL_PLAN_INIT;
    cJSON *definition = table(A "," DEFAULTED(2, "b", "text", "'x'::text"),
                              "\"parent\":[\"s\",\"p\"],\"bound\":\"FOR VALUES IN (1)\","
                              CONSTRAINT("5", "c", "true", "PRIMARY KEY (a)"));

    cJSON_ReplaceItemInObject(definition, "owner", cJSON_CreateString(""));
    ddl_create_table(definition, 150000, &plan);
    check_plan(&plan, DDL_APPLY, "CREATE TABLE \"public\".\"t\" (\"a\" integer, \"b\" text DEFAULT 'x'::text);"
                                 "ALTER TABLE \"public\".\"t\" ADD CONSTRAINT \"c\" PRIMARY KEY (a);"
                                 "ALTER TABLE \"s\".\"p\" ATTACH PARTITION \"public\".\"t\" FOR VALUES IN (1);");
    ddl_plan_release(&plan);
    cJSON_Delete(definition);
}

static void dropped_objects(void)
{
    static const struct {
        const char *object, *statement;
    } cases[] = {
        {"{\"type\":\"view\",\"schema\":\"s\",\"name\":\"v\"}", "DROP VIEW IF EXISTS \"s\".\"v\";"},
        {"{\"type\":\"index\",\"schema\":\"s\",\"name\":\"i\",\"original\":true}", "DROP INDEX IF EXISTS \"s\".\"i\";"},
        {"{\"type\":\"index\",\"schema\":\"s\",\"name\":\"i\",\"original\":false}", ""},
        {"{\"type\":\"function\",\"schema\":\"s\",\"name\":\"f\",\"original\":true}", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ddl_plan plan = DDL_PLAN_INIT;
        cJSON *object = cJSON_Parse(cases[i].object);
        ddl_drop_object(object, &plan);
        check_plan(&plan, *cases[i].statement ? DDL_APPLY : DDL_SAME, cases[i].statement);
        ddl_plan_release(&plan);
        cJSON_Delete(object);
    }
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"nothing to do", nothing_to_do}, {"columns added", columns_added},
        {"columns renamed and dropped", columns_renamed_and_dropped}, {"types changed", types_changed},
        {"tables renamed", tables_renamed}, {"guesses", guesses}, {"indexes and constraints", parts},
        {"plain ALTER TABLE", plain_alters}, {"constants", constants}, {"enums", enums},
        {"new tables", new_tables}, {"dropped objects", dropped_objects}, {NULL, NULL},
    };

    return unit_main("ddl", tests);
}
