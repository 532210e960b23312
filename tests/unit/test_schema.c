#include "unit.h"

#include "schema/lexer.h"
#include "schema/phase.h"
#include "schema/role_map.h"
#include "schema/script.h"
#include "schema/tools.h"

/* --- lexer --- */

/* Where statements end: the offsets behind the last semicolon of each line, summed up as text. */
static char *ends(const char *sql)
{
    struct lexer lexer = LEXER_INIT;
    struct buf out = BUF_INIT;

    while (*sql) {
        size_t len = strcspn(sql, "\n"), semicolon;
        len += sql[len] == '\n';
        lexer_line(&lexer, sql, len, &semicolon);
        buf_addf(&out, "%zu/%d ", semicolon, lexer.state);
        sql += len;
    }
    return buf_take(&out);
}

static void check_ends(const char *sql, const char *want)
{
    char *got = ends(sql);
    CHECK_STR(got, want);
    free(got);
}

static void test_lexer(void)
{
    check_ends("SELECT 1;\n", "9/0 ");
    check_ends("SELECT ';';\n", "11/0 ");
    check_ends("SELECT ';'';';x\n", "14/0 ");
    check_ends("SELECT '\\';\n", "11/0 ");      /* no escape in an ordinary string */
    check_ends("SELECT E'\\';\n", "0/2 ");      /* one in an E string */
    check_ends("SELECT E'\\\\';\n", "13/0 ");
    check_ends("SELECT nameE';'\n", "0/0 ");    /* a name that ends with E */
    check_ends("SELECT \"a;\"\"'\";\n", "15/0 ");
    check_ends("SELECT $$;$$;\n", "13/0 ");
    check_ends("SELECT $a$;$$\n$b$ $a$;\n", "0/4 8/0 ");
    check_ends("SELECT a$b$;\n", "12/0 ");      /* $ within a name */
    check_ends("SELECT $1;\n", "10/0 ");
    check_ends("SELECT 1 -- ; '\n;\n", "0/0 1/0 ");
    check_ends("SELECT /* ; /* */ ; */ 1;\n", "25/0 ");
    check_ends("/* '\n*/;\n", "0/5 3/0 ");
    check_ends("'a\n;\n';\n", "0/1 0/1 2/0 ");
}

/* --- script --- */

struct seen {
    struct buf text;
};

static bool note(void *arg, const struct script_object *object, struct err *err)
{
    struct seen *seen = arg;

    (void)err;
    buf_addf(&seen->text, "[%d %u/%u %s|%s|%s|%s|%s", object->position, object->class_oid,
             object->object_oid, object->type, object->schema, object->name, object->owner,
             object->post ? "post" : "pre");
    for (size_t i = 0; i < object->depend_count; i++)
        buf_addf(&seen->text, " %d", object->depends[i]);
    buf_addf(&seen->text, "]%s", object->statement);
    return true;
}

struct script_case {
    const char *pre, *post, *script;
    char *seen; /* what came out */
    struct err err;
};

static bool split(struct script_case *c)
{
    struct script_toc toc = SCRIPT_TOC_INIT;
    struct seen seen = {0};
    struct script_sink sink = {note, &seen};
    struct buf list = BUF_INIT;
    bool ok;

    buf_addstr(&list, c->pre);
    ok = script_toc_add(&toc, &list, false, &c->err);
    buf_addstr(&list, c->post);
    ok = ok && script_toc_add(&toc, &list, true, &c->err);
    struct script_reader *reader = script_reader_new(&toc, &sink);
    char *text = xstrdup(c->script);
    for (char *line = text; ok && *line;) {
        size_t len = strcspn(line, "\n");
        len += line[len] == '\n';
        char *copy = xstrndup(line, len);
        ok = script_reader_line(reader, copy, len, &c->err);
        free(copy);
        line += len;
    }
    ok = ok && script_reader_end(reader, &c->err);
    c->seen = buf_take(&seen.text);
    free(text);
    script_reader_free(reader);
    script_toc_release(&toc);
    buf_release(&list);
    return ok;
}

static void release(struct script_case *c)
{
    free(c->seen);
    err_clear(&c->err);
}

#define PREAMBLE                                                                                  \
    "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\nSET statement_timeout = 0;\n"       \
    "SET client_encoding = 'LATIN1';\nSET standard_conforming_strings = on;\n\n"
