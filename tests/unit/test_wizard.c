/* The wizard's screens: what is typed, what commands answer, what becomes of the plan, how it is drawn. Nothing here runs a
 * command. */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "ui/address.h"
#include "ui/terminal.h"
#include "ui/wizard.h"
#include "unit.h"

static char dir[] = "/tmp/pgc-test-wizard.XXXXXX";
static struct ui_options options = {.state_dir = dir, .program = "/nonexistent"};
static struct err err;

static const char answer_ok[] =
    "[{\"type\": \"connection\", \"side\": \"source\", \"ok\": true, \"databaseExists\": true, \"databaseName\": \"shop\", \"version\": \"9.6.24\","
    "\"user\": \"migrator\", \"tls\": \"TLSv1.3\", \"roundTripMs\": 1.84, \"databases\": [{\"name\": \"shop\", \"bytes\": 442381631488, \"current\": true}]}]";
static const char answer_no[] =
    "[{\"ok\": false, \"side\": \"target\", \"error\": {\"message\": \"target pg17:5432/shop: password authentication failed for user \\\"migrator\\\" "
    "(SQLSTATE 28P01)\", \"hint\": \"Check the password.\"}}]";
static const char findings[] =
    "[{\"id\": \"partitioned\", \"severity\": \"I\", \"side\": \"source\", \"message\": \"partitioned tables: a.b\", \"why\": \"why\", \"needs\": \"none\"},"
    "{\"id\": \"no-ri\", \"severity\": \"W\", \"side\": \"source\", \"message\": \"3 tables have no primary key\", \"why\": \"UPDATEs cannot be told apart.\", \"needs\": \"none\"},"
    "{\"id\": \"wal-level\", \"severity\": \"F\", \"side\": \"source\", \"message\": \"wal_level is replica, needs logical\", \"why\": \"Changes can be streamed only when the source "
    "writes logical WAL.\", \"fix\": \"ALTER SYSTEM SET wal_level = 'logical';\", \"needs\": \"restart\", \"undo\": \"ALTER SYSTEM RESET wal_level;\"}]";

static void begin(struct wizard *w)
{
    char *draft = xasprintf("%s/.draft.json", dir);

    unlink(draft);
    free(draft);
    CHECK_TRUE(wizard_open(w, &options, NULL, &err));
    w->now_ms = 100000;
}

static void type(struct wizard *w, const char *text)
{
    for (; *text; text++)
        wizard_key(w, (unsigned char)*text);
}

static void check_golden(struct wizard *w, const char *name, int cols, const struct glyphs *glyphs)
{
    const char *source = getenv("srcdir");
    char *path = xasprintf("%s/tests/golden/%s.txt", source ? source : ".", name);
    struct canvas canvas;
    struct buf want = BUF_INIT;

    canvas_init(&canvas, cols == 80 ? 24 : 43, cols, glyphs);
    wizard_draw(w, &canvas);
    char *got = canvas_text(&canvas, true);
    if (getenv("PGC_GOLDEN"))
        CHECK_TRUE(file_write_atomic(path, got, strlen(got), &err));
    CHECK_TRUE(file_read(path, &want, &err));
    CHECK_STR(got, want.data);
    err_clear(&err);
    buf_release(&want);
    canvas_release(&canvas);
    free(got);
    free(path);
}

static void test_field(void)
{
    struct field field = {0};

    for (const char *c = "abc"; *c; c++)
        CHECK_TRUE(field_key(&field, *c));
    field_key(&field, KEY_ARROW_LEFT);
    field_key(&field, 0xe9);
    field_key(&field, 0x1f418);
    CHECK_STR(field.text, "ab\xc3\xa9\xf0\x9f\x90\x98" "c");
    field_key(&field, KEY_ARROW_LEFT);
    field_key(&field, KEY_ERASE);
    CHECK_STR(field.text, "ab\xf0\x9f\x90\x98" "c");
    field_key(&field, KEY_DELETE);
    CHECK_STR(field.text, "abc");
    field_key(&field, KEY_FIRST);
    field_key(&field, KEY_ERASE);
    field_key(&field, 'x');
    CHECK_STR(field.text, "xabc");
    CHECK_TRUE(!field_key(&field, KEY_RETURN));
    for (int i = 0; i < 2 * FIELD_SIZE; i++)
        field_key(&field, 0xe9);
    CHECK_TRUE(strlen(field.text) < FIELD_SIZE);
    field_key(&field, KEY_CLEAR_LINE);
    CHECK_STR(field.text, "");
}

