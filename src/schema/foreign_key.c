/* How it works: the keys of a portion are added one after the other, NOT VALID, which takes a moment; then all of
 * them are validated, on every connection there is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/apply_run.h"
#include "schema/foreign_key.h"
#include "schema/parallel.h"
#include "schema/take_out.h"
#include "sql/sql.h"

/* Below deadlock_timeout (1 s): against the applier, which holds rows of both tables, this gives way
 * first and is tried again. */
#define LOCK_TIMEOUT "700ms"
/* The applier's changes are not in a validation's way, but an autovacuum is, and that gives way to who has waited for
 * deadlock_timeout. */
#define VALIDATE_LOCK_TIMEOUT "3s"

enum { FK_ADD, FK_VALIDATE, FK_VALIDATED, FK_PARTITIONED, FK_SCHEMA, FK_TABLE, FK_NAME, FK_PAGES, FK_ORPHANS };

/* Keys that were added and are still to be validated. */
struct validation {
    struct object object;
    char *statement; /* owned, like the rest */
    char *table;
    char *text;
    char *orphans; /* the query that counts rows without partner; may be NULL */
    int64_t pages; /* of the referencing table: it is read as a whole */
};

struct validations {
    struct run *run;
    struct validation *items;
    struct parallel_task *tasks; /* of the same order */
    size_t count;
};

/* --- what a key is, and which rows do not fit it --- */

/* The row of schema_foreign_key.sql: as the target had it, or the source has it. No row: it is gone. NULL: an error. */
static PGresult *find_key(struct conn *source, struct conn *target, int dump_id, const char *oid, struct err *err)
{
    char id[16];
    const char *values[] = {id};

    if (strcmp(oid, "0") != 0)
        return conn_exec_params(source, sql_schema_foreign_key, 1, &oid, err);
    snprintf(id, sizeof id, "%d", dump_id);
    return conn_exec_params(target, sql_schema_key_taken, 1, values, err);
}

/* "3 rows have no partner, the first: (5), (6), (7)"; owned; NULL: none has none, or it cannot be told. */
static char *count_orphans(struct conn *target, const char *query, int64_t *count, struct err *err)
{
    PGresult *res = conn_exec(target, query, err);
    char *text = NULL;

    *count = res ? atoll(PQgetvalue(res, 0, 0)) : 0;
    if (*count)
        text = xasprintf("%lld row%s no partner, the first: %s", (long long)*count, *count == 1 ? " has" : "s have",
                         PQgetvalue(res, 0, 1));
    PQclear(res);
    return text;
}

/* The server names one row; how many there are says what mending them takes. */
static void add_orphans(struct run *run, const char *query, struct refusal *refusal)
{
    struct err ignored = ERR_INIT;
    int64_t count;
    char *text = query && strcmp(refusal->sqlstate, "23503") == 0 ? count_orphans(run->target, query, &count, &ignored) : NULL;

    if (text) {
        char *message = xasprintf("%s: %s", refusal->message, text);
        free(refusal->message);
        free(refusal->detail);
        refusal->message = message;
        refusal->detail = NULL;
    }
    free(text);
    err_clear(&ignored);
}

static const char *orphans_of(const PGresult *key)
{
    return PQgetisnull(key, 0, FK_ORPHANS) ? NULL : PQgetvalue(key, 0, FK_ORPHANS);
}

/* --- adding and validating --- */

static bool key_exists(struct run *run, const PGresult *key, bool *exists, struct err *err)
{
    const char *values[] = {PQgetvalue(key, 0, FK_SCHEMA), PQgetvalue(key, 0, FK_TABLE),
                            PQgetvalue(key, 0, FK_NAME)};
    char *found = NULL;
    bool ok = conn_scalar(run->target, sql_schema_constraint_exists, 3, values, &found, err);

    *exists = found != NULL;
    free(found);
    return ok;
}

static void want_validation(struct validations *v, const struct object *object, const PGresult *key)
{
    struct validation *item = &v->items[v->count++];
    struct buf text = BUF_INIT;

    *item = (struct validation){.object = *object, .pages = atoll(PQgetvalue(key, 0, FK_PAGES))};
    item->orphans = orphans_of(key) ? xstrdup(orphans_of(key)) : NULL;
    item->table = xasprintf("%s.%s", PQgetvalue(key, 0, FK_SCHEMA), PQgetvalue(key, 0, FK_TABLE));
    item->statement = xasprintf("%s;", PQgetvalue(key, 0, FK_VALIDATE));
    item->object.statement = item->statement;
    run_text_of(&text, &item->object, 1, true);
    item->text = xasprintf("SET lock_timeout = '" VALIDATE_LOCK_TIMEOUT "'; %s", text.data);
    buf_release(&text);
}

/* A key of a plain table is added, which takes a moment and strong locks; the rest takes long, and needs only weak
 * ones. It may have been added by a run that was cut off. */
static bool add_key(struct validations *v, const struct object *object, const PGresult *key, struct err *err)
{
    struct run *run = v->run;
    struct object step = *object;
    struct refusal refusal = {0};
    bool exists, refused = false;
    /* One that the target had comes with its comment. */
    char *add = strcmp(object->oid, "0") == 0 ? schema_without_validation(object->statement)
                                              : xasprintf("%s NOT VALID;", PQgetvalue(key, 0, FK_ADD));
    bool ok = key_exists(run, key, &exists, err);

    step.statement = add;
    ok = ok && (exists || run_statement(run, &step, false, &refusal, &refused, err));
    if (ok)
        want_validation(v, object, key);
    if (refused) {
        err_clear(err);
        ok = run_failed(run, &step, &refusal, err);
    }
    refusal_release(&refusal);
    free(add);
    return ok;
}

