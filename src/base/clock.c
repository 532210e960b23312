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

/* Behind the time: nothing (local), "Z", or an offset. *has_zone, *east_s: seconds east of UTC. */
static bool parse_zone(const char *text, bool *has_zone, long *east_s)
{
    int hours, minutes = 0, used = 0;

    *has_zone = *text != '\0';
    *east_s = 0;
    if (!*text || strcmp(text, "Z") == 0)
        return true;
    if ((*text != '+' && *text != '-') || !strchr("0123456789", text[1]) || !text[1])
        return false;
    if (sscanf(text + 1, "%2d%n:%2d%n", &hours, &used, &minutes, &used) < 1 || text[1 + used] || hours > 15 || minutes > 59)
        return false;
    *east_s = (*text == '-' ? -1 : 1) * (hours * 3600L + minutes * 60L);
    return true;
}

bool clock_parse_time(const char *text, int64_t *wall_us)
{
    static const char *const forms[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"};
    struct tm tm = {0}, same;
    const char *rest = NULL;
    bool has_zone;
    long east_s;

    for (size_t i = 0; i < sizeof forms / sizeof *forms && !rest; i++) {
        tm = (struct tm){.tm_isdst = -1};
        rest = strptime(text, forms[i], &tm);
    }
    if (!rest || !parse_zone(rest, &has_zone, &east_s))
        return false;
    same = tm;
    time_t seconds = has_zone ? timegm(&same) - east_s : mktime(&same);
    /* The 31st of February would be a day in March. */
    if (same.tm_mday != tm.tm_mday || same.tm_mon != tm.tm_mon)
        return false;
    *wall_us = (int64_t)seconds * 1000000;
    return true;
}

void clock_hms(int64_t wall_us, char out[16])
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;

    localtime_r(&seconds, &tm);
    strftime(out, 16, "%H:%M:%S", &tm);
}
