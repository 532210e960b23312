-- ext-config: configuration tables of extensions: dumped with the schema, not in the stream.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%I.%I of extension %I', n.nspname, c.relname, e.extname)
FROM pg_catalog.pg_extension e
CROSS JOIN LATERAL pg_catalog.unnest(e.extconfig) AS config(oid)
JOIN pg_catalog.pg_class c ON c.oid = config.oid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1
