#!/usr/bin/env python3
"""Finds names in comments that nothing has: what a comment puts in backticks must be somewhere in the project.

    scripts/lint_comments.py
    scripts/lint_comments.py --self-test

A path (`foo::bar`) must be in one place: a file that is called so, or has all of its names. Words of the world outside, such
as fields of a provider's answers, are in scripts/lint_comments.allowed, one a line.
"""

import re
import sys
from pathlib import PurePath

from rust_source import ROOT, Source, read, tracked

ALLOWED = ROOT / "scripts/lint_comments.allowed"
WORD = re.compile(r"[A-Za-z_]\w*")
FENCE = re.compile(r"```.*?```", re.S)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAME = re.compile(r"(?:[A-Za-z_]\w*::)*[A-Za-z_]\w*(?:!|\(\))?")
# What names are looked for in beside Rust: all that is not a comment of Rust.
OTHERS = ("*.sql", "*.toml", "*.html", "*.txt", "*.ftl", "*.md", "*.py", "*.sh", "*.js", "*.css", "*.json", "*.yml", "Cargo.lock", "Makefile", "Dockerfile")
# Of the standard library and Rust itself: paths that begin so are not the project's.
FOREIGN = {"std", "core", "alloc"}


def words_of(file, text):
    """The names that a file has, those of its path among them; and its comments, where it is Rust."""
    path = set(WORD.findall(" ".join(PurePath(file).parts)))
    if not file.endswith(".rs"):
        return path | set(WORD.findall(text)), []
    source = Source(file, text)
    said = " ".join(part for _, part in source.texts)
    return path | set(WORD.findall(source.code)) | set(WORD.findall(said)), [(source, source.comments)]


def named_in(source, comments):
    """Where something is named, and the parts of its name."""
    for start, comment in comments:
        hidden = FENCE.sub(lambda m: " " * len(m.group()), comment)
        for match in SPAN.finditer(hidden):
            if NAME.fullmatch(match[1]):
                yield source.line(start + match.start()), match[1], WORD.findall(match[1])


def findings(files, crates, allowed):
    """Lines for what is named and nowhere: `files` are pairs of name and text."""
    places, comments = [], []
    for file, text in files:
        words, found = words_of(file, text)
        places.append(words)
        comments += found
    known, used = set().union(*places), set()
    for source, parts in comments:
        for line, name, words in named_in(source, parts):
            own = [word.removeprefix("concord_") for word in words if word not in ("crate", "self", "super", "Self")]
            if not own or own[0] in crates:
                continue
            here = all(word in known for word in own)
            if len(own) > 1 and here:
                here = any(all(word in place for word in own) for place in places)
            if not here and name in allowed:
                used.add(name)
            elif not here:
                yield f"{source.name}:{line}: `{name}` is nowhere; say what it is called now"
    for name in sorted(allowed - used):
        yield f"scripts/lint_comments.allowed:1: `{name}` needs no line any more"


def self_test():
    code = ("src/a.rs", "//! A.\nfn real_one() {} const TEXT: &str = \"SELECT a_column\";")

    def check(comment, bad):
        allowed = {"etag_of_theirs"} if "etag_of_theirs" in comment else set()
        found = list(findings([code, ("src/b.rs", f"{comment}\nfn other() {{}}")], {"tokio"}, allowed))
        assert bool(found) == bad, (comment, found)

    check("/// As `real_one`, `a_column` and `a::real_one` do, and `tokio::anything`.", False)
    check("/// As `etag_of_theirs` says; `not a name`, `x + y`.", False)
    check("// ```\n// `gone_one`\n// ```", True)
    check("/* As `gone_one` does. */", True)
    check("//! As `GoneType` does.", True)
    check("// As `a::other` does, which is in `b`.", True)
    assert "no line" in list(findings([code], set(), {"real_one"}))[0]
    check("fn f() { \"`gone_one`\"; }", False)


def main():
    if "--self-test" in sys.argv:
        return self_test()
    files = [(file, read(file)) for file in tracked("*.rs", *OTHERS) if not file.endswith("lint_comments.allowed")]
    crates = FOREIGN | {name.replace("-", "_") for name in re.findall(r'^name = "([^"]+)"', read("Cargo.lock"), re.M)}
    allowed = {line for line in ALLOWED.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}
    lines = list(findings(files, crates, allowed))
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
