/* How it works: an object is read key by key against the rows of its scope in the table of keys
 * (keys.c); the row's type picks the function that checks the value and stores it at the row's
 * field. What several keys mean together is checked when their object is complete (rules.c).
 * The first error ends the reading. */
#include "plan/reader.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/units.h"
#include "base/xalloc.h"
#include "pg/ident.h"
#include "plan/endpoint.h"
#include "plan/keys.h"
#include "plan/pattern.h"
#include "plan/rules.h"

static void *field_of(const struct spot *spot)
{
    return spot->key->field == KEY_NO_FIELD ? NULL : spot->base + spot->key->field;
}

/* "origin:line:column" of an item's value, or of its key. Owned. */
static char *where(const struct reader *reader, const cJSON *item, bool of_key)
{
    const struct place *place = document_place(reader->document, item);

    if (!place)
        return xstrdup(reader->origin);
    bool key = of_key && place->key_line;
    return xasprintf("%s:%u:%u", reader->origin, key ? place->key_line : place->line,
                     key ? place->key_column : place->column);
}

PGC_PRINTF(4, 0)
static bool vfail(struct reader *reader, const cJSON *item, bool of_key, const char *fmt,
                  va_list args)
{
    char *at = where(reader, item, of_key);
    char *what = xvasprintf(fmt, args);

    err_set(reader->err, ERR_USAGE, "%s: %s", at, what);
    free(what);
    free(at);
    return false;
}

bool reader_fail(struct reader *reader, const cJSON *item, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail(reader, item, false, fmt, args);
    va_end(args);
    return false;
}

PGC_PRINTF(3, 4)
static bool fail_key(struct reader *reader, const cJSON *item, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vfail(reader, item, true, fmt, args);
    va_end(args);
    return false;
}

/* `"a", "b" or "c"` from "a b c". Owned. */
static char *words_text(const char *words)
{
    struct buf out = BUF_INIT;

    while (words && *words) {
        size_t len = strcspn(words, " ");
        const char *next = words + len + (words[len] == ' ');
        if (out.len)
            buf_addstr(&out, *next ? ", " : " or ");
        buf_addf(&out, "\"%.*s\"", (int)len, words);
        words = next;
    }
    return buf_take(&out);
}

static const char *type_name(const cJSON *item)
{
    if (cJSON_IsString(item))
        return "a string";
    if (cJSON_IsNumber(item))
        return "a number";
    if (cJSON_IsBool(item))
        return "true or false";
    if (cJSON_IsNull(item))
        return "null";
    return cJSON_IsArray(item) ? "a list" : "an object";
}

static bool wrong_type(struct reader *reader, const struct spot *spot, const char *must_be)
{
    return reader_fail(reader, spot->item, "%s must be %s, not %s", spot->path, must_be,
                       type_name(spot->item));
}

static void hint_of(struct reader *reader, const struct key *key, const char *otherwise)
{
    bool both = key->hint && otherwise;

    err_hint(reader->err, "%s%s%s", otherwise ? otherwise : "", both ? " " : "",
             key->hint ? key->hint : "");
}

static bool not_offered(struct reader *reader, const struct spot *spot, const char *value,
                        const char *offered)
{
    reader_fail(reader, spot->item, "%s%s%s is not offered by this version", spot->path,
                value ? " " : "", value ? value : "");
    char *hint = offered ? xasprintf("Offered is %s.", offered) : NULL;
    hint_of(reader, spot->key, hint || spot->key->hint ? hint : "Leave it out or set it to null.");
    free(hint);
    return false;
}

static void note(struct reader *reader, char *text)
{
    struct plan *plan = reader->plan;

    plan->notes = xrealloc(plan->notes, (plan->note_count + 1) * sizeof *plan->notes);
    plan->notes[plan->note_count++] = text;
}

/* Takes the blanks off a string of the tree, and says so. False when nothing is left. */
static bool trim(struct reader *reader, cJSON *item, const char *path)
{
    static const char blanks[] = " \t\r\n";
    char *text = item->valuestring;
    size_t lead = strspn(text, blanks);
    size_t len = strlen(text + lead);

    while (len && strchr(blanks, text[lead + len - 1]))
        len--;
    if (lead || text[len]) {
        memmove(text, text + lead, len);
        text[len] = '\0';
        char *at = where(reader, item, false);
        note(reader, xasprintf("%s: blanks around %s trimmed", at, path));
        free(at);
    }
    return len > 0 || reader_fail(reader, item, "%s must not be empty", path);
}

