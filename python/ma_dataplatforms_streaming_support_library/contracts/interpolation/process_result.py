"""The base of results."""

from __future__ import annotations

from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult

__all__ = ["ProcessResult"]


class ProcessResult(IProcessResult):
    """Base of results: knows the parameter and the interval. Derive from it to add what a processor finds out.

    Raises:
        TypeError: Made itself, instead of a class derived from it.
    """

    __slots__ = ("_end", "_identifier", "_start")

    def __init__(self, identifier: str, interval_start_time_nano: int, interval_end_time_nano: int) -> None:
        """Keep the parameter and the interval.

        Args:
            identifier: The parameter.
            interval_start_time_nano: Beginning of the interval, ns since the Unix epoch.
            interval_end_time_nano: Its end, exclusive.
        """
        if type(self) is ProcessResult:
            raise TypeError("ProcessResult is a base class; derive from it")
        self._identifier = identifier
        self._start = interval_start_time_nano
        self._end = interval_end_time_nano

    @property
    def identifier(self) -> str:
        """The parameter."""
        return self._identifier

    @property
    def interval_start_time_nano(self) -> int:
        """Beginning of the interval, ns since the Unix epoch."""
        return self._start

    @property
    def interval_end_time_nano(self) -> int:
        """End of the interval, exclusive, ns since the Unix epoch."""
        return self._end

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._identifier!r}, {self._start}, {self._end})"
