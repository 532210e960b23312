/* The runner. A check is a row of check_table: a query whose rows are the things found, a question to
 * ask of each picked table, or a function. The runner leaves out what does not apply (plan, version,
 * no target yet), runs the others one after another on connections that the caller owns, each
 * statement by itself with a deadline, and turns what they found, or their failing, into findings. */
#include "check/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "check/run.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* Of each statement of a check, and of all of them together; the slot probe of old servers takes a minute. */
#define STATEMENT_TIMEOUT_MS 30000
#define CHECK_TIMEOUT_MS 120000
#define DEEP_STATEMENT_TIMEOUT_MS 600000
#define DEEP_TIMEOUT_MS 3600000
#define LISTED_ITEMS 10
#define LISTED_FIXES 50
#define DEFAULT_AGE_S 60
#define OTHER_CONNECTIONS 4 /* beside the copy workers: engine, receive, apply or catalog, one to spare */

/* --- things found --- */

static bool has_line(const struct buf *lines, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = lines->data; at && (at = strstr(at, line)) != NULL; at++)
        if ((at == lines->data || at[-1] == '\n') && (at[len] == '\n' || !at[len]))
            return true;
    return false;
}

static void add_line(struct buf *lines, const char *line)
{
    buf_addf(lines, "%s%s", lines->len ? "\n" : "", line);
}

void items_add(struct items *items, const char *item, const char *fix, const char *undo)
{
    items->count++;
    if (items->count <= LISTED_ITEMS)
        buf_addf(&items->list, "%s%s", items->list.len ? ", " : "", item);
    if (fix && !has_line(&items->fixes, fix) && ++items->fix_count <= LISTED_FIXES)
        add_line(&items->fixes, fix);
    if (undo && items->fix_count <= LISTED_FIXES && !has_line(&items->undos, undo))
        add_line(&items->undos, undo);
}

void items_add_relation(struct items *items, const char *schema, const char *name)
{
    char *shown = ident_display(schema, name);

    items_add(items, shown, NULL, NULL);
    free(shown);
}

bool items_add_rows(struct items *items, struct conn *c, const char *sql, const char *arg,
                    struct err *err)
{
    PGresult *res = conn_exec_params(c, sql, arg ? 1 : 0, &arg, err);

    if (!res)
        return false;
    for (int row = 0; row < PQntuples(res); row++) {
        const char *columns[3] = {NULL, NULL, NULL}; /* item, fix, undo */
        for (int i = 0; i < PQnfields(res) && i < 3; i++)
            if (!PQgetisnull(res, row, i))
                columns[i] = PQgetvalue(res, row, i);
        items_add(items, columns[0] ? columns[0] : "", columns[1], columns[2]);
    }
    PQclear(res);
    return true;
}

/* Appends text with each {name} replaced; pairs: name, value, ..., NULL. */
static void add_expanded(struct buf *out, const char *text, const char *const *pairs)
{
    while (*text) {
        const char *const *pair = pairs;
        for (; *pair; pair += 2)
            if (strncmp(text, *pair, strlen(*pair)) == 0)
                break;
        if (*pair) {
            buf_addstr(out, pair[1]);
            text += strlen(*pair);
        } else {
            buf_addch(out, *text++);
        }
    }
}

/* How a managed service words what is configuration on a server of one's own. */
static const struct provider_fix {
    const char *id;
    const char *provider;
    const char *fix;
} provider_fixes[] = {
    {"wal-level", "rds", "Set rds.logical_replication = 1 in the DB (cluster) parameter group."},
    {"wal-level", "azure", "Set the server parameter wal_level to logical (az postgres flexible-server "
                           "parameter set --name wal_level --value logical)."},
    {"wal-level", "cloudsql", "Set the database flag cloudsql.logical_decoding to on."},
    {"wal-level", "alloydb", "Set the database flag alloydb.logical_decoding to on."},
    {"wal-level", "neon", "Enable logical replication in the settings of the project."},
    {"slots-free", "rds", "Raise max_replication_slots in the DB (cluster) parameter group."},
    {"slots-free", "azure", "Raise the server parameter max_replication_slots."},
    {"slots-free", "cloudsql", "Raise the database flag max_replication_slots."},
    {"slots-free", "alloydb", "Raise the database flag max_replication_slots."},
    {"senders-free", "rds", "Raise max_wal_senders in the DB (cluster) parameter group."},
    {"senders-free", "azure", "Raise the server parameter max_wal_senders."},
    {"senders-free", "cloudsql", "Raise the database flag max_wal_senders."},
    {"senders-free", "alloydb", "Raise the database flag max_wal_senders."},
    {"slot-wal-limit", "rds", "Set max_slot_wal_keep_size to -1 in the DB (cluster) parameter group."},
    {"slot-wal-limit", "azure", "Set the server parameter max_slot_wal_keep_size to -1."},
    {"slot-wal-limit", "cloudsql", "Set the database flag max_slot_wal_keep_size to -1."},
    {"repl-conn", "rds", "Allow this host's address in the security group of the instance."},
    {"repl-conn", "azure", "Allow this host's address in the firewall rules of the server."},
};