/* What is typed is there again after a crash; a password is nowhere. */
static void test_draft(void)
{
    struct wizard w;
    struct buf stored = BUF_INIT;
    char *path = xasprintf("%s/.draft.json", dir);
    struct stat st;

    begin(&w);
    type(&w, "shop\t\tdb1\t5433\tshop\tmigrator\thunter2\t ");
    wizard_keep(&w);
    CHECK_TRUE(file_read(path, &stored, &err));
    CHECK_TRUE(stored.data && !strstr(stored.data, "hunter2"));
    CHECK_TRUE(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    char *plan = draft_plan_text(&w.draft, true);
    cJSON *json = cJSON_Parse(plan);
    CHECK_STR(json_str(json_get(json, "source"), "password"), "hunter2");
    CHECK_STR(json_str(json_get(json, "source"), "sslMode"), "disable");
    CHECK_INT(json_i64(json_get(json, "source"), "port", 0), 5433);
    cJSON_Delete(json);
    free(plan);
    wizard_release(&w);
    CHECK_TRUE(wizard_open(&w, &options, NULL, &err));
    CHECK_STR(w.connect.name.text, "shop");
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_HOST].text, "db1");
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_PASSWORD].text, "");
    CHECK_CONTAINS(w.message, "draft");
    wizard_release(&w);
    buf_release(&stored);
    free(path);
}

/* A plan opens with everything filled in, comments or not; its password is taken out of it. */
static void test_plan(void)
{
    static const char text[] = "{\"name\": \"p\", // mine\n \"source\": {\"uri\": \"postgresql://db1/shop\", \"password\": \"hunter2\"}, /* yes */ \"load\": {\"jobs\": 7}}";
    char *path = xasprintf("%s/p.json", dir);
    struct wizard w;

    CHECK_TRUE(file_write_atomic(path, text, strlen(text), &err));
    CHECK_TRUE(wizard_open(&w, &options, path, &err));
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_URI].text, "postgresql://db1/shop");
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_PASSWORD].text, "hunter2");
    char *plan = draft_plan_text(&w.draft, false);
    CHECK_TRUE(!strstr(plan, "hunter2"));
    CHECK_CONTAINS(plan, "\"jobs\":\t7");
    free(plan);
    wizard_release(&w);
    CHECK_TRUE(file_write_atomic(path, "[1]", 3, &err));
    CHECK_TRUE(!wizard_open(&w, &options, path, &err));
    CHECK_CONTAINS(err.message, "is no plan");
    err_clear(&err);
    free(path);
}

static void test_connect(void)
{
    struct wizard w;

    begin(&w);
    type(&w, "shop\t\tdb1.internal\t5432\tshop\tmigrator\thunter2");
    check_golden(&w, "connect_80", 80, &glyphs_utf8);
    connect_trying(&w.connect, SOURCE, 98000);
    connect_trying(&w.connect, TARGET, 97500);
    connect_answer(&w.connect, SOURCE, answer_ok);
    CHECK_INT(w.connect.sides[SOURCE].state, ANSWERED);
    check_golden(&w, "connect_trying_80", 80, &glyphs_utf8);
    connect_answer(&w.connect, TARGET, answer_no);
    CHECK_INT(w.connect.sides[TARGET].state, REFUSED);
    CHECK_TRUE(!connect_is_done(&w.connect));
    check_golden(&w, "connect_refused_132", 132, &glyphs_utf8);
    check_golden(&w, "connect_refused_80_ascii", 80, &glyphs_ascii);
    /* What is changed has to be tried again; a late answer is of what was there before. */
    type(&w, "x");
    CHECK_INT(w.connect.sides[SOURCE].state, UNTRIED);
    connect_answer(&w.connect, SOURCE, answer_ok);
    CHECK_INT(w.connect.sides[SOURCE].state, UNTRIED);
    connect_trying(&w.connect, SOURCE, 0);
    connect_answer(&w.connect, SOURCE, "");
    CHECK_INT(w.connect.sides[SOURCE].state, REFUSED);
    CHECK_TRUE(wizard_is_typing(&w));
    CHECK_INT(wizard_key(&w, KEY_ESCAPE), WIZARD_LEAVES);
    wizard_release(&w);
}

static void go_to(struct wizard *w, enum side side, enum connect_field field)
{
    w->connect.focus = 1 + (int)side * FIELDS + (int)field;
}

static const char answer_unknown_key[] =
    "[{\"ok\": false, \"side\": \"source\", \"wants\": \"host-key\", \"fingerprint\": \"SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\","
    "\"error\": {\"message\": \"source: SSH server bastion.corp:2222: its host key is not known\", \"detail\": \"It shows the key.\", \"hint\": \"Compare it.\"}}]";

