/* undo and thaw: what the journal has is taken back, newest first. Each kind of thing that is ever made
 * has a row in the table, with the words to undo it by hand. */
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/log.h"
#include "cutover/bouncer.h"
#include "cutover/freeze.h"
#include "engine/fallback.h"
#include "engine/journal.h"
#include "engine/residue.h"
#include "engine/undo.h"
#include "engine/works.h"
#include "load/ddl_log.h"
#include "load/publication.h"
#include "load/slot.h"
#include "pg/ident.h"
#include "schema/identity.h"
#include "schema/take_out.h"
#include "schema/text_types.h"
#include "schema/target.h"
#include "sql/sql.h"

struct undo {
    struct work *work;
    struct conn source, target;
};

#define NOWHERE (-1)

static bool connect_for(struct undo *u, int side, struct err *err)
{
    if (side == NOWHERE)
        return true;
    struct conn *c = side == SIDE_SOURCE ? &u->source : &u->target;

    return conn_is_open(c) || work_connect(u->work, c, (enum conn_side)side, CONN_PLAIN, err);
}

static bool undo_slot(struct undo *u, const struct made *made, struct err *err)
{
    return slot_drop(&u->source, made->name, err);
}

/* One that was there before us: its position is spent when the migration is complete, and it would keep WAL for nobody. */
static bool undo_given_slot(struct undo *u, const struct made *made, struct err *err)
{
    if (u->work->p->state == PIPE_CLOSING)
        return slot_drop(&u->source, made->name, err);
    work_event(u->work, "warning", "slot \"%s\" was given and is kept: the source keeps WAL for it; SELECT pg_drop_replication_slot('%s') "
               "drops it", made->name, made->name);
    return true;
}

static bool undo_publication(struct undo *u, const struct made *made, struct err *err)
{
    return publication_drop(&u->source, made->name, err);
}

static bool undo_ddl_log(struct undo *u, const struct made *made, struct err *err)
{
    return ddl_log_drop(&u->source, made->name, err);
}

static bool undo_identity(struct undo *u, const struct made *made, struct err *err)
{
    return replident_restore(&u->source, made->schema, made->name, made->previous, err);
}

static bool undo_bouncer(struct undo *u, const struct made *made, struct err *err)
{
    struct conn console = CONN_INIT;
    bool ok = bouncer_open(&console, u->work->m->plan.bouncer_uri, err) &&
              bouncer_resume(&console, made->name, err);

    if (ok)
        work_event(u->work, "info", "PgBouncer's database \"%s\" goes on", made->name);
    conn_close(&console);
    return ok;
}

static bool undo_read_only(struct undo *u, const struct made *made, struct err *err)
{
    struct buf ended = BUF_INIT;
    bool ok = freeze_undo(&u->source, made->name, made->previous, err) &&
              /* Who connected meanwhile is read-only for as long as it stays. */
              freeze_end_sessions(&u->source, made->name, &ended, err);

    if (ok)
        work_event(u->work, "info", "source database \"%s\" is writable again", made->name);
    buf_release(&ended);
    return ok;
}

/* Conflicts outlive the state schema: they stay readable until the migration is deleted. */
static bool keep_conflicts(struct undo *u, struct err *err)
{
    char *there = NULL;
    struct buf lines = BUF_INIT;
    PGresult *res = NULL;
    bool ok = conn_scalar(&u->target, sql_state_has_conflicts, 0, NULL, &there, err);

    if (ok && there && *there == 't') {
        res = conn_exec(&u->target, sql_state_conflicts, err);
        ok = res != NULL;
    }
    for (int row = 0; res && row < PQntuples(res); row++)
        buf_addf(&lines, "%s\n", PQgetvalue(res, row, 0));
    if (lines.len) {
        char *path = xasprintf("%s/conflicts.jsonl", u->work->p->dir);
        ok = file_write_atomic(path, lines.data, lines.len, err);
        if (ok)
            work_event(u->work, "info", "conflicts of the migration are kept in \"%s\"",
                       path);
        free(path);
    }
    buf_release(&lines);
    PQclear(res);
    free(there);
    return ok;
}

