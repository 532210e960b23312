/* Each check on a fixture that has the fault, and all of them on databases that have none.
 *
 *   test_check_servers                                   on $PGC_TEST_SOURCE and $PGC_TEST_TARGET
 *   test_check_servers SOURCE TARGET [TARGET_DATABASE]   prints "F source wal-level message" lines; what
 *                                                        needs a cluster of its own is tested with it */
#include "base/buf.h"
#include "base/clock.h"
#include "check/check.h"
#include "pair.h"

#define EXPECTED 16

struct expectation {
    const char *id;
    enum conn_side side;
    char severity;
    const char *message; /* a part of it; NULL: the finding must not be there */
    const char *fix;     /* a part of it, or NULL */
    int min_version;     /* of the source; before, nothing is expected */
};

struct fixture {
    int min_version;
    int max_version;        /* the first it is not for; 0: any */
    const char *name;
    const char *source_sql; /* run by the superuser in a new database of each side */
    const char *target_sql;
    const char *target_options; /* of CREATE DATABASE */
    const char *user;       /* whom the checks run as, NULL: postgres */
    void (*change)(struct check_context *context, struct plan *plan, struct plan_database *database);
    const char *held_sql;   /* run on another connection to the source that stays open */
    const char *held_target_sql; /* the same on the target */
    const char *cleanup;    /* on the source, before its database is dropped */
    bool no_target_database;
    bool same_server;
    int pretended_target;   /* version that the checks are told, 0: its own */
    struct expectation expected[EXPECTED];
};

static const char *source_uri, *target_uri;

/* --- connections --- */

static bool try_connect(struct conn *c, const char *uri, enum conn_side side, const char *user,
                        const char *dbname, struct conninfo *info, struct err *err)
{
    struct conn_options options = {.side = side, .profile = CONN_PLAIN, .role = "check"};

    if (!conninfo_parse(info, uri, err))
        return false;
    if (user)
        conninfo_set(info, "user", user);
    if (dbname)
        conninfo_set(info, "dbname", dbname);
    return conn_open(c, info, &options, err);
}

static void die(const struct err *err)
{
    char *text = err_text(err);
    fprintf(stderr, "%s\n", text);
    free(text);
    exit(EXIT_FAILURE);
}

static void connect_to(struct conn *c, const char *uri, enum conn_side side, const char *user,
                       const char *dbname)
{
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;

    if (!try_connect(c, uri, side, user, dbname, &info, &err))
        die(&err);
    conninfo_release(&info);
}

static void run(struct conn *c, const char *sql)
{
    struct err err = ERR_INIT;

    char *text = sql ? pair_text(c->version, sql) : NULL;
    if (text && !conn_command(c, text, &err))
        die(&err);
    free(text);
}

static void run_in(const char *uri, const char *dbname, const char *sql)
{
    struct conn c = CONN_INIT;

    if (!sql)
        return;
    connect_to(&c, uri, SIDE_SOURCE, NULL, dbname);
    run(&c, sql);
    conn_close(&c);
}

static int source_version(void)
{
    struct conn c = CONN_INIT;

    connect_to(&c, source_uri, SIDE_SOURCE, NULL, "postgres");
    int version = c.version;
    conn_close(&c);
    return version;
}

/* --- one run of the checks --- */

struct bench {
    struct conn source, target;
    struct conninfo source_info, target_info;
    struct catalog source_catalog, target_catalog;
    struct table_list tables;
    struct plan plan;
    struct plan_database database;
    struct check_context context;
    struct findings findings;
    int pretended_target;
};

static void bench_connect(struct bench *b, const char *user, const char *source_db,
                          const char *target_db)
{
    struct err err = ERR_INIT;

    if (!try_connect(&b->source, source_uri, SIDE_SOURCE, user, source_db, &b->source_info, &err) ||
        !try_connect(&b->target, target_uri, SIDE_TARGET, user, target_db, &b->target_info, &err))
        die(&err);
}

static void bench_plan(struct bench *b)
{
    b->database = (struct plan_database){.name = "c_src", .target_name = "c_dst"};
    b->plan = (struct plan){.databases = &b->database, .database_count = 1, .load_jobs = 4};
    b->context = (struct check_context){
        .source = &b->source,
        .target = &b->target,
        .source_info = &b->source_info,
        .plan = &b->plan,
        .database = &b->database,
        .source_catalog = &b->source_catalog,
        .target_catalog = &b->target_catalog,
        .tables = &b->tables,
    };
}

static void bench_run(struct bench *b)
{
    struct err err = ERR_INIT;

    if (!catalog_load(&b->source, &b->source_catalog, &err) ||
        !catalog_load(&b->target, &b->target_catalog, &err) ||
        !catalog_select(&b->source_catalog, &b->database, &b->tables, &err))
        die(&err);
    if (b->pretended_target)
        b->target.version = b->pretended_target;
    if (!checks_run(&b->context, &b->findings, &err))
        die(&err);
}

static void bench_release(struct bench *b)
{
    findings_release(&b->findings);
    table_list_release(&b->tables);
    catalog_release(&b->source_catalog);
    catalog_release(&b->target_catalog);
    conn_close(&b->source);
    conn_close(&b->target);
    conninfo_release(&b->source_info);
    conninfo_release(&b->target_info);
}

/* --- fixtures --- */

static void keyless_full(struct check_context *context, struct plan *plan,
                         struct plan_database *database)
{
    (void)context;
    (void)plan;
    database->keyless = KEYLESS_FULL;
}

static void keyless_at_cutover(struct check_context *context, struct plan *plan,
                               struct plan_database *database)
{
    (void)context;
    (void)plan;
    database->keyless = KEYLESS_AT_CUTOVER;
}

static void measure_small(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    (void)plan;
    (void)database;
    context->sample_bytes = 1;
}

/* 1 MB a second of WAL, and loads that take longer than the limit lasts. */
static void much_wal(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    static struct check_measured measured;

    (void)database;
    measured = (struct check_measured){.known = true, .copy_bps = 1, .wal_bps = 1 << 20};
    context->measured = &measured;
    plan->source_slot_wal_bytes = INT64_C(1) << 30;
}

static void little_wal(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    much_wal(context, plan, database);
    context->measured->wal_bps = 0.1;
}

static void deep(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    (void)plan;
    (void)database;
    context->deep = true;
    context->big_value_bytes = 100000;
}

static void with_fallback(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->fallback = true;
}

static void with_roles(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->schema_roles = true;
}

static void load_only(struct check_context *context, struct plan *plan,
                      struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->sync_mode = SYNC_LOAD_ONLY;
}

static void pick_orders(struct check_context *context, struct plan *plan,
                        struct plan_database *database)
{
    static char *selected[] = {"public.orders", "public.lines"};

    (void)context;
    (void)plan;
    database->selected = selected;
    database->selected_count = 2;
}

static void existing(struct check_context *context, struct plan *plan,
                     struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->schema_mode = SCHEMA_EXISTING;
}

static void existing_truncate(struct check_context *context, struct plan *plan,
                              struct plan_database *database)
{
    existing(context, plan, database);
    plan->load_prepare = PREPARE_TRUNCATE;
}

