/* Themes, text in cells, charts, and screens drawn from a fixed model: compared with tests/golden. With
 * PGC_GOLDEN=write the files are written anew instead; look at what changed before it is committed. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#include "base/buf.h"
#include "base/files.h"
#include "base/json.h"
#include "ui/passwords.h"
#include "ui/screens/dashboard.h"
#include "ui/screens/frame.h"
#include "ui/screens/help.h"
#include "ui/screens/migrations.h"
#include "ui/screens/statements.h"
#include "ui/session.h"
#include "ui/terminal.h"

static char *drawn(const struct glyphs *glyphs, int cols, const char *text)
{
    struct canvas canvas;

    canvas_init(&canvas, 1, cols, glyphs);
    canvas_put(&canvas, 0, 0, cols, ROLE_TEXT, text);
    char *out = canvas_text(&canvas, false);
    canvas_release(&canvas);
    return out;
}

static void check_drawn(const struct glyphs *glyphs, int cols, const char *text, const char *want)
{
    char *got = drawn(glyphs, cols, text);

    CHECK_STR(got, want);
    free(got);
}

static void test_text(void)
{
    check_drawn(&glyphs_utf8, 10, "public.t", "public.t\n");
    check_drawn(&glyphs_utf8, 5, "public.t", "publ…\n");
    check_drawn(&glyphs_ascii, 5, "public.t", "publ>\n");
    check_drawn(&glyphs_utf8, 6, "한국어", "한국어\n");
    check_drawn(&glyphs_utf8, 5, "한국어", "한국…\n");
    check_drawn(&glyphs_utf8, 4, "한국어", "한…\n"); /* the second does not fit whole */
    check_drawn(&glyphs_ascii, 6, "한x", "?x\n");
    check_drawn(&glyphs_utf8, 8, "a\nb\x1b[0m", "a?b?[0m\n");
    check_drawn(&glyphs_utf8, 8, "\xff\xc3(\xe2\x82", "?" "?(?" "?\n");
    check_drawn(&glyphs_utf8, 8, "e\xcc\x81x", "e\xcc\x81x\n");
}

static void test_outside(void)
{
    struct canvas canvas;

    canvas_init(&canvas, 2, 4, &glyphs_utf8);
    CHECK_INT(canvas_put(&canvas, 2, 0, -1, ROLE_TEXT, "x"), 0);
    CHECK_INT(canvas_put(&canvas, 0, 4, -1, ROLE_TEXT, "x"), 0);
    CHECK_INT(canvas_put(&canvas, -1, 0, -1, ROLE_TEXT, "x"), 0);
    CHECK_INT(canvas_put(&canvas, 0, 2, 9, ROLE_TEXT, "xyz"), 2);
    CHECK_INT(canvas_wrap(&canvas, 0, 0, 4, 2, ROLE_TEXT, "ab cd ef gh"), 2);
    char *text = canvas_text(&canvas, false);
    CHECK_STR(text, "abx…\ncd …\n");
    free(text);
    canvas_release(&canvas);
}

static void test_charts(void)
{
    static const double values[] = {0, 1, 2, 4, 8};
    struct canvas canvas;

    canvas_init(&canvas, 4, 8, &glyphs_utf8);
    canvas_bar(&canvas, 0, 0, 8, 0.5);
    canvas_bar(&canvas, 1, 0, 8, 0.55);
    canvas_bar(&canvas, 2, 0, 8, 7);
    canvas_sparkline(&canvas, 3, 0, 4, values, 5);
    char *text = canvas_text(&canvas, false);
    CHECK_STR(text, "████░░░░\n████▍░░░\n████████\n▂▃▅█\n");
    free(text);
    canvas_release(&canvas);
    canvas_init(&canvas, 1, 8, &glyphs_ascii);
    canvas_bar(&canvas, 0, 0, 8, 0.55);
    text = canvas_text(&canvas, false);
    CHECK_STR(text, "####....\n");
    free(text);
    canvas_release(&canvas);
}

