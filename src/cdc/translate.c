/* How it works: between BEGIN and COMMIT lines are only held. At COMMIT all is known that Begin wants, and the lines
 * are parsed and given out one by one, each Relation message before the first change that needs it. */
#include "cdc/translate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "base/clock.h"
#include "cdc/definition.h"
#include "cdc/held.h"
#include "cdc/test_decoding.h"
#include "pg/ident.h"
#include "sql/sql.h"

/* A name that has come in the stream, whosoever table it is. */
struct named {
    char *key;  /* "schema\0name", owned */
    uint32_t picked_oid; /* 0: not of the migration */
    bool told;  /* its Relation message was given in this session */
    struct definition definition;
    UT_hash_handle hh;
};

struct picked {
    uint32_t oid;
    char *key;  /* "schema\0name", as it was picked; owned */
    UT_hash_handle hh_oid, hh_name;
};

enum stage { STAGE_NOTHING, STAGE_INSIDE, STAGE_BEGIN, STAGE_CHANGES };

struct translator {
    struct conn source;
    bool recode;        /* the server's encoding is not that of the connection */
    char *high[128];    /* of a single-byte one: what 0x80 to 0xff stand for; NULL: nothing; owned */
    struct picked *tables, *by_oid, *by_name;
    char *oids;         /* of all of them, as an array */
    struct named *names;
    enum stage stage;
    struct held held;
    struct buf line;    /* of COMMIT and BEGIN, or recoded */
    struct text_change change;
    struct named *pending; /* Relation was given for it, and `change` comes next */
    lsn_t pending_lsn;
    uint32_t xid;
    lsn_t end_lsn;
    int64_t commit_us;
    struct buf out;
};

static size_t key_len(const char *key)
{
    size_t schema = strlen(key) + 1;

    return schema + strlen(key + schema);
}

static char *make_key(const char *schema, const char *name)
{
    size_t first = strlen(schema) + 1;
    size_t second = strlen(name) + 1;
    char *key = xmalloc(first + second);

    memcpy(key, schema, first);
    memcpy(key + first, name, second);
    return key;
}

/* --- life --- */

static void take_tables(struct translator *t, const struct translator_options *options)
{
    struct buf oids = BUF_INIT;

    t->tables = xcalloc(options->table_count, sizeof *t->tables);
    buf_addch(&oids, '{');
    for (size_t i = 0; i < options->table_count; i++) {
        const struct picked_table *from = &options->tables[i];
        struct picked *table = &t->tables[i];
        *table = (struct picked){.oid = from->oid, .key = make_key(from->schema, from->name)};
        HASH_ADD(hh_oid, t->by_oid, oid, sizeof table->oid, table);
        HASH_ADD_KEYPTR(hh_name, t->by_name, table->key, key_len(table->key), table);
        buf_addf(&oids, "%s%u", i ? "," : "", table->oid);
    }
    buf_addch(&oids, '}');
    t->oids = buf_take(&oids);
}

static const char convert_sql[] = "SELECT pg_catalog.convert_from($1::pg_catalog.bytea, "
                                  "pg_catalog.getdatabaseencoding())";

/* What the server says of each byte by itself, so that it need not be asked for every line. */
static bool learn_bytes(struct translator *t, struct err *err)
{
    static const char length_sql[] = "SELECT pg_catalog.pg_encoding_max_length(d.encoding) FROM "
                                     "pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";
    char *length = NULL;
    bool ok = conn_scalar(&t->source, length_sql, 0, NULL, &length, err);
    bool single = ok && length && strcmp(length, "1") == 0;

    free(length);
    for (int i = 0; single && ok && i < 128; i++) {
        struct err refused = ERR_INIT;
        char hex[8];
        const char *values[] = {hex};
        snprintf(hex, sizeof hex, "\\x%02x", 128 + i);
        ok = conn_scalar(&t->source, convert_sql, 1, values, &t->high[i], &refused) ||
             strncmp(refused.sqlstate, "22", 2) == 0;
        if (!ok)
            err_move(err, &refused);
        err_clear(&refused);
    }
    return ok;
}

