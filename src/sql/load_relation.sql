-- One relation and its columns, in order; a relation without columns gives one row with a null name.
-- Parameters: $1 schema, $2 name, $3 text[]: only these columns (null: all). Minimum version: 9.5 (attgenerated is read where it exists, from 12 on).
-- Rows: relkind, referenced by another table's foreign key, column name, generated ('', s, v).
SELECT c.relkind,
    EXISTS (SELECT FROM pg_catalog.pg_constraint k
        WHERE k.confrelid = c.oid AND k.contype = 'f' AND k.conrelid <> c.oid) AS referenced,
    a.attname,
    coalesce(pg_catalog.to_jsonb(a) ->> 'attgenerated', '') AS generated
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND ($3::pg_catalog.text[] IS NULL OR a.attname = ANY ($3::pg_catalog.text[]))
WHERE n.nspname = $1 AND c.relname = $2
ORDER BY a.attnum
