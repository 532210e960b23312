#!/usr/bin/env bash
exec "$(dirname "$0")/with-servers" ./test_apply_servers