static void check_theme_error(const char *text, const char *want)
{
    struct theme theme = {0};
    struct err err = ERR_INIT;

    CHECK_TRUE(!theme_parse(&theme, text, "mine", &err));
    CHECK_CONTAINS(err.message, want);
    CHECK_INT(theme.styles[ROLE_TITLE].attributes, 0);
    err_clear(&err);
}

static void test_themes(void)
{
    struct theme theme = {0};
    struct err err = ERR_INIT;

    CHECK_TRUE(theme_parse(&theme, "# mine\n\n title = bright-white on blue bold underline \r\nok=green", "mine", &err));
    CHECK_INT(theme.styles[ROLE_TITLE].foreground, 15);
    CHECK_INT(theme.styles[ROLE_TITLE].background, 4);
    CHECK_INT(theme.styles[ROLE_TITLE].attributes, THEME_BOLD | THEME_UNDERLINE);
    CHECK_INT(theme.styles[ROLE_OK].foreground, 2);
    CHECK_INT(theme.styles[ROLE_TEXT].foreground, COLOUR_DEFAULT);
    check_theme_error("title = bold\nwrong = red", "mine:2: there is no role \"wrong\"");
    check_theme_error("title = bold\n\nok = rde", "mine:3: \"rde\" is neither a colour nor an attribute");
    check_theme_error("title bold", "mine:1: a line is");
    int count = 0;
    for (const struct theme_builtin *b = themes_builtin; b->name; b++, count++)
        CHECK_TRUE(theme_parse(&theme, b->text, b->name, &err));
    CHECK_INT(count, 7);
    CHECK_TRUE(!theme_find(&theme, "nosuch", &err));
    CHECK_CONTAINS(err.hint, "high-contrast");
    err_clear(&err);
}

/* --- screens --- */

static const char *data_dir(void)
{
    const char *source = getenv("srcdir");

    return source ? source : ".";
}

static cJSON *read_model(const char *name)
{
    char *path = xasprintf("%s/tests/golden/%s", data_dir(), name);
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    cJSON *json = file_read(path, &text, &err) ? cJSON_Parse(text.data) : NULL;

    if (!json)
        fprintf(stderr, "%s: %s\n", path, err.message ? err.message : "no JSON");
    CHECK_TRUE(json != NULL);
    err_clear(&err);
    buf_release(&text);
    free(path);
    return json;
}

static void check_golden(const struct canvas *canvas, const char *name)
{
    char *path = xasprintf("%s/tests/golden/%s.txt", data_dir(), name);
    char *got = canvas_text(canvas, true);
    struct buf want = BUF_INIT;
    struct err err = ERR_INIT;

    if (getenv("PGC_GOLDEN"))
        CHECK_TRUE(file_write_atomic(path, got, strlen(got), &err));
    CHECK_TRUE(file_read(path, &want, &err));
    CHECK_STR(got, want.data);
    err_clear(&err);
    buf_release(&want);
    free(got);
    free(path);
}

static void begin(struct dashboard *d, struct session *s, const char *model)
{
    cJSON *messages = read_model(model);
    const cJSON *message;

    *s = (struct session){.channel = CHANNEL_INIT, .name = xstrdup("shop"), .live = true, .events = cJSON_CreateArray()};
    cJSON_ArrayForEach(message, messages) session_take(s, message);
    cJSON_Delete(messages);
    *d = (struct dashboard){.session = s, .now_us = INT64_C(1764079331000000)};
    for (int i = 0; i < 12; i++)
        s->rate[i] = (i * 37) % 100;
    s->samples = 12;
    dashboard_refresh(d);
}

static void end(struct dashboard *d, struct session *s)
{
    dashboard_release(d);
    session_close(s);
}

static void draw_all(struct dashboard *d, const char *name)
{
    static const struct {
        int rows, cols;
        const struct glyphs *glyphs;
        const char *suffix;
    } forms[] = {{24, 80, &glyphs_utf8, "80"}, {43, 132, &glyphs_utf8, "132"}, {24, 80, &glyphs_ascii, "80_ascii"}};

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct canvas canvas;
        char *file = xasprintf("%s_%s", name, forms[i].suffix);
        canvas_init(&canvas, forms[i].rows, forms[i].cols, forms[i].glyphs);
        dashboard_draw(d, &canvas);
        check_golden(&canvas, file);
        canvas_release(&canvas);
        free(file);
    }
}

