-- The sequences.
-- Parameters: none. Minimum version: 9.5. Rows: oid, schema, name, populated, extension or NULL.
SELECT c.oid, n.nspname, c.relname, c.relispopulated, e.extname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
ORDER BY n.nspname, c.relname
