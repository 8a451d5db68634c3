"""Any configuration, override or whitelist file and any environment: settings, or an error that names the file."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ma_dataplatforms_streaming_support_library.core.base.errors import SupportLibraryError
from ma_dataplatforms_streaming_support_library.core.base.kafka_configuration import (
    Whitelist,
    override_file,
    whitelist,
)
from telewire import Config, ConfigError

# `make fuzz` asks for more.
EXAMPLES = int(os.environ.get("TELEWIRE_FUZZ_EXAMPLES", "150"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="TELEWIRE_FUZZ_EXAMPLES" not in os.environ,
)

NAMES = st.sampled_from(
    ["brokers", "domain", "layout", "timeout_s", "quiet_s", "security", "producer", "partition_mappings", "x", "ssl"]
)
VALUES = st.one_of(
    st.text(max_size=8).map(json.dumps),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["true", "[]", "{}", "[[[]]]", "{a=1}", "1979-05-27T07:32:00Z", "9" * 400, "0x" + "f" * 99]),
)
TOML = st.one_of(
    st.binary(max_size=200),
    st.lists(st.tuples(NAMES, VALUES), max_size=4).map(lambda rows: "\n".join(f"{n} = {v}" for n, v in rows).encode()),
    st.tuples(NAMES, NAMES, VALUES).map(lambda row: f"[{row[0]}]\n{row[1]} = {row[2]}".encode()),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "Publish": JSON,
        "consume": st.lists(
            st.dictionaries(
                st.sampled_from(["Pattern", "ALLOW", "x"]), st.text(max_size=4) | st.booleans(), max_size=3
            ),
            max_size=3,
        ),
    },
)
FILES = st.one_of(
    st.binary(max_size=100),
    JSON.map(lambda value: json.dumps(value).encode()),
    RULES.map(lambda value: json.dumps(value).encode()),
)


def is_clear(error: Exception, file: str = "") -> bool:
    return file in str(error) and str(error).isprintable()


def refusal(read: Callable[[], object], fits: Callable[[object], bool]) -> Exception | None:
    """The error, if it is one of ours; what was read must fit."""
    try:
        found = read()
    except (ConfigError, SupportLibraryError) as error:
        return error
    assert fits(found)
    return None


def in_file(name: str, content: bytes, use: Callable[[str], object]) -> object:
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        return use(str(path))


@fuzzed
@given(TOML)
@example(b"a = " + b"[" * 100_000)
@example(b"timeout_s = " + b"9" * 5000)
@example(b"timeout_s = " + b"9" * 400)
@example(b"[partition_mappings]\na = 99999999999")
@example(b"domain = '\xff'")
@example(b"#" * 2_000_000)
def test_any_toml_file_gives_settings_or_an_error_that_names_it(content: bytes) -> None:
    error = refusal(
        lambda: in_file("mine.toml", content, lambda path: Config.load(path, environment={})),
        lambda found: isinstance(found, Config),
    )
    assert error is None or is_clear(error, "mine.toml")


@fuzzed
@given(
    st.dictionaries(
        st.sampled_from(
            [
                "BROKER",
                "DOMAIN",
                "LAYOUT",
                "TIMEOUT_S",
                "PARTITION_MAPPINGS",
                "STRATEGY",
                "SECURITY__PROTOCOL",
                "SECURITY__X",
                "KAFKA__LINGER_MS",
                "NAMED_STREAM_FORM",
                "CONFIG",
            ]
        ),
        st.text(max_size=12),
    )
)
@example({"PARTITION_MAPPINGS": "a=²"})
@example({"PARTITION_MAPPINGS": "a=" + "9" * 5000})
@example({"CONFIG": "a\x00b"})
@example({"CONFIG": "/dev/zero"})
def test_any_environment_gives_settings_or_a_configuration_error(variables: dict[str, str]) -> None:
    environment = {f"TELEWIRE_{name}": value for name, value in variables.items()}
    error = refusal(lambda: Config.load(environment=environment), lambda found: isinstance(found, Config))
    assert error is None or is_clear(error)


@fuzzed
@given(FILES)
@example(b"[" * 100_000)
@example(b'{"a": ' + b"9" * 5000 + b"}")
@example(b'{"a": "\\ud800"}')
@example(b" " * 2_000_000)
def test_any_override_file_gives_properties_or_an_error_that_names_it(content: bytes) -> None:
    error = refusal(
        lambda: in_file("kafka.json", content, override_file),
        lambda found: isinstance(found, dict) and all(isinstance(value, str) for value in found.values()),
    )
    assert error is None or is_clear(error, "kafka.json")


@fuzzed
@given(FILES)
@example(b"[" * 100_000)
@example(b'{"Publish": {}}')
@example(b'{"Publish": [[]]}')
def test_any_whitelist_file_gives_rules_or_an_error_that_names_it(content: bytes) -> None:
    error = refusal(
        lambda: in_file("whitelist.json", content, whitelist),
        lambda found: isinstance(found, Whitelist) and found.allows("Publish", "linger.ms") in (True, False),
    )
    assert error is None or is_clear(error, "whitelist.json")


@fuzzed
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=8))
def test_patterns_of_the_whitelist_mean_what_they_say(pattern: str, name: str) -> None:
    def matches(pattern: str, name: str) -> bool:
        if not pattern:
            return not name
        if pattern[0] == "*":
            return matches(pattern[1:], name) or (bool(name) and matches(pattern, name[1:]))
        return bool(name) and pattern[0] in ("?", name[0]) and matches(pattern[1:], name[1:])

    assert Whitelist(publish=((pattern, True),)).allows("Publish", name.upper()) is matches(pattern, name)


def test_a_hostile_pattern_of_the_whitelist_takes_no_time() -> None:
    begun = time.monotonic()
    rules = Whitelist(publish=(("*a" * 60 + "b", True),))
    assert not rules.allows("Publish", "a" * 5000)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("name", ["kafka.json", "telewire.toml"])
def test_files_at_the_limit_are_read_and_larger_ones_are_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    read: Callable[[str], object] = override_file
    content, filler = b"{}", b" "
    if name.endswith("toml"):
        read = lambda path: Config.load(path, environment={})  # noqa: E731
        content, filler = b"", b"\n"
    for size in (2**20 - 1, 2**20):
        file.write_bytes(content + filler * (size - len(content)))
        read(str(file))
    file.write_bytes(content + filler * (2**20 + 1))
    with pytest.raises((ConfigError, SupportLibraryError), match="1,048,576 bytes"):
        read(str(file))
