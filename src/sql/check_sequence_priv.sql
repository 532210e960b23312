-- select-priv: sequences of the picked tables, and those of no table, that cannot be read.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.format('GRANT USAGE ON SCHEMA %1$I TO %3$I; GRANT SELECT ON SEQUENCE %1$I.%2$I TO %3$I;',
           n.nspname, c.relname, current_user),
       pg_catalog.format('REVOKE SELECT ON SEQUENCE %I.%I FROM %I;', n.nspname, c.relname, current_user)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.objid = c.oid AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
LEFT JOIN pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid) ON picked.oid = d.refobjid
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
    AND n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
    AND (d.objid IS NULL OR picked.oid IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        AND e.objid = c.oid AND e.deptype = 'e')
    AND NOT coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                     AND pg_catalog.has_table_privilege(c.oid, 'SELECT'), true)
ORDER BY 1
