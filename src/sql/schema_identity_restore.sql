-- Forgets the next columns that schema_identity_relax.sql remembered and gives the statements that make them ALWAYS again; a column that is
-- gone meanwhile is only forgotten.
-- Parameters: none. Minimum version: 10. Rows: at most 200: statement, or null.
WITH forgotten AS (
    DELETE FROM pgcutover.identity i
    WHERE i.ctid IN (SELECT first.ctid FROM pgcutover.identity first LIMIT 200)
    RETURNING i.table_schema, i.table_name, i.column_name
)
SELECT CASE WHEN a.attname IS NOT NULL
            THEN pg_catalog.format('ALTER TABLE %I.%I ALTER COLUMN %I SET GENERATED ALWAYS;', n.nspname, c.relname, a.attname) END
FROM forgotten f
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = f.table_schema
LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = f.table_name
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = f.column_name AND NOT a.attisdropped AND a.attidentity = 'd'
