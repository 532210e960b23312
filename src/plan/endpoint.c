#include "plan/endpoint.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/xalloc.h"

/* libpq's keywords that hold secrets besides "password"; there is no place to keep them apart. */
static const char *const unkept[] = {"sslpassword", "oauth_client_secret", "scram_client_key",
                                     "scram_server_key"};

static const char *after_scheme(const char *text)
{
    static const char *const schemes[] = {"postgresql://", "postgres://"};

    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            return text + strlen(schemes[i]);
    return NULL;
}

bool endpoint_database_is_name(const char *text)
{
    return !after_scheme(text);
}

static int hex_digit(char ch)
{
    if (isdigit((unsigned char)ch))
        return ch - '0';
    return isxdigit((unsigned char)ch) ? tolower((unsigned char)ch) - 'a' + 10 : -1;
}

/* Is the query parameter at text (up to = or &) this keyword, percent-encoded or not? */
static bool parameter_is(const char *text, const char *keyword)
{
    for (; *text && *text != '=' && *text != '&'; keyword++) {
        char ch = *text++;
        if (ch == '%' && hex_digit(text[0]) >= 0 && hex_digit(text[1]) >= 0) {
            ch = (char)(hex_digit(text[0]) * 16 + hex_digit(text[1]));
            text += 2;
        }
        if (!*keyword || ch != *keyword)
            return false;
    }
    return !*keyword;
}

static void add_query_without_password(struct buf *out, const char *query)
{
    char separator = '?';

    while (*query) {
        size_t len = strcspn(query, "&");
        if (len && !parameter_is(query, "password")) {
            buf_addch(out, separator);
            buf_add(out, query, len);
            separator = '&';
        }
        query += len + (query[len] == '&');
    }
}

/* The uri without its password. What counts as the user's part is libpq's rule: everything before
 * the first @ that comes before any / (conninfo_uri_parse_options). Owned. */
static char *uri_without_password(const char *uri)
{
    const char *host = after_scheme(uri);
    struct buf out = BUF_INIT;

    buf_add(&out, uri, (size_t)(host - uri));
    size_t user_len = strcspn(host, "@/");
    if (host[user_len] == '@') {
        size_t name_len = strcspn(host, ":@");
        buf_add(&out, host, name_len);
        if (name_len)
            buf_addch(&out, '@');
        host += user_len + 1;
    }
    size_t len = strcspn(host, "?");
    buf_add(&out, host, len);
    if (host[len] == '?')
        add_query_without_password(&out, host + len + 1);
    return buf_take(&out);
}

static bool parse_uri(const char *uri, struct conninfo *info, struct err *err)
{
    struct err own = ERR_INIT;

    if (!conninfo_parse(info, uri, &own)) {
        err_set(err, ERR_USAGE, "not a connection string that libpq takes");
        err_hint(err, "%s", own.hint);
        err_clear(&own);
        return false;
    }
    for (size_t i = 0; i < sizeof unkept / sizeof *unkept; i++) {
        if (!conninfo_get(info, unkept[i]))
            continue;
        err_set(err, ERR_USAGE, "\"%s\" cannot stand in a plan", unkept[i]);
        err_hint(err, "Put it into a service file and say service=NAME here.");
        return false;
    }
    const char *dbname = conninfo_get(info, "dbname");
    if (dbname && !endpoint_database_is_name(dbname)) {
        err_set(err, ERR_USAGE, "its database must be a name, not a connection string");
        return false;
    }
    return true;
}

/* Replaces the uri, which holds a password, by one that does not. */
static void strip_password(struct plan_endpoint *endpoint, const struct conninfo *info)
{
    char *stripped =
        after_scheme(endpoint->uri) ? uri_without_password(endpoint->uri) : conninfo_string(info);
    struct conninfo again = CONNINFO_INIT;

    /* An unforeseen spelling: the plain form has no place for a password. */
    if (!conninfo_parse(&again, stripped, NULL) || again.password.text ||
        again.count != info->count) {
        secret_free_string(stripped);
        stripped = conninfo_string(info);
    }
    conninfo_release(&again);
    secret_free_string(endpoint->uri);
    endpoint->uri = stripped;
}

static bool take_uri(struct plan_endpoint *endpoint, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    bool ok = parse_uri(endpoint->uri, &info, err);

    if (ok && secret_is_known(&info.password)) {
        if (!secret_is_known(&endpoint->password))
            secret_set(&endpoint->password, info.password.text);
        strip_password(endpoint, &info);
    }
    if (ok && !endpoint->port_given && conninfo_get(&info, "port"))
        endpoint->port = atoi(conninfo_get(&info, "port"));
    endpoint->database_given |= ok && conninfo_get(&info, "dbname");
    conninfo_release(&info);
    return ok;
}

