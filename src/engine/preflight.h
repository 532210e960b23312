/* Everything that is known before anything is changed: connections to both sides, catalogs, the picked
 * tables, what the checks found. For the check worker, `pgcutover check` and --dry-run. */
#ifndef PGC_ENGINE_PREFLIGHT_H
#define PGC_ENGINE_PREFLIGHT_H

#include "catalog/catalog.h"
#include "catalog/select.h"
#include "check/ahead.h"
#include "check/findings.h"
#include "pg/conn.h"
#include "plan/plan.h"
#include "schema/tools.h"

struct preflight {
    struct conn source, target; /* target: to a maintenance database while its own does not exist */
    bool target_exists;
    bool deep;                  /* set before: also the checks that read much */
    void (*show)(void *arg, const char *host, const char *command); /* set before: told of commands on servers' hosts; may be NULL */
    void *show_arg;
    struct check_measured measured;
    struct catalog source_catalog, target_catalog;
    struct table_list tables;
    struct findings findings;
    struct schema_tools tools;
};

#define PREFLIGHT_INIT {.source = CONN_INIT, .target = CONN_INIT}

/* Reads both sides and runs the checks of one database. phase (may be NULL) is told what goes on.
 * True also when the checks found something: findings_error() tells. Always release afterwards. */
bool preflight_run(struct preflight *pre, const struct plan *plan,
                   const struct plan_database *database,
                   void (*phase)(void *arg, const char *text), void *arg, struct err *err);
/* The same for the checks of one id; of what the tools of schema/ find, nothing. */
bool preflight_run_only(struct preflight *pre, const struct plan *plan, const struct plan_database *database, const char *id,
                        struct err *err);
/* Connects to both sides of one database, as preflight_run() does first, and no more. Always release afterwards. */
bool preflight_open(struct preflight *pre, const struct plan *plan, const struct plan_database *database,
                    struct err *err);
void preflight_release(struct preflight *pre);

#endif
