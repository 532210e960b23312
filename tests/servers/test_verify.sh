#!/bin/sh
exec "$(dirname "$0")/with-servers" ./test_verify_servers
