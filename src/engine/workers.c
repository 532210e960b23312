#include "engine/works.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cdc/spool.h"
#include "sql/sql.h"

const struct worker_kind worker_kinds[] = {
    {"recall", work_recall}, {"check", work_check},     {"schema", work_schema},
    {"epoch", work_epoch},   {"copy", work_copy},       {"index", work_index},
    {"receive", work_receive_worker}, {"apply", work_apply},   {"monitor", work_monitor}, {"watch", work_watch},
    {"finish", work_finish}, {"verify", work_verify}, {"cutover", work_cutover}, {"rehearse", work_rehearse}, {"lock", work_lock}, {"thaw", work_thaw},
    {"close", work_close},   {"undo", work_undo},       {"admit", work_admit},
    {"detach", work_detach}, {"withdraw", work_withdraw}, {NULL, NULL},
};

char *work_spool_dir(const struct work *work)
{
    return xasprintf("%s/spool", work->p->dir);
}

char *work_server_name(struct conn *c)
{
    const char *host = PQhost(c->pg);
    const char *port = PQport(c->pg);

    return xasprintf("%s:%s", host && *host ? host : "local", port && *port ? port : "5432");
}

char *work_server_version(struct conn *c)
{
    const char *text = PQparameterStatus(c->pg, "server_version");

    return xasprintf("PostgreSQL %.*s", text ? (int)strcspn(text, " ") : 1, text ? text : "?");
}

bool work_owns_target(const struct work *work)
{
    return work->m->plan.schema_mode == SCHEMA_COPY || work->m->plan.load_prepare == PREPARE_TRUNCATE;
}

lsn_t work_json_lsn(const cJSON *object, const char *key)
{
    lsn_t lsn = LSN_INVALID;

    lsn_parse(json_str(object, key), &lsn);
    return lsn;
}

void work_json_add_lsn(cJSON *object, const char *key, lsn_t lsn)
{
    char text[LSN_TEXT_SIZE];

    json_add_str(object, key, lsn_format(lsn, text));
}

cJSON *work_limit_json(const struct spool_position *position, lsn_t covers)
{
    cJSON *json = cJSON_CreateObject();

    json_add_u64(json, "segment", position->segment);
    json_add_u64(json, "offset", position->offset);
    work_json_add_lsn(json, "lsn", position->lsn);
    work_json_add_lsn(json, "covers", covers);
    return json;
}

/* 32 bits of our own name, 32 of the oid. */
#define SCHEMA_LOCK_KEY                                                                            \
    "(pg_catalog.hashtext('pgcutover schema')::pg_catalog.int8 << 32) | $1::pg_catalog.int8"

#define TABLE_LOCK_KEY                                                                             \
    "(pg_catalog.hashtext('pgcutover schema')::pg_catalog.int8 << 32) | t.oid::pg_catalog.int8"

bool work_lock_schema(struct conn *target, const char *oid, struct err *err)
{
    return conn_command_params(target, "SELECT pg_catalog.pg_advisory_lock(" SCHEMA_LOCK_KEY ")", 1,
                               &oid, err);
}

void work_unlock_schema(struct conn *target, const char *oid)
{
    conn_command_params(target, "SELECT pg_catalog.pg_advisory_unlock(" SCHEMA_LOCK_KEY ")", 1, &oid,
                        NULL);
}

bool work_lock_tables(struct conn *target, const char *oids_array, bool shared, struct err *err)
{
    const char *exclusive = "SELECT pg_catalog.count(pg_catalog.pg_advisory_lock(" TABLE_LOCK_KEY ")) "
                            "FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t (oid)";
    const char *with_others = "SELECT pg_catalog.count(pg_catalog.pg_advisory_lock_shared(" TABLE_LOCK_KEY ")) "
                              "FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t (oid)";

    return conn_command_params(target, shared ? with_others : exclusive, 1, &oids_array, err);
}

bool work_share_memory(const struct work *work, struct conn *target, struct err *err)
{
    char jobs[16];
    const char *value = jobs;

    snprintf(jobs, sizeof jobs, "%d", work->m->plan.load_jobs);
    return conn_command_params(target, sql_load_builder, 1, &value, err);
}

void work_unlock_tables(struct conn *target)
{
    conn_command(target, "SELECT pg_catalog.pg_advisory_unlock_all()", NULL);
}
