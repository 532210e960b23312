#!/usr/bin/env bash
exec "$(dirname "$0")/with-servers" ./test_schema_servers "$(dirname "$0")/schema_fixture.sql"
