/* Authentication (RFC 4252): agent, key files, keyboard-interactive, password; in the order that asks least. */
#ifndef PGC_SSH_AUTH_H
#define PGC_SSH_AUTH_H

#include "ssh/login.h"

struct ssh_credentials {
    const char *user;
    const char *identity_file; /* NULL: the usual ones */
    const char *password, *passphrase;
};

/* Logs the session in. On refusal err says what was tried, and want what would help. */
bool auth_login(struct ssh_session *session, const struct ssh_credentials *credentials, enum ssh_want *want,
                struct err *err);

/* Is this text of a private key locked with a passphrase? */
bool auth_key_is_locked(const char *text);

#endif
