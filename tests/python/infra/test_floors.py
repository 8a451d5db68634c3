"""The floors check catches every way of breaking the order of the house, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "check_floors.py"

LIB = "pub mod error;\npub mod packet;\npub mod kafka;\npub use error::{Error, Result};\npub use kafka::Client;\n"


def check(tree: Path, files: dict[str, str]) -> tuple[int, str]:
    for name, code in ({"lib.rs": LIB} | files).items():
        file = tree / "src" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(code)
    command = [sys.executable, str(SCRIPT), str(tree / "src")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert result.stdout == ""
    return result.returncode, result.stderr


def test_this_repository_is_in_order() -> None:
    result = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False, timeout=30)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    "code",
    [
        "use crate::kafka::Producer;",
        "use crate::{error::Error, kafka::{self, Producer}};",
        "use crate::{error::Error as E, kafka as k};",
        "use crate::{\n    error::{Error, Result},\n    kafka,\n};",
        "fn f() { crate::kafka::start() }",
        "fn f(p: &crate::kafka::Producer) {}",
        "use super::super::kafka::Producer;",
        "fn f() { let _ = super::super::kafka::start(); }",
        "mod tests { use super::super::super::kafka::Producer; }",
        "mod a { mod b {} mod c { fn f() { super::super::super::super::kafka::start() } } }",
        "macro_rules! m { () => { $crate::kafka::start() } }",
        "use crate::Client;",
        "pub(crate) use crate::kafka::Producer;",
        "#[cfg(test)]\nmod tests { use crate::kafka::Producer; }",
        "const OPEN: char = '{';\nuse crate::kafka::Producer;",
        'const S: &str = "a \\" // b";\nuse crate::kafka::Producer;',
        "fn f<'a>(x: &'a str) -> &'a str { crate::kafka::g(x) }",
    ],
)
def test_a_path_to_a_higher_floor_is_found(code: str, tmp_path: Path) -> None:
    status, told = check(tmp_path, {"packet/decode.rs": f"//! Room.\n{code}\n"})
    assert status == 1
    assert "`packet` names `kafka`, which is on a higher floor" in told
    assert told.startswith("src/packet/decode.rs:")


def test_the_line_is_named(tmp_path: Path) -> None:
    code = '//! Room.\n/* two\nlines */\nconst A: &str = r#"\n"{#;"#;\nuse crate::kafka::Producer;\n'
    _, told = check(tmp_path, {"packet.rs": code})
    assert told.startswith("src/packet.rs:6:")


@pytest.mark.parametrize(
    "code",
    [
        "use crate::error::{Error, Result};",
        "use crate::{Error, Result};",
        "use super::columns::Columns;",
        "use self::inner::X; mod inner { use super::super::columns::Columns; pub struct X; }",
        "mod tests { use super::*; use super::super::columns::Columns; }",
        "pub(crate) fn f() {} pub(in crate::packet) fn g() {} pub(super) struct S;",
        "//! See [`crate::kafka`] and crate::kafka::Producer.\n/* crate::kafka */ // use crate::kafka;",
        'const S: &str = "crate::kafka::Producer"; const R: &str = r"crate::kafka";',
        'const T: &[u8] = br#"crate::kafka::"quoted"Producer"#; const C: &CStr = c"crate::kafka";',
        "use std::io::Error; use other::kafka::Producer; fn kafka() { kafka() }",
    ],
)
def test_what_is_allowed_passes(code: str, tmp_path: Path) -> None:
    assert check(tmp_path, {"packet/decode.rs": f"{code}\n"}) == (0, "")


@pytest.mark.parametrize("file", ["lib.rs", "packet.rs", "kafka/producer.rs", "stream/writer.rs"])
@pytest.mark.parametrize("code", ["use pyo3::prelude::*;", '#[cfg_attr(feature = "python", pyo3::pyclass)] struct S;'])
def test_pyo3_is_named_under_the_roof_only(file: str, code: str, tmp_path: Path) -> None:
    status, told = check(tmp_path, {file: code})
    assert status == 1
    assert "names pyo3, which only src/python/ may" in told


def test_numpy_is_named_under_the_roof_only(tmp_path: Path) -> None:
    status, told = check(tmp_path, {"packet.rs": "fn f(a: numpy::PyArray1<f64>) {}"})
    assert status == 1
    assert "names numpy" in told


def test_the_roof_may_name_pyo3_and_everything_below(tmp_path: Path) -> None:
    code = "use pyo3::prelude::*;\nuse numpy::PyArray1;\nuse crate::kafka::Producer;\nuse crate::error::Error;\n"
    assert check(tmp_path, {"python.rs": code, "python/arrays.rs": code}) == (0, "")


def test_a_circle_on_one_floor_is_found(tmp_path: Path) -> None:
    files = {
        "proto.rs": "use crate::packet::A;",
        "packet/a.rs": "use crate::topic::B;",
        "topic.rs": "use crate::proto::C;",
    }
    status, told = check(tmp_path, files)
    assert status == 1
    assert told.count("circle between rooms") == 1
    assert all(f"`{room}`" in told or room in told for room in ("proto", "packet", "topic"))


def test_neighbours_without_a_circle_pass(tmp_path: Path) -> None:
    assert check(tmp_path, {"packet.rs": "use crate::proto::A;", "proto.rs": "pub struct A;"}) == (0, "")


def test_a_room_without_a_floor_is_refused(tmp_path: Path) -> None:
    status, told = check(tmp_path, {"utils.rs": "pub fn f() {}"})
    assert status == 1
    assert "the room `utils` is on no floor" in told


def test_a_glob_over_the_crate_is_refused(tmp_path: Path) -> None:
    status, told = check(tmp_path, {"packet.rs": "use crate::*;"})
    assert status == 1
    assert "hides which floors are named" in told
