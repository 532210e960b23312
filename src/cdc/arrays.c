#include "cdc/arrays.h"

#include <stdlib.h>
#include <string.h>

#define NUMERIC_TEXT_MAX 400 /* longer ones go as text */
#define NUMERIC_NEGATIVE 0x4000
#define DAYS_TO_2000 10957   /* from 1970; dates and times count from 2000-01-01 */

/* --- text --- */

static void add_quoted(struct buf *out, const struct value *value)
{
    char *to = buf_room(out, 2 * (size_t)value->len + 2);
    char *at = to;

    *at++ = '"';
    for (uint32_t i = 0; i < value->len; i++) {
        if (value->data[i] == '"' || value->data[i] == '\\')
            *at++ = '\\';
        *at++ = value->data[i];
    }
    *at++ = '"';
    out->len += (size_t)(at - to);
}

void array_add_text(struct buf *out, char delimiter, const struct value *const *values, size_t count)
{
    buf_addch(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_addch(out, delimiter);
        if (values[i]->kind == VALUE_NULL)
            buf_add(out, "NULL", 4);
        else
            add_quoted(out, values[i]);
    }
    buf_add(out, "}", 2); /* with its NUL */
}

/* --- binary: one element --- */

static void put(char *to, uint64_t number, size_t size)
{
    for (size_t i = size; i-- > 0; number >>= 8)
        to[i] = (char)(number & 0xff);
}

static void add_number(struct buf *out, uint64_t number, size_t size)
{
    put(buf_room(out, size), number, size);
    out->len += size;
}

/* Digits only, at most 18 of them. */
static bool read_digits(const char *text, size_t len, int64_t *number)
{
    *number = 0;
    if (len == 0 || len > 18)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        *number = *number * 10 + (text[i] - '0');
    }
    return true;
}

static bool read_int(const struct value *value, int64_t low, int64_t high, int64_t *number)
{
    bool negative = value->len && value->data[0] == '-';

    if (!read_digits(value->data + negative, value->len - negative, number))
        return false;
    *number = negative ? -*number : *number;
    return *number >= low && *number <= high;
}

static bool add_int2(struct buf *out, const struct value *value)
{
    int64_t number;
    bool ok = read_int(value, INT16_MIN, INT16_MAX, &number);

    if (ok)
        add_number(out, (uint64_t)number, 2);
    return ok;
}

static bool add_int4(struct buf *out, const struct value *value)
{
    int64_t number;
    bool ok = read_int(value, INT32_MIN, INT32_MAX, &number);

    if (ok)
        add_number(out, (uint64_t)number, 4);
    return ok;
}

static bool add_int8(struct buf *out, const struct value *value)
{
    int64_t number;
    bool ok = read_int(value, INT64_MIN, INT64_MAX, &number);

    if (ok)
        add_number(out, (uint64_t)number, 8);
    return ok;
}

static bool add_oid(struct buf *out, const struct value *value)
{
    int64_t number;
    bool ok = read_int(value, 0, UINT32_MAX, &number);

    if (ok)
        add_number(out, (uint64_t)number, 4);
    return ok;
}

static bool add_bool(struct buf *out, const struct value *value)
{
    if (value->len != 1 || (value->data[0] != 't' && value->data[0] != 'f'))
        return false;
    add_number(out, value->data[0] == 't', 1);
    return true;
}

static bool add_bytes(struct buf *out, const struct value *value)
{
    buf_add(out, value->data, value->len);
    return true;
}

