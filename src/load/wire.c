/* How it works: the list below was made from the send and receive functions of PostgreSQL 9.5 to 18
 * (src/backend/utils/adt): types whose bytes have not changed. Not in it: xml (its receive function looks for an
 * encoding declaration), money (its scale is lc_monetary's), refcursor and the reg* types (names as
 * OIDs), tid, pg_node_tree and the statistics types. array_send and record_send write the OIDs of the
 * types inside, and their counterparts insist on them: those of built-in types are the same
 * everywhere, others are not. */
#include "load/wire.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "sql/sql.h"

#define FIRST_UNPINNED_OID 10000 /* below: given by hand in PostgreSQL's catalogs, the same in every version */
#define DEPTH_MAX 32

static const uint32_t same_everywhere[] = {
    16 /* bool */,      17 /* bytea */,     18 /* char */,      19 /* name */,     20 /* int8 */,
    21 /* int2 */,      23 /* int4 */,      25 /* text */,      26 /* oid */,      28 /* xid */,
    29 /* cid */,       114 /* json */,     600 /* point */,    601 /* lseg */,    602 /* path */,
    603 /* box */,      604 /* polygon */,  628 /* line */,     650 /* cidr */,    700 /* float4 */,
    701 /* float8 */,   718 /* circle */,   774 /* macaddr8 */, 829 /* macaddr */, 869 /* inet */,
    1042 /* bpchar */,  1043 /* varchar */, 1082 /* date */,    1083 /* time */,   1114 /* timestamp */,
    1184 /* timestamptz */, 1186 /* interval */, 1266 /* timetz */, 1560 /* bit */, 1562 /* varbit */,
    1700 /* numeric */, 2950 /* uuid */,    2970 /* txid_snapshot */, 3220 /* pg_lsn */,
    3614 /* tsvector */, 3615 /* tsquery */, 3802 /* jsonb */,  4072 /* jsonpath */,
    5038 /* pg_snapshot */, 5069 /* xid8 */,
};

/* Base types of extensions whose binary form is text or has kept its bytes. */
static const char *const known_extensions[] = {"citext", "hstore"};

struct wire_type {
    uint32_t oid;
    char kind;
    char *name;      /* owned */
    char *extension; /* owned, may be NULL */
    char *parts;     /* owned, may be NULL */
    UT_hash_handle hh;
};

struct wire {
    struct wire_type *types;
};

struct wire *wire_read(struct conn *c, struct err *err)
{
    PGresult *res = conn_exec(c, sql_load_wire, err);
    struct wire *wire = res ? xcalloc(1, sizeof *wire) : NULL;

    for (int i = 0; res && i < PQntuples(res); i++) {
        struct wire_type *type = xcalloc(1, sizeof *type);
        type->oid = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);
        type->kind = *PQgetvalue(res, i, 1);
        type->name = xstrdup(PQgetvalue(res, i, 2));
        type->extension = PQgetisnull(res, i, 3) ? NULL : xstrdup(PQgetvalue(res, i, 3));
        type->parts = PQgetisnull(res, i, 4) ? NULL : xstrdup(PQgetvalue(res, i, 4));
        HASH_ADD(hh, wire->types, oid, sizeof type->oid, type);
    }
    PQclear(res);
    return wire;
}

void wire_free(struct wire *wire)
{
    struct wire_type *type, *next;

    if (!wire)
        return;
    HASH_ITER(hh, wire->types, type, next) {
        HASH_DEL(wire->types, type);
        free(type->name);
        free(type->extension);
        free(type->parts);
        free(type);
    }
    free(wire);
}

static const struct wire_type *find(const struct wire *wire, uint32_t oid)
{
    struct wire_type *type;

    HASH_FIND(hh, wire->types, &oid, sizeof oid, type);
    return type;
}

const char *wire_type_name(const struct wire *wire, uint32_t oid)
{
    const struct wire_type *type = find(wire, oid);

    return type ? type->name : "made meanwhile";
}

static int compare_oids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static bool is_same_everywhere(uint32_t oid)
{
    return bsearch(&oid, same_everywhere, sizeof same_everywhere / sizeof *same_everywhere,
                   sizeof *same_everywhere, compare_oids) != NULL;
}

static bool add_base(const struct wire_type *type, struct buf *out)
{
    for (size_t i = 0; type->extension && i < sizeof known_extensions / sizeof *known_extensions; i++)
        if (strcmp(type->extension, known_extensions[i]) == 0) {
            buf_addf(out, "%s.%s", type->extension, type->name);
            return true;
        }
    return false;
}

static bool add_form(const struct wire *wire, uint32_t oid, bool oid_is_sent, int depth,
                     struct buf *out);

static bool add_parts(const struct wire *wire, const struct wire_type *type, bool oids_are_sent,
                      int depth, struct buf *out)
{
    char *end;

    buf_addf(out, "%c(", type->kind);
    for (const char *at = type->parts ? type->parts : ""; *at; at = end) {
        uint32_t part = (uint32_t)strtoul(at, &end, 10);
        if (end == at || !add_form(wire, part, oids_are_sent, depth + 1, out))
            return false;
        buf_addch(out, ' ');
    }
    buf_addch(out, ')');
    return true;
}

/* oid_is_sent: the bytes hold the type's own OID. */
static bool add_form(const struct wire *wire, uint32_t oid, bool oid_is_sent, int depth,
                     struct buf *out)
{
    if (is_same_everywhere(oid)) {
        buf_addf(out, "%u", oid);
        return true;
    }
    const struct wire_type *type = find(wire, oid);
    if (!type || depth > DEPTH_MAX || (oid_is_sent && oid >= FIRST_UNPINNED_OID))
        return false;
    switch (type->kind) {
    case 'd': /* domain_recv reads what its base type does */
        return add_form(wire, type->parts ? (uint32_t)strtoul(type->parts, NULL, 10) : 0, false,
                        depth + 1, out);
    case 'e': /* the label */
        buf_addch(out, 'e');
        return true;
    case 'a':
    case 'c':
        return add_parts(wire, type, true, depth, out);
    case 'r':
    case 'm':
        return add_parts(wire, type, false, depth, out);
    case 'b':
        return add_base(type, out);
    default:
        return false;
    }
}

bool wire_form_add(const struct wire *wire, uint32_t type, struct buf *out)
{
    return add_form(wire, type, false, 0, out);
}

static bool parameter_is(const struct conn *c, const char *name, const char *value)
{
    const char *now = PQparameterStatus(c->pg, name);

    return now && strcmp(now, value) == 0;
}

bool wire_sessions_agree(const struct conn *src, const struct conn *dst, const char **why)
{
    const char *encoding = PQparameterStatus(src->pg, "server_encoding");

    *why = "the databases have different encodings";
    if (!encoding || strcmp(encoding, "SQL_ASCII") == 0 ||
        !parameter_is(dst, "server_encoding", encoding) ||
        !parameter_is(src, "client_encoding", encoding) ||
        !parameter_is(dst, "client_encoding", encoding))
        return false;
    *why = "a server has timestamps in floating point";
    return parameter_is(src, "integer_datetimes", "on") && parameter_is(dst, "integer_datetimes", "on");
}
