/* What a plan may hold. This table is the only place that knows the keys: their types, defaults,
 * what this version carries out (offered) and what it knows of but refuses. To turn a feature on,
 * move its words from `refused` to `offered`, or give a KEY_NOT_OFFERED row its type and field. */
#include "plan/keys.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "pg/conninfo.h"
#include "plan/endpoint.h"
#include "plan/pattern.h"
#include "plan/plan.h"
#include "ssh/config.h"

#define PLAN(member) .field = offsetof(struct plan, member)
#define ENDPOINT(member) .field = offsetof(struct plan_endpoint, member)
#define SSH(member) .field = offsetof(struct plan_ssh, member)
#define DATABASE(member) .field = offsetof(struct plan_database, member)
#define MAPPING(member) .field = offsetof(struct plan_mapping, member)
#define EDIT(member) .field = offsetof(struct plan_edit, member)
#define COUNT(type, member) .count_field = offsetof(struct type, member)
#define CHECKED_ONLY .field = KEY_NO_FIELD
#define SECTION(of) .type = KEY_OBJECT, .scope = of, .field = 0

#define SSL_MODES "disable allow prefer require verify-ca verify-full"
#define SSL_MODE_HINT                                                                              \
    "Say \"sslMode\": \"require\" (encrypted) or \"verify-full\" (and the certificate checked)."

#define BOUNCER_URI_MUST_BE                                                                        \
    "how to reach PgBouncer's console, as \"postgresql://admin@/pgbouncer?host=/run/pgbouncer\", without a password " \
    "(PGPASSWORD or the passfile has it)"

static bool has_no_password(const char *text)
{
    struct conninfo info = CONNINFO_INIT;
    bool ok = conninfo_parse(&info, text, NULL) && !secret_is_known(&info.password);

    conninfo_release(&info);
    return ok;
}

#define FINGERPRINT_MUST_BE "as ssh-keygen -l prints it: SHA256: and 43 letters"
#define JUMP_MUST_BE "one host: [USER@]HOST[:PORT], or \"none\""

static bool fingerprint_is_valid(const char *text)
{
    return strncmp(text, "SHA256:", 7) == 0 && strlen(text) == 7 + 43;
}

static bool jump_is_valid(const char *text)
{
    char *user, *host;
    int port;
    bool ok = ssh_address_parse(text, &user, &host, &port, NULL);

    free(user);
    free(host);
    return ok;
}

