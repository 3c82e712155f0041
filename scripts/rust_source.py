"""Reads Rust source for the lints: what is code, what is text, where a block ends. Standard library only."""

import functools
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Raw strings first: what begins like a word is one only after `r`, `b`, `c`. Lifetimes are not characters.
_TOKEN = re.compile(
    r"""(?P<line>//[^\n]*)|(?P<block>/\*)|(?P<raw>\b(?:br|cr|r)(?P<hashes>\#*)".*?"(?P=hashes))"""
    r"""|(?P<text>\b[bc]?"(?:[^"\\]|\\.)*"|"(?:[^"\\]|\\.)*")|(?P<char>\bb?'(?:[^'\\\n]|\\[^\n][^'\n]*)'|'(?:[^'\\\n]|\\[^\n][^'\n]*)')""",
    re.S,
)
_BLOCK = re.compile(r"/\*|\*/")
SQL = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE (?:TABLE|INDEX)|ALTER TABLE)\b")


def _blank(text):
    return re.sub(r"[^\n]", " ", text)


class Source:
    """A file as its code (comments and texts blanked, every position kept), its texts and its comments."""

    def __init__(self, name, text):
        self.name, self.text, self.texts, self.comments = name, text, [], []
        out, at = [], 0
        while match := _TOKEN.search(text, at):
            end = match.end()
            out.append(text[at : match.start()])
            if match["block"]:
                depth = 1
                while depth and (other := _BLOCK.search(text, end)):
                    depth += 1 if other.group() == "/*" else -1
                    end = other.end()
                if depth:
                    end = len(text)
            elif match["raw"] or match["text"]:
                self.texts.append((match.start(), match.group()))
            if match["line"] or match["block"]:
                self.comments.append((match.start(), text[match.start() : end]))
            out.append(_blank(text[match.start() : end]))
            at = end
        out.append(text[at:])
        self.code = "".join(out)

    def line(self, position):
        return self.text.count("\n", 0, position) + 1

    @functools.cached_property
    def ends(self):
        """For each opening brace the position of its closing one."""
        ends, open_ = {}, []
        for match in re.finditer(r"[{}]", self.code):
            if match.group() == "{":
                open_.append(match.start())
            elif open_:
                ends[open_.pop()] = match.start()
        return ends

    def body(self, position):
        """The braces of the function whose head goes on at `position`, or None where it has no body."""
        depth = 0
        for match in re.finditer(r"[(){}\[\];]", self.code[position : position + 6000]):
            mark = match.group()
            if mark in "([":
                depth += 1
            elif mark in ")]":
                depth -= 1
            elif depth == 0:
                start = position + match.start()
                return (start, self.ends.get(start, start)) if mark == "{" else None
        return None


def tracked(*patterns):
    """The project's files, those not yet added too, without what is ignored or deleted."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in sorted(set(names.split("\0"))) if name and (ROOT / name).is_file()]


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")
