#!/usr/bin/env bash
# How fast a feed of 1,000 events that did not change is served, against nginx with the same bytes as a static file: both
# on this machine, in turn, asked by wrk, each writing its access log. `make bench-feeds` calls it.
#
# Fails where a promise is broken: at least 0.8 of nginx's requests a second; a reader who has it already (304) is
# answered faster than one who has not; after a change the next reader has it. It brings nginx and wrk from the system's
# packages where it may, and leaves nothing running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

events=1000
rounds="${ROUNDS:-3}"
seconds="${SECONDS_EACH:-5}"
connections="${CONNECTIONS:-16}"
least=0.8

say() { printf '%s\n' "$*" >&2; }
fail() { say "FAILED: $*"; failed=1; }

need() {
  command -v "$1" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$2" >&2 && return
  fi
  say "$1 is missing (Debian: apt-get install --no-install-recommends $2)"
  exit 1
}
PATH="$PATH:/usr/sbin:/sbin"
need nginx nginx-light
need wrk wrk
need curl curl
need python3 python3

[ -n "${CONCORD_BINARY:-}" ] || cargo build --release --quiet --bin concord
concord="${CONCORD_BINARY:-${CARGO_TARGET_DIR:-target}/release/concord}"

folder="$(mktemp -d "${TMPDIR:-/tmp}/concord-feeds.XXXXXX")"
started=()
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  wait || true
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
field() { python3 -c 'import json, sys; value = json.load(sys.stdin)
for key in sys.argv[1:]: value = value[int(key) if key.isdigit() else key]
print(value)' "$@"; }
until_there() {
  for _ in $(seq 300); do
    curl -fsS -o /dev/null "$1" 2>/dev/null && return
    sleep 0.1
  done
  say "nothing answers at $1"
  tail -20 "$folder"/*.log >&2
  exit 1
}

port="$(free_port)"
base="http://127.0.0.1:$port"
# The demo makes a business with a key; what is measured is the program as it is run for good, but for its limits.
"$concord" demo --listen "127.0.0.1:$port" --data "$folder/data" >"$folder/demo.log" 2>&1 &
demo=$!
started+=("$demo")
until_there "$base/readyz"
for _ in $(seq 300); do [ -s "$folder/data/demo.json" ] && break || sleep 0.1; done
kill "$demo" && wait "$demo" || true
CONCORD__DATA_DIR="$folder/data" CONCORD__SERVER__LISTEN="127.0.0.1:$port" \
  CONCORD__FEEDS__REQUESTS_PER_MINUTE_PER_TOKEN=60000000 CONCORD__FEEDS__REQUESTS_PER_MINUTE_PER_ADDRESS=60000000 \
  "$concord" serve >"$folder/concord.log" 2>&1 &
started+=($!)
until_there "$base/readyz"
key="$(field api_key <"$folder/data/demo.json")"
api() { curl -fsS -H "authorization: Bearer $key" -H 'content-type: application/json' "$@"; }

room="$(api -X POST "$base/api/v1/resources" -d '{"name": "Measured", "capacity": 1}' | field id)"
say "making $events bookings ..."
python3 - "$base" "$key" "$room" "$events" <<'PYTHON'
import datetime, http.client, json, sys, urllib.parse
base, key, room, events = sys.argv[1:]
connection = http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc)
first = datetime.date.today() + datetime.timedelta(days=10)
for number in range(int(events)):
    day = first + datetime.timedelta(days=number)
    body = {
        "resource": room, "check_in": day.isoformat(), "check_out": (day + datetime.timedelta(days=1)).isoformat(),
        "customer": {"name": f"Guest Number {number}", "email": f"guest{number}@example.org", "phone": "+351 912 000 111"},
        "party_size": 2,
    }
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    connection.request("PUT", f"/api/v1/bookings/measured-{number}", json.dumps(body), headers)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    answer.read()
PYTHON
feed="$(api -X POST "$base/api/v1/feeds" -d "{\"scope\": \"resource\", \"subject\": \"$room\", \"name\": \"Measured\", \"privacy\": \"full\"}" | field url)"
mkdir -p "$folder/www"
curl -fsS -D "$folder/headers" -o "$folder/www/feed.ics" "$feed"
tag="$(sed -n 's/^etag: *\(.*\)\r$/\1/Ip' "$folder/headers")"
found="$(grep -c '^BEGIN:VEVENT' "$folder/www/feed.ics")"
[ "$found" = "$events" ] || { say "the feed has $found events"; exit 1; }

nginx_port="$(free_port)"
# As Debian sets it up, but for the folders.
cat >"$folder/nginx.conf" <<EOF
worker_processes auto;
pid $folder/nginx.pid;
error_log $folder/nginx-error.log;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  types { text/calendar ics; }
  access_log $folder/nginx-access.log;
  client_body_temp_path $folder/nginx-body;
  proxy_temp_path $folder/nginx-proxy;
  fastcgi_temp_path $folder/nginx-fastcgi;
  uwsgi_temp_path $folder/nginx-uwsgi;
  scgi_temp_path $folder/nginx-scgi;
  # As with us: a connection serves until its reader has enough.
  keepalive_requests 100000000;
  server { listen 127.0.0.1:$nginx_port; root $folder/www; }
}
EOF
chmod -R a+rX "$folder"
nginx -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;' 2>"$folder/nginx-start.log" &
started+=($!)
until_there "http://127.0.0.1:$nginx_port/feed.ics"
cmp -s <(curl -fsS "http://127.0.0.1:$nginx_port/feed.ics") <(curl -fsS "$feed") || { say "the two do not serve the same"; exit 1; }

# Requests a second of one run.
asked() {
  local said
  said="$(wrk --threads 1 --connections "$connections" --duration "${seconds}s" "$@")"
  if grep -q 'Non-2xx\|Socket errors' <<<"$said"; then
    say "$said"
    return 1
  fi
  sed -n 's/^Requests\/sec: *//p' <<<"$said"
}
median() { sort -g | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

asked "$feed" >/dev/null
for round in $(seq "$rounds"); do
  asked "http://127.0.0.1:$nginx_port/feed.ics" >>"$folder/nginx.figures"
  asked "$feed" >>"$folder/concord.figures"
  asked -H "If-None-Match: $tag" "$feed" >>"$folder/again.figures"
  say "round $round: nginx $(tail -1 "$folder/nginx.figures"), Concord $(tail -1 "$folder/concord.figures"), 304 $(tail -1 "$folder/again.figures")"
done
nginx_figure="$(median <"$folder/nginx.figures")"
concord_figure="$(median <"$folder/concord.figures")"
again_figure="$(median <"$folder/again.figures")"
ratio="$(awk -v ours="$concord_figure" -v theirs="$nginx_figure" 'BEGIN { printf "%.2f", ours / theirs }')"

failed=0
printf 'a feed of %s events, %s bytes; %s connections, median of %s runs of %s s\n' \
  "$events" "$(stat -c %s "$folder/www/feed.ics")" "$connections" "$rounds" "$seconds"
printf '  nginx, a static file     %10s requests/s\n' "$nginx_figure"
printf '  Concord, 200             %10s requests/s   %s of nginx\n' "$concord_figure" "$ratio"
printf '  Concord, 304             %10s requests/s\n' "$again_figure"
awk -v ratio="$ratio" -v least="$least" 'BEGIN { exit !(ratio >= least) }' || fail "less than $least of nginx"
awk -v again="$again_figure" -v whole="$concord_figure" 'BEGIN { exit !(again > whole) }' || fail "a 304 is no faster than a 200"

for number in 1 2 3 4 5; do
  api -X PATCH "$base/api/v1/bookings/measured-1" -d "{\"customer\": {\"name\": \"Changed $number\"}}" >/dev/null
  curl -fsS -H "If-None-Match: $tag" -o "$folder/changed" "$feed"
  grep -q "Changed $number" "$folder/changed" || fail "a change does not show at once"
done
[ "$failed" = 0 ] && printf '  a change shows to the next reader\n'
exit "$failed"
