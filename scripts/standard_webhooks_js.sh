#!/usr/bin/env bash
# Brings the reference library of Standard Webhooks for JavaScript into target/standard-webhooks, where the tests look for it
# that hold our signatures against it. A folder of its own: npm takes away what it was not asked for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=1.1.1
package=target/standard-webhooks/node_modules/standardwebhooks/package.json

if grep -qs "\"version\": \"$version\"" "$package"; then exit 0; fi
npm install --prefix target/standard-webhooks --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "standardwebhooks@$version" >&2
