#include "base/rate.h"

#define BURST_US 100000

void rate_set(struct rate *rate, int64_t bytes_per_second, int64_t now_us)
{
    rate->bytes_per_second = bytes_per_second;
    rate->paid_us = now_us;
}

void rate_add(struct rate *rate, int64_t bytes, int64_t now_us)
{
    if (!rate->bytes_per_second)
        return;
    if (rate->paid_us < now_us - BURST_US)
        rate->paid_us = now_us - BURST_US;
    rate->paid_us += (int64_t)((double)bytes * 1e6 / (double)rate->bytes_per_second);
}

int64_t rate_wait_us(const struct rate *rate, int64_t now_us)
{
    return rate->bytes_per_second && rate->paid_us > now_us ? rate->paid_us - now_us : 0;
}