/* Identity columns that were relaxed for the time of the migration; the list is in the state schema. */
static bool unrelax(struct undo *u, struct err *err)
{
    struct err own = ERR_INIT;

    if (conn_command(&u->target, "SET lock_timeout = '10s'", &own) && schema_identity_restore(&u->target, &own))
        return true;
    /* A schema that was not made whole has no list, and nothing was relaxed. */
    bool unmade = strcmp(own.sqlstate, "42P01") == 0;
    if (!unmade)
        err_move(err, &own);
    err_clear(&own);
    return unmade;
}

static bool undo_state_schema(struct undo *u, const struct made *made, struct err *err)
{
    bool exists = false;

    (void)made;
    return schema_state_exists(&u->target, &exists, err) &&
           (!exists || (keep_conflicts(u, err) && unrelax(u, err))) && schema_state_drop(&u->target, err);
}

/* A trigger or a rule: it must be as it was. */
static bool undo_taken_out(struct undo *u, const struct made *made, struct err *err)
{
    enum schema_put_back how;

    if (!schema_put_back(&u->target, made->previous, &how, err))
        return false;
    if (how == PUT_TABLE_GONE)
        work_event(u->work, "info", "%s %s was not put back: it is gone from the target", made->kind, made->name);
    return true;
}

/* Rows that were copied and applied by half may lack their partners. */
static bool undo_key(struct undo *u, const struct made *made, struct err *err)
{
    enum schema_put_back how;

    if (!schema_put_back(&u->target, made->previous, &how, err))
        return false;
    if (how == PUT_TABLE_GONE)
        work_event(u->work, "info", "foreign key %s was not put back: its table is gone from the target", made->name);
    else if (how == PUT_NOT_VALID)
        work_event(u->work, "warning", "foreign key %s of the target was put back NOT VALID: rows have no partner; what it was: %s",
                   made->name, made->previous);
    return true;
}

/* Columns of a table that are text. Labels that came meanwhile must be there for them. */
static bool undo_column(struct undo *u, const struct made *made, struct err *err)
{
    struct err own = ERR_INIT;
    struct buf added = BUF_INIT, otherwise = BUF_INIT;
    enum schema_put_back how;
    bool ok = schema_put_back(&u->target, made->previous, &how, &own);

    if (!ok && strcmp(own.sqlstate, "22P02") == 0 && connect_for(u, SIDE_SOURCE, NULL)) {
        err_clear(&own);
        ok = schema_labels_add(&u->source, &u->target, &added, &otherwise, &own) &&
             schema_put_back(&u->target, made->previous, &how, &own);
        if (added.len)
            work_event(u->work, "warning", "labels were added to enums of the target, for rows that are there already: %s", added.data);
    }
    if (!ok) {
        err_move(err, &own);
        err_wrap(err, "could not give columns of %s their types back", made->name);
    } else if (how == PUT_TABLE_GONE) {
        work_event(u->work, "warning", "columns of %s were not given their types back: the table, or the type, is gone from the target; it was: %s",
                   made->name, made->previous);
    }
    err_clear(&own);
    buf_release(&added);
    buf_release(&otherwise);
    return ok;
}

/* An index is mostly there again by now. One that cannot be built is told, and does not keep the rest from being undone. */
static bool undo_index(struct undo *u, const struct made *made, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = undo_taken_out(u, made, &own);

    if (!ok && (own.retryable || own.code != ERR_SERVER)) {
        err_move(err, &own);
        return false;
    }
    if (!ok)
        work_event(u->work, "warning", "index %s of the target was not put back: %s; it was: %s", made->name, own.message,
                   made->previous);
    err_clear(&own);
    return true;
}

static bool undo_database(struct undo *u, const struct made *made, struct err *err)
{
    (void)err;
    work_event(u->work, "info", "target database \"%s\" was made by this migration and is kept; "
                                "DROP DATABASE removes it", made->name);
    return true;
}

