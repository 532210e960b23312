/* How it works: text becomes a tree with places (document.c), the tree is read into the struct by
 * the table of keys (reader.c, keys.c). The tree stays as plan->document, without passwords, and
 * is what is written back. plan_set() changes a copy of it and reads that again, so that a value
 * from the command line meets the same rules as one in the file. */
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/buf.h"
#include "base/files.h"
#include "base/xalloc.h"
#include "plan/document.h"
#include "plan/endpoint.h"
#include "plan/keys.h"
#include "plan/reader.h"

#define NAME_MAX_BYTES 40
#define NAME_MUST_BE "letters, digits, \"_\" and \"-\", at most 40 of them"

bool plan_name_is_valid(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_MAX_BYTES &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

void plan_release(struct plan *plan)
{
    free(plan->name);
    free(plan->path);
    document_wipe(plan->document);
    endpoint_release(&plan->source);
    endpoint_release(&plan->target);
    for (size_t i = 0; i < plan->database_count; i++)
        plan_database_release(&plan->databases[i]);
    free(plan->databases);
    plan_edits_release(plan->schema_edits, plan->schema_edit_count);
    for (size_t i = 0; i < plan->waived_count; i++)
        free(plan->waived[i]);
    free(plan->waived);
    for (size_t i = 0; i < plan->note_count; i++)
        free(plan->notes[i]);
    free(plan->notes);
    free(plan->state_dir);
    plan_pairs_release(plan->schema_role_map, plan->schema_role_count);
    free(plan->after_schema_sql);
    free(plan->sync_slot);
    free(plan->fallback_of);
    free(plan->cutover_at);
    free(plan->hook_before);
    free(plan->hook_after);
    free(plan->bouncer_uri);
    free(plan->bouncer_database);
    free(plan->bouncer_config);
    *plan = (struct plan){0};
}

static void put_dotted(cJSON *object, const char *dotted, cJSON *item);

/* A member of "schema", or null. Owned. */
static cJSON *schema_member(const struct plan *plan, const char *key)
{
    const cJSON *schema = cJSON_GetObjectItemCaseSensitive(plan->document, "schema");
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(schema, key);

    return item ? cJSON_Duplicate(item, true) : cJSON_CreateNull();
}

static void take_schema_member(struct plan *plan, const struct plan *from, const char *key)
{
    cJSON *before = schema_member(plan, key), *after = schema_member(from, key);
    char *dotted = xasprintf("schema.%s", key);

    if (cJSON_Compare(before, after, true))
        cJSON_Delete(after);
    else
        put_dotted(plan->document, dotted, after);
    cJSON_Delete(before);
    free(dotted);
}

void plan_take_decisions(struct plan *plan, const struct plan *from)
{
    take_schema_member(plan, from, "onError");
    take_schema_member(plan, from, "edits");
    plan_edits_release(plan->schema_edits, plan->schema_edit_count);
    plan->schema_on_error = from->schema_on_error;
    plan->schema_edit_count = from->schema_edit_count;
    plan->schema_edits = xcalloc(from->schema_edit_count + 1, sizeof *plan->schema_edits);
    for (size_t i = 0; i < from->schema_edit_count; i++) {
        const struct plan_edit *edit = &from->schema_edits[i];
        plan->schema_edits[i] = (struct plan_edit){.skip = edit->skip};
        str_replace(&plan->schema_edits[i].object, edit->object);
        str_replace(&plan->schema_edits[i].sql, edit->sql);
        str_replace(&plan->schema_edits[i].database, edit->database);
    }
}

static bool is_same(const struct plan *plan, const char *object, const char *database, const struct plan_edit *edit)
{
    bool only = plan->database_count < 2;

    return object && strcmp(object, edit->object) == 0 &&
           (database && edit->database ? strcmp(database, edit->database) == 0 : only);
}

static void remove_edit(struct plan *plan, const struct plan_edit *edit)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(plan->document, "schema"), "edits");
    size_t kept = 0;

    for (size_t i = 0; i < plan->schema_edit_count; i++) {
        struct plan_edit *old = &plan->schema_edits[i];
        if (!is_same(plan, old->object, old->database, edit)) {
            plan->schema_edits[kept++] = *old;
            continue;
        }
        free(old->object);
        free(old->sql);
        free(old->database);
        cJSON_DeleteItemFromArray(list, (int)kept);
    }
    plan->schema_edit_count = kept;
}

