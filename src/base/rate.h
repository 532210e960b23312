/* Keeps a stream of bytes below a rate: who sends asks how long to wait before going on. */
#ifndef PGC_BASE_RATE_H
#define PGC_BASE_RATE_H

#include <stdint.h>

struct rate {
    int64_t bytes_per_second; /* 0: no limit */
    int64_t paid_us;          /* until when what has passed may take; clock_mono_ms() in microseconds */
};

/* Another rate from now on; what has passed before is forgiven. */
void rate_set(struct rate *rate, int64_t bytes_per_second, int64_t now_us);
/* Notes that so many bytes have passed. A pause leaves at most a tenth of a second's worth to catch up on. */
void rate_add(struct rate *rate, int64_t bytes, int64_t now_us);
/* How long to wait before anything more may pass; 0: not at all. */
int64_t rate_wait_us(const struct rate *rate, int64_t now_us);

#endif
