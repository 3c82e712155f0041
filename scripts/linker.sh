#!/bin/sh
# The C compiler as a linker, with mold or lld behind it where the machine has one. Cargo calls it (.cargo/config.toml).
if command -v mold >/dev/null 2>&1; then
  exec cc -fuse-ld=mold "$@"
elif command -v ld.lld >/dev/null 2>&1; then
  exec cc -fuse-ld=lld "$@"
fi
exec cc "$@"
