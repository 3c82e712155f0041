#!/usr/bin/env python3
"""Finds circles between the modules of a crate: siblings that need each other, directly or through others.

    scripts/lint_cycles.py               what is not on the allowed list is an error
    scripts/lint_cycles.py --list        every circle with the places that make it
    scripts/lint_cycles.py --update      writes today's circles to scripts/lint_cycles.allowed, which is to shrink
    scripts/lint_cycles.py --self-test

A module stands for all below it. What a child takes from its parent's own file is no edge between siblings; what it takes
through the parent's `pub use` is one to the sibling that defines it. Tests do not count.
"""

import collections
import json
import re
import subprocess
import sys

from rust_source import ROOT, Source, read, tracked

ALLOWED = ROOT / "scripts/lint_cycles.allowed"
TEST_FILE = re.compile(r"(?:^|/)tests?/|(?:^|/|_)tests?\.rs$")
TEST_MODULE = re.compile(r"#\[cfg\((?:test|any\(test,[^\]]*|feature\s*=[^\]]*)\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?mod\s+(\w+)\s*([;{])")
USE = re.compile(r"\b(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);")
PATH = re.compile(r"\b(?:crate|super|self)(?:\s*::\s*\w+)+")
DEFINED = re.compile(r"\b(?:struct|enum|trait|union|type|fn|const|static|macro_rules!|mod)\s+(?:mut\s+)?(\w+)")


def use_tree(text, prefix=()):
    """The paths of a `use`, each with the name that it brings."""
    text = text.strip()
    brace = text.find("{")
    if brace < 0:
        path, _, alias = re.sub(r"\s+as\s+", " ", text).partition(" ")
        parts = tuple(part.strip() for part in path.split("::") if part.strip())
        if parts and parts[-1] == "self" and len(prefix + parts) > 1:
            parts = parts[:-1]
        full = prefix + parts
        return [(full, alias.strip() or full[-1])] if full else []
    head = prefix + tuple(part.strip() for part in text[:brace].split("::") if part.strip())
    found, depth, start = [], 0, brace + 1
    for at in range(brace, len(text)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if (text[at] == "," and depth == 1) or (text[at] == "}" and depth == 0):
            found += use_tree(text[start:at], head) if text[start:at].strip() else []
            start = at + 1
    return found


class Crate:
    """A crate's modules (paths from its root) and what each file of them takes from which module."""

    def __init__(self, files):
        self.files, excluded = {}, set()
        for name, text in files.items():
            if TEST_FILE.search(name):
                continue
            parts = tuple(re.sub(r"\.rs$", "", name).split("/"))
            module = parts[:-1] if parts[-1] in ("mod", "lib", "main") else parts
            source = Source(name, text)
            code = source.code
            for match in reversed(list(TEST_MODULE.finditer(code))):
                # Texts are blank in the code: that the feature is the tests' own stands in the source.
                if "test" not in source.text[match.start() : source.text.index("]", match.start())]:
                    continue
                if match[2] == ";":
                    excluded.add(module + (match[1],))
                    continue
                end = source.ends.get(match.end() - 1, match.end())
                code = code[: match.start()] + re.sub(r"[^\n]", " ", code[match.start() : end + 1]) + code[end + 1 :]
            self.files.setdefault(module, []).append((source, code))
        for module in list(self.files):
            if any(module[: len(out)] == out for out in excluded):
                del self.files[module]
        self.modules = {module[:n] for module in self.files for n in range(len(module) + 1)}
        self.defined, self.exported = {}, collections.defaultdict(dict)
        for module, sources in self.files.items():
            self.defined[module] = {name for _, code in sources for name in DEFINED.findall(code)}
            for _, code in sources:
                for match in USE.finditer(code):
                    for path, name in use_tree(match[2]) if match[1] else []:
                        at = self.absolute(module, path)
                        if at is not None:
                            self.exported[module].setdefault(name, []).append(at)

    def absolute(self, module, path):
        """A written path from the crate's root; None where it leads out of the crate."""
        if path[0] == "crate":
            return path[1:]
        at, path = module, list(path)
        if path[0] not in ("self", "super"):
            return module + tuple(path) if module + (path[0],) in self.modules else None
        while path and path[0] in ("self", "super"):
            if path.pop(0) == "super":
                if not at:
                    return None
                at = at[:-1]
        return at + tuple(path)

    def owner(self, path, depth=0):
        """The module in which what a path names is defined, through `pub use`."""
        module = path
        while module not in self.modules:
            module = module[:-1]
        rest = path[len(module) :]
        if not rest or depth > 8 or rest[0] in self.defined.get(module, ()):
            return module
        exported = self.exported.get(module, {})
        for target in exported.get(rest[0], []):
            if target != path:
                return self.owner(target + rest[1:], depth + 1)
        for target in exported.get("*", []):
            below = target[:-1] + rest
            if below != path:
                found = self.owner(below, depth + 1)
                if rest[0] in self.defined.get(found, ()):
                    return found
        return module

    def edges(self):
        """By parent: from child to child, with the places."""
        found = collections.defaultdict(lambda: collections.defaultdict(list))
        for module, sources in self.files.items():
            for source, code in sources:
                places = []
                for match in USE.finditer(code):
                    # What is handed on is needed by whoever takes it from here.
                    if not match[1] or match[1].strip() == "pub(self)":
                        places += [(path, match.start()) for path, _ in use_tree(match[2]) if path]
                rest = USE.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), code)
                for match in PATH.finditer(rest):
                    if not rest[: match.start()].endswith(("pub(in ",)):
                        places.append((tuple(re.split(r"\s*::\s*", match.group())), match.start()))
                for path, position in places:
                    inner = path[:-1] if path[-1] == "*" else path
                    target = self.absolute(module, inner) if inner else None
                    if target is None:
                        continue
                    target = self.owner(target)
                    common = 0
                    while common < min(len(module), len(target)) and module[common] == target[common]:
                        common += 1
                    if common < len(module) and common < len(target):
                        place = f"{source.name}:{source.line(position)}"
                        found[module[:common]][module[common], target[common]].append((place, "::".join(path)))
        return found