static void test_ssh(void)
{
    struct wizard w;

    begin(&w);
    type(&w, "shop\t\tdb1.internal\t\tshop\tmigrator");
    go_to(&w, SOURCE, FIELD_SSH);
    type(&w, "dba@bastion.corp:2222\t \t~/.ssh/migration\topen sesame\tgate.corp");
    wizard_keep(&w);
    CHECK_STR(draft_text(&w.draft, "source.ssh", "host"), "bastion.corp");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "port"), "2222");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "user"), "dba");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "identityFile"), "~/.ssh/migration");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "jumpHost"), "gate.corp");
    CHECK_TRUE(!json_get(json_get(w.draft.plan, "target"), "ssh"));
    CHECK_TRUE(!strstr(w.stored, "sesame"));
    char *plan = draft_server_text(&w.draft, SOURCE);
    CHECK_CONTAINS(plan, "\"passphrase\":\t\"open sesame\"");
    free(plan);
    check_golden(&w, "connect_ssh_80", 80, &glyphs_utf8);

    /* Only the whole word trusts the key; it is in the plan from then on, until the host is another one. */
    connect_trying(&w.connect, SOURCE, 98000);
    connect_answer(&w.connect, SOURCE, answer_unknown_key);
    check_golden(&w, "connect_key_80", 80, &glyphs_utf8);
    check_golden(&w, "connect_key_80_ascii", 80, &glyphs_ascii);
    type(&w, "y");
    wizard_key(&w, KEY_RETURN);
    CHECK_TRUE(connect_asking(&w.connect) != NULL);
    type(&w, "es");
    connect_key(&w.connect, KEY_RETURN);
    CHECK_TRUE(w.connect.again && !connect_asking(&w.connect));
    w.connect.again = false;
    wizard_keep(&w);
    CHECK_STR(draft_text(&w.draft, "source.ssh", "hostKeyFingerprint"), "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU");
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_SSH_JUMP].text, "gate.corp");
    go_to(&w, SOURCE, FIELD_SSH);
    wizard_key(&w, KEY_ERASE);
    wizard_keep(&w);
    CHECK_STR(draft_text(&w.draft, "source.ssh", "hostKeyFingerprint"), "");

    /* Esc trusts nobody; what was said is there whole. */
    connect_trying(&w.connect, SOURCE, 98000);
    connect_answer(&w.connect, SOURCE, answer_unknown_key);
    CHECK_INT(wizard_key(&w, KEY_ESCAPE), WIZARD_STAYS);
    CHECK_TRUE(!connect_asking(&w.connect) && !w.connect.sides[SOURCE].trusted[HOP_SERVER][0]);
    wizard_key(&w, KEY_MORE);
    check_golden(&w, "connect_said_80", 80, &glyphs_utf8);
    wizard_key(&w, KEY_ESCAPE);
    CHECK_TRUE(!w.connect.telling);

    /* Without the host nothing of it is left in the plan. */
    wizard_key(&w, KEY_CLEAR_LINE);
    wizard_keep(&w);
    CHECK_TRUE(!json_get(json_get(w.draft.plan, "source"), "ssh"));
    wizard_release(&w);
}

/* A plan with SSH opens with everything filled in; no secret of it is stored. */
static void test_plan_ssh(void)
{
    static const char text[] =
        "{\"name\": \"p\", \"source\": {\"uri\": \"postgresql://m:hunter%32@db1/shop\", \"ssh\": {\"host\": \"fe80::1\", \"port\": 2200, "
        "\"user\": \"a@b\", \"password\": \"sesame\", \"knownHosts\": \"k\", \"jumpHost\": \"none\"}}, \"target\": {\"uri\": \"host=x password='se''\"}}";
    char *path = xasprintf("%s/s.json", dir);
    struct wizard w;

    CHECK_TRUE(file_write_atomic(path, text, strlen(text), &err));
    CHECK_TRUE(wizard_open(&w, &options, path, &err));
    struct connect_side *s = &w.connect.sides[SOURCE];
    CHECK_STR(s->fields[FIELD_URI].text, "postgresql://m@db1/shop");
    CHECK_STR(s->fields[FIELD_PASSWORD].text, "hunter2");
    CHECK_STR(s->fields[FIELD_SSH].text, "a@b@[fe80::1]:2200");
    CHECK_STR(s->fields[FIELD_SSH_LOGIN].text, "password");
    CHECK_STR(s->fields[FIELD_SSH_PASSWORD].text, "sesame");
    CHECK_STR(s->fields[FIELD_SSH_JUMP].text, "none");
    wizard_keep(&w);
    CHECK_STR(draft_text(&w.draft, "source.ssh", "host"), "fe80::1");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "user"), "a@b");
    CHECK_STR(draft_text(&w.draft, "source.ssh", "knownHosts"), "k");
    CHECK_TRUE(!strstr(w.stored, "sesame") && !strstr(w.stored, "hunter") && !strstr(w.stored, "se'"));
    wizard_release(&w);
    free(path);
}

