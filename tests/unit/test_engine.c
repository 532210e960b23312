#include <fcntl.h>
#include <unistd.h>

#include "unit.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "engine/cutover.h"
#include "engine/engine.h"
#include "engine/fix_setting.h"
#include "engine/fix_store.h"
#include "engine/host_disk.h"
#include "engine/journal.h"
#include "engine/lag.h"
#include "engine/model.h"
#include "engine/pipeline.h"
#include "engine/status.h"
#include "engine/verify_pairs.h"

static char dir[64];

static char *in_dir(const char *name)
{
    return xasprintf("%s/%s", dir, name);
}

/* --- journal --- */

static struct made slot_entry(int db)
{
    return (struct made){.db = db, .side = "source", .kind = "slot", .name = "pgcutover_x"};
}

static void test_journal(void)
{
    char *path = in_dir("journal");
    struct journal journal;
    struct err err = ERR_INIT;
    struct made entry = slot_entry(1);
    int seq = 0;
    int again = 0;

    CHECK_TRUE(journal_open(&journal, path, &err));
    CHECK_TRUE(journal_made(&journal, &entry, &seq, &err));
    CHECK_TRUE(journal_made(&journal, &entry, &again, &err));
    CHECK_INT(again, seq);
    entry.kind = "read-only";
    entry.previous = "off";
    CHECK_TRUE(journal_made(&journal, &entry, &again, &err));
    CHECK_TRUE(again != seq);
    cJSON *fields = cJSON_CreateObject();
    json_add_num(fields, "db", 1);
    json_add_str(fields, "state", "loading");
    CHECK_TRUE(journal_add(&journal, "state", fields, &err));
    journal_close(&journal);

    CHECK_TRUE(journal_open(&journal, path, &err));
    CHECK_TRUE(journal_has(&journal, 1, "slot"));
    CHECK_TRUE(!journal_has(&journal, 0, NULL));
    CHECK_STR(json_str(journal_state(&journal, 1), "state"), "loading");
    CHECK_TRUE(journal_state(&journal, 0) == NULL);
    CHECK_STR(journal.made[1].previous, "off");
    CHECK_TRUE(journal_gone(&journal, seq, &err));
    CHECK_TRUE(!journal_has(&journal, 1, "slot"));
    /* What is gone and made again is a new entry. */
    entry = slot_entry(1);
    CHECK_TRUE(journal_made(&journal, &entry, &again, &err));
    CHECK_TRUE(again > seq);
    journal_close(&journal);
    free(path);
    err_clear(&err);
}

