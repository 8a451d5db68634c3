"""What a processor makes of one parameter's points in one interval."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["IProcessResult"]


class IProcessResult(ABC):
    """The result of one parameter in one interval."""

    __slots__ = ()

    @property
    @abstractmethod
    def identifier(self) -> str:
        """The parameter."""

    @property
    @abstractmethod
    def interval_start_time_nano(self) -> int:
        """Beginning of the interval, ns since the Unix epoch."""

    @property
    @abstractmethod
    def interval_end_time_nano(self) -> int:
        """End of the interval, exclusive, ns since the Unix epoch."""
