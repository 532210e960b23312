-- big-row: for each picked table with much in large values, the statement that finds the largest one of each column, as it is
-- stored: only the rows are read, not the values.
-- Parameters: $1 oids of the picked tables, $2 bytes. Minimum version: 9.5. Rows: table, statement with columns name, bytes.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.string_agg(pg_catalog.format('SELECT %L, pg_catalog.max(pg_catalog.pg_column_size(%I)) FROM ONLY %I.%I', a.attname,
           a.attname, n.nspname, c.relname), ' UNION ALL ' ORDER BY a.attnum)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_class c ON c.oid = picked.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen = -1
WHERE c.reltoastrelid <> 0 AND pg_catalog.pg_relation_size(c.reltoastrelid) >= $2::pg_catalog.int8
GROUP BY n.nspname, c.relname
ORDER BY 1
