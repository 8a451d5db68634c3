"""What samples by parameter and samples by time have in common: whose they are, and from when to when."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["ISlide", "Slide"]


class ISlide(ABC):
    """Samples of one session within a slide of time."""

    __slots__ = ()

    @property
    @abstractmethod
    def data_source(self) -> str:
        """Who produced them."""

    @property
    @abstractmethod
    def session_key(self) -> str:
        """The session they belong to."""

    @property
    @abstractmethod
    def start_time(self) -> int:
        """Beginning of the slide, ns since the Unix epoch."""

    @property
    @abstractmethod
    def end_time(self) -> int:
        """End of the slide, exclusive, ns since the Unix epoch."""


class Slide(ISlide):
    """Keeps what an `ISlide` says."""

    __slots__ = ("_data_source", "_end_time", "_session_key", "_start_time")

    def __init__(self, data_source: str, session_key: str, start_time: int, end_time: int) -> None:
        """Keep the session, and the times in ns since the Unix epoch."""
        self._data_source = data_source
        self._session_key = session_key
        self._start_time = start_time
        self._end_time = end_time

    @property
    def data_source(self) -> str:
        """Who produced them."""
        return self._data_source

    @property
    def session_key(self) -> str:
        """The session they belong to."""
        return self._session_key

    @property
    def start_time(self) -> int:
        """Beginning of the slide, ns since the Unix epoch."""
        return self._start_time

    @property
    def end_time(self) -> int:
        """End of the slide, exclusive, ns since the Unix epoch."""
        return self._end_time
