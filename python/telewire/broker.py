"""A Kafka broker inside this process, for first runs, notebooks, tests and a laptop at the track."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Final, Self

from telewire import _core, lifetime, logs

__all__ = ["Broker"]

_DEFAULT_BUDGET: Final = 1 << 30


class Broker:
    """An embedded broker that speaks Kafka's protocol: every Kafka client can use it.

    Without a folder it lives in memory and is empty at each start; with one it keeps its data there.
    ``telewire.connect("embedded://")`` starts one of its own; this class is for programs that want to hold it.

    Args:
        data: Folder to keep the data in.
        host: Address to listen on; loopback unless told otherwise, because there is no authentication.
        port: Port to listen on, 0 for a free one.
        memory_budget: Bytes of records kept in memory; when they are full, producing fails with an error that says so.
        retention_s: Age in seconds after which records are deleted; None keeps them.
        advertised: ``host:port`` that clients are told to connect to, when that is not the address it listens on:
            behind a forwarded port, a container or a proxy.

    Raises:
        StorageError: The port or the folder cannot be used.
        ValueError: `advertised` is not ``host:port``.

    Example:
        >>> with telewire.Broker() as broker:  # doctest: +SKIP
        ...     client = telewire.connect(broker.address)
    """

    def __init__(
        self,
        data: str | os.PathLike[str] | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        memory_budget: int = _DEFAULT_BUDGET,
        retention_s: float | None = None,
        advertised: str | None = None,
    ) -> None:
        logs.start()
        folder = None if data is None else os.fspath(data)
        self._core = _core.Broker(folder, host, port, memory_budget, retention_s, _host_and_port(advertised))
        lifetime.keep(self)

    @property
    def address(self) -> str:
        """``host:port`` for any Kafka client."""
        return self._core.address

    @property
    def running(self) -> bool:
        """Whether it has not been stopped."""
        return self._core.running

    def stats(self) -> dict[str, int]:
        """Numbers about it, such as bytes and records kept."""
        return self._core.stats()

    def stop(self) -> None:
        """Stop it: connections end, what is in a folder is written. Takes at most 5 s; may be called again."""
        self._core.stop()

    def close(self, timeout_s: float = 5.0) -> None:  # noqa: ARG002 - the broker has its own limit
        """The same as `stop`, by the name everything else uses."""
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Broker {self.address} {'running' if self.running else 'stopped'}>"


def _host_and_port(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"advertised={text!r} is not an address; write host:port, such as track-laptop:9092")
    return host.removeprefix("[").removesuffix("]"), int(port)
