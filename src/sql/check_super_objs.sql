-- super-objs: objects that only a superuser can make, which belong to no extension.
-- Parameters: none. Minimum version: 9.5. Rows: item.
WITH members AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e'
), found AS (
    SELECT 'pg_catalog.pg_cast'::pg_catalog.regclass AS classid, c.oid,
           pg_catalog.format('cast from %s to %s', pg_catalog.format_type(c.castsource, NULL), pg_catalog.format_type(c.casttarget, NULL)) AS item
    FROM pg_catalog.pg_cast c
    WHERE c.castmethod = 'b'
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, pg_catalog.format('%s function %I.%I', l.lanname, n.nspname, p.proname)
    FROM pg_catalog.pg_proc p
    JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND NOT l.lanpltrusted
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, pg_catalog.format('base type %I.%I', n.nspname, t.typname)
    FROM pg_catalog.pg_type t
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE t.typtype = 'b' AND t.typcategory <> 'A'
    UNION ALL
    SELECT 'pg_catalog.pg_language'::pg_catalog.regclass, l.oid, pg_catalog.format('language %I', l.lanname)
    FROM pg_catalog.pg_language l
    WHERE NOT l.lanpltrusted
    UNION ALL
    SELECT 'pg_catalog.pg_opfamily'::pg_catalog.regclass, o.oid, pg_catalog.format('operator family %I', o.opfname)
    FROM pg_catalog.pg_opfamily o
    UNION ALL
    SELECT 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, s.oid, pg_catalog.format('text search parser %I', s.prsname)
    FROM pg_catalog.pg_ts_parser s
    UNION ALL
    SELECT 'pg_catalog.pg_ts_template'::pg_catalog.regclass, s.oid, pg_catalog.format('text search template %I', s.tmplname)
    FROM pg_catalog.pg_ts_template s
)
SELECT f.item
FROM found f
WHERE f.oid >= 16384 AND NOT EXISTS (SELECT FROM members m WHERE m.classid = f.classid AND m.objid = f.oid)
ORDER BY f.item