static void rebuild(struct check_context *context, struct plan *plan, struct plan_database *database)
{
    existing(context, plan, database);
    plan->schema_indexes = INDEXES_REBUILD;
}

static void old_target(struct check_context *context, struct plan *plan,
                       struct plan_database *database)
{
    (void)plan;
    (void)database;
    context->target->version = context->source->version - 10000;
}

static void source_of_10(struct check_context *context, struct plan *plan,
                         struct plan_database *database)
{
    (void)plan;
    (void)database;
    context->source->version = 100023;
}

static void many_jobs(struct check_context *context, struct plan *plan,
                      struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->load_jobs = 200;
}

static void impatient(struct check_context *context, struct plan *plan,
                      struct plan_database *database)
{
    (void)plan;
    (void)database;
    context->long_transaction_s = 1;
}

static void operator_stops(struct check_context *context, struct plan *plan,
                           struct plan_database *database)
{
    (void)context;
    (void)database;
    plan->stop_writes = STOP_OPERATOR;
}

static void fails_fk(struct check_context *context, struct plan *plan,
                     struct plan_database *database)
{
    static char *excluded[] = {"public.m_2"};

    (void)context;
    (void)plan;
    database->excluded = excluded;
    database->excluded_count = 1;
}

#define KEYED "CREATE TABLE public.keyed (id int PRIMARY KEY, v text);"
#define KEYLESS                                                                                   \
    "CREATE TABLE public.log (v text);"                                                          \
    "CREATE TABLE public.late (id int PRIMARY KEY DEFERRABLE);"                                  \
    "CREATE TABLE public.nearly (id int NOT NULL UNIQUE);"
#define ORDERS                                                                                    \
    "CREATE TABLE public.customer (id int PRIMARY KEY);"                                         \
    "CREATE TABLE public.orders (id int PRIMARY KEY, c int CONSTRAINT orders_c REFERENCES public.customer);" \
    "CREATE TABLE public.lines (id int PRIMARY KEY, o int CONSTRAINT lines_o REFERENCES public.orders);"
#define PARTS                                                                                     \
    "CREATE TABLE public.m (id int PRIMARY KEY) PARTITION BY RANGE (id);"                        \
    "CREATE TABLE public.m_1 PARTITION OF public.m FOR VALUES FROM (0) TO (10);"                 \
    "CREATE TABLE public.m_2 PARTITION OF public.m FOR VALUES FROM (10) TO (20);"                \
    "CREATE TABLE public.ref (id int PRIMARY KEY, m int CONSTRAINT ref_m REFERENCES public.m);"
#define S SIDE_SOURCE
#define T SIDE_TARGET

