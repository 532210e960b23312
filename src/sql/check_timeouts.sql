-- timeouts: time limits that our role or database brings along (reset_val: without our own SET).
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('%s is %s%s', s.name, s.reset_val, s.unit)
FROM pg_catalog.pg_settings s
WHERE s.name IN ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                 'idle_session_timeout', 'transaction_timeout') AND s.reset_val <> '0'
ORDER BY s.name
