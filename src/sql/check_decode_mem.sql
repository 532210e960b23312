-- decode-mem: transactions larger than this are written to the source's disk while they are decoded.
-- Parameters: none. Minimum version: 13. Rows: item, fix, undo.
SELECT pg_catalog.pg_size_pretty(s.setting::pg_catalog.int8 * 1024),
       pg_catalog.format('ALTER ROLE %I SET logical_decoding_work_mem = ''256MB'';', current_user),
       pg_catalog.format('ALTER ROLE %I RESET logical_decoding_work_mem;', current_user)
FROM pg_catalog.pg_settings s
WHERE s.name = 'logical_decoding_work_mem' AND s.setting::pg_catalog.int8 <= 65536