def circles(pairs):
    """The strongly connected sets of more than one, by Tarjan."""
    graph = collections.defaultdict(list)
    for start, end in pairs:
        graph[start].append(end)
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph.get(node, ()):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def check(crate, files, folder=""):
    """Each circle: (crate, parent), its modules, and its edges with their places."""
    found = []
    for parent, edges in sorted(Crate(files).edges().items()):
        for members in circles(edges):
            inner = {pair: [(folder + place, path) for place, path in places] for pair, places in edges.items() if set(pair) <= set(members)}
            found.append(("::".join((crate, *parent)), members, inner))
    return found


def describe(where, members, edges):
    """The edges that are made by the fewest places come first: they are the ones to cut."""
    places = sorted(edges.items(), key=lambda edge: (len(edge[1]), edge[0]))
    (start, end), first = places[0]
    lines = [
        f"{first[0][0]}: `{where}`: {', '.join(members)} need each other; "
        f"move what {start} takes from {end} ({first[0][1]}) to where both may take it from"
    ]
    lines += [f"    {a} -> {b}: {len(at)} at {', '.join(place for place, _ in at[:3])}" for (a, b), at in places[:12]]
    return "\n".join(lines)


def read_allowed():
    allowed = []
    for line in ALLOWED.read_text(encoding="utf-8").splitlines() if ALLOWED.exists() else []:
        if line and not line.startswith("#"):
            where, edges, members = line.split("\t")
            allowed.append((where, int(edges), members.split()))
    return allowed


def compare(found, allowed):
    """Errors: circles with a member or an edge more than is allowed, and what is allowed but gone."""
    lines, used = [], set()
    for where, members, edges in found:
        for at, (place, limit, known) in enumerate(allowed):
            if place == where and set(members) <= set(known):
                used.add(at)
                if len(edges) > limit:
                    lines.append(f"{describe(where, members, edges)}\n    [{len(edges)} edges, allowed {limit}]")
                break
        else:
            lines.append(describe(where, members, edges))
    for at, (where, _, members) in enumerate(allowed):
        if at not in used:
            lines.append(f"scripts/lint_cycles.allowed:1: {where}: {' '.join(members)} is no circle any more; delete its line (--update)")
    return lines


