#!/bin/sh
exec "$(dirname "$0")/with-servers" ./test_demo_servers
