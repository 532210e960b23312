-- What postgresql.auto.conf has for a setting, as ALTER SYSTEM has written it, whether it counts yet or not.
-- Parameters: $1 name of the setting. Minimum version: 9.5. Rows: its value; none where the file does not have it. A
-- superuser's to read, unless it was granted.
SELECT f.setting
FROM pg_catalog.pg_file_settings f
WHERE f.name = $1 AND f.sourcefile ~ '[/\\]postgresql\.auto\.conf$'
ORDER BY f.seqno DESC
LIMIT 1
