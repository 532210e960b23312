-- k-signal: sessions of other roles cannot be ended.
-- Parameters: none. Minimum version: 9.6. Rows: item, fix, undo.
SELECT pg_catalog.quote_ident(r.rolname),
       pg_catalog.format('GRANT pg_signal_backend TO %I;', r.rolname),
       pg_catalog.format('REVOKE pg_signal_backend FROM %I;', r.rolname)
FROM pg_catalog.pg_roles r
WHERE r.rolname = current_user AND NOT r.rolsuper
    AND NOT pg_catalog.pg_has_role('pg_signal_backend', 'MEMBER')
