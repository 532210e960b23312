-- t-policy: modules and settings of the target that judge passwords, and may refuse those that come as they are stored.
-- Parameters: none. Minimum version: 9.6. Rows: item.
SELECT p.name || ' is ' || pg_catalog.current_setting(p.name, true)
FROM (VALUES ('rds.restrict_password_commands', 'on'), ('credcheck.encrypted_password_allowed', 'off'),
             ('azure.accepted_password_auth_method', 'scram-sha-256')) AS p(name, strict)
WHERE pg_catalog.current_setting(p.name, true) = p.strict
UNION ALL
SELECT DISTINCT m.name || ' is loaded'
FROM pg_catalog.pg_settings s
CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(s.setting, '[\s,"]+') AS m(name)
WHERE s.name IN ('shared_preload_libraries', 'session_preload_libraries', 'local_preload_libraries')
    AND m.name ~ '(passwordcheck|credcheck|pg_password_policy|supautils)'
