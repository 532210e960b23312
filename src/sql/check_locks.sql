-- locks: pg_dump locks all relations in one transaction; more than four fifths of the table of locks.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
WITH have AS (
    SELECT pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 AS each,
           pg_catalog.current_setting('max_connections')::pg_catalog.int8
           + pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8 AS sessions
), wanted AS (
    SELECT pg_catalog.count(*) AS count
    FROM pg_catalog.pg_class c
    WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'i', 'I')
)
SELECT pg_catalog.format('%s relations, and room for %s locks (max_locks_per_transaction is %s)',
           wanted.count, have.each * have.sessions, have.each),
       pg_catalog.format('ALTER SYSTEM SET max_locks_per_transaction = %s;',
           greatest(64, have.each * 2, wanted.count * 2 / have.sessions)),
       pg_catalog.format('ALTER SYSTEM SET max_locks_per_transaction = %s;', have.each)
FROM have, wanted
WHERE wanted.count > have.each * have.sessions * 0.8
