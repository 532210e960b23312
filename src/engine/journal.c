#include "engine/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"

#define MAX_SEQ (INT64_C(1) << 30)
#define MAX_DATABASES (INT64_C(1) << 20)

static void made_release(struct made *made)
{
    free(made->side);
    free(made->kind);
    free(made->name);
    free(made->schema);
    free(made->previous);
}

static void remember_made(struct journal *journal, const cJSON *line)
{
    journal->made = xgrow(journal->made, journal->made_count, &journal->made_cap,
                          sizeof *journal->made);
    journal->made[journal->made_count++] = (struct made){
        .seq = (int)json_i64(line, "seq", 0),
        .db = (int)json_i64(line, "db", 0),
        .side = xstrdup(json_str(line, "side")),
        .kind = xstrdup(json_str(line, "kind")),
        .name = xstrdup(json_str(line, "name")),
        .schema = xstrdup(json_str(line, "schema")),
        .previous = xstrdup(json_str(line, "previous")),
    };
    if (journal->next_seq <= json_i64(line, "seq", 0))
        journal->next_seq = (int)json_i64(line, "seq", 0) + 1;
}

static void remember_last(cJSON *lines, const cJSON *line)
{
    int db = (int)json_i64(line, "db", 0);

    while (cJSON_GetArraySize(lines) <= db)
        cJSON_AddItemToArray(lines, cJSON_CreateNull());
    cJSON_ReplaceItemInArray(lines, db, cJSON_Duplicate(line, true));
}

static bool is_number_below(const cJSON *line, const char *key, int64_t limit)
{
    int64_t value = json_i64(line, key, -1);

    return value >= 0 && value < limit;
}

/* What cannot be undone for want of a name, or makes no sense, is damage, not something to pass over. */
static bool is_sound(const cJSON *line)
{
    const char *op = json_str(line, "op");

    if (!op)
        return false;
    if (strcmp(op, "made") == 0)
        return is_number_below(line, "seq", MAX_SEQ) && is_number_below(line, "db", MAX_DATABASES) &&
               json_str(line, "side") && json_str(line, "kind") && json_str(line, "name");
    if (strcmp(op, "state") == 0 || strcmp(op, "statements") == 0)
        return is_number_below(line, "db", MAX_DATABASES);
    return strcmp(op, "gone") != 0 || is_number_below(line, "seq", MAX_SEQ);
}

static void remember(struct journal *journal, const cJSON *line)
{
    const char *op = json_str(line, "op");

    if (op && strcmp(op, "made") == 0)
        remember_made(journal, line);
    if (op && strcmp(op, "state") == 0)
        remember_last(journal->states, line);
    if (op && strcmp(op, "statements") == 0)
        remember_last(journal->statements, line);
    if (op && strcmp(op, "gone") == 0)
        for (size_t i = 0; i < journal->made_count; i++)
            if (journal->made[i].seq == json_i64(line, "seq", 0))
                journal->made[i].gone = true;
}

/* Reads whole lines; *good is the length of what was understood. */
static bool replay(struct journal *journal, char *text, size_t len, size_t *good, struct err *err)
{
    char *end;
    int number = 1;

    for (char *at = text; (end = memchr(at, '\n', len - (size_t)(at - text))); at = end + 1) {
        cJSON *line = cJSON_ParseWithLength(at, (size_t)(end - at));
        if (!line || !is_sound(line)) {
            cJSON_Delete(line);
            err_set(err, ERR_PROTOCOL, "journal \"%s\" is damaged in line %d", journal->path, number);
            err_hint(err, "What was made on the servers is named pgcutover_...: look for it there.");
            return false;
        }
        remember(journal, line);
        cJSON_Delete(line);
        *good = (size_t)(end - text) + 1;
        number++;
    }
    return true;
}

static bool read_journal(struct journal *journal, const char *path, size_t *good, size_t *len,
                         struct err *err)
{
    struct buf text = BUF_INIT;

    *journal = (struct journal)JOURNAL_INIT;
    journal->path = xstrdup(path);
    journal->states = cJSON_CreateArray();
    journal->statements = cJSON_CreateArray();
    journal->next_seq = 1;
    bool ok = !file_exists(path) || (file_read(path, &text, err) &&
                                     replay(journal, text.data, text.len, good, err));
    *len = text.len;
    buf_release(&text);
    if (!ok)
        journal_close(journal);
    return ok;
}

