/* How it works: the buckets (buckets.h) that differ hold the rows that differ and some that do not. Both sides' rows of
 * those buckets are read, ordered by hash; what only one side has is left. What is left is paired by key. */
#include "verify/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "load/snapshot.h"
#include "pg/ident.h"
#include "sql/sql.h"
#include "verify/buckets.h"
#include "verify/comparison.h"

#define MOST_ROWS 32768    /* of either side, about, that are looked at one by one */
#define LEAST_A_BUCKET 64
#define MOST_BUCKETS 65536 /* of a table (buckets.c) */
#define VALUE_SHOWN 200    /* characters of a value */

struct key {
    int *columns; /* owned: places in the result */
    int count;
    bool is_plain; /* its values can be written into a statement */
};

/* A row that one side has and the other has not. */
struct odd {
    const PGresult *res; /* borrowed */
    int row;
};

struct search {
    struct comparison cmp;
    struct key key;
    struct odd *sides[2]; /* owned: source, target */
    size_t counts[2];
    struct verify_rows *out;
    struct buf keys;
};

/* --- reading --- */

static bool read_key(struct search *s, struct err *err)
{
    const struct comparison *cmp = &s->cmp;
    const char *values[] = {cmp->job->schema, cmp->job->name};
    PGresult *res = conn_exec_params(cmp->from.c, sql_verify_key, 2, values, err);

    if (!res)
        return false;
    s->key.columns = xcalloc((size_t)PQntuples(res) + 1, sizeof *s->key.columns);
    s->key.is_plain = true;
    for (int i = 0; i < PQntuples(res); i++) {
        size_t at = 0;
        while (at < cmp->from.count && strcmp(cmp->from.columns[at].name, PQgetvalue(res, i, 0)) != 0)
            at++;
        if (at == cmp->from.count) { /* not compared: then it is none */
            s->key.count = 0;
            break;
        }
        s->key.is_plain = s->key.is_plain && cmp->forms[at] == ROWTEXT_PLAIN;
        s->key.columns[s->key.count++] = (int)at + 1;
    }
    PQclear(res);
    return true;
}

static bool is_key(const struct key *key, int column)
{
    for (int i = 0; i < key->count; i++)
        if (key->columns[i] == column)
            return true;
    return false;
}

/* A value that is too long to be shown is cut, and told apart from others by its digest. */
static void add_value(const struct search *s, size_t i, struct buf *sql)
{
    struct buf value = BUF_INIT;

    rowtext_add_column(&value, &s->cmp.from.columns[i], s->cmp.forms[i]);
    if (is_key(&s->key, (int)i + 1))
        buf_addf(sql, ", (%s)::pg_catalog.text", value.data);
    else
        buf_addf(sql, ", CASE WHEN pg_catalog.length((%s)::pg_catalog.text) > %d THEN "
                      "pg_catalog.concat(pg_catalog.left((%s)::pg_catalog.text, %d), '... (md5 ', "
                      "pg_catalog.md5((%s)::pg_catalog.text), ')') ELSE (%s)::pg_catalog.text END",
                 value.data, VALUE_SHOWN, value.data, VALUE_SHOWN, value.data, value.data);
    buf_release(&value);
}

static char *statement(const struct search *s, const struct side *side, const char *where)
{
    struct buf sql = BUF_INIT;

    buf_addstr(&sql, "SELECT (");
    comparison_add_hash(&s->cmp, &sql);
    buf_addstr(&sql, ")::pg_catalog.text COLLATE \"C\"");
    for (size_t i = 0; i < s->cmp.from.count; i++)
        add_value(s, i, &sql);
    comparison_add_from(side, where, &sql);
    buf_addstr(&sql, " ORDER BY 1");
    comparison_add_storage(side, &sql);
    return buf_take(&sql);
}

/* --- what only one side has --- */

static const char *hash_of(const PGresult *res, int row)
{
    return PQgetvalue(res, row, 0);
}