void plan_decide(struct plan *plan, const struct plan_edit *edit)
{
    cJSON *schema = cJSON_GetObjectItemCaseSensitive(plan->document, "schema");

    remove_edit(plan, edit);
    if (!edit->sql && !edit->skip)
        return;
    plan->schema_edits = xrealloc(plan->schema_edits, (plan->schema_edit_count + 1) * sizeof *plan->schema_edits);
    plan->schema_edits[plan->schema_edit_count++] =
        (struct plan_edit){.object = xstrdup(edit->object), .sql = xstrdup(edit->sql), .skip = edit->skip, .database = xstrdup(edit->database)};
    if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(schema, "edits")))
        put_dotted(plan->document, "schema.edits", cJSON_CreateArray());
    schema = cJSON_GetObjectItemCaseSensitive(plan->document, "schema");
    cJSON *item = cJSON_CreateObject();
    json_add_str(item, "object", edit->object);
    if (edit->sql)
        json_add_str(item, "sql", edit->sql);
    else
        json_add_bool(item, "skip", true);
    if (edit->database)
        json_add_str(item, "database", edit->database);
    cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(schema, "edits"), item);
}

void plan_waive(struct plan *plan, const char *id)
{
    cJSON *list = cJSON_GetObjectItemCaseSensitive(plan->document, "waive");

    for (size_t i = 0; i < plan->waived_count; i++)
        if (strcmp(plan->waived[i], id) == 0)
            return;
    plan->waived = xrealloc(plan->waived, (plan->waived_count + 1) * sizeof *plan->waived);
    plan->waived[plan->waived_count++] = xstrdup(id);
    if (!list)
        list = cJSON_AddArrayToObject(plan->document, "waive");
    cJSON_AddItemToArray(list, cJSON_CreateString(id));
}

static void recall_secret(struct secret *secret, const struct secret *original)
{
    if (!secret_is_known(secret))
        secret_set(secret, original->text);
}

void plan_recall_secrets(struct plan_endpoint *endpoint, const struct plan_endpoint *original)
{
    recall_secret(&endpoint->password, &original->password);
    recall_secret(&endpoint->ssh.password, &original->ssh.password);
    recall_secret(&endpoint->ssh.passphrase, &original->ssh.passphrase);
}

char *plan_text(const struct plan *plan)
{
    char *printed = cJSON_Print(plan->document);

    if (!printed)
        abort();
    char *text = xasprintf("%s\n", printed);
    cJSON_free(printed);
    return text;
}

/* Puts the name first into the document, so that its text gives the same plan under any path. */
static void store_name(struct plan *plan, const char *name)
{
    cJSON *item = cJSON_CreateString(name);

    str_replace(&plan->name, name);
    if (cJSON_GetObjectItemCaseSensitive(plan->document, "name")) {
        cJSON_ReplaceItemInObjectCaseSensitive(plan->document, "name", item);
        return;
    }
    cJSON_AddItemToObject(plan->document, "name", item); /* gives it its key */
    cJSON_DetachItemViaPointer(plan->document, item);
    cJSON_InsertItemInArray(plan->document, 0, item);
}

/* given: --name. fallback: where the name comes from when neither it nor the plan says one. */
static bool settle_name(struct plan *plan, const char *given, const char *fallback,
                        const char *origin, struct err *err)
{
    if (given && !plan_name_is_valid(given)) {
        err_set(err, ERR_USAGE, "the name of a migration must be " NAME_MUST_BE);
        err_hint(err, "Give another --name.");
        return false;
    }
    if (!given && plan->name)
        return true;
    if (!given && !plan_name_is_valid(fallback)) {
        err_set(err, ERR_USAGE,
                "%s: no \"name\", and \"%s\" cannot be one: it must be " NAME_MUST_BE, origin,
                fallback);
        err_hint(err, "Put a \"name\" into the plan, or give --name NAME.");
        return false;
    }
    store_name(plan, given ? given : fallback);
    return true;
}

