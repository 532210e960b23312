/* How it works: between statements, outside everything that the lexer knows, a line "-- TOC entry N"
 * begins an object; its header goes on to the line "--". What follows up to the next header is the
 * object's statement, without comment lines, psql's \restrict lines and the settings that pg_restore
 * prints before the header of the entry they are meant for.
 *
 * Type, schema, name and owner stand in one line, "Name: A; Type: B; Schema: C; Owner: D", in which a
 * name may hold anything, "; Type: X" too. The list has the same words in another order, "B C A D":
 * the only cut that gives both is the right one. */
#include "schema/script.h"

#include <stdlib.h>
#include <string.h>

#include "schema/lexer.h"

#define LARGEST_DUMP_ID 100000000

struct script_toc_entry {
    const char *rest; /* "TYPE schema name owner"; NULL: no entry of this id */
    uint32_t class_oid;
    uint32_t object_oid;
    bool post;
    bool seen;
};

struct script_reader {
    struct script_toc *toc;
    const struct script_sink *sink;
    struct lexer lexer;
    bool in_header;
    bool open; /* a statement has begun and is not ended */
    int dump_id; /* of the object being read; 0 before the first */
    int position;
    char *encoding;
    char *access_method; /* default_table_access_method in force; NULL: heap */
    bool with_oids;
    struct buf name_line;
    struct buf statement;
    int *depends;
    size_t depend_count, depend_cap;
};

/* --- the list --- */

static bool toc_line(struct script_toc *toc, char *line, bool post, struct err *err)
{
    char *at = line;
    unsigned long id = strtoul(at, &at, 10);

    if (*line == ';' || *line == '\0')
        return true;
    if (id == 0 || id > LARGEST_DUMP_ID || strncmp(at, "; ", 2) != 0)
        goto bad;
    unsigned long class_oid = strtoul(at + 2, &at, 10);
    if (*at != ' ')
        goto bad;
    unsigned long object_oid = strtoul(at + 1, &at, 10);
    if (*at != ' ')
        goto bad;
    if (id >= toc->size) {
        size_t size = id * 2 + 1024;
        toc->entries = xrealloc(toc->entries, size * sizeof *toc->entries);
        memset(toc->entries + toc->size, 0, (size - toc->size) * sizeof *toc->entries);
        toc->size = size;
    }
    if (!toc->entries[id].rest)
        toc->count++;
    toc->entries[id] = (struct script_toc_entry){.rest = at + 1,
                                                 .class_oid = (uint32_t)class_oid,
                                                 .object_oid = (uint32_t)object_oid,
                                                 .post = post};
    return true;
bad:
    err_set(err, ERR_INTERNAL, "unexpected line in the list of pg_restore: \"%.200s\"", line);
    return false;
}

bool script_toc_add(struct script_toc *toc, struct buf *list, bool post, struct err *err)
{
    char *text = buf_take(list);
    char *state = NULL;

    free(toc->texts[post]);
    toc->texts[post] = text;
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state))
        if (!toc_line(toc, line, post, err))
            return false;
    return true;
}

void script_toc_release(struct script_toc *toc)
{
    free(toc->entries);
    free(toc->texts[0]);
    free(toc->texts[1]);
    *toc = (struct script_toc)SCRIPT_TOC_INIT;
}

/* --- the reader --- */

struct script_reader *script_reader_new(struct script_toc *toc, const struct script_sink *sink)
{
    struct script_reader *reader = xcalloc(1, sizeof *reader);

    reader->toc = toc;
    reader->sink = sink;
    return reader;
}

void script_reader_free(struct script_reader *reader)
{
    if (!reader)
        return;
    free(reader->encoding);
    free(reader->access_method);
    free(reader->depends);
    buf_release(&reader->name_line);
    buf_release(&reader->statement);
    free(reader);
}

const char *script_reader_encoding(const struct script_reader *reader)
{
    return reader->encoding ? reader->encoding : "UTF8";
}

static bool starts_with(const char *line, const char *prefix)
{
    return strncmp(line, prefix, strlen(prefix)) == 0;
}

static bool owner_is(const char *header, const char *list)
{
    return strcmp(header, list) == 0 || (strcmp(header, "-") == 0 && *list == '\0');
}

/* Does cutting the line at these three marks give the words of the list? */
static bool cut_fits(const char *line, const char *type, const char *schema, const char *owner,
                     const char *rest)
{
    size_t name_len = (size_t)(type - line);
    const char *type_text = type + strlen("; Type: ");
    size_t type_len = (size_t)(schema - type_text);
    const char *schema_text = schema + strlen("; Schema: ");
    size_t schema_len = (size_t)(owner - schema_text);
    size_t total = strlen(rest);

    if (total < type_len + schema_len + name_len + 3 || strncmp(rest, type_text, type_len) != 0 ||
        rest[type_len] != ' ')
        return false;
    rest += type_len + 1;
    if (strncmp(rest, schema_text, schema_len) != 0 || rest[schema_len] != ' ')
        return false;
    rest += schema_len + 1;
    return strncmp(rest, line, name_len) == 0 && rest[name_len] == ' ' &&
           owner_is(owner + strlen("; Owner: "), rest + name_len + 1);
}

