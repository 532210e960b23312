/* Schema changes while syncing: the log on the source is made before the slot, so that every change behind
 * the slot's position is in the stream; where the stream begins, the definitions are kept on the target. A table
 * that was changed before it is copied is brought to its new definition first, while it is empty; the stream's
 * changes begin for it behind its epoch.
 *
 * The functions that describe a table see the present, not the snapshot. So the log's rows are counted in
 * the snapshot and after the reading: when they are as many, nothing was changed in between. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cdc/ddl.h"
#include "engine/works.h"
#include "load/ddl_log.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define DEFINITIONS_A_MESSAGE 200

/* --- the log --- */

struct picks {
    struct ddl_pick *items;
    char **owned; /* schemas and names */
    size_t count;
};

static void add_pick(struct picks *picks, const char *pattern, bool included)
{
    struct ddl_pick *pick = &picks->items[picks->count];
    char *schema = NULL;
    char *name = NULL;

    if (pattern && !ident_split(pattern, &schema, &name))
        return;
    *pick = (struct ddl_pick){included, schema, name ? name : "*"};
    picks->owned[2 * picks->count] = schema;
    picks->owned[2 * picks->count + 1] = name;
    picks->count++;
}

static void picks_init(struct picks *picks, const struct work *work)
{
    const struct plan_database *database = work->p->plan;
    size_t room = database->selected_count + database->excluded_count + 1;

    *picks = (struct picks){.items = xcalloc(room, sizeof *picks->items),
                            .owned = xcalloc(2 * room, sizeof *picks->owned)};
    for (size_t i = 0; i < database->selected_count; i++)
        add_pick(picks, database->selected[i], true);
    if (!database->selected_count)
        add_pick(picks, NULL, true);
    for (size_t i = 0; i < database->excluded_count; i++)
        add_pick(picks, database->excluded[i], false);
}

static void picks_release(struct picks *picks)
{
    for (size_t i = 0; i < 2 * picks->count; i++)
        free(picks->owned[i]);
    free(picks->owned);
    free(picks->items);
}

/* The first item that a query of the checks finds; *item is owned, NULL where it finds none. */
static bool first_item(struct conn *source, const char *sql, char **item, struct err *err)
{
    PGresult *res = conn_exec(source, sql, err);

    *item = res && PQntuples(res) > 0 ? xstrdup(PQgetvalue(res, 0, 0)) : NULL;
    PQclear(res);
    return res != NULL;
}

/* Why there can be no log, owned; NULL where there can. */
static bool find_obstacle(struct conn *source, char **obstacle, struct err *err)
{
    char *item = NULL;

    *obstacle = NULL;
    if (!first_item(source, sql_check_ddl_log, &item, err))
        return false;
    if (item)
        *obstacle = xstrdup("the role may not make event triggers");
    free(item);
    item = NULL;
    if (*obstacle || !first_item(source, sql_check_ddl_published, &item, err))
        return *obstacle != NULL;
    if (item)
        *obstacle = xasprintf("publication %s, FOR ALL TABLES, would send their log to its subscribers, which do not "
                              "have it", item);
    free(item);
    return true;
}

bool work_make_ddl_log(struct work *work, struct conn *source, bool *made, struct err *err)
{
    struct picks picks;
    char *obstacle;
    int seq;

    *made = false;
    if (work->m->plan.sync_ddl != SYNC_DDL_APPLY)
        return true;
    if (source->version < 100000) {
        work_event(work, "warning", "schema changes cannot be followed from a server before 10: a table whose "
                                    "definition changes there stops the migration");
        return true;
    }
    if (!find_obstacle(source, &obstacle, err))
        return false;
    if (obstacle) {
        work_event(work, "warning", "schema changes on the source cannot be followed: %s; a table whose "
                                    "definition changes there stops until the same was done on the target", obstacle);
        free(obstacle);
        return true;
    }
    *made = true;
    picks_init(&picks, work);
    bool ok = work_made(work, SIDE_SOURCE, "ddl-log", NULL, work->p->slot, NULL, &seq, err) &&
              ddl_log_create(source, work->p->slot, picks.items, picks.count, err);
    picks_release(&picks);
    return ok;
}

/* --- where it begins --- */

static bool count_entries(struct conn *source, const char *log, char **count, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SELECT pg_catalog.count(*) FROM ");
    ident_add_qualified(&sql, log, DDL_LOG_TABLE);
    bool ok = conn_scalar(source, sql.data, 0, NULL, count, err);
    buf_release(&sql);
    return ok;
}

static bool count_in_snapshot(struct work *work, const char *snapshot, char **count, struct err *err)
{
    struct conn source = CONN_INIT;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              snapshot_adopt(&source, snapshot, err) &&
              count_entries(&source, work->p->slot, count, err);

    conn_close(&source);
    return ok;
}

