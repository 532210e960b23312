#include "base/units.h"

#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit byte_units[] = {
    {"", 1},           {"b", 1},           {"kb", 1024.0},         {"mb", 1048576.0},
    {"gb", 1073741824.0}, {"tb", 1099511627776.0}, {NULL, 0},
};

static const struct unit time_units[] = {
    {"", 1e6}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6},
    {NULL, 0},
};

static bool parse(const char *text, const struct unit *units, int64_t *out)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || !isfinite(value) || value < 0 || !strpbrk(text, "0123456789"))
        return false;
    while (isspace((unsigned char)*end))
        end++;
    for (; units->name; units++) {
        if (strcasecmp(units->name, end) == 0 && value * units->factor < 9e18) {
            *out = (int64_t)llround(value * units->factor);
            return true;
        }
    }
    return false;
}

bool units_parse_bytes(const char *text, int64_t *bytes)
{
    return parse(text, byte_units, bytes);
}

bool units_parse_duration_us(const char *text, int64_t *us)
{
    return parse(text, time_units, us);
}

void units_bytes(int64_t bytes, char *out, size_t size)
{
    static const char *const names[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    double value = (double)bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < sizeof names / sizeof *names) {
        value /= 1024;
        i++;
    }
    snprintf(out, size, i == 0 || value >= 99.95 ? "%.0f %s" : "%.1f %s", value, names[i]);
}

void units_count(int64_t count, char *out, size_t size)
{
    char digits[32];
    size_t used = 0;
    int len = snprintf(digits, sizeof digits, "%" PRId64, count);

    for (int i = 0; i < len && used + 2 < size; i++) {
        out[used++] = digits[i];
        if (i + 1 < len && (len - i - 1) % 3 == 0 && digits[i] != '-')
            out[used++] = ',';
    }
    out[used] = '\0';
}

void units_duration(int64_t us, char *out, size_t size)
{
    int64_t s = us / 1000000;

    if (us < 10 * 1000000)
        snprintf(out, size, "%.1f s", (double)us / 1e6);
    else if (s < 60)
        snprintf(out, size, "%" PRId64 " s", s);
    else if (s < 3600)
        snprintf(out, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, size, "%" PRId64 "d %02" PRId64 "h", s / 86400, s / 3600 % 24);
}
