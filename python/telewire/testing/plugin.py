"""The pytest plugin behind `telewire.testing`; pytest finds it by its entry point.

telewire itself is imported only when a fixture is used, so that test runs which do not use it pay nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telewire import Client


@pytest.fixture
def telewire_broker() -> Iterator[str]:
    """Address of an embedded broker that lives as long as the test: empty at first, gone afterwards."""
    from telewire.testing import broker

    with broker() as address:
        yield address


@pytest.fixture
def telewire_client(telewire_broker: str) -> Iterator[Client]:
    """A client of the test's own broker."""
    import telewire

    # A Config as it is: no setting of the environment or of a file may lead a test to another broker.
    with telewire.connect(config=telewire.Config(brokers=telewire_broker)) as client:
        yield client
