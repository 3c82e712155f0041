#!/usr/bin/env bash
# Sees to it that everything is there which the tests need besides Rust: PostgreSQL, Redis, Chromium with its driver,
# Dovecot, Python, Node.js with npm, rustfmt and clippy, a C compiler. As root, or where sudo asks for no password, what is missing is installed
# from the system's packages; otherwise it is named, with the command that installs it.
#
#   scripts/tools.sh            check and install
#   scripts/tools.sh --check    only check
#   scripts/tools.sh --build    only what is needed to build
set -euo pipefail

say() { printf '%s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }
has_postgres() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || compgen -G '/usr/pgsql-*/bin/initdb' >/dev/null || has initdb; }
# Tests need the extension btree_gist, which some systems keep in a package of its own.
has_btree_gist() {
  compgen -G '/usr/share/postgresql/*/extension/btree_gist.control' >/dev/null ||
    compgen -G '/usr/pgsql-*/share/extension/btree_gist.control' >/dev/null ||
    { has pg_config && [ -e "$(pg_config --sharedir)/extension/btree_gist.control" ]; }
}
has_chromium() { has chromium || has chromium-browser || has google-chrome; }
has_venv() { has python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; }
has_redis() { has redis-server && has redis-cli; }
has_npm() { has node && has npm; }
has_dovecot() { has dovecot || [ -x /usr/sbin/dovecot ]; }
has_account_tools() { has setpriv && has flock; }
has_c_compiler() { has cc || has gcc || has clang; }

# What is missing, as names of Debian's packages.
missing_packages() {
  has_postgres && has_btree_gist || echo postgresql
  has_redis || echo redis-server
  has_chromium || echo chromium
  has chromedriver || echo chromium-driver
  has_venv || echo python3-venv
  has_dovecot && has openssl || echo dovecot-imapd openssl
  has_npm || echo nodejs npm
  has_account_tools || echo util-linux
  has_c_compiler || echo gcc libc6-dev
  has make || echo make
}

missing_components() {
  cargo fmt --version >/dev/null 2>&1 || echo rustfmt
  cargo clippy --version >/dev/null 2>&1 || echo clippy
}

if [ "${1:-}" = --build ]; then
  missing_packages() { has_c_compiler || echo gcc libc6-dev; }
  missing_components() { :; }
fi

list() { tr '\n' ' ' | sed 's/ *$//'; }

has cargo || { say "Rust is missing: see https://rustup.rs"; exit 1; }

packages="$(missing_packages | list)"
components="$(missing_components | list)"

if [ "${1:-}" != --check ]; then
  as_root=""
  if [ "$(id -u)" = 0 ]; then as_root="env"; elif has sudo && sudo -n true 2>/dev/null; then as_root="sudo"; fi
  if [ -n "$packages" ] && [ -n "$as_root" ] && has apt-get; then
    say "installing: $packages"
    # shellcheck disable=SC2086 # The lists are lists.
    { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends $packages; } >&2 || say "apt-get failed"
    packages="$(missing_packages | list)"
  fi
  if [ -n "$components" ] && has rustup; then
    # shellcheck disable=SC2086
    rustup component add $components >&2 || say "rustup failed"
    components="$(missing_components | list)"
  fi
fi

if [ -n "$packages" ]; then
  say "missing: $packages"
  say "  Debian, Ubuntu: sudo apt-get install --no-install-recommends $packages"
fi
if [ -n "$components" ]; then
  say "missing: $components"
  say "  rustup component add $components"
fi
[ -z "$packages$components" ]
