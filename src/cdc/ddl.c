/* How it works: what was there before and after is compared part by part, each in an order in which the
 * server takes it: the table's name, its columns' names, what is dropped, columns, what is added. A
 * column is the same one when it has the same number on the source; on the target it is found by the name
 * that it had. Every part asks the target's definition before it adds a statement. */
#include "cdc/ddl.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "pg/ident.h"

/* --- plans --- */

void ddl_plan_release(struct ddl_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        free(plan->statements[i]);
    free(plan->statements);
    free(plan->reason);
    free(plan->schema);
    free(plan->name);
    *plan = (struct ddl_plan)DDL_PLAN_INIT;
}

static void add_statement(struct ddl_plan *plan, struct buf *sql)
{
    plan->statements = xgrow(plan->statements, plan->count, &plan->cap, sizeof *plan->statements);
    plan->statements[plan->count++] = buf_take(sql);
    if (plan->verdict == DDL_SAME)
        plan->verdict = DDL_APPLY;
}

/* The graver verdict stays, with its first reason. */
static void judge(struct ddl_plan *plan, enum ddl_verdict verdict, char *reason)
{
    if (verdict <= plan->verdict) {
        free(reason);
        return;
    }
    free(plan->reason);
    plan->verdict = verdict;
    plan->reason = reason;
}

/* --- reading definitions --- */

static const char *text(const cJSON *object, const char *key)
{
    const char *value = json_str(object, key);

    return value ? value : "";
}

static const cJSON *find_by(const cJSON *list, const char *key, const char *value)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list)
    {
        if (strcmp(text(item, key), value) == 0)
            return item;
    }
    return NULL;
}

static const cJSON *column_numbered(const cJSON *table, int64_t number)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(table, "columns"))
    {
        if (json_i64(column, "num", 0) == number)
            return column;
    }
    return NULL;
}

static const cJSON *column_named(const cJSON *table, const char *name)
{
    return find_by(json_get(table, "columns"), "name", name);
}

static bool same_text(const cJSON *a, const cJSON *b, const char *key)
{
    return strcmp(text(a, key), text(b, key)) == 0;
}

char *ddl_describe(const cJSON *definition)
{
    struct buf out = BUF_INIT;
    const cJSON *column;
    const char *separator = "(";

    cJSON_ArrayForEach(column, json_get(definition, "columns"))
    {
        buf_addf(&out, "%s%s %s%s", separator, text(column, "name"), text(column, "type"),
                 json_bool(column, "notNull", false) ? " NOT NULL" : "");
        separator = ", ";
    }
    buf_addstr(&out, *separator == '(' ? "()" : ")");
    return buf_take(&out);
}

/* --- texts --- */

static const char *skip_literal(const char *at)
{
    for (at++; *at; at++) {
        if (*at == '\'' && at[1] == '\'')
            at++;
        else if (*at == '\'')
            return at + 1;
    }
    return at;
}

static bool is_number(const char *at)
{
    at += *at == '-';
    at += strspn(at, "0123456789");
    at += *at == '.';
    at += strspn(at, "0123456789");
    return !*at;
}

/* One cast to a type's name, as the server writes it. */
static bool is_cast(const char *at)
{
    if (!*at)
        return true;
    if (strncmp(at, "::", 2) != 0)
        return false;
    for (at += 2; *at; at++)
        if (!isalnum((unsigned char)*at) && !strchr(" _.,()[]\"", *at))
            return false;
    return true;
}

bool ddl_is_constant(const char *expression)
{
    static const char *const words[] = {"true", "false", "NULL"};
    char *copy;
    bool is = false;

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(expression, words[i], strlen(words[i])) == 0 &&
            is_cast(expression + strlen(words[i])))
            return true;
    if (*expression == '\'' && !strchr(expression, '\\'))
        return is_cast(skip_literal(expression));
    /* (-1), '-1'::integer and 1 are what is left */
    copy = xstrdup(expression + (*expression == '('));
    if (*expression == '(' && *copy && copy[strlen(copy) - 1] == ')')
        copy[strlen(copy) - 1] = '\0';
    is = *copy && strcmp(copy, "-") != 0 && is_number(copy);
    free(copy);
    return is;
}

static const char *skip_comment(const char *at)
{
    int depth = 0;

    if (strncmp(at, "--", 2) == 0)
        return at + strcspn(at, "\n");
    do {
        if (strncmp(at, "/*", 2) == 0) {
            depth++;
            at += 2;
        } else if (strncmp(at, "*/", 2) == 0) {
            depth--;
            at += 2;
        } else if (*at) {
            at++;
        }
    } while (depth && *at);
    return at;
}

static bool is_word(char ch)
{
    return isalnum((unsigned char)ch) || ch == '_' || ((unsigned char)ch & 0x80);
}

/* The next word, upper case and shortened, or one other character; "" at the end. Strings, quoted names and
 * dollar quotes count as one "'". */
static const char *next_token(const char *at, char token[16])
{
    size_t n = 0;

    for (;;) {
        at += strspn(at, " \t\r\n\f\v");
        if (strncmp(at, "--", 2) != 0 && strncmp(at, "/*", 2) != 0)
            break;
        at = skip_comment(at);
    }
    memset(token, 0, 16);
    if (*at == '\'' || *at == '"') {
        const char quote = *at;
        token[0] = '\'';
        at += strcspn(at + 1, quote == '"' ? "\"" : "'") + 1;
        return *at ? at + 1 : at;
    }
    if (!is_word(*at)) {
        token[0] = *at;
        return *at ? at + 1 : at;
    }
    for (; is_word(*at); at++)
        if (n < 15)
            token[n++] = (char)toupper((unsigned char)*at);
    return at;
}

