-- Indexes that our workers build on the target. The name is taken from the statement: the index itself is not there for others
-- before it is committed; where a text holds several statements it does not tell. How far a phase is: in blocks of the table or in tuples.
-- Parameters: none. Minimum version: 12. Rows: one a build: table's oid on the source, index or constraint, phase, done, total (null:
-- the phase does not tell).
SELECT t.source_oid,
       CASE WHEN a.query !~ '(CREATE (UNIQUE )?INDEX |ADD CONSTRAINT ).*(CREATE (UNIQUE )?INDEX |ADD CONSTRAINT )'
            THEN coalesce(pg_catalog."substring"(a.query, 'CREATE (?:UNIQUE )?INDEX ("(?:[^"]|"")+"|\S+)'),
                          pg_catalog."substring"(a.query, 'ADD CONSTRAINT ("(?:[^"]|"")+"|\S+)')) END,
       pg_catalog.regexp_replace(p.phase, '^building index: ', ''),
       CASE WHEN p.phase ~ 'loading tuples' THEN p.tuples_done ELSE p.blocks_done END,
       CASE WHEN p.phase ~ 'loading tuples' THEN nullif(p.tuples_total, 0)
            WHEN p.phase ~ 'scanning|^building index$' THEN nullif(p.blocks_total, 0) END
  FROM pg_catalog.pg_stat_progress_create_index p
  JOIN pg_catalog.pg_stat_activity a ON a.pid = p.pid
  JOIN pg_catalog.pg_class c ON c.oid = p.relid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pgcutover.tables t ON t.target_schema = n.nspname::text AND t.target_table = c.relname::text
 WHERE p.datname = pg_catalog.current_database() AND a.application_name = 'pgcutover:index'
 ORDER BY t.source_oid, 2