struct translator *translator_new(const struct translator_options *options, struct err *err)
{
    const struct conn_options how = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "receive",
                                     .dbname = options->dbname};
    struct translator *t = xcalloc(1, sizeof *t);

    t->source = (struct conn)CONN_INIT;
    t->held = (struct held)HELD_INIT;
    t->held.dir = options->dir;
    if (!conn_open(&t->source, options->source, &how, err)) {
        free(t);
        return NULL;
    }
    const char *encoding = PQparameterStatus(t->source.pg, "server_encoding");
    t->recode = encoding && strcmp(encoding, "UTF8") != 0 && strcmp(encoding, "SQL_ASCII") != 0;
    take_tables(t, options);
    if (t->recode && !learn_bytes(t, err)) {
        translator_free(t);
        return NULL;
    }
    return t;
}

static void free_tables(struct translator *t)
{
    struct picked *table, *next;

    HASH_CLEAR(hh_oid, t->by_oid);
    HASH_ITER(hh_name, t->by_name, table, next) {
        HASH_DELETE(hh_name, t->by_name, table);
        free(table->key);
    }
    free(t->tables);
    free(t->oids);
}

void translator_free(struct translator *t)
{
    struct named *named, *next;

    if (!t)
        return;
    HASH_ITER(hh, t->names, named, next) {
        HASH_DEL(t->names, named);
        definition_release(&named->definition);
        free(named->key);
        free(named);
    }
    for (size_t i = 0; i < sizeof t->high / sizeof *t->high; i++)
        free(t->high[i]);
    free_tables(t);
    held_release(&t->held);
    text_change_release(&t->change);
    buf_release(&t->line);
    buf_release(&t->out);
    conn_close(&t->source);
    free(t);
}

/* --- lines that come --- */

static bool starts_with(const struct repl_msg *message, const char *words)
{
    size_t len = strlen(words);

    return (size_t)message->len >= len && memcmp(message->data, words, len) == 0;
}

/* Parses a copy: the message is not ours to write into. */
static bool parse_copy(struct translator *t, const char *data, size_t len, struct err *err)
{
    buf_clear(&t->line);
    buf_add(&t->line, data, len);
    return test_decoding_parse(t->line.data, len, &t->change, err);
}

static bool refuse(struct translator *t, const struct repl_msg *message, struct err *err)
{
    char lsn[LSN_TEXT_SIZE];

    err_set(err, ERR_PROTOCOL, "%s: test_decoding sent \"%.*s\" at %s out of order", t->source.label,
            message->len < 40 ? message->len : 40, message->data, lsn_format(message->start_lsn, lsn));
    return false;
}

static bool take_begin(struct translator *t, const struct repl_msg *message, struct err *err)
{
    if (t->stage != STAGE_NOTHING)
        return refuse(t, message, err);
    if (!parse_copy(t, message->data, (size_t)message->len, err))
        return false;
    t->xid = t->change.xid;
    t->stage = STAGE_INSIDE;
    return true;
}

static bool take_commit(struct translator *t, const struct repl_msg *message, struct err *err)
{
    if (t->stage != STAGE_INSIDE)
        return refuse(t, message, err);
    if (!parse_copy(t, message->data, (size_t)message->len, err))
        return false;
    if (t->change.xid != t->xid || message->start_lsn <= 1)
        return refuse(t, message, err);
    t->commit_us = t->change.commit_us;
    t->end_lsn = message->start_lsn;
    t->stage = STAGE_BEGIN;
    return true;
}

bool translator_take(struct translator *t, const struct repl_msg *message, struct err *err)
{
    if (starts_with(message, "BEGIN "))
        return take_begin(t, message, err);
    if (starts_with(message, "COMMIT "))
        return take_commit(t, message, err);
    if (starts_with(message, "message: "))
        return true; /* pg_logical_emit_message(), by us or others: moves the position, no more */
    if (t->stage != STAGE_INSIDE)
        return refuse(t, message, err);
    return held_add(&t->held, message->start_lsn, message->data, (size_t)message->len, err);
}

bool translator_is_whole(const struct translator *t)
{
    return t->stage == STAGE_BEGIN || t->stage == STAGE_CHANGES;
}

bool translator_is_inside(const struct translator *t)
{
    return t->stage != STAGE_NOTHING;
}

/* --- whose change it is --- */

