#include "unit.h"

#include "pg/conn.h"
#include "pg/conninfo.h"
#include "pg/ident.h"
#include "pg/lsn.h"
#include "pg/statement.h"

static void test_lsn(void)
{
    char text[LSN_TEXT_SIZE];
    lsn_t lsn = 0;

    CHECK_TRUE(lsn_parse("16/B374D848", &lsn));
    CHECK_TRUE(lsn == UINT64_C(0x16B374D848));
    CHECK_STR(lsn_format(lsn, text), "16/B374D848");
    CHECK_TRUE(!lsn_parse("16", &lsn));
    CHECK_TRUE(!lsn_parse("16/1x", &lsn));
    CHECK_TRUE(!lsn_parse(NULL, &lsn));
}

static void check_split(const char *text, const char *schema, const char *name)
{
    char *got_schema;
    char *got_name;

    CHECK_TRUE(ident_split(text, &got_schema, &got_name));
    CHECK_STR(got_schema, schema);
    CHECK_STR(got_name, name);
    free(got_schema);
    free(got_name);
}

static void test_ident(void)
{
    struct buf out = BUF_INIT;
    char *a;
    char *b;

    ident_add_qualified(&out, "a\"b", "C d");
    CHECK_STR(out.data, "\"a\"\"b\".\"C d\"");
    buf_clear(&out);
    literal_add(&out, "it's\\");
    CHECK_STR(out.data, " E'it''s\\\\'");
    buf_release(&out);
    check_split("Public.Payment", "public", "payment");
    check_split("\"A b\".\"c.\"\"d\"", "A b", "c.\"d");
    check_split("t*", NULL, "t*");
    CHECK_TRUE(!ident_split("a.b.c", &a, &b));
    CHECK_TRUE(!ident_split("\"a", &a, &b));
    CHECK_TRUE(!ident_split("", &a, &b));
    CHECK_TRUE(!ident_split("a.", &a, &b) || b == NULL);
    char *text = ident_display("public", "Pay ment");
    CHECK_STR(text, "public.\"Pay ment\"");
    free(text);
}

static void test_conninfo(void)
{
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;

    CHECK_TRUE(conninfo_parse(&info, "postgresql://me:pa%20ss@db1:5433/shop?sslmode=require", &err));
    CHECK_STR(info.password.text, "pa ss");
    CHECK_STR(conninfo_get(&info, "sslmode"), "require");
    char *label = conninfo_label(&info);
    CHECK_STR(label, "db1:5433/shop");
    free(label);
    char *text = conninfo_string(&info);
    CHECK_TRUE(strstr(text, "pa ss") == NULL);
    CHECK_CONTAINS(text, "host='db1'");
    free(text);
    conninfo_set(&info, "dbname", "it's \\");
    text = conninfo_string(&info);
    CHECK_CONTAINS(text, "dbname='it\\'s \\\\'");
    free(text);
    conninfo_set(&info, "dbname", NULL);
    CHECK_TRUE(conninfo_get(&info, "dbname") == NULL);
    char **env = conninfo_env(&info, "dump");
    CHECK_STR(env[0], "PGPASSWORD=pa ss");
    conninfo_env_free(env);
    CHECK_TRUE(!conninfo_parse(&info, "postgresql://me:hush@[bad", &err));
    CHECK_INT(err.code, ERR_USAGE);
    CHECK_TRUE(strstr(err.message, "hush") == NULL);
    err_clear(&err);
    conninfo_release(&info);
}

static void test_retryable(void)
{
    CHECK_TRUE(sqlstate_is_retryable("40P01"));
    CHECK_TRUE(sqlstate_is_retryable("53100"));
    CHECK_TRUE(sqlstate_is_retryable("57P01"));
    CHECK_TRUE(!sqlstate_is_retryable("23505"));
    CHECK_TRUE(!sqlstate_is_retryable(""));
}

static void test_unreachable(void)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn c = CONN_INIT;
    struct conn_options options = {.side = SIDE_TARGET, .role = "test"};
    struct err err = ERR_INIT;

    conninfo_set(&info, "host", "/nonexistent");
    conninfo_set(&info, "dbname", "shop");
    CHECK_TRUE(!conn_open(&c, &info, &options, &err));
    CHECK_INT(err.code, ERR_CONNECTION);
    CHECK_CONTAINS(err.message, "target /nonexistent:5432/shop: could not connect");
    CHECK_TRUE(err.retryable && err.hint != NULL);
    CHECK_TRUE(c.pg == NULL && c.label == NULL);
    err_clear(&err);
    conninfo_release(&info);
}

/* --- statements --- */

static void test_statement_changes(void)
{
    static const char *const changing[] = {
        "CREATE TABLE a (b int)", "  -- why\n/* and /* how */ */ drop index c", "BEGIN; SET x = 1; TRUNCATE a; COMMIT",
        "SELECT 'it''s; fine'; ALTER TABLE a ADD b int", "SELECT pg_catalog.setval('s', 1)", "SELECT lo_create ($1)",
        "CREATE_REPLICATION_SLOT \"s\" LOGICAL pgoutput", "DO $x$ BEGIN END $x$", "ANALYZE", "GRANT SELECT ON a TO b",
        "SELECT $$ $1; $$; VACUUM a", "SELECT E'\\';'; REFRESH MATERIALIZED VIEW m"};
    static const char *const others[] = {
        "SELECT 1", "BEGIN", "INSERT INTO pgcutover.tables VALUES ('CREATE TABLE x')", "SELECT 'a; DROP TABLE b'",
        "SELECT \"x; DROP\"", "SELECT $q$; DROP TABLE b$q$", "CREATE TEMP TABLE t (a int)", "create temporary table t (a int)",
        "SELECT setval FROM a", "-- DROP TABLE a", "/* DROP TABLE a */ SELECT 1", "COPY a FROM STDIN", "SET work_mem = 1", ""};

    for (size_t i = 0; i < sizeof changing / sizeof *changing; i++)
        if (!statement_changes_server(changing[i]))
            CHECK_STR("does not change", changing[i]);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (statement_changes_server(others[i]))
            CHECK_STR("changes", others[i]);
    CHECK_TRUE(statement_changes_server("DROP TABLE a"));
}

static void check_secret(const char *sql, const char *want)
{
    char *text = statement_without_secrets(sql);

    CHECK_STR(text, want);
    free(text);
}

static void test_statement_secrets(void)
{
    check_secret("ALTER ROLE a WITH LOGIN PASSWORD 'SCRAM$x''y' VALID UNTIL 'then'",
                 "ALTER ROLE a WITH LOGIN PASSWORD '***' VALID UNTIL 'then'");
    check_secret("CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password /* here */ E'x\\'y')",
                 "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'u', password /* here */ '***')");
    check_secret("ALTER TABLE a RENAME password TO \"PASSWORD\"; SELECT 'kept'", "ALTER TABLE a RENAME password TO \"PASSWORD\"; SELECT 'kept'");
    check_secret("CREATE SUBSCRIPTION s CONNECTION 'host=a Password=b' PUBLICATION p", "CREATE SUBSCRIPTION s CONNECTION '***' PUBLICATION p");
    check_secret("SELECT 'password', 'pass'", "SELECT 'password', 'pass'");
    check_secret("", "");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"LSNs", test_lsn},           {"identifiers", test_ident},
        {"conninfo", test_conninfo},  {"retryable", test_retryable},
        {"unreachable", test_unreachable}, {"statements that change a server", test_statement_changes},
        {"statements without secrets", test_statement_secrets},
        {NULL, NULL},
    };
    return unit_main("pg", tests);
}