bool ddl_is_plain_alter(const char *query)
{
    char token[16];
    const char *at = query ? next_token(query, token) : "";
    bool ended = false;

    if (!query || strcmp(token, "ALTER") != 0)
        return false;
    at = next_token(at, token);
    if (strcmp(token, "TABLE") != 0)
        return false;
    for (at = next_token(at, token); *token; at = next_token(at, token)) {
        /* A dollar could begin a quotation, a backslash end a string elsewhere than here. */
        if (ended || strcmp(token, "USING") == 0 || *token == '$' || *token == '\\')
            return false;
        ended = *token == ';';
    }
    return !strchr(query, '\\');
}

/* --- pieces of statements --- */

static void add_table(struct buf *sql, const struct ddl_plan *plan)
{
    ident_add_qualified(sql, plan->schema, plan->name);
}

static void begin_alter(struct buf *sql, const struct ddl_plan *plan)
{
    buf_addstr(sql, "ALTER TABLE ");
    add_table(sql, plan);
    buf_addch(sql, ' ');
}

static void add_owner(struct ddl_plan *plan, const char *kind, const char *owner)
{
    struct buf sql = BUF_INIT;
    struct buf act = BUF_INIT;

    if (!*owner)
        return;
    buf_addf(&act, "ALTER %s ", kind);
    add_table(&act, plan);
    buf_addstr(&act, " OWNER TO ");
    ident_add(&act, owner);
    buf_addstr(&sql, "DO $owner$BEGIN IF EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = ");
    literal_add(&sql, owner);
    buf_addf(&sql, ") THEN %s; END IF; END$owner$", act.data);
    /* A name that ends the quotation would be the application's joke: it is left as it is. */
    if (!strstr(owner, "$owner$") && !strstr(plan->name, "$owner$") && !strstr(plan->schema, "$owner$"))
        add_statement(plan, &sql);
    buf_release(&sql);
    buf_release(&act);
}

/* type, collation, generation or identity of a column. */
static void add_column_type(struct buf *sql, const cJSON *column)
{
    buf_addstr(sql, text(column, "type"));
    if (*text(column, "collation"))
        buf_addf(sql, " COLLATE %s", text(column, "collation"));
}

static void add_generated(struct buf *sql, const cJSON *column)
{
    const char *how = text(column, "generated");

    if (*how)
        buf_addf(sql, " GENERATED ALWAYS AS (%s) %s", text(column, "default"),
                 *how == 'v' ? "VIRTUAL" : "STORED");
}

static void add_sequence_options(struct buf *sql, const cJSON *sequence)
{
    buf_addf(sql, "START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s",
             text(sequence, "start"), text(sequence, "increment"), text(sequence, "min"),
             text(sequence, "max"), text(sequence, "cache"),
             json_bool(sequence, "cycle", false) ? " CYCLE" : "");
}

/* While the source's values are written, an identity column must take them; ALWAYS comes at the end. */
static void add_identity(struct buf *sql, const cJSON *table, const cJSON *column)
{
    const cJSON *sequence = find_by(json_get(table, "sequences"), "column", text(column, "name"));

    buf_addstr(sql, "GENERATED BY DEFAULT AS IDENTITY");
    if (!sequence)
        return;
    buf_addstr(sql, " (SEQUENCE NAME ");
    ident_add_qualified(sql, text(sequence, "schema"), text(sequence, "name"));
    buf_addch(sql, ' ');
    add_sequence_options(sql, sequence);
    buf_addch(sql, ')');
}

static void remember_always(struct ddl_plan *plan, const cJSON *column)
{
    struct buf sql = BUF_INIT;

    if (*text(column, "identity") != 'a')
        return;
    buf_addstr(&sql, "INSERT INTO pgcutover.identity (table_schema, table_name, column_name) VALUES (");
    literal_add(&sql, plan->schema);
    buf_addstr(&sql, ", ");
    literal_add(&sql, plan->name);
    buf_addstr(&sql, ", ");
    literal_add(&sql, text(column, "name"));
    buf_addstr(&sql, ") ON CONFLICT DO NOTHING");
    add_statement(plan, &sql);
}

void ddl_create_sequence(const cJSON *sequence, struct ddl_plan *plan)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "CREATE SEQUENCE IF NOT EXISTS ");
    ident_add_qualified(&sql, text(sequence, "schema"), text(sequence, "name"));
    buf_addf(&sql, " AS %s ", text(sequence, "type"));
    add_sequence_options(&sql, sequence);
    add_statement(plan, &sql);
}

/* serial: the sequence is there before the default that names it. */
static void create_owned_sequences(struct ddl_plan *plan, const cJSON *after, const cJSON *before)
{
    const cJSON *sequence;

    cJSON_ArrayForEach(sequence, json_get(after, "sequences"))
    {
        if (!json_bool(sequence, "internal", false) &&
            !find_by(json_get(before, "sequences"), "name", text(sequence, "name")))
            ddl_create_sequence(sequence, plan);
    }
}

static void own_sequences(struct ddl_plan *plan, const cJSON *after, const cJSON *before)
{
    const cJSON *sequence;

    cJSON_ArrayForEach(sequence, json_get(after, "sequences"))
    {
        struct buf sql = BUF_INIT;
        if (json_bool(sequence, "internal", false) ||
            find_by(json_get(before, "sequences"), "name", text(sequence, "name")))
            continue;
        buf_addstr(&sql, "ALTER SEQUENCE ");
        ident_add_qualified(&sql, text(sequence, "schema"), text(sequence, "name"));
        buf_addstr(&sql, " OWNED BY ");
        add_table(&sql, plan);
        buf_addch(&sql, '.');
        ident_add(&sql, text(sequence, "column"));
        add_statement(plan, &sql);
    }
}

/* --- names --- */

static void set_name(struct ddl_plan *plan, const char *schema, const char *name)
{
    str_replace(&plan->schema, schema);
    str_replace(&plan->name, name);
}