/* Cuts the name line in place; what each part is goes into object. */
static bool cut_name_line(char *line, const char *rest, struct script_object *object)
{
    for (char *type = strstr(line, "; Type: "); type; type = strstr(type + 1, "; Type: "))
        for (char *schema = strstr(type, "; Schema: "); schema;
             schema = strstr(schema + 1, "; Schema: "))
            for (char *owner = strstr(schema, "; Owner: "); owner;
                 owner = strstr(owner + 1, "; Owner: ")) {
                if (!cut_fits(line, type, schema, owner, rest))
                    continue;
                *type = *schema = *owner = '\0';
                object->name = line;
                object->type = type + strlen("; Type: ");
                object->schema = schema + strlen("; Schema: ");
                object->owner = owner + strlen("; Owner: ");
                return true;
            }
    return false;
}

static void replace_prefix(struct buf *statement, const char *from, const char *to)
{
    if (!starts_with(statement->data, from))
        return;
    char *rest = xstrdup(statement->data + strlen(from));
    buf_clear(statement);
    buf_addstr(statement, to);
    buf_addstr(statement, rest);
    free(rest);
}

/* pg_dump's settings last until the next one; ours must not outlive the object. */
static void wrap_settings(struct script_reader *reader, const char *type)
{
    bool is_table = strcmp(type, "TABLE") == 0 || strcmp(type, "MATERIALIZED VIEW") == 0;
    struct buf *statement = &reader->statement;

    if (!is_table || !statement->len || (!reader->access_method && !reader->with_oids))
        return;
    char *body = buf_take(statement);
    if (reader->access_method)
        buf_addf(statement, "SET default_table_access_method = %s;\n", reader->access_method);
    if (reader->with_oids)
        buf_addstr(statement, "SET default_with_oids = true;\n");
    buf_addstr(statement, body);
    if (reader->access_method)
        buf_addstr(statement, "\nSET default_table_access_method = heap;");
    if (reader->with_oids)
        buf_addstr(statement, "\nSET default_with_oids = false;");
    free(body);
}

static bool finish_object(struct script_reader *reader, struct err *err)
{
    struct script_toc_entry *entry = &reader->toc->entries[reader->dump_id];
    struct script_object object = {.dump_id = reader->dump_id,
                                   .class_oid = entry->class_oid,
                                   .object_oid = entry->object_oid,
                                   .post = entry->post,
                                   .position = ++reader->position,
                                   .depends = reader->depends,
                                   .depend_count = reader->depend_count};
    struct buf *statement = &reader->statement;

    buf_addstr(&reader->name_line, "");
    if (!reader->name_line.data || !cut_name_line(reader->name_line.data, entry->rest, &object)) {
        err_set(err, ERR_INTERNAL, "entry %d of the dump: script and list do not agree",
                reader->dump_id);
        err_detail(err, "Script: \"%s\". List: \"%s\".",
                   reader->name_line.data ? reader->name_line.data : "", entry->rest);
        return false;
    }
    while (statement->len && strchr(" \n\r\t", statement->data[statement->len - 1]))
        statement->data[--statement->len] = '\0';
    buf_addstr(statement, "");
    replace_prefix(statement, "CREATE SCHEMA public;", "CREATE SCHEMA IF NOT EXISTS public;");
    wrap_settings(reader, object.type);
    object.statement = statement->data ? statement->data : "";
    return reader->sink->object(reader->sink->arg, &object, err);
}

static bool begin_object(struct script_reader *reader, const char *line, struct err *err)
{
    char *at;
    unsigned long id = strtoul(line + strlen("-- TOC entry "), &at, 10);
    struct script_toc_entry *entry = id < reader->toc->size ? &reader->toc->entries[id] : NULL;

    if (reader->dump_id && !finish_object(reader, err))
        return false;
    if (!entry || !entry->rest || entry->seen) {
        err_set(err, ERR_INTERNAL, "entry %lu of the dump's script is %s", id,
                entry && entry->seen ? "there twice" : "not in its list");
        return false;
    }
    entry->seen = true;
    reader->dump_id = (int)id;
    reader->in_header = true;
    reader->depend_count = 0;
    buf_clear(&reader->name_line);
    buf_clear(&reader->statement);
    return true;
}

