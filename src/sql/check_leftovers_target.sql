-- leftovers: replication origins of an earlier migration. They belong to the whole cluster.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix.
SELECT pg_catalog.format('replication origin %I', o.roname),
       pg_catalog.format('SELECT pg_replication_origin_drop(%L);', o.roname)
FROM pg_catalog.pg_replication_origin o
WHERE o.roname ~ '^pgcutover'
