#include "base/crc.h"

#include <stdbool.h>
#include <string.h>

#if defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

#define POLYNOMIAL 0x82f63b78u /* reflected */

/* table[k][b]: what byte b changes k bytes later. */
static uint32_t table[8][256];

static void make_table(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        table[0][byte] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int byte = 0; byte < 256; byte++)
            table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *at = data;

    if (!table[0][1])
        make_table();
    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8)
        crc = table[7][(at[0] ^ crc) & 0xff] ^ table[6][(at[1] ^ crc >> 8) & 0xff] ^
              table[5][(at[2] ^ crc >> 16) & 0xff] ^ table[4][at[3] ^ crc >> 24] ^ table[3][at[4]] ^
              table[2][at[5]] ^ table[1][at[6]] ^ table[0][at[7]];
    while (len--)
        crc = crc >> 8 ^ table[0][(*at++ ^ crc) & 0xff];
    return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t with_instruction(uint32_t crc, const void *data,
                                                                   size_t len)
{
    const unsigned char *at = data;
    uint64_t sum = ~crc, word;

    for (; len >= 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        sum = __builtin_ia32_crc32di(sum, word);
    }
    while (len--)
        sum = __builtin_ia32_crc32qi((uint32_t)sum, *at++);
    return ~(uint32_t)sum;
}

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__ARM_FEATURE_CRC32)
static uint32_t with_instruction(uint32_t crc, const void *data, size_t len)
{
    const unsigned char *at = data;
    uint64_t word;

    crc = ~crc;
    for (; len >= 8; at += 8, len -= 8) {
        memcpy(&word, at, 8);
        crc = __crc32cd(crc, word);
    }
    while (len--)
        crc = __crc32cb(crc, *at++);
    return ~crc;
}

static bool has_instruction(void)
{
    return true;
}
#else
#define with_instruction crc32c_portable

static bool has_instruction(void)
{
    return false;
}
#endif

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    static uint32_t (*chosen)(uint32_t crc, const void *data, size_t len);

    if (!chosen)
        chosen = has_instruction() ? with_instruction : crc32c_portable;
    return chosen(crc, data, len);
}
