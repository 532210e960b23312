/* The plan: everything that was decided about one migration (pgcutover-plan(5)).
 *
 * The wizard writes it, --batch reads it. A struct plan keeps the JSON document it was read from, so
 * that what is read is written back the same, and beside it the typed values with every default
 * filled in. Passwords are in the endpoints only, never in anything written. */
#ifndef PGC_PLAN_PLAN_H
#define PGC_PLAN_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "pg/conninfo.h"

/* The patterns and mappings of a database, made ready for lookups (plan/pattern.h). */
struct plan_index;

/* The SSH server before a database server; what is NULL or 0 is ~/.ssh/config's to say (ssh/login.h). */
struct plan_ssh {
    char *host;           /* NULL: none, the server is reached directly */
    int port;
    char *user;
    char *identity_file;
    char *known_hosts;
    char *fingerprint;
    char *jump;
    char *jump_fingerprint;
    struct secret password, passphrase;
    int tunnel_port;      /* of 127.0.0.1, while the program has the tunnel; 0: it is not open */
};

struct plan_endpoint {
    char *server_name;   /* NULL where only a uri is given */
    int port;            /* 5432 when nothing says otherwise */
    bool port_given;
    char *user_name;     /* NULL: to be asked for, or libpq's own rules */
    struct secret password; /* text NULL: asked for or from the passfile; "": none is needed */
    char *database_name; /* "postgres" when neither it nor a uri is given */
    bool database_given; /* by databaseName or the uri */
    char *ssl_mode;
    char *ssl_root_cert;
    char *uri;           /* without the password, which is moved to the secret */
    struct plan_ssh ssh;
    char *path;           /* the file of its own that it was read from (Azure DMS), NULL: the plan's */
};

enum plan_keyless { KEYLESS_REFUSE, KEYLESS_FULL, KEYLESS_AT_CUTOVER };

struct plan_mapping {
    char *table;         /* as written: "public.payment" */
    char *schema, *name; /* split, unquoted */
    char *to;            /* NULL: it keeps its name */
    char *to_schema, *to_name;
    char *where;         /* row filter; NULL: all rows */
    char **columns;      /* unquoted; the only ones that are copied; none: all */
    size_t column_count;
    char **excluded;     /* unquoted; all but these; never together with columns */
    size_t excluded_count;
};

struct plan_database {
    char *name;
    char *target_name;
    char **selected;     /* as written; patterns with *; empty: all */
    size_t selected_count;
    char **excluded;
    size_t excluded_count;
    struct plan_mapping *mappings;
    size_t mapping_count;
    enum plan_keyless keyless; /* "keylessTables": "refuse" (default) | "full" | "at-cutover" */
    struct plan_index *index; /* owned; NULL in a database made by hand: lookups are slower */
};

enum plan_schema_mode { SCHEMA_COPY, SCHEMA_EXISTING };
/* DISABLE: for a target role that may not set session_replication_role, so that they would act on what is applied. */
enum plan_foreign_keys { FOREIGN_KEYS_DEFER, FOREIGN_KEYS_DISABLE };
enum plan_triggers { TRIGGERS_REPLICA, TRIGGERS_DISABLE };
/* TEXT: columns of enums, domains, and types of these are text until the cutover. */
enum plan_enums { ENUMS_KEEP, ENUMS_TEXT };
enum plan_indexes { INDEXES_AFTER_LOAD, INDEXES_REBUILD };
/* What becomes of a statement of the schema that the target refuses. */
enum plan_on_error { ON_ERROR_STOP, ON_ERROR_SKIP };
struct plan_pair {
    char *from, *to;
};
/* A decision on one statement of the schema, by the name that it has in messages and in schema --script. */
struct plan_edit {
    char *object;   /* "TYPE schema.name" */
    char *sql;      /* runs instead of it; NULL: it is left out */
    bool skip;
    char *database; /* of the source; NULL in a plan of one */
};
enum plan_unlogged { UNLOGGED_AT_CUTOVER, UNLOGGED_EMPTY };
enum plan_prepare { PREPARE_REFUSE, PREPARE_TRUNCATE };
enum plan_sync_mode { SYNC_LOAD_AND_SYNC, SYNC_LOAD_ONLY, SYNC_SYNC_ONLY };
enum plan_ddl { SYNC_DDL_APPLY, SYNC_DDL_STOP };
/* What becomes of a change that does not fit the target. */
enum plan_on_conflict { CONFLICT_STOP_TABLE, CONFLICT_SKIP, CONFLICT_UPSERT };
enum plan_cutover_when { CUTOVER_MANUAL, CUTOVER_READY };
enum plan_stop_writes { STOP_READ_ONLY, STOP_OPERATOR, STOP_LOCK };
enum plan_verify_when { VERIFY_BEFORE_CUTOVER, VERIFY_CONTINUOUS, VERIFY_NEVER };

