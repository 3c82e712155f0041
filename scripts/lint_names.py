#!/usr/bin/env python3
"""Holds names, sizes and comments against docs/glossary.md and the limits below.

    scripts/lint_names.py                what is new is an error
    scripts/lint_names.py --list [TEXT]  everything, what is on the allowed list too
    scripts/lint_names.py --update       writes today's state to scripts/lint_names.allowed, which is to shrink
    scripts/lint_names.py --self-test
"""

import collections
import re
import sys

from rust_source import ROOT, SQL, Source, read, tracked

FILE_LINES, FUNCTION_LINES, TEST_NAME, TYPE_PLACES, DOC_WORDS = 450, 75, 60, 2, 4
ALLOWED = ROOT / "scripts/lint_names.allowed"
GLOSSARY = "docs/glossary.md"

IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")
TYPE = re.compile(r"\b(?:struct|enum|trait|union)\s+([A-Z]\w*)")
ALIAS = re.compile(r"[{}]|\btype\s+([A-Z]\w*)[^;{}]*=")
MODULE = re.compile(r"\bmod\s+([a-z]\w*)\s*[;{]")
FUNCTION = re.compile(r"\bfn\s+(\w+)")
TEST = re.compile(r"#\[(?:\w+::)*test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([^)]*\))?\s+)?(?:async\s+)?fn\s+(\w+)")
SHORT_DOC = re.compile(r"(?:^[ \t]*///[^\n]*\n)+", re.M)
# What options of a command and the fields of answers say of themselves, and all of the API: it is published.
PUBLISHED = re.compile(
    r"#\[(?:cfg_attr\([^,\]]*,\s*)?derive\([^)]*\b(?:ToSchema|Parser|Args|Subcommand|ValueEnum)\b[^)]*\)+\](?:\s*#\[[^\]]*\])*\s*(?:pub(?:\([^)]*\))?\s+)?(?:struct|enum)\s+\w+"
)
API = "src/http/api/"
PUBLIC = re.compile(r"^[ \t]*(pub (?:async |const |unsafe )*(?:fn|struct|enum|trait|union|type|static|const)\s+\w+)", re.M)
UNDOCUMENTED = ("testing", "benches", "domain/fuzz")
PATH = re.compile(r"(?:^|/)(?:tests?|benches)/|_tests?\.rs$|/tests?\.rs$")

# A finding: the check and the key that it is counted under, where, what, and how much (1, or a size).
Finding = collections.namedtuple("Finding", "check key file line text size")


def snake(name):
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z])([A-Z][a-z])", r"\1_\2", name).lower().strip("_")


class Words:
    """The table of names that are refused."""

    def __init__(self, markdown):
        rows = re.findall(r"^\| `(.+?)` \| (any|type|module|test) \| (.+?) \|$", markdown, re.M)
        self.rows = [(pattern.replace("\\|", "|"), where, say) for pattern, where, say in rows]
        self.known = {}
        for where in ("any", "type", "module", "test"):
            whole = where in ("type", "module")
            edge = ("^", "$") if whole else (r"(?:^|_)", r"(?:_|$)")
            self.known[where] = [
                (p, re.compile(f"{edge[0]}(?:{p}){edge[1]}"), say) for p, w, say in self.rows if w == where
            ]
        self.seen = {}

    def find(self, name, where):
        if (name, where) not in self.seen:
            words = snake(name)
            self.seen[name, where] = [(p, say) for p, regex, say in self.known[where] if regex.search(words)]
        return self.seen[name, where]


def names(words, file, wheres_and_names, line_of):
    for where, name, position in wheres_and_names:
        for pattern, say in words.find(name, where):
            text = f"`{name}` is refused by {GLOSSARY}; say {say}"
            yield Finding("name", f"{where}:{pattern}", file, line_of(position), text, 1)


def identifiers_of(source):
    """Where to look for it, name, position: of code, and of the SQL in its texts."""
    test = bool(PATH.search(source.name))
    for match in IDENTIFIER.finditer(source.code):
        yield "any", match.group(), match.start()
        if test:
            yield "test", match.group(), match.start()
    for match in TYPE.finditer(source.code):
        yield "type", match[1], match.start()
    for match in MODULE.finditer(source.code):
        if source.code[match.end() - 1] == "{":  # `mod x;` is a file, which is looked at itself.
            yield "module", match[1], match.start()
    for start, text in source.texts:
        if SQL.search(text):
            for position, name in sql_names(text):
                yield "any", name, start + position


def sql_names(text):
    text = re.sub(r"--[^\n]*|'[^'\n]*'", lambda m: " " * len(m.group()), text)
    return [(m.start(), m.group()) for m in IDENTIFIER.finditer(text)]


def file_names(file):
    """Of a path each folder is a module, and so is the file."""
    for part in re.sub(r"\.\w+$", "", file).split("/"):
        yield "any", part, 0
        yield "module", part, 0


