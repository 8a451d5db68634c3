"""The broker with every lock, one for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from guarded_kafka import GuardedKafka


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedKafka]:
    """Apache Kafka with a listener for each way in; see `guarded_kafka`."""
    # Here, because this file is read in environments without `cryptography` too.
    from guarded_kafka import guarded_kafka

    with guarded_kafka(Path(tmp_path_factory.mktemp("certificates"))) as made:
        yield made
