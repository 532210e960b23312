#include "ssh/known_hosts.h"

#include <stdlib.h>
#include <string.h>

#include <libssh2.h>

#include "base/buf.h"
#include "ssh/config.h"

/* One line, cut into its fields; all of them point into the copy that is walked. */
struct entry {
    char *marker; /* "@revoked", NULL none */
    char *names;
    char *type;
    char *key; /* base64 */
};

static char *next_field(char **at)
{
    char *field = *at + strspn(*at, " \t\r");
    size_t len = strcspn(field, " \t\r");

    *at = field + len + (field[len] != '\0');
    field[len] = '\0';
    return field;
}

static bool parse_line(char *line, struct entry *entry)
{
    *entry = (struct entry){0};
    char *first = next_field(&line);
    if (!*first || *first == '#')
        return false;
    if (*first == '@') {
        entry->marker = first;
        first = next_field(&line);
    }
    entry->names = first;
    entry->type = next_field(&line);
    entry->key = next_field(&line);
    return *entry->key != '\0';
}

static char *base64(const void *data, size_t len, bool padded)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *in = data;
    struct buf out = BUF_INIT;

    for (size_t i = 0; i < len; i += 3) {
        size_t left = len - i;
        unsigned bits = (unsigned)in[i] << 16 | (left > 1 ? (unsigned)in[i + 1] << 8 : 0) | (left > 2 ? in[i + 2] : 0u);
        for (int k = 0; k < 4; k++) {
            if (k <= (int)left)
                buf_addch(&out, digits[bits >> (18 - 6 * k) & 63]);
            else if (padded)
                buf_addch(&out, '=');
        }
    }
    return buf_take(&out);
}

char *host_key_fingerprint(const void *sha256)
{
    char *digest = base64(sha256, 32, false);
    char *text = xasprintf("SHA256:%s", digest);

    free(digest);
    return text;
}

/* The name as known_hosts has it: a port that is not 22 belongs to it. Owned. */
static char *host_name(const char *host, int port)
{
    return port == 22 ? xstrdup(host) : xasprintf("[%s]:%d", host, port);
}

/* |1|salt|hash: the HMAC-SHA1 of the name. libssh2 has the arithmetic; it gets this entry alone. */
static bool hashed_name_matches(const struct entry *entry, const char *name)
{
    LIBSSH2_SESSION *session = libssh2_session_init();
    LIBSSH2_KNOWNHOSTS *hosts = session ? libssh2_knownhost_init(session) : NULL;
    char *line = xasprintf("%s %s %s\n", entry->names, entry->type, entry->key);
    bool matches = false;

    if (hosts && libssh2_knownhost_readline(hosts, line, strlen(line), LIBSSH2_KNOWNHOST_FILE_OPENSSH) == 0) {
        /* With the entry's own key: whether it is the host's is looked at elsewhere. */
        int said = libssh2_knownhost_check(hosts, name, entry->key, strlen(entry->key),
                                           LIBSSH2_KNOWNHOST_TYPE_PLAIN | LIBSSH2_KNOWNHOST_KEYENC_BASE64, NULL);
        matches = said == LIBSSH2_KNOWNHOST_CHECK_MATCH;
    }
    free(line);
    if (hosts)
        libssh2_knownhost_free(hosts);
    if (session)
        libssh2_session_free(session);
    return matches;
}

static bool names_match(const struct entry *entry, const char *name)
{
    bool found = false;

    if (strncmp(entry->names, "|1|", 3) == 0)
        return hashed_name_matches(entry, name);
    char *copy = xstrdup(entry->names);
    char *rest = copy;
    for (char *pattern; (pattern = strsep(&rest, ","));) {
        bool negated = *pattern == '!';
        if (!ssh_pattern_matches(pattern + negated, name))
            continue;
        found = !negated;
        if (negated)
            break;
    }
    free(copy);
    return found;
}

enum host_key_verdict known_hosts_judge(const char *text, const char *host, int port, const struct host_key *key,
                                        int *line)
{
    enum host_key_verdict verdict = HOST_KEY_UNKNOWN;
    char *name = host_name(host, port);
    char *encoded = base64(key->blob, key->len, true);
    char *copy = xstrdup(text);
    char *rest = copy;
    int number = 0, at = 0;

    for (char *one; verdict != HOST_KEY_REVOKED && (one = strsep(&rest, "\n"));) {
        struct entry entry;
        number++;
        if (!parse_line(one, &entry) || (entry.marker && strcmp(entry.marker, "@revoked") != 0))
            continue;
        bool same = strcmp(entry.key, encoded) == 0;
        bool settled = verdict == HOST_KEY_KNOWN && !entry.marker; /* only a revocation could change it */
        if (settled || (entry.marker && !same) || !names_match(&entry, name))
            continue;
        at = number;
        if (entry.marker)
            verdict = HOST_KEY_REVOKED;
        else
            verdict = same ? HOST_KEY_KNOWN : HOST_KEY_CHANGED;
    }
    if (line)
        *line = at;
    free(copy);
    free(encoded);
    free(name);
    return verdict;
}

static void add_once(struct buf *list, const char *algorithm)
{
    size_t len = strlen(algorithm);

    for (const char *at = list->data; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, algorithm, len) == 0 && (at[len] == ',' || !at[len]))
            return;
    buf_addf(list, "%s%s", list->len ? "," : "", algorithm);
}

/* A key of type ssh-rsa signs by any of three algorithms; the oldest is the one that servers refuse. */
static void add_type(struct buf *list, const char *type)
{
    bool rsa = strcmp(type, "ssh-rsa") == 0;

    if (rsa) {
        add_once(list, "rsa-sha2-512");
        add_once(list, "rsa-sha2-256");
    }
    add_once(list, type);
}

char *known_hosts_algorithms(const char *text, const char *host, int port)
{
    static const char *const types[] = {"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384",
                                        "ecdsa-sha2-nistp521", "ssh-rsa"};
    char *name = host_name(host, port);
    char *copy = xstrdup(text);
    char *rest = copy;
    struct buf list = BUF_INIT;

    for (char *one; (one = strsep(&rest, "\n"));) {
        struct entry entry;
        if (!parse_line(one, &entry) || entry.marker || !names_match(&entry, name))
            continue;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcmp(entry.type, types[i]) == 0)
                add_type(&list, types[i]);
    }
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        add_type(&list, types[i]);
    free(copy);
    free(name);
    return buf_take(&list);
}
