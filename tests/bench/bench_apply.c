/* How fast changes are applied, and in how much memory: the applier fed with made-up changes of a table of ten
 * columns. Needs only a target: bench_apply [rows [rows a transaction [lanes]]] with $PGC_TEST_TARGET, an empty database.
 * A million rows in one transaction: tests/servers/with-servers ./bench_apply 1000000 1000000. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "cdc/apply.h"
#include "sql/sql.h"

#define RELATION 1
#define COLUMNS 10

static struct conn target, writers[APPLIER_LANES_MAX];
#define writer writers[0]
static struct applier *applier;
static lsn_t lsn = 1000;

static void give_up(struct err *err)
{
    char *text = err_text(err);

    fprintf(stderr, "%s\n", text);
    exit(1);
}

static void run(const char *sql)
{
    struct err err = ERR_INIT;

    if (!conn_command(&target, sql, &err))
        give_up(&err);
}

static void open_conn(struct conn *c, const struct conninfo *info, enum conn_profile profile)
{
    struct conn_options options = {.side = SIDE_TARGET, .profile = profile, .role = "bench"};
    struct err err = ERR_INIT;

    if (!conn_open(c, info, &options, &err))
        give_up(&err);
}

static void feed(const struct change *change)
{
    struct err err = ERR_INIT;

    if (!applier_change(applier, change, &err))
        give_up(&err);
}

static void relation(void)
{
    static char *names[COLUMNS] = {"id", "a", "b", "c", "d", "e", "f", "g", "h", "i"};
    static const uint32_t types[COLUMNS] = {20, 23, 20, 25, 1184, 701, 25, 16, 1700, 1082};
    struct relation_column columns[COLUMNS];

    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (struct relation_column){i == 0, names[i], types[i], -1};
    struct change change = {.kind = CHANGE_RELATION, .relation = RELATION, .schema = "public", .name = "t",
                            .identity = 'd', .columns = columns, .column_count = COLUMNS};
    feed(&change);
}

static void border(enum change_kind kind)
{
    feed(&(struct change){.kind = kind, .commit_lsn = lsn, .end_lsn = lsn + 40, .commit_us = clock_wall_us(), .xid = 5});
    lsn += kind == CHANGE_COMMIT ? 40 : 0;
}

static void row(enum change_kind kind, int64_t id, int version)
{
    char texts[COLUMNS][64];
    struct value values[COLUMNS];

    snprintf(texts[0], 64, "%" PRId64, id);
    snprintf(texts[1], 64, "%d", version);
    snprintf(texts[2], 64, "%" PRId64, id * 7919);
    snprintf(texts[3], 64, "customer number %" PRId64, id);
    snprintf(texts[4], 64, "2024-02-29 12:34:56.%06" PRId64 "+00", id % 1000000);
    snprintf(texts[5], 64, "%" PRId64 ".25", id);
    snprintf(texts[6], 64, "some more text that is a little longer");
    snprintf(texts[7], 64, "t");
    snprintf(texts[8], 64, "%" PRId64 ".99", id % 10000);
    snprintf(texts[9], 64, "2024-02-29");
    for (int i = 0; i < COLUMNS; i++)
        values[i] = (struct value){VALUE_TEXT, (uint32_t)strlen(texts[i]), texts[i]};
    struct tuple tuple = {values, COLUMNS, COLUMNS};
    feed(&(struct change){.kind = kind, .relation = RELATION, .has_old = kind == CHANGE_DELETE,
                          .old_is_key = true, .old_tuple = tuple, .new_tuple = tuple});
}

/* CPU seconds of the applier's backend so far (Linux, superuser). */
static double backend_seconds(void)
{
    char *sql = xasprintf("SELECT (s[14]::numeric + s[15]::numeric) / 100 FROM "
                          "string_to_array(pg_read_file('/proc/%d/stat'), ' ') s", PQbackendPID(writer.pg));
    char *value = NULL;

    conn_scalar(&target, sql, 0, NULL, &value, NULL);
    double seconds = value ? atof(value) : 0;
    free(value);
    free(sql);
    return seconds;
}

static void phase(const char *name, enum change_kind kind, int64_t rows, int64_t per_transaction)
{
    struct err err = ERR_INIT;
    struct rusage usage;
    int64_t start = clock_wall_us();
    double backend = backend_seconds();

    for (int64_t i = 0; i < rows; i++) {
        if (i % per_transaction == 0)
            border(CHANGE_BEGIN);
        row(kind, i, kind == CHANGE_UPDATE);
        if (i % per_transaction == per_transaction - 1 || i == rows - 1)
            border(CHANGE_COMMIT);
    }
    if (!applier_flush(applier, &err))
        give_up(&err);
    double seconds = (double)(clock_wall_us() - start) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    printf("%s: %" PRId64 " rows, %" PRId64 " a transaction: %.2f s, %.0f a second; backend's CPU %.2f s, own so far %.2f s, "
           "at most %ld kB\n",
           name, rows, per_transaction, seconds, (double)rows / seconds, backend_seconds() - backend,
           (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
               (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6, usage.ru_maxrss);
}

int main(int argc, char **argv)
{
    int64_t rows = argc > 1 ? atoll(argv[1]) : 200000;
    int64_t per_transaction = argc > 2 ? atoll(argv[2]) : 1000;
    struct applier_options options = {.start_lsn = 1000};
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;

    if (!conninfo_parse(&info, getenv("PGC_TEST_TARGET"), &err))
        give_up(&err);
    open_conn(&target, &info, CONN_PLAIN);
    run(sql_state_create);
    run("INSERT INTO pgcutover.migration VALUES ('bench', 'b', '1', 't', 's', 'p');"
        "CREATE TABLE public.t (id int8 PRIMARY KEY, a int4, b int8, c text, d timestamptz, e float8, f text, g bool, h numeric, i date);"
        "INSERT INTO pgcutover.tables (source_oid, source_schema, source_table, target_schema, target_table, mode, epoch_lsn, loaded) "
        "VALUES (1, 'public', 't', 'public', 't', 'sync', '0/0', true)");
    options.lanes = argc > 3 ? atoi(argv[3]) : 1;
    for (int i = 0; i < options.lanes; i++)
        open_conn(&writers[i], &info, CONN_WRITER);
    if (!(applier = applier_open(writers, &options, &err)))
        give_up(&err);
    relation();
    phase("insert", CHANGE_INSERT, rows, per_transaction);
    phase("update", CHANGE_UPDATE, rows, per_transaction);
    phase("delete", CHANGE_DELETE, rows, per_transaction);
    applier_close(applier);
    for (int i = 0; i < options.lanes; i++)
        conn_close(&writers[i]);
    conn_close(&target);
    conninfo_release(&info);
    return 0;
}
