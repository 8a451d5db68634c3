"""The check of promises finds every sentence without a test and every test that is not there, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_promises.py"

RUST = """
#[test]
fn nothing_is_lost() {}

#[test]
#[ignore = "slow"] // for a reason
// and another
fn nothing_is_doubled() {}

fn no_test() {}
"""
PYTHON = """
def test_nothing_is_lost(broker: str) -> None: ...

@pytest.mark.asyncio
async def test_it_waits() -> None: ...

def lost() -> None: ...
"""
LOST = "[^lost]: `tests/rust/writing.rs::nothing_is_lost`\n"


def check(tree: Path, guarantees: str, **others: str) -> tuple[int, str]:
    pages = {"delivery-guarantees": guarantees, "operating": "# Operating\n"} | others
    files = {f"docs/{name}.md": text for name, text in pages.items()}
    files |= {"tests/rust/writing.rs": RUST, "tests/python/test_reading.py": PYTHON}
    for name, text in files.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    command = [sys.executable, str(SCRIPT), str(tree)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.stdout == ""
    return result.returncode, result.stderr


def test_every_promise_of_this_repository_names_a_test_that_exists() -> None:
    result = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "test",
    [
        "tests/rust/writing.rs::nothing_is_lost",
        "tests/rust/writing.rs::nothing_is_doubled",
        "tests/python/test_reading.py::test_nothing_is_lost",
        "tests/python/test_reading.py::test_it_waits",
    ],
)
def test_a_sentence_with_a_test_that_exists_passes(test: str, tmp_path: Path) -> None:
    assert check(tmp_path, f"# G\n\nNothing is lost.[^a]\n\n[^a]: `{test}`\n") == (0, "")


@pytest.mark.parametrize(
    "test",
    [
        "tests/rust/writing.rs::nothing_was_lost",
        "tests/rust/writing.rs::no_test",
        "tests/rust/reading.rs::nothing_is_lost",
        "tests/python/test_reading.py::lost",
        "tests/python/test_reading.py::test_nothing",
    ],
)
def test_a_test_that_does_not_exist_is_found_on_any_page(test: str, tmp_path: Path) -> None:
    page = f"# P\n\nNothing is lost.[^a]\n\n[^a]: {LOST.partition(': ')[2].strip()},\n    `{test}`\n"
    for pages in ({"guarantees": page}, {"guarantees": "# G\n", "security": page}):
        status, told = check(tmp_path, **pages)
        name = "security" if "security" in pages else "delivery-guarantees"
        assert (status, told) == (1, f"docs/{name}.md:5: there is no test {test}\n")


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("Nothing is lost.", "Nothing is lost."),
        ("Nothing is lost.[^lost] Never.", "Never."),
        ("Nothing is\nlost. Never ever.[^lost]", "Nothing is lost."),
        ("- Nothing is lost.[^lost]\n- Never.", "Never."),
        ("Thus:\n\n- Nothing is lost.[^lost]", "Thus:"),
        ("1. **Nothing** is lost.[^lost]\n2. `f()` is safe. And fast.[^lost]", "`f()` is safe."),
        ("| What | How |\n|---|---|\n| all | kept[^lost] |\n| some | lost |", "| some | lost"),
        ("See `a.b`. It holds.[^lost]", "See `a.b`."),
        ("Nothing is lost.[^lost] (Never.)", "(Never.)"),
    ],
)
def test_a_promise_without_a_test_is_found_and_quoted(said: str, missing: str, tmp_path: Path) -> None:
    status, told = check(tmp_path, f"# G\n\nNothing is lost.[^lost]\n\n{said}\n\n{LOST}")
    assert status == 1
    assert told.endswith(f"promised without a test: {missing}\n")
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize(
    "said",
    [
        "**Nothing is lost.**[^lost] `f. X` neither, nor 1.5 s of it.[^lost]",
        "| What | How |\n|:---|---:|\n| all | kept[^lost] |",
        "```\nNothing. Is. Promised.\n```",
        "<!-- not a promise -->\nWho knows. Nobody does.\n\nNothing is lost.[^lost]",
        "## Not\n\n<!-- not a promise -->\n\nMiracles.\n\n- Any.\n\n### Nor\n\nThese.\n\n## More\n\nNothing.[^lost]",
        "What is lost is lost: `a.b` is gone.[^lost]",
    ],
)
def test_what_is_shown_or_not_promised_passes(said: str, tmp_path: Path) -> None:
    assert check(tmp_path, f"# G\n\nNothing is lost.[^lost]\n\n{said}\n\n{LOST}") == (0, "")


def test_no_page_is_without_promises_as_a_whole(tmp_path: Path) -> None:
    status, told = check(tmp_path, f"# G\n\n<!-- not a promise -->\nThis page.\n\nThis.\n\n## A\n\nA.[^lost]\n\n{LOST}")
    assert (status, told) == (1, "docs/delivery-guarantees.md:6: promised without a test: This.\n")


def test_what_is_not_promised_ends_with_its_block_or_section(tmp_path: Path) -> None:
    mark = "<!-- not a promise -->"
    said = f"Here.[^lost]\n\n{mark}\nWho knows.\n\nThis. \n\n## A\n\n{mark}\n\nMay be.\n\n## B\n\nThat."
    status, told = check(tmp_path, f"# G\n\n{said}\n\n{LOST}")
    assert status == 1
    assert [line.rpartition(": ")[2] for line in told.splitlines()] == ["This.", "That."]


def test_footnotes_fit_their_definitions(tmp_path: Path) -> None:
    status, told = check(tmp_path, f"# G\n\nA.[^b]\n\n{LOST}{LOST}[^c]: by and by\n")
    assert status == 1
    for line, said in [
        (3, "footnote [^b] is not defined"),
        (6, "footnote [^lost] is defined twice"),
        (6, "footnote [^lost] is not used"),
        (7, "footnote [^c] names no test; write `path::name`"),
        (7, "footnote [^c] is not used"),
    ]:
        assert f"docs/delivery-guarantees.md:{line}: {said}\n" in told


def test_a_page_of_promises_that_is_gone_is_missed(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.returncode == 1
    assert "docs/delivery-guarantees.md:1: there is no such page" in result.stderr
