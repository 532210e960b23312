#include "engine/fix_setting.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* 'it''s' or a bare word up to the semicolon. Owned; NULL: neither. */
static char *literal(const char *text)
{
    struct buf out = BUF_INIT;

    if (*text != '\'') {
        size_t len = strcspn(text, "; ");
        buf_add(&out, text, len);
        return len ? buf_take(&out) : NULL;
    }
    for (text++; *text; text++) {
        if (*text == '\'' && text[1] != '\'')
            return buf_take(&out);
        if (*text == '\'')
            text++;
        buf_addch(&out, *text);
    }
    buf_release(&out);
    return NULL;
}

bool fix_setting_parse(const char *statement, char **name, char **value)
{
    static const char set[] = "ALTER SYSTEM SET ", reset[] = "ALTER SYSTEM RESET ";
    bool sets = strncmp(statement, set, strlen(set)) == 0;

    *name = *value = NULL;
    if (!sets && strncmp(statement, reset, strlen(reset)) != 0)
        return false;
    statement += sets ? strlen(set) : strlen(reset);
    size_t len = strcspn(statement, " ;");
    struct buf word = BUF_INIT;
    buf_add(&word, statement, len);
    *name = buf_take(&word);
    const char *is = strstr(statement + len, "= ");
    if (sets && is)
        *value = literal(is + 2);
    return true;
}

bool fix_setting_auto(struct conn *c, const char *name, char **value, struct err *err)
{
    const char *args[] = {name};

    return conn_scalar(c, sql_fix_setting_auto, 1, args, value, err);
}

char *fix_setting_undo(struct conn *c, const char *name)
{
    struct err err = ERR_INIT;
    char *value = NULL, *undo = NULL;

    if (fix_setting_auto(c, name, &value, &err)) {
        char *quoted = value ? PQescapeLiteral(c->pg, value, strlen(value)) : NULL;
        undo = quoted ? xasprintf("ALTER SYSTEM SET %s = %s;", name, quoted) : xasprintf("ALTER SYSTEM RESET %s;", name);
        PQfreemem(quoted);
    }
    err_clear(&err);
    free(value);
    return undo;
}
