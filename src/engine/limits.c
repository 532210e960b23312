/* How it works: the values go through plan_set(), so that they meet the rules of the plan. They are tried on a
 * copy first, the copy is written, and only then the engine's own plan is changed. Workers have the
 * plan of the moment they were started: copy workers are told their share of the rate whenever it
 * changes (load.c), the applier is started again when the number of its lanes changes. */
#include "engine/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"

struct limit {
    const char *name; /* in requests and answers */
    const char *key;  /* in the plan */
};

static const struct limit limits[] = {
    {"loadJobs", "load.jobs"},
    {"syncJobs", "sync.jobs"},
    {"bytesPerSecond", "limits.bytesPerSecond"},
    {"sourceSlotWal", "limits.sourceSlotWal"},
};

cJSON *limits_json(const struct plan *plan)
{
    cJSON *json = cJSON_CreateObject();

    json_add_num(json, "loadJobs", plan->load_jobs);
    json_add_num(json, "syncJobs", plan->sync_jobs);
    if (plan->bytes_per_second)
        json_add_num(json, "bytesPerSecond", (double)plan->bytes_per_second);
    else
        cJSON_AddNullToObject(json, "bytesPerSecond");
    json_add_num(json, "sourceSlotWal", (double)plan->source_slot_wal_bytes);
    return json;
}

static bool set_all(struct plan *plan, const cJSON *request, struct err *err)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const char *value = json_str(request, limits[i].name);
        if (value && !plan_set(plan, limits[i].key, strcmp(value, "none") == 0 ? NULL : value, err))
            return false;
    }
    return true;
}

static bool try_and_write(struct supervisor *s, const cJSON *request, struct err *err)
{
    char *path = xasprintf("%s/plan.json", s->m->dir);
    char *text = plan_text(&s->m->plan);
    struct plan copy;
    bool ok = plan_parse(&copy, text, path, err);

    free(text);
    if (ok && (ok = set_all(&copy, request, err))) {
        text = plan_text(&copy);
        ok = file_write_atomic(path, text, strlen(text), err);
        free(text);
    }
    plan_release(&copy);
    free(path);
    return ok;
}

static void restart_appliers(struct supervisor *s)
{
    for (struct worker *w = s->workers; w; w = w->next)
        if (strcmp(w->kind->name, "apply") == 0)
            worker_stop(w);
}

bool limits_command(struct supervisor *s, const cJSON *request, cJSON *answer, struct err *err)
{
    struct plan *plan = &s->m->plan;
    bool any = false;
    int lanes = plan->sync_jobs;

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        any = any || json_str(request, limits[i].name);
    if (any && (!try_and_write(s, request, err) || !set_all(plan, request, err)))
        return false;
    /* plan_set() makes the list of databases anew. */
    for (size_t i = 0; i < s->m->pipeline_count; i++)
        s->m->pipelines[i].plan = &plan->databases[i];
    cJSON *now = limits_json(plan);
    if (any) {
        char *said = json_line(now);
        migration_event(s->m, "info", "limits: %s", said);
        free(said);
    }
    cJSON_AddItemToObject(answer, "limits", now);
    if (plan->sync_jobs != lanes)
        restart_appliers(s);
    return true;
}
