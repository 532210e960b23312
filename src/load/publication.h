/* What a migration makes on the source for CDC: the publication, and replica identities FULL. */
#ifndef PGC_LOAD_PUBLICATION_H
#define PGC_LOAD_PUBLICATION_H

#include "load/names.h"
#include "pg/conn.h"

/* What of a table is published; from 15 on. */
struct publication_part {
    const char *where;   /* SQL expression; NULL: all rows */
    const char *columns; /* text[] literal; NULL: all columns. Generated ones in it are left out */
};

struct publication_tables {
    const struct table_name *tables; /* plain tables and leaves of partitioned ones */
    const struct publication_part *parts; /* one a table; NULL: all of every table */
    size_t count;
};

/* Creates the publication and adds the tables, 200 a transaction; one that exists is completed.
 * Leaves are published as themselves (publish_via_partition_root stays false). ERR_PREREQUISITE
 * before its batch is added if a table has no usable replica identity (the source would refuse its UPDATEs
 * and DELETEs). On error the publication is left with the batches added so far: call again, or
 * publication_drop(). */
bool publication_create(struct conn *src, const char *name, const struct publication_tables *tables,
                        struct err *err);
/* The same refusal alone, where no publication is made. */
bool publication_refuse_keyless(struct conn *src, const struct publication_tables *tables,
                                struct err *err);
/* Takes these tables (an oid[] literal) out of it, 200 a transaction; those that are not in it are left out. On error it is left
 * without those that were taken out so far. */
bool publication_remove(struct conn *src, const char *name, const char *oids_array, struct err *err);
/* A publication that does not exist is success. */
bool publication_drop(struct conn *src, const char *name, struct err *err);

/* The present replica identity: "d", "n", "f", or "i" and the index's name; owned by the caller.
 * ERR_NOT_FOUND when there is no such table. */
bool replident_get(struct conn *src, const char *schema, const char *name, char **previous,
                   struct err *err);
/* ALTER TABLE ... REPLICA IDENTITY FULL; previous (may be NULL) as of replident_get(). Waits for the
 * lock one second at a time, so that nobody queues behind it for longer. */
bool replident_set_full(struct conn *src, const char *schema, const char *name, char **previous,
                        struct err *err);
/* Puts back what replident_get() gave. A table that is gone is success. */
bool replident_restore(struct conn *src, const char *schema, const char *name, const char *previous,
                       struct err *err);

/* The statement that gives a table a replica identity, as replident_get() names it; for people too. Owned. */
char *replident_statement(const char *schema, const char *name, const char *identity);

#endif
