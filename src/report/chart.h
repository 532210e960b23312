/* Charts of the report's history, as SVG inside of the page. */
#ifndef PGC_REPORT_CHART_H
#define PGC_REPORT_CHART_H

#include <cjson/cJSON.h>

#include "base/buf.h"

/* Appends two charts, rows and changes, and lag, over one axis of time; marks for the freeze and the opening of each
 * database. Nothing where the history has fewer than two readings. */
void chart_add(struct buf *out, const cJSON *report);

#endif
