"""What the tests of the drop-in's services share: libraries whose log can be looked into, and what events told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ma_dataplatforms_streaming_support_library.contracts.shared.api_result import ApiResult
from ma_dataplatforms_streaming_support_library.contracts.shared.retry_policy import RetryPolicy
from ma_dataplatforms_streaming_support_library.contracts.shared.stream_api_configuration import (
    StreamingApiConfiguration,
)
from ma_dataplatforms_streaming_support_library.core.base.support_library_api import SupportLibraryApi
from ma_dataplatforms_streaming_support_library.core.base.support_library_bootstrapper import (
    SupportLibraryBootstrapper,
)
from ma_dataplatforms_streaming_support_library.protos.open_data_pb2 import Packet
from readings import DEADLINE_S, Log, eventually

__all__ = [
    "DEADLINE_S",
    "SERVICES",
    "Log",
    "Told",
    "create",
    "eventually",
    "failed_with",
    "library_on",
    "packet_of",
    "started",
    "where",
]

# How each kind of service is made.
SERVICES: dict[str, Callable[[SupportLibraryApi], ApiResult[Any]]] = {
    "session management": lambda library: library.get_session_manager_api().create_service(),
    "data format management": lambda library: library.get_data_format_manager_api().create_service(),
    "packet writer": lambda library: library.get_writing_packet_api().create_service(),
}


def where(broker: str, domain: str, **options: Any) -> StreamingApiConfiguration:
    """A configuration for tests: everything under a domain of its own."""
    return StreamingApiConfiguration(broker, domain=domain, **options)


def create(
    configuration: StreamingApiConfiguration, policy: RetryPolicy | None = None
) -> tuple[SupportLibraryApi, Log]:
    """A library that was not initialised, and its log."""
    log = Log()
    return SupportLibraryBootstrapper.bootstrap(configuration, log).create(policy), log


@contextmanager
def library_on(broker: str, domain: str, **options: Any) -> Iterator[tuple[SupportLibraryApi, Log]]:
    """A library that runs, and its log."""
    library, log = create(where(broker, domain, **options))
    with library:
        yield library, log


def started(result: ApiResult[Any]) -> Any:
    """The service that was made, started."""
    service = result.unwrap()
    assert service.initialise().success
    assert service.start().success
    return service


def packet_of(session_key: str, content: bytes = b"x", *, essential: bool = False, type: str = "Note") -> Packet:
    """A packet as a program would write it."""
    return Packet(type=type, session_key=session_key, content=content, is_essential=essential)


def failed_with(result: ApiResult[Any], code: str) -> str:
    """The message of a result that failed in this way."""
    assert (result.success, result.error_code, result.data) == (False, code, None)
    assert result.message
    assert result.error_message == result.message
    return result.message


class Told:
    """What events told: ``(name, sender, argument)`` in their order, and on which threads."""

    def __init__(self, service: Any, *names: str) -> None:
        self.all: list[tuple[str, Any]] = []
        self.threads: set[threading.Thread] = set()
        for name in names:
            getattr(service, name).subscribe(self._listener(service, name))

    def _listener(self, service: object, name: str) -> Callable[[object, Any], None]:
        def told(sender: object, argument: Any) -> None:
            assert sender is service
            self.threads.add(threading.current_thread())
            self.all.append((name, argument))

        return told

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.all]

    def of(self, name: str) -> list[Any]:
        return [argument for found, argument in self.all if found == name]

    def await_count(self, name: str, count: int = 1) -> list[Any]:
        eventually(lambda: len(self.of(name)) >= count, f"{count} times {name}; told was {self.names}")
        return self.of(name)