static void test_dashboard(void)
{
    static const struct {
        int key;
        const char *name;
    } panes[] = {{KEY_RETURN, "table"}, {'g', "lag"}, {'s', "steps"}, {'l', "events"}, {'e', "error"}};
    struct session s;
    struct dashboard d;

    begin(&d, &s, "loading.json");
    draw_all(&d, "loading");
    dashboard_key(&d, KEY_ARROW_DOWN);
    for (size_t i = 0; i < sizeof panes / sizeof *panes; i++) {
        CHECK_TRUE(dashboard_key(&d, panes[i].key));
        draw_all(&d, panes[i].name);
        CHECK_TRUE(dashboard_key(&d, KEY_ESCAPE));
    }
    dashboard_key(&d, KEY_ARROW_DOWN);
    dashboard_key(&d, KEY_RETURN);
    draw_all(&d, "building");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_TRUE(dashboard_key(&d, 'E'));
    CHECK_INT(d.count, 1);
    draw_all(&d, "errors_only");
    CHECK_TRUE(!dashboard_key(&d, KEY_ESCAPE)); /* from the tables it leaves */
    end(&d, &s);
}

/* How many times slower than by itself the program runs here: valgrind's figure is not the program's. */
static int time_factor(void)
{
    const char *factor = getenv("PGC_TIME_FACTOR");
    return factor ? atoi(factor) : 1;
}

/* Ten thousand tables: a key, with all that it draws, takes less than 50 ms (of the processor: the
 * machine may be busy). */
static void test_many(void)
{
    struct session s;
    struct dashboard d;
    struct canvas canvas;
    cJSON *part = json_message("part");
    cJSON *output = cJSON_AddArrayToObject(part, "output");

    begin(&d, &s, "loading.json");
    cJSON *model = cJSON_Duplicate(d.tables[0], true);
    for (int i = 0; i < 10000; i++) {
        char id[32];
        cJSON *table = cJSON_Duplicate(model, true);
        snprintf(id, sizeof id, "or|shop|t%05d", i);
        cJSON_ReplaceItemInObjectCaseSensitive(table, "id", cJSON_CreateString(id));
        cJSON_ReplaceItemInObjectCaseSensitive(table, "tableName", cJSON_CreateString(id + 8));
        cJSON_AddItemToArray(output, table);
    }
    session_take(&s, part);
    dashboard_refresh(&d);
    CHECK_INT(d.count, 10004);
    canvas_init(&canvas, 43, 132, &glyphs_utf8);
    int64_t slowest_us = 0;
    for (const char *key = "GkkG/t09jj99"; *key; key++) {
        clock_t began = clock();
        dashboard_key(&d, *key);
        dashboard_draw(&d, &canvas);
        int64_t took_us = (int64_t)(clock() - began) * 1000000 / CLOCKS_PER_SEC;
        slowest_us = took_us > slowest_us ? took_us : slowest_us;
    }
    fprintf(stderr, " slowest key %.1f ms ", (double)slowest_us / 1000);
    CHECK_TRUE(slowest_us < 50000 * time_factor());
    canvas_release(&canvas);
    cJSON_Delete(model);
    cJSON_Delete(part);
    end(&d, &s);
}

static void type(struct dashboard *d, const char *text)
{
    for (; *text; text++)
        dashboard_key(d, (unsigned char)*text);
}

static void test_filter(void)
{
    struct session s;
    struct dashboard d;

    begin(&d, &s, "loading.json");
    CHECK_INT(d.count, 4);
    type(&d, "/PAYq");
    CHECK_INT(d.count, 0);
    dashboard_key(&d, KEY_ERASE);
    CHECK_INT(d.count, 1);
    dashboard_key(&d, KEY_RETURN);
    CHECK_INT(d.count, 1);
    CHECK_TRUE(!dashboard_key(&d, 'q')); /* a key again */
    type(&d, "/");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_INT(d.count, 4);
    end(&d, &s);
}

/* The engine's end of the session's channel. */
static int listen_to(struct session *s)
{
    int fds[2];

    CHECK_TRUE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    channel_open(&s->channel, fds[0]);
    return fds[1];
}