static bool add_jsonb(struct buf *out, const struct value *value)
{
    add_number(out, 1, 1); /* jsonb_recv: version, then the text */
    return add_bytes(out, value);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool add_hex(struct buf *out, const char *text, size_t len)
{
    char *to = buf_room(out, len / 2 + 1);

    for (size_t i = 0; i + 1 < len; i += 2) {
        int high = hex_digit(text[i]);
        int low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *to++ = (char)(high << 4 | low);
    }
    out->len += len / 2;
    return len % 2 == 0;
}

static bool add_bytea(struct buf *out, const struct value *value)
{
    return value->len >= 2 && value->data[0] == '\\' && value->data[1] == 'x' &&
           add_hex(out, value->data + 2, value->len - 2);
}

/* 8-4-4-4-12, as uuid_out writes it. */
static bool add_uuid(struct buf *out, const struct value *value)
{
    static const uint8_t starts[] = {0, 9, 14, 19, 24, 37};
    const char *text = value->data;

    if (value->len != 36)
        return false;
    for (int i = 0; i < 5; i++)
        if ((i && text[starts[i] - 1] != '-') ||
            !add_hex(out, text + starts[i], (size_t)(starts[i + 1] - starts[i] - 1)))
            return false;
    return true;
}

static bool is_plain_float(const struct value *value)
{
    for (uint32_t i = 0; i < value->len; i++)
        if (!strchr("0123456789.-+e", value->data[i]) || !value->data[i])
            return false;
    return value->len > 0;
}

static bool add_float8(struct buf *out, const struct value *value)
{
    char *end;
    union { double number; uint64_t bits; } u;

    if (!is_plain_float(value))
        return false;
    u.number = strtod(value->data, &end);
    add_number(out, u.bits, 8);
    return end == value->data + value->len;
}

static bool add_float4(struct buf *out, const struct value *value)
{
    char *end;
    union { float number; uint32_t bits; } u;

    if (!is_plain_float(value))
        return false;
    u.number = strtof(value->data, &end);
    add_number(out, u.bits, 4);
    return end == value->data + value->len;
}

/* Days since 2000-01-01 of a Gregorian date (by eras of 400 years, years beginning in March). */
static int64_t days_from_2000(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468 - DAYS_TO_2000;
}

/* "2024-02-29": a year of four digits, the era we live in. */
static bool read_date(const char *text, size_t len, int64_t *days)
{
    int64_t year, month, day;

    if (len != 10 || text[4] != '-' || text[7] != '-' || !read_digits(text, 4, &year) ||
        !read_digits(text + 5, 2, &month) || !read_digits(text + 8, 2, &day) || year < 1 ||
        month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    *days = days_from_2000(year, month, day);
    return true;
}

/* "12:34:56", ".123456" may follow. */
static bool read_time(const char *text, size_t len, int64_t *us)
{
    int64_t hour, minute, second, fraction = 0;

    if (len < 8 || text[2] != ':' || text[5] != ':' || !read_digits(text, 2, &hour) ||
        !read_digits(text + 3, 2, &minute) || !read_digits(text + 6, 2, &second) || hour > 23)
        return false;
    if (len > 8 && (text[8] != '.' || len > 15 || !read_digits(text + 9, len - 9, &fraction)))
        return false;
    for (size_t i = len; len > 8 && i < 15; i++)
        fraction *= 10;
    *us = ((hour * 60 + minute) * 60 + second) * 1000000 + fraction;
    return true;
}

static bool add_date(struct buf *out, const struct value *value)
{
    int64_t days;
    bool ok = read_date(value->data, value->len, &days);

    if (ok)
        add_number(out, (uint64_t)days, 4);
    return ok;
}

static bool add_moment(struct buf *out, const char *text, size_t len)
{
    int64_t days, us;

    if (len < 19 || text[10] != ' ' || !read_date(text, 10, &days) ||
        !read_time(text + 11, len - 11, &us))
        return false;
    add_number(out, (uint64_t)(days * INT64_C(86400000000) + us), 8);
    return true;
}

static bool add_timestamp(struct buf *out, const struct value *value)
{
    return add_moment(out, value->data, value->len);
}

/* The source's session writes UTC. */
static bool add_timestamptz(struct buf *out, const struct value *value)
{
    return value->len > 3 && memcmp(value->data + value->len - 3, "+00", 3) == 0 &&
           add_moment(out, value->data, value->len - 3);
}

/* Four decimal digits at a position counted from the point (positive to the left), absent ones are 0. */
static uint64_t base_digit(const char *whole, size_t whole_len, const char *fraction,
                           size_t fraction_len, long group)
{
    uint64_t digit = 0;

    for (long i = 3; i >= 0; i--) {
        long place = group * 4 + i;
        char c = '0';
        if (place >= 0 && (size_t)place < whole_len)
            c = whole[whole_len - 1 - (size_t)place];
        else if (place < 0 && (size_t)(-place - 1) < fraction_len)
            c = fraction[-place - 1];
        digit = digit * 10 + (uint64_t)(c - '0');
    }
    return digit;
}

static bool all_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return true;
}

/* numeric_recv: number of digits to the base 10000, weight of the first, sign, decimals shown, digits. */
static bool add_numeric(struct buf *out, const struct value *value)
{
    bool negative = value->len && value->data[0] == '-';
    const char *whole = value->data + negative;
    size_t len = value->len - negative;
    const char *point = memchr(whole, '.', len);
    size_t whole_len = point ? (size_t)(point - whole) : len;
    size_t fraction_len = point ? len - whole_len - 1 : 0;
    const char *fraction = point ? point + 1 : whole;

    if (len > NUMERIC_TEXT_MAX || !whole_len || !all_digits(whole, whole_len) ||
        !all_digits(fraction, fraction_len))
        return false;
    long high = (long)(whole_len + 3) / 4;
    long low = (long)(fraction_len + 3) / 4;
    add_number(out, (uint64_t)(high + low), 2);
    add_number(out, (uint64_t)(high - 1), 2);
    add_number(out, negative ? NUMERIC_NEGATIVE : 0, 2);
    add_number(out, fraction_len, 2);
    for (long group = high - 1; group >= -low; group--)
        add_number(out, base_digit(whole, whole_len, fraction, fraction_len, group), 2);
    return true;
}

/* --- binary: the array --- */

/* Types of pg_type.dat, whose numbers never change. */
static const struct encoder {
    uint32_t oid;
    bool (*add)(struct buf *out, const struct value *value);
} encoders[] = {
    {16, add_bool},      {17, add_bytea},        {20, add_int8},           {21, add_int2},
    {23, add_int4},      {25, add_bytes},        {26, add_oid},            {114, add_bytes},
    {700, add_float4},   {701, add_float8},      {1042, add_bytes},        {1043, add_bytes},
    {1082, add_date},    {1114, add_timestamp},  {1184, add_timestamptz},  {1700, add_numeric},
    {2950, add_uuid},    {3802, add_jsonb},
};

static const struct encoder *encoder_of(uint32_t oid)
{
    for (size_t i = 0; i < sizeof encoders / sizeof *encoders; i++)
        if (encoders[i].oid == oid)
            return &encoders[i];
    return NULL;
}

static bool add_element(struct buf *out, const struct encoder *encoder, const struct value *value)
{
    size_t place = out->len;

    add_number(out, UINT32_MAX, 4); /* null */
    if (value->kind == VALUE_NULL)
        return true;
    bool ok = encoder->add(out, value);
    put(out->data + place, out->len - place - 4, 4);
    return ok;
}

bool array_add_binary(struct buf *out, uint32_t element_oid, const struct value *const *values,
                      size_t count)
{
    const struct encoder *encoder = encoder_of(element_oid);
    size_t start = out->len;
    bool nulls = false;

    for (size_t i = 0; i < count; i++)
        nulls = nulls || values[i]->kind == VALUE_NULL;
    add_number(out, 1, 4); /* dimensions */
    add_number(out, nulls, 4);
    add_number(out, element_oid, 4);
    add_number(out, count, 4);
    add_number(out, 1, 4); /* lower bound */
    for (size_t i = 0; i < count; i++) {
        if (encoder && add_element(out, encoder, values[i]))
            continue;
        out->len = start;
        return false;
    }
    return true;
}