/* "shop" from "/home/dba/shop.json". Owned. */
static char *name_of_file(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    size_t len = strlen(base);

    if (len > 5 && strcmp(base + len - 5, ".json") == 0)
        len -= 5;
    return xstrndup(base, len);
}

struct source_text {
    const char *text;
    size_t len;
    const char *origin;
};

static bool parse(struct plan *plan, const struct source_text *source, const char *name,
                  struct err *err)
{
    struct document document = DOCUMENT_INIT;
    struct reader reader = {
        .origin = source->origin, .document = &document, .plan = plan, .err = err};
    char *fallback = name_of_file(source->origin);

    *plan = (struct plan){0};
    bool ok = document_parse(&document, source->text, source->len, source->origin, err);
    if (ok) {
        plan->document = document_take(&document);
        ok = reader_plan(&reader, plan->document) &&
             settle_name(plan, name, fallback, source->origin, err);
    }
    if (!ok)
        plan_release(plan);
    document_release(&document);
    free(fallback);
    return ok;
}

bool plan_parse(struct plan *plan, const char *text, const char *origin, struct err *err)
{
    struct source_text source = {.text = text, .len = strlen(text), .origin = origin};

    return parse(plan, &source, NULL, err);
}

/* A file that cannot be read is a wrong command line: exit code 2. */
static bool read_text_file(const char *path, struct buf *text, struct err *err)
{
    if (file_read(path, text, err))
        return true;
    if (err)
        err->code = ERR_USAGE;
    return false;
}

/* The text may hold passwords. */
static void wipe(struct buf *text)
{
    if (text->data)
        explicit_bzero(text->data, text->len);
    buf_release(text);
}

/* SQL text that ends so has a semicolon or a line break in it. */
static bool is_sql_file(const char *value)
{
    size_t len = strlen(value);

    return len > 4 && strcmp(value + len - 4, ".sql") == 0 && !strpbrk(value, ";\n");
}

/* The plan is copied, and read again in another directory. */
static void settle_sql_path(struct plan *plan, const char *path)
{
    const char *value = plan->after_schema_sql;
    char *absolute = value && is_sql_file(value) && *value != '/' ? realpath(path, NULL) : NULL;
    char *slash = absolute ? strrchr(absolute, '/') : NULL;

    if (slash) {
        char *full = xasprintf("%.*s/%s", (int)(slash - absolute), absolute, value);
        put_dotted(plan->document, "schema.afterSchemaSql", cJSON_CreateString(full));
        str_replace(&plan->after_schema_sql, full);
        free(full);
    }
    free(absolute);
}

bool plan_after_schema_sql(const struct plan *plan, char **sql, struct err *err)
{
    struct buf text = BUF_INIT;

    *sql = NULL;
    if (!plan->after_schema_sql)
        return true;
    if (!is_sql_file(plan->after_schema_sql)) {
        *sql = xstrdup(plan->after_schema_sql);
        return true;
    }
    if (!read_text_file(plan->after_schema_sql, &text, err)) {
        err_wrap(err, "schema.afterSchemaSql");
        buf_release(&text);
        return false;
    }
    buf_addstr(&text, "");
    *sql = buf_take(&text);
    return true;
}

bool plan_read_as(struct plan *plan, const char *path, const char *name, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = read_text_file(path, &text, err);

    *plan = (struct plan){0};
    if (ok) {
        struct source_text source = {.text = text.data, .len = text.len, .origin = path};
        ok = parse(plan, &source, name, err);
    }
    if (ok) {
        plan->path = xstrdup(path);
        settle_sql_path(plan, path);
    }
    wipe(&text);
    return ok;
}

bool plan_read(struct plan *plan, const char *path, struct err *err)
{
    return plan_read_as(plan, path, NULL, err);
}

/* --- the files of Azure DMS --- */