static void find_odd(struct search *s, PGresult *const rows[2])
{
    int at[2] = {0, 0};
    const int ends[2] = {PQntuples(rows[0]), PQntuples(rows[1])};

    for (int side = 0; side < 2; side++)
        s->sides[side] = xcalloc((size_t)ends[side] + 1, sizeof *s->sides[side]);
    while (at[0] < ends[0] || at[1] < ends[1]) {
        int order = at[0] == ends[0]   ? 1
                    : at[1] == ends[1] ? -1
                                       : strcmp(hash_of(rows[0], at[0]), hash_of(rows[1], at[1]));
        if (order == 0) {
            at[0]++;
            at[1]++;
            continue;
        }
        int side = order > 0;
        s->sides[side][s->counts[side]++] = (struct odd){rows[side], at[side]};
        at[side]++;
    }
}

static int compare_values(const struct odd *a, const struct odd *b, const struct key *key)
{
    for (int i = 0; i < key->count; i++) {
        int order = strcmp(PQgetvalue(a->res, a->row, key->columns[i]), PQgetvalue(b->res, b->row, key->columns[i]));
        if (order)
            return order;
    }
    return 0;
}

/* qsort() has no argument for it. */
static const struct key *sorting_key;

static int by_key(const void *a, const void *b)
{
    return compare_values(a, b, sorting_key);
}

static void sort_sides(struct search *s)
{
    sorting_key = &s->key;
    for (int side = 0; side < 2; side++)
        if (s->counts[side])
            qsort(s->sides[side], s->counts[side], sizeof *s->sides[side], by_key);
    sorting_key = NULL;
}

/* --- telling --- */

static const char *value_of(const struct odd *odd, int column)
{
    return PQgetisnull(odd->res, odd->row, column) ? NULL : PQgetvalue(odd->res, odd->row, column);
}

static bool is_same_value(const struct odd *a, const struct odd *b, int column)
{
    const char *x = value_of(a, column);
    const char *y = value_of(b, column);

    return x && y ? strcmp(x, y) == 0 : x == y;
}

/* other: NULL, or the same row on the other side, of which only what differs is told. */
static cJSON *row_json(const struct search *s, const struct odd *odd, const struct odd *other)
{
    cJSON *json = cJSON_CreateObject();

    for (size_t i = 0; i < s->cmp.from.count; i++) {
        int column = (int)i + 1;
        if (s->cmp.forms[i] == ROWTEXT_NONE || (other && is_same_value(odd, other, column)))
            continue;
        json_add_str(json, s->cmp.from.columns[i].name, value_of(odd, column));
    }
    return json;
}

static cJSON *key_json(const struct search *s, const struct odd *odd)
{
    cJSON *json = cJSON_CreateObject();

    for (int i = 0; i < s->key.count; i++)
        json_add_str(json, s->cmp.from.columns[s->key.columns[i] - 1].name, value_of(odd, s->key.columns[i]));
    return json;
}

static void add_key_condition(struct search *s, const struct odd *odd)
{
    buf_addstr(&s->keys, s->keys.len ? ",\n(" : "(");
    for (int i = 0; i < s->key.count; i++) {
        buf_addstr(&s->keys, i ? "," : "");
        literal_add(&s->keys, value_of(odd, s->key.columns[i]));
    }
    buf_addch(&s->keys, ')');
}

/* One of them may be NULL. */
static void tell(struct search *s, const struct odd *from, const struct odd *to)
{
    struct verify_rows *out = s->out;
    const struct odd *any = from ? from : to;

    *(from && to ? &out->different : from ? &out->missing : &out->extra) += 1;
    if (s->key.count)
        add_key_condition(s, any);
    if (cJSON_GetArraySize(out->shown) >= VERIFY_ROWS_SHOWN)
        return;
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "key", s->key.count ? key_json(s, any) : cJSON_CreateNull());
    cJSON_AddItemToObject(json, "source", from ? row_json(s, from, to) : cJSON_CreateNull());
    cJSON_AddItemToObject(json, "target", to ? row_json(s, to, from) : cJSON_CreateNull());
    cJSON_AddItemToArray(out->shown, json);
}