static void header_line(struct script_reader *reader, const char *line, size_t len)
{
    if (starts_with(line, "-- Name: ")) {
        size_t skip = strlen("-- Name: ");
        buf_add(&reader->name_line, line + skip, len - skip - (line[len - 1] == '\n'));
    } else if (starts_with(line, "-- Dependencies: ")) {
        char *at = (char *)line + strlen("-- Dependencies: ");
        for (char *next = at; *at && *at != '\n'; at = next) {
            long id = strtol(at, &next, 10);
            if (next == at)
                break;
            reader->depends = xgrow(reader->depends, reader->depend_count, &reader->depend_cap,
                                    sizeof *reader->depends);
            reader->depends[reader->depend_count++] = (int)id;
        }
    } else if (strcmp(line, "--\n") == 0 || strcmp(line, "--") == 0) {
        reader->in_header = false;
    }
}

/* "SET name = value;": the value without quotes, owned; NULL when the line is another. */
static char *setting(const char *line, const char *name)
{
    size_t len = strlen(name);

    if (!starts_with(line, "SET ") || strncmp(line + 4, name, len) != 0 ||
        !starts_with(line + 4 + len, " = "))
        return NULL;
    const char *value = line + 4 + len + 3;
    size_t value_len = strcspn(value, ";");
    if (value_len >= 2 && *value == '\'')
        return xstrndup(value + 1, value_len - 2);
    return xstrndup(value, value_len);
}

/* Takes a setting line; *taken says whether it was one. */
static bool setting_line(struct script_reader *reader, const char *line, bool *taken,
                         struct err *err)
{
    char *method = setting(line, "default_table_access_method");
    char *oids = setting(line, "default_with_oids");
    char *space = setting(line, "default_tablespace");
    char *encoding = reader->dump_id ? NULL : setting(line, "client_encoding");
    char *strings = reader->dump_id ? NULL : setting(line, "standard_conforming_strings");
    bool ok = !strings || strcmp(strings, "on") == 0;

    *taken = method || oids || space;
    if (method) {
        free(reader->access_method);
        reader->access_method = strcmp(method, "heap") == 0 ? NULL : xstrdup(method);
    }
    if (oids)
        reader->with_oids = strcmp(oids, "true") == 0;
    if (encoding)
        str_replace(&reader->encoding, encoding);
    if (!ok) {
        err_set(err, ERR_PREREQUISITE, "standard_conforming_strings is off on the source");
        err_hint(err, "ALTER DATABASE ... SET standard_conforming_strings = on, at least for the "
                      "role that migrates.");
    }
    free(method);
    free(oids);
    free(space);
    free(encoding);
    free(strings);
    return ok;
}

static bool is_blank(const char *text, size_t len)
{
    return strspn(text, " \t\r\n") >= len;
}

static bool between_statements(struct script_reader *reader, const char *line, bool *taken,
                               struct err *err)
{
    *taken = true;
    if (starts_with(line, "-- TOC entry "))
        return begin_object(reader, line, err);
    if (starts_with(line, "--") || starts_with(line, "\\restrict ") ||
        starts_with(line, "\\unrestrict "))
        return true;
    return setting_line(reader, line, taken, err);
}

bool script_reader_line(struct script_reader *reader, const char *line, size_t len, struct err *err)
{
    size_t semicolon;
    bool taken = false;

    if (reader->in_header) {
        header_line(reader, line, len);
        return true;
    }
    if (reader->lexer.state == LEX_PLAIN && !reader->open) {
        bool ok = between_statements(reader, line, &taken, err);
        if (!ok || taken)
            return ok;
    }
    lexer_line(&reader->lexer, line, len, &semicolon);
    if (semicolon)
        reader->open = false;
    if (reader->lexer.state != LEX_PLAIN || !is_blank(line + semicolon, len - semicolon))
        reader->open = true;
    if (reader->dump_id && (reader->statement.len || reader->open || semicolon))
        buf_add(&reader->statement, line, len);
    return true;
}

static bool may_be_absent(const char *rest)
{
    /* Up to 10 pg_restore lists these and leaves them out: the schema is always there. */
    return starts_with(rest, "SCHEMA - public ") || starts_with(rest, "COMMENT - SCHEMA public ");
}

bool script_reader_end(struct script_reader *reader, struct err *err)
{
    if (reader->lexer.state != LEX_PLAIN || reader->open || reader->in_header) {
        err_set(err, ERR_INTERNAL, "the dump's script ends within a statement (entry %d)",
                reader->dump_id);
        return false;
    }
    if (reader->dump_id && !finish_object(reader, err))
        return false;
    for (size_t id = 0; id < reader->toc->size; id++) {
        const struct script_toc_entry *entry = &reader->toc->entries[id];
        if (!entry->rest || entry->seen || may_be_absent(entry->rest))
            continue;
        err_set(err, ERR_INTERNAL, "entry %zu of the dump's list is not in its script: \"%s\"", id,
                entry->rest);
        return false;
    }
    return true;
}
