# Comparing while the stream runs, against what it costs to count and sum a hash of every row on both servers at once. Sourced by
# bench.sh.

verify_raw() {
    local sql="SELECT count(*), sum(hashtextextended(t::text, 0)) FROM wide t"
    on source compare -o /dev/null -c "$sql" &
    on target compare -o /dev/null -c "$sql"
    wait $!
}
verify_ours() { pgc verify compare -q; }

section_verify() {
    local run
    head_row "Comparing all rows, against count(*) and sum(hash) on both servers at once (ratio: times as long)"
    fresh source compare && fresh target compare || return 1
    on source compare -c "CREATE TABLE wide AS SELECT n AS id, n % 1000 AS a, md5(n::text) AS d, 'note ' || n AS e, timestamptz '2024-01-01' + n * interval '1 s' AS f,
        (n % 10000) / 100.0 AS g, n / 3.0::float8 AS i FROM generate_series(1, $(scaled 2000000)) n" -c 'ALTER TABLE wide ADD PRIMARY KEY (id)' -c 'VACUUM ANALYZE wide'
    plan compare compare compare ', "load": {"jobs": 2}'
    pgc --batch "$PGC_DIR/compare.json" --until ready --yes -q >"$PGC_DIR/bench.out" 2>&1 || { cat "$PGC_DIR/bench.out"; return 1; }
    for run in $(seq "$RUNS"); do
        timed "$PGC_DIR/verify.raw" verify_raw && timed "$PGC_DIR/verify.ours" verify_ours || break
    done
    forget compare
    row "2 million rows of 7 columns" "$(median "$PGC_DIR/verify.ours") s" "$(median "$PGC_DIR/verify.raw") s" \
        "$(ratio "$PGC_DIR/verify.ours" "$PGC_DIR/verify.raw")" "<= 1.3"
}