static void tell_all(struct search *s)
{
    size_t i = 0, k = 0;

    if (s->key.count)
        sort_sides(s);
    while (i < s->counts[0] || k < s->counts[1]) {
        const struct odd *from = i < s->counts[0] ? &s->sides[0][i] : NULL;
        const struct odd *to = k < s->counts[1] ? &s->sides[1][k] : NULL;
        int order = !from ? 1 : !to ? -1 : s->key.count ? compare_values(from, to, &s->key) : -1;
        tell(s, order <= 0 ? from : NULL, order >= 0 ? to : NULL);
        i += order <= 0;
        k += order >= 0;
    }
}

static char *keys_condition(struct search *s)
{
    struct buf sql = BUF_INIT;

    if (!s->key.count || !s->key.is_plain || !s->out->all || !s->keys.len)
        return NULL;
    buf_addch(&sql, '(');
    for (int i = 0; i < s->key.count; i++) {
        buf_addstr(&sql, i ? ", " : "");
        ident_add(&sql, s->cmp.from.columns[s->key.columns[i] - 1].name);
    }
    buf_addf(&sql, ") IN (%s)", s->keys.data);
    return buf_take(&sql);
}

/* --- the whole --- */

static size_t most_buckets(int64_t rows_hint)
{
    int64_t a_bucket = rows_hint / MOST_BUCKETS;

    if (a_bucket < LEAST_A_BUCKET)
        a_bucket = LEAST_A_BUCKET;
    return a_bucket < MOST_ROWS ? (size_t)(MOST_ROWS / a_bucket) : 1;
}

static bool search(struct search *s, const struct verify_buckets *buckets, size_t most, struct err *err)
{
    char *from_sql = statement(s, &s->cmp.from, buckets->source_rows_are);
    char *to_sql = statement(s, &s->cmp.to, buckets->target_rows_are);
    PGresult *rows[2];
    bool ok = comparison_run_both(&s->cmp, from_sql, to_sql, rows, err);

    if (ok) {
        s->out->comparable = true;
        s->out->all = buckets->differing <= most;
        find_odd(s, rows);
        tell_all(s);
        s->out->keys = keys_condition(s);
    }
    PQclear(rows[0]);
    PQclear(rows[1]);
    free(from_sql);
    free(to_sql);
    return ok;
}

static bool look(struct search *s, const struct verify_buckets *buckets, size_t most, struct err *err)
{
    struct comparison *cmp = &s->cmp;
    struct conn *src = cmp->from.c, *dst = cmp->to.c;
    bool ok = comparison_begin(src, cmp->job->snapshot, err) &&
              comparison_begin(dst, cmp->job->target_snapshot, err) && side_read(&cmp->from, err) &&
              side_read(&cmp->to, err) && comparison_knows_source(cmp, err);

    if (ok && comparison_is_possible(cmp))
        ok = read_key(s, err) && search(s, buckets, most, err);
    snapshot_end(src);
    snapshot_end(dst);
    return ok;
}

bool verify_rows(struct conn *src, struct conn *dst, const struct verify_job *job, int64_t rows_hint,
                 struct verify_rows *rows, struct err *err)
{
    struct verify_result notes = {0};
    struct verify_buckets buckets;
    struct search s = {
        .out = rows,
        .cmp = {.job = job, .result = &notes,
                .from = {.c = src, .schema = job->schema, .name = job->name, .only = job->columns},
                .to = {.c = dst, .schema = job->target_schema, .name = job->target_name}}};

    size_t most = most_buckets(rows_hint);

    *rows = (struct verify_rows){.shown = cJSON_CreateArray(), .all = true};
    if (!verify_buckets(src, dst, job, rows_hint, most, &buckets, err)) {
        verify_rows_release(rows);
        return false;
    }
    rows->comparable = buckets.comparable;
    bool ok = !buckets.differing || look(&s, &buckets, most, err);
    verify_buckets_release(&buckets);
    for (int side = 0; side < 2; side++)
        free(s.sides[side]);
    free(s.key.columns);
    buf_release(&s.keys);
    side_release(&s.cmp.from);
    side_release(&s.cmp.to);
    free(s.cmp.forms);
    verify_result_release(&notes);
    if (!ok)
        verify_rows_release(rows);
    return ok;
}

void verify_rows_release(struct verify_rows *rows)
{
    cJSON_Delete(rows->shown);
    free(rows->keys);
    *rows = (struct verify_rows){0};
}
