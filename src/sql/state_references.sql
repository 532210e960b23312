-- Foreign keys of the target between tables that leave the migration and tables that stay.
-- Parameters: $1 oid[] on the source of those that leave. Minimum version: 9.5. Rows: constraint, referencing table, referenced table,
-- does the referenced one leave.
WITH tables AS (
    SELECT c.oid, t.source_oid = ANY ($1::pg_catalog.oid[]) AS leaves
      FROM pgcutover.tables t
      JOIN pg_catalog.pg_namespace n ON n.nspname = t.target_schema
      JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.target_table
     WHERE t.mode IN ('sync', 'at-cutover')
)
SELECT pg_catalog.quote_ident(k.conname), pg_catalog.format('%I.%I', an.nspname, a.relname),
       pg_catalog.format('%I.%I', bn.nspname, b.relname), t.leaves
  FROM pg_catalog.pg_constraint k
  JOIN tables f ON f.oid = k.conrelid
  JOIN tables t ON t.oid = k.confrelid
  JOIN pg_catalog.pg_class a ON a.oid = k.conrelid JOIN pg_catalog.pg_namespace an ON an.oid = a.relnamespace
  JOIN pg_catalog.pg_class b ON b.oid = k.confrelid JOIN pg_catalog.pg_namespace bn ON bn.oid = b.relnamespace
 WHERE k.contype = 'f' AND f.leaves <> t.leaves
 ORDER BY 2, 1
