/* What deleting or cancelling a migration would do on the servers, without doing it. */
#ifndef PGC_ENGINE_UNDO_H
#define PGC_ENGINE_UNDO_H

#include "engine/model.h"

/* Adds {"databaseName","side","kind","schema","name","statement"} for everything that the journal has and that is not taken
 * back yet, in the order in which it would be; side null: neither server; statement null: it would be kept. ERR_IO, or
 * ERR_PROTOCOL where the journal is damaged. */
bool undo_list(const struct migration *m, cJSON *list, struct err *err);

#endif
