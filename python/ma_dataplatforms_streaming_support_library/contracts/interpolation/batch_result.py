"""The results of one delivery."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Self, TypeAlias, cast

if TYPE_CHECKING:
    from ma_dataplatforms_streaming_support_library.contracts.interpolation.i_process_result import IProcessResult

__all__ = ["BatchResult", "ResultSource"]

ResultSource: TypeAlias = "Callable[[], list[IProcessResult]] | list[IProcessResult]"
"""Results, or what makes them when they are asked for."""


class BatchResult:
    """The results of one subscription in one delivery interval. Read-only; equal if all values are equal."""

    __slots__ = ("_data_source", "_end", "_results", "_session_key", "_sources", "_start", "_subscription_key")

    def __init__(
        self,
        data_source: str,
        session_key: str,
        subscription_key: str,
        start: int,
        end: int,
        results: Iterable[IProcessResult],
    ) -> None:
        """Keep results, which are by interval, and within one in the order of the subscribed parameters."""
        self._data_source = data_source
        self._session_key = session_key
        self._subscription_key = subscription_key
        self._start = start
        self._end = end
        self._results: list[IProcessResult] | None = list(results)
        self._sources: tuple[ResultSource, ...] = ()

    @classmethod
    def of(
        cls,
        data_source: str,
        session_key: str,
        subscription_key: str,
        start: int,
        end: int,
        sources: Iterable[ResultSource],
    ) -> Self:
        """A batch whose results are made when they are first asked for; nothing is made for who does not look."""
        made = cls(data_source, session_key, subscription_key, start, end, ())
        made._results, made._sources = None, tuple(sources)
        return made

    @property
    def data_source(self) -> str:
        """Who produced the data."""
        return self._data_source

    @property
    def session_key(self) -> str:
        """The session."""
        return self._session_key

    @property
    def subscription_key(self) -> str:
        """The subscription."""
        return self._subscription_key

    @property
    def delivery_interval_start_time_nano(self) -> int:
        """Beginning of the delivery interval, ns since the Unix epoch."""
        return self._start

    @property
    def delivery_interval_end_time_nano(self) -> int:
        """Its end, exclusive, ns since the Unix epoch."""
        return self._end

    @property
    def results(self) -> list[IProcessResult]:
        """By interval, and within one in the order of the subscribed parameters; the same list with each call."""
        # In this order: another thread that asks too lets go of the sources once it has the results.
        sources = self._sources
        if (results := self._results) is None:
            results = []
            for source in sources:
                results += source if isinstance(source, list) else source()
            self._results, self._sources = results, ()
        return results

    def __eq__(self, other: object) -> bool:
        return self._all() == other._all() if isinstance(other, BatchResult) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # its results are a list

    def __reduce__(self) -> tuple[type[BatchResult], tuple[object, ...]]:
        # What makes results stays in this process.
        return BatchResult, self._all()

    def __repr__(self) -> str:
        return (
            f"BatchResult(data_source={self._data_source!r}, session_key={self._session_key!r}, "
            f"subscription_key={self._subscription_key!r}, {self._start} to {self._end}, {len(self.results)} results)"
        )

    def _all(self) -> tuple[object, ...]:
        key = self._data_source, self._session_key, self._subscription_key
        return *key, self._start, self._end, cast("object", self.results)