static void check_sent(int fd, const char *part)
{
    char text[2048];
    ssize_t got = recv(fd, text, sizeof text - 1, MSG_DONTWAIT);

    text[got > 0 ? got : 0] = '\0';
    CHECK_CONTAINS(text, part);
}

/* Nothing is sent before the right word was typed, nor while the migration is not ready. */
static void test_cutover(void)
{
    struct session s;
    struct dashboard d;

    begin(&d, &s, "loading.json");
    dashboard_key(&d, 'c');
    CHECK_TRUE(!d.confirming);
    CHECK_CONTAINS(d.message, "Cannot be cut over yet: tables are still being loaded");
    end(&d, &s);
    begin(&d, &s, "ready.json");
    draw_all(&d, "ready");
    CHECK_TRUE(dashboard_key(&d, 'v'));
    draw_all(&d, "verify");
    CHECK_TRUE(dashboard_key(&d, 'V'));
    CHECK_STR(s.command, "verify");
    CHECK_INT(d.pane, PANE_VERIFY);
    CHECK_TRUE(dashboard_key(&d, 't'));
    CHECK_STR(s.command, "rehearse");
    CHECK_INT(d.pane, PANE_CUTOVER);
    dashboard_key(&d, KEY_ESCAPE);
    dashboard_key(&d, 'R');
    CHECK_STR(s.command, "rehearse"); /* asked first */
    CHECK_CONTAINS(d.message, "R once more: ");
    dashboard_key(&d, 'k');
    dashboard_key(&d, 'R');
    CHECK_STR(s.command, "rehearse"); /* another key came between */
    dashboard_key(&d, 'R');
    CHECK_STR(s.command, "reload");
    CHECK_TRUE(dashboard_key(&d, 'f'));
    CHECK_STR(d.asked, "left");
    d.left = cJSON_Parse("[{\"side\":\"source\",\"kind\":\"slot\",\"name\":\"pgcutover_shop_0\",\"statement\":"
                         "\"SELECT pg_drop_replication_slot('pgcutover_shop_0')\"},{\"side\":\"target\",\"kind\":\"database\",\"name\":\"shop2\"}]");
    draw_all(&d, "finish");
    CHECK_TRUE(dashboard_key(&d, 'w'));
    CHECK_STR(d.asked, "report");
    CHECK_TRUE(dashboard_key(&d, 'J'));
    CHECK_STR(d.asked, "report json");
    CHECK_TRUE(dashboard_key(&d, 'D'));
    CHECK_TRUE(!d.confirming); /* it has not ended */
    CHECK_CONTAINS(d.message, "Not before the migration has ended");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_INT(d.pane, PANE_TABLES);
    str_replace(&s.command, NULL);
    dashboard_key(&d, 'c');
    type(&d, "shop");
    draw_all(&d, "confirm");
    dashboard_key(&d, KEY_RETURN);
    CHECK_TRUE(!s.command); /* the target's is called shop2 */
    CHECK_TRUE(d.is_error);
    dashboard_key(&d, 'c');
    type(&d, "shop2");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_TRUE(!s.command && !d.confirming);
    int engine = listen_to(&s);
    dashboard_key(&d, 'c');
    type(&d, "shop2");
    dashboard_key(&d, KEY_RETURN);
    CHECK_STR(s.command, "cutover");
    check_sent(engine, "\"confirm\":\"shop2\"");
    close(engine);
    CHECK_INT(d.pane, PANE_CUTOVER);
    end(&d, &s);
}

