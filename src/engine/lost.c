#include "engine/lost.h"

#include "base/json.h"
#include "engine/load.h"
#include "engine/pipeline.h"

static void load_anew(struct supervisor *s, struct pipeline *p, struct table *t, const cJSON *error)
{
    struct err why = ERR_INIT;

    if (t->state != TABLE_COMPLETED || p->hold != HOLD_NONE)
        return;
    err_from_json(&why, error);
    migration_event(s->m, "warning", "%s: %s: it is loaded again", p->name, why.message);
    err_clear(&why);
    load_queue(s, p, t);
    pipeline_load_again(s, p);
}

static void stop(struct supervisor *s, struct pipeline *p, const cJSON *lost)
{
    struct worker *apply = supervisor_worker(s, p, "apply");

    if (!apply || apply->stopping)
        return;
    cJSON *message = cJSON_Duplicate(lost, true);
    cJSON_DeleteItemFromObject(message, "type");
    json_add_str(message, "type", "stop");
    json_add_str(message, "kind", json_bool(lost, "definition", false) ? "ALTER TABLE" : "TRUNCATE");
    channel_queue(&apply->channel, message);
}

void lost_on_table(struct supervisor *s, struct worker *w, const cJSON *message)
{
    struct pipeline *p = w->pipeline;
    struct table *t = pipeline_table(p, json_str(message, "oid"));

    if (!t || t->is_stopped || t->is_behind || p->asked)
        return;
    bool loading = p->state == PIPE_LOADING || p->state == PIPE_CATCHING_UP;
    if (loading && !json_bool(message, "definition", false))
        load_anew(s, p, t, json_get(message, "error"));
    else if (p->state == PIPE_FINISHING || p->state == PIPE_SYNCING)
        stop(s, p, message);
}
