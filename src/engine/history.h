/* How load and lag went, for the report's chart: a line every second at first, thinned out as the migration gets longer, so
 * that it never has more than HISTORY_LINES of them. A file of JSON lines {"time","us","rows","bytes","applied","lagUs"}: sums over
 * all databases, the greatest lag of them (null: not known). Gaps are times when no engine ran. */
#ifndef PGC_ENGINE_HISTORY_H
#define PGC_ENGINE_HISTORY_H

#include "engine/model.h"

#define HISTORY_LINES 2000

struct history {
    char *path; /* owned */
    int64_t interval_ms, next_ms;
    size_t lines;
};

/* Goes on with what is there in the migration's directory. */
void history_open(struct history *history, const struct migration *m);
/* Adds a line when it is time; what cannot be written is missing, and nothing else happens. */
void history_turn(struct history *history, const struct migration *m);
void history_close(struct history *history);

#endif