static void move_identity_rows(struct ddl_plan *plan, const char *column, const char *from, const char *to)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "UPDATE pgcutover.identity SET %s = ", column);
    literal_add(&sql, to);
    buf_addstr(&sql, " WHERE table_schema = ");
    literal_add(&sql, plan->schema);
    buf_addstr(&sql, " AND table_name = ");
    literal_add(&sql, plan->name);
    buf_addf(&sql, " AND %s = ", column);
    literal_add(&sql, from);
    add_statement(plan, &sql);
}

/* The target's table follows when it has the name that the source's had: else it is mapped, and stays. */
static void rename_table(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct buf sql = BUF_INIT;
    const char *schema = text(c->after, "schema");
    const char *name = text(c->after, "name");

    if (!c->before || !same_text(c->before, c->target, "schema") ||
        !same_text(c->before, c->target, "name"))
        return;
    if (strcmp(schema, plan->schema) != 0) {
        move_identity_rows(plan, "table_schema", plan->schema, schema);
        begin_alter(&sql, plan);
        buf_addstr(&sql, "SET SCHEMA ");
        ident_add(&sql, schema);
        add_statement(plan, &sql);
        set_name(plan, schema, plan->name);
    }
    if (strcmp(name, plan->name) != 0) {
        move_identity_rows(plan, "table_name", plan->name, name);
        begin_alter(&sql, plan);
        buf_addstr(&sql, "RENAME TO ");
        ident_add(&sql, name);
        add_statement(plan, &sql);
        set_name(plan, schema, name);
    }
}

/* The column of the target that is column `number` of the source: by the name it had, or has. */
static const cJSON *on_target(const struct ddl_case *c, int64_t number)
{
    const cJSON *old = column_numbered(c->before, number);
    const cJSON *now = column_numbered(c->after, number);
    const cJSON *found = old ? column_named(c->target, text(old, "name")) : NULL;

    /* The old name may be another column's by now, when somebody renamed it on the target. */
    if (found && now && !same_text(old, now, "name") && column_named(c->target, text(now, "name")) &&
        column_named(c->after, text(old, "name")))
        found = NULL;
    return found || !now ? found : column_named(c->target, text(now, "name"));
}

static void rename_columns(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        struct buf sql = BUF_INIT;
        const cJSON *there = on_target(c, json_i64(column, "num", 0));
        if (!there || same_text(there, column, "name"))
            continue;
        if (*text(column, "identity"))
            move_identity_rows(plan, "column_name", text(there, "name"), text(column, "name"));
        begin_alter(&sql, plan);
        buf_addstr(&sql, "RENAME COLUMN ");
        ident_add(&sql, text(there, "name"));
        buf_addstr(&sql, " TO ");
        ident_add(&sql, text(column, "name"));
        add_statement(plan, &sql);
    }
}

/* --- columns --- */

struct alter {
    const struct ddl_case *c;
    struct ddl_plan *plan;
    struct buf first;  /* drops, so that a name can be used again in the same statement */
    struct buf second; /* additions and changes */
    struct buf third;  /* what follows: defaults of the time to come */
};

static void column_action(struct buf *sql, const char *action, const cJSON *column, const char *rest)
{
    buf_addstr(sql, sql->len ? ", " : "");
    buf_addf(sql, "%s COLUMN ", action);
    ident_add(sql, text(column, "name"));
    buf_addstr(sql, rest);
}

/* Was the name of a column that is gone given to one that was there before? */
static bool name_was_taken_over(const struct ddl_case *c, const char *name)
{
    const cJSON *now = column_named(c->after, name);

    return now && column_numbered(c->before, json_i64(now, "num", 0));
}

static void drop_columns(struct alter *a)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(a->c->before, "columns"))
    {
        const char *name = text(column, "name");
        if (!column_numbered(a->c->after, json_i64(column, "num", 0)) &&
            column_named(a->c->target, name) && !name_was_taken_over(a->c, name))
            column_action(&a->first, "DROP", column, "");
    }
}

static void must_reload(struct alter *a, const cJSON *column, const char *what)
{
    char *table = ident_display(text(a->c->after, "schema"), text(a->c->after, "name"));

    judge(a->plan, DDL_RELOAD, xasprintf("the source %s column \"%s\" of table %s with values of its own",
                                         what, text(column, "name"), table));
    free(table);
}

/* The value that rows from before get; NULL: null. Owned. */
static char *old_rows_value(struct alter *a, const cJSON *column)
{
    const char *missing = json_str(a->c->missing, text(column, "name"));
    const char *value = json_str(column, "default");
    struct buf out = BUF_INIT;

    if (missing) {
        literal_add(&out, missing);
        buf_addf(&out, "::%s", text(column, "type"));
        return buf_take(&out);
    }
    if (!a->c->rewritten || (!value && !*text(column, "identity")))
        return NULL;
    if (value && ddl_is_constant(value))
        return xstrdup(value);
    must_reload(a, column, "filled");
    return NULL;
}

static void set_default(struct buf *sql, const cJSON *column)
{
    const char *value = json_str(column, "default");
    char *rest = value ? xasprintf(" SET DEFAULT %s", value) : xstrdup(" DROP DEFAULT");

    column_action(sql, "ALTER", column, rest);
    free(rest);
}

static void add_column(struct alter *a, const cJSON *column)
{
    struct buf rest = BUF_INIT;
    const char *value = json_str(column, "default");
    bool generated = *text(column, "generated") != '\0';
    char *old = generated ? NULL : old_rows_value(a, column);

    buf_addch(&rest, ' ');
    add_column_type(&rest, column);
    add_generated(&rest, column);
    if (old)
        buf_addf(&rest, " DEFAULT %s", old);
    if (*text(column, "identity")) {
        buf_addch(&rest, ' ');
        add_identity(&rest, a->c->after, column);
    }
    buf_addstr(&rest, json_bool(column, "notNull", false) ? " NOT NULL" : "");
    column_action(&a->second, "ADD", column, rest.data);
    if (!generated && ((value && (!old || strcmp(old, value) != 0)) || (old && !value)))
        set_default(&a->third, column);
    free(old);
    buf_release(&rest);
}

