/* What the report's texts share: the words for what the object has. Results in caller's storage are of WORDS_SIZE. */
#ifndef PGC_REPORT_WORDS_H
#define PGC_REPORT_WORDS_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#define WORDS_SIZE 96

/* "2026-11-25 21:04:05.123 UTC" of a time as the object has it; "-" when it is none. */
const char *words_time(const cJSON *object, const char *key, char out[WORDS_SIZE]);
/* "21:04:05.123" */
const char *words_clock(const cJSON *object, const char *key, char out[WORDS_SIZE]);
/* "1,204", "15.1 GB", "1.234 s" or "1:02:03"; "-" where there is no number. */
const char *words_count(const cJSON *object, const char *key, char out[WORDS_SIZE]);
const char *words_bytes(const cJSON *object, const char *key, char out[WORDS_SIZE]);
const char *words_seconds(const cJSON *object, const char *key, char out[WORDS_SIZE]);
/* The string at key, or otherwise. Borrowed. */
const char *words_of(const cJSON *object, const char *key, const char *otherwise);
double words_number(const cJSON *object, const char *key);
/* How a table's comparison ended: "equal at 0/123 (1,204 rows)", "differs: ...", "not compared". */
const char *words_comparison(const cJSON *table, char *out, int size);
/* Equal as of one position, or compared and different: what the report's first lines count. */
bool words_is_equal(const cJSON *table);
bool words_is_different(const cJSON *table);

#endif
