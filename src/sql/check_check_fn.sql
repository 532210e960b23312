-- check-fn: CHECK constraints that call functions of the user.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I of %I.%I calls %s', k.conname, n.nspname, c.relname,
           pg_catalog.string_agg(DISTINCT pg_catalog.format('%I.%I', fn.nspname, p.proname), ', '))
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'c'
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objid = k.oid
    AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
JOIN pg_catalog.pg_proc p ON p.oid = d.refobjid AND p.oid >= 16384
JOIN pg_catalog.pg_namespace fn ON fn.oid = p.pronamespace
WHERE p.prolang <> (SELECT l.oid FROM pg_catalog.pg_language l WHERE l.lanname = 'c')
GROUP BY n.nspname, c.relname, k.conname
ORDER BY n.nspname, c.relname, k.conname
