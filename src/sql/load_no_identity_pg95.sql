-- Tables without a usable replica identity: in a publication they make the source refuse UPDATE and DELETE.
-- Parameters: $1 text[] of quoted names. Minimum version: 9.5. Rows: name as given.
SELECT t.name
FROM pg_catalog.unnest($1::pg_catalog.text[]) AS t (name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(t.name::pg_catalog.cstring)
WHERE c.relreplident <> 'f'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
            AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident)))
