/* From a name to a session that is logged in: configuration, jump host, host key, authentication. */
#ifndef PGC_SSH_LOGIN_H
#define PGC_SSH_LOGIN_H

#include "ssh/session.h"

/* What was decided; NULL and 0: as ~/.ssh/config says, or the usual. All borrowed. */
struct ssh_login {
    const char *host;          /* a name that ~/.ssh/config may know */
    int port;                  /* 22 */
    const char *user;          /* the user of this process */
    const char *identity_file; /* ~/.ssh/id_ed25519, id_ecdsa, id_rsa */
    const char *known_hosts;   /* ~/.ssh/known_hosts, then /etc/ssh/ssh_known_hosts */
    const char *fingerprint;   /* of the host's key: no other one will do */
    const char *jump;          /* [USER@]HOST[:PORT], "none" */
    const char *jump_fingerprint;
    const char *password;      /* also the answer to keyboard-interactive's hidden questions; of the host alone */
    const char *passphrase;    /* of the key file */
    const char *config_file;   /* ~/.ssh/config */
};

/* What a person could help with when a login fails. */
enum ssh_want { SSH_WANT_NOTHING, SSH_WANT_HOST_KEY, SSH_WANT_JUMP_HOST_KEY, SSH_WANT_PASSWORD, SSH_WANT_PASSPHRASE };

struct ssh_trouble {
    enum ssh_want want;
    char *fingerprint; /* owned: of the key that is not known */
};

void ssh_trouble_release(struct ssh_trouble *trouble);

/* Logs in. NULL on error: ERR_CONNECTION, retryable where the server was not reached, not retryable where it was
 * and a key or a login is refused; trouble says what would help. Owned: ssh_session_close(). */
struct ssh_session *ssh_login(const struct ssh_login *login, struct ssh_trouble *trouble, struct err *err);

#endif
