-- Roles that own something in this database or are granted something on it, the roles whose rights these have, and the members that have
-- theirs; never the server's own pg_... roles. The bootstrap superuser is named only where it owns something somebody made.
-- Parameters: none. Minimum version: 9.5. Rows: name, in order.
-- Type name sorts by bytes on every server, and takes no COLLATE before 12.
WITH RECURSIVE base AS (
    SELECT s.refobjid AS oid
    FROM pg_catalog.pg_shdepend s
    JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database()
    WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
      AND (s.dbid = d.oid
           OR (s.dbid = 0 AND s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = d.oid))
    UNION
    SELECT 10
    FROM (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relowner = 10
          UNION ALL SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.oid >= 16384 AND p.proowner = 10
          UNION ALL SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typowner = 10
          UNION ALL SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.oid >= 16384 AND n.nspowner = 10) AS owned
),
above AS (
    SELECT b.oid FROM base b
    UNION SELECT m.roleid FROM above a JOIN pg_catalog.pg_auth_members m ON m.member = a.oid
),
below AS (
    SELECT b.oid FROM base b WHERE b.oid <> 10
    UNION SELECT m.member FROM below b JOIN pg_catalog.pg_auth_members m ON m.roleid = b.oid
)
SELECT r.rolname
FROM pg_catalog.pg_roles r
WHERE r.oid IN (SELECT a.oid FROM above a UNION SELECT b.oid FROM below b)
  AND r.rolname !~ '^pg_'
ORDER BY r.rolname
