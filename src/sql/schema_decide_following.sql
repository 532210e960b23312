-- Comments, security labels and privileges of what the plan leaves out are left out with it, unless the plan has another text for them.
-- Parameters: none. Minimum version: 9.5. Rows: none.
UPDATE pgcutover.objects c
SET state = 'skipped', decision = 'skip', sqlstate = NULL, message = 'left out with what it is about (schema.edits)'
FROM pgcutover.objects o
WHERE c.object_type IN ('COMMENT', 'SECURITY LABEL', 'ACL') AND c.state IN ('pending', 'failed') AND c.decision IS NULL
  AND o.dump_id = ANY (c.depends) AND o.state = 'skipped' AND o.decision = 'skip'