static bool lost_name(struct translator *t, struct err *err)
{
    const struct text_row *row = t->change.kind == TEXT_DELETE ? &t->change.old_row : &t->change.new_row;
    struct buf names = BUF_INIT;
    struct buf types = BUF_INIT;
    char *xid = xasprintf("%u", t->xid);

    for (size_t i = 0; i < row->count; i++) {
        array_add(&names, row->columns[i].name);
        array_add(&types, row->columns[i].type);
    }
    array_end(&names);
    array_end(&types);
    const char *values[] = {t->oids, names.data, types.data, xid};
    PGresult *res = conn_exec_params(&t->source, sql_cdc_lost_name, 4, values, err);
    bool ok = res && PQntuples(res) == 0;
    if (res && !ok) {
        char *shown = ident_display(PQgetvalue(res, 0, 0), PQgetvalue(res, 0, 1));
        char *gone = ident_display(t->change.schema, t->change.table);
        err_set(err, ERR_CONFLICT, "source table %s may have been %s for a while, which is gone now and had "
                "changes", shown, gone);
        err_hint(err, "Servers before 10 tell tables by their names only. Cancel this migration and start it "
                      "anew, and rename no picked table while it runs.");
        free(shown);
        free(gone);
    }
    PQclear(res);
    free(xid);
    buf_release(&names);
    buf_release(&types);
    return ok;
}

static bool other_table(struct translator *t, const struct named *named, struct err *err)
{
    char *shown = ident_display(t->change.schema, t->change.table);

    err_set(err, ERR_CONFLICT, named->definition.oid
                ? "source table %s is another one than the one that was loaded"
                : "source table %s was dropped, and changes of it cannot be read any more", shown);
    err_hint(err, "Cancel this migration and start it anew, with the tables as they are now.");
    free(shown);
    return false;
}

/* A name of a picked table is that table, or the migration stops; another name may be a picked table that was
 * renamed. */
static bool resolve(struct translator *t, struct named *named, struct err *err)
{
    const struct text_change *change = &t->change;
    struct definition *definition = &named->definition;
    struct picked *by_name = NULL;
    struct picked *by_oid = NULL;

    HASH_FIND(hh_name, t->by_name, named->key, key_len(named->key), by_name);
    if (!definition_read(definition, &t->source, change->schema, change->table, 0, err))
        return false;
    if (!definition->oid && by_name) {
        definition_release(definition);
        if (!definition_read(definition, &t->source, change->schema, change->table, by_name->oid, err))
            return false;
    }
    HASH_FIND(hh_oid, t->by_oid, &definition->oid, sizeof definition->oid, by_oid);
    if (by_name && by_name != by_oid)
        return other_table(t, named, err);
    named->picked_oid = by_oid ? by_oid->oid : 0;
    /* A rewrite of a table goes through one of this name (make_new_heap() in PostgreSQL's cluster.c). */
    return definition->oid || strncmp(change->table, "pg_temp_", 8) == 0 || lost_name(t, err);
}

static struct named *find_named(struct translator *t, struct err *err)
{
    char *key = make_key(t->change.schema, t->change.table);
    struct named *named = NULL;

    HASH_FIND(hh, t->names, key, key_len(key), named);
    if (named) {
        free(key);
        return named;
    }
    named = xcalloc(1, sizeof *named);
    named->key = key;
    if (!resolve(t, named, err)) {
        definition_release(&named->definition);
        free(named->key);
        free(named);
        return NULL;
    }
    if (!named->picked_oid)
        definition_release(&named->definition);
    HASH_ADD_KEYPTR(hh, t->names, named->key, key_len(named->key), named);
    return named;
}

/* The catalog was read at another moment than the line was written. */
static bool make_fit(struct translator *t, struct named *named, struct err *err)
{
    struct definition fresh = {0};

    if (definition_fits(&named->definition, &t->change))
        return true;
    if (!definition_read(&fresh, &t->source, t->change.schema, t->change.table, named->picked_oid, err)) {
        definition_release(&fresh);
        return false;
    }
    definition_release(&named->definition);
    named->definition = fresh;
    named->told = false;
    if (!fresh.oid)
        return other_table(t, named, err);
    return definition_fits(&named->definition, &t->change) ||
           definition_adapt(&named->definition, &t->change, &t->source, err);
}

