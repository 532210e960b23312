-- Sets an applier's session up, as far as the server knows the settings. Rows are found by index even
-- where the planner last saw an empty table; plans are made once; nobody pays for compiling them; a
-- row-level policy is an error, not a row that is not found; a commit is durable when it is counted.
-- Parameters: none. Minimum version: 9.5. Rows: one a setting.
SELECT pg_catalog.set_config(s.name, v.value, false)
  FROM (VALUES ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),
               ('jit', 'off'), ('plan_cache_mode', 'force_generic_plan'), ('row_security', 'off'), ('synchronous_commit', 'on')) v (name, value)
  JOIN pg_catalog.pg_settings s ON s.name = v.name
 WHERE s.name <> 'synchronous_commit' OR s.setting = 'off'
