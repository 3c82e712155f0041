#!/usr/bin/env bash
# Brings ical.js, Thunderbird's reader of calendars, into target/ical.js, where the tests of feeds look for it. A folder
# of its own: npm takes away what it was not asked for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=2.2.1
package=target/ical.js/node_modules/ical.js/package.json

if grep -qs "\"version\": \"$version\"" "$package"; then exit 0; fi
npm install --prefix target/ical.js --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "ical.js@$version" >&2