/* Which ids there are is known to those who read plans for running them: the checks are above the plan. */
static bool check_id_is_shaped(const char *text)
{
    return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

/* PostgreSQL docs, "Querying and Manipulating Replication Slots". */
static bool is_slot_name(const char *text)
{
    size_t len = strlen(text);

    return len > 0 && len < 64 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static bool is_time(const char *text)
{
    int64_t us;

    return clock_parse_time(text, &us);
}

const struct key plan_keys[] = {
    {IN_PLAN, "name", KEY_TEXT, PLAN(name), .fits = plan_name_is_valid,
     .must_be = "letters, digits, \"_\" and \"-\", at most 40 of them"},
    {IN_PLAN, "source", KEY_OBJECT, PLAN(source), .scope = IN_ENDPOINT, .own_struct = true},
    {IN_PLAN, "target", KEY_OBJECT, PLAN(target), .scope = IN_ENDPOINT, .own_struct = true},
    {IN_PLAN, "databases", KEY_LIST, PLAN(databases), COUNT(plan, database_count),
     .item_size = sizeof(struct plan_database), .scope = IN_DATABASE},
    {IN_PLAN, "schema", SECTION(IN_SCHEMA)},
    {IN_PLAN, "load", SECTION(IN_LOAD)},
    {IN_PLAN, "sync", SECTION(IN_SYNC)},
    {IN_PLAN, "verify", SECTION(IN_VERIFY)},
    {IN_PLAN, "cutover", SECTION(IN_CUTOVER)},
    {IN_PLAN, "limits", SECTION(IN_LIMITS)},
    {IN_PLAN, "waive", KEY_PATTERNS, PLAN(waived), COUNT(plan, waived_count), .fits = check_id_is_shaped,
     .must_be = "the id of a check as \"pgcutover check\" prints it: small letters, digits and \"-\""},
    {IN_PLAN, "fallbackOf", KEY_TEXT, PLAN(fallback_of), .fits = plan_name_is_valid,
     .must_be = "the name of a migration"},
    {IN_PLAN, "stateDir", KEY_TEXT, PLAN(state_dir)},
    {IN_PLAN, "logLevel", KEY_WORD, .offered = "debug info warning error", .otherwise = "info",
     PLAN(log_level)},
    {IN_PLAN, "theme", KEY_NOT_OFFERED, .hint = NULL},

    {IN_ENDPOINT, "userName", KEY_TEXT, ENDPOINT(user_name)},
    {IN_ENDPOINT, "password", KEY_SECRET, ENDPOINT(password)},
    {IN_ENDPOINT, "serverName", KEY_TEXT, ENDPOINT(server_name)},
    {IN_ENDPOINT, "databaseName", KEY_TEXT, ENDPOINT(database_name),
     .fits = endpoint_database_is_name, .must_be = "a name, not a connection string"},
    {IN_ENDPOINT, "port", KEY_INT, .offered = "1..65535", ENDPOINT(port)},
    {IN_ENDPOINT, "sslMode", KEY_WORD, .offered = SSL_MODES, .keep_text = true, ENDPOINT(ssl_mode)},
    {IN_ENDPOINT, "sslRootCert", KEY_TEXT, ENDPOINT(ssl_root_cert)},
    {IN_ENDPOINT, "uri", KEY_TEXT, ENDPOINT(uri)},
    {IN_ENDPOINT, "ssh", KEY_OBJECT, ENDPOINT(ssh), .scope = IN_SSH, .own_struct = true},
    {IN_ENDPOINT, "encryptConnection", KEY_NOT_OFFERED, .hint = SSL_MODE_HINT},
    {IN_ENDPOINT, "trustServerCertificate", KEY_NOT_OFFERED, .hint = SSL_MODE_HINT},

    {IN_SSH, "host", KEY_TEXT, SSH(host)},
    {IN_SSH, "port", KEY_INT, .offered = "1..65535", SSH(port)},
    {IN_SSH, "user", KEY_TEXT, SSH(user)},
    {IN_SSH, "identityFile", KEY_TEXT, SSH(identity_file)},
    {IN_SSH, "knownHosts", KEY_TEXT, SSH(known_hosts)},
    {IN_SSH, "hostKeyFingerprint", KEY_TEXT, SSH(fingerprint), .fits = fingerprint_is_valid,
     .must_be = FINGERPRINT_MUST_BE},
    {IN_SSH, "jumpHost", KEY_TEXT, SSH(jump), .fits = jump_is_valid, .must_be = JUMP_MUST_BE},
    {IN_SSH, "jumpHostKeyFingerprint", KEY_TEXT, SSH(jump_fingerprint),
     .fits = fingerprint_is_valid, .must_be = FINGERPRINT_MUST_BE},
    {IN_SSH, "password", KEY_SECRET, SSH(password)},
    {IN_SSH, "passphrase", KEY_SECRET, SSH(passphrase)},

    {IN_DATABASE, "name", KEY_TEXT, DATABASE(name)},
    {IN_DATABASE, "target_database_name", KEY_TEXT, DATABASE(target_name)},
    {IN_DATABASE, "selectedTables", KEY_PATTERNS, DATABASE(selected),
     COUNT(plan_database, selected_count), .fits = pattern_is_valid, .must_be = PATTERN_MUST_BE},
    {IN_DATABASE, "excludedTables", KEY_PATTERNS, DATABASE(excluded),
     COUNT(plan_database, excluded_count), .fits = pattern_is_valid, .must_be = PATTERN_MUST_BE},
    {IN_DATABASE, "tableMappings", KEY_LIST, DATABASE(mappings),
     COUNT(plan_database, mapping_count), .item_size = sizeof(struct plan_mapping),
     .scope = IN_MAPPING},
    {IN_DATABASE, "keylessTables", KEY_WORD, .offered = "refuse full at-cutover",
     .otherwise = "refuse", DATABASE(keyless)},

    {IN_MAPPING, "table", KEY_TEXT, MAPPING(table), .fits = table_is_qualified,
     .must_be = TABLE_MUST_BE},
    {IN_MAPPING, "to", KEY_TEXT, MAPPING(to), .fits = table_is_qualified, .must_be = TABLE_MUST_BE},
    {IN_MAPPING, "where", KEY_TEXT, MAPPING(where)},
    {IN_MAPPING, "columns", KEY_PATTERNS, MAPPING(columns), COUNT(plan_mapping, column_count),
     .fits = column_is_valid, .must_be = COLUMN_MUST_BE},
    {IN_MAPPING, "excludedColumns", KEY_PATTERNS, MAPPING(excluded),
     COUNT(plan_mapping, excluded_count), .fits = column_is_valid, .must_be = COLUMN_MUST_BE},

    {IN_SCHEMA, "mode", KEY_WORD, .offered = "copy existing", .otherwise = "copy",
     PLAN(schema_mode)},
    {IN_SCHEMA, "roles", KEY_BOOL, .otherwise = "true", PLAN(schema_roles)},
    {IN_SCHEMA, "roleMap", KEY_MAP, PLAN(schema_role_map), COUNT(plan, schema_role_count)},
    {IN_SCHEMA, "foreignKeys", KEY_WORD, .offered = "defer disable", .otherwise = "defer", PLAN(schema_foreign_keys)},
    {IN_SCHEMA, "triggers", KEY_WORD, .offered = "replica disable", .otherwise = "replica", PLAN(schema_triggers)},
    {IN_SCHEMA, "enums", KEY_WORD, .offered = "keep text", .otherwise = "keep", PLAN(schema_enums)},
    {IN_SCHEMA, "indexes", KEY_WORD, .offered = "after-load rebuild", .otherwise = "after-load",
     PLAN(schema_indexes)},
    {IN_SCHEMA, "onError", KEY_WORD, .offered = "stop skip-and-report", .otherwise = "stop",
     PLAN(schema_on_error)},
    {IN_SCHEMA, "edits", KEY_LIST, PLAN(schema_edits), COUNT(plan, schema_edit_count),
     .item_size = sizeof(struct plan_edit), .scope = IN_EDIT},
    {IN_SCHEMA, "afterSchemaSql", KEY_TEXT, PLAN(after_schema_sql)},

    {IN_EDIT, "object", KEY_TEXT, EDIT(object)},
    {IN_EDIT, "sql", KEY_TEXT, EDIT(sql)},
    {IN_EDIT, "skip", KEY_BOOL, EDIT(skip)},
    {IN_EDIT, "database", KEY_TEXT, EDIT(database)},

    {IN_LOAD, "jobs", KEY_INT, .offered = "1..64", .otherwise = "4", PLAN(load_jobs)},
    {IN_LOAD, "splitAbove", KEY_BYTES, .otherwise = "1GB", PLAN(split_above_bytes)},
    {IN_LOAD, "prepare", KEY_WORD, .offered = "refuse truncate", .otherwise = "refuse",
     PLAN(load_prepare)},
    {IN_LOAD, "unlogged", KEY_WORD, .offered = "at-cutover empty", .otherwise = "at-cutover",
     PLAN(load_unlogged)},

    {IN_SYNC, "mode", KEY_WORD, .offered = "load-and-sync load-only sync-only",
     .otherwise = "load-and-sync", PLAN(sync_mode)},
    {IN_SYNC, "slot", KEY_TEXT, PLAN(sync_slot), .fits = is_slot_name,
     .must_be = "a slot's name: small letters, digits and \"_\", at most 63 of them"},
    {IN_SYNC, "jobs", KEY_INT, .offered = "1..16", .otherwise = "4", PLAN(sync_jobs)},
    {IN_SYNC, "onConflict", KEY_WORD, .offered = "stop-table skip-and-record upsert",
     .otherwise = "stop-table", PLAN(sync_on_conflict)},
    {IN_SYNC, "commit", KEY_WORD, .offered = "batched", CHECKED_ONLY},
    {IN_SYNC, "ddl", KEY_WORD, .offered = "apply stop", .otherwise = "apply", PLAN(sync_ddl)},
    {IN_SYNC, "spool", KEY_WORD, .offered = "auto", CHECKED_ONLY},
    {IN_SYNC, "spoolLimit", KEY_BYTES, .otherwise = "50GB", PLAN(spool_limit_bytes)},

    {IN_VERIFY, "when", KEY_WORD, .offered = "before-cutover continuous never",
     .otherwise = "before-cutover", PLAN(verify_when)},
    {IN_VERIFY, "method", KEY_WORD, .offered = "checksum", CHECKED_ONLY},

    {IN_CUTOVER, "when", KEY_WORD, .offered = "manual ready", .otherwise = "manual",
     PLAN(cutover_when)},
    {IN_CUTOVER, "at", KEY_TEXT, PLAN(cutover_at), .fits = is_time,
     .must_be = "a time, as \"2026-12-01 03:00\" (of this host) or \"2026-12-01T03:00:00+01:00\""},
    {IN_CUTOVER, "window", KEY_DURATION, .otherwise = "1h", PLAN(cutover_window_us)},
    {IN_CUTOVER, "stopWrites", KEY_WORD, .offered = "read-only operator lock", .otherwise = "read-only",
     PLAN(stop_writes)},
    {IN_CUTOVER, "sequenceMargin", KEY_INT, .offered = "0..1000000000", .otherwise = "0", PLAN(sequence_margin)},
    {IN_CUTOVER, "maxLag", KEY_DURATION, .otherwise = "1s", PLAN(max_lag_us)},
    {IN_CUTOVER, "maxDowntime", KEY_DURATION, PLAN(max_downtime_us)},
    {IN_CUTOVER, "fallback", KEY_BOOL, .otherwise = "false", PLAN(fallback)},
    {IN_CUTOVER, "pgbouncer", SECTION(IN_PGBOUNCER)},
    {IN_PGBOUNCER, "uri", KEY_TEXT, PLAN(bouncer_uri), .fits = has_no_password, .must_be = BOUNCER_URI_MUST_BE},
    {IN_PGBOUNCER, "database", KEY_TEXT, PLAN(bouncer_database)},
    {IN_PGBOUNCER, "config", KEY_TEXT, PLAN(bouncer_config)},
    {IN_CUTOVER, "hooks", SECTION(IN_HOOKS)},
    {IN_HOOKS, "before", KEY_TEXT, PLAN(hook_before)},
    {IN_HOOKS, "after", KEY_TEXT, PLAN(hook_after)},

    {IN_LIMITS, "bytesPerSecond", KEY_BYTES, PLAN(bytes_per_second)},
    {IN_LIMITS, "sourceSlotWal", KEY_BYTES, .otherwise = "100GB", PLAN(source_slot_wal_bytes)},
};

const size_t plan_key_count = sizeof plan_keys / sizeof *plan_keys;

const struct key *key_find(enum key_scope scope, const char *name)
{
    for (size_t i = 0; i < plan_key_count; i++)
        if (plan_keys[i].in == scope && strcmp(plan_keys[i].name, name) == 0)
            return &plan_keys[i];
    return NULL;
}

const struct key *key_nearest(enum key_scope scope, const char *name)
{
    const struct key *nearest = NULL;
    size_t least = strlen(name) < 6 ? 1 : strlen(name) / 3; /* more edits make another word */

    for (size_t i = 0; i < plan_key_count; i++) {
        if (plan_keys[i].in != scope)
            continue;
        size_t distance = word_distance(plan_keys[i].name, name);
        if (distance > least || (nearest && distance == least))
            continue;
        nearest = &plan_keys[i];
        least = distance;
    }
    return nearest;
}

#define WORD_MAX 64

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

static bool same_letter(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

size_t word_distance(const char *a, const char *b)
{
    size_t rows[WORD_MAX + 1][WORD_MAX + 1];
    size_t la = strlen(a), lb = strlen(b);

    if (la > WORD_MAX || lb > WORD_MAX)
        return WORD_MAX;
    for (size_t i = 0; i <= la; i++)
        rows[i][0] = i;
    for (size_t k = 0; k <= lb; k++)
        rows[0][k] = k;
    for (size_t i = 1; i <= la; i++) {
        for (size_t k = 1; k <= lb; k++) {
            size_t cost = !same_letter(a[i - 1], b[k - 1]);
            size_t best = least_of(rows[i - 1][k] + 1, rows[i][k - 1] + 1);
            best = least_of(best, rows[i - 1][k - 1] + cost);
            if (i > 1 && k > 1 && same_letter(a[i - 1], b[k - 2]) &&
                same_letter(a[i - 2], b[k - 1]))
                best = least_of(best, rows[i - 2][k - 2] + 1);
            rows[i][k] = best;
        }
    }
    return rows[la][lb];
}

int word_position(const char *words, const char *word)
{
    size_t len = strlen(word);
    int position = 0;

    for (const char *at = words; at && *at; position++) {
        size_t this_len = strcspn(at, " ");
        if (this_len == len && strncmp(at, word, len) == 0)
            return position;
        at += this_len + (at[this_len] == ' ');
    }
    return -1;
}
