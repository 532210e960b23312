-- hba: lines of pg_hba.conf that the server cannot read.
-- Parameters: none. Minimum version: 10. Rows: item.
SELECT pg_catalog.format('line %s (%s)', r.line_number, r.error)
FROM pg_catalog.pg_hba_file_rules r
WHERE r.error IS NOT NULL
ORDER BY r.line_number
