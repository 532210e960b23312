-- Moves the place up to which tables that were behind have been brought, and counts what the open
-- transaction did to each.
-- Parameters: $1 the new place (null: they are no longer behind); arrays, one element a table: $2 source
-- oid, $3 epoch LSN, $4 inserts, $5 updates, $6 deletes, $7 truncates. Minimum version: 9.5.
-- Rows: none, as many updated as there are tables, unless one was loaded again or stopped meanwhile.
UPDATE pgcutover.tables t
   SET inserts = t.inserts + d.inserts, updates = t.updates + d.updates,
       deletes = t.deletes + d.deletes, truncates = t.truncates + d.truncates,
       behind_lsn = CASE WHEN $1::pg_lsn IS NOT NULL THEN greatest(t.behind_lsn, $1::pg_lsn) END
  FROM ROWS FROM (pg_catalog.unnest($2::oid[]), pg_catalog.unnest($3::pg_lsn[]),
                  pg_catalog.unnest($4::bigint[]), pg_catalog.unnest($5::bigint[]),
                  pg_catalog.unnest($6::bigint[]), pg_catalog.unnest($7::bigint[]))
       AS d (source_oid, epoch_lsn, inserts, updates, deletes, truncates)
 WHERE t.source_oid = d.source_oid AND t.epoch_lsn = d.epoch_lsn AND t.behind_lsn IS NOT NULL
   AND t.stopped IS NULL