static void check_address(const char *text, const char *user, const char *host, const char *port)
{
    struct address address;

    address_split(&address, text);
    CHECK_STR(address.user ? address.user : "-", user);
    CHECK_STR(address.host, host);
    CHECK_STR(address.port ? address.port : "-", port);
    char *again = address_join(address.user ? address.user : "", address.host, address.port ? address.port : "");
    if (*text != '[' || strchr(text, ']')[1])
        CHECK_STR(again, text);
    free(again);
    address_release(&address);
}

static void check_password(const char *text, const char *password, const char *left)
{
    char *uri = xstrdup(text);
    char *got = address_take_password(uri);

    CHECK_STR(got ? got : "-", password);
    CHECK_STR(uri, left);
    free(got);
    free(uri);
}

static void test_address(void)
{
    check_address("bastion", "-", "bastion", "-");
    check_address("dba@bastion:2222", "dba", "bastion", "2222");
    check_address("a@b@host", "a@b", "host", "-");
    check_address("host:ssh", "-", "host:ssh", "-");
    check_address("fe80::1", "-", "fe80::1", "-");
    check_address("[fe80::1]", "-", "fe80::1", "-");
    check_address("dba@[fe80::1]:22", "dba", "fe80::1", "22");
    check_password("postgresql://db1:5432/shop", "-", "postgresql://db1:5432/shop");
    check_password("postgresql://m:p%40ss@db1:5432/shop?sslmode=require", "p@ss", "postgresql://m@db1:5432/shop?sslmode=require");
    check_password("postgresql://m:a@b@db1", "a@b", "postgresql://m@db1");
    check_password("postgresql://db1/s?user=m&password=pw&sslmode=require", "pw", "postgresql://db1/s?user=m&sslmode=require");
    check_password("postgresql://db1/s?password=pw", "pw", "postgresql://db1/s");
    check_password("host=db1 password = 'p w\\'' user=m", "p w'", "host=db1  user=m");
    check_password("host=db1 user=password", "-", "host=db1 user=password");
    check_password("service=shop", "-", "service=shop");
    CHECK_STR(address_unfinished("postgresql://m:hun"), ":hun");
    CHECK_TRUE(!address_unfinished("postgresql://m:hun@db1") && !address_unfinished("postgresql://db1:5432/"));
}

/* Nothing of a password is stored while it is typed in a connection string; the field is left: it moves to its own. */
static void test_uri_password(void)
{
    struct wizard w;

    begin(&w);
    go_to(&w, TARGET, FIELD_URI);
    for (const char *c = "postgresql://m:hunter2@db1/shop"; *c; c++) {
        wizard_key(&w, *c);
        wizard_keep(&w);
        CHECK_TRUE(!strstr(w.stored, "hun"));
    }
    wizard_key(&w, KEY_TAB);
    CHECK_STR(w.connect.sides[TARGET].fields[FIELD_URI].text, "postgresql://m@db1/shop");
    CHECK_STR(w.connect.sides[TARGET].fields[FIELD_PASSWORD].text, "hunter2");
    CHECK_CONTAINS(w.message, "it is not stored");
    wizard_release(&w);
}

static void test_checks(void)
{
    struct wizard w;

    begin(&w);
    w.step = STEP_CHECK;
    CHECK_INT(checks_failures(&w.checks), -1);
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_CHECK);
    checks_running(&w.checks, 96000);
    check_golden(&w, "checks_running_80", 80, &glyphs_utf8);
    checks_answer(&w.checks, findings);
    snprintf(w.checks.taken, sizeof w.checks.taken, "14:02:11");
    CHECK_INT(checks_failures(&w.checks), 1);
    check_golden(&w, "checks_80", 80, &glyphs_utf8);
    check_golden(&w, "checks_80_ascii", 80, &glyphs_ascii);
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_CHECK);
    CHECK_CONTAINS(w.message, "must be mended");
    type(&w, "ajj");
    check_golden(&w, "checks_all_132", 132, &glyphs_utf8);
    checks_answer(&w.checks, "{\"type\": \"error\", \"error\": {\"message\": \"source db1: connection refused\", \"hint\": \"Does it run?\"}}");
    CHECK_INT(checks_failures(&w.checks), -1);
    CHECK_STR(w.checks.error, "source db1: connection refused. Does it run?");
    checks_answer(&w.checks, "[]");
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_SCHEMA);
    wizard_release(&w);
}

static const char would_run[] =
    "{\"id\": \"wal-level\", \"outcome\": \"open\", \"statements\": \"ALTER SYSTEM SET wal_level = 'logical';\", \"undo\": \"ALTER SYSTEM RESET wal_level;\","
    "\"reload\": false, \"lasts\": true}";

