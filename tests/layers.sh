#!/usr/bin/env bash
# Layers: a directory includes only its own headers and those of the directories named beside it here.
#   base <- pg, ssh <- plan catalog check schema load cdc cutover verify report <- engine;
#   base <- control <- cli, ui
# Nothing under src/ includes curses; ui/ knows neither libpq nor libssh2. `layers.sh DIR` looks at another
# tree; without an argument the script also proves on a copy that it sees what is wrong.
set -u

allowed() { # LAYER: what it may include beside itself
    case $1 in
        base) ;;
        pg | ssh) echo base ;;
        sql) ;;
        demo) ;;
        plan | schema | load | cdc | report) echo base pg ssh sql ;;
        catalog) echo base pg ssh sql plan ;;          # what is there, seen through what was selected
        check) echo base pg ssh sql plan catalog ;;    # checks are made on what the catalog says
        cutover) echo base pg ssh sql load ;;          # brings the identity of the loaded tables over
        verify) echo base pg ssh sql load ;;           # compares the loaded tables in one snapshot
        engine) echo base pg ssh sql plan catalog check schema load cdc cutover verify report control ;;
        control) echo base ;;
        cli) echo base pg ssh sql plan catalog check schema load cdc cutover verify report engine control demo ui ;;
        ui) echo base control ;;
        *) return 1 ;;
    esac
}

includes() { # TREE: "file header" of every quoted include; "file <header>" of every other
    (cd "$1" && find src ui -name '*.[ch]' 2>/dev/null | sort | xargs -r grep -HE '^[[:space:]]*#[[:space:]]*include' |
        sed -E 's/^([^:]*):[[:space:]]*#[[:space:]]*include[[:space:]]*("([^"]*)"|(<[^>]*>)).*/\1 \3\4/')
}

violation() { # FILE HEADER: says what is wrong with it
    local file=$1 header=$2 layer from
    layer=${file#src/}
    layer=${layer%%/*}
    case $layer:$header in
        ui:\<libpq-fe.h\> | ui:\<libpq/*\> | ui:\<libssh2*\>) echo "$file includes $header: ui/ goes through the control protocol" && return ;;
        ui:\<*) return ;;
        *:\<*curses*\> | *:\<panel.h\> | *:\<term.h\>) echo "$file includes $header: only ui/ draws" && return ;;
        *:\<* | *:config.h) return ;;
    esac
    from=${header%%/*}
    [ "$from" = "$layer" ] && return
    if ! allowed "$layer" >/dev/null; then
        echo "$file: the layer \"$layer\" is not in the table of tests/layers.sh"
        return
    fi
    case " $(allowed "$layer") " in
        *" $from "*) ;;
        *) echo "$file includes \"$header\": $layer may include only: $layer $(allowed "$layer")" ;;
    esac
}

look() { # TREE
    local file header
    includes "$1" | while read -r file header; do violation "$file" "$header"; done
}

planted() { # FILE LINE: the line in that file of a copy must be found
    local copy found
    copy=$(mktemp -d "${TMPDIR:-/tmp}/pgc-layers.XXXXXX")
    mkdir -p "$copy/$(dirname "$1")"
    echo "$2" >"$copy/$1"
    found=$(look "$copy")
    rm -rf "$copy"
    [ -n "$found" ] && echo "ok: seen: $found" && return
    echo "FAIL: not seen: $1: $2"
    return 1
}

if [ $# -gt 0 ]; then
    found=$(look "$1")
    [ -z "$found" ] || { echo "$found"; exit 1; }
    exit 0
fi

top=$(cd "$(dirname "$0")/.." && pwd)
status=0
planted src/base/x.c '#include "pg/conn.h"' || status=1
planted src/pg/x.h '#  include "plan/plan.h" // why' || status=1
planted src/load/x.c '#include "cdc/decode.h"' || status=1
planted src/control/x.c '#include "engine/engine.h"' || status=1
planted src/engine/x.c '#include "cli/cli.h"' || status=1
planted src/cli/x.c '#include <ncurses.h>' || status=1
planted src/new/x.c '#include "base/err.h"' || status=1
planted ui/screens/x.c '#include "pg/conn.h"' || status=1
planted ui/x.c '#include <libpq-fe.h>' || status=1
planted ui/x.c '#include "engine/engine.h"' || status=1
planted src/engine/x.c '#include "ui/ui.h"' || status=1
count=$(includes "$top" | wc -l)
[ "$count" -gt 50 ] || { echo "FAIL: only $count includes found in $top"; status=1; }
found=$(look "$top")
if [ -n "$found" ]; then
    echo "FAIL: ${found//$'\n'/$'\n'FAIL: }"
    status=1
else
    echo "ok: $count includes keep to the layers"
fi
exit $status
