#include "pg/conninfo.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "base/buf.h"

static size_t find(const struct conninfo *info, const char *key)
{
    size_t i = 0;

    while (i < info->count && strcmp(info->keys[i], key) != 0)
        i++;
    return i;
}

static void remove_at(struct conninfo *info, size_t i)
{
    free(info->keys[i]);
    free(info->values[i]);
    info->count--;
    info->keys[i] = info->keys[info->count];
    info->values[i] = info->values[info->count];
}

void conninfo_set(struct conninfo *info, const char *key, const char *value)
{
    if (strcmp(key, "password") == 0) {
        secret_set(&info->password, value);
        return;
    }
    size_t i = find(info, key);
    if (!value || !*value) {
        if (i < info->count)
            remove_at(info, i);
        return;
    }
    if (i < info->count) {
        str_replace(&info->values[i], value);
        return;
    }
    size_t cap = info->cap;
    info->keys = xgrow(info->keys, info->count, &cap, sizeof *info->keys);
    info->values = xgrow(info->values, info->count, &info->cap, sizeof *info->values);
    info->keys[info->count] = xstrdup(key);
    info->values[info->count++] = xstrdup(value);
}

const char *conninfo_get(const struct conninfo *info, const char *key)
{
    size_t i = find(info, key);

    return i < info->count ? info->values[i] : NULL;
}

void conninfo_release(struct conninfo *info)
{
    while (info->count)
        remove_at(info, info->count - 1);
    free(info->keys);
    free(info->values);
    secret_release(&info->password);
    *info = (struct conninfo)CONNINFO_INIT;
}

void conninfo_copy(struct conninfo *dst, const struct conninfo *src)
{
    conninfo_release(dst);
    for (size_t i = 0; i < src->count; i++)
        conninfo_set(dst, src->keys[i], src->values[i]);
    secret_set(&dst->password, src->password.text);
    dst->tunnel_port = src->tunnel_port;
}

void conninfo_enter_tunnel(struct conninfo *info)
{
    if (!info->tunnel_port)
        return;
    char *port = xasprintf("%d", info->tunnel_port);
    conninfo_set(info, "hostaddr", "127.0.0.1");
    conninfo_set(info, "port", port);
    free(port);
}

bool conninfo_parse(struct conninfo *info, const char *text, struct err *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(text, &message);

    if (!options) {
        /* libpq's message quotes the text, and with it perhaps a password. */
        err_set(err, ERR_USAGE, "invalid connection string");
        err_hint(err, "Write postgresql://USER@HOST:PORT/DATABASE?sslmode=require or "
                      "host=... port=... dbname=... user=...");
        secret_free_string(message);
        return false;
    }
    for (PQconninfoOption *option = options; option->keyword; option++) {
        if (!option->val)
            continue;
        conninfo_set(info, option->keyword, option->val);
        if (strcmp(option->keyword, "password") == 0)
            explicit_bzero(option->val, strlen(option->val));
    }
    PQconninfoFree(options);
    return true;
}

char *conninfo_label(const struct conninfo *info)
{
    const char *service = conninfo_get(info, "service");
    const char *host = conninfo_get(info, "host");
    const char *port = conninfo_get(info, "port");
    const char *dbname = conninfo_get(info, "dbname");

    if (service && !host)
        return xasprintf("service %s%s%s", service, dbname ? "/" : "", dbname ? dbname : "");
    return xasprintf("%s:%s/%s", host ? host : "local", port ? port : "5432", dbname ? dbname : "");
}

char *conninfo_string(const struct conninfo *given)
{
    struct conninfo info = CONNINFO_INIT;
    struct buf out = BUF_INIT;

    conninfo_copy(&info, given);
    conninfo_enter_tunnel(&info);
    for (size_t i = 0; i < info.count; i++) {
        buf_addf(&out, "%s%s='", i ? " " : "", info.keys[i]);
        for (const char *at = info.values[i]; *at; at++) {
            if (*at == '\'' || *at == '\\')
                buf_addch(&out, '\\');
            buf_addch(&out, *at);
        }
        buf_addch(&out, '\'');
    }
    conninfo_release(&info);
    return buf_take(&out);
}

char **conninfo_env(const struct conninfo *info, const char *application_name)
{
    char **env = xcalloc(5, sizeof *env);
    size_t n = 0;

    if (info->password.text && *info->password.text)
        env[n++] = xasprintf("PGPASSWORD=%s", info->password.text);
    env[n++] = xasprintf("PGAPPNAME=pgcutover:%s", application_name);
    env[n++] = xasprintf("PGOPTIONS=-c statement_timeout=0 -c idle_in_transaction_session_timeout=0");
    return env;
}

void conninfo_env_free(char **env)
{
    for (char **pair = env; pair && *pair; pair++)
        secret_free_string(*pair);
    free(env);
}
