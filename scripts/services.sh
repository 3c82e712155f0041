#!/usr/bin/env bash
# A throw-away PostgreSQL and Redis on free loopback ports, for tests and for development.
#
#   eval "$(scripts/services.sh up)"     start them (or find them running) and set the variables that tests read
#   scripts/services.sh env              print the variables of what runs
#   scripts/services.sh down             stop them and delete their data
#   scripts/services.sh crash-postgres   end PostgreSQL at once, as a fault would
#   scripts/services.sh start-postgres   start it again, on its port and with its data
#   scripts/services.sh with COMMAND     start a set of its own, run the command with the variables, stop it again
#
# CONCORD_SERVICES_DIR names the folder that remembers what runs (default: target/services), so that several sets can
# run side by side. Nothing is durable: a stop deletes every byte.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
state="${CONCORD_SERVICES_DIR:-$PWD/target/services}"
remembered="$state/env"

say() { printf '%s\n' "$*" >&2; }
fail() { say "services: $*"; exit 1; }

# The newest PostgreSQL's folder of programs: Debian keeps initdb and pg_ctl out of PATH.
postgres_programs() {
  local newest
  newest="$(find /usr/lib/postgresql/*/bin /usr/pgsql-*/bin -maxdepth 1 -name initdb 2>/dev/null | sort -V | tail -n 1)"
  [ -n "$newest" ] || newest="$(command -v initdb || true)"
  [ -n "$newest" ] || fail "PostgreSQL's server is missing: run scripts/tools.sh"
  dirname "$newest"
}

# PostgreSQL refuses to run as root, so root hands both servers to an unprivileged account.
account=""
if [ "$(id -u)" = 0 ]; then
  for candidate in postgres nobody; do
    if id "$candidate" >/dev/null 2>&1; then account="$candidate"; break; fi
  done
  [ -n "$account" ] || fail "run as root there must be an account 'postgres' or 'nobody' to run PostgreSQL"
fi
# Its primary group is kept and all others dropped; descriptor 9 is the lock, which no server may inherit.
as_account() {
  if [ -n "$account" ]; then
    setpriv --reuid "$account" --regid "$(id -g "$account")" --clear-groups -- "$@" 9>&-
  else
    "$@" 9>&-
  fi
}

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below the range that the kernel gives to outgoing connections, so that none of those can take it meanwhile.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((15000 + RANDOM % 17000))
    if ! is_taken "$port"; then echo "$port"; return; fi
  done
  fail "found no free port"
}

random_word() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

start_postgres() {
  local data="$1" password="$2" programs
  programs="$(postgres_programs)"
  mkdir -p "$data"
  printf '%s\n' "$password" >"$data/password"
  [ -z "$account" ] || chown -R "$account" "$data"
  # md5, because a debug build of the client needs 50 ms a connection for the 4,096 rounds of SCRAM.
  (cd "$data" && as_account "$programs/initdb" --pgdata="$data/cluster" --username=postgres --encoding=UTF8 \
    --locale=C --auth=md5 --pwfile="$data/password" --no-sync >"$data/initdb.log" 2>&1) ||
    { cat "$data/initdb.log" >&2; fail "initdb failed"; }
  # Losing this data in a crash is no loss; 300 connections, because every test has a database and pools of its own. Measurements
  # have autovacuum on, as in life: without it the plans of a table's first rows are kept when it has thousands.
  cat >>"$data/cluster/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 300
shared_buffers = 128MB
fsync = off
synchronous_commit = off
full_page_writes = off
max_wal_size = 1GB
autovacuum = ${CONCORD_POSTGRES_AUTOVACUUM:-off}
autovacuum_naptime = 5s
timezone = 'UTC'
log_timezone = 'UTC'
CONF
  # Another process may take the port between the look and the start: then try the next one.
  for _ in 1 2 3 4 5; do
    postgres_port="$(free_port)"
    if (cd "$data" && as_account "$programs/pg_ctl" start --wait --timeout=60 --silent --pgdata="$data/cluster" \
      --log="$data/postgres.log" --options="-p $postgres_port" >/dev/null 2>&1); then
      return
    fi
  done
  cat "$data/postgres.log" >&2
  fail "PostgreSQL did not start"
}

start_redis() {
  local data="$1" password="$2" conf="$1/redis.conf"
  command -v redis-server >/dev/null || fail "redis-server is missing: run scripts/tools.sh"
  mkdir -p "$data"
  for _ in 1 2 3 4 5; do
    redis_port="$(free_port)"
    rm -f "$data/redis.pid"
    # A file and not arguments: a process list shows arguments to everybody.
    (umask 077 && printf '%s\n' "port $redis_port" "bind 127.0.0.1" "requirepass $password" 'save ""' "appendonly no" \
      "dir $data" "daemonize yes" "pidfile $data/redis.pid" "logfile $data/redis.log" >"$conf")
    [ -z "$account" ] || chown -R "$account" "$data"
    as_account redis-server "$conf" >/dev/null
    for _ in $(seq 100); do
      if [ "$(redis_process "$redis_port" "$password")" = "$(cat "$data/redis.pid" 2>/dev/null || echo none)" ]; then
        return
      fi
      grep -q 'Address already in use' "$data/redis.log" 2>/dev/null && break
      sleep 0.05
    done
  done
  cat "$data/redis.log" >&2
  fail "Redis did not start"
}

