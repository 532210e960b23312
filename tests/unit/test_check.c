/* Findings and the decisions of single checks; what servers show is in test_check_servers. */
#include "base/files.h"
#include "check/fixes.h"
#include "check/hba.h"
#include "check/run.h"

#include "unit.h"

static struct finding a_finding(const char *id, char severity, const char *fix)
{
    return (struct finding){
        .id = id,
        .severity = severity,
        .side = severity == FINDING_INFO ? SIDE_TARGET : SIDE_SOURCE,
        .message = xasprintf("%s is not right", id),
        .why = xstrdup("It matters."),
        .fix = xstrdup(fix),
        .undo = severity == FINDING_FAIL ? xstrdup("UNDO;") : NULL,
        .needs = severity == FINDING_FAIL ? NEEDS_RESTART : NEEDS_NONE,
    };
}

static struct findings some_findings(void)
{
    struct findings findings = FINDINGS_INIT;

    findings_add(&findings, a_finding("matviews", FINDING_INFO, NULL));
    findings_add(&findings, a_finding("clock", FINDING_WARN, "chrony"));
    findings_add(&findings, a_finding("wal-level", FINDING_FAIL, "ALTER SYSTEM;\nrestart"));
    findings_add(&findings, a_finding("no-ri", FINDING_FAIL, NULL));
    findings_sort(&findings);
    return findings;
}

static void test_sort(void)
{
    struct findings findings = some_findings();
    static const char *const want[] = {"wal-level", "no-ri", "clock", "matviews"};

    for (size_t i = 0; i < 4; i++)
        CHECK_STR(findings.items[i].id, want[i]);
    CHECK_INT(findings_count(&findings, FINDING_FAIL), 2);
    CHECK_INT(findings_count(&findings, FINDING_WARN), 1);
    CHECK_STR(findings_find(&findings, "clock", SIDE_SOURCE)->fix, "chrony");
    CHECK_TRUE(findings_find(&findings, "clock", SIDE_TARGET) == NULL);
    findings_release(&findings);
}

static void test_error(void)
{
    struct findings findings = some_findings();
    struct findings none = FINDINGS_INIT;
    struct err err = ERR_INIT;

    CHECK_TRUE(findings_error(&findings, &err));
    CHECK_INT(err_exit_code(&err), 3);
    CHECK_STR(err.message, "2 prerequisites are not met");
    CHECK_STR(err.detail,
              "wal-level (source): wal-level is not right. Fix: ALTER SYSTEM; restart "
              "(then restart the server)\n"
              "no-ri (source): no-ri is not right. (then restart the server)");
    err_clear(&err);
    findings_add(&none, a_finding("clock", FINDING_WARN, NULL));
    CHECK_TRUE(!findings_error(&none, &err));
    CHECK_TRUE(!err_is_set(&err));
    findings_add(&none, a_finding("rls", FINDING_FAIL, NULL));
    CHECK_TRUE(findings_error(&none, &err));
    CHECK_STR(err.message, "1 prerequisite is not met");
    err_clear(&err);
    findings_add(&none, a_finding("no-ri", FINDING_FAIL, "a\nb\nc\nd\ne"));
    CHECK_TRUE(findings_error(&none, &err));
    CHECK_CONTAINS(err.detail, "no-ri is not right. Fix: a b c ... (then");
    err_clear(&err);
    findings_release(&none);
    findings_release(&findings);
}