static const struct fixture fixtures[] = {
    {.name = "keyless tables", .source_sql = KEYED KEYLESS,
     .expected = {{"no-ri", S, 'F', "public.late, public.log, public.nearly",
                   "ALTER TABLE public.nearly REPLICA IDENTITY USING INDEX nearly_id_key;"}}},
    {.name = "keyless tables to be FULL", .source_sql = KEYLESS, .change = keyless_full,
     .expected = {{"no-ri", S, 'I', "get REPLICA IDENTITY FULL", NULL}}},
    {.name = "keyless tables at cutover", .source_sql = KEYLESS, .change = keyless_at_cutover,
     .expected = {{"no-ri", S, 'I', "copied, inside the freeze", NULL}}},
    {.name = "keyless tables, load only", .source_sql = KEYLESS, .change = load_only,
     .expected = {{"no-ri", S, 'F', NULL, NULL}}},
    {.name = "kinds of tables", .min_version = 120000,
     .source_sql = KEYED "CREATE TABLE public.\"Full\" (v text); ALTER TABLE public.\"Full\" REPLICA IDENTITY FULL;"
                   "CREATE UNLOGGED TABLE public.fast (id int PRIMARY KEY);"
                   "CREATE TABLE public.ident (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);"
                   "CREATE TABLE public.gen (a int, id int GENERATED ALWAYS AS (a + 1) STORED PRIMARY KEY);"
                   "CREATE MATERIALIZED VIEW public.mv AS SELECT 1 AS x;"
                   "SELECT pg_catalog.lo_create(0), pg_catalog.lo_create(0);" PARTS
                   "CREATE EXTENSION file_fdw SCHEMA public; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
                   "CREATE FOREIGN TABLE public.remote (v text) SERVER files OPTIONS (filename '/dev/null');",
     .expected = {{"ri-full", S, 'W', "public.\"Full\"", "ALTER TABLE \"public\".\"Full\" REPLICA IDENTITY DEFAULT"},
                  {"unlogged", S, 'I', "public.fast", NULL},
                  {"identity-always", S, 'I', "public.ident (id)", NULL},
                  {"generated-key", S, 'F', "public.gen (id)", NULL},
                  {"matviews", S, 'I', "public.mv", NULL},
                  {"large-objects", S, 'I', "holds 2 large objects", NULL},
                  {"partitioned", S, 'I', "public.m (2)", NULL},
                  {"foreign-tables", S, 'W', "public.remote", NULL},
                  {"fk-outside", S, 'F', NULL, NULL},
                  {"no-ri", S, 'F', NULL, NULL}}},
    {.name = "triggers",
     .source_sql = KEYED "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
                   "CREATE TRIGGER plain BEFORE INSERT ON public.keyed FOR EACH ROW EXECUTE PROCEDURE public.f();"
                   "CREATE TRIGGER audit BEFORE INSERT ON public.keyed FOR EACH ROW EXECUTE PROCEDURE public.f();"
                   "ALTER TABLE public.keyed ENABLE ALWAYS TRIGGER audit;"
                   "CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
                   "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE PROCEDURE public.e();",
     .target_sql = "CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
                   "CREATE EVENT TRIGGER guard ON ddl_command_end EXECUTE PROCEDURE public.e();",
     .expected = {{"trg-always", S, 'I', ": audit on public.keyed (ENABLE ALWAYS)", NULL},
                  {"event-triggers", S, 'I', "\"watch\" on ddl_command_end", NULL},
                  {"event-triggers", T, 'I', "\"guard\" on ddl_command_end", NULL}}},
    {.name = "foreign keys", .source_sql = ORDERS, .change = pick_orders,
     .expected = {{"fk-outside", S, 'F', ": \"orders_c\" of public.orders refers to public.customer",
                   "Add \"public.customer\" to selectedTables."}}},
    {.name = "foreign keys within", .source_sql = ORDERS,
     .expected = {{"fk-outside", S, 'F', NULL, NULL}}},
    {.name = "foreign keys to a partitioned table that is not whole", .min_version = 120000, .source_sql = PARTS,
     .change = fails_fk,
     .expected = {{"fk-outside", S, 'F', "\"ref_m\" of public.ref refers to public.m,", NULL}}},
    {.name = "extensions",
     .source_sql = KEYED "CREATE EXTENSION citext SCHEMA public; CREATE TABLE public.conf (id int PRIMARY KEY);"
                   "ALTER EXTENSION citext ADD TABLE public.conf;"
                   "UPDATE pg_catalog.pg_extension SET extname = 'no\"such', extconfig = ARRAY['public.conf'::pg_catalog.regclass::oid]"
                   " WHERE extname = 'citext';",
     .expected = {{"ext-list", T, 'F', ": \"no\"\"such\"", "CREATE EXTENSION \"no\"\"such\""},
                  {"ext-config", S, 'W', "public.conf of extension", NULL}}},
    {.name = "extensions that are there", .source_sql = KEYED "CREATE EXTENSION citext SCHEMA public;",
     .expected = {{"ext-list", T, 'F', NULL, NULL}, {"ext-config", S, 'W', NULL, NULL}}},
    {.name = "a plain role", .user = "plain",
     .source_sql = KEYED "CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY); CREATE SEQUENCE public.loose;"
                   "CREATE TABLE public.own (id int PRIMARY KEY); ALTER TABLE public.own OWNER TO plain;"
                   "CREATE TABLE public.secret (id int PRIMARY KEY); ALTER TABLE public.secret ENABLE ROW LEVEL SECURITY;"
                   "GRANT SELECT ON public.keyed, public.secret TO plain",
     .target_sql = "REVOKE CREATE ON DATABASE c_dst FROM PUBLIC",
     .expected = {{"select-priv", S, 'F', "cannot be read: hidden.t",
                   "GRANT USAGE ON SCHEMA \"hidden\" TO \"plain\"; GRANT SELECT ON \"hidden\".\"t\" TO \"plain\";"},
                  {"table-owner", S, 'F', "public.keyed, hidden.t, public.secret", "GRANT \"postgres\" TO \"plain\"", 100000},
                  {"rls", S, 'F', ": public.secret", "ALTER ROLE \"plain\" BYPASSRLS"},
                  {"repl-role", S, 'F', "role plain", "ALTER ROLE plain REPLICATION;"},
                  {"repl-conn", S, 'F', "could not connect", "ALTER ROLE \"plain\" REPLICATION;"},
                  {"slot-probe", S, 'F', NULL, NULL},
                  {"db-create", S, 'F', "database c_src", "GRANT CREATE ON DATABASE c_src TO plain;", 100000},
                  {"db-create", T, 'F', "database c_dst", NULL},
                  {"srr", T, 'F', "\"plain\"", "/*!15 GRANT SET ON PARAMETER session_replication_role TO \"plain\";*//*!-14 ALTER ROLE \"plain\" SUPERUSER;*/"},
                  {"k-owner", S, 'F', "database c_src belongs to postgres", "GRANT postgres TO plain;"},
                  {"k-signal", S, 'W', "role plain", "GRANT pg_signal_backend TO plain;"},
                  {"t-createdb", T, 'F', NULL, NULL}}},
    {.name = "a plain role, sequences", .user = "plain",
     .source_sql = "CREATE SEQUENCE public.loose;",
     .expected = {{"select-priv", S, 'F', "sequences that cannot be read: public.loose",
                   "GRANT SELECT ON SEQUENCE public.loose TO plain;"}}},
    {.name = "a plain role, writers stopped by others", .user = "plain", .source_sql = "SELECT 1",
     .change = operator_stops,
     .expected = {{"k-owner", S, 'F', NULL, NULL}, {"k-signal", S, 'W', NULL, NULL}}},
    {.name = "a plain role, no target database", .user = "plain", .source_sql = "SELECT 1",
     .no_target_database = true,
     .expected = {{"t-createdb", T, 'F', "role plain", "ALTER ROLE plain CREATEDB;"},
                  {"t-empty", T, 'F', NULL, NULL}, {"encoding", T, 'F', NULL, NULL}}},
    {.name = "an existing target that does not exist", .source_sql = KEYED,
     .no_target_database = true, .change = existing,
     .expected = {{"t-missing", T, 'F', "the target database does not exist", NULL},
                  {"t-createdb", T, 'F', NULL, NULL}}},
    {.name = "a check that is not allowed", .user = "plain",
     .source_sql = KEYED, .target_sql = KEYED, .change = existing,
     .expected = {{"t-empty", T, 'W', "could not be checked", NULL}}},
    {.name = "a target in use", .source_sql = KEYED,
     .target_sql = "CREATE TABLE public.theirs (id int); CREATE SEQUENCE public.count;",
     .expected = {{"t-empty", T, 'F', "not empty: public.theirs, public.count", "existing"}}},
    {.name = "an existing target", .min_version = 120000,
     .source_sql = KEYED "CREATE TABLE public.other (id int PRIMARY KEY); CREATE TABLE public.empty (id int PRIMARY KEY);" PARTS,
     .target_sql = KEYED "INSERT INTO public.keyed VALUES (1); CREATE TABLE public.empty (id int PRIMARY KEY);"
                   PARTS "INSERT INTO public.m VALUES (1);",
     .change = existing,
     .expected = {{"t-missing", T, 'F', ": public.other", NULL},
                  {"t-empty", T, 'F', "hold rows: public.keyed, public.m_1", "TRUNCATE \"public\".\"keyed\";"}}},
    {.name = "an existing target to be emptied", .source_sql = KEYED,
     .target_sql = KEYED "INSERT INTO public.keyed VALUES (1)", .change = existing_truncate,
     .expected = {{"t-missing", T, 'F', NULL, NULL}, {"t-empty", T, 'F', NULL, NULL}}},
    {.name = "another encoding", .source_sql = KEYED,
     .target_options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
     .expected = {{"encoding", T, 'F', "UTF8 on the source, SQL_ASCII on the target", "ENCODING 'UTF8'"}}},
    {.name = "one server twice", .source_sql = KEYED, .same_server = true,
     .expected = {{"same-cluster", T, 'F', "database \"c_src\" of the cluster", NULL}}},
    {.name = "an older target", .min_version = 110000, .source_sql = KEYED, .change = old_target,
     .expected = {{"version-order", S, 'F', ", the target is ", NULL}}},
    {.name = "a source of version 10", .min_version = 110000, .source_sql = KEYED, .change = source_of_10,
     .expected = {{"truncate-10", S, 'W', "does not send TRUNCATE", NULL},
                  {"version-order", S, 'F', NULL, NULL}}},
    {.name = "settings",
     .source_sql = KEYED "ALTER DATABASE c_src SET statement_timeout = '30s'; ALTER DATABASE c_src SET default_transaction_read_only = on",
     .target_sql = "ALTER DATABASE c_dst SET lock_timeout = '5s'; ALTER DATABASE c_dst SET default_transaction_read_only = on",
     .expected = {{"timeouts", S, 'I', "statement_timeout is 30000ms", NULL},
                  {"timeouts", T, 'I', "lock_timeout is 5000ms", NULL},
                  {"read-only", S, 'W', "default_transaction_read_only is on", NULL},
                  {"read-only", T, 'F', "default_transaction_read_only is on",
                   "ALTER DATABASE c_dst SET default_transaction_read_only = off;"}}},
    {.name = "the way is measured", .source_sql = KEYED "INSERT INTO public.keyed SELECT g, 'text' FROM pg_catalog.generate_series(2, 20000) AS g",
     .change = measure_small,
     .expected = {{"net", S, 'I', "public.keyed came with ", NULL}, {"runway", S, 'W', NULL, NULL}}},
    {.name = "a small database is not measured", .source_sql = KEYED, .expected = {{"net", S, 'I', NULL, NULL}, {"runway", S, 'W', NULL, NULL}}},
    {.name = "more WAL than its limit", .source_sql = KEYED, .change = much_wal,
     .expected = {{"runway", S, 'W', "it writes 1.0 MB of WAL a second now; a load of ", "load.jobs"},
                  {"runway", S, 'W', "limits.sourceSlotWal is 1.0 GB, reached after 17:04", NULL}}},
    {.name = "less WAL than its limit", .source_sql = KEYED, .change = little_wal, .expected = {{"runway", S, 'W', NULL, NULL}}},
    {.name = "large values", .change = deep,
     .source_sql = KEYED "CREATE TABLE public.big (id int PRIMARY KEY, \"The Value\" bytea, small text);"
                   "ALTER TABLE public.big ALTER \"The Value\" SET STORAGE EXTERNAL; INSERT INTO public.big VALUES (1, pg_catalog.decode(pg_catalog.repeat('ab', 200000), 'hex'), 'x')",
     .expected = {{"big-row", S, 'W', "public.big.The Value has one of 195", "excludedTables"}}},
    {.name = "no large values", .change = deep, .source_sql = KEYED "CREATE TABLE public.big (id int PRIMARY KEY, v bytea)",
     .expected = {{"big-row", S, 'W', NULL, NULL}}},
    {.name = "large values that nobody asks for",
     .source_sql = KEYED "CREATE TABLE public.big (id int PRIMARY KEY, v bytea); ALTER TABLE public.big ALTER v SET STORAGE EXTERNAL;"
                   "INSERT INTO public.big VALUES (1, pg_catalog.decode(pg_catalog.repeat('ab', 200000), 'hex'))",
     .expected = {{"big-row", S, 'W', NULL, NULL}, {"unique-probe", S, 'W', NULL, NULL}}},
    {.name = "an index in another order", .min_version = 100000, .change = deep,
     .source_sql = "CREATE EXTENSION amcheck SCHEMA public; CREATE TABLE public.words (w text COLLATE \"C\" PRIMARY KEY);"
                   "INSERT INTO public.words VALUES ('B'), ('a'), ('C'), ('d'), ('E');"
                   "UPDATE pg_catalog.pg_index SET indkey = indkey, indoption = '1' WHERE indexrelid = 'public.words_pkey'::pg_catalog.regclass",
     .expected = {{"unique-probe", S, 'W', "public.words_pkey (", "REINDEX INDEX public.words_pkey;"}}},
    {.name = "an index in its order", .min_version = 100000, .change = deep,
     .source_sql = "CREATE EXTENSION amcheck SCHEMA public; CREATE TABLE public.words (w text PRIMARY KEY); INSERT INTO public.words VALUES ('B'), ('a')",
     .expected = {{"unique-probe", S, 'W', NULL, NULL}, {"unique-probe", S, 'I', NULL, NULL}}},
    {.name = "no amcheck", .min_version = 100000, .change = deep, .source_sql = "CREATE TABLE public.words (w text PRIMARY KEY)",
     .expected = {{"unique-probe", S, 'I', "amcheck is not there", "CREATE EXTENSION amcheck;"}}},
    {.name = "a definition that is being changed", .source_sql = KEYED "CREATE VIEW public.shown AS SELECT id FROM public.keyed",
     .held_sql = "SET application_name = 'deploy'; BEGIN; DROP VIEW public.shown",
     .expected = {{"ddl-freeze", S, 'W', ": public.shown by process ", NULL}, {"ddl-freeze", S, 'W', "of postgres (deploy)", NULL}}},
    {.name = "none that is", .source_sql = KEYED, .held_sql = "BEGIN; LOCK TABLE public.keyed IN ACCESS SHARE MODE",
     .expected = {{"ddl-freeze", S, 'W', NULL, NULL}}},
    {.name = "a way back that is not ready", .user = "plain", .change = with_fallback, .source_sql = KEYED "GRANT SELECT ON public.keyed TO plain",
     .expected = {{"fallback-ready", S, 'W', "not write to: public.keyed", "GRANT INSERT, UPDATE, DELETE, TRUNCATE ON public.keyed TO plain;"},
                  {"fallback-ready", T, 'W', "role plain may not use replication", "ALTER ROLE plain REPLICATION;"}}},
    {.name = "a way back that is", .change = with_fallback, .source_sql = KEYED,
     .expected = {{"fallback-ready", S, 'W', NULL, NULL}, {"fallback-ready", T, 'W', NULL, NULL}}},
    {.name = "a way back that nobody wants", .user = "plain", .source_sql = KEYED,
     .expected = {{"fallback-ready", S, 'W', NULL, NULL}, {"fallback-ready", T, 'W', NULL, NULL}}},
    {.name = "passwords that are judged", .min_version = 90600, .source_sql = KEYED, .change = with_roles,
     .target_sql = "ALTER DATABASE c_dst SET credcheck.encrypted_password_allowed = 'off'",
     .expected = {{"t-policy", T, 'W', "credcheck.encrypted_password_allowed is off", "\"roles\": false"}}},
    {.name = "passwords that are not", .source_sql = KEYED, .change = with_roles, .expected = {{"t-policy", T, 'W', NULL, NULL}}},
    {.name = "few connections", .source_sql = KEYED, .change = many_jobs,
     .expected = {{"connections", S, 'W', "the server (max_connections) has 5", NULL},
                  {"connections", T, 'W', "the server (max_connections) has 5", NULL}}},
    {.name = "few connections of the role and the database", .user = "plain",
     .source_sql = "ALTER ROLE plain CONNECTION LIMIT 4; ALTER DATABASE c_src CONNECTION LIMIT 6",
     .cleanup = "ALTER ROLE plain CONNECTION LIMIT -1",
     .expected = {{"connections", S, 'W', "role plain (CONNECTION LIMIT) has 3 free, database c_src (CONNECTION LIMIT) has 5 free", NULL},
                  {"connections", T, 'W', NULL, NULL}}},
    {.name = "slots and leftovers", .min_version = 100000,
     .source_sql = KEYED "SELECT pg_catalog.pg_create_physical_replication_slot('idle_one', true);"
                   "CREATE PUBLICATION pgcutover_old; CREATE SCHEMA pgcutover;"
                   "CREATE SUBSCRIPTION feed CONNECTION 'dbname=nowhere' PUBLICATION x WITH (connect = false);",
     .target_sql = "CREATE SCHEMA pgcutover; CREATE TABLE pgcutover.migration (name text, source_database text);"
                   "INSERT INTO pgcutover.migration VALUES ('shop', 'olddb');"
                   "SELECT pg_catalog.pg_replication_origin_create('pgcutover_old')",
     .held_sql = "SELECT pg_catalog.pg_create_logical_replication_slot('pgcutover_old', 'pgoutput')",
     .cleanup = "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots;"
                "ALTER SUBSCRIPTION feed DISABLE; ALTER SUBSCRIPTION feed SET (slot_name = NONE); DROP SUBSCRIPTION feed",
     .expected = {{"idle-slots", S, 'W', "idle_one (physical) holds", "pg_drop_replication_slot('idle_one')"},
                  {"leftovers", S, 'W', "slot pgcutover_old, publication pgcutover_old, schema pgcutover",
                   "DROP PUBLICATION pgcutover_old;"},
                  {"leftovers", T, 'F', "\"shop\" of database \"olddb\"", "DROP SCHEMA pgcutover CASCADE;"},
                  {"subs-src", S, 'W', ": feed", NULL}}},
    {.name = "an origin left behind", .min_version = 100000, .source_sql = KEYED, /* by the fixture before */
     .expected = {{"leftovers", T, 'W', "replication origin pgcutover_old",
                   "SELECT pg_replication_origin_drop('pgcutover_old');"}}},
    {.name = "passwords, transactions and publications", .min_version = 100000, .source_sql = KEYED
                 "ALTER DATABASE c_src SET password_encryption = 'md5'; CREATE PUBLICATION \"All\" FOR ALL TABLES;"
                 "/*!13 ALTER DATABASE c_src SET logical_decoding_work_mem = '64MB';*/"
                 "UPDATE pg_catalog.pg_database SET datfrozenxid = ((pg_catalog.txid_current() + 4294967296 - 1100000000)"
                 " % 4294967296)::text::pg_catalog.xid WHERE datname = 'c_src'",
     .target_sql = "ALTER DATABASE c_dst SET password_encryption = 'scram-sha-256'",
     .expected = {{"auth", T, 'W', "password_encryption is md5 on the source, scram-sha-256 on the target", "pg_hba.conf"},
                  {"decode-mem", S, 'I', "is 64 MB", "ALTER ROLE postgres SET logical_decoding_work_mem = '256MB';", 130000},
                  {"wraparound", S, 'W', ": c_src is 11", "VACUUM FREEZE; -- in database c_src"},
                  {"pubs-all", S, 'I', ": \"All\"", NULL}}},
    {.name = "passwords and publications without fault", .min_version = 100000, .source_sql = KEYED
                 "ALTER DATABASE c_src SET password_encryption = 'scram-sha-256'; CREATE PUBLICATION one FOR TABLE public.keyed",
     .target_sql = "ALTER DATABASE c_dst SET password_encryption = 'scram-sha-256'",
     .expected = {{"auth", T, 'W', NULL, NULL}, {"pubs-all", S, 'I', NULL, NULL}}},
    {.name = "decoders that spill", .min_version = 140000, .source_sql = KEYED,
     .held_sql = "SET logical_decoding_work_mem = '64kB';"
                 "SELECT pg_catalog.pg_create_logical_replication_slot('spiller', 'test_decoding');"
                 "BEGIN; INSERT INTO public.keyed SELECT g, 'some text that takes space'"
                 " FROM pg_catalog.generate_series(1, 5000) AS g; COMMIT;"
                 "SELECT pg_catalog.count(*) FROM pg_catalog.pg_logical_slot_get_changes('spiller', NULL, NULL);"
                 "SELECT pg_catalog.pg_sleep(0.6)", /* until the statistics are there */
     .cleanup = "SELECT pg_catalog.pg_drop_replication_slot('spiller')",
     .expected = {{"spill", S, 'W', "slot spiller: 1 transactions, ", "logical_decoding_work_mem"}}},
    {.name = "settings of a database", .source_sql = KEYED "ALTER DATABASE c_src SET work_mem = '7MB'; ALTER DATABASE c_src SET search_path = public, \"Odd\";"
                 "ALTER ROLE plain IN DATABASE c_src SET \"my.tag\" = 'it''s'; ALTER DATABASE c_src SET jit_above_cost = 5",
     .target_sql = "ALTER DATABASE c_dst SET jit_above_cost = 5; ALTER DATABASE c_dst SET work_mem = '8MB'",
     .min_version = 110000,
     .expected = {{"db-settings", T, 'W', "does not have: search_path = public, \"Odd\", work_mem = 7MB, my.tag = it's for plain",
                   "ALTER DATABASE c_dst SET search_path = public, \"Odd\";\nALTER DATABASE c_dst SET work_mem = '7MB';\n"
                   "ALTER ROLE plain IN DATABASE c_dst SET my.tag = 'it''s';"}}},
    {.name = "settings of a database that are there", .source_sql = KEYED "ALTER DATABASE c_src SET work_mem = '7MB'",
     .target_sql = "ALTER DATABASE c_dst SET work_mem = '7MB'", .change = existing,
     .expected = {{"db-settings", T, 'W', NULL, NULL}, {"def-acl", S, 'I', NULL, NULL}}},
    {.name = "default privileges, others on the target", .source_sql = KEYED "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO plain;",
     .target_sql = KEYED, .change = existing, .min_version = 110000,
     .held_sql = "SET application_name = 'shop'", .held_target_sql = "SET application_name = 'cron'",
     .expected = {{"def-acl", S, 'I', "tables made by postgres in schema public", "ALTER DEFAULT PRIVILEGES"},
                  {"k-writers", S, 'I', "1 of postgres (shop) from the server's host", NULL},
                  {"t-writers", T, 'W', "1 of postgres (cron) from the server's host", "Stop applications"}}},
    {.name = "a plain role, rights on the target", .user = "plain", .min_version = 110000,
     .source_sql = KEYED "GRANT SELECT ON public.keyed TO plain; CREATE TABLE public.theirs (id int PRIMARY KEY); ALTER TABLE public.theirs OWNER TO other;",
     .target_sql = "REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON DATABASE c_dst TO plain",
     .expected = {{"public-create", T, 'W', "role plain", "GRANT CREATE ON SCHEMA public TO plain; -- in database c_dst"},
                  {"set-role", T, 'W', ": other, postgres", "GRANT other TO plain/*!16 WITH SET TRUE*/;"},
                  {"hba", S, 'I', "could not be checked", "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO \"plain\";"},
                  {"wal-volume", S, 'I', "could not be checked", "GRANT pg_monitor TO \"plain\";"}}},
    {.name = "a plain role with rights", .user = "plain", .min_version = 110000,
     .source_sql = KEYED "ALTER TABLE public.keyed OWNER TO other; GRANT pg_monitor TO plain;"
                 "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO plain; GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO plain",
     .target_sql = "GRANT CREATE ON SCHEMA public TO plain; GRANT other TO plain", .cleanup = "REVOKE pg_monitor FROM plain",
     .expected = {{"public-create", T, 'W', NULL, NULL}, {"set-role", T, 'W', NULL, NULL},
                  {"hba", S, 'I', NULL, NULL}, {"wal-volume", S, 'I', NULL, NULL}}},
    {.name = "constraints, indexes and types",
     .source_sql = KEYED "CREATE DOMAIN public.pos AS int; CREATE TABLE public.dom (id int PRIMARY KEY, v public.pos, w public.pos);"
                 "INSERT INTO public.dom VALUES (1, -1); ALTER DOMAIN public.pos ADD CONSTRAINT pos_c CHECK (VALUE > 0) NOT VALID;"
                 "ALTER TABLE public.keyed ADD CONSTRAINT v_short CHECK (length(v) < 9) NOT VALID;"
                 "CREATE FUNCTION public.fits(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';"
                 "ALTER TABLE public.keyed ADD CONSTRAINT v_fits CHECK (public.fits(v));"
                 "CREATE INDEX broken ON public.keyed (v); UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'public.broken'::regclass;"
                 "ALTER TABLE public.keyed ADD CONSTRAINT v_once UNIQUE (v) DEFERRABLE;"
                 "CREATE TABLE public.\"Keyed\" (id int PRIMARY KEY, what regclass, price money);"
                 "/*!10 CREATE SEQUENCE public.small AS smallint; SELECT setval('public.small', 30000);"
                 "CREATE SEQUENCE public.down INCREMENT -1 MINVALUE -100 MAXVALUE -1; SELECT setval('public.down', -90);*/",
     .expected = {{"domain-notvalid", S, 'F', ": pos_c of public.pos", "ALTER DOMAIN public.pos VALIDATE CONSTRAINT pos_c;"},
                  {"fk-notvalid", S, 'I', ": v_short of public.keyed", NULL},
                  {"check-fn", S, 'W', ": v_fits of public.keyed calls public.fits", "search_path"},
                  {"invalid-index", S, 'W', ": public.broken on keyed", "DROP INDEX public.broken; -- or REINDEX INDEX public.broken;"},
                  {"deferrable-key", S, 'I', ": v_once of public.keyed", NULL},
                  {"case-twins", S, 'I', ": public.\"Keyed\" and public.keyed", NULL},
                  {"bad-types", S, 'W', ": public.\"Keyed\" (what regclass)", NULL},
                  {"seq-exhaust", S, 'W', ": public.small is at 30000 of 32767, public.down is at -90 of -100",
                   "ALTER SEQUENCE public.small AS bigint NO MAXVALUE", 100000}}},
    {.name = "constraints, indexes and types without fault",
     .source_sql = "CREATE DOMAIN public.pos AS int CONSTRAINT pos_c CHECK (VALUE > 0); CREATE TABLE public.dom (id int PRIMARY KEY, v public.pos, price money);"
                 "CREATE TABLE public.keyed (id int PRIMARY KEY, v text CHECK (length(v) < 9), what int CHECK (what > 0), UNIQUE (v), o text);"
                 "CREATE INDEX fine ON public.keyed (v); ALTER TABLE public.keyed DROP COLUMN o;"
                 "/*!10 CREATE SEQUENCE public.small AS smallint; SELECT setval('public.small', 20000);*/"
                 "CREATE SEQUENCE public.round MAXVALUE 10 CYCLE; SELECT setval('public.round', 9);",
     .expected = {{"domain-notvalid", S, 'F', NULL, NULL}, {"fk-notvalid", S, 'I', NULL, NULL}, {"check-fn", S, 'W', NULL, NULL},
                  {"invalid-index", S, 'W', NULL, NULL}, {"deferrable-key", S, 'I', NULL, NULL}, {"case-twins", S, 'I', NULL, NULL},
                  {"bad-types", S, 'W', NULL, NULL}, {"seq-exhaust", S, 'W', NULL, NULL}}},
    {.name = "what 12 has no more", .max_version = 120000, .pretended_target = 120000,
     .source_sql = "CREATE TABLE public.o (id int PRIMARY KEY, at abstime) WITH OIDS",
     .expected = {{"with-oids", S, 'F', ": public.o", "ALTER TABLE public.o SET WITHOUT OIDS;"},
                  {"bad-types", S, 'F', ": public.o (at abstime)", "ALTER TABLE public.o ALTER COLUMN at TYPE timestamptz;"}}},
    {.name = "what 11 has", .max_version = 120000,
     .source_sql = "CREATE TABLE public.o (id int PRIMARY KEY, at abstime) WITH OIDS",
     .expected = {{"with-oids", S, 'F', NULL, NULL}, {"bad-types", S, 'F', NULL, NULL}}},
    {.name = "statistics, inheritance, rules and collations",
     .source_sql = "CREATE TABLE public.base (id int PRIMARY KEY, v text); CREATE TABLE public.child (PRIMARY KEY (id)) INHERITS (public.base);"
                 "INSERT INTO public.base SELECT g, 'x' FROM pg_catalog.generate_series(1, 2000) AS g;"
                 "CREATE RULE quiet AS ON INSERT TO public.child DO ALSO NOTIFY come;"
                 "UPDATE pg_catalog.pg_class SET relpages = 2000000 WHERE oid ="
                 " (SELECT reltoastrelid FROM pg_catalog.pg_class WHERE oid = 'public.child'::regclass);"
                 "CREATE TABLE public.hidden (id int PRIMARY KEY);"
                 "/*!10 CREATE COLLATION public.mine (PROVIDER = icu, LOCALE = 'de'); ALTER TABLE public.child ADD COLUMN w text COLLATE public.mine;"
                 "UPDATE pg_catalog.pg_collation SET collversion = '0' WHERE collname = 'mine';*/"
                 "CREATE EXTENSION citext SCHEMA public; UPDATE pg_catalog.pg_extension SET extname = 'pg_partman' WHERE extname = 'citext';"
                 "UPDATE pg_catalog.pg_class SET relnamespace = 'pg_catalog'::regnamespace WHERE oid = 'public.hidden'::regclass;",
     .target_options = "TEMPLATE template0 LC_COLLATE 'C'",
     .held_sql = "SELECT pg_catalog.pg_sleep(0.6)", /* until the statistics are there */
     .expected = {{"stale-stats", S, 'W', ": public.base", "ANALYZE public.base;"},
                  {"inherit", S, 'I', ": public.child from public.base", NULL},
                  {"rules", S, 'W', ": quiet on public.child", NULL},
                  {"toast-big", S, 'I', ": public.child (15 GB)", NULL},
                  {"pgcatalog-objs", S, 'F', ": hidden", "SET SCHEMA"},
                  {"part-auto", S, 'W', ": pg_partman ", NULL},
                  {"coll-user", S, 'I', ": public.mine (icu)", NULL, 100000},
                  {"coll-drift", S, 'W', ": collation public.mine was built with 0, ", "ALTER COLLATION public.mine REFRESH VERSION;", 100000},
                  {"locale-provider", T, 'W', ": LC_COLLATE is C.UTF-8 on the source, C on the target", "TEMPLATE template0"}}},
    {.name = "statistics, partitions and collations without fault",
     .source_sql = "CREATE TABLE public.base (id int PRIMARY KEY, v text);"
                 "INSERT INTO public.base SELECT g, 'x' FROM pg_catalog.generate_series(1, 2000) AS g; ANALYZE public.base;"
                 "/*!11 CREATE TABLE public.p (id int PRIMARY KEY) PARTITION BY RANGE (id);"
                 "CREATE TABLE public.p_1 PARTITION OF public.p FOR VALUES FROM (1) TO (9);*/"
                 "/*!10 CREATE COLLATION public.mine (PROVIDER = icu, LOCALE = 'de');*/CREATE EXTENSION citext SCHEMA pg_catalog;",
     .target_options = "TEMPLATE template0 LC_COLLATE 'C.utf8'",
     .held_sql = "SELECT pg_catalog.pg_sleep(0.6)",
     .expected = {{"stale-stats", S, 'W', NULL, NULL}, {"inherit", S, 'I', NULL, NULL}, {"rules", S, 'W', NULL, NULL},
                  {"toast-big", S, 'I', NULL, NULL}, {"pgcatalog-objs", S, 'F', NULL, NULL}, {"part-auto", S, 'W', NULL, NULL},
                  {"coll-user", S, 'I', NULL, NULL}, {"coll-drift", S, 'W', NULL, NULL}, {"locale-provider", T, 'W', NULL, NULL}}},
    {.name = "a plain role, what it may not make", .user = "plain",
     .source_sql = KEYED "CREATE FUNCTION public.distance(int) RETURNS int LANGUAGE internal AS 'int4abs';"
                 "/*!12 CREATE ACCESS METHOD mine TYPE TABLE HANDLER heap_tableam_handler; CREATE TABLE public.other (id int PRIMARY KEY) USING mine;*/"
                 "INSERT INTO pg_catalog.pg_seclabel VALUES ('public.keyed'::regclass, 'pg_catalog.pg_class'::regclass, 0, 'selinux', 'x')",
     .expected = {{"super-objs", T, 'W', ": internal function public.distance", "superuser"},
                  {"table-am", S, 'W', ": public.other (mine)", NULL, 120000},
                  {"seclabel", S, 'W', ": selinux (1 labels)", "provider"}}},
    {.name = "a superuser, extensions", .source_sql = KEYED "CREATE FUNCTION public.distance(int) RETURNS int LANGUAGE internal AS 'int4abs';",
     .expected = {{"super-objs", T, 'W', NULL, NULL}, {"table-am", S, 'W', NULL, NULL}, {"seclabel", S, 'W', NULL, NULL}}},
    {.name = "a plain role, extensions", .user = "plain", .source_sql = KEYED "CREATE EXTENSION citext SCHEMA public",
     .expected = {{"super-objs", T, 'W', NULL, NULL}}},
    {.name = "an existing target with other enums", .change = existing,
     .source_sql = KEYED "CREATE TYPE public.mood AS ENUM ('sad', 'it''s ok'); CREATE TYPE public.same AS ENUM ('a', 'b');",
     .target_sql = KEYED "CREATE TYPE public.mood AS ENUM ('it''s ok', 'sad'); CREATE TYPE public.same AS ENUM ('a', 'b'); CREATE INDEX ON public.keyed (v);",
     .expected = {{"enum-list", T, 'F', ": public.mood is ('sad', 'it''s ok') on the source, ('it''s ok', 'sad') on the target", "ADD VALUE"},
                  {"t-precreated", T, 'I', ": 1 on public.keyed", "rebuild"}}},
    {.name = "an existing target with the same enums", .change = rebuild,
     .source_sql = KEYED "CREATE TYPE public.same AS ENUM ('a', 'b'); CREATE TYPE public.mood AS ENUM ('sad')",
     .target_sql = KEYED "CREATE TYPE public.same AS ENUM ('a', 'b'); CREATE INDEX ON public.keyed (v);",
     .expected = {{"enum-list", T, 'F', NULL, NULL}, {"t-precreated", T, 'I', NULL, NULL}}},
    {.name = "an open transaction", .source_sql = KEYED, .change = impatient,
     .held_sql = "BEGIN; INSERT INTO public.keyed VALUES (1, 'held'); SELECT pg_catalog.pg_sleep(1.2)",
     .expected = {{"long-xact", S, 'F', "user postgres, database c_src, open for 00:00:01, idle in transaction: BEGIN; INSERT INTO public.keyed",
                   "SELECT pg_terminate_backend("},
                  {"slot-probe", S, 'F', "it waited for: pid", "pg_terminate_backend("}}},
    {.name = "an open transaction that only reads", .source_sql = KEYED, .change = impatient,
     .held_sql = "BEGIN; SELECT * FROM public.keyed; SELECT pg_catalog.pg_sleep(1.2)",
     .expected = {{"long-xact", S, 'F', NULL, NULL}, {"slot-probe", S, 'F', NULL, NULL}}},
};

