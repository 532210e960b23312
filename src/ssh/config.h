/* What ~/.ssh/config says about one host: the few keywords that a tunnel needs (ssh_config(5)). */
#ifndef PGC_SSH_CONFIG_H
#define PGC_SSH_CONFIG_H

#include "base/err.h"

struct ssh_config {
    char *host_name;     /* all owned; NULL: the file does not say */
    int port;            /* 0: the file does not say */
    char *user;
    char *identity_file; /* the first one, ~ and %d, %h, %r, %u as written */
    char *proxy_jump;    /* NULL also for "none" */
};

#define SSH_CONFIG_INIT {0}

/* Reads what text says about host into *config (released first). As with ssh, the first value found
 * counts. Known are Host (with * ? and !), HostName, Port, User, IdentityFile and ProxyJump. "Match all"
 * is heeded; the blocks of any other Match are passed over, as are all other keywords. ERR_USAGE for a
 * port that is none, with the line. */
bool ssh_config_parse(struct ssh_config *config, const char *text, const char *host, struct err *err);
/* The same from a file; one that is not there says nothing. */
bool ssh_config_read(struct ssh_config *config, const char *path, const char *host, struct err *err);
void ssh_config_release(struct ssh_config *config);

/* Does a pattern of * and ? match the whole name? Letters match in either case. */
bool ssh_pattern_matches(const char *pattern, const char *name);

/* Splits [USER@]HOST[:PORT], [USER@][HOST]:PORT for IPv6, or ssh://…; user and port are left NULL and 0
 * where the text has none. ERR_USAGE when it is none, or names several hosts. */
bool ssh_address_parse(const char *text, char **user, char **host, int *port, struct err *err);

/* The path with a leading ~ replaced by $HOME. Owned. */
char *ssh_home_path(const char *path);

#endif
