/* Errors as values.
 *
 * A function that can fail takes `struct err *err` last and returns false (or NULL). It fills err
 * once, where the failure happens; callers add context with err_wrap() and pass it up; it is
 * logged once, at a boundary (worker, engine, command).
 *
 * Messages follow PostgreSQL's Error Message Style Guide: the primary message in lower case
 * without a full stop; detail and hint are whole sentences; names in double quotes. */
#ifndef PGC_BASE_ERR_H
#define PGC_BASE_ERR_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/xalloc.h"

enum err_code {
    ERR_NONE = 0,
    ERR_INTERNAL,     /* a bug, or something that cannot happen */
    ERR_IO,           /* a file, socket or process of this host */
    ERR_CONNECTION,   /* a server cannot be reached, or the connection was lost */
    ERR_SERVER,       /* a server refused a statement; sqlstate is set */
    ERR_PROTOCOL,     /* bytes that do not mean anything: decoder, spool, control socket */
    ERR_TIMEOUT,      /* a deadline passed */
    ERR_CONFLICT,     /* a change does not fit the target's rows */
    ERR_USAGE,        /* wrong command line or plan */
    ERR_PREREQUISITE, /* something must be fixed first; nothing was changed */
    ERR_DIFFERENT,    /* verification found differences */
    ERR_NOT_FOUND,    /* no such migration, or its engine does not answer */
    ERR_STOPPED,      /* interrupted on request */
};

struct err {
    enum err_code code;
    char sqlstate[6]; /* "" where no server spoke */
    bool retryable;   /* the same again may succeed: lost connection, deadlock, disk full, ... */
    char *message;    /* owned */
    char *detail;     /* owned, may be NULL */
    char *hint;       /* owned, may be NULL: what to do */
};

#define ERR_INIT {0}

/* Releases what err holds and makes it empty again. */
void err_clear(struct err *err);

/* Sets code and message; anything held before is released. err may be NULL everywhere here. */
void err_set(struct err *err, enum err_code code, const char *fmt, ...) PGC_PRINTF(3, 4);
/* The same with ": strerror(errno)" at the end, code ERR_IO; ENOSPC and EDQUOT are retryable. */
void err_errno(struct err *err, const char *fmt, ...) PGC_PRINTF(2, 3);
/* Each replaces the detail or hint. */
void err_detail(struct err *err, const char *fmt, ...) PGC_PRINTF(2, 3);
void err_hint(struct err *err, const char *fmt, ...) PGC_PRINTF(2, 3);
/* Puts "context: " before the message. */
void err_wrap(struct err *err, const char *fmt, ...) PGC_PRINTF(2, 3);
/* Moves src into dst (released first); src is empty afterwards. */
void err_move(struct err *dst, struct err *src);

bool err_is_set(const struct err *err);

/* The exit code of interface.md for an error: 1, 2, 3, 4, 5 or 130. */
int err_exit_code(const struct err *err);

/* {"code","sqlstate","retryable","message","detail","hint"}: owned by the caller. */
cJSON *err_to_json(const struct err *err);
/* The reverse; keys that are missing are left empty. */
void err_from_json(struct err *err, const cJSON *json);

/* "message (SQLSTATE)\n  detail\n  hint" as one string for people; owned by the caller. */
char *err_text(const struct err *err);

#endif