static void make_databases(const struct fixture *f)
{
    char *create = xasprintf("CREATE DATABASE c_dst %s", f->target_options ? f->target_options : "");

    run_in(source_uri, "postgres", "CREATE DATABASE c_src");
    if (!f->no_target_database)
        run_in(target_uri, "postgres", create);
    run_in(source_uri, "c_src", f->source_sql);
    if (f->target_sql)
        run_in(target_uri, "c_dst", f->target_sql);
    free(create);
}

static void drop_databases(const struct fixture *f)
{
    if (f->cleanup)
        run_in(source_uri, "c_src", f->cleanup);
    run_in(source_uri, "postgres", "DROP DATABASE c_src/*!13 WITH (FORCE)*/");
    run_in(target_uri, "postgres", "DROP DATABASE IF EXISTS c_dst/*!13 WITH (FORCE)*/");
}

static bool has_part(const char *text, const char *part)
{
    return !part || (text && strstr(text, part));
}

/* part as pair_text() takes it */
static bool has_part_for(int version, const char *text, const char *part)
{
    char *wanted = part ? pair_text(version, part) : NULL;
    const char *from = wanted ? wanted + strspn(wanted, " ") : NULL;
    bool has = has_part(text, from);

    free(wanted);
    return has;
}

/* An id may have several findings of one side: one of them must fit. */
static bool is_met(const struct findings *findings, const struct expectation *want)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *got = &findings->items[i];
        if (strcmp(got->id, want->id) != 0 || got->side != want->side)
            continue;
        if (!want->message)
            return false;
        if (got->severity == want->severity && has_part(got->message, want->message) &&
            has_part_for(source_version(), got->fix, want->fix))
            return true;
    }
    return !want->message;
}

