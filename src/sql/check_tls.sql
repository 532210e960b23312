-- tls: this session comes over a network and is not encrypted. A Unix socket and the loopback leave no machine.
-- Parameters: none. Minimum version: 9.5. Rows: item.
SELECT pg_catalog.format('role %I from %s; ssl is %s on the server', current_user,
           pg_catalog.host(pg_catalog.inet_client_addr()), pg_catalog.current_setting('ssl'))
FROM pg_catalog.pg_stat_ssl s
WHERE s.pid = pg_catalog.pg_backend_pid() AND NOT s.ssl
    AND pg_catalog.inet_client_addr() IS NOT NULL
    AND NOT pg_catalog.inet_client_addr() <<= '127.0.0.0/8' AND pg_catalog.inet_client_addr() <> '::1'
