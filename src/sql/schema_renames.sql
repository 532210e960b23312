-- The statements that give mapped tables their final names, in order; none where that is done.
-- Parameters: none. Minimum version: 9.5. Rows: one statement each.
WITH mapped AS (
    SELECT t.*, pg_catalog.pg_get_userbyid(c.relowner) AS owner,
           'pgcutover_' || t.source_oid::pg_catalog.text AS between_name
    FROM pgcutover.tables t
    JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
    WHERE t.final_table IS NOT NULL
), statements (step, source_oid, statement) AS (
    SELECT DISTINCT ON (m.final_schema) 1, m.source_oid,
           pg_catalog.format('CREATE SCHEMA %I AUTHORIZATION %I', m.final_schema, m.owner)
    FROM mapped m
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = m.final_schema)
    UNION ALL
    SELECT 2, m.source_oid, pg_catalog.format('ALTER TABLE %I.%I RENAME TO %I', m.target_schema, m.target_table, m.between_name)
    FROM mapped m
    UNION ALL
    SELECT 3, m.source_oid, pg_catalog.format('ALTER TABLE %I.%I SET SCHEMA %I', m.target_schema, m.between_name, m.final_schema)
    FROM mapped m WHERE m.final_schema <> m.target_schema
    UNION ALL
    SELECT 4, m.source_oid, pg_catalog.format('ALTER TABLE %I.%I RENAME TO %I', m.final_schema, m.between_name, m.final_table)
    FROM mapped m
    UNION ALL
    SELECT 5, 0, 'UPDATE pgcutover.tables SET target_schema = final_schema, target_table = final_table, '
                 'final_schema = NULL, final_table = NULL WHERE final_table IS NOT NULL'
    WHERE EXISTS (SELECT FROM mapped)
)
SELECT s.statement FROM statements s ORDER BY s.step, s.source_oid