static void check_fixture(const struct fixture *f)
{
    struct bench b = {.source = CONN_INIT};
    struct conn held = CONN_INIT, held_target = CONN_INIT;
    const char *saved = target_uri;

    make_databases(f);
    if (f->held_sql) {
        connect_to(&held, source_uri, SIDE_SOURCE, NULL, "c_src");
        run(&held, f->held_sql);
    }
    if (f->held_target_sql) {
        connect_to(&held_target, target_uri, SIDE_TARGET, NULL, "c_dst");
        run(&held_target, f->held_target_sql);
    }
    target_uri = f->same_server ? source_uri : target_uri;
    bench_connect(&b, f->user, "c_src",
                  f->same_server ? "c_src" : f->no_target_database ? "postgres" : "c_dst");
    target_uri = saved;
    bench_plan(&b);
    b.pretended_target = f->pretended_target;
    if (f->change)
        f->change(&b.context, &b.plan, &b.database);
    if (f->no_target_database)
        b.context.target_catalog = NULL;
    bench_run(&b);
    for (const struct expectation *want = f->expected; want->id; want++) {
        bool met = b.source.version < want->min_version || is_met(&b.findings, want);
        if (!met) {
            char *text = findings_text(&b.findings);
            fprintf(stderr, "\n%s: %s of %s%s\n%s", f->name, want->id, side_name(want->side),
                    want->message ? " is missing" : " should not be there", text);
            free(text);
        }
        CU_ASSERT_TRUE(met);
    }
    CHECK_INT(PQtransactionStatus(b.source.pg), PQTRANS_IDLE);
    CHECK_INT(b.source.timeout_ms, 0);
    conn_close(&held);
    conn_close(&held_target);
    bench_release(&b);
    drop_databases(f);
}

