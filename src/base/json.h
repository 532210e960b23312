/* Small helpers over cJSON. 64-bit numbers and LSNs travel as strings: cJSON numbers are doubles. */
#ifndef PGC_BASE_JSON_H
#define PGC_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

/* The string at key, or NULL when it is missing or of another type. Borrowed. */
const char *json_str(const cJSON *object, const char *key);
/* The number at key, given as a number or as a decimal string; `otherwise` when missing. */
int64_t json_i64(const cJSON *object, const char *key, int64_t otherwise);
uint64_t json_u64(const cJSON *object, const char *key, uint64_t otherwise);
bool json_bool(const cJSON *object, const char *key, bool otherwise);
const cJSON *json_get(const cJSON *object, const char *key);

/* NULL text is added as null. */
void json_add_str(cJSON *object, const char *key, const char *text);
void json_add_i64(cJSON *object, const char *key, int64_t value); /* as a string */
void json_add_u64(cJSON *object, const char *key, uint64_t value); /* as a string */
void json_add_num(cJSON *object, const char *key, double value);   /* as a number */
void json_add_bool(cJSON *object, const char *key, bool value);
/* Wall-clock microseconds as Azure DMS's time text; 0 becomes null. */
void json_add_time(cJSON *object, const char *key, int64_t wall_us);

/* {"type": type}: the start of a message of the program's own protocols. */
cJSON *json_message(const char *type);

/* One line / indented, keys of every object sorted; owned by the caller. */
char *json_line(const cJSON *json);
char *json_pretty_sorted(const cJSON *json);
/* The same, indented as something that stands `depth` levels deep. */
char *json_pretty_at(const cJSON *json, unsigned depth);

#endif