bool endpoint_finish(struct plan_endpoint *endpoint, struct err *err)
{
    endpoint->port_given = endpoint->port != 0;
    endpoint->database_given = endpoint->database_name != NULL;
    if (endpoint->uri && !take_uri(endpoint, err))
        return false;
    if (!endpoint->port)
        endpoint->port = 5432;
    if (!endpoint->uri && !endpoint->database_name)
        endpoint->database_name = xstrdup("postgres");
    return true;
}

char *endpoint_database(const struct plan_endpoint *endpoint)
{
    struct conninfo info = CONNINFO_INIT;
    char *name = endpoint->database_given ? xstrdup(endpoint->database_name) : NULL;

    if (endpoint->database_given && !name && conninfo_parse(&info, endpoint->uri, NULL))
        name = xstrdup(conninfo_get(&info, "dbname"));
    conninfo_release(&info);
    return name;
}

static void set_if_given(struct conninfo *info, const char *key, const char *value)
{
    if (value)
        conninfo_set(info, key, value);
}

static bool fill_conninfo(const struct plan_endpoint *endpoint, const char *database,
                          struct conninfo *info, struct err *err)
{
    conninfo_release(info);
    if (endpoint->uri && !conninfo_parse(info, endpoint->uri, err)) {
        conninfo_release(info);
        return false;
    }
    if (endpoint->server_name) {
        conninfo_set(info, "hostaddr", NULL); /* the uri's, of another host */
        conninfo_set(info, "host", endpoint->server_name);
    }
    if (endpoint->port_given || (endpoint->server_name && !endpoint->uri)) {
        char *port = xasprintf("%d", endpoint->port);
        conninfo_set(info, "port", port);
        free(port);
    }
    set_if_given(info, "user", endpoint->user_name);
    set_if_given(info, "dbname", database ? database : endpoint->database_name);
    set_if_given(info, "sslmode", endpoint->ssl_mode);
    set_if_given(info, "sslrootcert", endpoint->ssl_root_cert);
    if (secret_is_known(&endpoint->password))
        conninfo_set(info, "password", endpoint->password.text);
    return true;
}

bool plan_tunnel_end(const struct plan_endpoint *endpoint, char **host, int *port, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    bool ok = fill_conninfo(endpoint, NULL, &info, err);
    const char *address = conninfo_get(&info, "hostaddr");
    const char *name = address ? address : conninfo_get(&info, "host");
    const char *number = conninfo_get(&info, "port");

    *host = NULL;
    *port = number ? atoi(number) : 5432;
    if (ok && (!name || strpbrk(name, ",/@") || (number && strchr(number, ',')))) {
        err_set(err, ERR_USAGE, "an SSH tunnel ends at one server, by its name or address and port");
        err_hint(err, "Give it as \"serverName\" (and \"port\"), as the SSH server knows it; \"localhost\" is the SSH "
                      "server itself. Unix sockets and lists of hosts are not offered with \"ssh\".");
        ok = false;
    }
    if (ok)
        *host = xstrdup(name);
    conninfo_release(&info);
    return ok;
}

bool plan_conninfo(const struct plan_endpoint *endpoint, const char *database, struct conninfo *info, struct err *err)
{
    if (!fill_conninfo(endpoint, database, info, err))
        return false;
    if (!endpoint->ssh.host)
        return true;
    if (!endpoint->ssh.tunnel_port) {
        err_set(err, ERR_CONNECTION, "the SSH tunnel through \"%s\" is not open", endpoint->ssh.host);
        err_hint(err, "This command does not open tunnels.");
        conninfo_release(info);
        return false;
    }
    info->tunnel_port = endpoint->ssh.tunnel_port;
    return true;
}

static void ssh_release(struct plan_ssh *ssh)
{
    free(ssh->host);
    free(ssh->user);
    free(ssh->identity_file);
    free(ssh->known_hosts);
    free(ssh->fingerprint);
    free(ssh->jump);
    free(ssh->jump_fingerprint);
    secret_release(&ssh->password);
    secret_release(&ssh->passphrase);
}

void endpoint_release(struct plan_endpoint *endpoint)
{
    free(endpoint->path);
    free(endpoint->server_name);
    free(endpoint->user_name);
    secret_release(&endpoint->password);
    free(endpoint->database_name);
    free(endpoint->ssl_mode);
    free(endpoint->ssl_root_cert);
    secret_free_string(endpoint->uri);
    ssh_release(&endpoint->ssh);
    *endpoint = (struct plan_endpoint){0};
}