static void append_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT, 0600);

    CHECK_INT(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_journal_torn(void)
{
    char *path = in_dir("torn");
    struct journal journal;
    struct err err = ERR_INIT;
    struct made entry = slot_entry(0);
    int seq = 0;

    CHECK_TRUE(journal_open(&journal, path, &err));
    CHECK_TRUE(journal_made(&journal, &entry, &seq, &err));
    journal_close(&journal);
    append_text(path, "{\"op\":\"gone\",\"se");
    CHECK_TRUE(journal_open(&journal, path, &err));
    CHECK_TRUE(journal_has(&journal, 0, "slot"));
    /* The torn line is cut off, so that what follows can be read. */
    CHECK_TRUE(journal_gone(&journal, seq, &err));
    journal_close(&journal);
    CHECK_TRUE(journal_open(&journal, path, &err));
    CHECK_TRUE(!journal_has(&journal, 0, NULL));
    journal_close(&journal);

    append_text(path, "not json\n");
    CHECK_TRUE(!journal_open(&journal, path, &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    CHECK_CONTAINS(err.message, "is damaged in line 3");
    free(path);
    err_clear(&err);
}

/* --- model --- */

static void make_migration(struct migration *m)
{
    struct err err = ERR_INIT;

    *m = (struct migration){.id = xstrdup("0badcafe-id"), .name = xstrdup("My-shop"),
                            .dir = xstrdup("/nowhere"), .started_us = INT64_C(1530833762278390)};
    CHECK_TRUE(plan_parse(&m->plan,
                          "{\"name\":\"My-shop\",\"source\":{\"serverName\":\"a\"},"
                          "\"target\":{\"serverName\":\"b\"},\"databases\":[{\"name\":\"inventory\"}]}",
                          "plan", &err));
    migration_make_pipelines(m);
    struct pipeline *p = &m->pipelines[0];
    struct table *t = pipeline_add_table(p, "1234");
    t->schema = xstrdup("public");
    t->name = xstrdup("orders");
    t->target_schema = xstrdup("public");
    t->target_name = xstrdup("orders");
    t->est_bytes = 100;
    pipeline_sort_tables(p);
    err_clear(&err);
}

static void test_slot_name(void)
{
    struct migration m;

    make_migration(&m);
    CHECK_STR(m.pipelines[0].slot, "pgcutover_my_shop_0badca_0");
    migration_release(&m);
}

static void test_verify_order(void)
{
    struct table tables[] = {{.verified = {.state = VERIFIED_EQUAL, .lsn = 20}}, {.verified = {.state = VERIFIED_EQUAL, .lsn = 10}},
                             {.verified = {.state = VERIFIED_NOT}}, {.verified = {.state = VERIFIED_DIFFERENT, .lsn = 10}},
                             {.verified = {.state = VERIFIED_NOT}}};
    const struct table *order[] = {&tables[0], &tables[1], &tables[2], &tables[3], &tables[4]};
    static const int want[] = {2, 4, 1, 3, 0};

    verify_order(order, 5);
    for (int i = 0; i < 5; i++)
        CHECK_INT(order[i] - tables, want[i]);
    verify_order(order, 0);
}

static void test_lag(void)
{
    struct pipeline p = {0};
    int64_t now = 100 * 1000000;

    CHECK_INT(pipeline_lag_us(&p, now), -1);
    pipeline_add_reading(&p, 10, now - 5000000);
    pipeline_add_reading(&p, 20, now - 3000000);
    pipeline_add_reading(&p, 30, now - 1000000);
    p.passed_lsn = 20;
    CHECK_INT(pipeline_lag_us(&p, now), 3000000);
    p.passed_lsn = 35;
    CHECK_INT(pipeline_lag_us(&p, now), 1000000);
    /* Idle, as it said last, is at the end of the stream; but not when the source has gone on for long. */
    p.apply_idle = true;
    p.latency_us = 4000;
    CHECK_INT(pipeline_latency_us(&p, now), 4000);
    p.passed_lsn = 20;
    CHECK_INT(pipeline_latency_us(&p, now), 3000000);
    p.apply_idle = false;
    p.passed_lsn = 35;
    CHECK_INT(pipeline_latency_us(&p, now), 1000000);
    /* Before the first reading is passed, the last commit time says how old the target is. */
    p.passed_lsn = 5;
    p.applied_commit_us = now - 9000000;
    p.clock_offset_us = 500000;
    CHECK_INT(pipeline_lag_us(&p, now), 9500000);
    for (int i = 0; i < 500; i++)
        pipeline_add_reading(&p, (lsn_t)(40 + i), now + i);
    CHECK_TRUE(p.reading_count <= READING_COUNT);
    CHECK_INT(p.readings[p.reading_count - 1].lsn, 539);
}

static void check_not_ready(struct pipeline *p, const char *because)
{
    char *why = NULL;

    CHECK_TRUE(!pipeline_is_ready(p, 1000000, &why));
    CHECK_CONTAINS(why, because);
    free(why);
}

/* --- why it is behind --- */

static struct pipeline behind(lsn_t source, lsn_t sent, lsn_t received, lsn_t durable, lsn_t passed)
{
    struct pipeline p = {.state = PIPE_SYNCING, .received_lsn = received, .confirmed_lsn = durable,
                         .passed_lsn = passed, .applied_commit_us = 1};

    p.facts.sent_lsn = sent;
    pipeline_add_reading(&p, source, 1000);
    return p;
}

static void check_cause(const struct pipeline *p, enum lag_cause want, const char *part)
{
    struct buf text = BUF_INIT;

    CHECK_INT(lag_explain(p, 2000, &text), want);
    if (part)
        CHECK_CONTAINS(text.data, part);
    else
        CHECK_INT(text.len, 0);
    buf_release(&text);
}

static void test_lag_cause(void)
{
    const lsn_t mb = 1 << 20;
    struct pipeline p = behind(90 * mb, 20 * mb, 20 * mb, 20 * mb, 20 * mb);

    check_cause(&p, LAG_DECODING, "70.0 MB of WAL still to be decoded");
    p.facts.open = (struct session_facts){.pid = 7, .user = "app", .query = "COPY x", .age_us = 65000000};
    check_cause(&p, LAG_DECODING, "process 7 of \"app\"");
    p = behind(90 * mb, 90 * mb, 20 * mb, 20 * mb, 20 * mb);
    check_cause(&p, LAG_NETWORK, "have not arrived");
    p = behind(90 * mb, 90 * mb, 90 * mb, 20 * mb, 20 * mb);
    check_cause(&p, LAG_SPOOL, "has not ended yet");
    p.spool_full = true;
    check_cause(&p, LAG_SPOOL, "the spool is full");
    p = behind(90 * mb, 90 * mb, 90 * mb, 90 * mb, 20 * mb);
    check_cause(&p, LAG_APPLY, "70.0 MB of the source's WAL are here");
    p.facts.holder = (struct session_facts){.pid = 9, .user = "dba", .application = "psql", .query = "LOCK TABLE t"};
    check_cause(&p, LAG_LOCK, "process 9 of \"dba\" (psql)");
    p = behind(90 * mb, 90 * mb, 90 * mb, 90 * mb, 90 * mb);
    check_cause(&p, LAG_NONE, NULL);
    /* What is always under way is no cause. */
    p = behind(90 * mb + 100, 90 * mb, 90 * mb, 90 * mb, 90 * mb);
    check_cause(&p, LAG_NONE, NULL);
}

static void test_runway(void)
{
    struct pipeline p = {.slot_retained_bytes = 400};
    struct runway runway;

    CHECK_INT(lag_wal_rate(&p), 0);
    runway = lag_runway(&p, 0);
    CHECK_TRUE(!runway.limit);
    CHECK_INT(runway.left_bytes, -1);
    pipeline_add_reading(&p, 1000, 1);
    pipeline_add_reading(&p, 2000, 1000001);
    CHECK_INT(lag_wal_rate(&p), 0); /* a second is too short to measure */
    pipeline_add_reading(&p, 11000, 10000001);
    CHECK_INT(lag_wal_rate(&p), 1000);
    runway = lag_runway(&p, 60400);
    CHECK_STR(runway.limit, "limits.sourceSlotWal");
    CHECK_INT(runway.left_bytes, 60000);
    CHECK_INT(runway.left_s, 60);
    p.facts.has_safe_wal = true;
    p.facts.safe_wal_bytes = 5000;
    runway = lag_runway(&p, 60400);
    CHECK_STR(runway.limit, "max_slot_wal_keep_size");
    CHECK_INT(runway.left_s, 5);
    p.slot_retained_bytes = 70000;
    p.facts.has_safe_wal = false;
    CHECK_INT(lag_runway(&p, 60400).left_bytes, 0);
    /* What was written more than a minute ago does not count. */
    pipeline_add_reading(&p, 11000, 100000001);
    pipeline_add_reading(&p, 11000, 110000001);
    CHECK_INT(lag_wal_rate(&p), 0);
}

static void test_ready(void)
{
    struct pipeline p = {.state = PIPE_LOADING};

    check_not_ready(&p, "it is loading");
    p.state = PIPE_SYNCING;
    check_not_ready(&p, "not known");
    pipeline_add_reading(&p, 100, clock_wall_us());
    p.last_epoch_lsn = 200;
    p.passed_lsn = 150;
    check_not_ready(&p, "made while loading");
    p.passed_lsn = 250;
    CHECK_TRUE(pipeline_is_ready(&p, 1000000, NULL));
    p.hold = HOLD_PAUSED;
    check_not_ready(&p, "paused");
    p.hold = HOLD_STOPPED;
    err_set(&p.error, ERR_CONFLICT, "a row is missing");
    check_not_ready(&p, "a row is missing");
    p.hold = HOLD_NONE;
    p.readings[0].taken_us = clock_wall_us() - 10000000;
    check_not_ready(&p, "behind");
    err_clear(&p.error);
}

/* --- status: the very keys of Azure DMS's three result types --- */

static const char *const database_keys[] = {
    "appliedChanges", "cdcDeleteCounter", "cdcInsertCounter", "cdcUpdateCounter", "databaseName",
    "endedOn", "fullLoadCompletedTables", "fullLoadErroredTables", "fullLoadLoadingTables",
    "fullLoadQueuedTables", "id", "incomingChanges", "initializationCompleted", "latency",
    "migrationState", "resultType", "startedOn", NULL};
static const char *const migration_keys[] = {
    "databaseCount", "endedOn", "id", "resultType", "sourceServer", "sourceVersion", "startedOn",
    "state", "targetServer", "targetVersion", NULL};
static const char *const table_keys[] = {
    "cdcDeleteCounter", "cdcInsertCounter", "cdcUpdateCounter", "dataErrorsCount", "databaseName",
    "fullLoadEndedOn", "fullLoadEstFinishTime", "fullLoadStartedOn", "fullLoadTotalRows",
    "fullLoadTotalVolumeBytes", "id", "lastModifiedTime", "resultType", "state", "tableName",
    "totalChangesApplied", NULL};

static const cJSON *find_output(const cJSON *status, const char *type)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(json_get(status, "properties"), "output"))
        if (strcmp(json_str(item, "resultType"), type) == 0)
            return item;
    return NULL;
}

static void check_keys(const cJSON *status, const char *type, const char *const *keys)
{
    const cJSON *item = find_output(status, type);

    CHECK_TRUE(item != NULL);
    for (; item && *keys; keys++) {
        if (!json_get(item, *keys))
            fprintf(stderr, "\n%s has no %s\n", type, *keys);
        CHECK_TRUE(json_get(item, *keys) != NULL);
    }
}

static void test_status(void)
{
    struct migration m;

    make_migration(&m);
    struct pipeline *p = &m.pipelines[0];
    struct table *t = p->by_size[0];
    p->state = PIPE_SYNCING;
    p->passed_lsn = 9;
    pipeline_add_reading(p, 9, clock_wall_us());
    t->state = TABLE_COMPLETED;
    t->inserts = 50;
    t->rows = 112;
    cJSON *status = status_json(&m);
    check_keys(status, "DatabaseLevelOutput", database_keys);
    check_keys(status, "MigrationLevelOutput", migration_keys);
    check_keys(status, "TableLevelOutput", table_keys);
    const cJSON *database = find_output(status, "DatabaseLevelOutput");
    const cJSON *table = find_output(status, "TableLevelOutput");
    CHECK_STR(json_str(database, "id"), "db|inventory");
    CHECK_STR(json_str(database, "migrationState"), "READY_TO_COMPLETE");
    CHECK_INT(json_i64(database, "cdcInsertCounter", -1), 50);
    CHECK_INT(json_i64(database, "fullLoadCompletedTables", -1), 1);
    CHECK_STR(json_str(table, "id"), "or|inventory|public|orders");
    CHECK_STR(json_str(table, "tableName"), "public.orders");
    CHECK_STR(json_str(table, "state"), "COMPLETED");
    CHECK_STR(json_str(table, "fullLoadEstFinishTime"), "1970-01-01T00:00:00+00:00");
    CHECK_INT(json_i64(table, "totalChangesApplied", -1), 50);
    CHECK_STR(json_str(find_output(status, "MigrationLevelOutput"), "startedOn"),
              "2018-07-05T23:36:02.27839+00:00");
    CHECK_STR(json_str(json_get(status, "properties"), "state"), "Running");
    CHECK_TRUE(cJSON_IsNull(json_get(json_get(status, "properties"), "taskType")));
    cJSON_Delete(status);
    migration_release(&m);
}

/* What is told of the tables adds up to what is told of their database, whatever they are at. */
static void test_load_numbers(void)
{
    static const struct {
        enum table_state state;
        int64_t rows, bytes, est_bytes;
        int64_t expected;
    } tables[] = {{TABLE_LOADING, 10, 1000, 4000, 4000}, {TABLE_LOADING, 20, 5000, 2000, 5000},
                  {TABLE_COMPLETED, 30, 700, 9000, 700}, {TABLE_INDEXING, 5, 300, 100, 300},
                  {TABLE_BEFORE_LOAD, 0, 0, 10000, 10000}};
    struct migration m;
    int64_t now = clock_wall_us();

    make_migration(&m);
    struct pipeline *p = &m.pipelines[0];
    size_t before = p->table_count;
    p->state = PIPE_LOADING;
    p->by_size[0]->est_bytes = 0;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        char oid[16];
        snprintf(oid, sizeof oid, "%zu", 70000 + i);
        struct table *t = pipeline_add_table(p, oid);
        t->schema = xstrdup("many"), t->name = xstrdup(oid);
        t->target_schema = xstrdup("many"), t->target_name = xstrdup(oid);
        t->state = tables[i].state, t->rows = tables[i].rows;
        t->bytes = tables[i].bytes, t->est_bytes = tables[i].est_bytes;
        t->load_started_us = now - 10000000;
    }
    pipeline_sort_tables(p);
    p->builds = cJSON_Parse("[{\"oid\":\"70003\",\"index\":\"i\",\"phase\":\"scanning table\",\"done\":\"1\",\"total\":\"8\"},"
                            "{\"oid\":\"70002\",\"index\":\"ended\",\"phase\":\"scanning table\"}]");
    cJSON *status = status_json(&m);
    const cJSON *database = find_output(status, "DatabaseLevelOutput"), *item;
    double sums[4] = {0};
    cJSON_ArrayForEach(item, json_get(json_get(status, "properties"), "output")) {
        static const char *const keys[] = {"fullLoadTotalRows", "fullLoadTotalVolumeBytes", "fullLoadExpectedBytes"};
        if (strcmp(json_str(item, "resultType"), "TableLevelOutput") != 0)
            continue;
        for (int k = 0; k < 3; k++)
            sums[k] += json_get(item, keys[k])->valuedouble;
        if (strcmp(json_str(item, "state"), "FULL_LOAD") == 0 && strcmp(json_str(item, "loadPhase"), "loading") == 0)
            sums[3] += json_get(item, "fullLoadBytesPerSecond")->valuedouble;
    }
    CHECK_INT(p->table_count - before, 5);
    CHECK_INT(sums[0], 65);
    CHECK_INT(json_i64(database, "fullLoadRows", -1), 65);
    CHECK_INT(sums[1], 7000);
    CHECK_INT(json_i64(database, "fullLoadBytes", -1), 7000);
    CHECK_INT(sums[2], 20000);
    CHECK_INT(json_i64(database, "fullLoadExpectedBytes", -1), 20000);
    CHECK_INT(json_i64(database, "fullLoadPercent", -1), 35);
    CHECK_TRUE(sums[3] > 500 && sums[3] <= 600);
    CHECK_TRUE(json_i64(database, "fullLoadBytesPerSecond", -1) - sums[3] <= 1);
    CHECK_TRUE(strcmp(json_str(database, "fullLoadEstFinishTime"), "1970-01-01T00:00:00+00:00") > 0);
    const cJSON *builds = json_get(database, "indexBuilds");
    CHECK_INT(cJSON_GetArraySize(builds), 1);
    CHECK_STR(json_str(cJSON_GetArrayItem(builds, 0), "tableName"), "many.70003");
    CHECK_STR(json_str(cJSON_GetArrayItem(builds, 0), "indexName"), "i");
    CHECK_TRUE(json_get(cJSON_GetArrayItem(builds, 0), "phasePercent")->valuedouble == 12.5);
    cJSON_Delete(status);
    migration_release(&m);
}

