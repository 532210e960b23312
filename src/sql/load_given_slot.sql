-- A slot that the plan names: its position, and whether it can be gone on with.
-- Parameters: $1 the name of slot and publication, $2 text[] schemas and $3 text[] names of the tables. Minimum version: 10.
-- Rows: one or none: confirmed position; is it of pgoutput in this database; is it active; tables that the publication does
-- not have, null: none.
SELECT s.confirmed_flush_lsn, s.plugin = 'pgoutput' AND s.database = pg_catalog.current_database(), s.active,
    (SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', t.schema, t.name), ', ')
     FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[])) AS t (schema, name)
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication_tables p
                       WHERE p.pubname = $1 AND p.schemaname = t.schema AND p.tablename = t.name))
FROM pg_catalog.pg_replication_slots s
WHERE s.slot_name = $1
