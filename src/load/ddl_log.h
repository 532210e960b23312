/* The log of schema changes on the source (sql/ddl_log_create.sql): made, and removed. */
#ifndef PGC_LOAD_DDL_LOG_H
#define PGC_LOAD_DDL_LOG_H

#include "pg/conn.h"

/* The table of the log, in a schema that is called as the publication. */
#define DDL_LOG_TABLE "ddl"

/* Names as patterns in which * stands for any text; schema NULL: any. */
struct ddl_pick {
    bool included; /* else taken out */
    const char *schema;
    const char *name;
};

/* Makes the log and its event triggers anew, with what new tables are picked by. name is the publication's,
 * which must exist. All or nothing. ERR_SERVER with 42501 where the role may not. */
bool ddl_log_create(struct conn *src, const char *name, const struct ddl_pick *picks, size_t count,
                    struct err *err);
/* Whether a new table of that name is picked no more, or again as the patterns say. A log that is not there is success. */
bool ddl_log_leave_out(struct conn *src, const char *name, const char *schema, const char *table, bool out, struct err *err);
/* A log that is not there (any more) is success; its publication may be gone. */
bool ddl_log_drop(struct conn *src, const char *name, struct err *err);
/* The statements that remove it, for people too. Owned. */
char *ddl_log_drop_statements(const char *name);

#endif