static void test_json(void)
{
    struct findings findings = some_findings();
    cJSON *json = findings_to_json(&findings);
    char *first = cJSON_PrintUnformatted(cJSON_GetArrayItem(json, 0));
    char *last = cJSON_PrintUnformatted(cJSON_GetArrayItem(json, 3));

    CHECK_INT(cJSON_GetArraySize(json), 4);
    CHECK_STR(first, "{\"fix\":\"ALTER SYSTEM;\\nrestart\",\"id\":\"wal-level\",\"lasts\":false,"
                     "\"message\":\"wal-level is not right\",\"needs\":\"restart\",\"severity\":\"F\","
                     "\"side\":\"source\",\"undo\":\"UNDO;\",\"waived\":false,\"why\":\"It matters.\"}");
    CHECK_STR(last, "{\"fix\":null,\"id\":\"matviews\",\"lasts\":false,\"message\":\"matviews is not right\","
                    "\"needs\":\"none\",\"severity\":\"I\",\"side\":\"target\",\"undo\":null,\"waived\":false,"
                    "\"why\":\"It matters.\"}");
    cJSON_free(first);
    cJSON_free(last);
    cJSON_Delete(json);
    findings_release(&findings);
}

/* What is waived is shown and told, and is no failure. */
static void test_waived(void)
{
    struct findings findings = some_findings();
    char *ids[] = {"wal-level", "clock"}, *last[] = {"no-ri"};
    struct err err = ERR_INIT;

    findings_waive(&findings, ids, 2);
    CHECK_INT(findings_count(&findings, FINDING_FAIL), 1);
    CHECK_INT(findings_count(&findings, FINDING_WARN), 0);
    char *text = findings_text(&findings);
    CHECK_CONTAINS(text, "waived   source  wal-level        wal-level is not right\n");
    CHECK_CONTAINS(text, "\n1 to be fixed, 0 warnings, 1 for information, 2 waived\n");
    free(text);
    cJSON *json = findings_to_json(&findings);
    CHECK_TRUE(cJSON_IsTrue(cJSON_GetObjectItem(cJSON_GetArrayItem(json, 0), "waived")));
    cJSON_Delete(json);
    CHECK_TRUE(findings_error(&findings, &err));
    CHECK_STR(err.message, "1 prerequisite is not met");
    CHECK_STR(err.detail, "no-ri (source): no-ri is not right. (then restart the server)");
    err_clear(&err);
    findings_waive(&findings, last, 1);
    CHECK_TRUE(!findings_error(&findings, &err));
    findings_release(&findings);
}

static struct finding to_mend(const char *id, char severity, enum finding_needs needs, const char *fix, const char *undo)
{
    return (struct finding){.id = id, .severity = severity, .side = SIDE_SOURCE, .message = xasprintf("%s\rhere", id),
                            .why = xstrdup("why"), .fix = xstrdup(fix), .undo = undo ? xstrdup(undo) : NULL, .needs = needs};
}

static void check_statements(const char *fix, const char *undo, const char *want, const char *want_undo)
{
    struct finding finding = to_mend("select-priv", FINDING_INFO, NEEDS_NONE, fix, undo);
    char *statements = fixes_statements(&finding), *undos = fixes_undo_statements(&finding);

    CHECK_STR(statements ? statements : "none", want);
    CHECK_STR(undos ? undos : "none", want_undo);
    free(statements);
    free(undos);
    free(finding.message);
    free(finding.why);
    free(finding.fix);
    free(finding.undo);
}

/* What may be run in place: whole statements alone, whatever names there are. */
static void test_statements(void)
{
    check_statements("Say so:\nGRANT a TO b;\nALTER ROLE c X; -- why", "REVOKE a FROM b;\nRead the manual.", "GRANT a TO b;\nALTER ROLE c X; -- why",
                     "REVOKE a FROM b;");
    check_statements("GRANT a TO b;", NULL, "none", "none");
    check_statements("DROP TABLE a;\nALTER ROLE b SUPERUSER;\nALTER TABLE a ADD PRIMARY KEY (...);", "ALTER TABLE a DROP b;", "none",
                     "ALTER TABLE a DROP b;");
    check_statements("ALTER TABLE a X; -- or so\nGRANT \"x\nALTER ROLE y;\n\" TO b;\nGRANT c\rTO d;", "REVOKE \"x\nREVOKE y;", "none", "none");
}