def types_of(source):
    """Names that are defined here; a type within an impl or a trait is that trait's."""
    for match in TYPE.finditer(source.code):
        yield match[1], match.start()
    heads = []
    for match in ALIAS.finditer(source.code):
        if match.group() == "{":
            head = re.split(r"[;{}]", source.code[max(0, match.start() - 600) : match.start()])[-1]
            heads.append(bool(re.search(r"\b(?:impl|trait)\b", head)))
        elif match.group() == "}":
            heads and heads.pop()
        elif not (heads and heads[-1]):
            yield match[1], match.start()


def sizes_of(source):
    count = source.text.count("\n")
    if count > FILE_LINES:
        yield Finding("file", source.name, source.name, 1, f"{count} lines; split it by what it is about ({FILE_LINES})", count)
    for match in FUNCTION.finditer(source.code):
        body = source.body(match.end())
        if body:
            count = source.code.count("\n", match.start(), body[1]) + 1
            if count > FUNCTION_LINES:
                text = f"`{match[1]}` has {count} lines; give its steps functions with names ({FUNCTION_LINES})"
                yield Finding("function", f"{source.name}:{match[1]}", source.name, source.line(match.start()), text, count)
    for match in TEST.finditer(source.code):
        if len(match[1]) > TEST_NAME:
            text = f"`{match[1]}` has {len(match[1])} characters; subject, then behaviour ({TEST_NAME})"
            yield Finding("test-name", source.name.split("/")[0], source.name, source.line(match.end(1)), text, 1)


def short_docs_of(source):
    if source.name.startswith(API):
        return
    published = [source.body(match.end()) for match in PUBLISHED.finditer(source.code)]
    for match in SHORT_DOC.finditer(source.text):
        said = re.sub(r"^\s*///", "", match.group(), flags=re.M).split()
        within = any(body and body[0] <= match.start() < body[1] for body in published)
        if len(said) < DOC_WORDS and not within:
            text = f"`/// {' '.join(said)}` says little; say what the signature does not, or delete it"
            yield Finding("short-doc", source.name.split("/")[0], source.name, source.line(match.start()), text, 1)


def missing_docs_of(source):
    """What rustc's `missing_docs` asks for, but not of fields and variants, whose names say enough."""
    if PATH.search(source.name) or source.name.startswith(UNDOCUMENTED):
        return
    if not source.text.startswith("//!"):
        text = "begin the file with `//!`: what it is for"
        yield Finding("missing-doc", source.name.split("/")[0], source.name, 1, text, 1)
    lines = source.text[: -1].split("\n")
    for match in PUBLIC.finditer(source.code):
        number = source.line(match.start(1))
        above = number - 2
        while above >= 0 and not re.match(r"\s*(?:$|//)|.*[;{}]$", lines[above]):
            above -= 1
        if above < 0 or not lines[above].lstrip().startswith("///"):
            text = f"`{match[1]}` is public; say what the signature does not"
            yield Finding("missing-doc", source.name.split("/")[0], source.name, number, text, 1)


def findings(files, words):
    """All that is found in `files`: pairs of name and text."""
    types = collections.defaultdict(list)
    for file, text in files:
        yield from names(words, file, file_names(file), lambda _: 1)
        if file.endswith(".rs"):
            source = Source(file, text)
            yield from names(words, file, identifiers_of(source), source.line)
            yield from sizes_of(source)
            yield from short_docs_of(source)
            yield from missing_docs_of(source)
            for name, position in types_of(source):
                types[name].append((source, position))
            continue
        line_of = lambda position, text=text: text.count("\n", 0, position) + 1
        if file.endswith(".sql"):
            found = sql_names(text)
        elif file.endswith(".toml"):
            found = [(m.start(1), part) for m in re.finditer(r"^\s*\[?([\w.]+)\s*[\]=]", text, re.M) for part in m[1].split(".")]
        else:  # A template: what stands between its braces, without texts.
            found = []
            for m in re.finditer(r"\{\{.*?\}\}|\{%.*?%\}", text, re.S):
                inner = re.sub(r'"(?:[^"\\]|\\.)*"', lambda t: " " * len(t.group()), m.group())
                found += [(m.start() + i.start(), i.group()) for i in IDENTIFIER.finditer(inner)]
        yield from names(words, file, (("any", name, position) for position, name in found), line_of)
    for name, places in types.items():
        if len(places) > TYPE_PLACES:
            others = ", ".join(sorted({source.name for source, _ in places}))
            for source, position in places:
                text = f"`{name}` names {len(places)} types ({others}); name each after what it is"
                yield Finding("type", name, source.name, source.line(position), text, 1)


def totals(found):
    """Counts are added up, of sizes the largest counts."""
    total = collections.Counter()
    for one in found:
        at = (one.check, one.key)
        total[at] = max(total[at], one.size) if one.check in ("file", "function") else total[at] + one.size
    return total


