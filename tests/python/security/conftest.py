"""The broker with every lock, one for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from guarded_kafka import GuardedKafka, guarded_kafka


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """Apache Kafka with a listener for each way in; see `guarded_kafka`."""
    with guarded_kafka(Path(tmp_path_factory.mktemp("certificates"))) as made:
        yield made
