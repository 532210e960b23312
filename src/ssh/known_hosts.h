/* OpenSSH's known_hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): is a host's key the one that was
 * there before?
 *
 * Lines with names, patterns (* ? !), [name]:port and hashed names (|1|...) are understood, and the
 * marker @revoked; lines marked @cert-authority are passed over: certificates of hosts are not offered. */
#ifndef PGC_SSH_KNOWN_HOSTS_H
#define PGC_SSH_KNOWN_HOSTS_H

#include <stdbool.h>
#include <stddef.h>

enum host_key_verdict {
    HOST_KEY_KNOWN,
    HOST_KEY_UNKNOWN, /* nothing is known of this host */
    HOST_KEY_CHANGED, /* other keys are known of it: *line says where */
    HOST_KEY_REVOKED,
};

struct host_key {
    const void *blob; /* as the server sent it: borrowed */
    size_t len;
};

/* Judges a key of host:port by the text of a file. *line (may be NULL) is the line's number, from 1, 0 for
 * none. A key that is revoked anywhere for this host stays so, whatever other lines say. */
enum host_key_verdict known_hosts_judge(const char *text, const char *host, int port, const struct host_key *key,
                                        int *line);

/* The algorithms to ask the server for, best first, separated by commas: those of the keys that are known of
 * the host go before the others, so that it shows the key that can be compared. Owned. */
char *known_hosts_algorithms(const char *text, const char *host, int port);

/* "SHA256:..." of 32 bytes, as ssh-keygen -l prints it. Owned. */
char *host_key_fingerprint(const void *sha256);

#endif
