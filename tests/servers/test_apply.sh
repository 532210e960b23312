#!/usr/bin/env bash
# One lane, then several.
"$(dirname "$0")/with-servers" ./test_apply_servers || exit
PGC_TEST_LANES=3 exec "$(dirname "$0")/with-servers" ./test_apply_servers