def compare(found, allowed):
    """What to print as errors: what is above the allowed list, and what on that list is no longer needed."""
    total, lines = totals(found), []
    for one in found:
        at = (one.check, one.key)
        if total[at] > allowed.get(at, 0):
            more = f" [{total[at]}, allowed {allowed[at]}]" if at in allowed else ""
            lines.append(f"{one.file}:{one.line}: {one.text}{more}")
    for check, key in sorted(set(allowed) - set(total)):
        lines.append(f"scripts/lint_names.allowed:1: {check} {key} no longer occurs; delete its line (--update)")
    return lines


def read_allowed():
    allowed = {}
    for line in ALLOWED.read_text(encoding="utf-8").splitlines() if ALLOWED.exists() else []:
        if line and not line.startswith("#"):
            check, key, size = line.split("\t")
            allowed[check, key] = int(size)
    return allowed


def self_test():
    words = Words(read(GLOSSARY))
    assert len(words.rows) > 25, "the table of refused names in the glossary is not read"
    assert snake("HTTPOutsideChange") == "http_outside_change" and snake("in_doubt") == "in_doubt"

    def checks(text, file="src/x.rs"):
        return sorted({(one.check, one.key.split(":")[0]) for one in findings([(file, text)], words)})

    def bad(check, text, file="src/x.rs"):
        assert any(c == check for c, _ in checks(text, file)), (check, text)

    def good(text, file="src/x.rs"):
        text = f"//! A module.\n\n{text}" if file.endswith(".rs") else text
        assert checks(text, file) == [], (text, checks(text, file))

    bad("name", "fn claim_duty() {}")
    bad("name", "struct DutyKind;")
    bad("name", "struct Wish;")
    bad("name", "mod kept { }")
    bad("name", 'const Q: &str = "SELECT id FROM duties";')
    bad("name", "fn house() {}", "tests/it/x.rs")
    bad("name", "ALTER TABLE duties ADD x", "migrations/sqlite/1.sql")
    bad("name", "<p>{{ booking.seat }}</p>", "templates/x.html")
    bad("name", "[duty]\n", "config/x.toml")
    bad("name", "", "src/duty.rs")
    good("// a duty\n/* seat /* duty */ duty */ fn house() { say(\"this duty\", r#\"a \"duty\"\"#, 'd'); let wish = 1; }")
    good("<p>duty {{ \"duty\"|safe }}</p>", "templates/x.html")
    good("UPDATE jobs SET kind = 'duty' -- a duty", "migrations/sqlite/1.sql")
    good("fn seattle() {} struct Overseat;")
    bad("type", "struct A; mod b { enum A {} } mod c { type A = u8; }")
    good("struct A; enum A {} impl X for Y { type A = u8; } impl X for Z { type A = u8; }")
    bad("short-doc", "/// The id.\nfn f() {}")
    good("/// The\n/// id, in\n/// seconds.\nfn f() {}")
    good("#[derive(Args)]\nstruct A {\n    /// The id.\n    b: u8,\n}")
    good("/// The id.\nfn f() {}", "src/http/api/x.rs")
    bad("missing-doc", "//! X.\n\npub fn f() {}")
    bad("missing-doc", "fn f() {}\n")
    good("/// Does f to what it is given.\n#[x]\npub async fn f() {}\nfn g() {}\n")
    bad("file", "\n" * (FILE_LINES + 1))
    bad("function", "fn f<const N: usize>(x: [u8; 2]) -> u8 {\n" + "\n" * FUNCTION_LINES + "}")
    good("fn f();\n" + "\n" * (FUNCTION_LINES + 9) + "fn g() { '{'; \"}\"; }\n" + "\n" * (FUNCTION_LINES + 9))
    bad("test-name", f"#[tokio::test]\nasync fn a{'b' * TEST_NAME}() {{}}")
    good(f"fn a{'b' * TEST_NAME}() {{}}")

    found = list(findings([("src/x.rs", "//! X.\nfn duty() { duty(); }")], words))
    at = ("name", found[0].key)
    assert len(compare(found, {})) == 2 and len(compare(found, {at: 1})) == 2 and compare(found, {at: 2}) == []
    assert "no longer" in compare([], {at: 2})[0]


def main():
    if "--self-test" in sys.argv:
        return self_test()
    files = tracked("*.rs", "*.sql", "templates", "config/*.toml")
    files = [file for file in files if re.search(r"\.(rs|sql|toml|html|txt)$", file)]
    found = list(findings([(file, read(file)) for file in files], Words(read(GLOSSARY))))
    if "--update" in sys.argv:
        lines = [f"{check}\t{key}\t{size}" for (check, key), size in sorted(totals(found).items())]
        head = "# What scripts/lint_names.py allows for now: check, key, how many (or how long). It only shrinks: see --update there.\n"
        ALLOWED.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
        return
    if "--list" in sys.argv:
        text = sys.argv[-1] if sys.argv[-1] != "--list" else ""
        lines = [f"{one.file}:{one.line}: {one.text}" for one in found]
        lines = [line for line in lines if text in line]
        print("\n".join(lines))
        return
    lines = compare(found, read_allowed())
    print("\n".join(lines), end="\n" if lines else "")
    sys.exit(1 if lines else 0)


if __name__ == "__main__":
    main()
