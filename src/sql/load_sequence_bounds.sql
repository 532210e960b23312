-- By how much each sequence moves, and between what; in the order of load_sequences.sql.
-- Parameters: none. Minimum version: 9.5. Rows: schema, name, increment, minimum, maximum, cycles.
SELECT n.nspname, c.relname, p.increment, p.minimum_value, p.maximum_value, p.cycle_option
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.pg_sequence_parameters(c.oid) p
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
ORDER BY n.nspname, c.relname
