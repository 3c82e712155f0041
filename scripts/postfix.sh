#!/usr/bin/env bash
# A throw-away Postfix on a free loopback port, which takes every mail, queues it on the disk as in life and then discards it.
#
#   scripts/postfix.sh with COMMAND   start one, run the command with CONCORD_BENCH_SMTP_URL, CONCORD_BENCH_SMTP_LOG and
#                                     CONCORD_BENCH_SMTP_PID, stop it and delete its files
#
# Its configuration, queue and log are in a folder of its own: a Postfix of this machine is neither read nor changed. It must
# be started by root, as every Postfix. If it is missing it is installed from the system's packages, which does not start it.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "postfix: $*"; exit 1; }

[ "${1:-}" = with ] && [ $# -gt 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }
shift
[ "$(id -u)" = 0 ] || fail "must be started by root"

install_postfix() {
  command -v apt-get >/dev/null || fail "is missing: install the package postfix"
  say "installing: postfix"
  # Without a configuration it has nothing to start with.
  { apt-get update -q && echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections &&
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postfix; } >&2 || fail "could not be installed"
}
command -v postfix >/dev/null || install_postfix

# Below the range that the kernel gives to outgoing connections.
free_port() {
  local port
  for _ in $(seq 100); do
    port=$((15000 + RANDOM % 17000))
    if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then echo "$port"; return; fi
  done
  fail "found no free port"
}

folder="$(mktemp -d "${TMPDIR:-/tmp}/concord-postfix.XXXXXX")"
chmod 755 "$folder"
stop() {
  postfix -c "$folder/etc" stop >/dev/null 2>&1 || true
  # It answers before its processes are gone.
  for _ in $(seq 100); do
    postfix -c "$folder/etc" status >/dev/null 2>&1 || break
    sleep 0.05
  done
  rm -rf "$folder"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP

port="$(free_port)"
programs="$(postconf -h -d daemon_directory)"
mkdir "$folder/etc" "$folder/spool" "$folder/data"
chown postfix "$folder/data"
# Nothing leaves this machine: whatever the address, the transport is "discard".
cat >"$folder/etc/main.cf" <<CONF
compatibility_level = 3.6
queue_directory = $folder/spool
data_directory = $folder/data
daemon_directory = $programs
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.bench.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
local_transport = discard:
default_transport = discard:
relay_transport = discard:
alias_maps =
alias_database =
local_recipient_maps =
maillog_file = $folder/mail.log
maillog_file_prefixes = $folder
CONF
cat >"$folder/etc/master.cf" <<CONF
127.0.0.1:$port inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
CONF
postfix -c "$folder/etc" start >"$folder/start.log" 2>&1 || { cat "$folder/start.log" >&2; fail "did not start"; }

export CONCORD_BENCH_SMTP_URL="smtp://127.0.0.1:$port?tls=none"
export CONCORD_BENCH_SMTP_LOG="$folder/mail.log"
CONCORD_BENCH_SMTP_PID="$(tr -d ' ' <"$folder/spool/pid/master.pid")"
export CONCORD_BENCH_SMTP_PID
"$@"
