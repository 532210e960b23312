#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"

const cJSON *json_get(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

const char *json_str(const cJSON *object, const char *key)
{
    return cJSON_GetStringValue(json_get(object, key));
}

/* A double beyond the integers' range has no conversion in C: the nearest one instead. */
static int64_t to_i64(double value)
{
    if (!(value > -0x1p63))
        return INT64_MIN;
    return value < 0x1p63 ? (int64_t)value : INT64_MAX;
}

static uint64_t to_u64(double value)
{
    if (!(value > 0))
        return 0;
    return value < 0x1p64 ? (uint64_t)value : UINT64_MAX;
}

int64_t json_i64(const cJSON *object, const char *key, int64_t otherwise)
{
    const cJSON *item = json_get(object, key);

    if (cJSON_IsNumber(item))
        return to_i64(item->valuedouble);
    if (cJSON_IsString(item))
        return strtoll(item->valuestring, NULL, 10);
    return otherwise;
}

uint64_t json_u64(const cJSON *object, const char *key, uint64_t otherwise)
{
    const cJSON *item = json_get(object, key);

    if (cJSON_IsNumber(item))
        return to_u64(item->valuedouble);
    if (cJSON_IsString(item))
        return strtoull(item->valuestring, NULL, 10);
    return otherwise;
}

bool json_bool(const cJSON *object, const char *key, bool otherwise)
{
    const cJSON *item = json_get(object, key);

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : otherwise;
}

void json_add_str(cJSON *object, const char *key, const char *text)
{
    if (text)
        cJSON_AddStringToObject(object, key, text);
    else
        cJSON_AddNullToObject(object, key);
}

void json_add_i64(cJSON *object, const char *key, int64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, value);
    cJSON_AddStringToObject(object, key, text);
}

void json_add_u64(cJSON *object, const char *key, uint64_t value)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRIu64, value);
    cJSON_AddStringToObject(object, key, text);
}

void json_add_num(cJSON *object, const char *key, double value)
{
    cJSON_AddNumberToObject(object, key, value);
}

void json_add_bool(cJSON *object, const char *key, bool value)
{
    cJSON_AddBoolToObject(object, key, value);
}

void json_add_time(cJSON *object, const char *key, int64_t wall_us)
{
    char *text = wall_us ? clock_iso(wall_us) : NULL;

    json_add_str(object, key, text);
    free(text);
}

cJSON *json_message(const char *type)
{
    cJSON *message = cJSON_CreateObject();

    cJSON_AddStringToObject(message, "type", type);
    return message;
}

char *json_line(const cJSON *json)
{
    char *text = cJSON_PrintUnformatted(json);

    if (!text)
        abort();
    return text;
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(cJSON *const *)a)->string, (*(cJSON *const *)b)->string);
}

static void print_item(struct buf *out, const cJSON *item, unsigned depth);

static void print_children(struct buf *out, const cJSON *parent, unsigned depth)
{
    int count = cJSON_GetArraySize(parent);
    cJSON **items = xcalloc((size_t)count + 1, sizeof *items);
    int n = 0;

    for (cJSON *child = parent->child; child; child = child->next)
        items[n++] = child;
    if (cJSON_IsObject(parent))
        qsort(items, (size_t)n, sizeof *items, by_key);
    for (int i = 0; i < n; i++) {
        buf_addf(out, "%s\n%*s", i ? "," : "", (int)(depth + 1) * 2, "");
        if (cJSON_IsObject(parent)) {
            cJSON key = {.type = cJSON_String, .valuestring = items[i]->string};
            print_item(out, &key, 0);
            buf_addstr(out, ": ");
        }
        print_item(out, items[i], depth + 1);
    }
    buf_addf(out, "\n%*s", (int)depth * 2, "");
    free(items);
}

static void print_item(struct buf *out, const cJSON *item, unsigned depth)
{
    bool object = cJSON_IsObject(item);

    if (object || cJSON_IsArray(item)) {
        buf_addch(out, object ? '{' : '[');
        if (item->child)
            print_children(out, item, depth);
        buf_addch(out, object ? '}' : ']');
        return;
    }
    char *text = json_line(item);
    buf_addstr(out, text);
    free(text);
}

char *json_pretty_at(const cJSON *json, unsigned depth)
{
    struct buf out = BUF_INIT;

    print_item(&out, json, depth);
    return buf_take(&out);
}

char *json_pretty_sorted(const cJSON *json)
{
    return json_pretty_at(json, 0);
}