static const char schema_refused[] =
    "{\"schemaStatements\": {\"applied\": 255, \"pending\": 388, \"held\": 12, \"failed\": 2, \"skipped\": 1, \"edited\": 1}, \"schemaDecided\": [],"
    "\"schemaDecisions\": [{\"object\": \"FUNCTION public.geo_near(point)\", \"state\": \"failed\", \"sqlstate\": \"0A000\", \"message\": \"extension \\\"postgis\\\" is not "
    "available\", \"statement\": \"CREATE FUNCTION public.geo_near(point) RETURNS boolean\\n\\tLANGUAGE sql\\n\\tAS $$ SELECT true $$\\n;\"}, {\"object\": \"VIEW app.bad\", "
    "\"state\": \"failed\", \"sqlstate\": \"42P01\", \"message\": \"relation \\\"geo\\\" does not exist\", \"statement\": \"CREATE VIEW app.bad AS SELECT 1;\"}, {\"object\": "
    "\"EXTENSION pg_cron\", \"state\": \"skipped\", \"decision\": \"skip\", \"message\": \"left out by the plan (schema.edits)\"}, {\"object\": \"INDEX app.i\", \"state\": \"applied\", "
    "\"decision\": \"edit\"}]}";

/* What was said of the schema becomes the first database's. */
static void refuse(struct session *s, const char *text)
{
    cJSON *facts = cJSON_Parse(text);
    cJSON *database = (cJSON *)session_database(s, 0);

    while (facts->child) {
        cJSON *item = cJSON_DetachItemViaPointer(facts, facts->child);
        cJSON_DeleteItemFromObjectCaseSensitive(database, item->string);
        cJSON_AddItemToObject(database, item->string, item);
    }
    cJSON_Delete(facts);
}

static void test_statements(void)
{
    struct session s;
    struct dashboard d;

    begin(&d, &s, "loading.json");
    int engine = listen_to(&s);
    refuse(&s, schema_refused);
    CHECK_INT(statements_open(&d), 2);
    CHECK_TRUE(dashboard_key(&d, 'S'));
    draw_all(&d, "statements");
    dashboard_key(&d, 'v');
    draw_all(&d, "statement");
    dashboard_key(&d, 'v');
    dashboard_key(&d, 'e');
    CHECK_STR(d.asked, "edit");
    char *text = statements_text(&d);
    statements_edited(&d, text, "CREATE FUNCTION public.geo_near(point) RETURNS boolean\n\tLANGUAGE sql\n\tAS $$ SELECT true $$\n");
    CHECK_TRUE(!s.command); /* as it was */
    statements_edited(&d, text, " ;\n");
    CHECK_TRUE(!s.command && d.is_error);
    statements_edited(&d, text, "SELECT 1;\n");
    CHECK_STR(s.command, "decide");
    check_sent(engine, "\"sql\":\"SELECT 1\"");
    free(text);
    type(&d, "js");
    check_sent(engine, "\"object\":\"VIEW app.bad\",\"skip\":true");
    refuse(&s, "{\"schemaDecided\": [{\"object\": \"FUNCTION public.geo_near(point)\", \"sql\": \"SELECT 1\"}, {\"object\": \"VIEW app.bad\", \"skip\": true}]}");
    CHECK_INT(statements_open(&d), 0);
    str_replace(&s.command, NULL);
    draw_all(&d, "statements_decided");
    text = statements_script(&d);
    CHECK_STR(text, "-- FUNCTION public.geo_near(point): extension \"postgis\" is not available (0A000)\nSELECT 1;\n\n"
                    "-- VIEW app.bad: relation \"geo\" does not exist (42P01)\nCREATE VIEW app.bad AS SELECT 1;\n\n");
    free(text);
    type(&d, "jjs"); /* what is applied is not decided on any more */
    CHECK_TRUE(!s.command);
    CHECK_CONTAINS(d.message, "applied already");
    type(&d, "R");
    CHECK_STR(s.command, "resume");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_INT(d.pane, PANE_TABLES);
    end(&d, &s);
    close(engine);
}

static const char cutover_runs[] =
    "{\"phase\": \"cutting over\", \"migrationState\": \"COMPLETING\", \"writesStoppedOn\": \"2025-11-25T14:02:06.6+00:00\", \"targetOpenedOn\": null, \"downtimeSeconds\": 0, "
    "\"cutoverSteps\": [{\"name\": \"list writers\", \"state\": \"done\", \"text\": \"0 sessions in a writing transaction\", \"startedOn\": \"2025-11-25T14:02:05.1+00:00\", "
    "\"endedOn\": \"2025-11-25T14:02:05.2+00:00\"}, {\"name\": \"stop writes\", \"state\": \"done\", \"text\": \"database \\\"shop\\\" is read-only; sessions ended: none\", "
    "\"startedOn\": \"2025-11-25T14:02:06.6+00:00\", \"endedOn\": \"2025-11-25T14:02:06.9+00:00\"}, {\"name\": \"last change applied\", \"state\": \"running\", "
    "\"text\": null, \"startedOn\": \"2025-11-25T14:02:06.9+00:00\", \"endedOn\": null}]}";
