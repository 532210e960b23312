#include "ssh/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/files.h"

void ssh_config_release(struct ssh_config *config)
{
    free(config->host_name);
    free(config->user);
    free(config->identity_file);
    free(config->proxy_jump);
    *config = (struct ssh_config)SSH_CONFIG_INIT;
}

bool ssh_pattern_matches(const char *pattern, const char *name)
{
    for (; *pattern; pattern++, name++) {
        if (*pattern == '*') {
            while (pattern[1] == '*')
                pattern++;
            for (; *name; name++)
                if (ssh_pattern_matches(pattern + 1, name))
                    return true;
            return ssh_pattern_matches(pattern + 1, name);
        }
        if (!*name || (*pattern != '?' && tolower((unsigned char)*pattern) != tolower((unsigned char)*name)))
            return false;
    }
    return !*name;
}

/* The next word, in double quotes or not; NULL at the end. It is cut out of the line. */
static char *next_word(char **at)
{
    char *word = *at + strspn(*at, " \t\r");

    if (!*word || *word == '#')
        return NULL;
    bool quoted = *word == '"';
    word += quoted;
    char *end = word + strcspn(word, quoted ? "\"" : " \t\r");
    *at = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

/* "Keyword value" and "Keyword=value" are the same. */
static char *next_keyword(char **at)
{
    char *word = *at + strspn(*at, " \t\r");
    size_t len = strcspn(word, " \t\r=");
    char *rest = word + len + strspn(word + len, " \t\r");

    if (*rest == '=')
        rest++;
    *at = rest;
    if (!len || *word == '#')
        return NULL;
    /* The end may be where the rest begins: there the rest is empty. */
    if (word[len])
        word[len] = '\0';
    return word;
}

static bool host_line_matches(char *words, const char *host)
{
    bool found = false;

    for (char *pattern; (pattern = next_word(&words));) {
        bool negated = *pattern == '!';
        if (!ssh_pattern_matches(pattern + negated, host))
            continue;
        if (negated)
            return false;
        found = true;
    }
    return found;
}

static void set_once(char **field, const char *value)
{
    if (!*field)
        *field = xstrdup(value);
}

static bool take(struct ssh_config *config, const char *keyword, const char *value, int line, struct err *err)
{
    if (strcasecmp(keyword, "HostName") == 0) {
        set_once(&config->host_name, value);
    } else if (strcasecmp(keyword, "User") == 0) {
        set_once(&config->user, value);
    } else if (strcasecmp(keyword, "IdentityFile") == 0) {
        set_once(&config->identity_file, value);
    } else if (strcasecmp(keyword, "ProxyJump") == 0) {
        set_once(&config->proxy_jump, value);
    } else if (strcasecmp(keyword, "Port") == 0 && !config->port) {
        char *end;
        long port = strtol(value, &end, 10);
        if (*end || port < 1 || port > 65535) {
            err_set(err, ERR_USAGE, "line %d of the SSH configuration: \"%s\" is no port", line, value);
            return false;
        }
        config->port = (int)port;
    }
    return true;
}

bool ssh_config_parse(struct ssh_config *config, const char *text, const char *host, struct err *err)
{
    char *copy = xstrdup(text);
    char *rest = copy;
    bool applies = true; /* what stands before the first Host is for every host */
    bool ok = true;
    int number = 0;

    ssh_config_release(config);
    for (char *line; ok && (line = strsep(&rest, "\n"));) {
        number++;
        char *keyword = next_keyword(&line);
        if (!keyword)
            continue;
        if (strcasecmp(keyword, "Host") == 0) {
            applies = host_line_matches(line, host);
            continue;
        }
        char *value = next_word(&line);
        if (strcasecmp(keyword, "Match") == 0)
            applies = value && strcasecmp(value, "all") == 0;
        else if (applies && value)
            ok = take(config, keyword, value, number, err);
    }
    if (config->proxy_jump && strcasecmp(config->proxy_jump, "none") == 0) {
        free(config->proxy_jump);
        config->proxy_jump = NULL;
    }
    free(copy);
    return ok;
}

bool ssh_config_read(struct ssh_config *config, const char *path, const char *host, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = true;

    ssh_config_release(config);
    if (file_exists(path)) {
        ok = file_read(path, &text, err) && ssh_config_parse(config, text.data ? text.data : "", host, err);
        if (!ok)
            err_wrap(err, "%s", path);
    }
    buf_release(&text);
    return ok;
}

static bool parse_port(const char *text, int *port)
{
    char *end;
    long value = strtol(text, &end, 10);

    *port = (int)value;
    return *text && !*end && value >= 1 && value <= 65535;
}

/* Where the port's colon is in HOST:PORT or [HOST]:PORT; an address with several colons has none. */
static char *port_colon(char *host)
{
    char *bracket = *host == '[' ? strchr(host, ']') : NULL;

    if (bracket)
        return bracket[1] == ':' ? bracket + 1 : NULL;
    char *colon = strchr(host, ':');
    return colon && !strchr(colon + 1, ':') ? colon : NULL;
}

static void strip_brackets(char *host)
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
}

bool ssh_address_parse(const char *text, char **user, char **host, int *port, struct err *err)
{
    char *copy = xstrdup(strncasecmp(text, "ssh://", 6) == 0 ? text + 6 : text);
    char *at = strrchr(copy, '@');
    char *name = at ? at + 1 : copy;
    char *colon = port_colon(name);
    bool ok = !strpbrk(copy, ", \t/");

    *user = NULL;
    *host = NULL;
    *port = 0;
    if (at)
        *at = '\0';
    if (colon) {
        *colon = '\0';
        ok = ok && parse_port(colon + 1, port);
    }
    strip_brackets(name);
    ok = ok && *name && (!at || *copy);
    if (ok) {
        *user = at ? xstrdup(copy) : NULL;
        *host = xstrdup(name);
    } else {
        err_set(err, ERR_USAGE, "\"%s\" is no jump host", text);
        err_hint(err, "Write one host as [USER@]HOST[:PORT]; more than one in a row is not offered.");
    }
    free(copy);
    return ok;
}

char *ssh_home_path(const char *path)
{
    const char *home = getenv("HOME");

    if (path[0] == '~' && (path[1] == '/' || !path[1]) && home && *home)
        return xasprintf("%s%s", home, path + 1);
    return xstrdup(path);
}