/* --- messages that go --- */

static bool has_high_bytes(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] & 0x80)
            return true;
    return false;
}

/* Into t->line, byte by byte; false: one is not known. */
static bool recode_bytes(struct translator *t, const struct held_message *message)
{
    buf_clear(&t->line);
    for (size_t i = 0; i < message->len; i++) {
        unsigned char byte = (unsigned char)message->data[i];
        if (byte < 0x80)
            buf_addch(&t->line, (char)byte);
        else if (t->high[byte - 0x80])
            buf_addstr(&t->line, t->high[byte - 0x80]);
        else
            return false;
    }
    return true;
}

/* The plugin's text is in the database's encoding, whatever the connection's is. Every encoding that a database may
 * have keeps ASCII as it is. */
static bool recode(struct translator *t, const struct held_message *message, struct err *err)
{
    struct buf hex = BUF_INIT;
    char *text;

    if (recode_bytes(t, message))
        return true;
    buf_addstr(&hex, "\\x");
    for (size_t i = 0; i < message->len; i++)
        buf_addf(&hex, "%02x", (unsigned char)message->data[i]);
    const char *values[] = {hex.data};
    bool ok = conn_scalar(&t->source, convert_sql, 1, values, &text, err);
    if (ok) {
        buf_clear(&t->line);
        buf_addstr(&t->line, text ? text : "");
    }
    free(text);
    buf_release(&hex);
    return ok;
}

static bool parse_held(struct translator *t, const struct held_message *message, struct err *err)
{
    if (!t->recode || !has_high_bytes(message->data, message->len))
        return test_decoding_parse(message->data, message->len, &t->change, err);
    return recode(t, message, err) &&
           test_decoding_parse(t->line.data, t->line.len, &t->change, err);
}

static int give(struct translator *t, lsn_t lsn, struct translated *out)
{
    *out = (struct translated){.lsn = lsn, .data = t->out.data, .len = t->out.len};
    return 1;
}

static int give_begin(struct translator *t, struct translated *out)
{
    buf_addch(&t->out, 'B');
    buf_put_u64(&t->out, t->end_lsn - 1);
    buf_put_u64(&t->out, (uint64_t)(t->commit_us - PG_EPOCH_US));
    buf_put_u32(&t->out, t->xid);
    t->stage = STAGE_CHANGES;
    return give(t, t->end_lsn, out);
}

static int give_commit(struct translator *t, struct translated *out)
{
    buf_addch(&t->out, 'C');
    buf_addch(&t->out, '\0');
    buf_put_u64(&t->out, t->end_lsn - 1);
    buf_put_u64(&t->out, t->end_lsn);
    buf_put_u64(&t->out, (uint64_t)(t->commit_us - PG_EPOCH_US));
    held_clear(&t->held);
    t->stage = STAGE_NOTHING;
    return give(t, t->end_lsn, out);
}

static int give_change(struct translator *t, struct translated *out)
{
    definition_put_change(&t->pending->definition, &t->change, &t->out);
    t->pending = NULL;
    return give(t, t->pending_lsn, out);
}

/* The change's table gets ready; its Relation message comes first where it was not told. */
static int give_picked(struct translator *t, struct named *named, lsn_t lsn, struct translated *out,
                       struct err *err)
{
    if (!make_fit(t, named, err))
        return -1;
    t->pending = named;
    t->pending_lsn = lsn;
    if (named->told)
        return give_change(t, out);
    named->told = true;
    definition_put_relation(&named->definition, &t->out);
    return give(t, LSN_INVALID, out);
}

int translator_next(struct translator *t, struct translated *out, struct err *err)
{
    struct held_message message;
    int got;

    buf_clear(&t->out);
    if (!translator_is_whole(t))
        return 0;
    if (t->stage == STAGE_BEGIN)
        return give_begin(t, out);
    if (t->pending)
        return give_change(t, out);
    while ((got = held_next(&t->held, &message, err)) > 0) {
        if (!parse_held(t, &message, err))
            return -1;
        struct named *named = find_named(t, err);
        if (!named)
            return -1;
        if (named->picked_oid)
            return give_picked(t, named, message.lsn, out, err);
    }
    return got < 0 ? -1 : give_commit(t, out);
}