struct task_state {
    enum pipeline_state state;
    enum pipeline_hold hold;
    enum err_code error;
    const char *task, *migration, *level;
};

static void test_states(void)
{
    static const struct task_state cases[] = {
        {PIPE_QUEUED, HOLD_NONE, ERR_NONE, "Queued", "UNDEFINED", "UNDEFINED"},
        {PIPE_CHECKING, HOLD_NONE, ERR_NONE, "Running", "CONFIGURING", "VALIDATING"},
        {PIPE_SCHEMA, HOLD_NONE, ERR_NONE, "Running", "INITIALIAZING", "PENDING"},
        {PIPE_LOADING, HOLD_NONE, ERR_NONE, "Running", "RUNNING", "PENDING"},
        {PIPE_SYNCING, HOLD_STOPPED, ERR_CONFLICT, "Failed", "FAILED", "ACTION_REQUIRED"},
        {PIPE_CUTTING_OVER, HOLD_NONE, ERR_NONE, "Running", "COMPLETING", "PENDING"},
        {PIPE_DONE, HOLD_NONE, ERR_NONE, "Succeeded", "COMPLETE", "COMPLETE"},
        {PIPE_UNDOING, HOLD_NONE, ERR_NONE, "Running", "CANCELLING", "PENDING"},
        {PIPE_CANCELLED, HOLD_NONE, ERR_NONE, "Canceled", "CANCELLED", "PENDING"},
        {PIPE_FAILED, HOLD_NONE, ERR_PREREQUISITE, "FailedInputValidation", "FAILED", "FAILED"},
        {PIPE_FAILED, HOLD_NONE, ERR_SERVER, "Failed", "FAILED", "FAILED"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct migration m;
        make_migration(&m);
        m.pipelines[0].state = cases[i].state;
        m.pipelines[0].hold = cases[i].hold;
        if (cases[i].error)
            err_set(&m.pipelines[0].error, cases[i].error, "x");
        cJSON *status = status_json(&m);
        CHECK_STR(json_str(json_get(status, "properties"), "state"), cases[i].task);
        CHECK_STR(json_str(find_output(status, "DatabaseLevelOutput"), "migrationState"),
                  cases[i].migration);
        CHECK_STR(json_str(find_output(status, "MigrationLevelOutput"), "state"), cases[i].level);
        cJSON_Delete(status);
        migration_release(&m);
    }
}

static void test_delta(void)
{
    struct migration m;

    make_migration(&m);
    struct pipeline *p = &m.pipelines[0];
    table_touch(&m, p, p->by_size[0]);
    uint64_t seen = m.version;
    cJSON *delta = status_delta(&m, seen, 0, true);
    CHECK_INT(cJSON_GetArraySize(json_get(delta, "output")), 1); /* the migration's own, always */
    cJSON_Delete(delta);
    table_touch(&m, p, p->by_size[0]);
    migration_event(&m, "info", "one %d", 1);
    delta = status_delta(&m, seen, 0, true);
    CHECK_INT(cJSON_GetArraySize(json_get(delta, "output")), 3);
    CHECK_STR(json_str(cJSON_GetArrayItem(json_get(delta, "events"), 0), "text"), "one 1");
    cJSON_Delete(delta);
    for (int i = 0; i < EVENT_COUNT + 10; i++)
        migration_event(&m, "info", "many %d", i);
    delta = status_delta(&m, seen, 0, true);
    CHECK_INT(cJSON_GetArraySize(json_get(delta, "events")), EVENT_COUNT);
    CHECK_STR(json_str(cJSON_GetArrayItem(json_get(delta, "events"), 0), "text"), "many 10");
    cJSON_Delete(delta);
    migration_release(&m);
}

/* What is stored table by table is what would be made at once. */
static void test_store(void)
{
    struct migration m;
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    char *path = in_dir("status.json");

    make_migration(&m);
    CHECK_TRUE(status_store(&m, path, &err));
    CHECK_TRUE(file_read(path, &text, &err));
    cJSON *status = status_json(&m);
    char *want = json_pretty_sorted(status);
    CHECK_STR(text.data, want);
    free(want);
    cJSON_Delete(status);
    m.pipelines[0].table_count = 0; /* nothing between the other objects and the end */
    CHECK_TRUE(status_store(&m, path, &err));
    buf_clear(&text);
    CHECK_TRUE(file_read(path, &text, &err));
    status = cJSON_Parse(text.data);
    CHECK_INT(cJSON_GetArraySize(json_get(json_get(status, "properties"), "output")), 2);
    m.pipelines[0].table_count = 1;
    cJSON_Delete(status);
    buf_release(&text);
    free(path);
    migration_release(&m);
}

static void test_parts(void)
{
    struct migration m;
    uint64_t cursor = 0;

    make_migration(&m);
    for (int i = 0; i < 4; i++) {
        char oid[8];
        snprintf(oid, sizeof oid, "%d", 100 + i);
        struct table *t = pipeline_add_table(&m.pipelines[0], oid);
        t->schema = xstrdup("s");
        t->name = xstrdup(oid);
        t->target_schema = xstrdup("s");
        t->target_name = xstrdup(oid);
    }
    pipeline_sort_tables(&m.pipelines[0]);
    int want[] = {2, 2, 1};
    for (int i = 0; i < 3; i++) {
        cJSON *part = status_part(&m, &cursor, 2);
        CHECK_INT(cJSON_GetArraySize(part), want[i]);
        CHECK_STR(json_str(cJSON_GetArrayItem(part, 0), "resultType"), "TableLevelOutput");
        cJSON_Delete(part);
    }
    CHECK_TRUE(!status_part(&m, &cursor, 2));
    cJSON *frame = status_frame(&m);
    CHECK_TRUE(!find_output(frame, "TableLevelOutput"));
    CHECK_TRUE(find_output(frame, "DatabaseLevelOutput") != NULL);
    cJSON_Delete(frame);
    migration_release(&m);
}

static void test_state_names(void)
{
    for (int i = 0; i < PIPE_STATE_COUNT; i++) {
        enum pipeline_state state = PIPE_STATE_COUNT;
        CHECK_TRUE(pipeline_state_name((enum pipeline_state)i) != NULL);
        CHECK_TRUE(pipeline_state_parse(pipeline_state_name((enum pipeline_state)i), &state));
        CHECK_INT(state, i);
    }
    char *text = pipeline_transitions_text();
    CHECK_CONTAINS(text, "loading -> catching up: every table is loaded and indexed\n");
    CHECK_CONTAINS(text, "cutting over -> closing:");
    free(text);
}

/* --- identity on disk --- */

static void test_names(void)
{
    struct migration m;
    struct err err = ERR_INIT;

    CHECK_TRUE(!engine_load(&m, dir, "absent", &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK_CONTAINS(err.message, "there is no migration \"absent\"");
    CHECK_TRUE(!engine_load(&m, dir, "../x", &err));
    CHECK_INT(err.code, ERR_NOT_FOUND);
    CHECK_TRUE(!engine_is_running(dir, "absent"));
    err_clear(&err);
}

static void check_setting(const char *statement, const char *want_name, const char *want_value)
{
    char *name, *value;
    bool is_one = fix_setting_parse(statement, &name, &value);

    CHECK_TRUE(is_one == (want_name != NULL));
    CHECK_STR(name ? name : "none", want_name ? want_name : "none");
    CHECK_STR(value ? value : "none", want_value);
    free(name);
    free(value);
}

static void test_fix_setting(void)
{
    check_setting("ALTER SYSTEM SET max_wal_size = '16GB'; -- why", "max_wal_size", "16GB");
    check_setting("ALTER SYSTEM SET old_snapshot_threshold = -1;", "old_snapshot_threshold", "-1");
    check_setting("ALTER SYSTEM SET a.b = 'it''s; = 1';", "a.b", "it's; = 1");
    check_setting("ALTER SYSTEM SET a = '';", "a", "");
    check_setting("ALTER SYSTEM SET a = E'b\\\\c';", "a", "E'b\\\\c'"); /* compared with nothing that is equal */
    check_setting("ALTER SYSTEM RESET a;", "a", "none");
    check_setting("ALTER ROLE a SET b = 'c';", NULL, "none");
}

/* What df says, of file systems with blanks in their names too; and when it is too little. */
static void test_disk(void)
{
    struct disk_free disk;
    struct check_measured measured = {.known = true, .copy_bps = 1 << 20, .wal_bps = 1 << 20};
    char severity = 0;

    CHECK_TRUE(disk_free_parse("Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/sda1 100 50 40 56% /\nnas: a b 100 50 7 93% /wal 5%\n", &disk));
    CHECK_TRUE(disk.data == 40 * 1024 && disk.wal == 7 * 1024);
    CHECK_TRUE(!disk_free_parse("", &disk) && !disk_free_parse("Filesystem\nx 1 2 3 - /\n", &disk) && disk.data == -1);
    disk = (struct disk_free){.data = INT64_C(12) << 30, .wal = INT64_C(10) << 30};
    CHECK_TRUE(!disk_judge_target(&disk, INT64_C(9) << 30, false, &severity));
    char *text = disk_judge_target(&disk, INT64_C(10) << 30, false, &severity);
    CHECK_STR(text, "the data directory's disk has 12.0 GB free; the tables take about 12.5 GB there, indexes and WAL more");
    CHECK_INT(severity, FINDING_FAIL);
    free(text);
    free(disk_judge_target(&disk, INT64_C(10) << 30, true, &severity));
    CHECK_INT(severity, FINDING_WARN);
    disk.data = INT64_C(13) << 30;
    free(disk_judge_target(&disk, INT64_C(10) << 30, false, &severity));
    CHECK_INT(severity, FINDING_INFO);
    text = disk_judge_source(&disk, &measured, INT64_C(5) << 30, &severity);
    CHECK_STR(text, "the WAL directory's disk has 10.0 GB free; at 1.0 MB of WAL a second, as now, a slot fills it in 2:50:40, and the load takes about 1:25:20");
    CHECK_INT(severity, FINDING_WARN);
    free(text);
    CHECK_TRUE(!disk_judge_source(&disk, &measured, (INT64_C(5) << 30) - (2 << 20), &severity));
    measured.wal_bps = 0;
    CHECK_TRUE(!disk_judge_source(&disk, &measured, INT64_C(500) << 30, &severity));
    CHECK_INT(ahead_copy_us(&measured, 8 << 20, 4), 2000000);
}

static cJSON *fix_entry(const char *id)
{
    cJSON *entry = cJSON_CreateObject();

    json_add_str(entry, "id", id);
    return entry;
}

/* Numbers are not given twice while entries stand, and with the last of them the file and its directory go. */
static void test_fix_store(void)
{
    struct err err = ERR_INIT;
    char *file = xasprintf("%s/.fixes/shop.json", dir), *place = xasprintf("%s/.fixes", dir);
    int first = 0, second = 0, third = 0;

    CHECK_TRUE(fix_store_is_empty(dir, "shop"));
    CHECK_TRUE(fix_store_add(dir, "shop", fix_entry("a"), &first, &err) && fix_store_add(dir, "shop", fix_entry("b"), &second, &err));
    CHECK_TRUE(!fix_store_is_empty(dir, "shop") && fix_store_is_empty(dir, "sho"));
    CHECK_TRUE(fix_store_remove(dir, "shop", first, &err) && fix_store_add(dir, "shop", fix_entry("c"), &third, &err));
    CHECK_TRUE(first != second && third != second);
    cJSON *entries = fix_store_read(dir, "shop", &err);
    CHECK_INT(cJSON_GetArraySize(entries), 2);
    CHECK_STR(json_str(cJSON_GetArrayItem(entries, 0), "id"), "b");
    cJSON_Delete(entries);
    CHECK_TRUE(fix_store_remove(dir, "shop", second, &err) && fix_store_remove(dir, "shop", third, &err) && !file_exists(place));
    CHECK_TRUE(dir_make_private(place, &err) && file_replace(file, "{", 1, &err) && !fix_store_read(dir, "shop", &err));
    CHECK_INT(err.code, ERR_PROTOCOL);
    CHECK_TRUE(!fix_store_add(dir, "shop", fix_entry("d"), &first, &err));
    CHECK_TRUE(dir_remove(place, NULL));
    err_clear(&err);
    free(file);
    free(place);
}

static bool confirmed(const struct migration *m, const char *text, struct err *err)
{
    cJSON *request = cJSON_Parse(text);
    bool ok = supervisor_is_confirmed(m, request, err);

    cJSON_Delete(request);
    return ok;
}

/* The word that was typed is the name of the target's database, of the one that is meant. */
static void test_confirmed(void)
{
    struct pipeline pipelines[2] = {{.name = (char *)"a", .target_name = (char *)"a2"}, {.name = (char *)"b", .target_name = (char *)"b2"}};
    struct migration m = {.pipelines = pipelines, .pipeline_count = 2};
    struct err err = ERR_INIT;

    CHECK_TRUE(confirmed(&m, "{}", &err)); /* a command of the shell */
    CHECK_TRUE(confirmed(&m, "{\"databaseName\": \"b\", \"confirm\": \"b2\"}", &err));
    CHECK_TRUE(!confirmed(&m, "{\"databaseName\": \"b\", \"confirm\": \"a2\"}", &err));
    CHECK_CONTAINS(err.message, "\"a2\" is not the name");
    err_clear(&err);
    CHECK_TRUE(!confirmed(&m, "{\"databaseName\": \"a\", \"confirm\": \"\"}", &err));
    err_clear(&err);
}

/* No step of the cutover is without its word of what it does, in its order; what is not wanted is left out. */
static void test_outline(void)
{
    static const char *const variants[] = {"", ", \"cutover\": {\"fallback\": true, \"stopWrites\": \"operator\", \"hooks\": {\"before\": \"b\", \"after\": \"a\"}, "
                                               "\"maxDowntime\": \"9s\", \"pgbouncer\": {\"uri\": \"host=b\"}}, \"schema\": {\"mode\": \"existing\", \"foreignKeys\": \"disable\"}",
                                           ", \"sync\": {\"mode\": \"load-only\"}",
                                           ", \"cutover\": {\"stopWrites\": \"lock\"}"};
    static const size_t counts[] = {14, 23, 6, 15};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        struct plan plan;
        char *text = xasprintf("{\"name\": \"p\", \"source\": {\"uri\": \"host=a dbname=x\"}, \"target\": {\"uri\": \"host=b\"}%s}", variants[i]);
        const cJSON *item;
        CHECK_TRUE(plan_parse(&plan, text, "p.json", &err));
        cJSON *list = cutover_outline(&plan);
        CHECK_INT(cJSON_GetArraySize(list), counts[i]);
        bool final = false;
        cJSON_ArrayForEach(item, list)
        {
            CHECK_TRUE(json_str(item, "does") != NULL);
            if (strcmp(json_str(item, "name"), "stop writes") == 0)
                CHECK_INT(json_bool(item, "byOperator", false), i == 1);
            CHECK_TRUE(json_bool(item, "final", false) || !final); /* nothing comes back from behind */
            final = json_bool(item, "final", false);
        }
        CHECK_TRUE(final);
        cJSON_Delete(list);
        plan_release(&plan);
        free(text);
    }
    err_clear(&err);
}

int main(void)
{
    static const struct unit_test tests[] = {
        {"journal", test_journal},
        {"a torn journal", test_journal_torn},
        {"slot names", test_slot_name},
        {"order of comparing", test_verify_order}, {"lag", test_lag}, {"lag: cause", test_lag_cause}, {"slot: runway", test_runway},
        {"READY_TO_COMPLETE", test_ready},
        {"status keys", test_status},
        {"numbers of the load add up", test_load_numbers},
        {"status states", test_states},
        {"deltas", test_delta},
        {"status: stored", test_store},
        {"status: in parts", test_parts},
        {"state names", test_state_names},
        {"names", test_names},
        {"the disks of the servers", test_disk},
        {"fixes: settings", test_fix_setting},
        {"fixes: the store", test_fix_store},
        {"outline", test_outline}, {"confirmed", test_confirmed}, {NULL, NULL},
    };
    strcpy(dir, "/tmp/pgc-unit.XXXXXX");
    if (!mkdtemp(dir))
        return 1;
    int status = unit_main("engine", tests);
    dir_remove(dir, NULL);
    return status;
}
