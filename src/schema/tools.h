/* The PostgreSQL programs that read and write schemas: pg_dump, pg_restore, pg_dumpall. */
#ifndef PGC_SCHEMA_TOOLS_H
#define PGC_SCHEMA_TOOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct schema_tools {
    char *pg_dump; /* owned; full paths, all of one installation */
    char *pg_restore;
    char *pg_dumpall;
    int major; /* 15 */
};

#define SCHEMA_TOOLS_INIT {0}

/* Looks in /usr/lib/postgresql/N/bin, /usr/pgsql-N/bin and PATH. pg_dump refuses servers newer than
 * itself: the target's major is preferred, then the newest one not above it, then the oldest above,
 * never one below the source's. Versions as PQserverVersion gives them. ERR_PREREQUISITE names what
 * was found and the package to install. */
bool schema_tools_find(struct schema_tools *tools, int source_version, int target_version,
                       struct err *err);
void schema_tools_release(struct schema_tools *tools);

/* Makes the error of a program that lost its connection, as its messages say, one to try again. */
void schema_tools_lost_connection(const char *messages, struct err *err);

/* The rule above over majors that are installed: the index of the best, -1 when none will do. */
int schema_tools_choose(const int *majors, size_t count, int source_major, int target_major);
/* 15 of "pg_dump (PostgreSQL) 15.20 (Debian ...)", 9 of 9.x, 0 when it is no such text. */
int schema_tools_parse_version(const char *text);

#endif
