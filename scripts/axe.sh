#!/usr/bin/env bash
# Brings axe-core, which judges whether pages can be read by everybody, into target/node, where the browser tests look
# for it. Without npm, or without a way to its registry, those tests hold our own rules only, and say so.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=4.14.1
package=target/node/node_modules/axe-core/package.json

if grep -qs "\"version\": \"$version\"" "$package"; then exit 0; fi
if ! command -v npm >/dev/null 2>&1; then
  echo "npm is not there, so the browser tests do without axe-core (Debian: apt-get install npm)" >&2
  exit 0
fi
npm install --prefix target/node --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "axe-core@$version" >&2 ||
  echo "axe-core could not be installed, so the browser tests do without it" >&2
