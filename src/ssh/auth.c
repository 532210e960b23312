#include "ssh/auth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "ssh/config.h"

#define AUTH_TIMEOUT_MS 30000

struct attempt {
    struct ssh_session *session;
    const struct ssh_credentials *with;
    int64_t until_ms;
    struct buf tried; /* for people */
    enum ssh_want want;
    struct err *err;
};

/* 1 in, 0 refused, -1 err is set. */
static int outcome(struct attempt *a, int rc)
{
    if (rc == 0)
        return 1;
    if (rc != LIBSSH2_ERROR_SOCKET_DISCONNECT && rc != LIBSSH2_ERROR_SOCKET_RECV && rc != LIBSSH2_ERROR_SOCKET_SEND)
        return 0;
    /* Also where it allows no further try. */
    ssh_session_error(a->session, "the server ended the connection while logging in", a->err);
    err_detail(a->err, "Tried: %s.", a->tried.data ? a->tried.data : "nothing");
    return -1;
}

#define COMPLETE(rc, call)                                                                         \
    while (((rc) = (call)) == LIBSSH2_ERROR_EAGAIN)                                                \
        if (!ssh_session_wait(a->session, a->until_ms, a->err))                                        \
            return -1;

PGC_PRINTF(2, 3)
static void note(struct attempt *a, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    buf_addf(&a->tried, "%s%s", a->tried.len ? ", " : "", text);
    free(text);
}

/* --- keys --- */

static int try_identities(struct attempt *a, LIBSSH2_AGENT *agent)
{
    struct libssh2_agent_publickey *identity = NULL, *before = NULL;
    int count = 0;

    while (libssh2_agent_get_identity(agent, &identity, before) == 0) {
        int rc, result;
        COMPLETE(rc, libssh2_agent_userauth(agent, a->with->user, identity))
        count++;
        if ((result = outcome(a, rc)))
            return result;
        before = identity;
    }
    note(a, "the agent (%d %s)", count, count == 1 ? "key" : "keys");
    return 0;
}

static int try_agent(struct attempt *a)
{
    const char *socket = getenv("SSH_AUTH_SOCK");
    int result = 0;

    if (!socket || !*socket) {
        note(a, "no agent (SSH_AUTH_SOCK is not set)");
        return 0;
    }
    LIBSSH2_AGENT *agent = libssh2_agent_init(a->session->raw);
    if (agent && libssh2_agent_connect(agent) == 0) {
        if (libssh2_agent_list_identities(agent) == 0)
            result = try_identities(a, agent);
        else
            note(a, "the agent (it does not list its keys)");
        libssh2_agent_disconnect(agent);
    } else {
        note(a, "the agent of SSH_AUTH_SOCK does not answer");
    }
    if (agent)
        libssh2_agent_free(agent);
    return result;
}

bool auth_key_is_locked(const char *text)
{
    /* "openssh-key-v1", 0, length 4, "none": the cipher's name (OpenSSH, PROTOCOL.key). */
    static const char open_key[] = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmU";
    const char *openssh = strstr(text, "BEGIN OPENSSH PRIVATE KEY");

    if (!openssh)
        return strstr(text, "ENCRYPTED") != NULL;
    const char *body = strchr(openssh, '\n');
    return body && strncmp(body + 1, open_key, strlen(open_key)) != 0;
}

static int try_file(struct attempt *a, const char *path)
{
    struct buf text = BUF_INIT;
    struct err why = ERR_INIT;
    bool readable = file_read(path, &text, &why);
    bool locked = readable && auth_key_is_locked(text.data);
    const char *passphrase = a->with->passphrase;
    char *said = NULL;
    int rc;

    if (text.data)
        explicit_bzero(text.data, text.len);
    buf_release(&text);
    if (!readable)
        note(a, "key file (%s)", why.message);
    err_clear(&why);
    if (!readable)
        return 0;
    if (locked && !passphrase) {
        note(a, "key file \"%s\" (its passphrase is not known)", path);
        a->want = SSH_WANT_PASSPHRASE;
        return 0;
    }
    COMPLETE(rc, libssh2_userauth_publickey_fromfile(a->session->raw, a->with->user, NULL, path, locked ? passphrase : NULL))
    int result = outcome(a, rc);
    if (result)
        return result;
    libssh2_session_last_error(a->session->raw, &said, NULL, 0);
    note(a, "key file \"%s\" (%s)", path, said && *said ? said : "refused");
    if (locked && rc != LIBSSH2_ERROR_AUTHENTICATION_FAILED && rc != LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED)
        a->want = SSH_WANT_PASSPHRASE;
    return 0;
}

