/* The prerequisite checks: everything that would stop or harm a migration, found before it begins.
 *
 * All checks run, always; none changes anything. A check that lacks the privilege to run is itself a
 * finding. checks.md of the design gives the ids. */
#ifndef PGC_CHECK_CHECK_H
#define PGC_CHECK_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "catalog/catalog.h"
#include "catalog/select.h"
#include "check/ahead.h"
#include "check/findings.h"
#include "pg/conn.h"
#include "pg/conninfo.h"
#include "plan/plan.h"

/* All borrowed. The connections are CONN_PLAIN, in no transaction. */
struct check_context {
    struct conn *source;
    struct conn *target;                  /* to another database of the server while the target
                                           * database does not exist; NULL: target checks are left out */
    const struct conninfo *source_info;   /* for the probe of the replication connection */
    const struct plan *plan;
    const struct plan_database *database;
    const struct catalog *source_catalog;
    const struct catalog *target_catalog; /* NULL: the target database does not exist yet */
    const struct table_list *tables;      /* what catalog_select() picked */
    int long_transaction_s;               /* older ones are reported; 0: 60 */
    bool deep;                            /* also the checks that read much */
    struct check_measured *measured;      /* what is known, or found out now; NULL: nothing, and nobody asks */
    int64_t sample_bytes;                 /* smaller databases are not measured; 0: 64 MB */
    int64_t big_value_bytes;              /* larger values are reported; 0: 256 MB */
    const char *only;                     /* the checks of this id and no others; NULL: all */
};

/* Runs every check that applies to the plan and the servers' versions. findings is empty before.
 * False only when a connection was lost or a stop was requested; what was found until then stays
 * in findings. Leaves both connections in no transaction and their deadlines as they were. */
bool checks_run(const struct check_context *context, struct findings *findings, struct err *err);

/* When what a check found may have changed since. */
enum check_moment { CHECK_BEFORE_LOAD = 1, CHECK_BEFORE_CUTOVER = 2 };

/* Runs the checks that can go stale until this moment. The catalogs, tables and source_info of the context are not
 * looked at; both databases exist. Otherwise as checks_run(). */
bool checks_run_again(const struct check_context *context, enum check_moment moment, struct findings *findings,
                      struct err *err);

/* Whether a finding may have this id: one of the checks', or one of what the engine looks at beside them. */
bool check_id_is_known(const char *id);
/* The known id that is most like this one, or NULL. */
const char *check_id_nearest(const char *id);

#endif
