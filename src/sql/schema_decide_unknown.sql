-- Decisions that do not name exactly one object; of those that leave out, at least one.
-- Parameters: $1 as in schema_decide.sql. Minimum version: 9.5. Rows: name, how many objects have it, objects with a name like it or NULL.
SELECT e.object, pg_catalog.count(o.dump_id),
       (SELECT pg_catalog.string_agg(l.name, ', ')
        FROM (SELECT n.name
              FROM pgcutover.objects x,
                   LATERAL (SELECT pg_catalog.concat_ws(' ', x.object_type, pg_catalog.concat_ws('.', x.object_schema, x.object_name)) AS name) n
              WHERE pg_catalog.strpos(pg_catalog.lower(e.object), pg_catalog.lower(pg_catalog.split_part(x.object_name, '(', 1))) > 0
                 OR pg_catalog.strpos(pg_catalog.lower(n.name), pg_catalog.lower(e.object)) > 0
              -- First what differs in the arguments, or in capitals, alone.
              ORDER BY pg_catalog.split_part(pg_catalog.lower(n.name), '(', 1) = pg_catalog.split_part(pg_catalog.lower(e.object), '(', 1) DESC,
                       pg_catalog.length(x.object_name) DESC, x.position
              LIMIT 5) l)
FROM (SELECT j->>'object' AS object, j->>'sql' AS sql FROM pg_catalog.json_array_elements($1::pg_catalog.json) j) e
LEFT JOIN pgcutover.objects o
       ON e.object = pg_catalog.concat_ws(' ', o.object_type, pg_catalog.concat_ws('.', o.object_schema, o.object_name))
GROUP BY e.object, e.sql
HAVING pg_catalog.count(o.dump_id) = 0 OR (e.sql IS NOT NULL AND pg_catalog.count(o.dump_id) > 1)