static void change_type(struct alter *a, const cJSON *column, const cJSON *there)
{
    struct buf rest = BUF_INIT;

    /* Without a rewrite no value changed; with one, the server's own cast made it where nothing else was said. */
    if (!a->c->without_rows && (a->c->rewritten & DDL_REWRITE_TYPE) && !a->c->plain)
        must_reload(a, column, "converted");
    buf_addstr(&rest, " TYPE ");
    add_column_type(&rest, column);
    if (a->c->without_rows || a->plan->verdict == DDL_RELOAD)
        buf_addf(&rest, " USING NULL::%s", text(column, "type"));
    a->plan->converts = true;
    if (!*text(column, "generated")) { /* it might not convert by itself */
        if (json_str(there, "default"))
            column_action(&a->second, "ALTER", column, " DROP DEFAULT");
        column_action(&a->second, "ALTER", column, rest.data);
        if (json_str(column, "default"))
            set_default(&a->second, column);
    } else {
        column_action(&a->second, "ALTER", column, rest.data);
    }
    buf_release(&rest);
}

/* Did the command change it, and is it otherwise on the target? Where nothing is known of before, the
 * target's word decides alone. */
static bool is_due(const cJSON *old, const cJSON *now, const cJSON *there, const char *key)
{
    return (!old || !same_text(old, now, key)) && !same_text(there, now, key);
}

static void change_generated(struct alter *a, const cJSON *old, const cJSON *column, const cJSON *there)
{
    bool was = *text(there, "generated") != '\0';
    bool is = *text(column, "generated") != '\0';
    char *rest;

    if (was && !is) {
        column_action(&a->second, "ALTER", column, " DROP EXPRESSION");
    } else if (was && is && is_due(old, column, there, "default")) {
        rest = xasprintf(" SET EXPRESSION AS (%s)", text(column, "default"));
        column_action(&a->second, "ALTER", column, rest);
        free(rest);
    } else if (!was && is) {
        judge(a->plan, DDL_STOP, xasprintf("column \"%s\" is generated on the source, but not on the target",
                                           text(column, "name")));
    }
}

static void change_identity(struct alter *a, const cJSON *column, const cJSON *there)
{
    struct buf rest = BUF_INIT;
    bool was = *text(there, "identity") != '\0';
    bool is = *text(column, "identity") != '\0';

    if (was == is)
        return;
    buf_addstr(&rest, is ? " ADD " : " DROP IDENTITY IF EXISTS");
    if (is)
        add_identity(&rest, a->c->after, column);
    column_action(is ? &a->third : &a->second, "ALTER", column, rest.data);
    buf_release(&rest);
}

static void change_column(struct alter *a, const cJSON *column, const cJSON *there)
{
    const cJSON *old = column_numbered(a->c->before, json_i64(column, "num", 0));
    bool not_null = json_bool(column, "notNull", false);

    if (is_due(old, column, there, "type") || is_due(old, column, there, "collation"))
        change_type(a, column, there);
    else if (!*text(column, "generated") && !*text(there, "generated") &&
             is_due(old, column, there, "default"))
        set_default(&a->second, column);
    if ((!old || json_bool(old, "notNull", false) != not_null) &&
        json_bool(there, "notNull", false) != not_null)
        column_action(not_null ? &a->third : &a->second, "ALTER", column,
                      not_null ? " SET NOT NULL" : " DROP NOT NULL");
    if (!old || !same_text(old, column, "generated") || *text(column, "generated"))
        change_generated(a, old, column, there);
    if (!old || !same_text(old, column, "identity"))
        change_identity(a, column, there);
}

static void send_actions(struct ddl_plan *plan, struct buf *actions)
{
    struct buf sql = BUF_INIT;

    if (actions->len) {
        begin_alter(&sql, plan);
        buf_add(&sql, actions->data, actions->len);
        add_statement(plan, &sql);
    }
    buf_release(actions);
}

static void decide_columns(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct alter a = {.c = c, .plan = plan};
    const cJSON *column;

    drop_columns(&a);
    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *there = on_target(c, json_i64(column, "num", 0));
        const cJSON *old = column_numbered(c->before, json_i64(column, "num", 0));
        /* A new column may have the name of one that was dropped in the same breath. */
        const cJSON *namesake = find_by(json_get(c->before, "columns"), "name", text(column, "name"));
        bool replaces = !old && namesake && there &&
                        !column_numbered(c->after, json_i64(namesake, "num", 0));
        if (there && !replaces)
            change_column(&a, column, there);
        else if (!old && !c->listed) /* an old one that is not there was left out by the plan */
            add_column(&a, column);
    }
    send_actions(plan, &a.first);
    send_actions(plan, &a.second);
    send_actions(plan, &a.third);
    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *old = column_numbered(c->before, json_i64(column, "num", 0));
        if (!old || !same_text(old, column, "identity"))
            remember_always(plan, column);
    }
}

/* --- constraints and indexes --- */

/* What a thing of before is now: the same object, or (rebuilt by the command) one of the same name. */
static const cJSON *successor(const cJSON *list, const cJSON *old)
{
    const cJSON *same = find_by(list, "oid", text(old, "oid"));

    return same ? same : find_by(list, "name", text(old, "name"));
}

static void drop_constraint(struct ddl_plan *plan, const char *name)
{
    struct buf sql = BUF_INIT;

    begin_alter(&sql, plan);
    buf_addstr(&sql, "DROP CONSTRAINT IF EXISTS ");
    ident_add(&sql, name);
    add_statement(plan, &sql);
}

static void drop_index(struct ddl_plan *plan, const char *name)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "DROP INDEX IF EXISTS ");
    ident_add_qualified(&sql, plan->schema, name);
    add_statement(plan, &sql);
}

