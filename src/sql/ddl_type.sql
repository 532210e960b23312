-- What a type is, as one JSON text: an enum's labels in their order, a domain's base, a composite's columns.
-- Parameters: $1 oid. Minimum version: 10. Rows: one, or none where it is of another kind (or a table's own).
SELECT pg_catalog.json_build_object(
    'oid', y.oid::pg_catalog.text,
    'schema', n.nspname,
    'name', y.typname,
    'kind', y.typtype,
    'owner', pg_catalog.pg_get_userbyid(y.typowner),
    'labels', (SELECT pg_catalog.json_agg(e.enumlabel ORDER BY e.enumsortorder)
        FROM pg_catalog.pg_enum e WHERE e.enumtypid = y.oid),
    'base', CASE WHEN y.typtype = 'd' THEN pg_catalog.format_type(y.typbasetype, y.typtypmod) END,
    'notNull', y.typnotnull,
    'default', y.typdefault,
    'constraints', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', k.conname,
            'definition', pg_catalog.pg_get_constraintdef(k.oid)) ORDER BY k.oid)
        FROM pg_catalog.pg_constraint k WHERE k.contypid = y.oid AND k.contype = 'c'),
    'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname,
            'type', pg_catalog.format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
        FROM pg_catalog.pg_attribute a WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
    )::pg_catalog.text
FROM pg_catalog.pg_type y
JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
LEFT JOIN pg_catalog.pg_class c ON c.oid = y.typrelid
WHERE y.oid = $1::pg_catalog.oid AND (y.typtype IN ('e', 'd') OR y.typtype = 'c' AND c.relkind = 'c')