static const char *provider_fix(const struct check_run *run, const char *id)
{
    for (size_t i = 0; i < sizeof provider_fixes / sizeof *provider_fixes; i++)
        if (strcmp(provider_fixes[i].id, id) == 0 &&
            strcmp(provider_fixes[i].provider, run->provider) == 0)
            return provider_fixes[i].fix;
    return NULL;
}

/* Where a service has what is ALTER SYSTEM on a server of one's own: nobody may do that there. */
static const struct service {
    const char *provider;
    const char *place;
} services[] = {
    {"rds", "in the DB (cluster) parameter group"},
    {"azure", "as a server parameter"},
    {"cloudsql", "as a database flag"},
    {"alloydb", "as a database flag"},
    {"neon", "by asking Neon's support, where the project's settings do not have it"},
    {"supabase", "with \"supabase postgres-config update\""},
};

static const char *place_of(const char *provider)
{
    for (size_t i = 0; i < sizeof services / sizeof *services; i++)
        if (strcmp(services[i].provider, provider) == 0)
            return services[i].place;
    return NULL;
}

/* "ALTER SYSTEM SET a = 'b'; -- why" as "Set a = 'b' in the parameter group." */
static void add_for_service(struct buf *out, const char *line, const char *place)
{
    static const char set[] = "ALTER SYSTEM SET ", reset[] = "ALTER SYSTEM RESET ";
    bool is_set = strncmp(line, set, strlen(set)) == 0;

    if (!is_set && strncmp(line, reset, strlen(reset)) != 0) {
        buf_addstr(out, line);
        return;
    }
    line += is_set ? strlen(set) : strlen(reset);
    const char *end = strstr(line, "; --");
    size_t len = end ? (size_t)(end - line) : strlen(line);
    if (!end && len && line[len - 1] == ';')
        len--;
    buf_addf(out, "Set %.*s%s %s.", (int)len, line, is_set ? "" : " back to its default", place);
}

/* The same text, or, of a service, without ALTER SYSTEM; text is taken. */
static char *worded_for(const char *provider, char *text)
{
    const char *place = place_of(provider);
    struct buf out = BUF_INIT;
    char *rest = text;

    if (!place || !text || !strstr(text, "ALTER SYSTEM "))
        return text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        buf_addstr(&out, out.len ? "\n" : "");
        add_for_service(&out, line, place);
    }
    free(text);
    return buf_take(&out);
}

static char *joined(const char *first, struct buf *rows, size_t hidden)
{
    struct buf out = BUF_INIT;

    if (first)
        buf_addstr(&out, first);
    if (rows->len)
        buf_addf(&out, "%s%s", out.len ? "\n" : "", rows->data);
    if (rows->len && hidden)
        buf_addf(&out, "\n-- and the same for %zu more", hidden);
    return out.len ? buf_take(&out) : NULL;
}

static char *finding_message(const struct check *check, struct items *items)
{
    struct buf out = BUF_INIT;

    if (items->count > LISTED_ITEMS)
        buf_addf(&items->list, " and %zu more", items->count - LISTED_ITEMS);
    const char *pairs[] = {"{items}", items->list.len ? items->list.data : "", NULL};
    add_expanded(&out, check->found, pairs);
    return buf_take(&out);
}

void items_report_as(struct check_run *run, const struct check *check, char severity,
                     struct items *items)
{
    size_t hidden = items->fix_count > LISTED_FIXES ? items->fix_count - LISTED_FIXES : 0;
    const char *own = provider_fix(run, check->id);
    /* A table check's fix is a template that has gone into the items already. */
    const char *fix = check->table ? NULL : check->fix;
    const char *undo = check->table ? NULL : check->undo;

