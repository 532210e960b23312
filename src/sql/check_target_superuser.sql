-- super-objs: whether our role is one.
-- Parameters: none. Minimum version: 9.5. Rows: one, a boolean.
SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user
