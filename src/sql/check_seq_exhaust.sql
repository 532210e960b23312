-- seq-exhaust: sequences with more than three quarters of their values used.
-- The planner may ask for the last value before it has joined, so of every relation: hence the CASE.
-- Parameters: none. Minimum version: 10. Rows: item, fix.
WITH sequences AS (
    SELECT n.nspname, c.relname, s.seqmin, s.seqmax, s.seqincrement,
           CASE WHEN s.seqtypid <> 'pg_catalog.int8'::pg_catalog.regtype THEN ' AS bigint' ELSE '' END AS wider,
           CASE WHEN c.relkind = 'S' AND pg_catalog.has_sequence_privilege(c.oid, 'USAGE, SELECT')
               THEN pg_catalog.pg_sequence_last_value(c.oid)::pg_catalog.numeric END AS last_value
    FROM pg_catalog.pg_sequence s
    JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT s.seqcycle AND c.relpersistence <> 't' AND n.nspname NOT IN ('pgcutover')
), used AS (
    SELECT s.nspname, s.relname, s.wider,
           CASE WHEN s.seqincrement > 0 THEN (s.last_value - s.seqmin) / nullif(s.seqmax::pg_catalog.numeric - s.seqmin, 0)
               ELSE (s.seqmax - s.last_value) / nullif(s.seqmax::pg_catalog.numeric - s.seqmin, 0) END AS part,
           s.last_value, CASE WHEN s.seqincrement > 0 THEN s.seqmax ELSE s.seqmin END AS ending
    FROM sequences s
)
SELECT pg_catalog.format('%I.%I is at %s of %s', u.nspname, u.relname, u.last_value, u.ending),
       pg_catalog.format('ALTER SEQUENCE %I.%I%s NO MAXVALUE NO MINVALUE; -- and widen its column', u.nspname, u.relname, u.wider)
FROM used u
WHERE u.part > 0.75
ORDER BY u.part DESC
