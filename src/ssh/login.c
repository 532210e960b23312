#include "ssh/login.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "ssh/auth.h"
#include "ssh/config.h"
#include "ssh/known_hosts.h"

#define CONNECT_TIMEOUT_MS 15000

/* One host of the way, with everything that is known of it. */
struct hop {
    char *host; /* all owned */
    int port;
    char *user;
    char *identity_file; /* NULL: the usual ones */
    char *jump;
    const char *fingerprint; /* borrowed */
    bool is_jump;
};

static void hop_release(struct hop *hop)
{
    free(hop->host);
    free(hop->user);
    free(hop->identity_file);
    free(hop->jump);
}

void ssh_trouble_release(struct ssh_trouble *trouble)
{
    free(trouble->fingerprint);
    *trouble = (struct ssh_trouble){0};
}

static char *own_user(void)
{
    const struct passwd *me = getpwuid(getuid());

    return xstrdup(me ? me->pw_name : "root");
}

static char *first_of(const char *decided, const char *configured)
{
    const char *text = decided ? decided : configured;

    return text ? xstrdup(text) : NULL;
}

/* %h, %n, %r, %u, %d and %% of IdentityFile and HostName. Owned. */
static char *expand(const char *text, const struct hop *hop, const char *name)
{
    struct buf out = BUF_INIT;
    char *me = own_user();

    for (; *text; text++) {
        if (*text != '%' || !text[1]) {
            buf_addch(&out, *text);
            continue;
        }
        switch (*++text) {
        case 'h': buf_addstr(&out, hop->host ? hop->host : name); break;
        case 'n': buf_addstr(&out, name); break;
        case 'r': buf_addstr(&out, hop->user ? hop->user : me); break;
        case 'u': buf_addstr(&out, me); break;
        case 'd': buf_addstr(&out, getenv("HOME") ? getenv("HOME") : ""); break;
        default: buf_addch(&out, *text); break;
        }
    }
    free(me);
    return buf_take(&out);
}

/* What was decided goes before what the configuration says of the name. */
static bool resolve(struct hop *hop, const struct ssh_login *login, struct err *err)
{
    struct ssh_config config = SSH_CONFIG_INIT;
    char *path = ssh_home_path(login->config_file ? login->config_file : "~/.ssh/config");
    bool ok = ssh_config_read(&config, path, login->host, err);

    free(path);
    if (!ok)
        return false;
    hop->user = first_of(login->user, config.user);
    if (!hop->user)
        hop->user = own_user();
    hop->host = expand(config.host_name ? config.host_name : login->host, hop, login->host);
    hop->port = login->port ? login->port : config.port ? config.port : 22;
    hop->jump = first_of(login->jump, config.proxy_jump);
    if (hop->jump && strcmp(hop->jump, "none") == 0) {
        free(hop->jump);
        hop->jump = NULL;
    }
    if (login->identity_file || config.identity_file)
        hop->identity_file = expand(login->identity_file ? login->identity_file : config.identity_file, hop, login->host);
    hop->fingerprint = login->fingerprint;
    ssh_config_release(&config);
    return true;
}

/* --- the host's key --- */

/* The known hosts as one text. Owned. */
static char *known_hosts_text(const struct ssh_login *login)
{
    const char *usual[] = {"~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts"};
    struct buf all = BUF_INIT, one = BUF_INIT;

    for (size_t i = 0; i < 2; i++) {
        char *path = ssh_home_path(login->known_hosts ? login->known_hosts : usual[i]);
        if ((i == 0 || !login->known_hosts) && file_read(path, &one, NULL) && one.data)
            buf_addf(&all, "%s\n", one.data);
        free(path);
    }
    buf_release(&one);
    return buf_take(&all);
}

static void unknown_key(const struct ssh_session *session, const struct hop *hop, const char *fingerprint, struct err *err)
{
    const char *key = hop->is_jump ? "jumpHostKeyFingerprint" : "hostKeyFingerprint";

    err_set(err, ERR_CONNECTION, "%s: its host key is not known", session->label);
    err_detail(err, "It shows the key %s.", fingerprint);
    err_hint(err, "Compare that with what the server's owner says (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub there), then "
                  "add it to known_hosts (connect once with ssh), or to the plan: \"%s\": \"%s\".", key, fingerprint);
}

static void wrong_key(const struct ssh_session *session, const struct hop *hop, const char *fingerprint, struct err *err)
{
    err_set(err, ERR_CONNECTION, "%s: its host key is not the one that the plan names", session->label);
    err_detail(err, "It shows the key %s; the plan has %s.", fingerprint, hop->fingerprint);
    err_hint(err, "Somebody may be in between, or the server has been set up anew: ask its owner before the plan is changed.");
}