/* A string, trimmed and checked against the key's own rule. */
static bool check_text(struct reader *reader, const struct spot *spot)
{
    const struct key *key = spot->key;

    if (!cJSON_IsString(spot->item))
        return wrong_type(reader, spot, "a string");
    if (!trim(reader, spot->item, spot->path))
        return false;
    if (key->fits && !key->fits(spot->item->valuestring))
        return reader_fail(reader, spot->item, "%s must be %s", spot->path, key->must_be);
    return true;
}

static bool read_text(struct reader *reader, const struct spot *spot)
{
    if (!check_text(reader, spot))
        return false;
    str_replace(field_of(spot), spot->item->valuestring);
    return true;
}

static bool read_secret(struct reader *reader, const struct spot *spot)
{
    cJSON *item = spot->item;

    if (!cJSON_IsString(item))
        return wrong_type(reader, spot, "a string or null");
    secret_set(field_of(spot), item->valuestring);
    if (*item->valuestring) { /* "" tells nothing but that none is needed: it stays */
        explicit_bzero(item->valuestring, strlen(item->valuestring));
        cJSON_free(item->valuestring);
        item->valuestring = NULL;
        item->type = cJSON_NULL;
    }
    return true;
}

static bool refused_word(struct reader *reader, const struct spot *spot, const char *words)
{
    const struct key *key = spot->key;
    const char *word = spot->item->valuestring;

    if (word_position(key->refused, word) >= 0 || !strchr(key->offered, ' ')) {
        char *value = xasprintf("\"%s\"", word);
        not_offered(reader, spot, value, words);
        free(value);
        return false;
    }
    reader_fail(reader, spot->item, "%s cannot be \"%s\"", spot->path, word);
    char *hint = xasprintf("It is %s.", words);
    hint_of(reader, key, hint);
    free(hint);
    return false;
}

static bool read_word(struct reader *reader, const struct spot *spot)
{
    const struct key *key = spot->key;
    char *words = words_text(key->offered);
    bool ok = cJSON_IsString(spot->item);
    int position = ok ? word_position(key->offered, spot->item->valuestring) : -1;

    if (!ok)
        wrong_type(reader, spot, words);
    else if (position < 0)
        ok = refused_word(reader, spot, words);
    else if (key->keep_text)
        str_replace(field_of(spot), spot->item->valuestring);
    else if (field_of(spot))
        memcpy(field_of(spot), &position, sizeof position); /* an enum, in the words' order */
    free(words);
    return ok;
}

static bool read_bool(struct reader *reader, const struct spot *spot)
{
    const char *value = cJSON_IsTrue(spot->item) ? "true" : "false";

    if (!cJSON_IsBool(spot->item))
        return wrong_type(reader, spot, "true or false");
    if (spot->key->offered && strcmp(spot->key->offered, value) != 0)
        return not_offered(reader, spot, value, spot->key->offered);
    if (field_of(spot))
        *(bool *)field_of(spot) = cJSON_IsTrue(spot->item);
    return true;
}

static bool in_range(const char *range, double value)
{
    char *dots;
    long low = strtol(range, &dots, 10);

    return value >= (double)low && value <= (double)strtol(dots + 2, NULL, 10);
}

/* "1" or "1 to 64". Owned. */
static char *range_text(const char *range)
{
    const char *dots = strstr(range, "..");
    size_t len = (size_t)(dots - range);

    if (strlen(dots + 2) == len && strncmp(range, dots + 2, len) == 0)
        return xstrdup(dots + 2);
    return xasprintf("%.*s to %s", (int)len, range, dots + 2);
}