/* What runs, what is a comment, in which order; names cannot bring statements of their own. */
static void test_fixes(void)
{
    struct findings findings = FINDINGS_INIT;
    struct fixes fixes = FIXES_INIT;

    findings_add(&findings, to_mend("wal-level", FINDING_FAIL, NEEDS_RESTART, "ALTER SYSTEM SET wal_level = 'logical';", "ALTER SYSTEM RESET wal_level;"));
    findings_add(&findings, to_mend("select-priv", FINDING_FAIL, NEEDS_NONE, "Say so:\nGRANT SELECT ON a TO b;\nGRANT SELECT ON c TO b;", "REVOKE SELECT ON a FROM b;"));
    findings_add(&findings, to_mend("idle-slots", FINDING_WARN, NEEDS_NONE, "SELECT pg_drop_replication_slot('s'); -- if it is not needed any more", NULL));
    findings_add(&findings, to_mend("sync-star", FINDING_FAIL, NEEDS_RELOAD, "ALTER SYSTEM SET a = 'b';", "ALTER SYSTEM RESET a;"));
    findings_add(&findings, to_mend("no-ri", FINDING_FAIL, NEEDS_NONE, "ALTER TABLE \"x\nDROP TABLE y;\n\" REPLICA IDENTITY FULL;", "ALTER TABLE z;"));
    findings_add(&findings, to_mend("k-owner", FINDING_FAIL, NEEDS_NONE, "GRANT \"x\rDROP TABLE y;\" TO b;", "REVOKE"));
    findings_add(&findings, to_mend("public-create", FINDING_FAIL, NEEDS_NONE, "GRANT a TO b; -- in database \"x\nGRANT c TO d;\n\"", "REVOKE"));
    findings_add(&findings, to_mend("decode-mem", FINDING_INFO, NEEDS_NONE, "ALTER ROLE b SET x = 1;", "ALTER ROLE b RESET x;"));
    findings_add(&findings, to_mend("ddl-log", FINDING_WARN, NEEDS_NONE, "Or:\nALTER ROLE b SUPERUSER;", "ALTER ROLE b NOSUPERUSER;"));
    findings_add(&findings, to_mend("repl-conn", FINDING_FAIL, NEEDS_RELOAD, "In pg_hba.conf: local a b", NULL));
    findings_add(&findings, to_mend("pooler", FINDING_WARN, NEEDS_NONE, "ALTER SYSTEM SET never = 1;", "x"));
    findings.items[findings.count - 1].waived = true;
    fixes_add(&fixes, &findings, "My \"db", "t", true);
    char *script = fixes_script(&fixes);
    CHECK_CONTAINS(script,
        "\\if :{?source}\n"
        "\n-- --- settings that a reload takes over\n-- sync-star, database My \"db: sync-star\n--   here\nALTER SYSTEM SET a = 'b';\n-- undo: ALTER SYSTEM RESET a;\n"
        "SELECT pg_reload_conf();\n"
        "\n-- --- SQL\n-- database My \"db\n\\connect \"My \"\"db\"\n-- select-priv, database My \"db: select-priv\n--   here\n--   Say so:\n"
        "GRANT SELECT ON a TO b;\nGRANT SELECT ON c TO b;\n-- undo: REVOKE SELECT ON a FROM b;\n"
        "\n-- --- settings that want a restart\n-- wal-level, database My \"db: wal-level\n--   here\nALTER SYSTEM SET wal_level = 'logical';\n"
        "-- undo: ALTER SYSTEM RESET wal_level;\n\\echo 'Now restart this server.'\n"
        "\n-- --- for pg_hba.conf\n-- repl-conn, database My \"db: repl-conn\n--   here\n--   In pg_hba.conf: local a b\n"
        "\n-- --- for you to decide, or not needed\n-- idle-slots, database My \"db: idle-slots\n--   here\n"
        "--   SELECT pg_drop_replication_slot('s'); -- if it is not needed any more\n"
        "-- k-owner, database My \"db: k-owner\n--   here\n--   GRANT \"x\n--   DROP TABLE y;\" TO b;\n"
        "-- public-create, database My \"db: public-create\n--   here\n--   GRANT a TO b; -- in database \"x\n"
        "-- decode-mem, database My \"db: decode-mem\n--   here\n--   ALTER ROLE b SET x = 1;\n"
        "-- ddl-log, database My \"db: ddl-log\n--   here\n--   Or:\n--   ALTER ROLE b SUPERUSER;\n"
        "\n-- --- by hand\n-- no-ri, database My \"db: no-ri\n--   here\n--   ALTER TABLE \"x\n--   DROP TABLE y;\n--   \" REPLICA IDENTITY FULL;\n"
        "-- public-create, database My \"db: public-create\n--   here\n--   GRANT c TO d;\n--   \"\n"
        "\\endif\n");
    CHECK_CONTAINS(script, "\\if :{?target}\n\n-- Nothing is to be run.\n\\endif\n");
    free(script);
    fixes_release(&fixes);
    findings_release(&findings);
}