static void test_faults(void)
{
    for (size_t i = 0; i < sizeof fixtures / sizeof *fixtures; i++)
        if (source_version() >= fixtures[i].min_version && (!fixtures[i].max_version || source_version() < fixtures[i].max_version))
            check_fixture(&fixtures[i]);
    run_in(target_uri, "postgres", "SELECT pg_catalog.pg_replication_origin_drop(roname) "
                                   "FROM pg_catalog.pg_replication_origin");
}

/* Nothing is found where nothing is wrong, and nothing is left or changed. */
static void test_faultless(void)
{
    static const struct fixture clean = {.source_sql = KEYED ORDERS};
    struct bench b = {.source = CONN_INIT};
    char *left;

    make_databases(&clean);
    bench_connect(&b, NULL, "c_src", "c_dst");
    bench_plan(&b);
    bench_run(&b);
    char *text = findings_text(&b.findings);
    if (source_version() >= 110000)
        CHECK_STR(text, "0 to be fixed, 0 warnings, 0 for information\n");
    else if (source_version() >= 100000) /* truncate-10 */
        CHECK_CONTAINS(text, "0 to be fixed, 1 warnings, 0 for information\n");
    else /* ddl-log */
        CHECK_CONTAINS(text, "0 to be fixed, 2 warnings, 0 for information\n");
    free(text);
    CHECK_TRUE(conn_scalar(&b.source, "SELECT pg_catalog.count(*) FROM pg_catalog.pg_replication_slots",
                           0, NULL, &left, NULL));
    CHECK_STR(left, "0");
    free(left);
    CHECK_TRUE(conn_scalar(&b.source, "SHOW statement_timeout", 0, NULL, &left, NULL));
    CHECK_STR(left, "0");
    free(left);
    bench_release(&b);
    drop_databases(&clean);
}

