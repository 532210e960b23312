/* What the files of ddl.h share. */
#ifndef PGC_CDC_DDL_INTERNAL_H
#define PGC_CDC_DDL_INTERNAL_H

#include <stdint.h>

#include "cdc/ddl.h"

/* --- ddl_pieces.c --- */

void ddl_add_statement(struct ddl_plan *plan, struct buf *sql);
/* The graver verdict stays, with its first reason. */
void ddl_judge(struct ddl_plan *plan, enum ddl_verdict verdict, char *reason);
const char *ddl_text(const cJSON *object, const char *key);
const cJSON *ddl_find_by(const cJSON *list, const char *key, const char *value);
const cJSON *ddl_column_numbered(const cJSON *table, int64_t number);
const cJSON *ddl_column_named(const cJSON *table, const char *name);
bool ddl_same_text(const cJSON *a, const cJSON *b, const char *key);
void ddl_add_table(struct buf *sql, const struct ddl_plan *plan);
void ddl_begin_alter(struct buf *sql, const struct ddl_plan *plan);
void ddl_add_owner(struct ddl_plan *plan, const char *kind, const char *owner);
/* type, collation, generation or identity of a column. */
void ddl_add_column_type(struct buf *sql, const cJSON *column);
void ddl_add_generated(struct buf *sql, const cJSON *column);
/* While the source's values are written, an identity column must take them; ALWAYS comes at the end. */
void ddl_add_identity(struct buf *sql, const cJSON *table, const cJSON *column);
void ddl_remember_always(struct ddl_plan *plan, const cJSON *column);
/* serial: the sequence is there before the default that names it. */
void ddl_create_owned_sequences(struct ddl_plan *plan, const cJSON *after, const cJSON *before);
void ddl_own_sequences(struct ddl_plan *plan, const cJSON *after, const cJSON *before);

/* --- ddl_columns.c: the table's name and its columns --- */

void ddl_set_name(struct ddl_plan *plan, const char *schema, const char *name);
/* The target's table follows when it has the name that the source's had: else it is mapped, and stays. */
void ddl_rename_table(const struct ddl_case *c, struct ddl_plan *plan);
void ddl_rename_columns(const struct ddl_case *c, struct ddl_plan *plan);
void ddl_decide_columns(const struct ddl_case *c, struct ddl_plan *plan);

/* --- ddl_constraints.c: kind is "constraints" or "indexes" --- */

void ddl_drop_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                    void (*drop)(struct ddl_plan *, const char *));
void ddl_rename_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind);
void ddl_create_constraint(struct ddl_plan *plan, const cJSON *constraint);
void ddl_create_index(struct ddl_plan *plan, const cJSON *index);
void ddl_create_parts(const struct ddl_case *c, struct ddl_plan *plan, const char *kind,
                      void (*create)(struct ddl_plan *, const cJSON *));
/* ADD CONSTRAINT ... NOT VALID, and VALIDATE later. */
void ddl_not_valid_constraints(const struct ddl_case *c, struct ddl_plan *plan);
void ddl_drop_constraint(struct ddl_plan *plan, const char *name);
void ddl_drop_index(struct ddl_plan *plan, const char *name);

/* --- ddl.c --- */

void ddl_decide_identity(const struct ddl_case *c, struct ddl_plan *plan);

#endif
