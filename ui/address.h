/* What people type in one line and the plan has in parts. */
#ifndef PGC_UI_ADDRESS_H
#define PGC_UI_ADDRESS_H

#include <stdbool.h>

/* [USER@]HOST[:PORT], an IPv6 address in brackets where a port follows. All owned; user and port NULL where there is none. What
 * is no port stays with the host, so that who reads the plan says what is wrong with it. */
struct address {
    char *user, *host, *port;
};

void address_split(struct address *address, const char *text);
void address_release(struct address *address);
/* The reverse; owned. Each may be "". */
char *address_join(const char *user, const char *host, const char *port);

/* Takes the password out of a connection string, URI or keywords, in place: it has no place in what is stored. Owned, to be wiped;
 * NULL: there is none. */
char *address_take_password(char *uri);
/* Could what follows be a password of which only the beginning is typed? Where it begins, then; else NULL. */
const char *address_unfinished(const char *uri);

#endif
