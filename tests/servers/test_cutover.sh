#!/bin/sh
exec "$(dirname "$0")/with-servers" ./test_cutover_servers