/* Statements about the server come once, those about objects once in each database; and none about a database that is not
 * there yet. */
static void test_fixes_of_two(void)
{
    struct findings findings = FINDINGS_INIT;
    struct fixes fixes = FIXES_INIT;

    findings_add(&findings, to_mend("repl-role", FINDING_FAIL, NEEDS_NONE, "ALTER ROLE b REPLICATION;", "x"));
    findings_add(&findings, to_mend("select-priv", FINDING_FAIL, NEEDS_NONE, "GRANT SELECT ON a TO b;", "x"));
    findings_add(&findings, to_mend("db-settings", FINDING_WARN, NEEDS_NONE, "ALTER DATABASE t SET a = 'b';", "x"));
    findings.items[2].side = SIDE_TARGET;
    fixes_add(&fixes, &findings, "one", "t", false);
    fixes_add(&fixes, &findings, "two", "t", true);
    char *script = fixes_script(&fixes);
    const char *role = strstr(script, "\nALTER ROLE b REPLICATION;\n"), *grant = strstr(script, "\nGRANT SELECT ON a TO b;\n");
    CHECK_TRUE(role && !strstr(role + 1, "\nALTER ROLE b REPLICATION;\n"));
    CHECK_TRUE(grant && strstr(grant + 1, "\nGRANT SELECT ON a TO b;\n"));
    CHECK_CONTAINS(script, "\n\\connect \"postgres\"\n-- database t\n\\connect \"t\"\n");
    CHECK_CONTAINS(script, "\nALTER DATABASE t SET a = 'b';\n");
    CHECK_CONTAINS(script, "\n--   ALTER DATABASE t SET a = 'b';\n");
    free(script);
    fixes_release(&fixes);
    findings_release(&findings);
}

/* From 10 GB on it is said what the target needs. */
static void test_disk(void)
{
    struct findings findings = FINDINGS_INIT;
    struct table_list tables = {.bytes = (INT64_C(10) << 30) - 1};
    struct check_context context = {.tables = &tables};
    struct check_run run = {.context = &context, .findings = &findings, .provider = ""};
    const struct check check = {.id = "t-disk", .severity = FINDING_INFO, .side = SIDE_TARGET, .found = "needs {items}", .why = "x"};

    CHECK_TRUE(check_disk(&run, &check, NULL));
    CHECK_INT(findings.count, 0);
    tables.bytes = INT64_C(100) << 30;
    CHECK_TRUE(check_disk(&run, &check, NULL));
    CHECK_INT(findings.count, 1);
    CHECK_STR(findings.items[0].message, "needs 125 GB for 100 GB of rows");
    findings_release(&findings);
}

static void test_ids(void)
{
    CHECK_TRUE(check_id_is_known("wal-level") && check_id_is_known("t-columns") && check_id_is_known("trg-always"));
    CHECK_TRUE(!check_id_is_known("wal") && !check_id_is_known("") && !check_id_is_known("WAL-LEVEL"));
    CHECK_STR(check_id_nearest("wal-lvl"), "wal-level");
    CHECK_TRUE(check_id_nearest("xyz") == NULL);
}