#define HEAD(id, oids, deps, name) "--\n-- TOC entry " id " (" oids ")\n" deps "-- Name: " name      \
    "\n-- Data Pos: 0\n--\n\n"

static void test_script(void)
{
    struct script_case c = {
        .pre = ";\n; a comment\n;\n7; 2615 100 SCHEMA - a bob\n12; 1255 101 FUNCTION a f() bob\n",
        .post = "3; 1259 102 INDEX a i bob\n",
        .script = PREAMBLE HEAD("7", "class 2615 OID 100", "", "a; Type: SCHEMA; Schema: -; Owner: bob")
            "CREATE SCHEMA a;\n\n\nALTER SCHEMA a OWNER TO bob;\n\n"
            HEAD("12", "class 1255 OID 101", "-- Dependencies: 7 9\n",
                 "f(); Type: FUNCTION; Schema: a; Owner: bob")
            "CREATE FUNCTION a.f() AS $$\n--\n-- TOC entry 3 (class 1259 OID 102)\n-- Name: i; Type: INDEX; "
            "Schema: a; Owner: bob\n--\n\nSET default_table_access_method = x;\n\\restrict z\n$$;\n\n\n"
            "SET default_tablespace = '';\n\n"
            HEAD("3", "class 1259 OID 102", "", "i; Type: INDEX; Schema: a; Owner: bob")
            "CREATE INDEX i;\n\n\n-- Completed on 2024\n\n--\n-- PostgreSQL database dump complete\n--\n\n"
            "\\unrestrict abc\n\n"};

    CHECK_TRUE(split(&c));
    CHECK_STR(c.err.message, NULL);
    CHECK_STR(c.seen,
              "[1 2615/100 SCHEMA|-|a|bob|pre]CREATE SCHEMA a;\n\n\nALTER SCHEMA a OWNER TO bob;"
              "[2 1255/101 FUNCTION|a|f()|bob|pre 7 9]CREATE FUNCTION a.f() AS $$\n--\n-- TOC entry 3 (class 1259 "
              "OID 102)\n-- Name: i; Type: INDEX; Schema: a; Owner: bob\n--\n\nSET default_table_access_method = x;\n"
              "\\restrict z\n$$;[3 1259/102 INDEX|a|i|bob|post]CREATE INDEX i;");
    release(&c);
}

static void test_script_names(void)
{
    /* Names that look like the words around them. */
    struct script_case c = {
        .pre = "1; 1259 5 TABLE s; Owner: x t; Type: VIEW; Schema: q bob\n2; 0 0 TABLE ATTACH s t bob\n"
               "3; 1259 6 TABLE ATTACH t bob\n4; 3079 7 EXTENSION - hstore \n",
        .post = "",
        .script = HEAD("1", "class 1259 OID 5", "",
                       "t; Type: VIEW; Schema: q; Type: TABLE; Schema: s; Owner: x; Owner: bob")
            "A;\n" HEAD("2", "class 0 OID 0", "", "t; Type: TABLE ATTACH; Schema: s; Owner: bob") "B;\n"
            HEAD("3", "class 1259 OID 6", "", "t; Type: TABLE; Schema: ATTACH; Owner: bob") "C;\n"
            HEAD("4", "class 3079 OID 7", "", "hstore; Type: EXTENSION; Schema: -; Owner: -") "D;\n"};

    CHECK_TRUE(split(&c));
    CHECK_STR(c.err.message, NULL);
    CHECK_STR(c.seen, "[1 1259/5 TABLE|s; Owner: x|t; Type: VIEW; Schema: q|bob|pre]A;"
                      "[2 0/0 TABLE ATTACH|s|t|bob|pre]B;[3 1259/6 TABLE|ATTACH|t|bob|pre]C;"
                      "[4 3079/7 EXTENSION|-|hstore|-|pre]D;");
    release(&c);
}

