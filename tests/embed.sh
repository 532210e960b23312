#!/usr/bin/env bash
# What src/sql/embed.awk makes of a file is, for the C compiler, the file without its head comment.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/pgc-embed.XXXXXX")
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/sql"
printf '%s\n' '-- head comment' '-- goes' "SELECT E'a\\b\\\\c \"q\" & \\& \\\"', 'é', '%s';" '' '-- stays' 'SELECT 1;	-- tab' >"$dir/hard.sql"
for file in hard.sql "$here/src/demo/sample.sql" "$here/src/demo/workload.sql"; do
    name=$(basename "$file" .sql)
    cd "$dir"
    ${AWK:-awk} -v mode=header -f "$here/src/sql/embed.awk" "$file" >sql/sql.h
    ${AWK:-awk} -v mode=source -f "$here/src/sql/embed.awk" "$file" >sql/sql.c
    printf '#include <stdio.h>\n#include "sql/sql.h"\nint main(void) { fputs(sql_%s, stdout); return 0; }\n' "$name" >main.c
    ${CC:-cc} -I. -o main main.c sql/sql.c
    ./main >got
    sed -E '1,/^($|[^-])/{/^--/d;}' "$file" >want
    cmp got want || { echo "FAIL: $name"; exit 1; }
    [ "$(head -c 2 got)" != -- ] || { echo "FAIL: $name keeps its head comment"; exit 1; }
    echo "ok: $name, $(wc -c <got) bytes"
done
