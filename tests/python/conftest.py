"""What all Python tests share: the brokers, a name of one's own on them, and that nothing is skipped in CI."""

import importlib.util
import os
import signal
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from kafka_cluster import assert_ready, kafka_cluster

# Two environments, one folder of tests. Beside quixstreams only tests marked `peers` are collected, because nothing
# else needs to be importable there; everywhere else modules that are `peers` as a whole are left out.
BESIDE_QUIXSTREAMS = importlib.util.find_spec("quixstreams") is not None


def pytest_configure() -> None:
    """Listen to Ctrl-C: a shell lets what it runs in the background ignore it, and so would the programs under test."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the test files of the other environment."""
    if not (collection_path.name.startswith("test_") and collection_path.suffix == ".py"):
        return None
    text = collection_path.read_text()
    if BESIDE_QUIXSTREAMS:
        return "mark.peers" not in text or None
    return "pytestmark = pytest.mark.peers" in text or None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a skip as a failure in CI: what was not run was not tested."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which counts as a failure in CI: {reason}"
    return report


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """Address of Apache Kafka: the cluster in TELEWIRE_TEST_BROKERS, or one broker for this run of the tests."""
    if given := os.environ.get("TELEWIRE_TEST_BROKERS"):
        assert_ready(given)
        yield given
        return
    with kafka_cluster() as cluster:
        assert_ready(cluster.address)
        yield cluster.address


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """Address of an embedded broker in memory, one for this run of the tests."""
    # Here, because the tests of the scripts run without telewire being built.
    import telewire

    with telewire.Broker() as broker:
        yield broker.address


@pytest.fixture(params=["embedded", "kafka"])
def broker(request: pytest.FixtureRequest) -> str:
    """Address of each broker in turn: what is tested with this holds on both."""
    address = request.getfixturevalue(request.param)
    assert isinstance(address, str)
    return address


@pytest.fixture
def domain() -> str:
    """A domain of this test's own, so that tests share a cluster without seeing each other."""
    return f"Test{uuid.uuid4().hex[:12]}"
