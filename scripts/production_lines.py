#!/usr/bin/env python3
"""Lines of Rust that are no tests, by crate: `scripts/production_lines.py [REVISION]`.

Left out: folders and modules of tests, benches, examples, fuzz targets, and what only tests are built with.
"""

import re
import subprocess
import sys
from collections import Counter

TEST_FOLDERS = {"tests", "benches", "examples", "fuzz", "testing"}
TEST_MODULE = re.compile(r"^#\[cfg\(test\)\]\n(?:#\[[^\n]*\]\n)*mod \w+ \{\n.*?^\}\n?", re.S | re.M)


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def is_production(path: str) -> bool:
    folders = path.removesuffix(".rs").split("/")
    return path.endswith(".rs") and not any(
        name in TEST_FOLDERS or name.endswith("_tests") for name in folders
    )


def main() -> None:
    revision = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    lines = Counter()
    for path in filter(is_production, git("ls-tree", "-r", "--name-only", revision).splitlines()):
        text = TEST_MODULE.sub("", git("show", f"{revision}:{path}"))
        lines[path.split("/")[0]] += text.count("\n")
    for crate, count in sorted(lines.items()):
        print(f"{count:7,} {crate}")
    print(f"{lines.total():7,} in all")


main()
