/* What a database holds, as everything after it asks: read once, in one snapshot.
 *
 * A struct catalog never changes once it is loaded. All strings belong to it and live as long as it
 * does. Schemas of the system, temporary tables and the program's own schema pgcutover are left out. */
#ifndef PGC_CATALOG_CATALOG_H
#define PGC_CATALOG_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "base/err.h"
#include "pg/conn.h"

/* pg_class.relkind of what stands in `tables`. */
#define KIND_TABLE 'r'
#define KIND_PARTITIONED 'p'
#define KIND_FOREIGN 'f'

struct catalog_server {
    int version;               /* server_version_num: 150020 */
    const char *version_text;  /* version() */
    const char *system_id;     /* pg_control_system(): the same on a cluster and its copies; "" on 9.5 */
    const char *start_time;    /* of the postmaster: tells a cluster from its copies */
    const char *database;
    const char *encoding;      /* "UTF8" */
    const char *collate;
    const char *ctype;
    const char *user;          /* current_user */
    bool in_recovery;
    bool superuser;
    bool replication;          /* the role's own attribute */
    int64_t large_objects;
};

struct catalog_table {
    uint32_t oid;
    uint32_t parent_oid;       /* of a partition, else 0 */
    const char *schema;
    const char *name;
    const char *owner;
    const char *extension;     /* it is a member of this extension; NULL: of none */
    int64_t rows;              /* reltuples; 0 where never analyzed */
    int64_t bytes;             /* pg_table_size(), see catalog.sizes_estimated; 0 unless KIND_TABLE */
    char kind;                 /* KIND_... */
    char persistence;          /* p permanent, u unlogged */
    char replica_identity;     /* pg_class.relreplident: d n f i */
    bool is_partition;
    bool has_pk;               /* valid, deferrable or not */
    bool has_identity;         /* UPDATE and DELETE can be published: FULL, or a valid immediate key */
    bool row_security;         /* hides rows from us, or would without row_security = off */
    bool can_select;           /* SELECT on it and USAGE of its schema */
    bool owned;                /* we may act as its owner */
    bool has_generated;
    bool has_always_trigger;   /* ENABLE ALWAYS or ENABLE REPLICA: would fire while changes are applied */
    UT_hash_handle hh_oid;     /* private */
    UT_hash_handle hh_name;    /* private */
};

/* A sequence or a materialized view. */
struct catalog_relation {
    uint32_t oid;
    const char *schema;
    const char *name;
    const char *extension;     /* as above */
    bool populated;            /* materialized views */
};

struct catalog_foreign_key {
    const char *name;
    uint32_t table_oid;
    uint32_t referenced_oid;
};

/* An extension (version) or an event trigger that is enabled (event). */
struct catalog_named {
    const char *name;
    const char *detail;
};

struct catalog {
    struct catalog_server server;
    struct catalog_table *tables; /* by schema and name */
    size_t table_count;
    bool sizes_estimated;      /* bytes are relpages: some table is locked by others */
    struct catalog_relation *sequences;
    size_t sequence_count;
    struct catalog_relation *matviews;
    size_t matview_count;
    struct catalog_foreign_key *foreign_keys;
    size_t foreign_key_count;
    struct catalog_named *extensions;
    size_t extension_count;
    struct catalog_named *event_triggers;
    size_t event_trigger_count;

    struct catalog_table *by_oid;  /* private */
    struct catalog_table *by_name; /* private */
    struct catalog_chunk *strings; /* private */
};

#define CATALOG_INIT {0}

/* Reads the database c is connected to, in one REPEATABLE READ READ ONLY transaction of c, which must
 * not be in one. catalog is empty (CATALOG_INIT) before, and after an error. A server before 10 is
 * ERR_PREREQUISITE. */
bool catalog_load(struct conn *c, struct catalog *catalog, struct err *err);
void catalog_release(struct catalog *catalog);

/* NULL where there is none. Borrowed. */
const struct catalog_table *catalog_table_by_oid(const struct catalog *catalog, uint32_t oid);
const struct catalog_table *catalog_table_by_name(const struct catalog *catalog, const char *schema,
                                                  const char *name);

#endif