bool journal_read(struct journal *journal, const char *path, struct err *err)
{
    size_t good = 0;
    size_t len = 0;

    return read_journal(journal, path, &good, &len, err);
}

bool journal_open(struct journal *journal, const char *path, struct err *err)
{
    size_t good = 0;
    size_t len = 0;

    if (!read_journal(journal, path, &good, &len, err))
        return false;
    journal->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal->fd < 0 || (good < len && ftruncate(journal->fd, (off_t)good) < 0)) {
        err_errno(err, "could not open journal \"%s\"", path);
        journal_close(journal);
        return false;
    }
    return true;
}

void journal_close(struct journal *journal)
{
    for (size_t i = 0; i < journal->made_count; i++)
        made_release(&journal->made[i]);
    free(journal->made);
    free(journal->path);
    cJSON_Delete(journal->states);
    cJSON_Delete(journal->statements);
    if (journal->fd >= 0)
        close(journal->fd);
    *journal = (struct journal)JOURNAL_INIT;
}

static bool append(struct journal *journal, cJSON *line, struct err *err)
{
    off_t before = lseek(journal->fd, 0, SEEK_END);
    json_add_time(line, "time", clock_wall_us());
    char *text = json_line(line);
    struct buf out = BUF_INIT;
    buf_addf(&out, "%s\n", text);
    bool ok = fd_write_all(journal->fd, out.data, out.len, err);

    if (ok && fdatasync(journal->fd) < 0) {
        err_errno(err, "could not sync");
        ok = false;
    }
    if (!ok) {
        err_wrap(err, "journal \"%s\"", journal->path);
        /* Nothing half-written may stand before a later line. */
        if (ftruncate(journal->fd, before) < 0)
            err_detail(err, "The last line may be torn.");
    } else {
        remember(journal, line);
    }
    free(text);
    buf_release(&out);
    return ok;
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool journal_made(struct journal *journal, const struct made *entry, int *seq, struct err *err)
{
    for (size_t i = 0; i < journal->made_count; i++) {
        const struct made *made = &journal->made[i];
        if (!made->gone && made->db == entry->db && same(made->side, entry->side) &&
            same(made->kind, entry->kind) && same(made->name, entry->name) &&
            same(made->schema, entry->schema)) {
            *seq = made->seq;
            return true;
        }
    }
    *seq = journal->next_seq++;
    cJSON *line = cJSON_CreateObject();
    json_add_str(line, "op", "made");
    json_add_num(line, "seq", *seq);
    json_add_num(line, "db", entry->db);
    json_add_str(line, "side", entry->side);
    json_add_str(line, "kind", entry->kind);
    json_add_str(line, "name", entry->name);
    json_add_str(line, "schema", entry->schema);
    json_add_str(line, "previous", entry->previous);
    bool ok = append(journal, line, err);
    cJSON_Delete(line);
    return ok;
}

bool journal_gone(struct journal *journal, int seq, struct err *err)
{
    cJSON *line = cJSON_CreateObject();

    json_add_str(line, "op", "gone");
    json_add_num(line, "seq", seq);
    bool ok = append(journal, line, err);
    cJSON_Delete(line);
    return ok;
}

bool journal_add(struct journal *journal, const char *op, cJSON *fields, struct err *err)
{
    json_add_str(fields, "op", op);
    bool ok = append(journal, fields, err);
    cJSON_Delete(fields);
    return ok;
}

const cJSON *journal_state(const struct journal *journal, int db)
{
    const cJSON *item = cJSON_GetArrayItem(journal->states, db);

    return cJSON_IsObject(item) ? item : NULL;
}

const cJSON *journal_statements(const struct journal *journal, int db)
{
    return json_get(cJSON_GetArrayItem(journal->statements, db), "statements");
}

bool journal_has(const struct journal *journal, int db, const char *kind)
{
    for (size_t i = 0; i < journal->made_count; i++) {
        const struct made *made = &journal->made[i];
        if (!made->gone && made->db == db && (!kind || strcmp(made->kind, kind) == 0))
            return true;
    }
    return false;
}