static bool read_int(struct reader *reader, const struct spot *spot)
{
    const struct key *key = spot->key;
    double value = spot->item->valuedouble;
    const char *known = key->refused ? key->refused : key->offered;
    bool number = cJSON_IsNumber(spot->item);
    bool ok = number && floor(value) == value && in_range(key->offered, value);

    if (ok) {
        if (field_of(spot))
            *(int *)field_of(spot) = (int)value;
        return true;
    }
    char *range = range_text(number ? known : key->offered);
    if (!number) {
        char *must_be = xasprintf("a whole number (%s)", range);
        wrong_type(reader, spot, must_be);
        free(must_be);
    } else if (floor(value) == value && in_range(known, value)) {
        char *text = xasprintf("%.0f", value);
        char *offered = range_text(key->offered);
        not_offered(reader, spot, text, offered);
        free(offered);
        free(text);
    } else {
        reader_fail(reader, spot->item, "%s must be a whole number from %s", spot->path, range);
    }
    free(range);
    return false;
}

/* A size or a duration: text with a unit, or a bare number of bytes or seconds. */
static bool read_amount(struct reader *reader, const struct spot *spot)
{
    bool bytes = spot->key->type == KEY_BYTES;
    const char *must_be = bytes ? "a size, as \"50GB\"" : "a duration, as \"1s\"";
    const cJSON *item = spot->item;
    char *text = cJSON_IsNumber(item) ? xasprintf("%.17g", item->valuedouble)
                                      : xstrdup(cJSON_GetStringValue(item));
    int64_t value = 0;
    bool ok =
        text && (bytes ? units_parse_bytes(text, &value) : units_parse_duration_us(text, &value));

    free(text);
    if (!cJSON_IsNumber(item) && !cJSON_IsString(item))
        return wrong_type(reader, spot, must_be);
    if (!ok || value <= 0)
        return reader_fail(reader, item, "%s must be %s, and more than nothing", spot->path,
                           must_be);
    *(int64_t *)field_of(spot) = value;
    return true;
}

static bool read_patterns(struct reader *reader, const struct spot *spot)
{
    size_t count = (size_t)cJSON_GetArraySize(spot->item);
    size_t *stored = (size_t *)(spot->base + spot->key->count_field);
    char **texts;
    bool ok = true;

    if (!cJSON_IsArray(spot->item))
        return wrong_type(reader, spot, "a list of strings");
    *(char ***)field_of(spot) = texts = xcalloc(count + 1, sizeof *texts);
    for (cJSON *item = spot->item->child; item && ok; item = item->next) {
        char *path = xasprintf("%s[%zu]", spot->path, *stored);
        struct spot one = {.key = spot->key, .item = item, .path = path};
        ok = check_text(reader, &one);
        if (ok)
            texts[(*stored)++] = xstrdup(item->valuestring);
        free(path);
    }
    return ok;
}

static bool is_repeated(const cJSON *object, const cJSON *item);

static bool read_map(struct reader *reader, const struct spot *spot)
{
    size_t count = (size_t)cJSON_GetArraySize(spot->item);
    size_t *stored = (size_t *)(spot->base + spot->key->count_field);
    struct plan_pair *pairs;
    bool ok = true;

    if (!cJSON_IsObject(spot->item))
        return wrong_type(reader, spot, "an object of names");
    *(struct plan_pair **)field_of(spot) = pairs = xcalloc(count + 1, sizeof *pairs);
    for (cJSON *item = spot->item->child; item && ok; item = item->next) {
        char *path = xasprintf("%s.%s", spot->path, item->string);
        struct spot one = {.key = spot->key, .item = item, .path = path};
        if (is_repeated(spot->item, item))
            ok = fail_key(reader, item, "key \"%s\" stands twice in %s", item->string, spot->path);
        else if (!*item->string)
            ok = fail_key(reader, item, "%s has an empty name", spot->path);
        else
            ok = check_text(reader, &one);
        if (ok)
            pairs[(*stored)++] = (struct plan_pair){xstrdup(item->string), xstrdup(item->valuestring)};
        free(path);
    }
    return ok;
}

static bool read_not_offered(struct reader *reader, const struct spot *spot)
{
    return not_offered(reader, spot, NULL, NULL);
}

static bool read_members(struct reader *reader, enum key_scope scope, char *base,
                         const struct spot *from);

static bool read_object(struct reader *reader, const struct spot *spot)
{
    char *base = spot->key->own_struct ? field_of(spot) : spot->base;

    return read_members(reader, spot->key->scope, base, spot) &&
           rules_of(reader, spot->key->scope, base, spot);
}


