#!/usr/bin/env bash
# Every check that needs no cluster of its own, on a fixture with the fault and without.
exec "$(dirname "$0")/with-servers" ./test_check_servers
