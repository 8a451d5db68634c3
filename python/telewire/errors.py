"""The exceptions of telewire: one base class, and one class for each kind of thing a program can do about it.

Every message says what happened, to which thing, and what to do next; `code` is stable and meant for programs.
"""

from __future__ import annotations

import builtins
from typing import Final

from telewire.safe_text import printable

__all__ = [
    "ClosedError",
    "ConfigError",
    "DecodeError",
    "FormatError",
    "KafkaError",
    "SessionError",
    "StorageError",
    "TelewireError",
    "TimeoutError",
]

_LONGEST: Final = 4000


class TelewireError(Exception):
    """Base of everything that telewire raises on its own account.

    Attributes:
        code: A stable name of what went wrong, such as ``"unreachable"`` or ``"unknown_session"``.
    """

    def __init__(self, message: str, *, code: str = "telewire") -> None:
        # Messages carry names from outside, and end up on terminals and in logs.
        super().__init__(printable(message, _LONGEST))
        self.code = code

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default reduction; errors must cross process pools.
        return _rebuild, (type(self), self.args, dict(self.__dict__))


def _rebuild(kind: type[TelewireError], args: tuple[object, ...], state: dict[str, object]) -> TelewireError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigError(TelewireError, ValueError):
    """A setting or an argument that cannot be used; change it and call again."""

    def __init__(self, message: str, *, code: str = "invalid") -> None:
        super().__init__(message, code=code)


class KafkaError(TelewireError):
    """The broker is unreachable, refuses, or fails.

    Attributes:
        kafka_code: Kafka's own name of the error, such as ``"TOPIC_AUTHORIZATION_FAILED"``; empty if there is none.
        retriable: Whether the same call may succeed later.
    """

    def __init__(self, message: str, *, code: str = "kafka", kafka_code: str = "", retriable: bool = False) -> None:
        super().__init__(message, code=code)
        self.kafka_code = kafka_code
        self.retriable = retriable


class DecodeError(TelewireError, ValueError):
    """Bytes that are not what they claim to be.

    Attributes:
        topic: The topic the bytes were read from; empty if they did not come from Kafka.
        partition: The partition, -1 if unknown.
        offset: The offset of the record, -1 if unknown.
        data: The bytes as they were read, to look into.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "decode",
        topic: str = "",
        partition: int = -1,
        offset: int = -1,
        data: bytes = b"",
    ) -> None:
        super().__init__(message, code=code)
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.data = data


class SessionError(TelewireError):
    """A session that nobody has written, or that is in a state which forbids the operation."""

    def __init__(self, message: str, *, code: str = "session") -> None:
        super().__init__(message, code=code)


class FormatError(TelewireError):
    """A data format nobody has defined, or a list of identifiers that cannot be one."""

    def __init__(self, message: str, *, code: str = "format") -> None:
        super().__init__(message, code=code)


class TimeoutError(TelewireError, builtins.TimeoutError):  # noqa: A001 - it is one
    """Something did not happen in time; nothing is lost, and the call may be repeated.

    Attributes:
        left: Packets that had no outcome yet when the time was over, with code ``"flush_timeout"``; else 0.
    """

    def __init__(self, message: str, *, code: str = "timeout", left: int = 0) -> None:
        super().__init__(message, code=code)
        self.left = left


class ClosedError(TelewireError):
    """A client, session, reader or broker was used after it was closed, or closed while it was waiting."""

    def __init__(self, message: str, *, code: str = "closed") -> None:
        super().__init__(message, code=code)


class StorageError(TelewireError, OSError):
    """The operating system refused: a file, a folder or an address."""

    def __init__(self, message: str, *, code: str = "io") -> None:
        super().__init__(message, code=code)


_KINDS: dict[str, type[TelewireError]] = {
    "config": ConfigError,
    "kafka": KafkaError,
    "decode": DecodeError,
    "session": SessionError,
    "format": FormatError,
    "timeout": TimeoutError,
    "closed": ClosedError,
    "interrupted": ClosedError,
    "io": StorageError,
}


def from_core(
    kind: str, code: str, message: str, kafka_code: str = "", retriable: bool = False, left: int = 0
) -> TelewireError:
    """The exception for an error of the core; called by the bindings, not by programs."""
    found = _KINDS.get(kind, TelewireError)
    if found is KafkaError:
        return KafkaError(message, code=code, kafka_code=kafka_code, retriable=retriable)
    if found is TimeoutError:
        return TimeoutError(message, code=code, left=left)
    return found(message, code=code)