def workspace():
    """All circles of all crates. A crate is a folder with src/lib.rs or src/main.rs."""
    command = ["cargo", "metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)["packages"]
    found = []
    for package in sorted(packages, key=lambda package: package["name"]):
        folder = package["manifest_path"].removesuffix("Cargo.toml").removeprefix(f"{ROOT}/") + "src/"
        files = {name.removeprefix(folder): read(name) for name in tracked(f"{folder}*.rs")}
        found += check(package["name"].removeprefix("concord-"), files, folder)
    return found


def self_test():
    def found(**files):
        files = {name.replace("__", "/") + ".rs": text for name, text in files.items()}
        return [(where, members) for where, members, _ in check("x", files)]

    root = "mod a; mod b;"
    assert found(lib=root, a="use crate::b::B; struct A;", b="use crate::a::A; struct B;") == [("x", ["a", "b"])]
    assert found(lib=root, a="use super::{b::{self, B}};", b="fn f() { crate::a::g() }") == [("x", ["a", "b"])]
    assert found(lib=root, a="use crate::b::B;", b="// crate::a\nconst X: &str = \"crate::a\";") == []
    assert found(lib=root, a="use crate::b;", b="#[cfg(test)]\nmod tests { use crate::a; }") == []
    assert found(lib=root, a="use crate::b;", b="#[cfg(test)] mod tests;", b__tests="use crate::a;") == []
    assert found(lib=root, a="use crate::b;", b="#[cfg(test)] mod checks;", b__checks="use crate::a;") == []
    assert found(lib='mod b; #[cfg(any(test, feature = "testing"))] pub mod a;', a="use crate::b;", b="use crate::a;") == []
    assert found(lib='mod b; #[cfg(feature = "testing")] pub mod a;', a="use crate::b;", b="use crate::a;") == []
    assert found(lib='mod b; #[cfg(feature = "sqlx")] pub mod a;', a="use crate::b;", b="use crate::a;") == [("x", ["a", "b"])]
    # Of three, through a folder; a deeper file counts as its folder.
    three = found(lib="", a__mod="", a__x="use crate::b::y;", b__mod="", b__y="use crate::c;", c="use crate::a::x::Z;")
    assert three == [("x", ["a", "b", "c"])], three
    # Within a folder; and the parent's own file is no sibling, its re-export is one.
    assert found(a__mod="mod x; mod y;", a__x="use super::y::Y;", a__y="use super::x::X;") == [("x::a", ["x", "y"])]
    assert found(a="mod x; struct P; fn f() { x::g() }", a__x="use super::P; pub fn g() {}") == []
    assert found(a="pub use x::X; mod x; mod y;", a__x="use super::y::Y; pub struct X;", a__y="use super::X; pub struct Y;") == [("x::a", ["x", "y"])]
    assert found(a="pub use x::*; mod x; mod y;", a__x="use super::y::Y; pub struct X;", a__y="use crate::a::X;") == [("x::a", ["x", "y"])]
    assert found(a="pub use x::X; mod x; mod y;", a__x="pub struct X;", a__y="use super::X;") == []

    one = check("x", {"a.rs": "use crate::b;", "b.rs": "use crate::a;"})
    assert compare(one, []) and compare(one, [("x", 1, ["a", "b"])]) and not compare(one, [("x", 2, ["a", "b", "c"])])
    assert "no circle any more" in compare([], [("x", 2, ["a", "b"])])[0]


def main():
    if "--self-test" in sys.argv:
        return self_test()
    found = workspace()
    if "--update" in sys.argv:
        lines = [f"{where}\t{len(edges)}\t{' '.join(members)}" for where, members, edges in found]
        head = "# Circles that scripts/lint_cycles.py allows for now: parent, edges, modules. It only shrinks: see --update there.\n"
        ALLOWED.write_text(head + "".join(f"{line}\n" for line in lines), encoding="utf-8")
        return
    lines = [describe(*circle) for circle in found] if "--list" in sys.argv else compare(found, read_allowed())
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(1 if lines and "--list" not in sys.argv else 0)


if __name__ == "__main__":
    main()