/* A fix: nothing is run before "y"; what wants a restart is waited for; a failure stays on the screen until it is closed. */
static void test_mend(void)
{
    const char *words[9];
    char *said = NULL;
    struct wizard w;
    struct mend *mend;

    begin(&w);
    mend = &w.checks.mend;
    w.step = STEP_CHECK;
    checks_answer(&w.checks, findings);
    snprintf(w.checks.taken, sizeof w.checks.taken, "14:02:11");
    mend_begin(mend, checks_selected(&w.checks));
    mend_words(mend, words);
    CHECK_STR(words[1], "wal-level");
    CHECK_STR(words[4], "--dry-run");
    CHECK_TRUE(!mend_answer(mend, would_run, &said) && !said);
    CHECK_INT(mend->state, MEND_ASKING);
    check_golden(&w, "checks_mend_80", 80, &glyphs_utf8);
    wizard_key(&w, 'x');
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(mend->state, MEND_ASKING);
    wizard_key(&w, 'n');
    CHECK_INT(mend->state, MEND_NONE);
    mend_begin(mend, checks_selected(&w.checks));
    CHECK_TRUE(!mend_answer(mend, would_run, &said));
    bool agreed = false;
    CHECK_TRUE(mend_key(mend, 'y', &agreed) && agreed);
    mend_words(mend, words);
    CHECK_STR(words[4], "--yes");
    wizard_key(&w, KEY_ESCAPE);
    CHECK_INT(mend->state, MEND_RUNNING);
    CHECK_TRUE(mend_answer(mend, "{\"outcome\": \"restart\", \"message\": \"still\"}", &said));
    CHECK_CONTAINS(said, "Restart the source yourself");
    free(said);
    CHECK_TRUE(checks_are_due(&w.checks, 100000) && !checks_are_due(&w.checks, 104000) && checks_are_due(&w.checks, 105000));
    checks_answer(&w.checks, "{\"error\": {\"message\": \"it is down\"}}");
    CHECK_TRUE(checks_are_due(&w.checks, 110000));
    checks_answer(&w.checks, "[]");
    CHECK_TRUE(!checks_are_due(&w.checks, 200000));
    checks_answer(&w.checks, findings);
    mend_begin(mend, checks_selected(&w.checks));
    CHECK_TRUE(!mend_answer(mend, "{\"error\": {\"message\": \"permission denied\", \"hint\": \"Ask.\"}}", &said) && !said);
    CHECK_STR(mend->text, "permission denied. Ask.");
    wizard_key(&w, KEY_ESCAPE);
    CHECK_INT(mend->state, MEND_NONE);
    CHECK_INT(w.step, STEP_CHECK);
    mend_begin(mend, checks_selected(&w.checks));
    CHECK_TRUE(!mend_answer(mend, "{\"outcome\": \"open\", \"statements\": null, \"fix\": \"Do it.\"}", &said));
    CHECK_INT(mend->state, MEND_TOLD);
    CHECK_CONTAINS(mend->text, "Do it.");
    CHECK_TRUE(mend_key(mend, 'y', &agreed) && !agreed);
    wizard_release(&w);
}

static void test_waive(void)
{
    struct wizard w;

    begin(&w);
    w.step = STEP_CHECK;
    checks_answer(&w.checks, findings);
    snprintf(w.checks.taken, sizeof w.checks.taken, "14:02:11");
    type(&w, "v");
    CHECK_INT(checks_failures(&w.checks), 0);
    CHECK_STR(cJSON_GetArrayItem(json_get(w.draft.plan, "waive"), 0)->valuestring, "wal-level");
    CHECK_CONTAINS(w.stored, "wal-level");
    check_golden(&w, "checks_waived_80", 80, &glyphs_utf8);
    CHECK_STR(checks_waivable(&w.checks), "wal-level"); /* the cursor went with it */
    type(&w, "v");
    CHECK_INT(checks_failures(&w.checks), 1);
    CHECK_TRUE(!json_get(w.draft.plan, "waive"));
    type(&w, "jv");
    CHECK_CONTAINS(w.message, "Only what must be mended");
    type(&w, "kv");
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_SCHEMA);
    wizard_release(&w);
}

static const char answer_many[] =
    "[{\"ok\": true, \"databaseExists\": true, \"databaseName\": \"shop\", \"version\": \"15.2\", \"user\": \"m\", \"roundTripMs\": 1, \"databases\": ["
    "{\"name\": \"crm\", \"bytes\": 52428800}, {\"name\": \"hr\"}, {\"name\": \"shop\", \"bytes\": 1073741824, \"current\": true}]}]";

