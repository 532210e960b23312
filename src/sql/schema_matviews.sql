-- Materialized views that hold data, those that others are made from first.
-- Parameters: none. Minimum version: 9.5. Rows: one each: REFRESH statement, display name.
-- Type name sorts by bytes on every server, and takes no COLLATE before 12.
WITH RECURSIVE edge AS (
    SELECT DISTINCT r.ev_class AS child, d.refobjid AS parent
    FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid
                               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> r.ev_class
    JOIN pg_catalog.pg_class p ON p.oid = d.refobjid AND p.relkind IN ('v', 'm')
    WHERE r.ev_class >= 16384
),
reached AS (
    SELECT c.oid, 0 AS level
    FROM pg_catalog.pg_class c
    WHERE c.relkind = 'm'
    UNION
    SELECT e.child, r.level + 1
    FROM reached r
    JOIN edge e ON e.parent = r.oid
    WHERE r.level < 500
)
SELECT pg_catalog.format('REFRESH MATERIALIZED VIEW %I.%I', n.nspname, c.relname),
       pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM reached r
JOIN pg_catalog.pg_class c ON c.oid = r.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'm' AND c.relispopulated
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.oid, n.nspname, c.relname
ORDER BY pg_catalog.max(r.level), n.nspname, c.relname