static void key_is_done(struct run *run, const struct object *object)
{
    run->done++;
    run_report(run, object);
}

/* In one step. */
static bool add_wholly(struct run *run, const struct object *object, const PGresult *key, struct err *err)
{
    struct refusal refusal = {0};
    bool refused;
    bool ok = run_statement(run, object, true, &refusal, &refused, err);

    if (refused) {
        err_clear(err);
        add_orphans(run, orphans_of(key), &refusal);
        ok = run_failed(run, object, &refusal, err);
    }
    refusal_release(&refusal);
    return ok;
}

static bool apply_foreign_key(struct validations *v, const struct object *object, struct err *err)
{
    struct refusal gone = {.message = "no longer on the source"};
    struct run *run = v->run;
    size_t before = v->count;
    bool ok;

    PGresult *key = find_key(run->source, run->target, object->dump_id, object->oid, err);
    if (!key)
        return false;
    if (PQntuples(key) == 0) {
        ok = run_set_state(run->target, object->dump_id, "skipped", &gone, err);
    } else if (object->edited || PQgetvalue(key, 0, FK_PARTITIONED)[0] == 't' ||
               PQgetvalue(key, 0, FK_VALIDATED)[0] == 'f') {
        ok = add_wholly(run, object, key, err);
    } else {
        ok = add_key(v, object, key, err);
    }
    PQclear(key);
    if (ok && v->count == before)
        key_is_done(run, object);
    return ok;
}

static int larger_first(const void *a, const void *b)
{
    const struct validation *left = a, *right = b;

    return left->pages > right->pages ? -1 : left->pages < right->pages;
}

static void on_validated(void *arg, const struct parallel_task *task)
{
    struct validations *v = arg;

    key_is_done(v->run, &v->items[task - v->tasks].object);
}

/* What was refused is recorded when all connections are idle. */
static bool validate(struct validations *v, struct err *err)
{
    struct run *run = v->run;

    qsort(v->items, v->count, sizeof *v->items, larger_first);
    for (size_t i = 0; i < v->count; i++)
        v->tasks[i] = (struct parallel_task){.text = v->items[i].text, .alone = v->items[i].table};
    bool ok = parallel_run(run->targets, run->target_count, v->tasks, v->count, on_validated, v, err) &&
              conn_command(run->target, "SET lock_timeout = '" LOCK_TIMEOUT "'", err);
    for (size_t i = 0; i < v->count; i++) {
        struct parallel_task *task = &v->tasks[i];
        if (ok && task->refused)
            add_orphans(run, v->items[i].orphans, &task->refusal);
        ok = ok && (!task->refused || run_failed(run, &v->items[i].object, &task->refusal, err));
        refusal_release(&task->refusal);
    }
    return ok;
}

static void validations_release(struct validations *v)
{
    for (size_t i = 0; i < v->count; i++) {
        free(v->items[i].statement);
        free(v->items[i].table);
        free(v->items[i].text);
        free(v->items[i].orphans);
    }
    free(v->items);
    free(v->tasks);
}

static bool apply_foreign_keys(struct run *run, const struct object *objects, size_t count,
                               struct err *err)
{
    struct validations v = {.run = run, .items = xcalloc(count, sizeof *v.items),
                            .tasks = xcalloc(count, sizeof *v.tasks)};
    bool ok = true;

    for (size_t i = 0; ok && i < count; i++) {
        bool is_key = strcmp(objects[i].type, "FK CONSTRAINT") == 0; /* else a comment on one */
        ok = is_key ? apply_foreign_key(&v, &objects[i], err) : run_singly(run, &objects[i], 1, err);
    }
    ok = ok && (!v.count || validate(&v, err));
    validations_release(&v);
    return ok;
}

bool schema_foreign_keys_count(struct conn *target, const char *phase, size_t *count, struct err *err)
{
    char *text = NULL;
    bool ok = conn_scalar(target, "SELECT pg_catalog.count(*) FROM pgcutover.objects WHERE phase = $1 "
                          "AND object_type = 'FK CONSTRAINT' AND state IN ('pending', 'failed')", 1, &phase, &text, err);

    *count = ok ? (size_t)atoll(text) : 0;
    free(text);
    return ok;
}

bool schema_foreign_keys(struct conn *source, struct conn *const *targets, size_t target_count, const char *phase,
                         const struct schema_progress *progress, struct err *err)
{
    struct conn *target = targets[0];
    struct run run = {.source = source, .target = target, .targets = targets, .target_count = target_count,
                      .phase = phase, .progress = progress,
                      .portion = apply_foreign_keys};
    bool ok = conn_command(target, "SET lock_timeout = '" LOCK_TIMEOUT "'", err) &&
              run_phase(&run, err);

    if (conn_is_open(target))
        ok = conn_command(target, "SET lock_timeout = 0", ok ? err : NULL) && ok;
    return ok;
}

bool schema_orphans(struct conn *source, struct conn *target, struct buf *list, struct err *err)
{
    PGresult *held = conn_exec(target, sql_schema_keys_held, err);
    bool ok = held != NULL;

    for (int i = 0; ok && i < PQntuples(held); i++) {
        PGresult *key = find_key(source, target, atoi(PQgetvalue(held, i, 0)), PQgetvalue(held, i, 1), err);
        int64_t count = 0;
        bool is_checked = key && PQntuples(key) && PQgetvalue(key, 0, FK_VALIDATED)[0] == 't' && orphans_of(key);
        char *text = is_checked ? count_orphans(target, orphans_of(key), &count, err) : NULL;
        ok = key && !err_is_set(err);
        if (text)
            buf_addf(list, "%s%s: %s", list->len ? "\n" : "", PQgetvalue(held, i, 2), text);
        free(text);
        PQclear(key);
    }
    PQclear(held);
    return ok;
}