static bool types_changed(const struct ddl_case *c)
{
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(c->after, "columns"))
    {
        const cJSON *old = column_numbered(c->before, json_i64(column, "num", 0));
        if (old && (!same_text(old, column, "type") || !same_text(old, column, "collation") ||
                    !same_text(old, column, "name")))
            return true;
    }
    return false;
}

static bool table_is_renamed(const struct ddl_case *c)
{
    return !same_text(c->before, c->after, "schema") || !same_text(c->before, c->after, "name");
}

/* But for NOT VALID, which is no part of what it is. */
static bool same_definition(const cJSON *a, const cJSON *b)
{
    static const char suffix[] = " NOT VALID";
    const char *texts[] = {text(a, "definition"), text(b, "definition")};
    size_t lengths[2];

    for (int i = 0; i < 2; i++) {
        lengths[i] = strlen(texts[i]);
        if (lengths[i] > strlen(suffix) && strcmp(texts[i] + lengths[i] - strlen(suffix), suffix) == 0)
            lengths[i] -= strlen(suffix);
    }
    return lengths[0] == lengths[1] && memcmp(texts[0], texts[1], lengths[0]) == 0;
}

/* Its text changes with what it names, without the thing being another. */
static bool is_another(const struct ddl_case *c, const cJSON *old, const cJSON *now)
{
    return now && !same_definition(old, now) && !types_changed(c) && !table_is_renamed(c);
}

static void drop_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                       void (*drop)(struct ddl_plan *, const char *))
{
    const cJSON *there = json_get(c->target, kind);
    const cJSON *old;

    cJSON_ArrayForEach(old, json_get(c->before, kind))
    {
        const cJSON *now = successor(json_get(c->after, kind), old);
        const cJSON *on = find_by(there, "name", text(old, "name"));
        if (on && json_bool(on, "local", true) &&
            (!now || (is_another(c, old, now) && !same_definition(on, now))))
            drop(plan, text(old, "name"));
    }
}

static void rename_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind)
{
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, kind))
    {
        struct buf sql = BUF_INIT;
        const cJSON *old = find_by(json_get(c->before, kind), "oid", text(now, "oid"));
        if (!old || same_text(old, now, "name") ||
            !find_by(json_get(c->target, kind), "name", text(old, "name")) ||
            find_by(json_get(c->target, kind), "name", text(now, "name")))
            continue;
        if (strcmp(kind, "constraints") == 0) {
            begin_alter(&sql, plan);
            buf_addstr(&sql, "RENAME CONSTRAINT ");
            ident_add(&sql, text(old, "name"));
        } else {
            buf_addstr(&sql, "ALTER INDEX ");
            ident_add_qualified(&sql, plan->schema, text(old, "name"));
            buf_addstr(&sql, " RENAME");
        }
        buf_addstr(&sql, " TO ");
        ident_add(&sql, text(now, "name"));
        add_statement(plan, &sql);
    }
}

static void create_constraint(struct ddl_plan *plan, const cJSON *constraint)
{
    struct buf sql = BUF_INIT;

    begin_alter(&sql, plan);
    buf_addstr(&sql, "ADD CONSTRAINT ");
    ident_add(&sql, text(constraint, "name"));
    buf_addf(&sql, " %s", text(constraint, "definition"));
    add_statement(plan, &sql);
}

static void create_index(struct ddl_plan *plan, const cJSON *index)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "CREATE %sINDEX ", json_bool(index, "unique", false) ? "UNIQUE " : "");
    ident_add(&sql, text(index, "name"));
    buf_addstr(&sql, " ON ");
    add_table(&sql, plan);
    buf_addf(&sql, " USING %s", text(index, "definition"));
    add_statement(plan, &sql);
}

static void create_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                         void (*create)(struct ddl_plan *, const cJSON *))
{
    const cJSON *there = json_get(c->target, kind);
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, kind))
    {
        const cJSON *old = find_by(json_get(c->before, kind), "oid", text(now, "oid"));
        const cJSON *namesake = find_by(json_get(c->before, kind), "name", text(now, "name"));
        const cJSON *on = find_by(there, "name", text(now, "name"));
        if (!json_bool(now, "local", true) || !json_bool(now, "valid", true))
            continue;
        if (old ? is_another(c, old, now) && (!on || !same_definition(on, now))
                : !on || (namesake && is_another(c, namesake, now) && !same_definition(on, now)))
            create(plan, now);
    }
}

static bool is_validated(const cJSON *constraint)
{
    return json_bool(constraint, "valid", true);
}

/* ADD CONSTRAINT ... NOT VALID, and VALIDATE later. */
static void not_valid_constraints(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *now;

    cJSON_ArrayForEach(now, json_get(c->after, "constraints"))
    {
        struct buf sql = BUF_INIT;
        const cJSON *on = find_by(json_get(c->target, "constraints"), "name", text(now, "name"));
        const cJSON *old = find_by(json_get(c->before, "constraints"), "oid", text(now, "oid"));
        if (!is_validated(now) && !on && !old && json_bool(now, "local", true)) {
            create_constraint(plan, now); /* its definition says NOT VALID */
        } else if (on && is_validated(now) && !is_validated(on) && old && !is_validated(old)) {
            begin_alter(&sql, plan);
            buf_addstr(&sql, "VALIDATE CONSTRAINT ");
            ident_add(&sql, text(now, "name"));
            add_statement(plan, &sql);
        }
    }
}

/* --- the rest of a table --- */

static void decide_identity(const struct ddl_case *c, struct ddl_plan *plan)
{
    const char *identity = text(c->after, "identity");
    struct buf sql = BUF_INIT;

    if (same_text(c->before, c->after, "identity") || same_text(c->target, c->after, "identity"))
        return;
    buf_addstr(&sql, "ALTER TABLE ONLY ");
    add_table(&sql, plan);
    buf_addstr(&sql, " REPLICA IDENTITY ");
    if (*identity == 'i') {
        buf_addstr(&sql, "USING INDEX ");
        ident_add(&sql, identity + 1);
    } else {
        buf_addstr(&sql, *identity == 'f' ? "FULL" : *identity == 'n' ? "NOTHING" : "DEFAULT");
    }
    add_statement(plan, &sql);
}

