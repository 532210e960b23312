-- Makes the plan's decisions those of the objects that are not applied yet; earlier ones that the plan does not have any more
-- are taken back.
-- Parameters: $1 JSON array of {"object", "sql"}, without sql: left out. Minimum version: 9.5. Rows: none.
WITH edits AS (
    SELECT e->>'object' AS object, (e->>'sql') || E'\n;' AS sql
    FROM pg_catalog.json_array_elements($1::pg_catalog.json) e
),
decided AS (
    SELECT o.dump_id, e.object, e.sql
    FROM pgcutover.objects o
    LEFT JOIN edits e ON e.object = pg_catalog.concat_ws(' ', o.object_type, pg_catalog.concat_ws('.', o.object_schema, o.object_name))
    WHERE CASE WHEN e.object IS NULL
               THEN o.decision IN ('skip', 'edit') AND o.state IN ('pending', 'failed', 'skipped')
               WHEN e.sql IS NULL
               THEN o.decision IS DISTINCT FROM 'skip' AND o.state IN ('pending', 'failed', 'built')
               ELSE (o.state IN ('pending', 'failed') AND o.statement <> e.sql) OR (o.state = 'skipped' AND o.decision IN ('skip', 'on-error'))
          END
)
UPDATE pgcutover.objects o
SET state = CASE WHEN d.object IS NOT NULL AND d.sql IS NULL THEN 'skipped' ELSE 'pending' END,
    decision = CASE WHEN d.object IS NULL THEN NULL WHEN d.sql IS NULL THEN 'skip' ELSE 'edit' END,
    original = CASE WHEN d.sql IS NOT NULL THEN coalesce(o.original, o.statement) END,
    statement = coalesce(d.sql, o.original, o.statement),
    sqlstate = NULL,
    message = CASE WHEN d.object IS NOT NULL AND d.sql IS NULL THEN 'left out by the plan (schema.edits)' END
FROM decided d
WHERE d.dump_id = o.dump_id