static bool read_document(struct document *document, const char *path, struct err *err)
{
    struct buf text = BUF_INIT;
    bool ok = read_text_file(path, &text, err) &&
              document_parse(document, text.data, text.len, path, err);

    wipe(&text);
    return ok;
}

/* Reads one of the three files as the part `key` of the plan. */
static bool read_part(struct plan *plan, const char *path, const char *key, struct err *err)
{
    struct document document = DOCUMENT_INIT;
    struct reader reader = {.origin = path, .document = &document, .plan = plan, .err = err};

    if (!read_document(&document, path, err))
        return false;
    cJSON *root = document_take(&document);
    cJSON_AddItemToObject(plan->document, key, root);
    bool ok = strcmp(key, "databases") == 0
                  ? reader_databases(&reader, root)
                  : reader_endpoint(
                        &reader, strcmp(key, "source") == 0 ? &plan->source : &plan->target, root);
    document_release(&document);
    return ok;
}

static bool read_parts(struct plan *plan, const char *const paths[3], const char *name,
                       struct err *err)
{
    static const char *const keys[] = {"source", "target", "databases"};

    for (int i = 0; i < 3; i++)
        if (paths[i] && !read_part(plan, paths[i], keys[i], err))
            return false;
    struct reader reader = {.origin = paths[0], .plan = plan, .err = err};
    if (!plan->database_count && !reader_default_database(&reader))
        return false;
    return settle_name(plan, name, plan->databases[0].name, paths[2] ? paths[2] : paths[0], err);
}

bool plan_read_azure(struct plan *plan, const char *source_path, const char *target_path,
                     const char *options_path, const char *name, struct err *err)
{
    const char *const paths[] = {source_path, target_path, options_path};

    *plan = (struct plan){0};
    reader_defaults(plan);
    plan->document = cJSON_CreateObject();
    if (read_parts(plan, paths, name, err)) {
        plan->source.path = xstrdup(source_path);
        plan->target.path = xstrdup(target_path);
        return true;
    }
    plan_release(plan);
    return false;
}

/* --- values from the command line --- */

#define SET_ORIGIN "command line"
#define KEY_MAX_BYTES 64

/* The next part of a dotted key, into part; false when it is too long. */
static bool next_part(const char **dotted, char part[KEY_MAX_BYTES])
{
    size_t len = strcspn(*dotted, ".");

    if (len >= KEY_MAX_BYTES)
        return false;
    memcpy(part, *dotted, len);
    part[len] = '\0';
    *dotted += len + ((*dotted)[len] == '.');
    return true;
}

static bool is_single_value(const struct key *key)
{
    return key->type != KEY_OBJECT && key->type != KEY_LIST && key->type != KEY_PATTERNS &&
           key->type != KEY_MAP;
}

static const struct key *find_dotted(const char *dotted, struct err *err)
{
    enum key_scope scope = IN_PLAN;
    const struct key *key = NULL, *nearest = NULL;
    const char *at = dotted;
    char part[KEY_MAX_BYTES] = "";

    do {
        bool ok = next_part(&at, part);
        key = ok ? key_find(scope, part) : NULL;
        if (!key || (*at && key->type != KEY_OBJECT))
            break;
        scope = key->scope;
    } while (*at);
    if (key && !*at && is_single_value(key))
        return key;
    nearest = key ? NULL : key_nearest(scope, part);
    err_set(err, ERR_USAGE,
            key ? SET_ORIGIN ": \"%s\" cannot be set there" : SET_ORIGIN ": unknown key \"%s\"",
            dotted);
    if (nearest)
        err_hint(err, "Did you mean \"%s\"?", nearest->name);
    else if (key)
        err_hint(err, "Write it into the plan.");
    return NULL;
}

static cJSON *item_from_text(const struct key *key, const char *value)
{
    char *end;

    if (!value)
        return cJSON_CreateNull();
    if (key->type == KEY_BOOL && strcmp(value, "true") == 0)
        return cJSON_CreateTrue();
    if (key->type == KEY_BOOL && strcmp(value, "false") == 0)
        return cJSON_CreateFalse();
    double number = key->type == KEY_INT ? strtod(value, &end) : 0;
    if (key->type == KEY_INT && end != value && !*end)
        return cJSON_CreateNumber(number);
    return cJSON_CreateString(value);
}

