#!/usr/bin/env bash
# Measures what is promised in figures, and prints them: seats against raw SQL, the queue, the writer of feeds, how soon an
# edit through the API stands in the calendar, what many and large calendars take, and pages and calls where a business has a
# hundred thousand bookings. `make bench` calls it. It brings its own PostgreSQL and Redis.
# The figures are those of this machine as it is now: let nothing else run beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*" >&2; }

[ "${1:-}" = --measure ] || exec env CONCORD_POSTGRES_AUTOVACUUM=on scripts/services.sh with scripts/bench.sh --measure

step "seats against raw SQL"
cargo run --release -p concord-storage --example occupancy_bench
step "writing under load"
cargo run --release -p concord-storage --example write_load
step "the queue"
cargo run --release -p concord-jobs --example queue_bench
step "the writer of feeds"
cargo bench -p concord-domain --bench feed
step "from an edit to the calendar, and idle memory"
cargo bench --bench latency
step "very many rows, many calendars, and large ones"
CONCORD_TEST_PYTHON="$(scripts/python.sh)" scripts/postfix.sh with cargo bench --bench load