static void partition_statement(struct ddl_plan *plan, const char *action, const cJSON *partition,
                                const char *bound)
{
    struct buf sql = BUF_INIT;

    begin_alter(&sql, plan);
    buf_addf(&sql, "%s PARTITION ", action);
    ident_add_qualified(&sql, text(partition, "schema"), text(partition, "name"));
    buf_addf(&sql, "%s%s", *bound ? " " : "", bound);
    add_statement(plan, &sql);
}

static const cJSON *partition_named(const cJSON *table, const cJSON *like)
{
    const cJSON *partition;

    cJSON_ArrayForEach(partition, json_get(table, "partitions"))
    {
        if (same_text(partition, like, "schema") && same_text(partition, like, "name"))
            return partition;
    }
    return NULL;
}

static void decide_partitions(const struct ddl_case *c, struct ddl_plan *plan)
{
    const cJSON *partition;

    cJSON_ArrayForEach(partition, json_get(c->before, "partitions"))
    {
        if (!find_by(json_get(c->after, "partitions"), "oid", text(partition, "oid")) &&
            partition_named(c->target, partition))
            partition_statement(plan, "DETACH", partition, "");
    }
    cJSON_ArrayForEach(partition, json_get(c->after, "partitions"))
    {
        if (!find_by(json_get(c->before, "partitions"), "oid", text(partition, "oid")) &&
            !partition_named(c->target, partition))
            partition_statement(plan, "ATTACH", partition, text(partition, "bound"));
    }
}

static void decide_persistence(const struct ddl_case *c, struct ddl_plan *plan)
{
    struct buf sql = BUF_INIT;

    if (same_text(c->before, c->after, "persistence") || same_text(c->target, c->after, "persistence"))
        return;
    begin_alter(&sql, plan);
    buf_addstr(&sql, *text(c->after, "persistence") == 'u' ? "SET UNLOGGED" : "SET LOGGED");
    add_statement(plan, &sql);
}

void ddl_decide_table(const struct ddl_case *c, struct ddl_plan *plan)
{
    set_name(plan, c->target_schema, c->target_name);
    rename_table(c, plan);
    rename_columns(c, plan);
    if (c->before) {
        drop_parts(c, plan, "constraints", drop_constraint);
        drop_parts(c, plan, "indexes", drop_index);
    }
    create_owned_sequences(plan, c->after, c->before);
    decide_columns(c, plan);
    if (!c->before)
        return;
    own_sequences(plan, c->after, c->before);
    decide_persistence(c, plan);
    rename_parts(c, plan, "constraints");
    rename_parts(c, plan, "indexes");
    create_parts(c, plan, "indexes", create_index);
    create_parts(c, plan, "constraints", create_constraint);
    not_valid_constraints(c, plan);
    decide_identity(c, plan);
    decide_partitions(c, plan);
    if (!same_text(c->before, c->after, "owner") && !same_text(c->target, c->after, "owner"))
        add_owner(plan, "TABLE", text(c->after, "owner"));
}

/* --- tables without rows --- */

/* Has a column of the source's been given to one of the target's? */
static bool is_given(const cJSON *guessed, const cJSON *column)
{
    return find_by(guessed, "name", text(column, "name")) != NULL;
}

static void give(cJSON *guessed, const cJSON *there, int64_t number)
{
    cJSON *column = cJSON_Duplicate(there, true);

    cJSON_DeleteItemFromObject(column, "num");
    json_add_num(column, "num", (double)number);
    cJSON_AddItemToArray(guessed, column);
}

/* The next column of the target that has this type and no name of the source's. */
static const cJSON *nameless(const cJSON *after, const cJSON *target, const cJSON *guessed, const char *type)
{
    const cJSON *there;

    cJSON_ArrayForEach(there, json_get(target, "columns"))
    {
        if (!column_named(after, text(there, "name")) && !is_given(guessed, there) &&
            strcmp(text(there, "type"), type) == 0)
            return there;
    }
    return NULL;
}

static cJSON *guess_columns(const cJSON *after, const cJSON *target)
{
    cJSON *guessed = cJSON_CreateArray();
    const cJSON *column;
    int strangers = 0;

    cJSON_ArrayForEach(column, json_get(after, "columns"))
    {
        const cJSON *there = column_named(target, text(column, "name"));
        if (!there)
            there = nameless(after, target, guessed, text(column, "type"));
        if (there)
            give(guessed, there, json_i64(column, "num", 0));
    }
    cJSON_ArrayForEach(column, json_get(target, "columns"))
    {
        if (!is_given(guessed, column))
            give(guessed, column, --strangers);
    }
    return guessed;
}

cJSON *ddl_guess_before(const cJSON *after, const cJSON *target, const char *was_schema, const char *was_name)
{
    cJSON *before = cJSON_Duplicate(after, true);

    cJSON_ReplaceItemInObject(before, "schema", cJSON_CreateString(was_schema));
    cJSON_ReplaceItemInObject(before, "name", cJSON_CreateString(was_name));
    cJSON_ReplaceItemInObject(before, "columns", guess_columns(after, target));
    return before;
}

void ddl_describe_parts(const cJSON *definition, const char *schema, const char *name, const char ***oids,
                        struct ddl_plan *plan)
{
    const cJSON *constraints = json_get(definition, "constraints");
    const cJSON *indexes = json_get(definition, "indexes");
    int room = cJSON_GetArraySize(constraints) + cJSON_GetArraySize(indexes);
    const cJSON *item;
    size_t n = 0;