/* Puts item (taken) at a dotted key, making the sections on the way. */
static void put_dotted(cJSON *object, const char *dotted, cJSON *item)
{
    char part[KEY_MAX_BYTES];

    while (next_part(&dotted, part) && *dotted) {
        cJSON *inner = cJSON_GetObjectItemCaseSensitive(object, part);
        if (!cJSON_IsObject(inner)) {
            cJSON_DeleteItemFromObjectCaseSensitive(object, part);
            inner = cJSON_AddObjectToObject(object, part);
        }
        object = inner;
    }
    if (cJSON_GetObjectItemCaseSensitive(object, part))
        cJSON_ReplaceItemInObjectCaseSensitive(object, part, item);
    else
        cJSON_AddItemToObject(object, part, item);
}

/* The document has neither passwords nor where they came from: they are kept, except where the key sets
 * another one. */
static void keep_secret(struct secret *secret, struct secret *old, bool replaced)
{
    if (replaced || secret_is_known(secret))
        return;
    *secret = *old;
    *old = (struct secret)SECRET_INIT;
}

static bool is_key_of(const char *dotted, const char *side, const char *key)
{
    size_t len = strlen(side);

    return strncmp(dotted, side, len) == 0 && dotted[len] == '.' && strcmp(dotted + len + 1, key) == 0;
}

static void keep_endpoint(struct plan_endpoint *endpoint, struct plan_endpoint *old, const char *side, const char *dotted)
{
    endpoint->path = old->path;
    old->path = NULL;
    keep_secret(&endpoint->password, &old->password, is_key_of(dotted, side, "password") || is_key_of(dotted, side, "uri"));
    keep_secret(&endpoint->ssh.password, &old->ssh.password, is_key_of(dotted, side, "ssh.password"));
    keep_secret(&endpoint->ssh.passphrase, &old->ssh.passphrase, is_key_of(dotted, side, "ssh.passphrase"));
    endpoint->ssh.tunnel_port = old->ssh.tunnel_port;
}

static void take_over(struct plan *plan, struct plan *changed, const char *dotted)
{
    keep_endpoint(&changed->source, &plan->source, "source", dotted);
    keep_endpoint(&changed->target, &plan->target, "target", dotted);
    changed->path = plan->path;
    plan->path = NULL;
    for (size_t i = 0; i < changed->note_count; i++) {
        plan->notes = xrealloc(plan->notes, (plan->note_count + 1) * sizeof *plan->notes);
        plan->notes[plan->note_count++] = changed->notes[i];
    }
    free(changed->notes);
    changed->notes = plan->notes;
    changed->note_count = plan->note_count;
    plan->notes = NULL;
    plan->note_count = 0;
    plan_release(plan);
    *plan = *changed;
}

bool plan_set(struct plan *plan, const char *dotted_key, const char *value, struct err *err)
{
    const struct key *key = find_dotted(dotted_key, err);
    struct plan changed = {0};
    struct reader reader = {.origin = SET_ORIGIN, .plan = &changed, .err = err};

    if (!key)
        return false;
    if (strcmp(dotted_key, "name") == 0 && !value)
        value = plan->name;
    changed.document = cJSON_Duplicate(plan->document, true);
    put_dotted(changed.document, dotted_key, item_from_text(key, value));
    if (!reader_plan(&reader, changed.document)) {
        plan_release(&changed);
        return false;
    }
    take_over(plan, &changed, dotted_key);
    return true;
}

void plan_trust_host_key(struct plan *plan, struct plan_endpoint *endpoint, bool jump, const char *fingerprint)
{
    char *dotted = xasprintf("%s.ssh.%s", endpoint == &plan->source ? "source" : "target",
                             jump ? "jumpHostKeyFingerprint" : "hostKeyFingerprint");

    str_replace(jump ? &endpoint->ssh.jump_fingerprint : &endpoint->ssh.fingerprint, fingerprint);
    put_dotted(plan->document, dotted, cJSON_CreateString(fingerprint));
    free(dotted);
}
