#!/usr/bin/env bash
# Measures the reader and the writer of iCalendar beside others that do the same work, and holds the figures against what
# is promised. It installs the others itself: libical from the system's packages, the rest below target/. `make
# bench-ical` calls it. The figures are those of this machine as it is now: let nothing else run beside it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

step() { printf '\n== %s\n' "$*" >&2; }

EVENTS=10000
MANY=100000
PASSES=3
ICALENDAR=7.3.0
ICAL_JS=2.2.1
sources="$PWD/domain/benches/ical"
work="$PWD/target/bench-ical"
mkdir -p "$work"

step "what is compared"
if [ ! -e /usr/include/libical/ical.h ]; then
  as_root=""
  [ "$(id -u)" = 0 ] || as_root="sudo -n"
  { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends libical-dev gcc libc6-dev; } >&2 ||
    { echo "libical is missing: sudo apt-get install --no-install-recommends libical-dev gcc libc6-dev" >&2; exit 1; }
fi
cc -O2 -o "$work/libical" "$sources/libical.c" -lical
if [ "$(cat "$work/python/installed" 2>/dev/null || true)" != "$ICALENDAR" ]; then
  python3 -m venv "$work/python"
  "$work/python/bin/python" -m pip install --quiet --disable-pip-version-check "icalendar==$ICALENDAR" >&2
  echo "$ICALENDAR" >"$work/python/installed"
fi
# For interest alone: nothing is promised against it.
if command -v npm >/dev/null && [ ! -d "$work/node_modules/ical.js" ]; then
  npm install --silent --no-audit --no-fund --prefix "$work" "ical.js@$ICAL_JS" >&2 || echo "ical.js is left out" >&2
fi
cp "$sources/peer.mjs" "$work/peer.mjs"
bench() { CARGO_TERM_QUIET=true cargo bench --quiet -p concord-domain --bench ical -- "$@"; }
bench feed "$EVENTS" "$work/feed.ics"
bench feed "$MANY" "$work/many.ics"

step "figures"
figures="$work/figures"
: >"$figures"
# By turns, so that a slow minute of the machine is one for all; the best of each counts.
for _ in $(seq "$PASSES"); do
  "$work/libical" "$work/feed.ics" "$EVENTS" >>"$figures"
  bench read "$work/feed.ics" >>"$figures"
  bench write "$EVENTS" >>"$figures"
done
"$work/python/bin/python" "$sources/peer.py" "$EVENTS" "$work/feed.ics" >>"$figures"
[ ! -d "$work/node_modules/ical.js" ] || node "$work/peer.mjs" "$EVENTS" "$work/feed.ics" >>"$figures"
bench memory "$work/many.ics" >>"$figures"

awk -F '\t' -v events="$EVENTS" -v many="$MANY" '
  NF == 2 && !($1 in best) { order[++count] = $1 }
  NF == 2 && (!($1 in best) || $2 < best[$1]) { best[$1] = $2 }
  function promise(what, is, least) {
    printf "%-64s %8.1f times, promised %5.0f  %s\n", what, is, least, is >= least ? "kept" : "BROKEN"
    if (is < least) broken = 1
  }
  END {
    for (i = 1; i <= count; i++)
      if (order[i] !~ /memory/) printf "%-28s %10.2f ms for %d events\n", order[i], best[order[i]], events
    print ""
    promise("reading and diffing against libical, which only parses", best["libical parses"] / best["concord reads and diffs"], 2)
    promise("writing against icalendar (Rust)", best["icalendar (Rust) writes"] / best["concord writes"], 20)
    promise("writing against icalendar (Python)", best["icalendar (Python) writes"] / best["concord writes"], 200)
    peak = best["concord'\''s memory, in MB"]
    kept = (peak > 0 && peak < 400) ? "kept" : "BROKEN"
    printf "%-64s %8.1f MB,    promised %5d  %s\n", "memory for reading and diffing " many " events", peak, 400, kept
    exit (broken || kept == "BROKEN")
  }' "$figures"
