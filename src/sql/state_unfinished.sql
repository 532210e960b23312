-- Are there objects of moved tables that "finish" is still to make?
-- Parameters: none. Minimum version: 9.5. Rows: one, boolean.
SELECT EXISTS (SELECT FROM pgcutover.objects o
                 JOIN pgcutover.tables t ON t.source_oid = o.table_oid
                WHERE t.mode IN ('sync', 'at-cutover') AND o.phase IN ('index', 'foreign-key', 'post') AND o.state IN ('pending', 'failed', 'built'));
