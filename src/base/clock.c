#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/xalloc.h"

int64_t clock_wall_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

char *clock_iso(int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;
    char date[32];
    char fraction[16] = "";

    gmtime_r(&seconds, &tm);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    if (wall_us % 1000000) {
        int len = snprintf(fraction, sizeof fraction, ".%06d", (int)(wall_us % 1000000));
        while (fraction[len - 1] == '0')
            fraction[--len] = '\0';
    }
    return xasprintf("%s%s+00:00", date, fraction);
}

bool clock_parse_iso(const char *text, int64_t *wall_us)
{
    struct tm tm = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
    int64_t fraction = 0;

    if (!rest)
        return false;
    if (*rest == '.')
        for (int64_t unit = 100000; *++rest >= '0' && *rest <= '9'; unit /= 10)
            fraction += (*rest - '0') * unit;
    if (strcmp(rest, "+00:00") != 0)
        return false;
    *wall_us = (int64_t)timegm(&tm) * 1000000 + fraction;
    return true;
}

void clock_hms(int64_t wall_us, char out[16])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(out, 16, "%H:%M:%S", &tm);
}
