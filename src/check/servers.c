/* Checks that compare how the two servers are set up. Each wants a target connection, which a check of
 * that side has. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "check/run.h"
#include "sql/sql.h"

#define LARGE_BYTES (INT64_C(10) << 30)

static bool setting_of(struct conn *c, const char *name, char **value, struct err *err)
{
    const char *args[] = {name};

    return conn_scalar(c, "SELECT pg_catalog.current_setting($1)", 1, args, value, err);
}

/* Before 10 the setting is on or off, and says md5 either way: a role that has a password has it as md5. */
bool check_auth(struct check_run *run, const struct check *check, struct err *err)
{
    char *source = NULL, *target = NULL;
    struct items items = ITEMS_INIT;
    bool ok = setting_of(run->context->source, "password_encryption", &source, err) &&
              setting_of(run->context->target, "password_encryption", &target, err);

    if (ok && strcmp(source, "scram-sha-256") != 0 && strcmp(target, "scram-sha-256") == 0) {
        char *item = xasprintf("password_encryption is %s on the source, %s on the target", source, target);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    free(source);
    free(target);
    return ok;
}

/* C.UTF-8 and C.utf8 are one, as are "" and what is not there. */
static bool same_locale(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '-')
            a++;
        while (*b == '-')
            b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        if (!*a)
            return true;
    }
}

/* The rows are those of schema_database_settings.sql: encoding, collate, ctype, provider, its locale, its rules. */
bool check_locale(struct check_run *run, const struct check *check, struct err *err)
{
    static const char *const names[] = {"", "LC_COLLATE", "LC_CTYPE", "the provider", "the provider's locale", "the ICU rules"};
    struct items items = ITEMS_INIT;
    PGresult *source = conn_exec(run->context->source, sql_schema_database_settings, err);
    PGresult *target = source ? conn_exec(run->context->target, sql_schema_database_settings, err) : NULL;

    for (int i = 1; target && i < 6; i++) {
        const char *a = PQgetvalue(source, 0, i), *b = PQgetvalue(target, 0, i);
        if (same_locale(a, b))
            continue;
        char *item = xasprintf("%s is %s on the source, %s on the target", names[i], *a ? a : "none", *b ? b : "none");
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    bool ok = target != NULL;
    items_report(run, check, &items);
    PQclear(source);
    PQclear(target);
    return ok;
}

/* The settings of the target's database as the source's query writes them, to compare whole statements. */
static bool settings_of(struct conn *c, const char *target_name, PGresult **res, struct err *err)
{
    *res = conn_exec_params(c, sql_check_db_settings, 1, &target_name, err);
    return *res != NULL;
}

static bool has_statement(const PGresult *res, const char *statement)
{
    for (int i = 0; res && i < PQntuples(res); i++)
        if (strcmp(PQgetvalue(res, i, 1), statement) == 0)
            return true;
    return false;
}

bool check_db_settings(struct check_run *run, const struct check *check, struct err *err)
{
    const char *name = run->context->database->target_name;
    PGresult *source = NULL, *target = NULL;
    struct items items = ITEMS_INIT;
    bool ok = settings_of(run->context->source, name, &source, err) &&
              (!run->context->target_catalog || settings_of(run->context->target, name, &target, err));

    for (int i = 0; ok && i < PQntuples(source); i++)
        if (!has_statement(target, PQgetvalue(source, i, 1)))
            items_add(&items, PQgetvalue(source, i, 0), PQgetvalue(source, i, 1), PQgetvalue(source, i, 2));
    items_report(run, check, &items);
    PQclear(source);
    PQclear(target);
    return ok;
}

bool check_super_objs(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    char *super = NULL;
    bool ok = conn_scalar(run->context->target, sql_check_target_superuser, 0, NULL, &super, err);

    if (ok && !(super && *super == 't'))
        ok = items_add_rows(&items, run->context->source, sql_check_super_objs, NULL, err);
    items_report(run, check, &items);
    free(super);
    return ok;
}

static const char *labels_of(const PGresult *res, const char *name)
{
    for (int i = 0; i < PQntuples(res); i++)
        if (strcmp(PQgetvalue(res, i, 0), name) == 0)
            return PQgetvalue(res, i, 1);
    return NULL;
}

/* The literal that begins at text: its length. */
static size_t literal_length(const char *text)
{
    size_t len = *text == 'E' ? 2 : 1;

    while (text[len] && (text[len] != '\'' || text[len + 1] == '\''))
        len += text[len] == '\'' ? 2 : 1;
    return len + (text[len] == '\'');
}

/* Are the target's labels some of the source's, in their order? */
static bool only_lacks(const char *source, const char *target)
{
    size_t want, have;

    for (; *target; target += have + strspn(target + have, ", ")) {
        have = literal_length(target);
        for (;; source += want + strspn(source + want, ", ")) {
            if (!*source)
                return false;
            want = literal_length(source);
            if (want == have && strncmp(source, target, have) == 0)
                break;
        }
        source += want + strspn(source + want, ", ");
    }
    return true;
}

/* A type that the target does not have is not said here: its columns are missing then. */
bool check_enums(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    PGresult *source = conn_exec(run->context->source, sql_check_enum_list, err);
    PGresult *target = source ? conn_exec(run->context->target, sql_check_enum_list, err) : NULL;
    bool ok = target != NULL;

    for (int i = 0; ok && i < PQntuples(source); i++) {
        const char *labels = labels_of(target, PQgetvalue(source, i, 0));
        if (!labels || strcmp(labels, PQgetvalue(source, i, 1)) == 0)
            continue;
        /* They are added in the cutover; until then the columns are text. */
        if (run->context->plan->schema_enums == ENUMS_TEXT && only_lacks(PQgetvalue(source, i, 1), labels))
            continue;
        char *item = xasprintf("%s is (%s) on the source, (%s) on the target", PQgetvalue(source, i, 0),
                               PQgetvalue(source, i, 1), labels);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    PQclear(source);
    PQclear(target);
    return ok;
}

bool check_precreated(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    bool ok = run->context->plan->schema_indexes == INDEXES_REBUILD ||
              items_add_rows(&items, run->context->target, sql_check_t_precreated, NULL, err);

    items_report(run, check, &items);
    return ok;
}

/* Nothing tells how much is free there; a quarter is for what is not packed as tightly, and for growth. */
bool check_disk(struct check_run *run, const struct check *check, struct err *err)
{
    int64_t bytes = run->context->tables->bytes;
    struct items items = ITEMS_INIT;
    char have[32], wanted[32];

    (void)err;
    if (bytes >= LARGE_BYTES) {
        units_bytes(bytes, have, sizeof have);
        units_bytes(bytes + bytes / 4, wanted, sizeof wanted);
        char *item = xasprintf("%s for %s of rows", wanted, have);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    return true;
}