static void test_text(void)
{
    struct findings findings = some_findings();
    char *text = findings_text(&findings);

    CHECK_CONTAINS(text, "FAIL     source  wal-level        wal-level is not right\n"
                         "    why  It matters.\n"
                         "    fix  ALTER SYSTEM;\n"
                         "         restart\n"
                         "         (then restart the server)\n"
                         "    undo UNDO;\n");
    CHECK_CONTAINS(text, "warning  source  clock            clock is not right\n");
    CHECK_CONTAINS(text, "2 to be fixed, 1 warnings, 1 for information\n");
    free(text);
    findings_release(&findings);
}

static void test_pooler(void)
{
    CHECK_INT(pooler_verdict(7, 7, 7, "db1", "5432"), POOLER_NONE);
    CHECK_INT(pooler_verdict(7, 7, 8, "db1", "5432"), POOLER_TRANSACTION);
    CHECK_INT(pooler_verdict(9, 7, 7, "db1", "5432"), POOLER_SESSION);
    CHECK_INT(pooler_verdict(7, 7, 7, "db1", "6432"), POOLER_HINTED);
    CHECK_INT(pooler_verdict(7, 7, 7, "ep-x-pooler.eu.neon.tech", "5432"), POOLER_HINTED);
    CHECK_INT(pooler_verdict(7, 7, 7, NULL, NULL), POOLER_NONE);
}

static void test_skew(void)
{
    struct clock_sample here = {0, 0};
    struct clock_sample ahead = {7000000, 200000};
    struct clock_sample behind = {-1000000, 100000};
    struct clock_sample far = {400000, 900000};

    CHECK_INT(clock_skew_us(ahead, behind), 8000000);
    CHECK_INT(clock_skew_us(behind, ahead), 8000000);
    CHECK_INT(clock_skew_us(here, far), 0); /* within what the round trip leaves open */
    CHECK_INT(clock_skew_us(here, ahead), 7000000);
}

/* A long list is cut, and says so. */
static void test_items(void)
{
    struct findings findings = FINDINGS_INIT;
    struct check_run run = {.findings = &findings, .provider = ""};
    struct check check = {.id = "rls", .severity = FINDING_FAIL, .found = "hidden: {items}!",
                          .why = "It matters.", .fix = "Do this:"};
    struct items items = ITEMS_INIT;

    items_report(&run, &check, &items);
    CHECK_INT(findings.count, 0);
    for (int i = 0; i < 60; i++) {
        char name[16], fix[16];
        snprintf(name, sizeof name, "t%d", i);
        snprintf(fix, sizeof fix, "FIX t%d;", i);
        items_add(&items, name, fix, NULL);
    }
    items_report(&run, &check, &items);
    CHECK_INT(findings.count, 1);
    CHECK_STR(findings.items[0].message,
              "hidden: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9 and 50 more!");
    CHECK_CONTAINS(findings.items[0].fix, "Do this:\nFIX t0;\nFIX t1;\n");
    CHECK_CONTAINS(findings.items[0].fix, "FIX t49;\n-- and the same for 10 more");
    CHECK_STR(findings.items[0].undo, NULL);
    check.id = "wal-level";
    run.provider = "rds";
    items_add(&items, "replica", "ALTER SYSTEM", "undo");
    items_report(&run, &check, &items);
    CHECK_CONTAINS(findings.items[1].fix, "rds.logical_replication");
    CHECK_STR(findings.items[1].undo, NULL);
    /* What has no words of its own for a service is said without ALTER SYSTEM. */
    check.id = "t-tuning";
    check.fix = "For the time of the migration:";
    check.needs = NEEDS_RELOAD;
    run.provider = "azure";
    items_add(&items, "x", "ALTER SYSTEM SET max_wal_size = '16GB'; -- fewer checkpoints", "ALTER SYSTEM RESET max_wal_size;");
    items_add(&items, "y", "ALTER SYSTEM SET a = 'b; c';", "ALTER SYSTEM SET a = 'd';");
    items_report(&run, &check, &items);
    CHECK_STR(findings.items[2].fix, "For the time of the migration:\nSet max_wal_size = '16GB' as a server parameter.\n"
                                     "Set a = 'b; c' as a server parameter.");
    CHECK_STR(findings.items[2].undo, "Set max_wal_size back to its default as a server parameter.\nSet a = 'd' as a server parameter.");
    CHECK_INT(findings.items[2].needs, NEEDS_NONE);
    run.provider = "";
    items_add(&items, "x", "ALTER SYSTEM SET a = 1;", NULL);
    items_report(&run, &check, &items);
    CHECK_STR(findings.items[3].fix, "For the time of the migration:\nALTER SYSTEM SET a = 1;");
    CHECK_INT(findings.items[3].needs, NEEDS_RELOAD);
    findings_release(&findings);
}

