"""The extension module as a neighbour of others in one process."""

import shutil
import subprocess

import pytest


@pytest.mark.skipif(shutil.which("nm") is None, reason="binutils (nm) is missing")
def test_no_symbol_of_the_libraries_inside_is_exported() -> None:
    """Librdkafka, OpenSSL, lz4 and zstd of confluent-kafka live in the same process and must not meet ours."""
    from telewire import _core

    assert _core.__file__ is not None
    command = ["nm", "--dynamic", "--defined-only", "--format=posix", _core.__file__]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert [line.split()[0].lstrip("_") for line in told.splitlines()] == ["PyInit__core"]