static bool read_list(struct reader *reader, const struct spot *spot)
{
    size_t count = (size_t)cJSON_GetArraySize(spot->item);
    size_t *stored = (size_t *)(spot->base + spot->key->count_field);
    char *items;
    bool ok = true;

    if (!cJSON_IsArray(spot->item))
        return wrong_type(reader, spot, "a list of objects");
    *(void **)field_of(spot) = items = xcalloc(count + 1, spot->key->item_size);
    for (cJSON *item = spot->item->child; item && ok; item = item->next) {
        char *base = items + *stored * spot->key->item_size;
        char *path = xasprintf("%s[%zu]", spot->path, (*stored)++);
        struct spot one = {.item = item, .path = path};
        ok = read_members(reader, spot->key->scope, base, &one) &&
             rules_of(reader, spot->key->scope, base, &one);
        free(path);
    }
    return ok && rules_of_list(reader, spot);
}

typedef bool read_fn(struct reader *reader, const struct spot *spot);

static read_fn *const read_by_type[] = {
    [KEY_TEXT] = read_text,
    [KEY_SECRET] = read_secret,
    [KEY_WORD] = read_word,
    [KEY_BOOL] = read_bool,
    [KEY_INT] = read_int,
    [KEY_BYTES] = read_amount,
    [KEY_DURATION] = read_amount,
    [KEY_PATTERNS] = read_patterns,
    [KEY_OBJECT] = read_object,
    [KEY_LIST] = read_list,
    [KEY_MAP] = read_map,
    [KEY_NOT_OFFERED] = read_not_offered,
};

static bool unknown_key(struct reader *reader, enum key_scope scope, const struct spot *from,
                        const cJSON *item)
{
    const struct key *nearest = key_nearest(scope, item->string);
    struct buf known = BUF_INIT;

    fail_key(reader, item, "unknown key \"%s\"%s%s", item->string, *from->path ? " in " : "",
             from->path);
    for (size_t i = 0; i < plan_key_count && !nearest; i++)
        if (plan_keys[i].in == scope && plan_keys[i].type != KEY_NOT_OFFERED)
            buf_addf(&known, "%s\"%s\"", known.len ? ", " : "", plan_keys[i].name);
    if (nearest)
        err_hint(reader->err, "Did you mean \"%s\"?", nearest->name);
    else
        err_hint(reader->err, "Known here are %s.", known.data);
    buf_release(&known);
    return false;
}

static bool is_repeated(const cJSON *object, const cJSON *item)
{
    for (const cJSON *other = object->child; other != item; other = other->next)
        if (strcmp(other->string, item->string) == 0)
            return true;
    return false;
}

/* Only known keys get this far, so that an object with a key more than there are known ones has
 * ended in an error before. */
static bool read_member(struct reader *reader, enum key_scope scope, char *base,
                        const struct spot *from, cJSON *item)
{
    const struct key *key = key_find(scope, item->string);

    if (!key)
        return unknown_key(reader, scope, from, item);
    if (is_repeated(from->item, item))
        return fail_key(reader, item, "key \"%s\" stands twice%s%s", item->string,
                        *from->path ? " in " : "", from->path);
    if (cJSON_IsNull(item))
        return true;
    char *path = xasprintf("%s%s%s", from->path, *from->path ? "." : "", item->string);
    struct spot spot = {.key = key, .item = item, .path = path, .base = base};
    bool ok = read_by_type[key->type](reader, &spot);
    free(path);
    return ok;
}

static void set_defaults(enum key_scope scope, char *base);

static bool read_members(struct reader *reader, enum key_scope scope, char *base,
                         const struct spot *from)
{
    if (!cJSON_IsObject(from->item))
        return wrong_type(reader, from, "an object");
    set_defaults(scope, base);
    for (cJSON *item = from->item->child; item; item = item->next)
        if (!read_member(reader, scope, base, from, item))
            return false;
    return true;
}