static bool judge(struct ssh_session *session, const struct hop *hop, const char *known, struct ssh_trouble *trouble,
                  struct err *err)
{
    struct host_key key = {0};
    int type, line;

    key.blob = libssh2_session_hostkey(session->raw, &key.len, &type);
    const char *hash = libssh2_hostkey_hash(session->raw, LIBSSH2_HOSTKEY_HASH_SHA256);
    if (!key.blob || !hash) {
        ssh_session_error(session, "it shows no host key", err);
        return false;
    }
    char *fingerprint = host_key_fingerprint(hash);
    enum host_key_verdict verdict = known_hosts_judge(known, hop->host, hop->port, &key, &line);
    bool pinned = hop->fingerprint && strcmp(hop->fingerprint, fingerprint) == 0;
    bool ok = false;
    if (verdict == HOST_KEY_REVOKED) {
        err_set(err, ERR_CONNECTION, "%s: its host key %s is revoked", session->label, fingerprint);
        err_hint(err, "known_hosts marks it @revoked: nobody should use it any more. Ask the server's owner.");
    } else if (verdict == HOST_KEY_CHANGED) {
        err_set(err, ERR_CONNECTION, "%s: its host key has changed", session->label);
        err_detail(err, "It shows the key %s; the known hosts (line %d) have another one for it.", fingerprint, line);
        err_hint(err, "Somebody may be in between, or the server has been set up anew: ask its owner, then remove the old key "
                      "(ssh-keygen -R %s%s%s).", hop->port == 22 ? "" : "'[", hop->host, hop->port == 22 ? "" : "]:PORT'");
    } else if (hop->fingerprint && !pinned) {
        wrong_key(session, hop, fingerprint, err);
    } else if (verdict == HOST_KEY_UNKNOWN && !pinned) {
        unknown_key(session, hop, fingerprint, err);
        trouble->want = hop->is_jump ? SSH_WANT_JUMP_HOST_KEY : SSH_WANT_HOST_KEY;
        trouble->fingerprint = xstrdup(fingerprint);
    } else {
        ok = true;
    }
    free(fingerprint);
    return ok;
}

/* --- one hop after the other --- */

static struct ssh_session *enter(const struct hop *hop, const struct ssh_login *login, struct ssh_session *outer,
                                 struct ssh_trouble *trouble, struct err *err)
{
    struct ssh_credentials credentials = {.user = hop->user, .identity_file = hop->identity_file,
                                          .password = login->password, .passphrase = login->passphrase};
    char *known = known_hosts_text(login);
    char *algorithms = known_hosts_algorithms(known, hop->host, hop->port);
    struct ssh_session *session = ssh_session_open(hop->host, hop->port, algorithms, outer, CONNECT_TIMEOUT_MS, err);
    bool ok = session && judge(session, hop, known, trouble, err) && auth_login(session, &credentials, &trouble->want, err);

    free(algorithms);
    free(known);
    if (ok)
        return session;
    ssh_session_close(session);
    return NULL;
}

static struct ssh_session *enter_jump(const struct ssh_login *login, const char *address, struct ssh_trouble *trouble,
                                      struct err *err)
{
    struct ssh_login first = {.known_hosts = login->known_hosts, .fingerprint = login->jump_fingerprint,
                              .passphrase = login->passphrase, .config_file = login->config_file, .jump = "none"};
    struct hop hop = {.is_jump = true};
    struct ssh_session *session = NULL;
    char *user, *host;

    if (!ssh_address_parse(address, &user, &host, &first.port, err))
        return NULL;
    first.user = user;
    first.host = host;
    first.identity_file = NULL;
    if (resolve(&hop, &first, err)) {
        /* A key that the plan names is tried there, too, where the configuration has none. */
        if (!hop.identity_file && login->identity_file)
            hop.identity_file = xstrdup(login->identity_file);
        session = enter(&hop, &first, NULL, trouble, err);
    }
    hop_release(&hop);
    free(user);
    free(host);
    return session;
}

struct ssh_session *ssh_login(const struct ssh_login *login, struct ssh_trouble *trouble, struct err *err)
{
    struct hop hop = {0};
    struct ssh_session *session = NULL;

    ssh_trouble_release(trouble);
    if (resolve(&hop, login, err)) {
        struct ssh_session *outer = hop.jump ? enter_jump(login, hop.jump, trouble, err) : NULL;
        if (outer || !hop.jump)
            session = enter(&hop, login, outer, trouble, err);
    }
    hop_release(&hop);
    return session;
}