/* Without a target at all the source is still checked. */
static void test_without_target(void)
{
    static const struct fixture keyless = {.source_sql = KEYLESS, .no_target_database = true};
    struct bench b = {.source = CONN_INIT};

    make_databases(&keyless);
    bench_connect(&b, NULL, "c_src", "postgres");
    bench_plan(&b);
    b.context.target = NULL;
    b.context.target_catalog = NULL;
    bench_run(&b);
    CHECK_INT(findings_count(&b.findings, FINDING_FAIL), 1);
    CHECK_TRUE(findings_find(&b.findings, "no-ri", SIDE_SOURCE) != NULL);
    bench_release(&b);
    drop_databases(&keyless);
}

/* A deadline of several statements together: the one that is too late ends, and the connection can be used again. */
static void test_deadline(void)
{
    struct conn c = CONN_INIT;
    struct err err = ERR_INIT;
    int64_t began_ms = clock_mono_ms();

    connect_to(&c, source_uri, SIDE_SOURCE, NULL, "postgres");
    c.timeout_ms = 30000;
    c.until_ms = clock_mono_ms() + 1000;
    CHECK_TRUE(conn_command(&c, "SELECT pg_catalog.pg_sleep(0.1)", &err));
    CHECK_TRUE(!conn_command(&c, "SELECT pg_catalog.pg_sleep(20)", &err));
    CHECK_INT(err.code, ERR_TIMEOUT);
    CHECK_CONTAINS(err.message, "no answer in time");
    CHECK_TRUE(clock_mono_ms() - began_ms < 15000);
    err_clear(&err);
    c.until_ms = 0;
    CHECK_TRUE(conn_is_open(&c) && conn_command(&c, "SELECT 1", &err));
    err_clear(&err);
    conn_close(&c);
}