    *oids = xcalloc((size_t)room + 1, sizeof **oids);
    set_name(plan, schema, name);
    cJSON_ArrayForEach(item, constraints)
    {
        create_constraint(plan, item);
        (*oids)[n++] = text(item, "oid");
    }
    cJSON_ArrayForEach(item, indexes)
    {
        create_index(plan, item);
        (*oids)[n++] = text(item, "oid");
    }
}

/* --- new tables --- */

static void add_new_columns(struct buf *sql, const cJSON *table)
{
    const char *separator = " (";
    const cJSON *column;

    cJSON_ArrayForEach(column, json_get(table, "columns"))
    {
        if (cJSON_IsArray(json_get(table, "inherits")) && !json_bool(column, "local", true))
            continue;
        buf_addstr(sql, separator);
        ident_add(sql, text(column, "name"));
        buf_addch(sql, ' ');
        add_column_type(sql, column);
        add_generated(sql, column);
        if (json_str(column, "default") && !*text(column, "generated"))
            buf_addf(sql, " DEFAULT %s", text(column, "default"));
        if (*text(column, "identity")) {
            buf_addch(sql, ' ');
            add_identity(sql, table, column);
        }
        buf_addstr(sql, json_bool(column, "notNull", false) ? " NOT NULL" : "");
        separator = ", ";
    }
    buf_addstr(sql, *separator == ' ' ? " ()" : ")");
}

static void add_name_pair(struct buf *sql, const cJSON *pair)
{
    const char *schema = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 0));
    const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(pair, 1));

    ident_add_qualified(sql, schema ? schema : "", name ? name : "");
}

static void add_parents(struct buf *sql, const cJSON *inherits)
{
    const char *separator = " INHERITS (";
    const cJSON *pair;

    cJSON_ArrayForEach(pair, inherits)
    {
        buf_addstr(sql, separator);
        add_name_pair(sql, pair);
        separator = ", ";
    }
    if (*separator == ',')
        buf_addch(sql, ')');
}

/* Made as a table of its own and attached: so its columns' order is the source's. */
static void attach(struct ddl_plan *plan, const cJSON *definition)
{
    struct buf sql = BUF_INIT;

    if (!cJSON_IsArray(json_get(definition, "parent")))
        return;
    buf_addstr(&sql, "ALTER TABLE ");
    add_name_pair(&sql, json_get(definition, "parent"));
    buf_addstr(&sql, " ATTACH PARTITION ");
    add_table(&sql, plan);
    buf_addf(&sql, " %s", text(definition, "bound"));
    add_statement(plan, &sql);
}

static void make_table(struct ddl_plan *plan, const cJSON *definition)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "CREATE %sTABLE ", *text(definition, "persistence") == 'u' ? "UNLOGGED " : "");
    add_table(&sql, plan);
    add_new_columns(&sql, definition);
    add_parents(&sql, json_get(definition, "inherits"));
    if (*text(definition, "key"))
        buf_addf(&sql, " PARTITION BY %s", text(definition, "key"));
    add_statement(plan, &sql);
}

void ddl_create_table(const cJSON *definition, int target_version, struct ddl_plan *plan)
{
    const struct ddl_case c = {.after = definition, .target_version = target_version};
    const cJSON *item;

    set_name(plan, text(definition, "schema"), text(definition, "name"));
    create_owned_sequences(plan, definition, NULL);
    make_table(plan, definition);
    own_sequences(plan, definition, NULL);
    add_owner(plan, "TABLE", text(definition, "owner"));
    create_parts(&c, plan, "constraints", create_constraint);
    not_valid_constraints(&c, plan);
    create_parts(&c, plan, "indexes", create_index);
    attach(plan, definition);
    if (*text(definition, "identity") != 'd')
        decide_identity(&c, plan);
    cJSON_ArrayForEach(item, json_get(definition, "columns"))
        remember_always(plan, item);
}

/* --- types --- */

static void create_enum(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const char *separator = "";
    const cJSON *label;

    buf_addstr(&sql, "CREATE TYPE ");
    add_table(&sql, plan);
    buf_addstr(&sql, " AS ENUM (");
    cJSON_ArrayForEach(label, json_get(type, "labels"))
    {
        buf_addstr(&sql, separator);
        literal_add(&sql, cJSON_GetStringValue(label));
        separator = ", ";
    }
    buf_addch(&sql, ')');
    add_statement(plan, &sql);
}

static void create_domain(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const cJSON *constraint;

    buf_addstr(&sql, "CREATE DOMAIN ");
    add_table(&sql, plan);
    buf_addf(&sql, " AS %s", text(type, "base"));
    if (json_str(type, "default"))
        buf_addf(&sql, " DEFAULT %s", text(type, "default"));
    buf_addstr(&sql, json_bool(type, "notNull", false) ? " NOT NULL" : "");
    cJSON_ArrayForEach(constraint, json_get(type, "constraints"))
    {
        buf_addstr(&sql, " CONSTRAINT ");
        ident_add(&sql, text(constraint, "name"));
        buf_addf(&sql, " %s", text(constraint, "definition"));
    }
    add_statement(plan, &sql);
}

static void create_composite(struct ddl_plan *plan, const cJSON *type)
{
    struct buf sql = BUF_INIT;
    const char *separator = "";
    const cJSON *column;

    buf_addstr(&sql, "CREATE TYPE ");
    add_table(&sql, plan);
    buf_addstr(&sql, " AS (");
    cJSON_ArrayForEach(column, json_get(type, "columns"))
    {
        buf_addstr(&sql, separator);
        ident_add(&sql, text(column, "name"));
        buf_addf(&sql, " %s", text(column, "type"));
        separator = ", ";
    }
    buf_addch(&sql, ')');
    add_statement(plan, &sql);
}

static bool has_label(const cJSON *labels, const char *label)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, labels)
    {
        if (strcmp(cJSON_GetStringValue(item), label) == 0)
            return true;
    }
    return false;
}

