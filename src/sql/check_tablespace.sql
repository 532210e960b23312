-- tablespace: tables and indexes elsewhere than in the database's own tablespace.
-- Parameters: $1 oids of the picked tables. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s %s of %I', pg_catalog.count(*), CASE WHEN pg_catalog.count(*) = 1 THEN 'relation' ELSE 'relations' END, t.spcname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace
WHERE c.oid = ANY ($1::pg_catalog.oid[])
   OR c.oid IN (SELECT i.indexrelid FROM pg_catalog.pg_index i WHERE i.indrelid = ANY ($1::pg_catalog.oid[]))
GROUP BY t.spcname
ORDER BY t.spcname
