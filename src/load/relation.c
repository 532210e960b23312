#include "load/relation.h"

#include <stdlib.h>
#include <string.h>

#include "load/names.h"
#include "sql/sql.h"

enum field {
    F_NUMBER, F_OID, F_KIND, F_REFERENCED, F_SAME_NAME, F_SAME_STORAGE, F_PAGES, F_FILENODE, F_COLUMN,
    F_GENERATED, F_TYPE,
};

void relation_release(struct relation *relation)
{
    for (size_t i = 0; i < relation->count; i++)
        free(relation->columns[i].name);
    free(relation->columns);
    *relation = (struct relation){0};
}

static bool is_true(const PGresult *res, int row, int field)
{
    return *PQgetvalue(res, row, field) == 't';
}

static uint32_t number(const PGresult *res, int row, int field)
{
    return (uint32_t)strtoul(PQgetvalue(res, row, field), NULL, 10);
}

static void add_row(struct relation *relation, const PGresult *res, int row)
{
    if (PQgetisnull(res, row, F_OID))
        return;
    relation->kind = *PQgetvalue(res, row, F_KIND);
    relation->referenced = is_true(res, row, F_REFERENCED);
    relation->same_name = is_true(res, row, F_SAME_NAME);
    relation->same_storage = is_true(res, row, F_SAME_STORAGE);
    relation->has_pages = is_true(res, row, F_PAGES);
    relation->filenode = number(res, row, F_FILENODE);
    if (PQgetisnull(res, row, F_COLUMN))
        return;
    relation->columns =
        xgrow(relation->columns, relation->count, &relation->cap, sizeof *relation->columns);
    relation->columns[relation->count++] = (struct column){
        .name = xstrdup(PQgetvalue(res, row, F_COLUMN)),
        .type = number(res, row, F_TYPE),
        .generated = *PQgetvalue(res, row, F_GENERATED) != '\0',
    };
}

bool relations_read(struct conn *c, const struct relation_key *keys, size_t count,
                    struct relation *relations, struct err *err)
{
    struct buf oids = BUF_INIT, schemas = BUF_INIT, names = BUF_INIT, columns = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        buf_addf(&oids, "%s%s", i ? "," : "{", keys[i].oid ? keys[i].oid : "NULL");
        array_add(&schemas, keys[i].schema);
        array_add(&names, keys[i].name);
        array_add(&columns, keys[i].columns ? keys[i].columns : "");
    }
    buf_addch(&oids, '}');
    buf_addch(&schemas, '}');
    buf_addch(&names, '}');
    buf_addch(&columns, '}');
    const char *values[] = {oids.data, schemas.data, names.data, columns.data};
    PGresult *res = conn_exec_params(c, c->version >= 90600 ? sql_load_relations : sql_load_relations_pg95, 4,
                                     values, err);
    for (int row = 0; res && row < PQntuples(res); row++)
        add_row(&relations[number(res, row, F_NUMBER) - 1], res, row);
    PQclear(res);
    buf_release(&oids);
    buf_release(&schemas);
    buf_release(&names);
    buf_release(&columns);
    return res != NULL;
}
