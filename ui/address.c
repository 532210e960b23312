#include "ui/address.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

void address_split(struct address *address, const char *text)
{
    const char *at = strrchr(text, '@');
    const char *host = at ? at + 1 : text;
    const char *end = *host == '[' ? strchr(host, ']') : NULL;
    const char *colon = strrchr(end ? end : host, ':');
    bool is_bare_ipv6 = !end && colon && strchr(host, ':') != colon;

    *address = (struct address){.user = at ? xstrndup(text, (size_t)(at - text)) : NULL};
    if (!colon || is_bare_ipv6 || !is_number(colon + 1) || (end && colon != end + 1)) {
        address->host = end && !end[1] ? xstrndup(host + 1, (size_t)(end - host - 1)) : xstrdup(host);
        return;
    }
    address->host = end ? xstrndup(host + 1, (size_t)(end - host - 1)) : xstrndup(host, (size_t)(colon - host));
    address->port = xstrdup(colon + 1);
}

void address_release(struct address *address)
{
    free(address->user);
    free(address->host);
    free(address->port);
    *address = (struct address){0};
}

char *address_join(const char *user, const char *host, const char *port)
{
    bool brackets = *port && strchr(host, ':');

    return xasprintf("%s%s%s%s%s%s%s", user, *user ? "@" : "", brackets ? "[" : "", host, brackets ? "]" : "", *port ? ":" : "", port);
}

/* --- passwords in connection strings --- */

static void decode_percent(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char hex[3] = {text[1], text[2], '\0'};
            *out++ = (char)strtol(hex, NULL, 16);
            text += 2;
        } else {
            *out++ = *text;
        }
    }
    *out = '\0';
}

/* Takes from..to out of the text; what stood there between begin and end, decoded. Owned. */
static char *cut(char *from, char *to, const char *begin, const char *end)
{
    char *password = xstrndup(begin, (size_t)(end - begin));

    explicit_bzero(from, (size_t)(to - from));
    memmove(from, to, strlen(to) + 1);
    return password;
}

/* scheme://USER:PASSWORD@... */
static char *take_from_authority(char *authority)
{
    char *end = authority + strcspn(authority, "/?#");
    char *colon = authority + strcspn(authority, ":@");
    char *at = NULL;

    for (char *c = authority; c < end; c++)
        at = *c == '@' ? c : at;
    return at && colon < at && *colon == ':' ? cut(colon, at, colon + 1, at) : NULL;
}

/* ...?password=PASSWORD&... */
static char *take_from_query(char *query)
{
    for (char *at = query; at && *at; at = strchr(at, '&')) {
        at++;
        if (strncmp(at, "password=", 9) != 0)
            continue;
        char *end = at + strcspn(at, "&");
        return *end ? cut(at, end + 1, at + 9, end) : cut(at - 1, end, at + 9, end);
    }
    return NULL;
}

static char *end_of_value(char *value)
{
    bool quoted = *value == '\'';

    for (value += quoted; *value; value++) {
        if (*value == '\\' && value[1])
            value++;
        else if (quoted ? *value == '\'' : isspace((unsigned char)*value))
            return value + quoted;
    }
    return value;
}

static void unquote(char *value)
{
    char *out = value;
    bool quoted = *value == '\'';

    for (value += quoted; *value && !(quoted && *value == '\''); value++) {
        if (*value == '\\' && value[1])
            value++;
        *out++ = *value;
    }
    *out = '\0';
}

/* host=... password=PASSWORD ... (libpq documentation, "Connection Strings") */
static char *take_from_keywords(char *text)
{
    while (*text) {
        char *key = text + strspn(text, " \t\n");
        char *value = key + strcspn(key, "=");
        if (!*value)
            return NULL;
        value += 1 + strspn(value + 1, " \t\n");
        char *end = end_of_value(value);
        if (strncmp(key, "password", 8) == 0 && (key[8] == '=' || isspace((unsigned char)key[8]))) {
            char *password = cut(key, end, value, end);
            unquote(password);
            return password;
        }
        text = end;
    }
    return NULL;
}

char *address_take_password(char *uri)
{
    char *authority = strstr(uri, "://");

    if (!authority)
        return take_from_keywords(uri);
    char *password = take_from_authority(authority + 3);
    if (!password)
        password = take_from_query(strchr(uri, '?'));
    if (password)
        decode_percent(password);
    return password;
}

const char *address_unfinished(const char *uri)
{
    const char *authority = strstr(uri, "://");
    const char *end = authority ? authority + 3 + strcspn(authority + 3, "/?#@") : NULL;

    if (!end || *end)
        return NULL;
    return memchr(authority + 3, ':', (size_t)(end - authority - 3));
}
