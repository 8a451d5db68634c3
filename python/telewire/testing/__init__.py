"""For tests of programs that use telewire: a broker of their own in milliseconds, and nothing left behind.

With pytest nothing needs to be imported; the fixtures are there as soon as telewire is installed:

    def test_my_program_writes_a_session(telewire_client):
        my_program.run(telewire_client.brokers)
        assert telewire_client.sessions()

`telewire_broker` is the address of a fresh embedded broker, `telewire_client` a client connected to it. Any Kafka
client can use the address. Without pytest, `broker()` is the same as a context manager.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from telewire.broker import Broker

__all__ = ["broker"]


@contextmanager
def broker() -> Iterator[str]:
    """A fresh embedded broker in memory; gives its address ``host:port`` and stops it at the end."""
    with Broker() as running:
        yield running.address
