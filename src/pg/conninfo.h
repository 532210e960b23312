/* How to reach one server: libpq's keywords, and the password kept apart.
 *
 * What libpq knows by itself (service file, passfile, PG* environment) it adds when connecting;
 * nothing is resolved here. Keywords: PostgreSQL docs, "Parameter Key Words". */
#ifndef PGC_PG_CONNINFO_H
#define PGC_PG_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/secret.h"

struct conninfo {
    char **keys;   /* owned */
    char **values; /* owned, parallel to keys */
    size_t count;
    size_t cap;
    struct secret password;
    int tunnel_port; /* not 0: host is reached through this port of 127.0.0.1; certificates are still the host's */
};

#define CONNINFO_INIT {0}

void conninfo_release(struct conninfo *info);
void conninfo_copy(struct conninfo *dst, const struct conninfo *src);

/* Sets or replaces a keyword; NULL or "" removes it. "password" goes to the secret (an empty one
 * means that none is needed). The value is copied. */
void conninfo_set(struct conninfo *info, const char *key, const char *value);
/* The value, or NULL. Borrowed. */
const char *conninfo_get(const struct conninfo *info, const char *key);

/* Reads a URI or keyword=value string; a password in it becomes the secret. ERR_USAGE with
 * libpq's words when it is none (the text is not repeated: it may hold a password). */
bool conninfo_parse(struct conninfo *info, const char *text, struct err *err);

/* For messages: "host:port/dbname" or "service NAME", never a password. Owned. */
char *conninfo_label(const struct conninfo *info);

/* The connection as a keyword=value string without the password, for programs that are run
 * (pg_dump --dbname); it leads through the tunnel where there is one. Owned. */
char *conninfo_string(const struct conninfo *info);

/* Sets what leads into the tunnel (hostaddr, port): libpq goes there, and checks the certificate of host. Without one
 * nothing is changed. */
void conninfo_enter_tunnel(struct conninfo *info);

/* NULL-terminated "NAME=value" pairs for such a program's environment: PGPASSWORD where a password
 * is known. Release with conninfo_env_free(), which wipes it. */
char **conninfo_env(const struct conninfo *info, const char *application_name);
void conninfo_env_free(char **env);

#endif