struct plan {
    char *name;
    char *path;            /* where it was read, NULL: made by the program */
    cJSON *document;       /* owned; passwords removed */
    struct plan_endpoint source;
    struct plan_endpoint target;
    struct plan_database *databases;
    size_t database_count;
    char **waived;         /* ids of checks whose findings do not keep the migration from beginning */
    size_t waived_count;
    char **notes;          /* what reading changed, to be told ("blanks around ... trimmed") */
    size_t note_count;

    enum plan_schema_mode schema_mode;
    bool schema_roles;
    enum plan_foreign_keys schema_foreign_keys;
    enum plan_triggers schema_triggers;
    enum plan_enums schema_enums;
    enum plan_indexes schema_indexes; /* REBUILD: of a target that has its schema already */
    struct plan_pair *schema_role_map; /* roles of the source that others stand for on the target */
    size_t schema_role_count;
    char *after_schema_sql; /* NULL: none; plan_after_schema_sql() has the text */
    enum plan_on_error schema_on_error;
    struct plan_edit *schema_edits;
    size_t schema_edit_count;
    enum plan_prepare load_prepare; /* TRUNCATE only where the plan says so */
    enum plan_unlogged load_unlogged;
    int load_jobs;
    int64_t split_above_bytes; /* a larger table is copied in parts where that keeps the jobs busy */
    enum plan_sync_mode sync_mode;
    char *sync_slot;          /* sync-only: the slot and publication that are there already; NULL: they are made */
    int sync_jobs;            /* connections that apply side by side */
    enum plan_on_conflict sync_on_conflict;
    enum plan_ddl sync_ddl; /* "apply" (default) or "stop" */
    int64_t spool_limit_bytes;
    enum plan_verify_when verify_when;
    enum plan_cutover_when cutover_when;
    char *cutover_at;         /* as written; NULL: at no set time */
    int64_t cutover_at_us;    /* the same, wall clock; 0: none */
    int64_t cutover_window_us; /* how much later it may begin by itself */
    enum plan_stop_writes stop_writes;
    bool fallback;            /* the cutover arms the way back */
    char *fallback_of;        /* the migration that this one is the way back of; NULL: none */
    int sequence_margin; /* steps that the target's sequences are ahead */
    int64_t max_lag_us;
    int64_t max_downtime_us;  /* 0: it takes what it takes */
    char *hook_before, *hook_after; /* shell commands; NULL: none */
    /* PgBouncer's console, the database's entry there (NULL: the source's name), and its configuration file (NULL: a hook
     * leads it to the target); uri NULL: there is none. */
    char *bouncer_uri, *bouncer_database, *bouncer_config;
    int64_t bytes_per_second; /* of all copy workers together; 0: no limit */
    int64_t source_slot_wal_bytes;

    char *state_dir;          /* "stateDir", as --state-dir; NULL: the default */
    enum log_level log_level; /* "logLevel", as --log-level; info */
};

