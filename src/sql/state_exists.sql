-- Is the state schema of this very migration there?
-- Parameters: $1 text, the migration's id. Minimum version: 9.5. Rows: one, boolean.
SELECT EXISTS (SELECT 1 FROM pgcutover.migration WHERE id = $1);
