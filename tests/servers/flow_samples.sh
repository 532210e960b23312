#!/usr/bin/env bash
# The databases that people know, dvdrental and chinook, in both modes, with changes on the way: the same contents, the same pg_dump -s.
# They are not part of this project: PGC_SHARED/data/dvdrental.tar and chinook.sql; skipped where they are not there.
. "$(dirname "$0")/flow_tools.sh"
for file in dvdrental.tar chinook.sql; do
    [ -f "$PGC_SHARED/data/$file" ] || { echo "SKIP: there is no $PGC_SHARED/data/$file (PGC_SHARED says where)"; exit 77; }
done
cluster_start source || exit 1
cluster_start target || exit 1
cp "$PGC_SHARED"/data/{dvdrental.tar,chinook.sql} "$PGC_DIR"
chmod a+r "$PGC_DIR"/{dvdrental.tar,chinook.sql}

fill() { # SAMPLE DATABASE
    on source postgres -c "CREATE DATABASE $2"
    if [ "$1" = dvdrental ]; then
        "$PGC_BIN/pg_restore" -h "$PGC_DIR/source" -U postgres --no-owner -d "$2" "$PGC_DIR/dvdrental.tar"
    else
        sed '/^DROP DATABASE/d; /^CREATE DATABASE/d; /^\\c /d' "$PGC_DIR/chinook.sql" | on source "$2" -o /dev/null
    fi
    [ "$1" = dvdrental ] && cat >"$PGC_DIR/$2.sql" <<'SQL' || cat >"$PGC_DIR/$2.sql" <<'SQL2'
UPDATE film SET rental_rate = rental_rate + 0.01, rating = 'PG-13' WHERE film_id % 97 = 3;
INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) VALUES (clock_timestamp(), 5, 7, 1);
DELETE FROM payment WHERE payment_id = (SELECT max(payment_id) FROM payment);
UPDATE customer SET email = email || '.' WHERE customer_id % 59 = 1;
SQL
UPDATE track SET unit_price = unit_price + 0.01 WHERE track_id % 97 = 3;
DELETE FROM invoice_line WHERE invoice_line_id = (SELECT max(invoice_line_id) FROM invoice_line);
UPDATE customer SET fax = coalesce(fax, '') || '.' WHERE customer_id % 7 = 1;
SQL2
}

move() { # SAMPLE DATABASE SCHEMA-SECTION
    plan "$2" "[{\"name\": \"$2\"}]" "\"schema\": {$3}"
    workload_begin "$2" "$PGC_DIR/$2.sql" 0.2
    run --batch "$PGC_DIR/$2.json"
    assert_run "$2: ready" 0
    run_when_ready cutover "$2"
    assert_run "$2: cutover" 0
    workload_end "$2"
    refresh_source "$2"
    assert_same_data "$2: contents" "source/$2" "target/$2"
    assert_same_schema "$2" "source/$2" "target/$2"
    assert_equal "$2: compared by itself" "$(status_of "$2" "SELECT item#>>'{schemaComparison,different}' FROM output WHERE type = 'DatabaseLevelOutput'")" 0
}

for sample in dvdrental chinook; do
    fill "$sample" "${sample}_copy"
    move "$sample" "${sample}_copy" '"mode": "copy", "enums": "text", "foreignKeys": "disable", "triggers": "disable"'
    fill "$sample" "${sample}_there"
    on target postgres -c "CREATE DATABASE ${sample}_there"
    "$PGC_BIN/pg_dump" -s -h "$PGC_DIR/source" -U postgres "${sample}_there" | on target "${sample}_there" -o /dev/null
    move "$sample" "${sample}_there" '"mode": "existing", "indexes": "rebuild", "enums": "text", "foreignKeys": "disable", "triggers": "disable"'
done
