-- Which of these tables are in a publication?
-- Parameters: $1 publication, $2 oid[]. Minimum version: 10. Rows: one a table: its name, quoted.
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_publication p
  JOIN pg_catalog.pg_publication_rel r ON r.prpubid = p.oid
  JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE p.pubname = $1 AND c.oid = ANY ($2::pg_catalog.oid[])
 ORDER BY 1
 LIMIT 200
