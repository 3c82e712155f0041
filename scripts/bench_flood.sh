#!/usr/bin/env bash
# What people notice of a flood: sign-in and booking while 300 connections ask for whatever costs anything without having
# proven who they are, and the memory that it takes. `make bench-flood` calls it; CONCORD_BINARY= names a binary that is
# built already, SECONDS_EACH= how long it lasts. It fails where a promise is broken: both answered within a second (99 of
# 100), memory under 400 MB.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ -n "${CONCORD_BINARY:-}" ] || cargo build --release --quiet --bin concord
exec python3 scripts/bench_flood.py "${CONCORD_BINARY:-${CARGO_TARGET_DIR:-target}/release/concord}" "${SECONDS_EACH:-20}"
