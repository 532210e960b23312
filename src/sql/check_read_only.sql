-- read-only: transactions are read-only unless they say otherwise (reset_val: without our own SET).
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT s.name,
       pg_catalog.format('ALTER DATABASE %I SET default_transaction_read_only = off;',
           pg_catalog.current_database()),
       pg_catalog.format('ALTER DATABASE %I SET default_transaction_read_only = on;',
           pg_catalog.current_database())
FROM pg_catalog.pg_settings s
WHERE s.name = 'default_transaction_read_only' AND s.reset_val = 'on'