static const char cutover_failed[] =
    "{\"phase\": \"syncing\", \"cutoverSteps\": [{\"name\": \"verify\", \"state\": \"failed\", \"text\": \"public.item differs\", "
    "\"startedOn\": \"2025-11-25T14:02:06.9+00:00\", \"endedOn\": \"2025-11-25T14:02:07.9+00:00\"}]}";

/* Every step is there before it begins; the one that runs is followed; undoing is asked for, and Esc leaves without it. */
static void test_checklist(void)
{
    struct session s;
    struct dashboard d;

    begin(&d, &s, "ready.json");
    refuse(&s, "{\"cutoverSteps\": []}");
    dashboard_key(&d, 's');
    type(&d, "jjj");
    draw_all(&d, "cutover_before");
    type(&d, "u");
    CHECK_CONTAINS(d.message, "No cutover runs");
    refuse(&s, "{\"cutoverOutline\": [{\"name\": \"stop writes\", \"byOperator\": true}]}");
    CHECK_TRUE(dashboard_operator_stops(&d));
    dashboard_key(&d, 'c');
    draw_all(&d, "confirm_operator");
    end(&d, &s);
    begin(&d, &s, "ready.json");
    CHECK_TRUE(!dashboard_operator_stops(&d));
    dashboard_key(&d, 's');
    refuse(&s, cutover_runs);
    type(&d, "0");
    draw_all(&d, "cutover_running");
    CHECK_TRUE(dashboard_key(&d, KEY_ESCAPE));
    CHECK_TRUE(d.undoing);
    type(&d, "n");
    CHECK_TRUE(!s.command && !d.undoing);
    CHECK_INT(d.pane, PANE_CUTOVER);
    type(&d, "uy");
    CHECK_STR(s.command, "abort");
    str_replace(&s.command, NULL);
    dashboard_key(&d, KEY_ESCAPE);
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_TRUE(!s.command);
    CHECK_INT(d.pane, PANE_TABLES);
    dashboard_key(&d, 's');
    refuse(&s, cutover_failed);
    draw_all(&d, "cutover_failed");
    dashboard_key(&d, 'B');
    CHECK_CONTAINS(d.message, "Not before the migration has ended");
    refuse(&s, "{\"phase\": \"done\"}");
    dashboard_key(&d, 'B');
    CHECK_STR(d.confirming, "fallback");
    type(&d, "shop2");
    dashboard_key(&d, KEY_RETURN);
    CHECK_STR(d.asked, "fallback");
    CHECK_TRUE(!s.command);
    end(&d, &s);
}

static void test_help(void)
{
    struct dashboard d = {.pane = PANE_TABLES};
    struct help help = {.keys = dashboard_keys(&d)};
    struct canvas canvas;

    canvas_init(&canvas, 24, 80, &glyphs_utf8);
    for (const char *c = "/slot"; *c; c++)
        CHECK_TRUE(help_key(&help, *c));
    help_draw(&help, &canvas);
    check_golden(&canvas, "help_80");
    CHECK_TRUE(!help_key(&help, KEY_ESCAPE));
    canvas_release(&canvas);
}

/* The column of a click is the key that stands there. */
static void test_key_line(void)
{
    static const struct key_help keys[] = {{"a", "all", ""}, {"x", NULL, ""}, {"Enter", "next", ""}, {"b", "a label that does not fit", ""}, {NULL, NULL, NULL}};
    struct canvas canvas;

    canvas_init(&canvas, 1, 24, &glyphs_utf8);
    keys_draw(keys, &canvas, 0);
    char *text = canvas_text(&canvas, false);
    CHECK_STR(text, " a all  Enter next\n");
    CHECK_STR(keys_at(keys, &canvas, 1), "a");
    CHECK_STR(keys_at(keys, &canvas, 5), "a");
    CHECK_TRUE(!keys_at(keys, &canvas, 6));
    CHECK_STR(keys_at(keys, &canvas, 8), "Enter");
    CHECK_STR(keys_at(keys, &canvas, 17), "Enter");
    CHECK_TRUE(!keys_at(keys, &canvas, 20) && !keys_at(keys, &canvas, 0));
    free(text);
    canvas_release(&canvas);
}

