-- Picked tables that may have had another name for a while: they have all the columns of a row that came under
-- a name which is gone now, and were altered (renamed, it may be) after the row's transaction began.
-- Parameters: $1 oid[] of the picked tables, $2 text[] column names, $3 text[] types, $4 transaction id.
-- Minimum version: 9.5. Rows: schema, name; at most one.
SELECT n.nspname, c.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY ($1::pg_catalog.oid[])
    AND pg_catalog.age(c.xmin) <= pg_catalog.age($4::pg_catalog.text::pg_catalog.xid)
    AND NOT EXISTS (
        SELECT FROM ROWS FROM (pg_catalog.unnest($2::pg_catalog.text[]), pg_catalog.unnest($3::pg_catalog.text[])) AS u (name, type)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = u.name AND a.attnum > 0
            AND NOT a.attisdropped AND pg_catalog.format_type(a.atttypid, NULL) = u.type
        WHERE a.attname IS NULL)
LIMIT 1
