-- Tables leave the migration. Their rows here stay; what was still to be built or followed of them is not any more.
-- Parameters: $1 oid[] on the source. Minimum version: 9.5. Rows: none.
WITH removed AS (
    UPDATE pgcutover.tables SET mode = 'removed', behind_lsn = NULL, stopped = NULL
     WHERE source_oid = ANY ($1::pg_catalog.oid[]) AND mode <> 'dropped'
), parts AS (
    DELETE FROM pgcutover.parts WHERE source_oid = ANY ($1::pg_catalog.oid[])
), definitions AS (
    DELETE FROM pgcutover.definitions WHERE source_oid = ANY ($1::pg_catalog.oid[])
)
UPDATE pgcutover.objects SET state = 'skipped', message = 'its table was removed from the migration'
 WHERE table_oid = ANY ($1::pg_catalog.oid[]) AND phase IN ('index', 'foreign-key') AND state IN ('pending', 'failed', 'built');
