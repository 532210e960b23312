/* From two definitions of a table (or type) to the statements that lead from one to the other: pure
 * functions over the JSON texts of sql/ddl_definition.sql and sql/ddl_type.sql.
 *
 * The source's definitions before and after a command say what the command did, by the numbers of the
 * columns; the target's own definition says what of it is still to be done. So a command is never
 * carried out twice, and what somebody has done on the target already counts. The command's text is not
 * looked at but to learn whether it converts values in the way that the server does by itself. */
#ifndef PGC_CDC_DDL_H
#define PGC_CDC_DDL_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/buf.h"

enum ddl_verdict {
    DDL_SAME,   /* nothing is to be done */
    DDL_APPLY,  /* the statements, in their order */
    DDL_RELOAD, /* the same, and then the table's rows are to be copied: the stream does not carry the
                 * values that the source gave them. The statements assume a table without rows */
    DDL_STOP,   /* somebody has to do it: reason says what */
};

/* pg_event_trigger_table_rewrite_reason(). */
#define DDL_REWRITE_DEFAULT 2
#define DDL_REWRITE_TYPE 4

struct ddl_case {
    const cJSON *before;       /* the source's, as last known; NULL: not known */
    const cJSON *after;        /* the source's, behind the command */
    const cJSON *target;       /* the target's present one */
    const cJSON *missing;      /* by column: what its old rows have; NULL: nothing known */
    unsigned rewritten;        /* reasons for which the table's rows were all written again; 0: they were not */
    bool plain;                /* ddl_is_plain_alter() of the command */
    bool without_rows;         /* the target's table is empty (or is copied later): columns alone matter */
    bool listed;               /* the plan lists the columns: new ones are not wanted */
    const char *target_schema; /* the target's table at present */
    const char *target_name;
    int target_version;        /* 170000 */
};

struct ddl_plan {
    enum ddl_verdict verdict;
    char **statements; /* owned */
    size_t count, cap;
    bool converts;     /* values: with the settings that the source's session had */
    char *reason;      /* owned; of DDL_RELOAD and DDL_STOP, a part of a sentence */
    char *schema;      /* owned: the target's table afterwards */
    char *name;
};

#define DDL_PLAN_INIT {0}

/* A table that is on both sides. */
void ddl_decide_table(const struct ddl_case *c, struct ddl_plan *plan);
/* What a table of the source may have been before, where that is not known and the target's holds no rows yet:
 * with names that the target has. Columns of one type may have been renamed as well as made anew. Owned. */
cJSON *ddl_guess_before(const cJSON *after, const cJSON *target, const char *was_schema, const char *was_name);
/* The statements that make a table's constraints and indexes, and whose oids on the source these are; both
 * arrays have plan->count. *oids is owned by the caller, its items are borrowed from the definition. */
void ddl_describe_parts(const cJSON *definition, const char *schema, const char *name, const char ***oids,
                        struct ddl_plan *plan);
/* A table (or partitioned table) that is new on the source, and on the target too. */
void ddl_create_table(const cJSON *definition, int target_version, struct ddl_plan *plan);
/* An enum, domain or composite; target NULL: it is not there. `aside` of the statements, the first ones, are to
 * be run outside of a transaction, at any time before: new labels of an enum. */
void ddl_decide_type(const cJSON *after, const cJSON *target, size_t *aside, struct ddl_plan *plan);
/* An object of sql_drop that needs a statement of its own (view, index, sequence, type); else DDL_SAME. */
void ddl_drop_object(const cJSON *dropped, struct ddl_plan *plan);
/* A sequence that is new; it gets its value at the cutover. */
void ddl_create_sequence(const cJSON *sequence, struct ddl_plan *plan);
void ddl_plan_release(struct ddl_plan *plan);

/* Is the text one single ALTER TABLE without USING? Then a change of a column's type converts by the
 * server's own cast. Anything that is not sure is false. */
bool ddl_is_plain_alter(const char *query);
/* Is a default's text one constant? Then it is the same for all rows, whenever it is evaluated. */
bool ddl_is_constant(const char *expression);

/* "(id integer NOT NULL, t text)": for people; owned. */
char *ddl_describe(const cJSON *definition);

#endif
