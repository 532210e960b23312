/* How it works: the keys of a portion are added one after the other, NOT VALID, which takes a moment; then all of
 * them are validated, on every connection there is. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/apply_run.h"
#include "schema/parallel.h"
#include "sql/sql.h"

/* Below deadlock_timeout (1 s): against the applier, which holds rows of both tables, this gives way
 * first and is tried again. */
#define LOCK_TIMEOUT "700ms"
/* The applier's changes are not in a validation's way, but an autovacuum is, and that gives way to who has waited for
 * deadlock_timeout. */
#define VALIDATE_LOCK_TIMEOUT "3s"

enum { FK_ADD, FK_VALIDATE, FK_VALIDATED, FK_PARTITIONED, FK_SCHEMA, FK_TABLE, FK_NAME, FK_PAGES };

/* Keys that were added and are still to be validated. */
struct validation {
    struct object object;
    char *statement; /* owned, like the rest */
    char *table;
    char *text;
    int64_t pages; /* of the referencing table: it is read as a whole */
};

struct validations {
    struct run *run;
    struct validation *items;
    struct parallel_task *tasks; /* of the same order */
    size_t count;
};

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
    char *add = xasprintf("%s NOT VALID;", PQgetvalue(key, 0, FK_ADD));
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

static bool apply_foreign_key(struct validations *v, const struct object *object, struct err *err)
{
    struct refusal gone = {.message = "no longer on the source"};
    struct run *run = v->run;
    size_t before = v->count;
    bool ok;

    PGresult *key = conn_exec_params(run->source, sql_schema_foreign_key, 1, &object->oid, err);
    if (!key)
        return false;
    if (PQntuples(key) == 0) {
        ok = run_set_state(run->target, object->dump_id, "skipped", &gone, err);
    } else if (object->edited || PQgetvalue(key, 0, FK_PARTITIONED)[0] == 't' ||
               PQgetvalue(key, 0, FK_VALIDATED)[0] == 'f') {
        ok = run_object(run, object, err);
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

bool schema_foreign_keys_count(struct conn *target, size_t *count, struct err *err)
{
    char *text = NULL;
    bool ok = conn_scalar(target, "SELECT pg_catalog.count(*) FROM pgcutover.objects WHERE phase = 'foreign-key' "
                          "AND object_type = 'FK CONSTRAINT' AND state IN ('pending', 'failed')", 0, NULL, &text, err);

    *count = ok ? (size_t)atoll(text) : 0;
    free(text);
    return ok;
}

bool schema_foreign_keys(struct conn *source, struct conn *const *targets, size_t target_count,
                         const struct schema_progress *progress, struct err *err)
{
    struct conn *target = targets[0];
    struct run run = {.source = source, .target = target, .targets = targets, .target_count = target_count,
                      .phase = "foreign-key", .progress = progress,
                      .portion = apply_foreign_keys};
    bool ok = conn_command(target, "SET lock_timeout = '" LOCK_TIMEOUT "'", err) &&
              run_phase(&run, err);

    if (conn_is_open(target))
        ok = conn_command(target, "SET lock_timeout = 0", ok ? err : NULL) && ok;
    return ok;
}