/* Every row can run, says why, and no text has a hole that nothing fills. */
static void test_table(void)
{
    size_t rows = 0;

    for (const struct check *check = check_table; check->id; check++, rows++) {
        int ways = !!check->sql + !!check->table + !!check->run;
        if (ways != 1 || !check->why || !check->found || !strchr("FWI", check->severity))
            fprintf(stderr, "\ncheck %s\n", check->id);
        CHECK_INT(ways, 1);
        CHECK_TRUE(check->why && check->found && check->severity);
        CHECK_TRUE(check->sql || check->args == ARGS_NONE);
        /* Once more without catalogs: nothing that asks for tables. */
        CHECK_TRUE(!check->again || check->run == check_db_settings || (check->sql && check->args == ARGS_NONE));
    }
    CHECK_TRUE(rows > 50);
}

/* The line of the page that begins an id's text, or NULL: "\n.It Cm id Pq F source , W target". */
static const char *line_of_page(const char *page, const char *id)
{
    char *start = xasprintf("\n.It Cm %s Pq ", id);
    const char *line = strstr(page, start);

    free(start);
    return line ? line + 1 : NULL;
}

static bool line_has(const char *line, const char *part)
{
    size_t len = strcspn(line, "\n");
    const char *at = strstr(line, part);

    return at && at + strlen(part) <= line + len;
}

/* The manual page has every check with its severity and side, and no check that there is not. */
static void test_page(void)
{
    struct buf page = BUF_INIT;
    struct err err = ERR_INIT;
    size_t lines = 0;

    CHECK_TRUE(file_read(SRCDIR "/man/pgcutover-checks.7", &page, &err));
    for (const struct check *check = check_table; page.data && check->id; check++) {
        char *part = xasprintf("%c %s", check->severity, side_name(check->side));
        const char *line = line_of_page(page.data, check->id);
        if (!line || !line_has(line, part))
            fprintf(stderr, "\npgcutover-checks.7: %s: %s\n", check->id, part);
        CHECK_TRUE(line && line_has(line, part));
        free(part);
    }
    for (const char *const *id = check_other_ids; page.data && *id; id++)
        CHECK_TRUE(line_of_page(page.data, *id) != NULL);
    for (const char *at = page.data; at && (at = strstr(at, "\n.It Cm ")); lines++) {
        at += strlen("\n.It Cm ");
        char *id = xasprintf("%.*s", (int)strcspn(at, " \n"), at);
        if (!check_id_is_known(id))
            fprintf(stderr, "\npgcutover-checks.7: there is no check %s\n", id);
        CHECK_TRUE(check_id_is_known(id));
        free(id);
    }
    CHECK_TRUE(lines > 80);
    buf_release(&page);
    err_clear(&err);
}

