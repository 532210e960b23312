-- Tables, and the partitioned tables above them.
-- Parameters: $1 oid[]. Minimum version: 10. Rows: one: oid[].
WITH RECURSIVE line (oid) AS (
    SELECT pg_catalog.unnest($1::pg_catalog.oid[])
    UNION
    SELECT h.inhparent FROM line l
    JOIN pg_catalog.pg_class p ON p.oid = l.oid AND p.relispartition
    JOIN pg_catalog.pg_inherits h ON h.inhrelid = l.oid)
SELECT pg_catalog.array_agg(l.oid) FROM line l
