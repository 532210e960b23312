-- A foreign key as the source has it now.
-- Parameters: its OID in pg_constraint. Minimum version: 9.5. Rows: one, none when it is gone: statement that adds it, statement that
-- validates it, is it validated, is either table partitioned; schema, table and name; pages of the referencing table.
SELECT pg_catalog.format('ALTER TABLE %s%I.%I ADD CONSTRAINT %I %s', CASE WHEN c.relkind = 'p' THEN '' ELSE 'ONLY ' END,
                         n.nspname, c.relname, k.conname, pg_catalog.pg_get_constraintdef(k.oid)),
       pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', n.nspname, c.relname, k.conname),
       k.convalidated, c.relkind = 'p' OR f.relkind = 'p', n.nspname, c.relname, k.conname,
       c.relpages
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class f ON f.oid = k.confrelid
WHERE k.oid = $1::oid AND k.contype = 'f'