    if (items->count)
        findings_add(run->findings, (struct finding){
            .id = check->id,
            .severity = severity,
            .side = check->side,
            .message = finding_message(check, items),
            .why = xstrdup(check->why),
            .fix = own ? xstrdup(own) : worded_for(run->provider, joined(fix, &items->fixes, hidden)),
            .undo = own ? NULL : worded_for(run->provider, joined(undo, &items->undos, hidden)),
            /* A service reloads by itself. */
            .needs = (own || place_of(run->provider)) && check->needs == NEEDS_RELOAD ? NEEDS_NONE : check->needs,
            .lasts = check->lasts || check->needs == NEEDS_RESTART,
        });
    buf_release(&items->list);
    buf_release(&items->fixes);
    buf_release(&items->undos);
    items->count = items->fix_count = 0;
}

void items_report(struct check_run *run, const struct check *check, struct items *items)
{
    items_report_as(run, check, check->severity, items);
}

/* --- running one --- */

struct conn *check_conn(const struct check_run *run, const struct check *check)
{
    return check->side == SIDE_SOURCE ? run->context->source : run->context->target;
}

static bool is_sync_keyless(const struct table_entry *entry)
{
    return entry->keyless && entry->mode == TABLE_SYNC && !entry->needs_full;
}

static void add_oids(struct buf *out, const struct table_list *tables, bool keyless_only)
{
    buf_addch(out, '{');
    for (size_t i = 0; i < tables->count; i++)
        if (!keyless_only || is_sync_keyless(&tables->items[i]))
            buf_addf(out, "%s%" PRIu32, out->len > 1 ? "," : "", tables->items[i].oid);
    buf_addch(out, '}');
}

void check_add_oids(struct buf *out, const struct table_list *tables)
{
    add_oids(out, tables, false);
}

static void add_name(struct buf *out, const char *name)
{
    buf_addstr(out, out->len > 1 ? ",\"" : "\"");
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            buf_addch(out, '\\');
        buf_addch(out, *name);
    }
    buf_addch(out, '"');
}

static void add_extensions(struct buf *out, const struct catalog *catalog)
{
    buf_addch(out, '{');
    for (size_t i = 0; i < catalog->extension_count; i++)
        add_name(out, catalog->extensions[i].name);
    buf_addch(out, '}');
}

/* One that owns many tables in a row is named once; what is named twice does no harm. */
static void add_owners(struct buf *out, const struct check_context *context)
{
    const char *last = NULL;

    buf_addch(out, '{');
    for (size_t i = 0; i < context->tables->count; i++) {
        const struct catalog_table *table =
            catalog_table_by_oid(context->source_catalog, context->tables->items[i].oid);
        if (table && (!last || strcmp(last, table->owner) != 0))
            add_name(out, last = table->owner);
    }
    buf_addch(out, '}');
}

/* $1 as text; left empty where there is none. */
static void add_argument(const struct check_run *run, enum check_args args, struct buf *out)
{
    const struct check_context *context = run->context;
    int age_s = context->long_transaction_s;

    switch (args) {
    case ARGS_NONE:
        break;
    case ARGS_PICKED:
    case ARGS_KEYLESS:
        add_oids(out, context->tables, args == ARGS_KEYLESS);
        break;
    case ARGS_AGE:
        buf_addf(out, "%d", age_s ? age_s : DEFAULT_AGE_S);
        break;
    case ARGS_CONNECTIONS:
        buf_addf(out, "%d", context->plan->load_jobs + OTHER_CONNECTIONS);
        break;
    case ARGS_EXTENSIONS:
        add_extensions(out, context->source_catalog);
        break;
    case ARGS_OWNERS:
        add_owners(out, context);
        break;
    }
}

static bool run_sql(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    struct buf arg = BUF_INIT;

    add_argument(run, check->args, &arg);
    struct conn *c = check_conn(run, check);
    const char *sql = check->sql_pg96 && c->version < 100000 ? check->sql_pg96 : check->sql;
    bool ok = items_add_rows(&items, c, sql, arg.data, err);
    items_report(run, check, &items);
    buf_release(&arg);
    return ok;
}

static char *expanded_for(const struct check_run *run, const struct catalog_table *table,
                          const char *text)
{
    struct buf out = BUF_INIT;
    struct buf user = BUF_INIT, owner = BUF_INIT, schema = BUF_INIT;
    char *name = ident_qualified(table->schema, table->name);

    if (!text) {
        free(name);
        return NULL;
    }
    ident_add(&user, run->context->source_catalog->server.user);
    ident_add(&owner, table->owner);
    ident_add(&schema, table->schema);
    const char *pairs[] = {"{table}", name, "{user}", user.data, "{owner}", owner.data,
                           "{schema}", schema.data, NULL};
    add_expanded(&out, text, pairs);
    free(name);
    buf_release(&user);
    buf_release(&owner);
    buf_release(&schema);
    return buf_take(&out);
}