/* Reads a plan file: JSON, UTF-8, with comments and trailing commas. ERR_USAGE names file, line,
 * column and key, and the nearest known key for one that is misspelt. Keys of interface.md that
 * this version cannot carry out are refused too, with the key and what is offered instead:
 * nothing is parsed and then ignored. */
bool plan_read(struct plan *plan, const char *path, struct err *err);

/* The same under a name of the caller's (--name; NULL: none), which goes before the plan's own. A
 * plan without "name" is otherwise called as its file, without ".json". */
bool plan_read_as(struct plan *plan, const char *path, const char *name, struct err *err);

/* The same from the three files that Azure DMS takes. name NULL: the first database's name;
 * options_path NULL: the database of the source. */
bool plan_read_azure(struct plan *plan, const char *source_path, const char *target_path,
                     const char *options_path, const char *name, struct err *err);

/* From text (origin: what messages call it, and where a missing name comes from).
 *
 * All of these expect nothing of *plan and leave it empty on error. */
bool plan_parse(struct plan *plan, const char *text, const char *origin, struct err *err);

/* The document as JSON text, without passwords, indented; owned. Reading it gives the same plan. */
char *plan_text(const struct plan *plan);
/* Adds the id of a check to "waive", in the document too, unless it is there. */
void plan_waive(struct plan *plan, const char *id);
void plan_release(struct plan *plan);

/* The text that schema.afterSchemaSql names, "x.sql" being a file beside the plan, or is; owned; NULL: none. ERR_USAGE: the file
 * cannot be read. */
bool plan_after_schema_sql(const struct plan *plan, char **sql, struct err *err);

/* schema.onError and schema.edits become those of from: what may be decided while a migration stands still. */
void plan_take_decisions(struct plan *plan, const struct plan *from);

/* Makes edit the decision on its statement in its database, in the document too; one with neither sql nor skip takes the decision
 * back. The strings are copied. */
void plan_decide(struct plan *plan, const struct plan_edit *edit);

/* Command-line values put over the plan's ("cutover.when", "ready"): the same rules and errors as in
 * the file; the document is changed too. value NULL: back to the default. On error the plan is as
 * before. Keys inside of lists cannot be set, nor lists. */
bool plan_set(struct plan *plan, const char *dotted_key, const char *value, struct err *err);

/* Trusts a key of the endpoint's SSH server, or of its jump host: as if the plan had its fingerprint. */
void plan_trust_host_key(struct plan *plan, struct plan_endpoint *endpoint, bool jump, const char *fingerprint);

/* Takes over the passwords and passphrases that endpoint does not have, and original has. */
void plan_recall_secrets(struct plan_endpoint *endpoint, const struct plan_endpoint *original);

/* A migration's name: letters, digits, _ and -, at most 40 bytes, so that slot names can hold it. */
bool plan_name_is_valid(const char *name);

/* How to connect: the endpoint's values over its uri, dbname replaced when database is not NULL.
 * *info is released first; what neither says is left out, so that libpq's environment counts. With an SSH server
 * the way is through its tunnel, which must be open (tunnel_port). */
bool plan_conninfo(const struct plan_endpoint *endpoint, const char *database,
                   struct conninfo *info, struct err *err);

/* Where the tunnel of an endpoint with an SSH server ends: the one host (owned) and port of the server behind it. */
bool plan_tunnel_end(const struct plan_endpoint *endpoint, char **host, int *port, struct err *err);

/* Does a table belong to the selection? selectedTables empty: all; excludedTables taken out. Patterns
 * are schema.name with * in either part; a pattern without a dot is a table of any schema. used (may
 * be NULL) has selected_count flags, set for the patterns that matched. */
bool plan_selects(const struct plan_database *database, const char *schema, const char *name,
                  bool *used);
/* The mapping of a table, or NULL. Borrowed. */
const struct plan_mapping *plan_mapping_for(const struct plan_database *database,
                                            const char *schema, const char *name);

#endif
