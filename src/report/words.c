#include "report/words.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"

static bool is_number(const cJSON *object, const char *key)
{
    return cJSON_IsNumber(json_get(object, key));
}

double words_number(const cJSON *object, const char *key)
{
    return is_number(object, key) ? json_get(object, key)->valuedouble : 0;
}

const char *words_of(const cJSON *object, const char *key, const char *otherwise)
{
    const char *text = json_str(object, key);

    return text ? text : otherwise;
}

static const char *words_at(const cJSON *object, const char *key, const char *format, const char *zone, char out[WORDS_SIZE])
{
    int64_t us;
    struct tm tm;
    char text[40];

    if (!clock_parse_iso(json_str(object, key), &us))
        return "-";
    time_t seconds = (time_t)(us / 1000000);
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text, format, &tm);
    snprintf(out, WORDS_SIZE, "%s.%03d%s", text, (int)(us % 1000000 / 1000), zone);
    return out;
}

const char *words_time(const cJSON *object, const char *key, char out[WORDS_SIZE])
{
    return words_at(object, key, "%Y-%m-%d %H:%M:%S", " UTC", out);
}

const char *words_clock(const cJSON *object, const char *key, char out[WORDS_SIZE])
{
    return words_at(object, key, "%H:%M:%S", "", out);
}

const char *words_count(const cJSON *object, const char *key, char out[WORDS_SIZE])
{
    if (!is_number(object, key))
        return "-";
    units_count((int64_t)words_number(object, key), out, WORDS_SIZE);
    return out;
}

const char *words_bytes(const cJSON *object, const char *key, char out[WORDS_SIZE])
{
    if (!is_number(object, key))
        return "-";
    units_bytes((int64_t)words_number(object, key), out, WORDS_SIZE);
    return out;
}

const char *words_seconds(const cJSON *object, const char *key, char out[WORDS_SIZE])
{
    double seconds = words_number(object, key);

    if (!is_number(object, key))
        return "-";
    if (seconds < 100)
        snprintf(out, WORDS_SIZE, "%.3f s", seconds);
    else
        units_duration((int64_t)(seconds * 1e6), out, WORDS_SIZE);
    return out;
}

/* --- comparisons --- */

static const cJSON *comparison_of(const cJSON *table)
{
    const cJSON *comparison = json_get(table, "comparison");

    return cJSON_IsObject(comparison) ? comparison : NULL;
}

bool words_is_equal(const cJSON *table)
{
    return json_bool(comparison_of(table), "equal", false);
}

bool words_is_different(const cJSON *table)
{
    return comparison_of(table) && !words_is_equal(table);
}

const char *words_comparison(const cJSON *table, char *out, int size)
{
    const cJSON *c = comparison_of(table);
    char rows[WORDS_SIZE], there[WORDS_SIZE];
    const char *until = words_of(c, "unchangedUntilLsn", NULL);
    const char *note = words_of(c, "note", NULL);

    if (!c)
        snprintf(out, (size_t)size, "not compared%s%s", words_of(table, "verifyNote", NULL) ? ": " : "",
                 words_of(table, "verifyNote", ""));
    else if (words_is_equal(table))
        snprintf(out, (size_t)size, "equal at %s%s%s, %s rows%s%s", words_of(c, "lsn", "?"),
                 until ? ", unchanged until " : "", until ? until : "", words_count(c, "sourceRows", rows), note ? "; " : "",
                 note ? note : "");
    else
        snprintf(out, (size_t)size, "DIFFERS at %s: source %s rows, target %s rows%s%s", words_of(c, "lsn", "?"),
                 words_count(c, "sourceRows", rows), words_count(c, "targetRows", there), note ? "; " : "", note ? note : "");
    return out;
}
