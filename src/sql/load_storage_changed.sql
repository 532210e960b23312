-- Tables of which changes are missing in the stream of a server before 11: what TRUNCATE does is not decoded, and seen by
-- the new storage only, which VACUUM FULL, CLUSTER and some ALTER TABLE make too; without a replica identity an
-- UPDATE or DELETE does not say which row it means.
-- Parameters: $1 json of state_storage.sql. Minimum version: 9.5. Rows: schema, name, what happened, oid.
SELECT t.schema, t.name,
       CASE WHEN c.oid IS NULL THEN 'was dropped'
            WHEN c.relfilenode <> t.storage THEN 'was truncated or rewritten'
            ELSE 'has no replica identity any more' END,
       t.oid
FROM pg_catalog.json_to_recordset($1::pg_catalog.json)
    AS t (oid pg_catalog.oid, schema pg_catalog.text, name pg_catalog.text, storage pg_catalog.oid)
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.oid
WHERE c.oid IS NULL OR c.relfilenode <> t.storage
    OR (c.relreplident <> 'f' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
            AND ((c.relreplident = 'd' AND i.indisprimary) OR (c.relreplident = 'i' AND i.indisreplident))))
ORDER BY 1, 2
