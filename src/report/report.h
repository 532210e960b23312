/* The report of a migration, fit for a change ticket: what was moved, how it was checked, what was changed on either server,
 * how long writes stood still, what is left. Made from what the migration left in its directory and from its status: no server
 * is asked, so that it can be made at any time until the migration is deleted. */
#ifndef PGC_REPORT_REPORT_H
#define PGC_REPORT_REPORT_H

#include <cjson/cJSON.h>

#include "base/err.h"

/* Everything that is known, as one object (pgcutover(1), "The report"). dir: the migration's; status: as "status --json" has
 * it. What cannot be read, or is damaged, is named in "incomplete". Owned. */
cJSON *report_build(const char *dir, const cJSON *status);

/* For people, in lines. Owned. */
char *report_text(const cJSON *report);
/* One page that needs nothing else: styles and charts are in it. Owned. */
char *report_html(const cJSON *report);

#endif