static int try_files(struct attempt *a)
{
    static const char *const usual[] = {"~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};
    int result = 0;

    for (size_t i = 0; i < 3 && !result; i++) {
        if (a->with->identity_file && i)
            break;
        char *path = ssh_home_path(a->with->identity_file ? a->with->identity_file : usual[i]);
        if (a->with->identity_file || file_exists(path))
            result = try_file(a, path);
        free(path);
    }
    return result;
}

static int try_keys(struct attempt *a)
{
    /* A file that was named goes first: an agent's many keys may use up the tries that the server allows. */
    bool file_first = a->with->identity_file != NULL;
    int result = file_first ? try_files(a) : try_agent(a);

    if (result)
        return result;
    return file_first ? try_agent(a) : try_files(a);
}

/* --- passwords --- */

static void answer(const char *name, int name_len, const char *text, int text_len, int count,
                   const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts, LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
    struct ssh_session *session = *abstract;

    (void)name;
    (void)name_len;
    (void)text;
    (void)text_len;
    for (int i = 0; i < count; i++) {
        const char *reply = prompts[i].echo ? "" : session->hidden_answer;
        responses[i].text = strdup(reply); /* libssh2 frees it with free() */
        responses[i].length = (unsigned)strlen(reply);
        session->hidden_questions += !prompts[i].echo;
    }
}

static int try_interactive(struct attempt *a)
{
    int rc;

    a->session->hidden_answer = a->with->password;
    a->session->hidden_questions = 0;
    COMPLETE(rc, libssh2_userauth_keyboard_interactive(a->session->raw, a->with->user, answer))
    a->session->hidden_answer = NULL;
    int result = outcome(a, rc);
    int asked = a->session->hidden_questions;
    if (!result)
        note(a, "keyboard-interactive (%d hidden %s answered with the password)", asked, asked == 1 ? "question" : "questions");
    return result;
}

static int try_password(struct attempt *a)
{
    int rc;

    COMPLETE(rc, libssh2_userauth_password(a->session->raw, a->with->user, a->with->password))
    int result = outcome(a, rc);
    if (!result)
        note(a, "password");
    return result;
}

static bool offers(const char *methods, const char *method)
{
    size_t len = strlen(method);

    for (const char *at = methods; *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, method, len) == 0 && (at[len] == ',' || !at[len]))
            return true;
    return false;
}

static int try_all(struct attempt *a, const char *methods)
{
    bool asks = offers(methods, "password") || offers(methods, "keyboard-interactive");
    int result = 0;

    if (offers(methods, "publickey"))
        result = try_keys(a);
    if (result || !asks)
        return result;
    if (!a->with->password) {
        note(a, "no password is known");
        if (a->want == SSH_WANT_NOTHING)
            a->want = SSH_WANT_PASSWORD;
        return 0;
    }
    if (offers(methods, "password"))
        result = try_password(a);
    if (!result && offers(methods, "keyboard-interactive"))
        result = try_interactive(a);
    if (!result)
        a->want = SSH_WANT_PASSWORD;
    return result;
}

static int methods_of(struct attempt *a, char **methods)
{
    const char *user = a->with->user;

    while (!(*methods = libssh2_userauth_list(a->session->raw, user, (unsigned)strlen(user)))) {
        if (libssh2_userauth_authenticated(a->session->raw))
            return 1; /* "none" was enough */
        if (libssh2_session_last_errno(a->session->raw) != LIBSSH2_ERROR_EAGAIN) {
            ssh_session_error(a->session, "could not ask how to log in", a->err);
            return -1;
        }
        if (!ssh_session_wait(a->session, a->until_ms, a->err))
            return -1;
    }
    return 0;
}

bool auth_login(struct ssh_session *session, const struct ssh_credentials *credentials, enum ssh_want *want,
                struct err *err)
{
    struct attempt a = {.session = session, .with = credentials, .err = err,
                        .until_ms = clock_mono_ms() + AUTH_TIMEOUT_MS};
    char *methods = NULL;
    int result = methods_of(&a, &methods);

    if (result == 0) {
        char *offered = xstrdup(methods); /* libssh2's own memory is used again */
        result = try_all(&a, offered);
        if (result == 0) {
            err_set(err, ERR_CONNECTION, "%s: user \"%s\" is not let in", session->label, credentials->user);
            err_detail(err, "The server takes: %s. Tried: %s.", offered, a.tried.len ? a.tried.data : "nothing");
            err_hint(err, "Name the right key (\"ssh.identityFile\"), load it into the agent (ssh-add), or give the password; "
                          "\"ssh.user\" is the user there.");
        }
        free(offered);
    }
    *want = result == 0 ? a.want : SSH_WANT_NOTHING;
    buf_release(&a.tried);
    return result == 1;
}
