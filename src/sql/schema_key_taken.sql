-- The row of schema_foreign_key.sql of a foreign key that was taken out of the target.
-- Parameters: $1 dump_id. Minimum version: 9.5. Rows: one; none where it is a key of the source.
SELECT o.key ->> 0, o.key ->> 1, o.key ->> 2, o.key ->> 3, o.key ->> 4, o.key ->> 5, o.key ->> 6, o.key ->> 7, o.key ->> 8
FROM pgcutover.objects o
WHERE o.dump_id = $1::pg_catalog.int4 AND o.key IS NOT NULL
