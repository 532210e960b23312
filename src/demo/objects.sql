-- What belongs to the data: columns, indexes, constraints, triggers, views, routines, and who may do what.
-- No parameters, PostgreSQL 12 and later. Rows: one text each.
WITH own AS (
    SELECT n.oid, n.nspname, n.nspacl FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'pgcutover')
), relation AS (
    SELECT c.*, pg_catalog.format('%I.%I', own.nspname, c.relname) AS name
    FROM pg_catalog.pg_class c JOIN own ON own.oid = c.relnamespace
)
SELECT pg_catalog.format('schema %I %s', nspname, nspacl) FROM own
UNION ALL
SELECT pg_catalog.format('relation %s: kind %s, identity %s, privileges %s, owner %s', name, relkind, relreplident, relacl,
    pg_catalog.pg_get_userbyid(relowner))
FROM relation WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
UNION ALL
SELECT pg_catalog.format('column %s.%I %s%s%s%s %s', r.name, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN ' not null' END, ' identity ' || NULLIF(a.attidentity::text, ''), ' generated ' || NULLIF(a.attgenerated::text, ''),
    pg_catalog.pg_get_expr(d.adbin, d.adrelid))
FROM relation r
JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE r.relkind IN ('r', 'p', 'v', 'm')
UNION ALL
SELECT pg_catalog.format('index %s%s%s', pg_catalog.pg_get_indexdef(i.indexrelid),
    CASE WHEN i.indisclustered THEN ', clustered' END, CASE WHEN NOT i.indisvalid THEN ', invalid' END)
FROM relation r JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
UNION ALL
SELECT pg_catalog.format('constraint %I on %s: %s%s', k.conname, r.name, pg_catalog.pg_get_constraintdef(k.oid),
    CASE WHEN NOT k.convalidated THEN ' (not validated)' END)
FROM relation r JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid
UNION ALL
SELECT pg_catalog.format('trigger %s, enabled: %s', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
FROM relation r JOIN pg_catalog.pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal
UNION ALL
SELECT pg_catalog.format('view %s: %s', r.name, pg_catalog.pg_get_viewdef(r.oid)) FROM relation r WHERE r.relkind IN ('v', 'm')
UNION ALL
SELECT pg_catalog.format('routine %s', pg_catalog.pg_get_functiondef(p.oid))
FROM pg_catalog.pg_proc p JOIN own ON own.oid = p.pronamespace WHERE p.prokind <> 'a'
UNION ALL
SELECT pg_catalog.format('enum %I.%I %s', own.nspname, t.typname,
    (SELECT pg_catalog.array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid))
FROM pg_catalog.pg_type t JOIN own ON own.oid = t.typnamespace WHERE t.typtype = 'e'
UNION ALL
SELECT pg_catalog.format('comment on %s: %s', pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description)
FROM pg_catalog.pg_description d
WHERE d.objoid IN (SELECT oid FROM relation UNION ALL SELECT oid FROM own)
ORDER BY 1