static bool keep_some(struct conn *source, struct conn *target, const char *oids, struct err *err)
{
    const char *values[] = {oids};
    char *all = NULL;
    bool ok = conn_scalar(source, sql_ddl_ancestors, 1, values, &all, err);
    struct buf list = BUF_INIT;
    PGresult *res = NULL;

    values[0] = all;
    ok = ok && (res = conn_exec_params(source, sql_ddl_definition, 1, values, err));
    for (int i = 0; ok && i < PQntuples(res); i++)
        buf_addf(&list, "%c%s", i ? ',' : '[', PQgetvalue(res, i, 0));
    buf_addstr(&list, list.len ? "]" : "[]");
    values[0] = list.data;
    ok = ok && conn_command_params(target, sql_ddl_know_many, 1, values, err);
    buf_release(&list);
    PQclear(res);
    free(all);
    return ok;
}

/* --- what was changed before its table was copied --- */

static cJSON *read_definition(struct conn *c, const char *oid, struct err *err)
{
    char *oids = xasprintf("{%s}", oid);
    const char *values[] = {oids};
    char *text = NULL;
    bool ok = conn_scalar(c, sql_ddl_definition, 1, values, &text, err);
    cJSON *definition = ok && text ? cJSON_Parse(text) : NULL;

    if (ok && !definition)
        err_set(err, ERR_NOT_FOUND, "%s: there is no table with OID %s any more", c->label, oid);
    free(text);
    free(oids);
    return definition;
}

static bool run_plan(struct work *work, struct conn *target, const struct ddl_plan *plan, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < plan->count; i++) {
        ok = conn_command(target, plan->statements[i], err);
        if (ok)
            work_event(work, "info", "followed on the target: %s", plan->statements[i]);
    }
    return ok;
}

static bool hold_back_anew(struct conn *target, const cJSON *definition, const struct ddl_plan *names,
                           struct err *err)
{
    struct ddl_plan parts = DDL_PLAN_INIT;
    const char **oids = NULL;
    bool ok = true;

    ddl_describe_parts(definition, names->schema, names->name, &oids, &parts);
    for (size_t i = 0; ok && i < parts.count; i++) {
        const char *values[] = {oids[i], parts.statements[i]};
        ok = conn_command_params(target, sql_ddl_held_back, 2, values, err);
    }
    ddl_plan_release(&parts);
    free(oids);
    return ok;
}

/* From which definition the target's table was made: as it was kept at an earlier epoch, or a guess. */
static cJSON *before_now(struct conn *target, const cJSON *now, const cJSON *there, const PGresult *shapes,
                         int row, struct err *err)
{
    const char *values[] = {PQgetvalue(shapes, row, 0)};
    char *kept = NULL;
    bool ok = conn_scalar(target, "SELECT definition FROM pgcutover.definitions "
                          "WHERE source_oid = $1::pg_catalog.oid", 1, values, &kept, err);
    cJSON *before = ok && kept ? cJSON_Parse(kept) : NULL;

    free(kept);
    if (ok && !before)
        before = ddl_guess_before(now, there, PQgetvalue(shapes, row, 1), PQgetvalue(shapes, row, 2));
    return before;
}

static bool align(struct work *work, struct conn *target, const char *oid, const struct ddl_case *c,
                  struct err *err)
{
    struct ddl_plan plan = DDL_PLAN_INIT;

    ddl_decide_table(c, &plan);
    const char *values[] = {oid, json_str(c->after, "schema"), json_str(c->after, "name"), plan.schema, plan.name};
    bool ok = run_plan(work, target, &plan, err) &&
              conn_command_params(target, sql_ddl_move_table, 5, values, err) &&
              hold_back_anew(target, c->after, &plan, err);
    ddl_plan_release(&plan);
    return ok;
}

/* row: of ddl_target_shapes. */
static bool align_table(struct work *work, struct conn *source, struct conn *target, const PGresult *shapes,
                        int row, struct err *err)
{
    cJSON *now = read_definition(source, PQgetvalue(shapes, row, 0), err);
    cJSON *there = now ? read_definition(target, PQgetvalue(shapes, row, 4), err) : NULL;
    cJSON *before = there ? before_now(target, now, there, shapes, row, err) : NULL;
    bool ok = before != NULL;

    if (ok) {
        const struct ddl_case c = {.before = before, .after = now, .target = there, .without_rows = true,
                                   .target_schema = json_str(there, "schema"),
                                   .target_name = json_str(there, "name"), .target_version = target->version};
        ok = align(work, target, PQgetvalue(shapes, row, 0), &c, err);
    }
    if (!ok)
        err_wrap(err, "could not bring a table of the target to the source's definition, which was changed "
                      "before it was copied");
    cJSON_Delete(before);
    cJSON_Delete(now);
    cJSON_Delete(there);
    return ok;
}

static bool is_same_shape(const PGresult *a, int i, const PGresult *b, int k)
{
    return strcmp(PQgetvalue(a, i, 1), PQgetvalue(b, k, 1)) == 0 &&
           strcmp(PQgetvalue(a, i, 2), PQgetvalue(b, k, 2)) == 0 &&
           strcmp(PQgetvalue(a, i, 3), PQgetvalue(b, k, 3)) == 0;
}