static void test_lost_connection(void)
{
    static const struct fixture clean = {.source_sql = KEYED};
    struct bench b = {.source = CONN_INIT};
    struct err err = ERR_INIT;

    make_databases(&clean);
    bench_connect(&b, NULL, "c_src", "c_dst");
    bench_plan(&b);
    run_in(target_uri, "postgres", "SELECT pg_catalog.pg_terminate_backend(pid) FROM "
                                   "pg_catalog.pg_stat_activity WHERE datname = 'c_dst'");
    CHECK_TRUE(catalog_load(&b.source, &b.source_catalog, &err));
    CHECK_TRUE(catalog_select(&b.source_catalog, &b.database, &b.tables, &err));
    CHECK_TRUE(!checks_run(&b.context, &b.findings, &err));
    CHECK_TRUE(err.code == ERR_CONNECTION || strcmp(err.sqlstate, "57P01") == 0);
    CHECK_CONTAINS(err.message, "target ");
    err_clear(&err);
    bench_release(&b);
    drop_databases(&clean);
}

/* --- for scripts --- */

static int print_findings(const char *target_db)
{
    struct bench b = {.source = CONN_INIT};
    struct err err = ERR_INIT;

    const char *probe_user = getenv("PGC_PROBE_USER"); /* of the replication connection alone */

    bench_connect(&b, NULL, NULL, target_db);
    bench_plan(&b);
    if (probe_user)
        conninfo_set(&b.source_info, "user", probe_user);
    bench_run(&b);
    for (size_t i = 0; i < b.findings.count; i++) {
        const struct finding *found = &b.findings.items[i];
        printf("%c %s %s %s\n  fix: %s\n", found->severity, side_name(found->side), found->id,
               found->message, found->fix ? found->fix : "-");
    }
    int status = findings_error(&b.findings, &err) ? err_exit_code(&err) : 0;
    err_clear(&err);
    bench_release(&b);
    return status;
}

/* What the defaults of every server would be told about, so that a database without faults has none. Many databases
 * are made and dropped, each with a checkpoint. Autovacuum would take back the age of a database at once. */
static void prepare_server(const char *uri)
{
    run_in(uri, "postgres", "ALTER SYSTEM SET fsync = off");
    run_in(uri, "postgres", "/*!13 ALTER SYSTEM SET logical_decoding_work_mem = '128MB'*/");
    run_in(uri, "postgres", "ALTER SYSTEM SET max_wal_size = '4GB'");
    run_in(uri, "postgres", "ALTER SYSTEM SET autovacuum_naptime = '1h'");
    run_in(uri, "postgres", "SELECT pg_catalog.pg_reload_conf()");
}

int main(int argc, char **argv)
{
    static const struct unit_test tests[] = {
        {"a database without faults", test_faultless},
        {"faults", test_faults},
        {"no target", test_without_target},
        {"a lost connection", test_lost_connection},
        {"a deadline", test_deadline},
        {NULL, NULL},
    };

    source_uri = argc > 2 ? argv[1] : getenv("PGC_TEST_SOURCE");
    target_uri = argc > 2 ? argv[2] : getenv("PGC_TEST_TARGET");
    if (argc > 2)
        return print_findings(argc > 3 ? argv[3] : NULL);
    if (!source_uri || !target_uri)
        return 77;
    prepare_server(source_uri);
    prepare_server(target_uri);
    run_in(source_uri, "postgres", "CREATE ROLE plain LOGIN; CREATE ROLE other");
    run_in(target_uri, "postgres", "CREATE ROLE plain LOGIN; CREATE ROLE other");
    int status = unit_main("checks on servers", tests);
    run_in(source_uri, "postgres", "DROP ROLE plain, other");
    run_in(target_uri, "postgres", "DROP ROLE plain, other");
    return status;
}
