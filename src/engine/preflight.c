#include "engine/preflight.h"

#include <stdlib.h>
#include <string.h>

#include "check/check.h"
#include "engine/decide.h"
#include "engine/host_disk.h"
#include "schema/compare.h"
#include "schema/roles.h"
#include "schema/target.h"

struct flight {
    struct preflight *pre;
    const struct plan *plan;
    const struct plan_database *database;
    const char *only; /* the id of the checks to make, NULL: all */
    struct conninfo source_info, target_info;
};

static bool open_target(struct flight *f, struct err *err)
{
    static const char *const others[] = {"postgres", "template1"};
    struct conn_options options = {.side = SIDE_TARGET, .profile = CONN_PLAIN, .role = "check"};

    f->pre->target_exists = conn_open(&f->pre->target, &f->target_info, &options, err);
    if (f->pre->target_exists || strcmp(err->sqlstate, "3D000") != 0)
        return f->pre->target_exists;
    for (int i = 0; i < 2; i++) {
        options.dbname = others[i];
        err_clear(err);
        if (conn_open(&f->pre->target, &f->target_info, &options, err))
            return true;
    }
    return false;
}

static bool open_both(struct flight *f, struct err *err)
{
    struct conn_options options = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "check"};

    return plan_conninfo(&f->plan->source, f->database->name, &f->source_info, err) &&
           plan_conninfo(&f->plan->target, f->database->target_name, &f->target_info, err) &&
           conn_open(&f->pre->source, &f->source_info, &options, err) && open_target(f, err);
}

bool preflight_open(struct preflight *pre, const struct plan *plan, const struct plan_database *database,
                    struct err *err)
{
    struct flight f = {.pre = pre, .plan = plan, .database = database};
    bool ok = open_both(&f, err);

    conninfo_release(&f.source_info);
    conninfo_release(&f.target_info);
    return ok;
}

static bool pick(struct flight *f, struct err *err)
{
    struct preflight *pre = f->pre;
    bool existing = f->plan->schema_mode == SCHEMA_EXISTING && pre->target_exists;

    bool ok = existing ? catalog_select_existing(&pre->source_catalog, &pre->target_catalog,
                                                 f->database, &pre->tables, err)
                       : catalog_select(&pre->source_catalog, f->database, &pre->tables, err);

    if (ok && f->plan->load_unlogged == UNLOGGED_EMPTY)
        table_list_drop_unlogged(&pre->tables);
    if (ok && f->plan->schema_mode == SCHEMA_COPY)
        table_list_keep_names(&pre->tables);
    return ok && catalog_resolve_columns(&pre->source, f->database, &pre->tables, err);
}

static void add_failure(struct preflight *pre, const char *id, enum conn_side side,
                        const struct err *err, const char *why)
{
    findings_add(&pre->findings, (struct finding){
        .id = id, .severity = FINDING_FAIL, .side = side,
        .message = err->detail ? xasprintf("%s: %s", err->message, err->detail)
                               : xstrdup(err->message),
        .why = xstrdup(why), .fix = xstrdup(err->hint)});
}

/* pg_dump must be there before anything is made. */
static void check_tools(struct flight *f)
{
    struct err err = ERR_INIT;

    if (f->plan->schema_mode == SCHEMA_COPY &&
        !schema_tools_find(&f->pre->tools, f->pre->source.version, f->pre->target.version, &err))
        add_failure(f->pre, "pg-dump", SIDE_SOURCE, &err, "The schema is read with pg_dump.");
    err_clear(&err);
}

/* The operator's own statements are run much later. */
static void check_after_sql(struct flight *f)
{
    struct err err = ERR_INIT;
    char *sql = NULL;

    if (!plan_after_schema_sql(f->plan, &sql, &err)) {
        err_hint(&err, "Write the file, or mend schema.afterSchemaSql in the plan.");
        add_failure(f->pre, "after-schema-sql", SIDE_TARGET, &err, "Its statements are to be run before the load.");
    }
    free(sql);
    err_clear(&err);
}

