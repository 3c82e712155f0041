#!/usr/bin/env bash
# Holds the OpenAPI document of a Concord that runs (its address is the argument) against redocly's recommended rules; ends
# with 1 if one of them is broken. It needs npm, and brings redocly into a folder of its own below target.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
url="${1:?the address of a Concord that runs, such as http://127.0.0.1:8080}"

version=2.77.0
folder=target/redocly
if ! grep -qs "\"version\": \"$version\"" "$folder/node_modules/@redocly/cli/package.json"; then
  npm install --prefix "$folder" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "@redocly/cli@$version" >&2
fi
curl -fsS "$url/api/openapi.json" -o "$folder/openapi.json"
REDOCLY_TELEMETRY=off "$folder/node_modules/.bin/redocly" lint "$folder/openapi.json"