static bool undo_fallback(struct undo *u, const struct made *made, struct err *err)
{
    return fallback_give_up(u->work, made->name, err);
}

static char *quoted(const char *name)
{
    struct buf out = BUF_INIT;

    ident_add(&out, name);
    return buf_take(&out);
}

struct undo_kind {
    const char *kind;
    bool (*act)(struct undo *u, const struct made *made, struct err *err);
    int side;           /* enum conn_side, or NOWHERE: on neither server */
    char *(*by_hand)(const struct made *made); /* the statement, where it cannot be done; NULL: none */
};

static char *slot_by_hand(const struct made *made)
{
    return xasprintf("SELECT pg_drop_replication_slot('%s')", made->name);
}

static char *publication_by_hand(const struct made *made)
{
    char *name = quoted(made->name);
    char *text = xasprintf("DROP PUBLICATION IF EXISTS %s", name);

    free(name);
    return text;
}

static char *ddl_log_by_hand(const struct made *made)
{
    return ddl_log_drop_statements(made->name);
}

static char *identity_by_hand(const struct made *made)
{
    return replident_statement(made->schema, made->name, made->previous);
}

static char *read_only_by_hand(const struct made *made)
{
    char *name = quoted(made->name);
    char *text = made->previous
                     ? xasprintf("ALTER DATABASE %s SET default_transaction_read_only = %s", name,
                                 made->previous)
                     : xasprintf("ALTER DATABASE %s RESET default_transaction_read_only", name);

    free(name);
    return text;
}

static char *bouncer_by_hand(const struct made *made)
{
    char *name = quoted(made->name);
    char *text = xasprintf("in PgBouncer's console: RESUME %s", name);

    free(name);
    return text;
}

static char *state_schema_by_hand(const struct made *made)
{
    (void)made;
    return xstrdup("DROP SCHEMA IF EXISTS pgcutover CASCADE");
}

static char *taken_out_by_hand(const struct made *made)
{
    return xstrdup(made->previous);
}

static char *fallback_by_hand(const struct made *made)
{
    return xasprintf("pgcutover cancel %s, then pgcutover delete %s", made->name, made->name);
}

static const struct undo_kind undo_kinds[] = {
    {"fallback", undo_fallback, NOWHERE, fallback_by_hand},
    {"slot", undo_slot, SIDE_SOURCE, slot_by_hand},
    {"given-slot", undo_given_slot, SIDE_SOURCE, NULL},
    {"publication", undo_publication, SIDE_SOURCE, publication_by_hand},
    {"ddl-log", undo_ddl_log, SIDE_SOURCE, ddl_log_by_hand},
    {"replica-identity", undo_identity, SIDE_SOURCE, identity_by_hand},
    {"pgbouncer", undo_bouncer, NOWHERE, bouncer_by_hand},
    {"read-only", undo_read_only, SIDE_SOURCE, read_only_by_hand},
    {"trigger", undo_taken_out, SIDE_TARGET, taken_out_by_hand},
    {"rule", undo_taken_out, SIDE_TARGET, taken_out_by_hand},
    {"foreign-key", undo_key, SIDE_TARGET, taken_out_by_hand},
    {"column", undo_column, SIDE_TARGET, taken_out_by_hand},
    {"index", undo_index, SIDE_TARGET, taken_out_by_hand},
    {"state-schema", undo_state_schema, SIDE_TARGET, state_schema_by_hand},
    {"database", undo_database, SIDE_TARGET, NULL},
};

static const struct undo_kind *find_undo(const char *kind)
{
    for (size_t i = 0; i < sizeof undo_kinds / sizeof *undo_kinds; i++)
        if (strcmp(undo_kinds[i].kind, kind) == 0)
            return &undo_kinds[i];
    return NULL;
}