/* Roles that own something must be there, or be made. */
static bool check_roles(struct flight *f, struct err *err)
{
    struct buf names = BUF_INIT, missing = BUF_INIT;
    struct schema_role *roles;
    struct schema_role_map map = role_map_of(f->plan, &roles);
    bool ok = schema_missing_roles(&f->pre->source, &f->pre->target, &map, &names, err) &&
              role_map_missing(&map, &f->pre->target, &missing, err);

    if (ok && missing.len)
        findings_add(&f->pre->findings, (struct finding){
            .id = "role-map", .severity = FINDING_FAIL, .side = SIDE_TARGET,
            .message = xasprintf("roles that schema.roleMap names do not exist: %s", missing.data),
            .why = xstrdup("They are to own objects, and to be granted rights, in place of others."),
            .fix = xstrdup("CREATE ROLE ... for each, or name others in schema.roleMap")});

    if (ok && names.len) {
        bool copied = f->plan->schema_roles;
        findings_add(&f->pre->findings, (struct finding){
            .id = "owners", .severity = copied ? FINDING_INFO : FINDING_FAIL, .side = SIDE_TARGET,
            .message = xasprintf("roles of the source are missing: %s", names.data),
            .why = xstrdup(copied ? "They will be made on the target (schema.roles)."
                                  : "Their objects and grants cannot be made without them."),
            .fix = copied ? NULL : xstrdup("CREATE ROLE ... for each, or \"schema\": {\"roles\": true}, or "
                                               "others that stand for them: \"schema\": {\"roleMap\": {\"OLD\": \"NEW\"}}")});
    }
    buf_release(&names);
    buf_release(&missing);
    free(roles);
    return ok;
}

static bool compare_existing(struct flight *f, struct err *err)
{
    const struct table_list *list = &f->pre->tables;
    struct schema_table_pair *pairs = xcalloc(list->count + 1, sizeof *pairs);
    struct err found = ERR_INIT;
    char (*oids)[16] = xcalloc(list->count + 1, sizeof *oids);

    for (size_t i = 0; i < list->count; i++) {
        snprintf(oids[i], sizeof oids[i], "%u", list->items[i].oid);
        pairs[i] = (struct schema_table_pair){oids[i], list->items[i].target_schema,
                                              list->items[i].target_name, list->items[i].columns};
    }
    bool ok = schema_compare_tables(&f->pre->source, &f->pre->target, pairs, list->count, &found);
    if (!ok && found.code == ERR_PREREQUISITE) {
        add_failure(f->pre, "t-columns", SIDE_TARGET, &found, "The rows would not fit.");
        err_clear(&found);
        ok = true;
    }
    if (!ok)
        err_move(err, &found);
    free(oids);
    free(pairs);
    return ok;
}

static bool run_checks(struct flight *f, struct err *err)
{
    struct preflight *pre = f->pre;
    struct check_context context = {
        .source = &pre->source,
        .target = &pre->target,
        .source_info = &f->source_info,
        .plan = f->plan,
        .database = f->database,
        .source_catalog = &pre->source_catalog,
        .target_catalog = pre->target_exists ? &pre->target_catalog : NULL,
        .tables = &pre->tables,
        .deep = pre->deep,
        .measured = &pre->measured,
        .only = f->only,
    };

    if (!checks_run(&context, &pre->findings, err))
        return false;
    if (f->only)
        return true;
    check_tools(f);
    check_after_sql(f);
    if (!host_disk_check(pre, f->plan, err))
        return false;
    if (!check_roles(f, err))
        return false;
    if (f->plan->schema_mode == SCHEMA_EXISTING && pre->target_exists && !compare_existing(f, err))
        return false;
    findings_sort(&pre->findings);
    findings_waive(&pre->findings, f->plan->waived, f->plan->waived_count);
    return true;
}

static bool fly(struct flight *f, void (*phase)(void *arg, const char *text), void *arg, struct err *err)
{
    struct preflight *pre = f->pre;
    bool ok = open_both(f, err);

    if (ok && phase)
        phase(arg, "reading the catalogs");
    ok = ok && catalog_load(&pre->source, &pre->source_catalog, err) &&
         (!pre->target_exists || catalog_load(&pre->target, &pre->target_catalog, err)) &&
         pick(f, err);
    if (ok && phase)
        phase(arg, "checking prerequisites");
    ok = ok && run_checks(f, err);
    conninfo_release(&f->source_info);
    conninfo_release(&f->target_info);
    return ok;
}

bool preflight_run(struct preflight *pre, const struct plan *plan,
                   const struct plan_database *database,
                   void (*phase)(void *arg, const char *text), void *arg, struct err *err)
{
    struct flight f = {.pre = pre, .plan = plan, .database = database};

    return fly(&f, phase, arg, err);
}

bool preflight_run_only(struct preflight *pre, const struct plan *plan, const struct plan_database *database, const char *id,
                        struct err *err)
{
    struct flight f = {.pre = pre, .plan = plan, .database = database, .only = id};

    return fly(&f, NULL, NULL, err);
}

void preflight_release(struct preflight *pre)
{
    conn_close(&pre->source);
    conn_close(&pre->target);
    catalog_release(&pre->source_catalog);
    catalog_release(&pre->target_catalog);
    table_list_release(&pre->tables);
    findings_release(&pre->findings);
    schema_tools_release(&pre->tools);
}