static void check_refusal(const char *message, const char *want)
{
    struct hba_refusal refusal = HBA_REFUSAL_INIT;
    bool is_one = hba_refusal_parse(&refusal, message);
    char *record = is_one ? hba_record(&refusal, "md5") : xstrdup("none");

    CHECK_STR(record, want);
    free(record);
    hba_refusal_release(&refusal);
}

static void test_hba_refusal(void)
{
    check_refusal("x: FATAL:  no pg_hba.conf entry for host \"10.1.2.3\", user \"mover\", database \"shop\", no encryption",
                  "host \"shop\" \"mover\" 10.1.2.3/32 md5");
    check_refusal("no pg_hba.conf entry for host \"::1\", user \"a \"b\", database \"c\"d\", SSL encryption\nno pg_hba.conf entry for host \"::1\", "
                  "user \"a\", database \"c\", no encryption", "hostssl \"c\"\"d\" \"a \"\"b\" ::1/128 md5");
    check_refusal("pg_hba.conf rejects connection for host \"[local]\", user \"m\", database \"all\", SSL off", "local \"all\" \"m\" md5");
    check_refusal("pg_hba.conf rejects replication connection for host \"10.1.2.3\", user \"m\", SSL on", "hostssl replication \"m\" 10.1.2.3/32 md5");
    check_refusal("kein pg_hba.conf-Eintrag f\xc3\xbcr Host \xc2\xab" "10.1.2.3\xc2\xbb, Benutzer \xc2\xabm\xc2\xbb, Datenbank \xc2\xab" "d\xc2\xbb, SSL off",
                  "host \"d\" \"m\" 10.1.2.3/32 md5");
    check_refusal("no pg_hba.conf entry for host \"10.1.2.3\", user \"/m\", database \"d\", no encryption", "none");
    check_refusal("no pg_hba.conf entry for host \"10.1.2.3 trust\", user \"m\", database \"d\", no encryption", "none");
    check_refusal("no pg_hba.conf entry", "none");
    check_refusal("password authentication failed for user \"m\"", "none");
}

static void check_place(const char *text, size_t want, size_t want_lines, bool want_ended)
{
    size_t lines;
    bool ended;

    CHECK_INT(hba_first_place(text, &lines, &ended), want);
    CHECK_INT(lines, want_lines);
    CHECK_INT(ended, want_ended);
}

static void test_hba_place(void)
{
    check_place("", 1, 0, true);
    check_place("local all all trust", 1, 1, false);
    check_place("# a\n\n \t# b\n  host a b c d\nlocal x\n", 4, 5, true);
    check_place("# a\n#b", 3, 2, false);
    /* One line from 14 on, and before that a comment and a record. */
    check_place("# a\n# b \\\nlocal all all trust\nhost a\n", 2, 4, true);
    check_place("# b \\\r\n# c\nhost a\n", 3, 3, true);
    check_place("# a\n# pgcutover: x\nhost a\n", 2, 3, true);
    check_place("# pgcutover: x\n# a\nhost a\n", 3, 3, true);
    CHECK_INT(hba_find("a\nb\nc\n", "b", "c"), 2);
    CHECK_INT(hba_find("a\nb\nc", "b", "c"), 2);
    CHECK_INT(hba_find("a\nb\ncc", "b", "c"), 0);
    CHECK_INT(hba_find("a\nb", "b", "c"), 0);
    CHECK_INT(hba_find("", "b", "c"), 0);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"findings in order", test_sort}, {"the error", test_error},
        {"JSON", test_json},              {"text", test_text},
        {"waived", test_waived},          {"ids", test_ids},
        {"the manual page", test_page},   {"disk of the target", test_disk},
        {"statements to be run", test_statements}, {"fixes", test_fixes},            {"fixes of two databases", test_fixes_of_two},
        {"pg_hba.conf: whom it refuses", test_hba_refusal}, {"pg_hba.conf: the place", test_hba_place},
        {"pooler", test_pooler},          {"clock skew", test_skew},
        {"items", test_items},            {"the table of checks", test_table},
        {NULL, NULL},
    };

    return unit_main("check", tests);
}