/* A server is tried without a database's name; going on wants one, and F2 lists them. */
static void test_nameless(void)
{
    struct wizard w;

    begin(&w);
    type(&w, "move\t\tdb1");
    wizard_keep(&w);
    char *text = draft_server_text(&w.draft, SOURCE);
    CHECK_CONTAINS(text, "\"databaseName\":\t\"postgres\"");
    free(text);
    CHECK_TRUE(!draft_names_database(&w.draft, SOURCE));
    connect_trying(&w.connect, SOURCE, 0);
    connect_answer(&w.connect, SOURCE, answer_many);
    connect_nameless(&w.connect, SOURCE);
    CHECK_INT(w.connect.sides[SOURCE].state, REFUSED);
    CHECK_STR(w.connect.sides[SOURCE].words, "PostgreSQL 15.2 as m, 1.0 ms, no TLS. Which database is meant? F2 lists those that it has.");
    go_to(&w, SOURCE, FIELD_DATABASE);
    type(&w, "shop");
    wizard_keep(&w);
    CHECK_TRUE(draft_names_database(&w.draft, SOURCE) && draft_names_database(&w.draft, TARGET));
    text = draft_server_text(&w.draft, TARGET); /* of the same name, as the plan's rule is */
    CHECK_CONTAINS(text, "\"databaseName\":\t\"shop\"");
    free(text);
    wizard_release(&w);
}

static void test_databases(void)
{
    struct wizard w;

    begin(&w);
    type(&w, "move\t\t\t\tshop");
    go_to(&w, TARGET, FIELD_DATABASE);
    type(&w, "shop2");
    connect_trying(&w.connect, SOURCE, 0);
    connect_trying(&w.connect, TARGET, 0);
    connect_answer(&w.connect, SOURCE, answer_many);
    connect_answer(&w.connect, TARGET, answer_ok);
    cJSON *answer = cJSON_Parse(answer_many);
    databases_know(&w.databases, json_get(cJSON_GetArrayItem(answer, 0), "databases"));
    cJSON_Delete(answer);
    w.names[SOURCE] = xstrdup("shop");
    w.names[TARGET] = xstrdup("shop2");
    json_add_str(draft_database(&w.draft), "keylessTables", "full");
    wizard_key(&w, KEY_DATABASES);
    CHECK_TRUE(w.databases.open && w.databases.picks[2].on && !w.databases.picks[0].on);
    CHECK_STR(w.databases.picks[2].to, "shop2");
    type(&w, "g mcustomers");
    wizard_key(&w, KEY_RETURN);
    check_golden(&w, "databases_80", 80, &glyphs_utf8);
    check_golden(&w, "databases_132", 132, &glyphs_utf8);
    wizard_key(&w, KEY_RETURN);
    CHECK_TRUE(!w.databases.open);
    CHECK_INT(draft_database_count(&w.draft), 2);
    char *names = draft_target_names(&w.draft);
    CHECK_STR(names, "customers shop2");
    free(names);
    CHECK_STR(json_str(draft_database(&w.draft), "keylessTables"), "full");
    CHECK_STR(w.connect.sides[SOURCE].fields[FIELD_DATABASE].text, "crm");
    CHECK_STR(w.connect.sides[TARGET].fields[FIELD_DATABASE].text, "customers");
    CHECK_INT(w.connect.sides[SOURCE].state, UNTRIED);
    check_golden(&w, "connect_several_80", 80, &glyphs_utf8);
    w.step = STEP_SCHEMA; /* what is chosen there is of both */
    type(&w, "jjjjjjjj ");
    CHECK_STR(json_str(draft_find_database(&w.draft, "shop"), "keylessTables"), "at-cutover");

    /* Nothing picked is refused; Esc leaves all as it was. */
    w.step = STEP_CONNECT;
    databases_open(&w.databases, &w.draft);
    type(&w, "A");
    wizard_key(&w, KEY_RETURN);
    CHECK_TRUE(w.databases.open);
    CHECK_CONTAINS(w.message, "No database is picked");
    wizard_key(&w, KEY_ESCAPE);
    CHECK_INT(draft_database_count(&w.draft), 2);
    wizard_release(&w);
}

