-- How the statements of the schema stand: numbers, and those that somebody decided on or that failed.
-- Parameters: none. Minimum version: 9.5. Rows: one, JSON {"counts": {"applied", "pending", "held", "failed", "skipped", "edited"},
-- "list": [{"object", "state", "decision", "sqlstate", "message", "statement"}]}, of the list the first 1000; the text of the
-- statement where it failed and is no longer than 20000 characters, of the first 50 of them.
SELECT pg_catalog.json_build_object(
    'counts', pg_catalog.json_build_object(
        'applied', pg_catalog.count(CASE WHEN o.state = 'applied' THEN 1 END),
        'pending', pg_catalog.count(CASE WHEN o.state IN ('pending', 'built') AND o.phase NOT LIKE 'held%' THEN 1 END),
        'held', pg_catalog.count(CASE WHEN o.state = 'pending' AND o.phase LIKE 'held%' THEN 1 END),
        'failed', pg_catalog.count(CASE WHEN o.state = 'failed' THEN 1 END),
        'skipped', pg_catalog.count(CASE WHEN o.state = 'skipped' THEN 1 END),
        'edited', pg_catalog.count(CASE WHEN o.decision = 'edit' THEN 1 END)),
    'list', (SELECT coalesce(pg_catalog.json_agg(l), '[]')
             FROM (SELECT pg_catalog.concat_ws(' ', x.object_type, pg_catalog.concat_ws('.', x.object_schema, x.object_name)) AS object,
                          x.state, x.decision, x.sqlstate, x.message,
                          CASE WHEN x.state = 'failed' AND pg_catalog.length(x.statement) <= 20000 AND
                                    pg_catalog.count(CASE WHEN x.state = 'failed' THEN 1 END) OVER (ORDER BY x.position) <= 50
                               THEN x.statement END AS statement
                   FROM pgcutover.objects x
                   WHERE x.decision IS NOT NULL OR x.state = 'failed' OR (x.state = 'built' AND x.sqlstate IS NOT NULL)
                   ORDER BY x.position
                   LIMIT 1000) l))
FROM pgcutover.objects o
WHERE o.statement <> ''
