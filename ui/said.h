/* What a command said in JSON, as text for the screen. */
#ifndef PGC_UI_SAID_H
#define PGC_UI_SAID_H

#include <cjson/cJSON.h>

/* "Message. Hint" of an error's object; otherwise: where it is none. Owned. */
char *said_error(const cJSON *error, const char *otherwise);

#endif