static bool is_listed(const char *kinds, const char *kind)
{
    size_t len = strlen(kind);

    for (const char *at = kinds; at && *at; at += strcspn(at, " "), at += strspn(at, " "))
        if (strncmp(at, kind, len) == 0 && (at[len] == ' ' || !at[len]))
            return true;
    return !kinds;
}

static bool undo_one(struct undo *u, const struct made *made, struct err *err)
{
    const struct undo_kind *kind = find_undo(made->kind);

    if (!kind) {
        err_set(err, ERR_INTERNAL, "the journal names an unknown kind \"%s\"", made->kind);
        return false;
    }
    bool ok = connect_for(u, kind->side, err);
    if (!ok && strcmp(err->sqlstate, "3D000") == 0) {
        /* The database is gone, and this with it. */
        err_clear(err);
        ok = true;
    } else if (ok) {
        ok = kind->act(u, made, err);
    }
    return ok && work_gone(u->work, made->seq, err);
}

/* One more thing that is left, with the statement for it. */
static void add_left(struct buf *left, const struct made *made)
{
    const struct undo_kind *kind = find_undo(made->kind);
    char *statement = kind && kind->by_hand ? kind->by_hand(made) : NULL;

    log_msg(LOG_ERROR, "not undone: %s \"%s\": %s", made->kind, made->name,
            statement ? statement : "nothing needs to be done");
    if (statement)
        buf_addf(left, "\n    %s%s%s%s;", kind->side == NOWHERE ? "" : "on the ",
                 kind->side == NOWHERE ? "" : side_name((enum conn_side)kind->side), kind->side == NOWHERE ? "" : ": ",
                 statement);
    free(statement);
}

/* The server's own catalogs have the last word: nothing that is named as this migration's is on it. */
static bool prove_gone_from(struct undo *u, struct conn *c, struct err *err)
{
    struct residues found = RESIDUES_INIT;
    struct buf left = BUF_INIT;
    const struct pipeline *p = u->work->p;
    bool ok = residue_find(c, p->name, NULL, &found, err);

    for (size_t i = 0; ok && i < found.count; i++)
        if (found.items[i].owner && strcmp(found.items[i].owner, p->slot) == 0)
            buf_addf(&left, "\n    on the %s: %s;", side_name(c->side), found.items[i].fix);
    if (ok && left.len) {
        err_set(err, ERR_SERVER, "%s: something of the migration is still there after it was undone", c->label);
        err_hint(err, "Remove it by hand; then \"pgcutover resume %s\" looks again and ends the migration:%s", u->work->m->name, left.data);
        ok = false;
    } else if (ok) {
        work_event(u->work, "info", "the %s's catalogs have nothing of \"%s\" any more", side_name(c->side), p->slot);
    }
    buf_release(&left);
    residues_release(&found);
    return ok;
}

static bool was_touched(const struct undo *u, const struct journal *journal, enum conn_side side)
{
    for (size_t i = 0; i < journal->made_count; i++) {
        const struct undo_kind *kind = find_undo(journal->made[i].kind);
        if (journal->made[i].db == u->work->p->index && kind && kind->side == (int)side)
            return true;
    }
    return false;
}

/* A target that was thrown away meanwhile, when all was undone before, does not keep the migration from ending. */
static bool prove_side(struct undo *u, const struct journal *journal, enum conn_side side, struct err *err)
{
    if (!was_touched(u, journal, side))
        return true;
    if (connect_for(u, (int)side, err))
        return prove_gone_from(u, side == SIDE_SOURCE ? &u->source : &u->target, err);
    if (strcmp(err->sqlstate, "3D000") != 0 && side == SIDE_SOURCE)
        return false;
    if (strcmp(err->sqlstate, "3D000") != 0)
        work_event(u->work, "warning", "that nothing is left on the target could not be proved: %s", err->message);
    err_clear(err);
    return true;
}

/* Also where everything had been undone before, and this is another look. */
static bool prove_gone(struct undo *u, const struct journal *journal, struct err *err)
{
    return prove_side(u, journal, SIDE_SOURCE, err) && prove_side(u, journal, SIDE_TARGET, err);
}

