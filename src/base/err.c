#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

void err_clear(struct err *err)
{
    if (!err)
        return;
    free(err->message);
    free(err->detail);
    free(err->hint);
    *err = (struct err)ERR_INIT;
}

static void set_message(struct err *err, enum err_code code, char *message)
{
    err_clear(err);
    err->code = code;
    err->message = message;
}

void err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    char *message = xvasprintf(fmt, args);
    va_end(args);
    set_message(err, code, message);
}

void err_errno(struct err *err, const char *fmt, ...)
{
    int saved = errno;
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    char *what = xvasprintf(fmt, args);
    va_end(args);
    set_message(err, ERR_IO, xasprintf("%s: %s", what, strerror(saved)));
    free(what);
    err->retryable = saved == ENOSPC || saved == EDQUOT || saved == EINTR || saved == EAGAIN;
}

static void set_extra(char **place, const char *fmt, va_list args)
{
    char *text = xvasprintf(fmt, args);
    free(*place);
    *place = text;
}

void err_detail(struct err *err, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    set_extra(&err->detail, fmt, args);
    va_end(args);
}

void err_hint(struct err *err, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return;
    va_start(args, fmt);
    set_extra(&err->hint, fmt, args);
    va_end(args);
}

void err_wrap(struct err *err, const char *fmt, ...)
{
    va_list args;

    if (!err || !err->message)
        return;
    va_start(args, fmt);
    char *context = xvasprintf(fmt, args);
    va_end(args);
    char *whole = xasprintf("%s: %s", context, err->message);
    free(context);
    free(err->message);
    err->message = whole;
}

void err_move(struct err *dst, struct err *src)
{
    if (dst == src)
        return;
    if (dst) {
        err_clear(dst);
        *dst = *src;
        *src = (struct err)ERR_INIT;
    } else {
        err_clear(src);
    }
}

bool err_is_set(const struct err *err)
{
    return err && err->code != ERR_NONE;
}

int err_exit_code(const struct err *err)
{
    switch (err->code) {
    case ERR_NONE:
        return 0;
    case ERR_USAGE:
        return 2;
    case ERR_PREREQUISITE:
        return 3;
    case ERR_DIFFERENT:
        return 4;
    case ERR_NOT_FOUND:
        return 5;
    case ERR_STOPPED:
        return 130;
    default:
        return 1;
    }
}

static const char *const code_names[] = {
    "none",     "internal", "io",    "connection",   "server",    "protocol",  "timeout",
    "conflict", "usage",    "prerequisite", "different", "not-found", "stopped",
};

static void add_text(cJSON *json, const char *key, const char *text)
{
    if (text && *text)
        cJSON_AddStringToObject(json, key, text);
    else
        cJSON_AddNullToObject(json, key);
}

cJSON *err_to_json(const struct err *err)
{
    cJSON *json = cJSON_CreateObject();

    add_text(json, "code", code_names[err->code]);
    add_text(json, "detail", err->detail);
    add_text(json, "hint", err->hint);
    add_text(json, "message", err->message);
    cJSON_AddBoolToObject(json, "retryable", err->retryable);
    add_text(json, "sqlstate", err->sqlstate);
    return json;
}

static const char *text_of(const cJSON *json, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

void err_from_json(struct err *err, const cJSON *json)
{
    const char *code = text_of(json, "code");
    const char *sqlstate = text_of(json, "sqlstate");

    err_clear(err);
    err->code = ERR_INTERNAL;
    for (size_t i = 0; code && i < sizeof code_names / sizeof *code_names; i++)
        if (strcmp(code, code_names[i]) == 0)
            err->code = (enum err_code)i;
    err->message = xstrdup(text_of(json, "message"));
    err->detail = xstrdup(text_of(json, "detail"));
    err->hint = xstrdup(text_of(json, "hint"));
    err->retryable = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, "retryable"));
    if (sqlstate)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", sqlstate);
}

char *err_text(const struct err *err)
{
    struct buf out = BUF_INIT;

    buf_addstr(&out, err->message ? err->message : "no error");
    if (err->sqlstate[0])
        buf_addf(&out, " (SQLSTATE %s)", err->sqlstate);
    if (err->detail)
        buf_addf(&out, "\n  detail: %s", err->detail);
    if (err->hint)
        buf_addf(&out, "\n  hint: %s", err->hint);
    return buf_take(&out);
}
