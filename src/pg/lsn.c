#include "pg/lsn.h"

#include <inttypes.h>
#include <stdio.h>

bool lsn_parse(const char *text, lsn_t *lsn)
{
    uint32_t high;
    uint32_t low;
    char rest;

    if (!text || sscanf(text, "%8" SCNx32 "/%8" SCNx32 "%c", &high, &low, &rest) != 2)
        return false;
    *lsn = (uint64_t)high << 32 | low;
    return true;
}

const char *lsn_format(lsn_t lsn, char out[LSN_TEXT_SIZE])
{
    snprintf(out, LSN_TEXT_SIZE, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return out;
}
