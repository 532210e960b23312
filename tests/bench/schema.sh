# The schema step against pg_dump and pg_restore alone: a schema of 10,000 tables, 30,000 indexes, 5,000 functions, without rows. Sourced
# by bench.sh. What is measured is the whole way until the tables, indexes, keys and functions are there, with everything
# between: checks, slot, snapshot, "loading" empty tables.

schema_make() { # DATABASE: in portions, each a transaction of few locks
    local tables functions
    tables=$(scaled 10000)
    functions=$(scaled 5000)
    on source "$1" -o /dev/null <<SQL
SELECT format('CREATE TABLE public.t%1\$s (id int PRIMARY KEY, a int, b text); CREATE INDEX ON public.t%1\$s (a); CREATE INDEX ON public.t%1\$s (b);', i)
FROM generate_series(1, $tables) i \gexec
SELECT format('CREATE FUNCTION public.f%1\$s(x int) RETURNS int LANGUAGE sql AS \$f\$SELECT x + %1\$s\$f\$;', i) FROM generate_series(1, $functions) i \gexec
SQL
}
schema_raw() {
    "$PGC_BIN/pg_dump" -s -Fc -h "$PGC_DIR/source" -U postgres -f "$PGC_DIR/large.dump" large &&
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/target" -U postgres -d large "$PGC_DIR/large.dump"
}
schema_ours() { pgc --batch "$PGC_DIR/large.json" --until ready --yes -q; }

section_schema() {
    local run
    head_row "A schema without rows, against pg_dump and pg_restore (ratio: times as long)"
    fresh source large || return 1
    schema_make large || return 1
    for run in $(seq "$RUNS"); do
        fresh target large && timed "$PGC_DIR/schema.raw" schema_raw || break
        fresh target large || break
        plan large large large ', "load": {"jobs": 2}'
        timed "$PGC_DIR/schema.ours" schema_ours || break
        forget large
    done
    row "$(scaled 10000) tables, $(scaled 30000) indexes, $(scaled 5000) functions" "$(median "$PGC_DIR/schema.ours") s" \
        "$(median "$PGC_DIR/schema.raw") s" "$(ratio "$PGC_DIR/schema.ours" "$PGC_DIR/schema.raw")" "<= 1.1"
}
