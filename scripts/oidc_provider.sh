#!/usr/bin/env bash
# Brings oidc-provider, a certified OpenID Connect issuer that is not ours, into target/oidc-provider, where the test of signing
# in looks for it. A folder of its own: npm takes away what it was not asked for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=9.13.3
package=target/oidc-provider/node_modules/oidc-provider/package.json

if grep -qs "\"version\": \"$version\"" "$package"; then exit 0; fi
npm install --prefix target/oidc-provider --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "oidc-provider@$version" >&2
