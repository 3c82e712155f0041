#!/usr/bin/env bash
# Attacks the reader and the writer of iCalendar with inputs that are bred by what they reach, FUZZ_SECONDS (60) for each
# target, or for the one that is named: `scripts/fuzz.sh zones`. It installs cargo-fuzz below target/ and needs no nightly
# compiler: without a sanitizer, all that it asks of the compiler is stable. What is found is kept in
# domain/fuzz/regressions, where each test run tries it again. `make fuzz` calls it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

CARGO_FUZZ=0.13.2
seconds="${FUZZ_SECONDS:-60}"
tools="$PWD/target/fuzz-tools"
[ $# -gt 0 ] || set -- reader zones recurrence writer

if [ ! -e "$tools/$CARGO_FUZZ" ]; then
  command -v c++ >/dev/null || { echo "a C++ compiler is missing: sudo apt-get install --no-install-recommends g++" >&2; exit 1; }
  cargo install --quiet --locked --version "$CARGO_FUZZ" --root "$tools" cargo-fuzz
  touch "$tools/$CARGO_FUZZ"
fi
export PATH="$tools/bin:$PATH"

cd domain
for target in "$@"; do
  printf '\n== %s, %s s\n' "$target" "$seconds" >&2
  bred="$PWD/../target/fuzz/corpus/$target"
  found="$PWD/fuzz/regressions/$target"
  mkdir -p "$bred" "$found"
  # No input takes a second, however slow the machine is.
  cargo fuzz run --sanitizer none --debug-assertions --target-dir ../target/fuzz "$target" \
    "$bred" "fuzz/seeds/$target" "$found" -- \
    -max_total_time="$seconds" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/"
  rmdir --ignore-fail-on-non-empty "$found"
done