/* Which of the journal's entries are undone. */
struct undo_choice {
    const char *kinds;         /* names separated by blanks; NULL: all */
    const char *schema, *name; /* NULL: of any object */
};

static bool is_chosen(const struct undo_choice *choice, const struct made *made)
{
    return is_listed(choice->kinds, made->kind) &&
           (!choice->name || (made->schema && strcmp(made->schema, choice->schema) == 0 && strcmp(made->name, choice->name) == 0));
}

static bool undo_chosen(struct work *work, const struct undo_choice *choice, struct err *err)
{
    struct undo u = {.work = work, .source = CONN_INIT, .target = CONN_INIT};
    struct journal journal;
    struct err first = ERR_INIT;
    struct buf left = BUF_INIT;
    char *path = xasprintf("%s/journal.jsonl", work->m->dir);
    bool ok = journal_read(&journal, path, err);

    for (size_t i = ok ? journal.made_count : 0; i-- > 0;) {
        const struct made *made = &journal.made[i];
        struct err one = ERR_INIT;
        if (made->gone || made->db != work->p->index || !is_chosen(choice, made))
            continue;
        if (!undo_one(&u, made, &one)) {
            add_left(&left, made);
            if (!err_is_set(&first))
                err_move(&first, &one);
        }
        err_clear(&one);
    }
    if (left.len)
        err_hint(&first, "\"pgcutover resume %s\" tries again. What is left can be undone by hand as "
                         "well:%s", work->m->name, left.data);
    buf_release(&left);
    if (ok && !choice->kinds && !err_is_set(&first))
        prove_gone(&u, &journal, &first);
    if (ok)
        journal_close(&journal);
    conn_close(&u.source);
    conn_close(&u.target);
    free(path);
    if (err_is_set(&first)) {
        err_move(err, &first);
        return false;
    }
    return ok;
}

bool work_undo_kinds(struct work *work, const char *kinds, struct err *err)
{
    return undo_chosen(work, &(struct undo_choice){.kinds = kinds}, err);
}

bool work_undo_object(struct work *work, const char *kind, const char *schema, const char *name, struct err *err)
{
    return undo_chosen(work, &(struct undo_choice){kind, schema, name}, err);
}

static cJSON *listed(const struct migration *m, const struct made *made)
{
    const struct undo_kind *kind = find_undo(made->kind);
    char *statement = kind && kind->by_hand ? kind->by_hand(made) : NULL;
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "databaseName", (size_t)made->db < m->pipeline_count ? m->pipelines[made->db].name : NULL);
    json_add_str(item, "side", kind && kind->side == NOWHERE ? NULL : made->side);
    json_add_str(item, "kind", made->kind);
    json_add_str(item, "schema", made->schema);
    json_add_str(item, "name", made->name);
    json_add_str(item, "statement", statement);
    free(statement);
    return item;
}

bool undo_list(const struct migration *m, cJSON *list, struct err *err)
{
    struct journal journal;
    char *path = xasprintf("%s/journal.jsonl", m->dir);
    bool ok = journal_read(&journal, path, err);

    for (size_t i = ok ? journal.made_count : 0; i-- > 0;)
        if (!journal.made[i].gone)
            cJSON_AddItemToArray(list, listed(m, &journal.made[i]));
    if (ok)
        journal_close(&journal);
    free(path);
    return ok;
}

bool work_thaw(struct work *work, struct err *err)
{
    /* Writing goes on first; ending a migration takes a moment. */
    return work_undo_kinds(work, "read-only pgbouncer", err) && work_undo_kinds(work, "fallback", err);
}

/* What was mended for it stays while a migration that failed may be begun again. */
bool work_undo(struct work *work, struct err *err)
{
    bool keeps_fixes = work->p->undo_to == PIPE_FAILED && !work->p->forgetting;

    return work_undo_kinds(work, NULL, err) && (keeps_fixes || work_undo_fixes(work, false, err));
}