static bool run_tables(struct check_run *run, const struct check *check)
{
    const struct check_context *context = run->context;
    struct items items = ITEMS_INIT;

    for (size_t i = 0; i < context->tables->count; i++) {
        const struct table_entry *entry = &context->tables->items[i];
        const struct catalog_table *table =
            catalog_table_by_oid(context->source_catalog, entry->oid);
        if (!table || !check->table(table, entry))
            continue;
        char *shown = ident_display(table->schema, table->name);
        char *fix = expanded_for(run, table, check->fix);
        char *undo = expanded_for(run, table, check->undo);
        items_add(&items, shown, fix, undo);
        free(shown);
        free(fix);
        free(undo);
    }
    items_report(run, check, &items);
    return true;
}

/* --- running all --- */

static bool version_fits(const struct check *check, int version)
{
    return version >= check->min_version && (!check->max_version || version < check->max_version);
}

static bool applies(const struct check_run *run, const struct check *check)
{
    const struct check_context *context = run->context;
    const struct plan *plan = context->plan;
    const struct conn *c = check_conn(run, check);

    if (context->only && strcmp(context->only, check->id) != 0)
        return false;
    const struct {
        unsigned when;
        bool holds;
    } conditions[] = {
        {WHEN_SYNC, plan->sync_mode != SYNC_LOAD_ONLY},
        {WHEN_COPY, plan->schema_mode == SCHEMA_COPY},
        {WHEN_EXISTING, plan->schema_mode == SCHEMA_EXISTING},
        {WHEN_READ_ONLY,
         plan->stop_writes == STOP_READ_ONLY && plan->sync_mode != SYNC_LOAD_ONLY},
        {WHEN_TARGET_DB, context->target && context->target_catalog},
        {WHEN_NO_TARGET_DB, !context->target_catalog},
        {WHEN_DEEP, context->deep},
        {WHEN_FALLBACK, plan->fallback},
        {WHEN_ROLES, plan->schema_roles},
        {WHEN_DDL_APPLY,
         plan->sync_ddl == SYNC_DDL_APPLY && plan->sync_mode != SYNC_LOAD_ONLY},
        {WHEN_NOT_BACK, !plan->fallback_of},
        {WHEN_NOT_TRUNCATED, plan->load_prepare != PREPARE_TRUNCATE && plan->sync_mode != SYNC_SYNC_ONLY},
    };

    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++)
        if ((check->when & conditions[i].when) && !conditions[i].holds)
            return false;
    if (check->target_version && (!context->target || context->target->version < check->target_version))
        return false;
    return c && version_fits(check, c->version);
}

static void set_deadlines(const struct check_run *run, int statement_ms, int64_t until_ms)
{
    struct conn *conns[] = {run->context->source, run->context->target};

    for (size_t i = 0; i < 2; i++)
        if (conns[i]) {
            conns[i]->timeout_ms = statement_ms;
            conns[i]->until_ms = until_ms;
        }
}

static bool ask(struct check_run *run, const struct check *check, struct err *err)
{
    run->provider = run->providers[check->side] ? run->providers[check->side] : "";
    if (check->run)
        return check->run(run, check, err);
    if (check->sql)
        return run_sql(run, check, err);
    return run_tables(run, check);
}

static bool run_one(struct check_run *run, const struct check *check, struct err *err)
{
    bool is_deep = check->when & WHEN_DEEP;

    set_deadlines(run, is_deep ? DEEP_STATEMENT_TIMEOUT_MS : STATEMENT_TIMEOUT_MS,
                  clock_mono_ms() + (is_deep ? DEEP_TIMEOUT_MS : CHECK_TIMEOUT_MS));
    bool ok = ask(run, check, err);
    set_deadlines(run, STATEMENT_TIMEOUT_MS, 0);
    return ok;
}

/* The statements that let our role run the check. */
static char *wanted_grant(const struct check_run *run, const struct check *check)
{
    struct buf out = BUF_INIT, user = BUF_INIT;

    ident_add(&user, PQuser(check_conn(run, check)->pg));
    const char *pairs[] = {"{user}", user.data, NULL};
    add_expanded(&out, check->grant, pairs);
    buf_release(&user);
    return buf_take(&out);
}