static void append(const char *path, const char *text)
{
    FILE *file = fopen(path, "a");

    CHECK_TRUE(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* Lines come as they are written, also in halves; the view follows them until it is moved. */
static void test_log(void)
{
    char dir[] = "/tmp/pgc-test-log.XXXXXX";
    struct session s;
    struct dashboard d;

    begin(&d, &s, "loading.json");
    CHECK_TRUE(mkdtemp(dir) != NULL);
    s.dir = xstrdup(dir);
    char *path = xasprintf("%s/log.jsonl", dir);
    dashboard_key(&d, 'L');
    CHECK_INT(d.log.count, 0);
    append(path, "{\"time\":\"2025-11-25T14:02:05.1+00:00\",\"level\":\"info\",\"component\":\"engine\",\"message\":\"the engine runs as process 42\"}\n"
                 "no JSON\n{\"time\":\"2025-11-25T14:02:06.1+00:00\",\"level\":\"warning\",\"component\":\"copy-1\",\"message\":\"trying again\"}\n{\"time\":\"2025");
    dashboard_tick(&d);
    CHECK_INT(d.log.count, 2);
    append(path, "-11-25T14:02:07.1+00:00\",\"level\":\"error\",\"component\":\"copy-1\",\"message\":\"target: could not extend file\",\"sqlstate\":\"53100\","
                 "\"detail\":\"No space.\",\"hint\":\"Check free disk space.\"}\n");
    dashboard_tick(&d);
    CHECK_INT(d.log.count, 3);
    draw_all(&d, "log");
    type(&d, "k");
    append(path, "{\"level\":\"info\",\"component\":\"engine\",\"message\":\"more\"}\n");
    dashboard_tick(&d);
    struct canvas canvas;
    canvas_init(&canvas, 24, 80, &glyphs_utf8);
    dashboard_draw(&d, &canvas);
    CHECK_INT(d.log.selected, 1);
    type(&d, "G");
    append(path, "{\"level\":\"info\",\"component\":\"engine\",\"message\":\"and more\"}\n");
    dashboard_tick(&d);
    dashboard_draw(&d, &canvas);
    CHECK_INT(d.log.selected, 4);
    canvas_release(&canvas);
    type(&d, "w/SPACE");
    draw_all(&d, "log_filter");
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_INT(d.pane, PANE_LOG);
    dashboard_key(&d, KEY_ESCAPE);
    CHECK_INT(d.pane, PANE_TABLES);
    dir_remove(dir, NULL);
    free(path);
    end(&d, &s);
}

static void check_wanted(const char *json, int want)
{
    struct passwords passwords = {0};
    struct err err = ERR_INIT;
    cJSON *parsed = cJSON_Parse(json);

    err_from_json(&err, parsed);
    bool wanted = passwords_wanted(&passwords, &err);
    CHECK_INT(wanted ? (int)passwords.side * SECRETS + (int)passwords.which : -1, want);
    cJSON_Delete(parsed);
    err_clear(&err);
    passwords_release(&passwords);
}

/* Which secret would have let the engine in; what is typed is on no screen, and goes to the command alone. */
static void test_passwords(void)
{
    struct passwords passwords = {0};
    struct err err = ERR_INIT;
    struct canvas canvas;

    check_wanted("{\"message\": \"source db1:5432/shop: password authentication failed for user \\\"m\\\"\", \"sqlstate\": \"28P01\"}", SOURCE * SECRETS + SECRET_PASSWORD);
    check_wanted("{\"message\": \"target pg17/shop: fe_sendauth: no password supplied\"}", TARGET * SECRETS + SECRET_PASSWORD);
    check_wanted("{\"message\": \"target: SSH server b:22: user \\\"d\\\" is not let in\", \"detail\": \"Tried: key file (its passphrase is not known)\"}",
                 TARGET * SECRETS + SECRET_SSH_PASSPHRASE);
    check_wanted("{\"message\": \"source: SSH server b:22: user \\\"d\\\" is not let in\", \"detail\": \"The server takes: password.\"}", SOURCE * SECRETS + SECRET_SSH_PASSWORD);
    check_wanted("{\"message\": \"source: SSH server b:22: its host key has changed\"}", -1);
    check_wanted("{\"message\": \"source db1: connection refused\"}", -1);
    err_set(&err, ERR_CONNECTION, "source db1: password authentication failed");
    CHECK_TRUE(passwords_wanted(&passwords, &err) && !passwords_text(&passwords));
    for (const char *c = "hunter\"2"; *c; c++)
        CHECK_INT(passwords_key(&passwords, *c), PASSWORDS_STAYS);
    canvas_init(&canvas, 1, 60, &glyphs_utf8);
    passwords_draw(&passwords, &canvas, 0);
    char *text = canvas_text(&canvas, false);
    CHECK_STR(text, " Password, source (Esc: not now): ••••••••\n");
    free(text);
    CHECK_INT(passwords_key(&passwords, KEY_RETURN), PASSWORDS_TYPED);
    CHECK_TRUE(!passwords.asking && !passwords.field.text[0]);
    text = passwords_text(&passwords);
    CHECK_STR(text, "{\"source\":{\"password\":\"hunter\\\"2\"},\"target\":{}}");
    free(text);
    CHECK_TRUE(passwords_wanted(&passwords, &err));
    CHECK_INT(passwords_key(&passwords, KEY_ESCAPE), PASSWORDS_GIVEN_UP);
    CHECK_TRUE(!passwords.asking && !passwords_text(&passwords));
    canvas_release(&canvas);
    err_clear(&err);
}

static void test_list(void)
{
    struct migration_line lines[] = {
        {.name = "shop", .between = "db1 -> pg17", .state = "syncing", .lag = 0.4, .live = true, .targets = "shop", .since_us = INT64_C(1763895731000000)},
        {.name = "billing", .between = "db1 -> pg17", .state = "ready to cut over", .live = true},
        {.name = "archive", .between = "old96 -> pg17", .state = "done", .targets = "archive a2", .ended = true, .since_us = INT64_C(1764074531000000)},
    };
    struct migrations list = {.lines = lines, .count = 3};
    struct canvas canvas;

    canvas_init(&canvas, 24, 80, &glyphs_utf8);
    migrations_key(&list, 'j');
    CHECK_STR(migrations_selected(&list), "billing");
    migrations_draw(&list, &canvas, INT64_C(1764079331000000));
    check_golden(&canvas, "list_80");
    migrations_key(&list, 'd'); /* it goes on */
    CHECK_CONTAINS(list.message, "has not ended");
    migrations_key(&list, 'j');
    migrations_key(&list, 'd');
    for (const char *c = "archive"; *c; c++)
        migrations_key(&list, *c);
    migrations_draw(&list, &canvas, INT64_C(1764079331000000));
    check_golden(&canvas, "list_delete_80");
    migrations_key(&list, KEY_RETURN);
    CHECK_TRUE(!list.asked && list.is_error); /* both databases' names are wanted */
    migrations_key(&list, 'd');
    for (const char *c = "archive a2"; *c; c++)
        migrations_key(&list, *c);
    migrations_key(&list, KEY_RETURN);
    CHECK_STR(list.asked, "delete");
    canvas_release(&canvas);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"text", test_text},           {"outside", test_outside}, {"charts", test_charts}, {"themes", test_themes},
        {"dashboard", test_dashboard}, {"filter", test_filter},   {"cutover", test_cutover}, {"statements", test_statements}, {"checklist", test_checklist}, {"help", test_help}, {"many", test_many},
        {"passwords", test_passwords}, {"list", test_list}, {"key line", test_key_line}, {"log", test_log},           {NULL, NULL},
    };

    setlocale(LC_CTYPE, "C.UTF-8");
    setenv("TZ", "UTC", 1);
    return unit_main("ui", tests);
}
