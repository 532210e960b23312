-- The first objects that somebody made in the database: relations, types, functions and schemas' contents outside the system's schemas,
-- without members of extensions and what is part of another object.
-- Parameters: none. Minimum version: 9.5. Rows: at most 10: kind and name.
WITH users AS (
    SELECT n.oid, n.nspname
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^(pg_|pgcutover_)' AND n.nspname NOT IN ('information_schema', 'pgcutover')
)
(SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
                       WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
        pg_catalog.format('%I.%I', u.nspname, c.relname) AS name
 FROM pg_catalog.pg_class c
 JOIN users u ON u.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 2 LIMIT 10)
UNION ALL
(SELECT 'type', pg_catalog.format('%I.%I', u.nspname, t.typname)
 FROM pg_catalog.pg_type t
 JOIN users u ON u.oid = t.typnamespace
 WHERE (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype IN ('e', 'i'))
 ORDER BY 2 LIMIT 10)
UNION ALL
(SELECT 'function', pg_catalog.format('%I.%I', u.nspname, p.proname)
 FROM pg_catalog.pg_proc p
 JOIN users u ON u.oid = p.pronamespace
 WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                   WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
 ORDER BY 2 LIMIT 10)
LIMIT 10
