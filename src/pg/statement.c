#include "pg/statement.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_' || (unsigned char)ch >= 0x80;
}

/* --- behind one token --- */

static const char *skip_block_comment(const char *at)
{
    int depth = 0;

    do {
        if (at[0] == '/' && at[1] == '*') {
            depth++;
            at += 2;
        } else if (at[0] == '*' && at[1] == '/') {
            depth--;
            at += 2;
        } else if (*at) {
            at++;
        }
    } while (depth && *at);
    return at;
}

/* A quoted string or name, from its first quote on; a doubled quote does not end it. */
static const char *skip_quoted(const char *at, bool backslashes)
{
    char quote = *at++;

    for (; *at; at++) {
        if (backslashes && *at == '\\' && at[1])
            at++;
        else if (*at == quote && at[1] == quote)
            at++;
        else if (*at == quote)
            return at + 1;
    }
    return at;
}

/* $tag$ ... $tag$, or the one character where it is none. */
static const char *skip_dollars(const char *at)
{
    const char *end = at + 1;

    while (is_word(*end))
        end++;
    if (*end != '$' || isdigit((unsigned char)at[1]))
        return at + 1;
    size_t len = (size_t)(end - at) + 1;
    for (const char *close = end + 1; *close; close++)
        if (strncmp(close, at, len) == 0)
            return close + len;
    return end + strlen(end);
}

static const char *skip_token(const char *at)
{
    bool escapes = (*at == 'e' || *at == 'E') && at[1] == '\'';

    if (escapes)
        return skip_quoted(at + 1, true);
    if (*at == '\'' || *at == '"')
        return skip_quoted(at, false);
    if (at[0] == '-' && at[1] == '-')
        return at + strcspn(at, "\n");
    if (at[0] == '/' && at[1] == '*')
        return skip_block_comment(at);
    if (*at == '$')
        return skip_dollars(at);
    if (!is_word(*at))
        return at + 1;
    while (is_word(*at) || *at == '$')
        at++;
    return at;
}

/* To the first token that is neither blank nor comment. */
static const char *skip_blank(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n\f");
        if (strncmp(at, "--", 2) != 0 && strncmp(at, "/*", 2) != 0)
            return at;
        at = skip_token(at);
    }
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
    const char *next = skip_blank(end);

    return strncasecmp(at, "CREATE", (size_t)(end - at)) == 0 &&
           is_in(temporary, next, (size_t)(skip_token(next) - next));
}

/* From a statement's first word to its end; *changes is set where it does. */
static const char *skip_statement(const char *at, bool *changes)
{
    const char *end = skip_token(at);

    if (is_in(changing_words, at, (size_t)(end - at)) && !is_temporary(at, end))
        *changes = true;
    for (; *at && *at != ';'; at = skip_blank(end)) {
        end = skip_token(at);
        if (*skip_blank(end) == '(' && is_in(changing_functions, at, (size_t)(end - at)))
            *changes = true;
    }
    return *at ? at + 1 : at;
}

bool statement_changes_server(const char *sql)
{
    bool changes = false;

    for (const char *at = skip_blank(sql); *at && !changes; at = skip_blank(at))
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
    const char *end;
    bool secret = false;

    buf_add(&out, "", 0);
    for (const char *at = sql; *at; at = end) {
        bool is_text = *at == '\'' || ((*at == 'e' || *at == 'E') && at[1] == '\'');
        end = skip_token(at);
        if (is_text && (secret || holds_password(at, end)))
            buf_addstr(&out, "'***'");
        else
            buf_add(&out, at, (size_t)(end - at));
        if (skip_blank(at) == at) /* what stands between the two words does not count */
            secret = end - at == 8 && strncasecmp(at, "PASSWORD", 8) == 0;
    }
    return buf_take(&out);
}