/* A check that could not run says so, and what it wants where that is known; there is no point in going on without the
 * connections. */
static bool survive(struct check_run *run, const struct check *check, struct err *failed,
                    struct err *err)
{
    const struct check_context *context = run->context;
    bool grantable = check->grant && strcmp(failed->sqlstate, "42501") == 0;

    if (failed->code == ERR_STOPPED || !conn_is_open(context->source) ||
        (context->target && !conn_is_open(context->target))) {
        err_move(err, failed);
        err_wrap(err, "check %s", check->id);
        return false;
    }
    conn_rollback(check_conn(run, check));
    findings_add(run->findings, (struct finding){
        .id = check->id,
        .severity = grantable ? FINDING_INFO : FINDING_WARN,
        .side = check->side,
        .message = xasprintf("could not be checked: %s", failed->message),
        .why = xstrdup(check->why),
        .fix = grantable ? wanted_grant(run, check)
                         : xstrdup(failed->hint ? failed->hint : "Run the checks as a role that may do this, or look yourself."),
    });
    err_clear(failed);
    return true;
}

static bool find_providers(struct check_run *run, struct err *err)
{
    struct conn *conns[] = {run->context->source, run->context->target};

    for (size_t i = 0; i < 2; i++)
        if (conns[i] &&
            !conn_scalar(conns[i], sql_check_provider, 0, NULL, &run->providers[i], err))
            return false;
    return true;
}

/* moment: 0, or only those that are made again then. */
static bool run_all(struct check_run *run, unsigned moment, struct err *err)
{
    struct err failed = ERR_INIT;

    if (!find_providers(run, err))
        return false;
    for (const struct check *check = check_table; check->id; check++) {
        if ((moment && !(check->again & moment)) || !applies(run, check))
            continue;
        if (!run_one(run, check, &failed) && !survive(run, check, &failed, err))
            return false;
    }
    return true;
}

static bool run_with_deadlines(const struct check_context *context, unsigned moment, struct findings *findings, struct err *err)
{
    struct check_measured own = {.known = false};
    struct check_run run = {.context = context, .findings = findings, .provider = "",
                            .measured = context->measured ? context->measured : &own};
    struct conn *target = context->target;
    int source_ms = context->source->timeout_ms;
    int target_ms = target ? target->timeout_ms : 0;

    context->source->timeout_ms = STATEMENT_TIMEOUT_MS;
    if (target)
        target->timeout_ms = STATEMENT_TIMEOUT_MS;
    bool ok = run_all(&run, moment, err);
    context->source->timeout_ms = source_ms;
    if (target)
        target->timeout_ms = target_ms;
    free(run.providers[SIDE_SOURCE]);
    free(run.providers[SIDE_TARGET]);
    findings_sort(findings);
    return ok;
}

bool checks_run(const struct check_context *context, struct findings *findings, struct err *err)
{
    return run_with_deadlines(context, 0, findings, err);
}

bool checks_run_again(const struct check_context *context, enum check_moment moment, struct findings *findings,
                      struct err *err)
{
    static const struct catalog unread = CATALOG_INIT; /* it says that the target database is there */
    struct check_context again = *context;

    again.target_catalog = &unread;
    return run_with_deadlines(&again, moment, findings, err);
}

/* --- ids --- */

/* What engine/preflight.c finds with what is beside this layer: schema/, and the servers' hosts. */
const char *const check_other_ids[] = {"after-schema-sql", "host-disk", "owners", "pg-dump", "role-map", "t-columns", NULL};

bool check_id_is_known(const char *id)
{
    for (const struct check *check = check_table; check->id; check++)
        if (strcmp(check->id, id) == 0)
            return true;
    for (const char *const *other = check_other_ids; *other; other++)
        if (strcmp(*other, id) == 0)
            return true;
    return false;
}

/* How many letters two words begin with alike: ids that are cut short or have another ending are found. */
static size_t common_start(const char *a, const char *b)
{
    size_t len = 0;

    while (a[len] && a[len] == b[len])
        len++;
    return len;
}

const char *check_id_nearest(const char *id)
{
    const char *best = NULL;
    size_t most = 2;

    for (const struct check *check = check_table; check->id; check++)
        if (common_start(check->id, id) > most) {
            most = common_start(check->id, id);
            best = check->id;
        }
    return best;
}
