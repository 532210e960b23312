-- no-ri: for each keyless table the index that could serve, immediate, unique and over NOT NULL columns.
-- Parameters: $1 oids of the keyless tables. Minimum version: 9.5. Rows: item, fix, undo.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       CASE WHEN x.relname IS NOT NULL THEN
           pg_catalog.format('ALTER TABLE %I.%I REPLICA IDENTITY USING INDEX %I;', n.nspname,
               c.relname, x.relname)
           ELSE pg_catalog.format('ALTER TABLE %I.%I ADD PRIMARY KEY (...);', n.nspname, c.relname) END,
       CASE WHEN x.relname IS NOT NULL THEN
           pg_catalog.format('ALTER TABLE %I.%I REPLICA IDENTITY %s;', n.nspname, c.relname,
               CASE c.relreplident WHEN 'n' THEN 'NOTHING' ELSE 'DEFAULT' END) END
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT k.relname
    FROM pg_catalog.pg_index i
    JOIN pg_catalog.pg_class k ON k.oid = i.indexrelid
    WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
        AND i.indpred IS NULL AND i.indexprs IS NULL
        AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a
                        WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)
    ORDER BY i.indnatts, k.relname
    LIMIT 1) x ON c.relreplident <> 'i'
ORDER BY n.nspname, c.relname