# The process that answers on a port with our password, so that a stranger's Redis is never taken for ours.
redis_process() {
  REDISCLI_AUTH="$2" redis-cli -p "$1" info server 2>/dev/null | tr -d '\r' | sed -n 's/^process_id://p'
}

# A process that has ended but that nobody has waited for yet ("Z") does not count.
lives() { kill -0 "$1" 2>/dev/null && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; }
runs() { [ -s "$1" ] && lives "$(head -n 1 "$1")"; }

data_folder() { sed -n 's/^# data: //p' "$remembered" 2>/dev/null || true; }

are_running() {
  local data
  data="$(data_folder)"
  [ -n "$data" ] && runs "$data/postgres/cluster/postmaster.pid" && runs "$data/redis/redis.pid"
}

stop_process() {
  local pid signal="$2"
  [ -s "$1" ] || return 0
  pid="$(head -n 1 "$1")"
  kill -s "$signal" "$pid" 2>/dev/null || return 0
  for _ in $(seq 200); do
    lives "$pid" || return 0
    sleep 0.05
  done
  kill -s KILL "$pid" 2>/dev/null || true
}

down() {
  local data
  data="$(data_folder)"
  rm -f "$remembered"
  [ -n "$data" ] && [ -d "$data" ] || return 0
  # QUIT is PostgreSQL's immediate stop: the data goes next anyway.
  stop_process "$data/postgres/cluster/postmaster.pid" QUIT
  stop_process "$data/redis/redis.pid" TERM
  rm -rf "$data"
}

up() {
  if are_running; then cat "$remembered"; return; fi
  down
  local data postgres_password redis_password
  # Not below the checkout: the unprivileged account may not be able to enter it.
  data="$(mktemp -d "${TMPDIR:-/tmp}/concord-services.XXXXXX")"
  chmod 711 "$data"
  (umask 077 && printf '# data: %s\n' "$data" >"$remembered")
  trap 'down' EXIT # Until all is up, a failure leaves nothing behind.
  postgres_password="$(random_word)"
  redis_password="$(random_word)"
  start_postgres "$data/postgres" "$postgres_password"
  start_redis "$data/redis" "$redis_password"
  {
    echo "export CONCORD_TEST_POSTGRES_URL='postgres://postgres:$postgres_password@127.0.0.1:$postgres_port/postgres'"
    echo "export CONCORD_TEST_REDIS_URL='redis://default:$redis_password@127.0.0.1:$redis_port/'"
  } >>"$remembered"
  trap - EXIT
  cat "$remembered"
}

# Nothing is said to its clients, and nothing written: it recovers when it starts.
crash_postgres() {
  local data
  data="$(data_folder)"
  [ -n "$data" ] || fail "nothing runs: scripts/services.sh up"
  stop_process "$data/postgres/cluster/postmaster.pid" QUIT
}

start_postgres_again() {
  local data port
  data="$(data_folder)"
  [ -n "$data" ] || fail "nothing is there: scripts/services.sh up"
  ! runs "$data/postgres/cluster/postmaster.pid" || return 0
  port="$(sed -n 's/.*CONCORD_TEST_POSTGRES_URL=.*:\([0-9]*\)\/.*/\1/p' "$remembered")"
  (cd "$data/postgres" && as_account "$(postgres_programs)/pg_ctl" start --wait --timeout=60 --silent \
    --pgdata="$data/postgres/cluster" --log="$data/postgres/postgres.log" --options="-p $port" >/dev/null 2>&1) ||
    { cat "$data/postgres/postgres.log" >&2; fail "PostgreSQL did not start again"; }
}

# A set of its own, so that neither a developer's nor another run's is stopped at the end.
with_services() {
  local variables
  CONCORD_SERVICES_DIR="$(mktemp -d "${TMPDIR:-/tmp}/concord-services-of.XXXXXX")"
  export CONCORD_SERVICES_DIR
  trap 'scripts/services.sh down; rm -rf "$CONCORD_SERVICES_DIR"' EXIT
  trap 'exit 130' INT TERM HUP
  variables="$(scripts/services.sh up)"
  eval "$variables"
  "$@"
}
if [ "${1:-}" = with ]; then
  shift
  with_services "$@"
  exit
fi

mkdir -p "$state"
exec 9>"$state/lock"
flock 9

case "${1:-}" in
  up) up ;;
  down) down ;;
  crash-postgres) crash_postgres ;;
  start-postgres) start_postgres_again ;;
  env) if are_running; then cat "$remembered"; else fail "nothing runs: scripts/services.sh up"; fi ;;
  *) sed -n '2,12s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
