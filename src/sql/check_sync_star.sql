-- sync-star: any client that streams may become the synchronous standby. Quoted, * means the same.
-- Parameters: none. Minimum version: 9.5. Rows: item, fix, undo.
SELECT s.setting,
       pg_catalog.format('ALTER SYSTEM SET synchronous_standby_names = %L;',
           pg_catalog.regexp_replace(s.setting, '"\*"|\*', coalesce(
               (SELECT pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(r.application_name), ', ')
                FROM pg_catalog.pg_stat_replication r WHERE r.application_name !~ '^pgcutover'),
               'name_of_the_standby'))),
       pg_catalog.format('ALTER SYSTEM SET synchronous_standby_names = %L;', s.setting)
FROM pg_catalog.pg_settings s
WHERE s.name = 'synchronous_standby_names' AND s.setting ~ '(^|[\s,(])("\*"|\*)($|[\s,)])'
