-- What the target knows of a table of the source: its definition as last followed, its counterpart.
-- Parameters: $1 source oid. Minimum version: 9.6. Rows: one: definition, target schema, target table, mode,
-- epoch (null: not loaded), target oid, are its columns listed by the plan; nulls where it is not known. A partitioned table has no row of its own in
-- pgcutover.tables: its counterpart has the name that it has.
SELECT d.definition,
       coalesce(t.target_schema, (d.definition::pg_catalog.json) ->> 'schema'),
       coalesce(t.target_table, (d.definition::pg_catalog.json) ->> 'name'),
       t.mode, CASE WHEN t.loaded THEN t.epoch_lsn END,
       (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = coalesce(t.target_schema, (d.definition::pg_catalog.json) ->> 'schema')
           AND c.relname = coalesce(t.target_table, (d.definition::pg_catalog.json) ->> 'name')),
       t.columns IS NOT NULL
FROM (VALUES ($1::pg_catalog.oid)) v (oid)
LEFT JOIN pgcutover.definitions d ON d.source_oid = v.oid
LEFT JOIN pgcutover.tables t ON t.source_oid = v.oid