static void add_label(struct ddl_plan *plan, const cJSON *labels, int at)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER TYPE ");
    add_table(&sql, plan);
    buf_addstr(&sql, " ADD VALUE IF NOT EXISTS ");
    literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, at)));
    /* All before it are there by now. */
    if (at > 0) {
        buf_addstr(&sql, " AFTER ");
        literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, at - 1)));
    } else if (cJSON_GetArraySize(labels) > 1) {
        buf_addstr(&sql, " BEFORE ");
        literal_add(&sql, cJSON_GetStringValue(cJSON_GetArrayItem(labels, 1)));
    }
    add_statement(plan, &sql);
}

static void add_labels(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    for (int i = 0; i < cJSON_GetArraySize(after); i++)
        if (!has_label(there, cJSON_GetStringValue(cJSON_GetArrayItem(after, i))))
            add_label(plan, after, i);
}

/* One label in the place of another; -1 when it is not that. */
static int renamed_label(const cJSON *after, const cJSON *there)
{
    int at = -1;

    for (int i = 0; i < cJSON_GetArraySize(after); i++) {
        const char *now = cJSON_GetStringValue(cJSON_GetArrayItem(after, i));
        const char *was = cJSON_GetStringValue(cJSON_GetArrayItem(there, i));
        if (strcmp(now, was) == 0)
            continue;
        if (at >= 0 || has_label(there, now) || has_label(after, was))
            return -1;
        at = i;
    }
    return at;
}

static void rename_label(struct ddl_plan *plan, const char *was, const char *now)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "ALTER TYPE ");
    add_table(&sql, plan);
    buf_addstr(&sql, " RENAME VALUE ");
    literal_add(&sql, was);
    buf_addstr(&sql, " TO ");
    literal_add(&sql, now);
    add_statement(plan, &sql);
}

static bool holds_all(const cJSON *all, const cJSON *some)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, some)
    {
        if (!has_label(all, cJSON_GetStringValue(item)))
            return false;
    }
    return true;
}

static void decide_enum(struct ddl_plan *plan, const cJSON *after, const cJSON *there, size_t *aside)
{
    bool same_count = cJSON_GetArraySize(after) == cJSON_GetArraySize(there);
    int at = same_count ? renamed_label(after, there) : -1;

    if (holds_all(there, after))
        return;
    if (at >= 0) {
        rename_label(plan, cJSON_GetStringValue(cJSON_GetArrayItem(there, at)),
                     cJSON_GetStringValue(cJSON_GetArrayItem(after, at)));
    } else if (holds_all(after, there)) {
        add_labels(plan, after, there);
        *aside = plan->count;
    } else {
        judge(plan, DDL_STOP, xasprintf("the labels of enum \"%s\".\"%s\" are others than on the source",
                                        plan->schema, plan->name));
    }
}

static void decide_domain(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    struct buf sql = BUF_INIT;
    char *left = json_line(json_get(after, "constraints"));
    char *right = json_line(json_get(there, "constraints"));

    if (strcmp(left ? left : "", right ? right : "") != 0 || !same_text(after, there, "base"))
        judge(plan, DDL_STOP, xasprintf("domain \"%s\".\"%s\" has other constraints or another base than on the "
                                        "source", plan->schema, plan->name));
    free(left);
    free(right);
    if (same_text(after, there, "default"))
        return;
    buf_addstr(&sql, "ALTER DOMAIN ");
    add_table(&sql, plan);
    if (json_str(after, "default"))
        buf_addf(&sql, " SET DEFAULT %s", text(after, "default"));
    else
        buf_addstr(&sql, " DROP DEFAULT");
    add_statement(plan, &sql);
}

static void decide_composite(struct ddl_plan *plan, const cJSON *after, const cJSON *there)
{
    char *left = json_line(json_get(after, "columns"));
    char *right = json_line(json_get(there, "columns"));

    if (strcmp(left ? left : "", right ? right : "") != 0)
        judge(plan, DDL_STOP, xasprintf("type \"%s\".\"%s\" has other attributes than on the source",
                                        plan->schema, plan->name));
    free(left);
    free(right);
}

void ddl_decide_type(const cJSON *after, const cJSON *target, size_t *aside, struct ddl_plan *plan)
{
    char kind = *text(after, "kind");

    *aside = 0;
    set_name(plan, text(after, "schema"), text(after, "name"));
    if (!target) {
        if (kind == 'e')
            create_enum(plan, after);
        else if (kind == 'd')
            create_domain(plan, after);
        else
            create_composite(plan, after);
        add_owner(plan, "TYPE", text(after, "owner"));
    } else if (!same_text(after, target, "kind")) {
        judge(plan, DDL_STOP, xasprintf("type \"%s\".\"%s\" is of another kind than on the source",
                                        plan->schema, plan->name));
    } else if (kind == 'e') {
        decide_enum(plan, json_get(after, "labels"), json_get(target, "labels"), aside);
    } else if (kind == 'd') {
        decide_domain(plan, after, target);
    } else {
        decide_composite(plan, after, target);
    }
}

/* --- drops --- */

void ddl_drop_object(const cJSON *dropped, struct ddl_plan *plan)
{
    static const struct {
        const char *type, *statement;
        bool original; /* only where it was named: else it went with something that has a statement */
    } kinds[] = {
        {"view", "DROP VIEW IF EXISTS ", false},
        {"materialized view", "DROP MATERIALIZED VIEW IF EXISTS ", false},
        {"index", "DROP INDEX IF EXISTS ", true},
        {"sequence", "DROP SEQUENCE IF EXISTS ", true},
        {"type", "DROP TYPE IF EXISTS ", true},
    };
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(text(dropped, "type"), kinds[i].type) != 0 ||
            (kinds[i].original && !json_bool(dropped, "original", false)))
            continue;
        buf_addstr(&sql, kinds[i].statement);
        ident_add_qualified(&sql, text(dropped, "schema"), text(dropped, "name"));
        add_statement(plan, &sql);
    }
}
