#!/usr/bin/env python3
"""Fail when a page promises something that no test shows.

A promise is a sentence, and it carries the names of its tests as footnotes:

    A write blocks until there is room.[^full]

    [^full]: `tests/rust/writing.rs::a_full_queue_blocks`, `tests/python/unit/test_queue.py::test_it_blocks`

- Every test named in a footnote of any page exists: a Rust function under `#[test]`, or a Python function `test_...`.
- Every footnote that is used is defined, once, and the other way round.
- On the pages that are promises from top to bottom (PROMISES) every sentence and every row of a table ends with a
  footnote. What is said there without being promised (introductions, reasons, what is *not* promised) stands behind
  `<!-- not a promise -->`: beneath the heading of a section it holds for all of it, anywhere else for the block behind.

Only the standard library.

    check_promises.py [ROOT]    ROOT is this repository by default
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PROMISES = ("docs/delivery-guarantees.md", "docs/operating.md")

NOT_A_PROMISE = "<!-- not a promise -->"
HEADING = re.compile(r"(#+)\s")
DEFINITION = re.compile(r"\[\^([\w-]+)\]:\s*(.*)")
USED = re.compile(r"\[\^([\w-]+)\]")
TEST = re.compile(r"`([\w./-]+\.(?:py|rs))::([\w:]+)`")
RULE = re.compile(r"\|[\s:|-]+\|?")
# A sentence ends where a full stop (or its like) is followed by space and something that begins a sentence. Whatever
# closes or marks the sentence stands behind the stop.
END = re.compile(r"(?<=[a-z0-9)`*\"'%][.!?])((?:[)*\"']*)(?:\[\^[\w-]+\])*)\s+(?=[A-Z0-9`*\"(\[])")
MARKED = re.compile(r"(?:\[\^[\w-]+\])+[)*]*$")


@dataclass
class Block:
    """Some lines of a page that belong together: a paragraph, an item of a list, a row of a table."""

    line: int
    text: str
    promised: bool


@dataclass
class Page:
    """What a page says and which tests it names."""

    blocks: list[Block] = field(default_factory=list)
    definitions: list[tuple[int, str, str]] = field(default_factory=list)


def read(text: str) -> Page:  # noqa: C901 - one branch for each kind of line
    """Take a page apart. Code, comments, headings and the heads of tables are nobody's promise."""
    page = Page()
    section = block = True
    level = 0
    fenced = False
    begun = False  # Something was said in this section.
    open_block: Block | None = None
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        bare = line.strip()
        if bare.startswith("```"):
            fenced = not fenced
            open_block = None
            block = True
            begun = True
        elif fenced:
            continue
        elif match := HEADING.match(line):
            if section or len(match.group(1)) <= level:
                section, level = True, len(match.group(1))
            open_block, block, begun = None, True, False
        elif bare == NOT_A_PROMISE:
            open_block = None
            if begun or level == 1:
                block = False
            else:
                section = False
        elif match := DEFINITION.match(bare):
            page.definitions.append((number, match.group(1), match.group(2)))
            open_block = None
        elif page.definitions and open_block is None and line.startswith("    ") and bare:
            at, label, tests = page.definitions[-1]
            page.definitions[-1] = (at, label, f"{tests} {bare}")
        elif not bare:
            if open_block is not None and not open_block.text.startswith("|"):
                block = True
            open_block = None
        elif bare.startswith("|"):
            head = number < len(lines) and RULE.fullmatch(lines[number].strip())
            if not head and not RULE.fullmatch(bare):
                page.blocks.append(Block(number, bare, section and block))
            begun = True
        elif open_block is None or re.match(r"([-*+]|\d+\.)\s", bare):
            if open_block is not None:
                block = True
            open_block = Block(number, re.sub(r"^([-*+]|\d+\.)\s+", "", bare), section and block)
            page.blocks.append(open_block)
            begun = True
        else:
            open_block.text += f" {bare}"
    return page


def sentences(text: str) -> Iterator[str]:
    """Yield the sentences of a block; a row of a table is one."""
    if text.startswith("|"):
        yield text.rstrip("| ")
        return
    # Dots inside code end nothing.
    plain = re.sub(r"`[^`]*`", lambda code: "`" + "x" * (len(code.group()) - 2) + "`", text)
    at = 0
    for match in END.finditer(plain):
        yield text[at : match.end(1)].strip()
        at = match.end()
    yield text[at:].strip()


def exists(root: Path, file: str, name: str) -> bool:
    """Whether a file has a test of that name."""
    path = root / file
    if not path.is_file():
        return False
    code = path.read_text(encoding="utf-8")
    last = re.escape(name.rsplit("::", 1)[-1])
    if path.suffix == ".py":
        return last.startswith("test_") and re.search(rf"^\s*(?:async )?def {last}\(", code, re.MULTILINE) is not None
    # Attributes and comments may stand between.
    return re.search(rf"#\[test\]\s*(?:(?:#\[[^\n]*\]|//[^\n]*)\s*)*(?:async )?fn {last}\(", code) is not None


def check(root: Path) -> list[str]:
    """Return what is wrong with the pages of a repository, each as `file:line: what is wrong`."""
    problems = []
    for file in sorted((root / "docs").rglob("*.md")):
        where = file.relative_to(root)
        page = read(file.read_text(encoding="utf-8"))
        promises = where.as_posix() in PROMISES
        if not page.definitions and not promises:
            continue
        defined: dict[str, int] = {}
        for line, label, tests in page.definitions:
            if label in defined:
                problems.append(f"{where}:{line}: footnote [^{label}] is defined twice")
            defined[label] = line
            named = TEST.findall(tests)
            if not named:
                problems.append(f"{where}:{line}: footnote [^{label}] names no test; write `path::name`")
            missing = [f"{path}::{name}" for path, name in named if not exists(root, path, name)]
            problems += [f"{where}:{line}: there is no test {name}" for name in missing]
        used = {label: block.line for block in page.blocks for label in USED.findall(block.text)}
        problems += [
            f"{where}:{line}: footnote [^{label}] is not defined"
            for label, line in used.items()
            if label not in defined
        ]
        problems += [
            f"{where}:{line}: footnote [^{label}] is not used" for label, line in defined.items() if label not in used
        ]
        if promises:
            for block in page.blocks:
                if block.promised:
                    problems += [
                        f"{where}:{block.line}: promised without a test: {said}"
                        for said in sentences(block.text)
                        if not MARKED.search(said)
                    ]
    problems += [f"{page}:1: there is no such page" for page in PROMISES if not (root / page).is_file()]
    return problems


def main(arguments: Sequence[str]) -> int:
    """Check and print; return the exit code."""
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parent.parent
    problems = check(root.resolve())
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
