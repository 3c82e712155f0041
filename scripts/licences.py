#!/usr/bin/env python3
"""Holds the dependencies against deny.toml: licences, several versions of one crate, sources.

    scripts/licences.py              cargo-deny where it is installed, otherwise the checks here
    scripts/licences.py --own        the checks here in any case
    scripts/licences.py --self-test

Only advisories need cargo-deny. Everything here works without a network.
"""

import collections
import json
import re
import shutil
import subprocess
import sys
import tomllib

from rust_source import ROOT

CRATES_IO = "registry+https://github.com/rust-lang/crates.io-index"


def allowed(expression, allow):
    """Whether a licence expression (SPDX, and the older `MIT/Apache-2.0`) can be met with what is allowed."""
    expression = re.sub(r"\s+WITH\s+", "~", expression or "").replace("/", " OR ")
    tokens = re.findall(r"[()]|[^\s()]+", expression)
    names = {name.replace(" WITH ", "~") for name in allow}

    def either():
        met = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            other = both()
            met = met or other
        return met

    def both():
        met = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            other = one()
            met = met and other
        return met

    def one():
        if not tokens:
            return False
        token = tokens.pop(0)
        if token == "(":
            met = either()
            if tokens:
                tokens.pop(0)
            return met
        return token in names

    return either() and not tokens


def problems(packages, deny):
    """What is wrong, and what is only worth knowing."""
    errors, notes = [], []
    for package in packages:
        label = f"{package['name']}@{package['version']}"
        if not allowed(package["license"], deny["licenses"]["allow"]):
            errors.append(f"{label}: licence {package['license'] or 'not named'} is not allowed; use another crate, or add it with a reason")
        if package["source"] not in (None, CRATES_IO):
            errors.append(f"{label}: comes from {package['source']}; only crates.io is allowed")
    skipped = {entry["crate"] for entry in deny["bans"]["skip"]}
    versions = collections.defaultdict(list)
    for package in packages:
        versions[package["name"]].append(package["version"])
    for name, found in sorted(versions.items()):
        rest = [version for version in found if f"{name}@{version}" not in skipped]
        if len(rest) > 1:
            notes.append(f"{name}: versions {', '.join(sorted(rest))}; update who asks for the older, or skip it with a reason")
    for crate in sorted(skipped - {f"{p['name']}@{p['version']}" for p in packages}):
        notes.append(f"{crate}: is skipped but not used here")
    return errors, notes


def packages():
    """The packages that are built on this system; others' need not have been downloaded."""
    version = subprocess.run(["rustc", "-vV"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    host = re.search(r"host: (\S+)", version)[1]
    command = ["cargo", "metadata", "--locked", "--offline", "--format-version", "1", "--all-features"]
    done = subprocess.run([*command, "--filter-platform", host], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cargo metadata failed:\n{done.stderr}")
    metadata = json.loads(done.stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    return [package for package in metadata["packages"] if package["id"] in used]


def self_test():
    allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause"]
    for expression in ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR MIT) AND BSD-3-Clause", "Apache-2.0 WITH LLVM-exception"]:
        assert allowed(expression, allow), expression
    for expression in [None, "", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH Other", "(MIT OR GPL-3.0) AND GPL-2.0", "MIT )"]:
        assert not allowed(expression, allow), expression
    deny = {"licenses": {"allow": allow}, "bans": {"skip": [{"crate": "a@1.0.0"}, {"crate": "gone@1.0.0"}]}}
    package = lambda name, version, licence="MIT", source=CRATES_IO: {"name": name, "version": version, "license": licence, "source": source}
    assert problems([package("a", "1.0.0"), package("a", "2.0.0"), package("gone", "1.0.0")], deny) == ([], [])
    errors, notes = problems([package("a", "2.0.0"), package("a", "3.0.0"), package("b", "1.0.0", "GPL-3.0"), package("c", "1.0.0", source="git+https://x")], deny)
    assert len(errors) == 2 and "GPL-3.0" in errors[0] and "git+" in errors[1], errors
    assert notes[0].startswith("a: versions 2.0.0, 3.0.0") and len(notes) == 3, notes


def main():
    if "--self-test" in sys.argv:
        return self_test()
    if shutil.which("cargo-deny") and "--own" not in sys.argv:
        sys.exit(subprocess.run(["cargo", "deny", "--all-features", "check"], cwd=ROOT).returncode)
    with open(ROOT / "deny.toml", "rb") as file:
        deny = tomllib.load(file)
    errors, notes = problems(packages(), deny)
    for text in notes:
        print(f"deny.toml: note: {text}")
    for text in errors:
        print(f"deny.toml: {text}")
    sys.exit(1 if errors else 0)


if __name__ == "__main__":
    main()