/* Each database has its own choice of tables. */
static void test_picker_databases(void)
{
    static const char tables[] = "[{\"name\": \"public.a\", \"databaseName\": \"crm\", \"bytes\": 81920, \"key\": \"none\", \"picked\": true}, {\"name\": \"public.b\", \"databaseName\": \"crm\", "
                                 "\"picked\": true}, {\"name\": \"public.a\", \"databaseName\": \"shop\", \"picked\": true}, {\"name\": \"public.c\", "
                                 "\"databaseName\": \"shop\", \"picked\": true}]";
    struct wizard w;

    begin(&w);
    type(&w, "move");
    cJSON_AddItemToObject(w.draft.plan, "databases", cJSON_Parse("[{\"name\": \"crm\"}, {\"name\": \"\\\"shop\\\"\", \"selectedTables\": [\"x\"]}]"));
    w.step = STEP_TABLES;
    picker_answer(&w.picker, &w.draft, tables);
    type(&w, "d j");
    check_golden(&w, "picker_several_80", 80, &glyphs_utf8);
    wizard_keep(&w);
    CHECK_TRUE(!json_get(draft_find_database(&w.draft, "crm"), "excludedTables"));
    CHECK_TRUE(!json_get(draft_find_database(&w.draft, "shop"), "selectedTables"));
    CHECK_STR(cJSON_GetArrayItem(json_get(draft_find_database(&w.draft, "shop"), "excludedTables"), 0)->valuestring, "public.a");
    type(&w, "dA");
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_TABLES);
    CHECK_CONTAINS(w.message, "\"crm\"");
    wizard_keep(&w); /* no empty list, which would mean all */
    CHECK_INT(cJSON_GetArraySize(json_get(draft_find_database(&w.draft, "crm"), "excludedTables")), 2);
    wizard_release(&w);
}

/* What a plan says of a table's columns is kept, and can be typed. */
static void test_columns(void)
{
    static const char tables[] = "[{\"name\": \"public.a\", \"databaseName\": \"shop\", \"key\": \"primary\", \"picked\": true}, {\"name\": \"public.b\", \"databaseName\": \"shop\", "
                                 "\"key\": \"primary\", \"picked\": true}]";
    struct wizard w;

    begin(&w);
    cJSON_AddItemToObject(w.draft.plan, "databases", cJSON_Parse("[{\"name\": \"shop\", \"tableMappings\": [{\"table\": \"public.a\", \"excludedColumns\": [\"x\", \"\\\"Y,z\\\"\"]}]}]"));
    w.step = STEP_TABLES;
    picker_answer(&w.picker, &w.draft, tables);
    CHECK_STR(w.picker.picks[0].columns, "-x, -\"Y,z\"");
    type(&w, "jcid , note");
    wizard_key(&w, KEY_RETURN);
    wizard_keep(&w);
    char *text = cJSON_PrintUnformatted(json_get(draft_database(&w.draft), "tableMappings"));
    CHECK_STR(text, "[{\"table\":\"public.a\",\"excludedColumns\":[\"x\",\"\\\"Y,z\\\"\"]},{\"table\":\"public.b\",\"columns\":[\"id\",\"note\"]}]");
    cJSON_free(text);
    wizard_release(&w);
}

static void test_choices(void)
{
    struct wizard w;

    begin(&w);
    w.step = STEP_SCHEMA;
    check_golden(&w, "choices_80", 80, &glyphs_utf8);
    type(&w, " j jjjjjjj  ");
    CHECK_STR(draft_text(&w.draft, "schema", "mode"), "existing");
    CHECK_TRUE(!draft_bool(&w.draft, "schema", "roles", true));
    CHECK_STR(json_str(draft_database(&w.draft), "keylessTables"), "at-cutover");
    CHECK_STR(draft_text(&w.draft, "load", "prepare"), "");
    type(&w, " ");
    CHECK_STR(json_str(draft_database(&w.draft), "keylessTables"), "refuse");
    wizard_release(&w);
}

static char *many_tables(int count)
{
    struct buf text = BUF_INIT;

    for (int i = 0; i < count; i++)
        buf_addf(&text, "%c{\"name\":\"public.t%05d\",\"schema\":\"public\",\"table\":\"t%05d\",\"estimatedRows\":%d,\"bytes\":%d,\"key\":\"%s\",\"readable\":true,\"picked\":true,"
                 "\"unlogged\":%s,\"partition\":false,\"databaseName\":\"shop\"}", i ? ',' : '[', i, i, i * 7, (i * 7919) % 10007 * 8192,
                 i % 100 == 3 ? "none" : "primary", i % 50 == 4 ? "true" : "false");
    buf_addch(&text, ']');
    return buf_take(&text);
}

