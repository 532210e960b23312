-- Every sequence that a user made (temporary ones and the program's own left out).
-- Parameters: none. Minimum version: 9.5. Rows: schema, name.
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
ORDER BY n.nspname, c.relname
