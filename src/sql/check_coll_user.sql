-- coll-user: collations of the user that columns of picked tables use; ICU wants a server that was built with it.
-- Parameters: $1 oids of the picked tables. Minimum version: 10. Rows: item.
SELECT DISTINCT pg_catalog.format('%I.%I (%s%s)', n.nspname, l.collname,
           CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
           CASE WHEN pg_catalog.to_jsonb(l) ->> 'collisdeterministic' = 'false' THEN ', nondeterministic' ELSE '' END)
FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS picked(oid)
JOIN pg_catalog.pg_attribute a ON a.attrelid = picked.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation AND l.oid >= 16384
JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
ORDER BY 1
