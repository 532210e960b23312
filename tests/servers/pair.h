/* Two servers for a test program (see with-servers): opening connections, running and comparing plain SQL. */
#ifndef PGC_TESTS_PAIR_H
#define PGC_TESTS_PAIR_H

#include "pg/conn.h"
#include "../unit/unit.h"

/* 77 (skip) for main() when the program was not started by with-servers. */
#define PAIR_REQUIRED()                                                                           \
    do {                                                                                          \
        if (!getenv("PGC_TEST_SOURCE") || !getenv("PGC_TEST_TARGET"))                             \
            return 77;                                                                            \
    } while (0)

/* A failure that ends the program: what was to be set up for the test did not work. */
static inline void pair_must(bool ok, const char *what, struct err *err)
{
    if (ok)
        return;
    char *text = err_text(err);
    fprintf(stderr, "\n%s: %s\n", what, text);
    free(text);
    exit(EXIT_FAILURE);
}

/* options.profile, .role and .dbname may be set by the caller. */
static inline void pair_open(struct conn *c, enum conn_side side, struct conn_options options)
{
    struct conninfo info = CONNINFO_INIT;
    struct err err = ERR_INIT;

    options.side = side;
    options.role = options.role ? options.role : "test";
    pair_must(conninfo_parse(&info, getenv(side == SIDE_SOURCE ? "PGC_TEST_SOURCE" : "PGC_TEST_TARGET"),
                             &err), "conninfo", &err);
    pair_must(conn_open(c, &info, &options, &err), "connection", &err);
    conninfo_release(&info);
}

/* A session of the application: plain libpq, as another user of the server would have it. */
static inline PGconn *pair_application(enum conn_side side, const char *more)
{
    const char *uri = getenv(side == SIDE_SOURCE ? "PGC_TEST_SOURCE" : "PGC_TEST_TARGET");
    char *text = xasprintf("%s&%s", uri, more && *more ? more : "application_name=app");
    PGconn *pg = PQconnectdb(text);

    if (PQstatus(pg) != CONNECTION_OK) {
        fprintf(stderr, "%s\n", PQerrorMessage(pg));
        exit(EXIT_FAILURE);
    }
    free(text);
    return pg;
}

/* The text for a server of this version (server_version_num): of a comment that begins with "!12" the rest stays
 * for 12 and later, of one that begins with "!-11" for 11 and before; elsewhere it is gone. Owned. */
static inline char *pair_text(int version, const char *text)
{
    char *out = xstrdup(text);

    for (char *at = out; (at = strstr(at, "/*!")) != NULL;) {
        char *body, *end = strstr(at, "*/");
        long since = strtol(at + 3, &body, 10);
        size_t kept = (since > 0 ? version / 10000 >= since : version / 10000 <= -since) ? (size_t)(end - body) : 0;
        memmove(at, body, kept);
        memmove(at + kept, end + 2, strlen(end + 2) + 1);
        at += kept;
    }
    return out;
}

static inline void pair_run(PGconn *pg, const char *sql)
{
    char *text = pair_text(PQserverVersion(pg), sql);
    PGresult *res = PQexec(pg, text);
    ExecStatusType status = PQresultStatus(res);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        fprintf(stderr, "\n%.200s: %s\n", sql, PQerrorMessage(pg));
        exit(EXIT_FAILURE);
    }
    PQclear(res);
    free(text);
}

/* First value, or "(error) ..." ; owned. */
static inline char *pair_value(PGconn *pg, const char *sql)
{
    char *text = pair_text(PQserverVersion(pg), sql);
    PGresult *res = PQexec(pg, text);
    char *value = PQresultStatus(res) != PGRES_TUPLES_OK ? xasprintf("(error) %s", PQerrorMessage(pg))
                  : PQntuples(res) == 0 ? xstrdup("(no row)") : xstrdup(PQgetvalue(res, 0, 0));

    PQclear(res);
    free(text);
    return value;
}

#define CHECK_VALUE(pg, sql, want)                                                                \
    do {                                                                                          \
        char *value_ = pair_value(pg, sql);                                                       \
        CHECK_STR(value_, want);                                                                  \
        free(value_);                                                                             \
    } while (0)

#define CHECK_OK(call, err)                                                                       \
    do {                                                                                          \
        bool done_ = (call);                                                                      \
        if (!done_) {                                                                             \
            char *text_ = err_text(err);                                                          \
            fprintf(stderr, "\n%s:%d: %s\n  %s\n", __FILE__, __LINE__, #call, text_);             \
            free(text_);                                                                          \
            err_clear(err);                                                                       \
        }                                                                                         \
        CU_ASSERT_TRUE(done_);                                                                    \
    } while (0)

/* Both give the same first value, and a value at all. */
static inline void pair_same(PGconn *source, PGconn *target, const char *sql)
{
    char *a = pair_value(source, sql), *b = pair_value(target, sql);

    CHECK_STR(b, a);
    CHECK_TRUE(strncmp(a, "(", 1) != 0);
    free(a);
    free(b);
}

#endif
