/* Tables that came to the source behind the migration's back: where schema changes are not followed (sync.ddl "stop", or a role
 * that may not make event triggers) nothing in the stream tells of them, and the target would lack them. So what the plan
 * picks is looked at again when everything before is applied. */
#include "engine/cutover.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/catalog.h"
#include "catalog/select.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define NAMES_SHOWN 5

struct look {
    struct cutover *cutover;
    struct catalog source, target;
    struct table_list picked;
    PGresult *known; /* owned */
};

static int by_oid(const void *key, const void *row)
{
    uint32_t a = *(const uint32_t *)key;
    uint32_t b = *(const uint32_t *)row;

    return a < b ? -1 : a > b;
}

static uint32_t *known_oids(const PGresult *res)
{
    uint32_t *oids = xcalloc((size_t)PQntuples(res) + 1, sizeof *oids);

    for (int i = 0; i < PQntuples(res); i++)
        oids[i] = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);
    return oids;
}

static bool was_removed(const PGresult *known, const struct table_entry *t)
{
    for (int i = 0; i < PQntuples(known); i++)
        if (!PQgetisnull(known, i, 1) && strcmp(PQgetvalue(known, i, 1), t->schema) == 0 &&
            strcmp(PQgetvalue(known, i, 2), t->name) == 0)
            return true;
    return false;
}

static bool refuse_unknown(const struct look *l, struct err *err)
{
    uint32_t *oids = known_oids(l->known);
    struct buf names = BUF_INIT, arguments = BUF_INIT;
    size_t count = 0;

    for (size_t i = 0; i < l->picked.count; i++) {
        const struct table_entry *t = &l->picked.items[i];
        if (bsearch(&t->oid, oids, (size_t)PQntuples(l->known), sizeof *oids, by_oid) || was_removed(l->known, t) ||
            count++ >= NAMES_SHOWN)
            continue;
        char *name = ident_display(t->schema, t->name);
        buf_addf(&names, "%s%s", names.len ? ", " : "", name);
        buf_addf(&arguments, " '%s'", name);
        free(name);
    }
    if (count) {
        err_set(err, ERR_PREREQUISITE, "%zu table%s that the plan picks came to the source and %s not moved: %s%s", count,
                count == 1 ? "" : "s", count == 1 ? "is" : "are", names.data, count > NAMES_SHOWN ? ", ..." : "");
        err_hint(err, "\"pgcutover add %s%s\" takes them in; then cut over again. Or leave them out by the plan's excludedTables.",
                 l->cutover->work->m->name, arguments.data);
    }
    buf_release(&names);
    buf_release(&arguments);
    free(oids);
    return !count;
}

static bool pick(struct look *l, struct err *err)
{
    const struct plan *plan = &l->cutover->work->m->plan;
    bool existing = plan->schema_mode == SCHEMA_EXISTING;
    bool ok = catalog_load(&l->cutover->source, &l->source, err) &&
              (!existing || catalog_load(&l->cutover->reader, &l->target, err));

    ok = ok && catalog_select_existing(&l->source, existing ? &l->target : NULL, l->cutover->work->p->plan, &l->picked, err);
    if (ok && plan->load_unlogged == UNLOGGED_EMPTY)
        table_list_drop_unlogged(&l->picked);
    return ok;
}

static bool look(struct cutover *c, struct err *err)
{
    struct look l = {.cutover = c};
    struct err own = ERR_INIT;
    bool ok = pick(&l, &own);

    if (!ok && own.code == ERR_USAGE) {
        /* A table that the plan names is gone: of the others nothing can be told. */
        work_event(c->work, "warning", "whether tables came to the source was not looked at: %s", own.message);
        err_clear(&own);
        ok = true;
    } else if (ok) {
        l.known = conn_exec(&c->target, sql_cutover_known_tables, &own);
        ok = l.known && refuse_unknown(&l, &own);
    }
    if (!ok)
        err_move(err, &own);
    PQclear(l.known);
    table_list_release(&l.picked);
    catalog_release(&l.source);
    catalog_release(&l.target);
    return ok;
}

bool cutover_knows_all_tables(struct cutover *c, struct err *err)
{
    char *now = NULL;
    bool ok = conn_scalar(&c->source, sql_cutover_relations, 0, NULL, &now, err);

    if (ok && (!c->relations || strcmp(c->relations, now) != 0))
        ok = look(c, err);
    if (ok)
        str_replace(&c->relations, now);
    free(now);
    return ok;
}
