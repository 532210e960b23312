#!/usr/bin/env bash
# What catalog_load() reads from a real server.
exec "$(dirname "$0")/with-servers" ./test_catalog_servers