static bool align_some(struct work *work, struct conn *source, struct conn *target, const char *oids,
                       bool *changed, struct err *err)
{
    const char *values[] = {oids};
    PGresult *from = conn_exec_params(source, sql_ddl_shapes, 1, values, err);
    PGresult *to = from ? conn_exec_params(target, sql_ddl_target_shapes, 1, values, err) : NULL;
    bool ok = to != NULL;

    for (int i = 0, k = 0; ok && i < PQntuples(from) && k < PQntuples(to);) {
        unsigned long a = strtoul(PQgetvalue(from, i, 0), NULL, 10);
        unsigned long b = strtoul(PQgetvalue(to, k, 0), NULL, 10);
        if (a == b && !is_same_shape(from, i, to, k)) {
            ok = align_table(work, source, target, to, k, err);
            *changed = true;
        }
        i += a <= b;
        k += b <= a;
    }
    PQclear(from);
    PQclear(to);
    return ok;
}

/* Shapes that cannot be read, or a table that is gone, are no change that an alignment would mend. */
bool work_was_altered(struct work *work, const struct table *table)
{
    struct conn source = CONN_INIT;
    struct conn target = CONN_INIT;
    char *oids = xasprintf("{%s}", table->oid);
    const char *values[] = {oids};
    PGresult *from = NULL;
    PGresult *to = NULL;
    bool altered = false;

    if (work->m->plan.sync_ddl == SYNC_DDL_APPLY && work->m->plan.schema_mode == SCHEMA_COPY &&
        work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, NULL) &&
        work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, NULL) &&
        (from = conn_exec_params(&source, sql_ddl_shapes, 1, values, NULL)) &&
        (to = conn_exec_params(&target, sql_ddl_target_shapes, 1, values, NULL)))
        altered = PQntuples(from) == 1 && PQntuples(to) == 1 && !is_same_shape(from, 0, to, 0);
    PQclear(from);
    PQclear(to);
    conn_close(&source);
    conn_close(&target);
    free(oids);
    return altered;
}

/* --- all tables that are still to be copied --- */

static bool is_to_be_copied(const struct table *t)
{
    return t->at_cutover || t->state == TABLE_BEFORE_LOAD || t->state == TABLE_LOADING || t->state == TABLE_ERROR;
}

static size_t next_oids(const struct pipeline *p, size_t i, struct buf *oids)
{
    for (int n = 0; n < DEFINITIONS_A_MESSAGE && i < p->table_count; i++) {
        if (!is_to_be_copied(p->by_size[i]))
            continue;
        buf_addf(oids, "%c%s", oids->len ? ',' : '{', p->by_size[i]->oid);
        n++;
    }
    buf_addstr(oids, oids->len ? "}" : "{}");
    return i;
}

static bool keep_definitions(struct work *work, struct conn *source, struct err *err)
{
    const struct pipeline *p = work->p;
    struct conn target = CONN_INIT;
    bool changed = false;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);

    for (size_t i = 0; ok && i < p->table_count;) {
        struct buf oids = BUF_INIT;
        i = next_oids(p, i, &oids);
        ok = (work->m->plan.schema_mode != SCHEMA_COPY ||
              align_some(work, source, &target, oids.data, &changed, err)) &&
             keep_some(source, &target, oids.data, err);
        buf_release(&oids);
    }
    ok = ok && (!changed || work_tell_tables(work, &target, err));
    conn_close(&target);
    return ok;
}

bool work_has_ddl_log(struct conn *source, const char *log, bool *has, struct err *err)
{
    const char *values[] = {log};
    char *found = NULL;
    bool ok = conn_scalar(source, "SELECT c.oid FROM pg_catalog.pg_class c "
                          "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
                          "WHERE n.nspname = $1 AND c.relname = '" DDL_LOG_TABLE "'", 1, values, &found, err);

    *has = found != NULL;
    free(found);
    return ok;
}

bool work_go_on_ddl_log(struct work *work, const char *snapshot, struct err *err)
{
    struct conn source = CONN_INIT;
    bool has = false;
    bool ok = work->m->plan.sync_ddl != SYNC_DDL_APPLY ||
              (work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
               work_has_ddl_log(&source, work->p->slot, &has, err) &&
               (!has || work_begin_ddl_log(work, &source, snapshot, err)));

    conn_close(&source);
    return ok;
}

bool work_begin_ddl_log(struct work *work, struct conn *source, const char *snapshot, struct err *err)
{
    char *before = NULL;
    char *after = NULL;
    bool ok = count_in_snapshot(work, snapshot, &before, err) && keep_definitions(work, source, err) &&
              count_entries(source, work->p->slot, &after, err);

    if (ok && strcmp(before, after) != 0) {
        err_set(err, ERR_CONFLICT, "the source's schema was changed while its definitions were read");
        err_hint(err, "It is tried again, from a new slot.");
        err->retryable = true;
        ok = false;
    }
    free(before);
    free(after);
    return ok;
}
