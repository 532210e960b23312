/* Time: wall clock in microseconds since 1970 (UTC), a monotonic clock in milliseconds and microseconds. */
#ifndef PGC_BASE_CLOCK_H
#define PGC_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds from 1970-01-01 to 2000-01-01, PostgreSQL's epoch (datatype/timestamp.h). */
#define PG_EPOCH_US INT64_C(946684800000000)

int64_t clock_wall_us(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void);

/* "2018-07-05T23:36:02.27839+00:00", the form that Azure DMS prints: UTC, trailing zeros of the
 * fraction dropped, no fraction when it is zero. Owned by the caller. */
char *clock_iso(int64_t wall_us);
/* Back from that form; false where text (may be NULL) is none. */
bool clock_parse_iso(const char *text, int64_t *wall_us);

/* As people write a time: "2026-12-01 03:00", with seconds, "T" for the blank, and a zone ("Z", "+01:00") if wanted; without one it is
 * this host's local time. false where text is none, or no day of the calendar. */
bool clock_parse_time(const char *text, int64_t *wall_us);

/* "14:02:11" of the local time zone, into out. */
void clock_hms(int64_t wall_us, char out[16]);

#endif
