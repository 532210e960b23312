-- Columns of the given tables with what an INSERT that leaves them out would meet.
-- Parameters: array of schemas, array of tables, parallel. Minimum version: 9.5 (attidentity is read where it exists, from 10 on). Rows: one a column: place of its table in the arrays, column,
-- type, must it be given; one with nulls for a table that has none; none for a table that is not there.
SELECT t.ordinality, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
       a.attnotnull AND NOT a.atthasdef AND coalesce(pg_catalog.to_jsonb(a) ->> 'attidentity', '') = ''
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[])) WITH ORDINALITY AS t (table_schema, table_name, ordinality)
JOIN pg_catalog.pg_namespace n ON n.nspname = t.table_schema
JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.table_name AND c.relkind IN ('r', 'p', 'f')
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY t.ordinality, a.attname
