#include "engine/rehearsal.h"

#include <string.h>

#include "base/json.h"
#include "engine/pipeline.h"

#define WORKER "rehearse"

bool rehearsal_is_command(const char *name)
{
    return strcmp(name, WORKER) == 0 || strcmp(name, "rehearsal") == 0;
}

static bool is_meant(const struct pipeline *p, const char *database)
{
    return !database || strcmp(database, p->name) == 0;
}

static bool may_begin(const struct supervisor *s, const struct pipeline *p, struct err *err)
{
    const struct pipeline_command *cutover = pipeline_command_find("cutover");

    if (p->state == PIPE_SYNCING && !p->rehearsal_wanted && !p->cutover_wanted)
        return pipeline_may(s, p, cutover, err);
    err_set(err, ERR_USAGE, "the cutover of database \"%s\" cannot be rehearsed: it is %s", p->name,
            p->rehearsal_wanted ? "being rehearsed" : p->cutover_wanted ? "to be cut over"
                                                                        : pipeline_state_name(p->state));
    return false;
}

static bool ask(struct supervisor *s, const char *database, struct err *err)
{
    bool found = false;

    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        const struct pipeline *p = &s->m->pipelines[i];
        found = found || is_meant(p, database);
        if (is_meant(p, database) && !may_begin(s, p, err))
            return false;
    }
    if (!found)
        err_set(err, ERR_USAGE, "migration \"%s\" has no database \"%s\"", s->m->name, database);
    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if (!is_meant(p, database))
            continue;
        err_clear(&p->rehearsal_error);
        p->rehearsal_wanted = true;
        pipeline_touch(s->m, p);
    }
    return found;
}

static const char *text_of(struct pipeline *p)
{
    const struct step *step = pipeline_step(p, WORKER);

    return step->state && strcmp(step->state, "done") == 0 ? step->text : NULL;
}

static bool tell(struct supervisor *s, const char *database, cJSON *answer)
{
    cJSON *databases = cJSON_AddArrayToObject(answer, "databases");
    bool pending = false;

    for (size_t i = 0; i < s->m->pipeline_count; i++) {
        struct pipeline *p = &s->m->pipelines[i];
        if (!is_meant(p, database))
            continue;
        cJSON *json = cJSON_CreateObject();
        json_add_str(json, "databaseName", p->name);
        json_add_str(json, "text", p->rehearsal_wanted ? NULL : text_of(p));
        if (err_is_set(&p->rehearsal_error))
            cJSON_AddItemToObject(json, "error", err_to_json(&p->rehearsal_error));
        else
            cJSON_AddNullToObject(json, "error");
        cJSON_AddItemToArray(databases, json);
        pending = pending || p->rehearsal_wanted;
    }
    json_add_bool(answer, "pending", pending);
    return true;
}

bool rehearsal_command(struct supervisor *s, const char *name, const cJSON *request, cJSON *answer, struct err *err)
{
    const char *database = json_str(request, "databaseName");

    return strcmp(name, WORKER) == 0 ? ask(s, database, err) : tell(s, database, answer);
}

bool rehearsal_is_wanted(const struct pipeline *p)
{
    return p->rehearsal_wanted && p->state == PIPE_SYNCING && p->hold == HOLD_NONE && !p->asked;
}

static void end(struct supervisor *s, struct pipeline *p)
{
    p->rehearsal_wanted = false;
    p->drain_lsn = LSN_INVALID;
    pipeline_touch(s->m, p);
}

void rehearsal_turn(struct supervisor *s, struct pipeline *p)
{
    if (rehearsal_is_wanted(p)) {
        if (!supervisor_worker(s, p, WORKER))
            supervisor_start_worker(s, p, WORKER);
        return;
    }
    if (!p->rehearsal_wanted)
        return;
    err_set(&p->rehearsal_error, ERR_CONFLICT, "the rehearsal of database \"%s\" was given up: it is %s", p->name,
            p->hold == HOLD_NONE ? pipeline_state_name(p->state) : "held");
    end(s, p);
}

bool rehearsal_worker_ended(struct supervisor *s, struct worker *w, struct err *err)
{
    struct pipeline *p = w->pipeline;

    if (strcmp(w->kind->name, WORKER) != 0)
        return false;
    if (err_is_set(err) && p->rehearsal_wanted)
        err_move(&p->rehearsal_error, err);
    end(s, p);
    err_clear(err);
    return true;
}
