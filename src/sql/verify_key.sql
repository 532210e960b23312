-- The columns that identify a row: those of the replica identity's index, or of the primary key.
-- Parameters: $1 schema, $2 name. Minimum version: 9.5. Rows: column name, in the key's order; none: no such key.
SELECT a.attname
FROM (SELECT i.indrelid, i.indkey
      FROM pg_catalog.pg_index i
      JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = $1 AND c.relname = $2 AND (i.indisreplident OR i.indisprimary) AND i.indisvalid
      ORDER BY i.indisreplident DESC
      LIMIT 1) k
CROSS JOIN LATERAL pg_catalog.unnest(k.indkey::pg_catalog.int2[]) WITH ORDINALITY AS u (attnum, place)
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = u.attnum
ORDER BY u.place