/* Defaults stand in the table as text and are read as if they had been written. */
static void set_default(const struct key *key, char *base)
{
    struct reader reader = {.origin = "default"};
    bool literal = key->type == KEY_INT || key->type == KEY_BOOL;
    cJSON *item = literal ? cJSON_Parse(key->otherwise) : cJSON_CreateString(key->otherwise);
    struct spot spot = {.key = key, .item = item, .path = key->name, .base = base};

    if (!read_by_type[key->type](&reader, &spot))
        abort(); /* the table contradicts itself */
    cJSON_Delete(item);
}

static void set_defaults(enum key_scope scope, char *base)
{
    for (size_t i = 0; i < plan_key_count; i++) {
        const struct key *key = &plan_keys[i];
        if (key->in != scope)
            continue;
        if (key->otherwise)
            set_default(key, base);
        else if (key->type == KEY_OBJECT)
            set_defaults(key->scope, key->own_struct ? base + key->field : base);
    }
}

void reader_defaults(struct plan *plan)
{
    set_defaults(IN_PLAN, (char *)plan);
}

/* --- entries --- */

bool reader_default_database(struct reader *reader)
{
    struct plan *plan = reader->plan;
    char *source = endpoint_database(&plan->source);
    char *target = endpoint_database(&plan->target);

    if (!source) {
        err_set(reader->err, ERR_USAGE, "%s: nothing says which database is to be migrated",
                reader->origin);
        err_hint(reader->err, "Give \"databaseName\" in \"source\", or a list of \"databases\".");
        free(target);
        return false;
    }
    free(plan->databases); /* an empty list */
    plan->databases = xcalloc(1, sizeof *plan->databases);
    set_defaults(IN_DATABASE, (char *)plan->databases);
    plan->database_count = 1;
    plan->databases[0].name = source;
    plan->databases[0].target_name = target ? target : xstrdup(source);
    plan->databases[0].index = plan_index_new(&plan->databases[0]);
    return true;
}

bool reader_plan(struct reader *reader, cJSON *root)
{
    struct spot spot = {.item = root, .path = "the plan"};

    if (!cJSON_IsObject(root))
        return wrong_type(reader, &spot, "an object");
    spot.path = "";
    return read_members(reader, IN_PLAN, (char *)reader->plan, &spot) &&
           rules_of(reader, IN_PLAN, reader->plan, &spot);
}

bool reader_endpoint(struct reader *reader, struct plan_endpoint *endpoint, cJSON *object)
{
    struct spot spot = {.item = object, .path = "a connection"};

    if (!cJSON_IsObject(object))
        return wrong_type(reader, &spot, "an object");
    spot.path = "";
    return read_members(reader, IN_ENDPOINT, (char *)endpoint, &spot) &&
           rules_of(reader, IN_ENDPOINT, endpoint, &spot);
}

bool reader_databases(struct reader *reader, cJSON *list)
{
    struct spot spot = {.key = key_find(IN_PLAN, "databases"),
                        .item = list,
                        .path = "databases",
                        .base = (char *)reader->plan};

    return read_list(reader, &spot);
}

void plan_pairs_release(struct plan_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].from);
        free(pairs[i].to);
    }
    free(pairs);
}

void plan_edits_release(struct plan_edit *edits, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(edits[i].object);
        free(edits[i].sql);
        free(edits[i].database);
    }
    free(edits);
}

void plan_database_release(struct plan_database *database)
{
    free(database->name);
    free(database->target_name);
    for (size_t i = 0; i < database->selected_count; i++)
        free(database->selected[i]);
    free(database->selected);
    for (size_t i = 0; i < database->excluded_count; i++)
        free(database->excluded[i]);
    free(database->excluded);
    for (size_t i = 0; i < database->mapping_count; i++) {
        struct plan_mapping *mapping = &database->mappings[i];
        char *const texts[] = {mapping->table, mapping->schema,    mapping->name,   mapping->to,
                               mapping->where, mapping->to_schema, mapping->to_name};
        for (size_t k = 0; k < sizeof texts / sizeof *texts; k++)
            free(texts[k]);
        for (size_t k = 0; k < mapping->column_count; k++)
            free(mapping->columns[k]);
        for (size_t k = 0; k < mapping->excluded_count; k++)
            free(mapping->excluded[k]);
        free(mapping->columns);
        free(mapping->excluded);
    }
    free(database->mappings);
    plan_index_free(database->index);
}