static void test_picker(void)
{
    struct wizard w;
    char *tables = many_tables(12);

    begin(&w);
    w.step = STEP_TABLES;
    picker_answer(&w.picker, &w.draft, tables);
    check_golden(&w, "picker_80", 80, &glyphs_utf8);
    wizard_keep(&w);
    CHECK_TRUE(!json_get(draft_database(&w.draft), "excludedTables")); /* nothing was changed: new tables come, too */
    type(&w, "j jj s");
    CHECK_INT(picker_count(&w.picker, NULL), 10);
    wizard_keep(&w);
    CHECK_INT(cJSON_GetArraySize(json_get(draft_database(&w.draft), "excludedTables")), 2);
    CHECK_STR(cJSON_GetArrayItem(json_get(draft_database(&w.draft), "excludedTables"), 0)->valuestring, "public.t00001");
    type(&w, "sg/t00003");
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.picker.shown_count, 1);
    type(&w, " mother.name");
    wizard_key(&w, KEY_RETURN);
    type(&w, "wid > 7");
    wizard_key(&w, KEY_RETURN);
    type(&w, "a");
    check_golden(&w, "picker_filter_80", 80, &glyphs_utf8);
    check_golden(&w, "picker_filter_132", 132, &glyphs_utf8);
    type(&w, "/");
    wizard_key(&w, KEY_ESCAPE);
    type(&w, "A/0003");
    wizard_key(&w, KEY_RETURN);
    type(&w, "a");
    wizard_keep(&w);
    const cJSON *database = draft_database(&w.draft);
    CHECK_STR(cJSON_GetArrayItem(json_get(database, "selectedTables"), 0)->valuestring, "public.t00003");
    CHECK_TRUE(!json_get(database, "excludedTables"));
    const cJSON *mapping = cJSON_GetArrayItem(json_get(database, "tableMappings"), 0);
    CHECK_STR(json_str(mapping, "to"), "other.name");
    CHECK_STR(json_str(mapping, "where"), "id > 7");
    type(&w, "A");
    wizard_key(&w, KEY_RETURN);
    CHECK_INT(w.step, STEP_TABLES);
    CHECK_CONTAINS(w.message, "No table is picked");
    wizard_release(&w);
    free(tables);
}

/* Ten thousand tables: a key, with all that it draws, in less than 50 ms of the processor's time. */
static void test_many(void)
{
    const char *factor = getenv("PGC_TIME_FACTOR");
    struct wizard w;
    struct canvas canvas;
    char *tables = many_tables(10000);
    int64_t slowest_us = 0;

    begin(&w);
    w.step = STEP_TABLES;
    picker_answer(&w.picker, &w.draft, tables);
    canvas_init(&canvas, 43, 132, &glyphs_utf8);
    for (const char *key = "Ggjjs s s a A /99\n a"; *key; key++) {
        clock_t began = clock();
        wizard_key(&w, *key == '\n' ? KEY_RETURN : *key);
        wizard_draw(&w, &canvas);
        int64_t took_us = (int64_t)(clock() - began) * 1000000 / CLOCKS_PER_SEC;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    fprintf(stderr, " slowest key %.1f ms ", (double)slowest_us / 1000);
    CHECK_TRUE(slowest_us < 50000 * (factor ? atoi(factor) : 1));
    canvas_release(&canvas);
    wizard_release(&w);
    free(tables);
}

static void test_review(void)
{
    struct wizard w;

    begin(&w);
    type(&w, "shop");
    cJSON_AddStringToObject(draft_database(&w.draft), "target_database_name", "shop2");
    draft_set(&w.draft, "load", "prepare", "truncate");
    w.step = STEP_REVIEW;
    review_running(&w.review, 97000);
    wizard_key(&w, KEY_RETURN);
    CHECK_STR(w.message, "Not yet.");
    review_answer(&w.review, "migration \"shop\", as far as: ready (nothing is done now)\n  tables: 2, 16.7 MB\n", true);
    wizard_key(&w, KEY_RETURN); /* tables are emptied: it wants a word */
    CHECK_TRUE(w.review.confirming);
    type(&w, "shop");
    wizard_key(&w, KEY_RETURN);
    CHECK_CONTAINS(w.message, "not the name");
    CHECK_TRUE(!w.starting);
    check_golden(&w, "review_confirm_80", 80, &glyphs_utf8);
    wizard_key(&w, KEY_ESCAPE);
    CHECK_TRUE(!w.review.confirming);
    type(&w, "p");
    check_golden(&w, "review_plan_80", 80, &glyphs_utf8);
    review_answer(&w.review, "{\"type\":\"error\",\"error\":{\"message\":\"p.json:1: no\",\"hint\":\"Mend it.\"}}", false);
    wizard_key(&w, KEY_RETURN);
    CHECK_CONTAINS(w.message, "cannot be started");
    CHECK_STR(w.review.text, "p.json:1: no\nMend it.");
    wizard_release(&w);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"a line of text", test_field}, {"draft", test_draft}, {"plan", test_plan}, {"connect", test_connect}, {"ssh", test_ssh},
        {"a plan with ssh", test_plan_ssh}, {"addresses", test_address}, {"a password in a uri", test_uri_password},
        {"checks", test_checks}, {"mend", test_mend}, {"waive", test_waive}, {"nameless", test_nameless}, {"several databases", test_databases},
        {"their tables", test_picker_databases}, {"columns", test_columns}, {"choices", test_choices}, {"tables", test_picker}, {"many", test_many},
        {"review", test_review}, {NULL, NULL},
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    if (!mkdtemp(dir))
        return 1;
    int code = unit_main("wizard", tests);
    dir_remove(dir, NULL);
    return code;
}
