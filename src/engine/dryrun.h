/* What a plan would do, without doing it. */
#ifndef PGC_ENGINE_DRYRUN_H
#define PGC_ENGINE_DRYRUN_H

#include "base/buf.h"
#include "plan/plan.h"

/* Reads both servers, runs the checks that change nothing, and describes per database what would be
 * made where, and what would be moved. The same errors as a run (ERR_PREREQUISITE, ERR_USAGE). */
bool dry_run_describe(const struct plan *plan, const char *until, struct buf *out,
                      struct err *err);

#endif
