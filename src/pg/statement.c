#include "pg/statement.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "pg/token.h"

static const char *skip_token(const char *at)
{
    size_t len;

    token_next(at, &len);
    return at + len;
}

/* --- what it does --- */

static const char *const changing_words[] = {
    "ALTER", "ANALYZE", "CLUSTER", "COMMENT", "CREATE", "CREATE_REPLICATION_SLOT", "DO", "DROP",
    "DROP_REPLICATION_SLOT", "GRANT", "IMPORT", "REASSIGN", "REFRESH", "REINDEX", "REVOKE", "SECURITY", "TRUNCATE",
    "VACUUM", NULL};

static const char *const changing_functions[] = {
    "pg_create_logical_replication_slot", "pg_drop_replication_slot", "pg_terminate_backend", "setval", "lo_create",
    "lo_from_bytea", "lo_put", "lo_unlink", "lowrite", "pg_replication_origin_create", "pg_replication_origin_drop",
    "pg_reload_conf", NULL};

static bool is_in(const char *const *words, const char *at, size_t len)
{
    for (; *words; words++)
        if (strlen(*words) == len && strncasecmp(*words, at, len) == 0)
            return true;
    return false;
}

static bool is_temporary(const char *at, const char *end)
{
    static const char *const temporary[] = {"TEMP", "TEMPORARY", NULL};
    const char *next = token_skip_blank(end);

    return strncasecmp(at, "CREATE", (size_t)(end - at)) == 0 &&
           is_in(temporary, next, (size_t)(skip_token(next) - next));
}

/* From a statement's first word to its end; *changes is set where it does. */
static const char *skip_statement(const char *at, bool *changes)
{
    const char *end = skip_token(at);

    if (is_in(changing_words, at, (size_t)(end - at)) && !is_temporary(at, end))
        *changes = true;
    for (; *at && *at != ';'; at = token_skip_blank(end)) {
        end = skip_token(at);
        if (*token_skip_blank(end) == '(' && is_in(changing_functions, at, (size_t)(end - at)))
            *changes = true;
    }
    return *at ? at + 1 : at;
}

bool statement_changes_server(const char *sql)
{
    bool changes = false;

    for (const char *at = token_skip_blank(sql); *at && !changes; at = token_skip_blank(at))
        at = skip_statement(at, &changes);
    return changes;
}

/* A connection string, as of a subscription or a foreign server. */
static bool holds_password(const char *at, const char *end)
{
    static const char word[] = "password=";

    for (; end - at >= (long)sizeof word - 1; at++)
        if (strncasecmp(at, word, sizeof word - 1) == 0)
            return true;
    return false;
}

char *statement_without_secrets(const char *sql)
{
    struct buf out = BUF_INIT;
    enum token token;
    size_t len;
    bool secret = false;

    buf_add(&out, "", 0);
    for (const char *at = sql; (token = token_next(at, &len)) != TOKEN_END; at += len) {
        if (token == TOKEN_STRING && (secret || holds_password(at, at + len)))
            buf_addstr(&out, "'***'");
        else
            buf_add(&out, at, len);
        if (token != TOKEN_BLANK) /* what stands between the two words does not count */
            secret = len == 8 && strncasecmp(at, "PASSWORD", 8) == 0;
    }
    return buf_take(&out);
}