static void test_script_settings(void)
{
    struct script_case c = {
        .pre = "1; 1259 5 TABLE s t bob\n2; 1259 6 TABLE s u bob\n3; 1259 7 VIEW s v bob\n9; 2615 1 SCHEMA - public bob\n",
        .post = "",
        .script = PREAMBLE "SET default_table_access_method = columnar;\n\n"
            HEAD("1", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: bob") "CREATE TABLE t;\n\n"
            HEAD("3", "class 1259 OID 7", "", "v; Type: VIEW; Schema: s; Owner: bob") "CREATE VIEW v;\n\n"
            "SET default_table_access_method = heap;\n\n"
            HEAD("2", "class 1259 OID 6", "", "u; Type: TABLE; Schema: s; Owner: bob") "CREATE TABLE u;\n\n"
            HEAD("9", "class 2615 OID 1", "", "public; Type: SCHEMA; Schema: -; Owner: bob") "CREATE SCHEMA public;\n"};

    CHECK_TRUE(split(&c));
    CHECK_STR(c.seen, "[1 1259/5 TABLE|s|t|bob|pre]SET default_table_access_method = columnar;\nCREATE TABLE t;\n"
                      "SET default_table_access_method = heap;[2 1259/7 VIEW|s|v|bob|pre]CREATE VIEW v;"
                      "[3 1259/6 TABLE|s|u|bob|pre]CREATE TABLE u;"
                      "[4 2615/1 SCHEMA|-|public|bob|pre]CREATE SCHEMA IF NOT EXISTS public;");
    release(&c);
}

static void check_refused(const char *list, const char *script, const char *message)
{
    struct script_case c = {.pre = list, .post = "", .script = script};

    CHECK_TRUE(!split(&c));
    CHECK_CONTAINS(c.err.message, message);
    release(&c);
}

static void test_script_disagreement(void)
{
    const char *one = "1; 1259 5 TABLE s t bob\n";

    check_refused(one, PREAMBLE, "entry 1 of the dump's list is not in its script: \"TABLE s t bob\"");
    check_refused(one, HEAD("2", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: bob") "A;\n",
                  "entry 2 of the dump's script is not in its list");
    check_refused(one, HEAD("1", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: bob") "A;\n"
                  HEAD("1", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: bob") "A;\n",
                  "entry 1 of the dump's script is there twice");
    check_refused(one, HEAD("1", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: eve") "A;\n",
                  "script and list do not agree");
    check_refused(one, HEAD("1", "class 1259 OID 5", "", "t; Type: TABLE; Schema: s; Owner: bob") "SELECT 'A;\n",
                  "ends within a statement (entry 1)");
    check_refused("nonsense\n", "", "unexpected line in the list of pg_restore: \"nonsense\"");
    check_refused("", "SET standard_conforming_strings = off;\n", "standard_conforming_strings is off");
    check_refused("7; 2615 2200 SCHEMA - public bob\n1; 1259 5 TABLE s t bob\n", PREAMBLE, "entry 1 of");
}

/* --- phases, tools --- */

static void test_phases(void)
{
    CHECK_INT(schema_phase_of("TABLE", false, '\0'), PHASE_PRE);
    CHECK_INT(schema_phase_of("ACL", false, '\0'), PHASE_POST);
    CHECK_INT(schema_phase_of("INDEX", true, 'r'), PHASE_INDEX);
    CHECK_INT(schema_phase_of("CHECK CONSTRAINT", true, 'r'), PHASE_INDEX);
    CHECK_INT(schema_phase_of("FK CONSTRAINT", true, 'r'), PHASE_FOREIGN_KEY);
    CHECK_INT(schema_phase_of("TRIGGER", true, 'O'), PHASE_POST);
    CHECK_INT(schema_phase_of("TRIGGER", true, 'D'), PHASE_POST);
    CHECK_INT(schema_phase_of("TRIGGER", true, 'A'), PHASE_HELD);
    CHECK_INT(schema_phase_of("TRIGGER", true, 'R'), PHASE_HELD);
    CHECK_INT(schema_phase_of("TRIGGER", true, '\0'), PHASE_POST);
    CHECK_INT(schema_phase_of("RULE", true, 'A'), PHASE_HELD);
    CHECK_INT(schema_phase_of("EVENT TRIGGER", true, '\0'), PHASE_HELD);
    CHECK_INT(schema_phase_of("MATERIALIZED VIEW", true, '\0'), PHASE_POST);
    CHECK_INT(schema_phase_of("MATERIALIZED VIEW", false, '\0'), PHASE_PRE);
    CHECK_STR(schema_phase_name(PHASE_FOREIGN_KEY), "foreign-key");
}

static void test_tools(void)
{
    const int majors[] = {13, 15, 17, 16};

    CHECK_INT(schema_tools_choose(majors, 4, 12, 15), 1);  /* the target's */
    CHECK_INT(schema_tools_choose(majors, 4, 12, 14), 0);  /* the newest not above it */
    CHECK_INT(schema_tools_choose(majors, 4, 14, 18), 2);
    CHECK_INT(schema_tools_choose(majors, 4, 14, 14), 1);  /* the oldest above it */
    CHECK_INT(schema_tools_choose(majors, 4, 18, 18), -1); /* never below the source */
    CHECK_INT(schema_tools_choose(majors, 0, 12, 15), -1);
    CHECK_INT(schema_tools_parse_version("pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n"), 15);
    CHECK_INT(schema_tools_parse_version("pg_dump (PostgreSQL) 18beta1\n"), 18);
    CHECK_INT(schema_tools_parse_version("something else"), 0);
}

static void check_roles(const char *text, const char *want)
{
    static const struct schema_role items[] = {{"old", "new"}, {"Old One", "New \"One\""}, {"public_", "x"}};
    const struct schema_role_map map = {items, 3};
    struct buf out = BUF_INIT;

    buf_addstr(&out, "");
    role_map_apply(&map, text, &out);
    CHECK_STR(out.data, want);
    buf_release(&out);
}

static void test_role_map(void)
{
    check_roles("CREATE TABLE old.old (old text DEFAULT 'OWNER TO old');\n\nALTER TABLE old.old OWNER TO old;",
                "CREATE TABLE old.old (old text DEFAULT 'OWNER TO old');\n\nALTER TABLE old.old OWNER TO \"new\";");
    check_roles("ALTER TABLE \"Old One\" OWNER TO \"Old One\";", "ALTER TABLE \"Old One\" OWNER TO \"New \"\"One\"\"\";");
    check_roles("GRANT SELECT(old),INSERT ON TABLE old TO old, PUBLIC, \"Old One\" WITH GRANT OPTION;",
                "GRANT SELECT(old),INSERT ON TABLE old TO \"new\", PUBLIC, \"New \"\"One\"\"\" WITH GRANT OPTION;");
    check_roles("REVOKE ALL ON FUNCTION old(old integer) FROM PUBLIC;\nGRANT ALL ON SCHEMA old TO GROUP old;",
                "REVOKE ALL ON FUNCTION old(old integer) FROM PUBLIC;\nGRANT ALL ON SCHEMA old TO GROUP \"new\";");
    check_roles("SET SESSION AUTHORIZATION old;\nGRANT ALL ON TABLE t TO other;\nRESET SESSION AUTHORIZATION;",
                "SET SESSION AUTHORIZATION \"new\";\nGRANT ALL ON TABLE t TO other;\nRESET SESSION AUTHORIZATION;");
    check_roles("ALTER DEFAULT PRIVILEGES FOR ROLE old IN SCHEMA old GRANT SELECT ON TABLES TO old;",
                "ALTER DEFAULT PRIVILEGES FOR ROLE \"new\" IN SCHEMA old GRANT SELECT ON TABLES TO \"new\";");
    check_roles("CREATE POLICY old ON old FOR SELECT TO old, other USING ((old = 'old'::text));",
                "CREATE POLICY old ON old FOR SELECT TO \"new\", other USING ((old = 'old'::text));");
    check_roles("CREATE USER MAPPING FOR old SERVER old OPTIONS (\"user\" 'old');",
                "CREATE USER MAPPING FOR \"new\" SERVER old OPTIONS (\"user\" 'old');");
    check_roles("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $x$ ALTER TABLE t OWNER TO old; $x$;\nALTER FUNCTION f() OWNER TO old;",
                "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $x$ ALTER TABLE t OWNER TO old; $x$;\nALTER FUNCTION f() OWNER TO \"new\";");
    check_roles("COMMENT ON TABLE t IS 'it''s; ALTER TABLE t OWNER TO old';", "COMMENT ON TABLE t IS 'it''s; ALTER TABLE t OWNER TO old';");
    check_roles("-- ALTER TABLE t OWNER TO old;\nALTER TABLE t RENAME TO old;", "-- ALTER TABLE t OWNER TO old;\nALTER TABLE t RENAME TO old;");
    check_roles("", "");
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"lexer", test_lexer},
        {"script", test_script},
        {"script: names like headers", test_script_names},
        {"script: settings", test_script_settings},
        {"script: disagreement with the list", test_script_disagreement},
        {"phases", test_phases},
        {"role map", test_role_map},
        {"tools", test_tools},
        {NULL, NULL},
    };

    return unit_main("schema", tests);
}
